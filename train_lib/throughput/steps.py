"""The programs whose speed is measured: a training step, a prediction, a prediction of one picture.

Each is the one that training and prediction run, on batches that lie on the devices already; the
state is donated as it is in training.
"""

import dataclasses
import time
from typing import Any

import jax
import numpy as np

from train_lib import parallel
from train_lib.throughput import costs, timing
from train_lib.trees import flatten_names

BATCHES = 2                       # on the devices, taken in turns


@dataclasses.dataclass(frozen=True)
class Compiled:
  """What making a program ready took, and what it takes to run.

  Attributes:
    compile_sec: of tracing, lowering and compiling.
    first_step_sec: the same and the first run.
    flops: of a run over all devices; 0: not known.
    memory: on each device, as the compiler has it; None: not known.
  """
  compile_sec: float
  first_step_sec: float
  flops: float
  memory: costs.Memory | None


class TrainStep:
  """A training step of so many rows. Args: variables: of `draw_variables`; they are copied."""

  def __init__(self, training, rows: int, variables):
    self._training, self._function = training, training.steps[False, False]
    self._batches = device_batches(training, host_batch(training), rows)
    self._waits = waits_each_step(training.mesh)
    self.state, self._turn = training.start_from(variables), 0

  def compile(self) -> Compiled:
    """Raises DoesNotFit where the compiler says so before it is tried."""
    training, batch = self._training, self._batches[0]
    started = time.perf_counter()
    lowered = self._function.lower(self.state, batch, training.key)
    compiled = lowered.compile()
    compile_sec = time.perf_counter() - started
    costs.check_fits(compiled, training.mesh)
    self.run(1)
    first_step_sec = time.perf_counter() - started
    flops = costs.step_flops(training, lowered, self.state, batch)
    return Compiled(compile_sec, first_step_sec, flops, costs.program_memory(compiled))

  def run(self, count: int) -> None:
    """Takes so many steps, and waits for the last."""
    metrics = None
    for _ in range(count):
      self.state, metrics = self._function(self.state, self._next(), self._training.key)
      if self._waits:
        jax.block_until_ready(metrics)              # virtual devices deadlock otherwise
    jax.block_until_ready((self.state, metrics))

  def dispatch_sec(self) -> float:
    """Seconds until the host has handed a step over, while the devices are idle."""
    started = time.perf_counter()
    self.state, metrics = self._function(self.state, self._next(), self._training.key)
    spent = time.perf_counter() - started
    jax.block_until_ready((self.state, metrics))
    return spent

  def _next(self):
    self._turn = (self._turn + 1) % len(self._batches)
    return self._batches[self._turn]


class Inference:
  """Finished predictions of so many rows, as the task makes them; they stay on the devices."""

  def __init__(self, training, rows: int, variables):
    self._mesh, self._variables = training.mesh, variables
    self._function = parallel.compile_rows_and_sums(
        lambda variables, batch: (training.task.predict(variables, batch), {}), training.mesh)
    self._batches = device_batches(training, predictable(training, host_batch(training)), rows)
    self._waits = waits_each_step(training.mesh)

  def compile(self) -> Compiled:
    """Raises DoesNotFit where the compiler says so before it is tried."""
    started = time.perf_counter()
    lowered = self._function.lower(self._variables, self._batches[0])
    compiled = lowered.compile()
    compile_sec = time.perf_counter() - started
    costs.check_fits(compiled, self._mesh)
    self.run(1)
    return Compiled(compile_sec, time.perf_counter() - started, costs.lowered_flops(lowered),
                    costs.program_memory(compiled))

  def run(self, count: int) -> None:
    """Predicts so many batches, and waits for the last."""
    rows = None
    for number in range(count):
      rows = self._function(self._variables, self._batches[number % len(self._batches)])
      if self._waits:
        jax.block_until_ready(rows)
    jax.block_until_ready(rows)


def latency(training, variables, *, seconds: float, least_steps: int, poll) -> timing.Times:
  """Times of one picture on the first device: from the host, through the net, back to the host.

  Args: training: on one device; variables: there.
  """
  batch = stretch(predictable(training, host_batch(training)), 1)
  function = parallel.compile_rows_and_sums(
      lambda variables, batch: (training.task.predict(variables, batch), {}), training.mesh)

  def run(count):
    for _ in range(count):
      jax.device_get(function(variables, parallel.put_batch(training.mesh, batch)))

  run(2)
  return timing.measure(run, seconds=seconds, least_steps=least_steps, poll=poll, together=False)


def draw_variables(training) -> dict[str, Any]:
  """Variables, on every device, with which every layer does something, as after training.

  Drawing them on the host is quicker than compiling the net's own initialisation.
  """
  rng = np.random.default_rng(0)

  def draw(path, leaf):
    name = getattr(path[-1], 'key', '')
    if name in ('scale', 'var'):
      return np.ones(leaf.shape, leaf.dtype)
    if len(leaf.shape) < 2:
      return np.zeros(leaf.shape, leaf.dtype)
    noise = rng.standard_normal(leaf.shape, np.float32)
    return (noise / np.sqrt(np.prod(leaf.shape[:-1]))).astype(leaf.dtype)

  abstract = training.abstract_state
  return parallel.put_whole(training.mesh, jax.tree_util.tree_map_with_path(
      draw, {'params': abstract.params, 'batch_stats': abstract.batch_stats}))


def count_parameters(training) -> int:
  """Of the net."""
  return sum(leaf.size for leaf in flatten_names(training.abstract_state.params).values())


def host_batch(training) -> dict:
  """A batch as the loader makes it, without what no device needs."""
  return {key: value for key, value in training.loader.make_batch(0).items()
          if key not in parallel.ON_HOST}


def predictable(training, batch: dict) -> dict:
  """A training batch with all that is predicted from: of persons, crops that are whole pictures."""
  if training.config.task != 'pose':
    return batch
  same = np.eye(2, 3, dtype=np.float32)
  return {**batch, 'crop_to_source': np.tile(same, (len(batch['mask']), 1, 1))}


def device_batches(training, batch: dict, rows: int) -> list[dict]:
  """BATCHES batches of so many rows, on the devices: the pictures of one, again and again."""
  batch = stretch(batch, rows)
  return [parallel.put_batch(training.mesh, {key: np.roll(value, shift, axis=0)
                                             for key, value in batch.items()})
          for shift in range(BATCHES)]


def stretch(batch: dict, rows: int) -> dict:
  """A host batch of another number of rows, which come again and again."""
  return {key: value[np.arange(rows) % len(value)] for key, value in batch.items()}


def waits_each_step(mesh) -> bool:
  """Whether no step may begin before the one before it has ended: on many devices of a CPU."""
  return mesh.size > 1 and jax.default_backend() == 'cpu'
