"""Signals: the first asks the run to save and stop, the second stops it at once.

In a group of processes the signal may come to any of them. They ask together, at places where each
has come equally often (`Meetings`), and JAX's coordinator lets all of them stop at the same one.
"""

import contextlib
import ctypes
import os
import signal
import socket
import threading
import time

from train_lib import distributed

EXIT_PREEMPTED = 75  # EX_TEMPFAIL: stopped early with everything saved; the same command goes on

# One request may arrive as several signals: a launcher that signals both the process and its group
# (coreutils `timeout`, SLURM) must not count as a person who has lost patience.
SAME_REQUEST_SEC = 0.3


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

  A thread reads the signals from a pipe, because Python runs its own handlers only between two
  bytecodes of the main thread: a second Ctrl-C in the middle of a long compilation would otherwise
  wait for its end.

  Enter it after `distributed.join`: JAX has a handler for SIGTERM of its own, in C, that tells the
  other processes. It is called for the first signal, whichever that is, and put back at the end.
  Outside the main thread nothing is installed, and `requested` stays false.
  """

  def __init__(self, signals=(signal.SIGTERM, signal.SIGINT)):
    self._signals = tuple(signals)
    self._requested = False
    self._old_handlers = {}
    self._old_wakeup_fd = -1
    self._reader = self._writer = self._thread = None
    self._tell_group = None

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
      raise Preempted

  def should_stop(self) -> bool:
    """True when the run is to stop here, such as after a step; the same answer on every process.

    In a group all processes must ask, each as often as the others: they agree on the place.
    """
    return self._requested if distributed.size() == 1 else MEETINGS.ask()

  def check_together(self) -> None:
    """Raises Preempted where `should_stop` says so, on every process."""
    if self.should_stop():
      raise Preempted

  def __enter__(self):
    if self._reader is not None:
      raise RuntimeError('this Preemption is already active')
    if threading.current_thread() is not threading.main_thread():
      return self
    self._reader, self._writer = socket.socketpair()
    self._writer.setblocking(False)
    self._thread = threading.Thread(
      target=self._listen, args=(self._reader,), name='preemption', daemon=True)
    self._thread.start()
    if distributed.size() > 1:
      self._tell_group = _take_handler(signal.SIGTERM)
    for signum in self._signals:
      self._old_handlers[signum] = signal.signal(signum, self._on_signal)
    self._old_wakeup_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
    _ACTIVE.add(self)
    return self

  def __exit__(self, *_):
    if self._reader is None:
      return
    _ACTIVE.discard(self)
    signal.set_wakeup_fd(self._old_wakeup_fd)
    for signum, handler in self._old_handlers.items():
      signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
    self._old_handlers = {}
    if self._tell_group:
      _set_handler(signal.SIGTERM, self._tell_group)
    self._writer.close()  # ends the thread
    self._thread.join()
    self._reader.close()
    self._reader = self._writer = self._thread = None

  def _on_signal(self, signum, frame):
    del signum, frame
    self._requested = True

  def _listen(self, reader):
    first = None
    while signums := reader.recv(64):
      now = time.monotonic()
      for signum in signums:
        if signum not in self._signals:
          continue
        if first is None:
          first = now
          self._requested = True
          if self._tell_group:
            _raise_with(self._tell_group)
          _say('stopping after this step; again to stop at once')
        elif now - first > SAME_REQUEST_SEC:
          _say('stopped at once')
          os._exit(128 + signum)


def _libc_signal():
  function = ctypes.CDLL(None).signal
  function.restype, function.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
  return function


def _take_handler(signum):
  """Address of the handler in C, which is taken off; None where there is none."""
  return _libc_signal()(signum, None)


def _set_handler(signum, address):
  """Sets a handler in C, of which Python knows nothing; returns the address of the one before."""
  return _libc_signal()(signum, address)


def _raise_with(address):
  """Lets JAX's handler of SIGTERM see one, in this thread, and puts ours back."""
  before = _set_handler(signal.SIGTERM, address)
  signal.raise_signal(signal.SIGTERM)
  _set_handler(signal.SIGTERM, before)


_ACTIVE = set()
_MASKS = []  # of signals, while a process forks


def _say(line):
  try:
    os.write(2, f'{line}\n'.encode())
  except OSError:
    pass  # nobody reads stderr any more


def _before_fork():
  if _ACTIVE:
    _MASKS.append(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))


def _in_parent():
  if _MASKS:
    signal.pthread_sigmask(signal.SIG_SETMASK, _MASKS.pop())


def _in_child():
  # The child shares the pipe: a signal that it gets must not look like one of the parent's.
  if _MASKS:
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, _MASKS.pop())


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
