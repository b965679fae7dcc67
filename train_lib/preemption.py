"""Signals: the first asks the run to save and stop, the second stops it at once.

In a group of processes the signal may come to any of them. They ask together, at places where each
has come equally often (`Meetings`), and JAX's coordinator lets all of them stop at the same one.
"""

import contextlib
import os
import signal
import threading
import time

from train_lib import signals
from train_lib.multihost import distributed
from train_lib.signals import EXIT_PREEMPTED, SAME_REQUEST_SEC


class Preempted(SystemExit):
  """Raised where a run stops because it was asked to; leaves the program with code 75.

  A SystemExit, so that `except Exception` lets it pass and an uncaught one gives the exit code.
  """

  def __init__(self):
    super().__init__(EXIT_PREEMPTED)

  def __str__(self):
    return 'stopped as asked; the same command goes on'


class Meetings:
  """The places where all processes of a group ask whether to stop, counted alike on each.

  Attributes:
    count: how often this process has asked.
    agreed: whether all are to stop.
    is_alone: whether the others wait for this process.
  """

  def __init__(self):
    self.count, self.agreed, self.is_alone = 0, False, False

  def ask(self) -> bool:
    """True when all processes stop here; every one of them asks as often as the others."""
    if not self.agreed:
      from jax.experimental import multihost_utils
      self.count += 1
      self.agreed = multihost_utils.reached_preemption_sync_point(self.count)
      if self.agreed:
        distributed.part_together()
    return self.agreed

  def ask_alone(self) -> bool:
    """`ask`, where the others wait for this process; elsewhere only what is known already."""
    return self.ask() if self.is_alone else self.agreed

  @contextlib.contextmanager
  def alone(self):
    """A context in which the others wait, and take over the count afterwards."""
    before, self.is_alone = self.is_alone, True
    try:
      yield
    finally:
      self.is_alone = before


MEETINGS = Meetings()


class Preemption:
  """Context manager that turns SIGTERM and SIGINT into a flag.

  Enter it after `distributed.join`: JAX has a handler for SIGTERM of its own, in C, that tells the
  other processes. It is called for the first signal, whichever that is, and put back at the end.
  Outside the main thread nothing is installed, and `requested` stays false.

  Args: place: where a run stops, for the sentence that answers the first signal.
  """

  def __init__(self, place: str = 'at the next safe place'):
    self._place = place
    self._requested, self._first = False, None
    self._listener = self._tell_group = None

  @property
  def requested(self) -> bool:
    """True once a signal has come; in a group, once all have agreed to stop."""
    return self._requested if distributed.size() == 1 else MEETINGS.agreed

  def check(self) -> None:
    """Raises Preempted when a signal has come; for phases that have nothing to save.

    In a group only where the other processes wait for this one (`processes.agree`): elsewhere not
    all of them may come by as often, and the next `check_together` stops them.
    """
    if self._requested if distributed.size() == 1 else MEETINGS.ask_alone():
      _stop()

  def should_stop(self) -> bool:
    """True when the run is to stop here, such as after a step; the same answer on every process.

    In a group all processes must ask, each as often as the others: they agree on the place.
    """
    return self._requested if distributed.size() == 1 else MEETINGS.ask()

  def check_together(self) -> None:
    """Raises Preempted where `should_stop` says so, on every process."""
    if self.should_stop():
      _stop()

  def __enter__(self):
    if self._listener is not None:
      raise RuntimeError('this Preemption is already active')
    if threading.current_thread() is not threading.main_thread():
      return self
    self._first = None
    if distributed.size() > 1:
      self._tell_group = signals.c_handler(signal.SIGTERM)
    self._listener = signals.Listener(signals.STOPS, self._hear)
    _ACTIVE.append(self)
    return self

  def __exit__(self, *_):
    if self._listener is None:
      return
    _ACTIVE.remove(self)
    signals.job_ended()
    self._listener.close()
    self._listener = None
    if self._tell_group:
      signals.set_c_handler(signal.SIGTERM, self._tell_group)

  def _hear(self, number):
    now = time.monotonic()
    if self._first is None:
      self._first, self._requested = now, True
      if self._tell_group:
        signals.raise_with(signal.SIGTERM, self._tell_group)
      signals.say(f'stopping {self._place}; again to stop at once')
    elif now - self._first > SAME_REQUEST_SEC:
      signals.say('stopped at once')
      os._exit(128 + number)


def _stop():
  signals.say(str(Preempted()))
  raise Preempted


_ACTIVE = []


def check_active() -> None:
  """`check` of the `Preemption` that is active; nothing where none is."""
  for preemption in _ACTIVE:
    preemption.check()
