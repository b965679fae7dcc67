"""The figures of a run as they come: rows of `metrics.jsonl`, and TensorBoard and W&B beside it."""

import logging
import math
import pathlib
import tempfile
import time

from errors import UserError
from train_lib import wandb_run
from train_lib.multihost import processes
from train_lib.step import JUDGED
from train_lib.storage import records, remote

SEND_SEC = 60.0                   # between two copies of TensorBoard's events to a store

ROW = {'step': int, str: (float, None)}  # form of a row of metrics.jsonl
UNTOLD = 'untold/'                # how the names begin that sums have in a checkpoint

_log = logging.getLogger(__name__)


def read_metrics(workdir) -> list[dict]:
  """The rows of metrics.jsonl of a run, each with its 'step'; none before there is one."""
  return records.read_jsonl(workdir / 'metrics.jsonl', ROW, needs=['step'])


class StepMeans:
  """Means of the figures of the steps since they were last taken.

  What no row tells yet lies in a checkpoint (`untold`), so that a run that goes on from there
  writes the rows that it would have written anyway.

  Args: saved: figures of the checkpoint that the run goes on from.
  """

  def __init__(self, saved: dict):
    sums = {name: saved.get(UNTOLD + name) for name in ('steps', *JUDGED)}
    if None in sums.values():
      sums = dict.fromkeys(sums, 0.0)
    self._sums = sums

  def add(self, values: dict) -> None:
    """Args: values: of one step, each of JUDGED."""
    self._sums['steps'] += 1
    for name in JUDGED:
      self._sums[name] += float(values[name])

  def take(self) -> dict[str, float]:
    """The mean of each of JUDGED, NaN without a step; what comes next is counted anew."""
    steps = self._sums['steps']
    means = {name: self._sums[name] / steps if steps else math.nan for name in JUDGED}
    self._sums = dict.fromkeys(self._sums, 0.0)
    return means

  def untold(self) -> dict[str, float]:
    """What a checkpoint must hold of the steps since; nothing where there are none."""
    return {UNTOLD + name: value for name, value in self._sums.items()} if (
        self._sums['steps']) else {}


class MetricsLog:
  """Rows of `metrics.jsonl`, and the same numbers to every sink that the config asks for.

  A sink that cannot be written costs a warning, not the run; rows that cannot, as on a full disk,
  are kept back until they can. A run that goes on from a step drops the rows beyond it: no step
  stands twice. Of several processes the first writes.

  Args:
    workdir: of the run.
    start_step: that the run goes on from.
    config: the whole config; `runtime` names the sinks.

  Raises:
    UserError: a sink cannot be had at all, as `wandb_run.check` tells.
  """

  def __init__(self, workdir, start_step: int, config):
    self._path = workdir / 'metrics.jsonl'
    self._sinks, self._kept_back = {}, []
    if not processes.is_first():
      return
    records.drop_rows_after(self._path, start_step)
    for name, wanted, sink in (
        ('TensorBoard', config.runtime.tensorboard, TensorBoard),
        ('Weights & Biases', config.runtime.wandb, wandb_run.WandbRun)):
      if wanted:
        self._try(name, lambda name=name, sink=sink: self._sinks.update(
            {name: sink(config, workdir, start_step)}))

  def has(self, step: int, key: str) -> bool:
    """True when a row of this step holds the key; the same on every process, which all ask."""
    return processes.agree(lambda: any(row.get('step') == step and key in row
                                       for row in read_metrics(self._path.parent)))

  def write(self, step: int, metrics: dict[str, float]) -> None:
    """Args: metrics: 'split/name' -> number."""
    if not processes.is_first():
      return
    self._kept_back.append({'step': step, 'time': time.time(), **metrics})
    self._append()
    for name, sink in list(self._sinks.items()):
      self._try(name, lambda sink=sink: sink.write(step, metrics))

  def close(self) -> None:
    """Flushes the sinks."""
    self._append()
    for name, sink in list(self._sinks.items()):
      self._try(name, sink.close)

  def _append(self):
    try:
      records.append_jsonl(self._path, self._kept_back)
      self._kept_back = []
    except OSError as error:
      if len(self._kept_back) == 1:                           # the first of them
        _log.warning('%s cannot be written (%s); its rows are kept back until it can', self._path,
                     error.strerror)

  def _try(self, name, action):
    try:
      action()
    except UserError:
      raise
    except Exception as error:                                # noqa: BLE001
      _log.warning('%s gets no more figures of this run: %s', name, error)
      self._sinks.pop(name, None)


class TensorBoard:
  """Events for TensorBoard, in `<workdir>/tensorboard`. Args: as those of `MetricsLog`.

  Those of a store are written here, and copied there now and then and at the end.
  """

  def __init__(self, config, workdir, start_step: int):
    from tensorboardX import SummaryWriter
    del config
    self._folder, self._sent_at = workdir / 'tensorboard', time.monotonic()
    self._scratch = (tempfile.TemporaryDirectory(prefix='oko-tensorboard-')
                     if remote.is_remote(workdir) else None)
    where = self._scratch.name if self._scratch else str(self._folder)
    self._writer = SummaryWriter(where, purge_step=start_step + 1)

  def write(self, step: int, metrics: dict[str, float]) -> None:
    """Args: as those of `MetricsLog.write`."""
    for key, value in metrics.items():
      self._writer.add_scalar(key, value, step)
    if self._scratch and time.monotonic() - self._sent_at > SEND_SEC:
      self._writer.flush()
      self._send()

  def close(self) -> None:
    """Flushes the events."""
    self._writer.close()
    if self._scratch:
      self._send()
      self._scratch.cleanup()

  def _send(self):
    for path in pathlib.Path(self._scratch.name).iterdir():
      records.copy_file(path, self._folder / path.name)
    self._sent_at = time.monotonic()
