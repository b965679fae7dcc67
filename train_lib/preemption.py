"""Signals: the first asks the run to save and stop, the second stops it at once."""

import os
import signal
import socket
import threading
import time

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


class Preemption:
  """Context manager that turns SIGTERM and SIGINT into a flag.

  A thread reads the signals from a pipe, because Python runs its own handlers only between two
  bytecodes of the main thread: a second Ctrl-C in the middle of a long compilation would otherwise
  wait for its end.

  Enter it before `jax.distributed.initialize`, which then puts its own SIGTERM handler in front
  (`should_stop` asks that one); entered afterwards it would silence it. Outside the main thread it
  installs nothing, and `requested` stays false.
  """

  def __init__(self, signals=(signal.SIGTERM, signal.SIGINT)):
    self._signals = tuple(signals)
    self._requested = False
    self._old_handlers = {}
    self._old_wakeup_fd = -1
    self._reader = self._writer = self._thread = None

  @property
  def requested(self) -> bool:
    """True once a signal has come."""
    return self._requested

  def check(self) -> None:
    """Raises Preempted when a signal has come; for phases that have nothing to save."""
    if self._requested:
      raise Preempted

  def should_stop(self, step: int) -> bool:
    """True when the run is to save and stop after this step; the same answer on every host.

    With several processes every one of them must ask at every step, since they agree on the step at
    which all of them stop.
    """
    import jax

    if jax.process_count() == 1:
      return self._requested
    from jax.experimental import multihost_utils

    if multihost_utils.reached_preemption_sync_point(step):
      self._requested = True
      return True
    return False

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
          _say('stopping after this step; again to stop at once')
        elif now - first > SAME_REQUEST_SEC:
          _say('stopped at once')
          os._exit(128 + signum)


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
