"""The figures of a run as they come: rows of `metrics.jsonl`, and TensorBoard and W&B beside it."""

import logging
import time

from errors import UserError
from train_lib import records, wandb_run

_log = logging.getLogger(__name__)


class MetricsLog:
  """Rows of `metrics.jsonl`, and the same numbers to every sink that the config asks for.

  A sink that cannot be written costs a warning, not the run. A run that goes on from a step drops
  the rows beyond it: no step stands twice.

  Args:
    workdir: of the run.
    start_step: that the run goes on from.
    config: the whole config; `runtime` names the sinks.

  Raises:
    UserError: a sink cannot be had at all, as `wandb_run.check` tells.
  """

  def __init__(self, workdir, start_step: int, config):
    self._path = workdir / 'metrics.jsonl'
    records.drop_rows_after(self._path, start_step)
    self._sinks = {}
    for name, wanted, sink in (
        ('TensorBoard', config.runtime.tensorboard, TensorBoard),
        ('Weights & Biases', config.runtime.wandb, wandb_run.WandbRun)):
      if wanted:
        self._try(name, lambda name=name, sink=sink: self._sinks.update(
            {name: sink(config, workdir, start_step)}))

  def has(self, step: int, key: str) -> bool:
    """True when a row of this step holds the key."""
    return any(row.get('step') == step and key in row for row in records.read_jsonl(self._path))

  def write(self, step: int, metrics: dict[str, float]) -> None:
    """Args: metrics: 'split/name' -> number."""
    records.append_jsonl(self._path, [{'step': step, 'time': time.time(), **metrics}])
    for name, sink in list(self._sinks.items()):
      self._try(name, lambda sink=sink: sink.write(step, metrics))

  def close(self) -> None:
    """Flushes the sinks."""
    for name, sink in list(self._sinks.items()):
      self._try(name, sink.close)

  def _try(self, name, action):
    try:
      action()
    except UserError:
      raise
    except Exception as error:                                # noqa: BLE001
      _log.warning('%s gets no more figures of this run: %s', name, error)
      self._sinks.pop(name, None)


class TensorBoard:
  """Events for TensorBoard, in `<workdir>/tensorboard`. Args: as those of `MetricsLog`."""

  def __init__(self, config, workdir, start_step: int):
    from tensorboardX import SummaryWriter
    del config
    self._writer = SummaryWriter(str(workdir / 'tensorboard'), purge_step=start_step + 1)

  def write(self, step: int, metrics: dict[str, float]) -> None:
    """Args: as those of `MetricsLog.write`."""
    for key, value in metrics.items():
      self._writer.add_scalar(key, value, step)

  def close(self) -> None:
    """Flushes the events."""
    self._writer.close()
