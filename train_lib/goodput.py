"""What a run's time went into, summed over all its starts, in run.json.

A step counts as productive once a checkpoint that keeps it is finished: those that a kill, a
rollback or a failed save throws away are computed twice and counted once. A start that is killed is
known until its last save.
"""

import contextlib
import dataclasses
import logging
import time

from train_lib import workdir as workdir_lib
from train_lib.multihost import processes

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Cost:
  """What saving cost in one start, and how far it got.

  Attributes:
    newest: step of the newest checkpoint that was finished, or gone on from; -1: none.
    saves: checkpoints that were written.
    blocking_sec: time that training waited for them.
    background_sec: time that they took beside training.
  """
  newest: int = -1
  saves: int = 0
  blocking_sec: float = 0.0
  background_sec: float = 0.0

  @contextlib.contextmanager
  def blocking(self):
    """A context whose time is time that training waits."""
    started = time.monotonic()
    try:
      yield
    finally:
      self.blocking_sec += time.monotonic() - started


class Goodput:
  """The sections `goodput` and `checkpointing` of run.json; a context manager that writes them too.

  Args:
    workdir: of the run, with what earlier starts have written.
    cost: of this start's checkpoints; read whenever the sections are written.
    started: of `time.monotonic`, when this start began.
  """

  def __init__(self, workdir, cost: Cost, started: float):
    before = workdir_lib.read_run(workdir)
    self._workdir, self._cost, self._started = workdir, cost, started
    self._goodput, self._checkpointing = before.get('goodput', {}), before.get('checkpointing', {})
    self._kept_sec, self._kept_step = 0.0, cost.newest
    self._new = []                                      # (step, seconds) that no checkpoint keeps

  def __enter__(self):
    return self

  def __exit__(self, kind, *_):
    with contextlib.suppress(*(() if kind is None else (OSError,))):  # what is raised says more
      self.write()

  def add(self, step: int, seconds: float) -> None:
    """Time in the steps up to this one, since those that were added before."""
    self._new.append((step, seconds))

  def drop(self) -> None:
    """The run has gone back to its newest checkpoint: the steps since are thrown away."""
    self._keep()
    self._new.clear()

  def poll(self) -> None:
    """Brings run.json up to date where a checkpoint was finished since it was."""
    if self._kept_step == self._cost.newest:
      return
    try:
      self.write()
    except OSError as error:                            # a full disk; the next save may find room
      _log.warning('run.json is not up to date: %s', error.strerror)

  def _keep(self):
    self._kept_step = self._cost.newest
    self._kept_sec += sum(seconds for step, seconds in self._new if step <= self._kept_step)
    self._new = [(step, seconds) for step, seconds in self._new if step > self._kept_step]

  def write(self) -> None:
    """Brings run.json up to date; process 0 does."""
    if not processes.is_first():
      return
    self._keep()
    productive_sec = self._goodput.get('productive_sec', 0.0) + self._kept_sec
    total_sec = self._goodput.get('total_sec', 0.0) + time.monotonic() - self._started
    cost = {name: self._checkpointing.get(name, 0) + getattr(self._cost, name)
            for name in ('saves', 'blocking_sec', 'background_sec')}
    workdir_lib.update_run(
        self._workdir,
        goodput={'productive_sec': round(productive_sec, 2), 'total_sec': round(total_sec, 2),
                 'productive_frac': round(productive_sec / total_sec, 4)},
        checkpointing={name: round(value, 2) for name, value in cost.items()})
