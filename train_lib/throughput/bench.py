"""One benchmark: case after case, part after part, the rows written as they come."""

import contextlib
import dataclasses
import gc
import pathlib
import statistics
import tempfile
from collections.abc import Callable
from typing import Any

import jax

from train_lib import dry_run
from train_lib.reporting import counted, say
from train_lib.throughput import (
  batch_search,
  conv_gradient,
  costs,
  input_parts,
  peaks,
  rows,
  steps,
  timing,
  verdict,
  whole_loop,
)
from train_lib.throughput.cases import Case
from train_lib.training import Training, build_training

TRIED_SEC, TRIED_STEPS = 0.5, 3   # of each batch size that is tried
DISPATCHES = 5                    # of a step, whose median counts


@dataclasses.dataclass
class Bench:
  """What the cases of one benchmark share.

  Attributes:
    folder: for drawn pictures and what the loop writes; it goes afterwards.
    poll: called often; may raise to stop.
    sources: what was made to read from, by the size of its pictures.
    known: figures that do not differ between cases, by what they depend on.
  """
  folder: str
  poll: Callable[[], None]
  sources: dict = dataclasses.field(default_factory=dict)
  known: dict = dataclasses.field(default_factory=dict)

  def measure(self, case: Case) -> dict:
    """The finished row of a case; one that does not fit says so in `error`."""
    row = rows.begin_row(case)
    try:
      with costs.memory_told():   # a state or a batch may not fit even where no program runs yet
        self._measure(case, row)
    except costs.DoesNotFit as error:
      row['error'] = f'does not fit into memory ({error})'
    finally:
      gc.collect()
      jax.clear_caches()          # programs of a case hold memory and are of no use to another
    return row

  def _measure(self, case, row):
    parts = case.config.benchmark.parts
    training = self._build(case, case.batch_size or case.least_batch)
    row['param_count'] = round(steps.count_parameters(training) / 1e6, 3)
    variables = steps.draw_variables(training)
    batch_size = case.batch_size or self._look_for_batch(case, training, variables)
    if batch_size != training.config.train.batch_size:
      training = self._build(case, batch_size)
    row.update(self._peak(training.mesh, case.dtype))
    if 'conv' in parts:
      row['conv_in_loop_ratio'] = self._once(
          ('conv', case.dtype), lambda: conv_gradient.measure_ratio(case.dtype, self.poll))
    if 'latency' in parts:
      row.update(self._once((*_kind(case), 'latency'), lambda: self._latency(case)))
    if 'infer' in parts:
      step = steps.Inference(training, batch_size, variables)
      self._time(case, row, 'infer', step, batch_size)
      row['infer_gmacs'] = row['infer_gflops'] / 2 / batch_size
      del step
    if 'input' in parts:
      row.update(self._once(('input', case.config.data.image_size_px, case.devices),
                            lambda: self._input(case, training)))
    if {'train', 'loop'} & set(parts):
      step = steps.TrainStep(training, batch_size, variables)
      del variables
      self._time(case, row, 'train', step, batch_size)
      row['train_accumulate_steps'] = case.config.train.accumulate_steps
      row['train_dispatch_ms'] = 1e3 * statistics.median(
          step.dispatch_sec() for _ in range(DISPATCHES))
      if 'loop' in parts:
        self._loop(case, row, training, step, batch_size)
    sentence = verdict.describe(row, jax.default_backend(), rows.count_processors())
    if sentence:
      row['bound_by'] = sentence
      say(f'  bound by {sentence}')

  def _once(self, key, measure):
    """What was measured under this key before, else now."""
    if key not in self.known:
      self.known[key] = measure()
    return self.known[key]

  def _peak(self, mesh, dtype) -> dict:
    peak = self._once(('peak', mesh.size, dtype), lambda: peaks.peak_of(mesh, dtype))
    return {'peak_tflops': peak.flops_per_sec / 1e12, 'peak_source': peak.source}

  def _latency(self, case) -> dict:
    alone = dataclasses.replace(case, devices=1)
    training, settings = self._build(alone, alone.least_batch), case.config.benchmark
    times = steps.latency(training, steps.draw_variables(training), seconds=settings.seconds,
                          least_steps=settings.least_steps, poll=self.poll)
    say(f'  one picture: {1e3 * times.median:,.2f} ms (95 %: {1e3 * times.p95:,.2f})')
    return {'infer_latency_ms': 1e3 * times.median, 'infer_latency_ms_p95': 1e3 * times.p95}

  def _input(self, case, training) -> dict:
    rates = input_parts.measure(training, seconds=case.config.benchmark.seconds, poll=self.poll)
    workers = case.config.runtime.workers
    say(f'  input: {rates[""]:,.0f} pictures/s from {counted(workers or 1, "worker")}; alone, on '
        f'one thread: reading {rates["read"]:,.0f}, augmentation {rates["augment"]:,.0f}, batches '
        f'{rates["batch"]:,.0f}; transfer {rates["transfer"]:,.0f}')
    return {'input_workers': workers, **{
        f'input_{name}_samples_per_sec'.replace('__', '_'): value for name, value in rates.items()}}

  def _loop(self, case, row, training, step, batch_size):
    made = row.get('input_samples_per_sec')
    times = whole_loop.measure(
        training, step, step_sec=row['train_step_time'] / 1e3,
        batch_sec=batch_size / made if made else 0.0, seconds=case.config.benchmark.seconds,
        folder=pathlib.Path(self.folder) / f'loop-{case.digest}', poll=self.poll)
    row.update(loop_samples_per_sec=batch_size / statistics.median(times.loop),
               loop_bare_samples_per_sec=batch_size / statistics.median(times.bare),
               stall_frac=times.stall_frac)
    stall = ('no stall was measured, the two differ by noise' if verdict.has_no_stall(row) else
             f'it stalls for {times.stall_frac:.1%} of the time')
    say(f'  loop: {row["loop_samples_per_sec"]:,.1f} pictures/s, the bare step in turns with it '
        f'{row["loop_bare_samples_per_sec"]:,.1f}: {stall}')

  def _build(self, case, batch_size: int) -> Training:
    config = case.config.copy_and_resolve_references()
    config.train.batch_size = batch_size
    config = dry_run.without_finding(config)
    return build_training(config, self.poll, self._source(config), dry_run.pixels_of(config),
                          jax.devices()[:case.devices])

  def _source(self, config):
    """What is read, a sample of drawn data; one for each size of pictures."""
    key = config.data.image_size_px
    if key not in self.sources:
      self.sources[key] = dry_run.build_source(config, f'{self.folder}/drawn-{key}', self.poll)
    return self.sources[key]

  def _look_for_batch(self, case, training, variables) -> int:
    inference = not {'train', 'loop'} & set(case.config.benchmark.parts)

    def rate_of(number):
      self.poll()
      make = steps.Inference if inference else steps.TrainStep
      with costs.memory_told():
        step = make(training, number, variables)
        step.compile()
        times = timing.measure(step.run, seconds=TRIED_SEC, least_steps=TRIED_STEPS,
                               poll=self.poll)
      say(f'  batch {number}: {number / times.median:,.1f} pictures/s')
      return number / times.median

    return batch_search.find_batch_size(rate_of, case.least_batch, case.devices)

  def _time(self, case, row, mode, step, batch_size):
    """Adds the figures of a program to a row."""
    settings = case.config.benchmark
    memory = costs.PeakMemory(jax.devices()[0])
    compiled = step.compile()
    self.poll()
    times = timing.measure(step.run, seconds=settings.seconds, poll=self.poll,
                           least_steps=settings.least_steps)
    rate = batch_size / times.median
    found = {
        'samples_per_sec': rate, 'step_time': 1e3 * times.median, 'batch_size': batch_size,
        'img_size': case.config.data.image_size_px, 'step_time_p95': 1e3 * times.p95,
        'step_time_least': 1e3 * times.least, 'step_time_most': 1e3 * times.most,
        'samples_per_sec_per_device': rate / case.devices, 'compile_sec': compiled.compile_sec,
        'first_step_sec': compiled.first_step_sec, 'gflops': compiled.flops / 1e9,
        'peak_frac': compiled.flops / times.median / 1e12 / row['peak_tflops'],
        **_memory(memory, compiled)}
    row.update({f'{mode}_{name}': value for name, value in found.items()})
    say(f'  {mode}: {rate:,.1f} pictures/s, {1e3 * times.median:,.2f} ms a step (95 %: '
        f'{1e3 * times.p95:,.2f}), compiled in {compiled.compile_sec:.1f} s')


def _kind(case) -> tuple:
  return case.net, case.dtype, case.config.data.image_size_px


def _memory(peak, compiled) -> dict[str, Any]:
  """The most that the first device held: as it counts itself, else as the compiler has it."""
  seen = peak.bytes()
  if seen == seen:
    return {'memory_mb': seen / 1e6, 'memory_source': 'device'}
  if compiled.memory is None:
    return {}
  return {'memory_mb': compiled.memory.needed / 1e6, 'memory_source': 'compiler'}


@contextlib.contextmanager
def open_bench(poll: Callable[[], None]):
  """A `Bench` whose folder goes at the end."""
  with tempfile.TemporaryDirectory(prefix='oko-benchmark-') as folder:
    yield Bench(folder, poll)
