"""What a run would be, without training: its net, its memory, its speed, how long it would take."""

import contextlib
import copy
import math
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from errors import UserError
from train_lib import build_data, build_sources, check, duration, freezing, loop, parallel
from train_lib.drawing import net_table
from train_lib.reporting import counted, human_bytes, human_time, say
from train_lib.throughput import costs
from train_lib.training import Training, build_training

TIMED_STEPS, TIMED_SEC = 5, 60.0  # after the first: no more of them, none begun later than that
READ_BATCHES, READ_SEC = 20, 10.0
NO_PIXELS = ((0.0,) * 3, (1.0,) * 3)  # mean and deviation, where they would be measured


def run(config, poll: Callable[[], None] = lambda: None) -> None:
  """Says all of it line by line; writes no file, but what reading the data keeps anyway.

  Args:
    config: the whole config.
    poll: called often while data are read; may raise to stop.

  Raises:
    UserError: a mistake in the config or the data, as training tells it, or a run that does not fit
      into the memory of its devices.
  """
  check.check_config(config)
  check.check_start(config)
  say('a dry run: nothing is trained and no workdir is made')
  with tempfile.TemporaryDirectory() as folder:
    training = _build(config, folder, poll)
    params = training.abstract_state.params
    say(net_table.describe(training.task, _blank(config), params))
    for line in [*freezing.describe_plan(training.plan, params), *_sizes(training)]:
      say(line)
    batch = _read(training)
    with _memory_told(config):
      step_sec = _try_step(training, batch, poll)
  _say_duration(training, step_sec)


def build_source(config, folder: str, poll: Callable[[], None]):
  """The training split; of drawn data a sample. Args: folder: that these are drawn into."""
  if config.data.source in check.DRAWN_LABELS:
    source = build_sources.build_sample(config, folder, poll)
    drawn = counted(build_sources.DRAWN_SAMPLE, 'picture')
    say(f'{config.data.source}: {drawn} drawn for this stand for {config.data.num_train:,} of '
        'training')
  else:
    source = build_sources.build_source(config, 'train', poll)
    say(source.description)
  return source


def without_finding(config):
  """The config, or a copy that cuts no people out where finding them would take long."""
  if config.data.persons.cut == 'pose':
    config = copy.deepcopy(config)
    config.data.persons.cut = 'none'
  return config


def pixels_of(config) -> tuple:
  """What to give `build_training` in place of measuring the pixels."""
  return NO_PIXELS if config.data.pixels == 'train' else ()


def _build(config, folder: str, poll) -> Training:
  """The run up to its first step; of drawn data with a sample, of other data as it is."""
  config = without_finding(config)
  return build_training(config, poll, build_source(config, folder, poll), pixels_of(config))


def _blank(config) -> jax.ShapeDtypeStruct:
  picture = build_data.blank_pictures(config)
  return jax.ShapeDtypeStruct(picture.shape, picture.dtype)


def _sizes(training) -> list[str]:
  """What the state of the run takes."""
  state, config = training.abstract_state, training.config
  lines = [f'parameters: {human_bytes(_bytes(state.params))}',
           f'statistics: {human_bytes(_bytes(state.batch_stats))}',
           f'optimizer state ({config.optimizer.name}): {human_bytes(_bytes(state.opt_state))}',
           f'averaged weights: {human_bytes(_bytes(state.ema))}']
  return [line for line in lines if not line.endswith(' 0 B')]


def _read(training) -> dict:
  """A batch, on the host; says what it is and how fast the loader alone makes such batches."""
  config, batches = training.config, training.loader.batches(0, READ_BATCHES)
  batch = next(batches)
  arrays = {key: value for key, value in batch.items() if key not in parallel.ON_HOST}
  say(f'batch: {human_bytes(_bytes(arrays))}; ' + ', '.join(
      f'{key} {value.dtype} {list(value.shape)}' for key, value in arrays.items()))
  count, started = 0, time.monotonic()
  while count < READ_BATCHES - 1 and time.monotonic() - started < READ_SEC:
    next(batches)
    count += 1
  batches.close()
  rate = count * config.train.batch_size / (time.monotonic() - started)
  kind = 'process' if config.runtime.worker_processes else 'thread'
  workers = counted(config.runtime.workers or 1, kind)
  say(f'input: {rate:,.0f} pictures/s from {workers}, while nothing else computes')
  return batch


