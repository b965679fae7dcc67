"""A split, every example exactly once: sums on the devices, what the task collects on the host."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from errors import Diverged
from train_lib import parallel
from train_lib.multihost import apart, distributed

ID_BYTES = 512                    # of the id of a picture, among several processes


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What a split gave.

  Attributes:
    metrics: single figures, by name.
    collected: what the task's collector made of the rows.
    thresholds: of the task, that the figures were taken at: another split's, or tuned on this one.
    pictures_per_sec: of reading and predicting, the collecting left out. Compilation is in it where
      this split is the first that the evaluator saw.
  """
  metrics: dict[str, float]
  collected: Any
  thresholds: Any
  pictures_per_sec: float


@dataclasses.dataclass(frozen=True)
class Untold:
  """A task whose pictures nothing is known of: predictions alone, and nothing to compare with."""
  task: Any

  def predict(self, variables, batch):
    return self.task.predict(variables, batch)

  def tally(self, variables, batch):
    return {'examples': batch['mask'].sum()}


class Evaluator:
  """Compiles a task's tally and predict once and runs them over any loader.

  A task collects as it needs: `task.collector(loader, thresholds)` gives an object that takes
  `add(predictions, truths, ids, indices)`, real rows alone, and whose `finish()` is handed to
  `task.tune(collected)` and `task.measure(totals, collected, thresholds)`. Its `adds_up` says what
  it is given where there are several processes: the rows of all of them, or those of its own, to be
  joined with the others' at the end (`apart.Apart`).
  """

  def __init__(self, task, mesh: jax.sharding.Mesh):
    self.task, self.mesh = task, mesh
    self._run = parallel.compile_rows_and_sums(
        lambda variables, batch: (task.predict(variables, batch), task.tally(variables, batch)),
        mesh)

  def run(self, variables, batch: dict, fetch: Callable = parallel.to_host) -> tuple[dict, dict]:
    """(predictions, sums) of one host batch, as numpy. Args: fetch: makes predictions numpy."""
    predicted, sums = self._run(variables, parallel.put_batch(self.mesh, batch))
    return fetch(predicted), jax.device_get(sums)

  def predictions(self, variables, loader, poll: Callable[[], None],
                  fetch: Callable = parallel.to_host):
    """Yields (host batch, its predictions as numpy, its sums) for each batch of a loader.

    Args:
      variables: of the net, replicated.
      loader: with `train=False`.
      poll: called before each batch; may raise to stop.
      fetch: as of `run`.
    """
    for batch in loader.batches(0, loader.num_batches):
      poll()
      yield batch, *self.run(variables, batch, fetch)

  def evaluate(self, variables, loader, thresholds=None,
               poll: Callable[[], None] = lambda: None) -> Outcome:
    """Measures a split. Args: thresholds: of the validation split, None: tuned on these rows."""
    collector = self.task.collector(loader, thresholds)
    fetch, bring, before = parallel.to_host, gather, 0
    if distributed.size() > 1 and collector.adds_up:
      collector, fetch, bring = apart.Apart(collector, self.mesh), apart.own_rows, _leave
      before = distributed.index()                      # processes whose rows of a batch come first
    totals, first, spent_sec, start = None, 0, 0.0, time.monotonic()
    for batch, predicted, sums in self.predictions(variables, loader, poll, fetch):
      spent_sec += time.monotonic() - start
      totals = sums if totals is None else jax.tree.map(np.add, totals, sums)
      truth, mask, ids = bring(self.task.truth(batch), batch['mask'], batch['id'])
      real = np.flatnonzero(mask > 0)
      collector.add({key: value[real] for key, value in predicted.items()},
                    {key: value[real] for key, value in truth.items()},
                    [ids[row] for row in real], first + before * len(mask) + real)
      first += distributed.size() * len(batch['mask'])
      start = time.monotonic()
    collected = collector.finish()
    thresholds = self.task.tune(collected) if thresholds is None else thresholds
    return Outcome(self.task.measure(totals, collected, thresholds), collected, thresholds,
                   pictures_per_sec=int(totals['examples']) / max(spent_sec, 1e-9))


def check_numbers(values: np.ndarray) -> None:
  """Raises Diverged where some of what a net gave is no number, or infinite."""
  if not np.isfinite(values).all():
    raise Diverged('the net gives values that are not numbers: training has diverged; lower '
                   'optimizer.learning_rate or set optimizer.clip_norm')


def gather(truth, mask, ids):
  """The rows of all processes, in the order in which predictions come from the devices."""
  if distributed.size() == 1:
    return truth, mask, ids
  coded = np.array([str(name).encode(errors='surrogateescape')[:ID_BYTES] for name in ids],
                   f'S{ID_BYTES}')
  truth, mask, coded = jax.tree.map(_gather_rows, (truth, mask, coded))
  return truth, mask, [name.decode(errors='surrogateescape') for name in coded]


def _leave(truth, mask, ids):
  """The rows of this process, as they are."""
  return truth, mask, ids


def _gather_rows(array):
  """As bytes, so that no number is made shorter on the way."""
  from jax.experimental import multihost_utils
  array = np.ascontiguousarray(array)
  rows = np.frombuffer(array.tobytes(), np.uint8).reshape(len(array), -1)
  every = np.ascontiguousarray(multihost_utils.process_allgather(rows, tiled=True))
  return np.frombuffer(every.tobytes(), array.dtype).reshape(-1, *array.shape[1:])


def thresholds_of(metrics: dict) -> dict[str, float]:
  """The thresholds that a validation split's metrics carry; {} when it was not measured."""
  found = {name: metrics.get(f'{name}_threshold') for name in ('micro', 'macro')}
  return {} if None in found.values() else found
