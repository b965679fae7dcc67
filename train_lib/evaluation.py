"""A split, every example exactly once: sums on the devices, predictions and truths on the host."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from train_lib import parallel


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What a split gave: metrics, and for each example its id, predictions and truths in order."""
  metrics: dict[str, float]
  ids: tuple[str, ...]
  predictions: dict[str, np.ndarray]
  truths: dict[str, np.ndarray]


class Evaluator:
  """Compiles a task's tally and predict once and runs them over any loader."""

  def __init__(self, task, mesh: jax.sharding.Mesh):
    self.task, self.mesh = task, mesh
    self._run = parallel.compile_rows_and_sums(
        lambda variables, batch: (task.predict(variables, batch), task.tally(variables, batch)),
        mesh)

  def predictions(self, variables, loader, poll: Callable[[], None] = lambda: None):
    """Yields (host batch, its predictions as numpy, its sums) for each batch of a loader.

    Args:
      variables: of the net, replicated.
      loader: with `train=False`.
      poll: called before each batch; may raise to stop.
    """
    for batch in loader.batches(0, loader.num_batches):
      poll()
      predicted, sums = self._run(variables, parallel.put_batch(self.mesh, batch))
      yield batch, parallel.to_host(predicted), jax.device_get(sums)

  def evaluate(self, variables, loader, thresholds=None,
               poll: Callable[[], None] = lambda: None) -> Outcome:
    """Measures a split. Args: thresholds: of the validation split, None: tuned on these rows."""
    totals, ids, predictions, truths = None, [], [], []
    for batch, predicted, sums in self.predictions(variables, loader, poll):
      totals = sums if totals is None else jax.tree.map(np.add, totals, sums)
      truth, mask, names = gather(self.task.truth(batch), batch['mask'], batch['id'])
      real = mask > 0
      ids += [name for name, keep in zip(names, real, strict=True) if keep]
      predictions.append({key: value[real] for key, value in predicted.items()})
      truths.append({key: value[real] for key, value in truth.items()})
    predictions, truths = _joined(predictions), _joined(truths)
    metrics = self.task.measure(totals, predictions, truths, thresholds)
    return Outcome(metrics, tuple(ids), predictions, truths)


def gather(truth, mask, ids):
  """The rows of all processes, in the order in which predictions come from the devices."""
  if jax.process_count() == 1:
    return truth, mask, ids
  from jax.experimental import multihost_utils
  width = 512                                                     # bytes of an id
  coded = np.array([str(name).encode()[:width].ljust(width) for name in ids])
  rows = np.frombuffer(coded.tobytes(), np.uint8).reshape(len(ids), width)
  truth, mask, rows = multihost_utils.process_allgather((truth, mask, rows), tiled=True)
  return truth, mask, [row.tobytes().decode(errors='replace').rstrip() for row in rows]


def thresholds_of(metrics: dict) -> dict[str, float]:
  """The thresholds that a validation split's metrics carry; {} when it was not measured."""
  if 'micro_threshold' not in metrics:
    return {}
  return {'micro': metrics['micro_threshold'], 'macro': metrics['macro_threshold']}


def _joined(rows: list[dict]) -> dict:
  return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