def _try_step(training, batch, poll) -> float:
  """Seconds of a step of the end of the run, which is the largest; says what it takes."""
  state = parallel.put_whole(training.mesh, jax.tree.map(
      lambda leaf: np.zeros(leaf.shape, leaf.dtype), training.abstract_state))
  batch, function = parallel.put_batch(training.mesh, batch), training.steps[False, False]
  say('compiling the training step, which takes minutes for a large net ...')
  started = time.monotonic()
  lowered = function.lower(state, batch, training.key)
  compiled = lowered.compile()
  say(f'training step: compiled in {human_time(time.monotonic() - started)}'
      f'{_operations(costs.step_flops(training, lowered, state, batch))}')
  _say_memory(training, compiled)
  poll()
  say(f'timing the training step, {1 + TIMED_STEPS} times at most ...')
  times = []
  while len(times) <= TIMED_STEPS and sum(times) < TIMED_SEC:
    started = time.monotonic()
    state, metrics = jax.block_until_ready(function(state, batch, training.key))
    times.append(time.monotonic() - started)
    poll()
  step_sec = statistics.median(times[1:] or times)
  last = ' at full size' if training.small_steps else ''
  say(f'time of a step{last}: {step_sec:.3g} s, the median of {len(times[1:] or times)}')
  return step_sec


def _operations(flops: float) -> str:
  """The arithmetic of a step in words, where the compiler tells it."""
  if not flops:
    return ''
  unit, size = ('T', 1e12) if flops >= 1e12 else ('G', 1e9)
  return f', about {flops / size:,.3g} {unit}FLOP'


def _say_memory(training, compiled) -> None:
  """Says what a compiled step takes; UserError where a device has less."""
  memory = costs.program_memory(compiled)
  if memory is None:
    return
  each = ' on each device' if training.mesh.size > 1 else ''
  room = costs.memory_room(training.mesh, memory.kept)
  free = f'; {human_bytes(room)} are there' if room < math.inf else ''
  say(f'memory of a step{each}: {human_bytes(memory.needed)} at its peak, '
      f'{human_bytes(memory.kept)} for state and batch and {human_bytes(memory.working)} to '
      f'compute with{free}')
  if memory.needed > room:
    raise _too_large(training.config, f'{human_bytes(memory.needed)} of {human_bytes(room)}')


@contextlib.contextmanager
def _memory_told(config):
  """A context in which memory that runs out is a UserError."""
  try:
    with costs.memory_told():
      yield
  except costs.DoesNotFit as error:
    raise _too_large(config, str(error)) from error


def _too_large(config, needed: str) -> UserError:
  smaller = ''
  if jax.default_backend() == 'cpu' and config.small_page:
    smaller = f'; or train --config={config.small_page}, which is made for a CPU'
  return UserError(
      f'this run does not fit into memory: a step with train.batch_size {config.train.batch_size} '
      f'needs {needed}; lower it, raise train.accumulate_steps, or name stages in net.remat'
      f'{smaller}')


def _say_duration(training, step_sec: float) -> None:
  first, total = training.head_steps, training.num_steps
  if first:
    say(f'in the first {first:,} of {total:,} steps the head alone learns, from features that are '
        'kept of the pictures: they take far less, and are left out of what follows')
  if first < total:
    for line in duration.describe(training, first, step_sec, total):
      say(line)
  evaluations = -(-total // loop.evaluation_period(training))
  say(f'on top come {counted(evaluations, "evaluation")}, checkpoints and the final report')


def _bytes(tree) -> int:
  return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
