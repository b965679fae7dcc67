"""Signals, heard by a thread whatever the program is doing; the end of one that has not begun.

Light to import: main.py does so before everything else.
"""

import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence

from train_lib.multihost import distributed

EXIT_PREEMPTED = 75  # EX_TEMPFAIL: stopped as asked; the same command goes on
STOPS = (signal.SIGTERM, signal.SIGINT)

# One request may arrive as several signals: a launcher that signals both the process and its group
# (coreutils `timeout`, SLURM) must not count as a person who has lost patience.
SAME_REQUEST_SEC = 0.3

_listeners = []                   # the newest hears every signal
_masks = []                       # of signals, while a process forks


class Listener:
  """From here until `close` a thread hears signals, and nothing else is done about them.

  It reads them from a pipe, because Python runs its own handlers only between two bytecodes of the
  main thread: a Ctrl-C in the middle of a long compilation would otherwise wait for its end. While
  one listener takes over from another no signal is lost: the newest hears them all. The thread
  itself takes none, so that one which `hold` keeps waits for the program that comes next.

  Args:
    signals: their numbers.
    hear: called with the number of each, in the thread.
  """

  def __init__(self, signals: Sequence[int], hear: Callable[[int], None]):
    self.signals, self.hear = tuple(signals), hear
    self._reader, self._writer = socket.socketpair()
    self._writer.setblocking(False)
    self._thread = threading.Thread(target=self._listen, name='signals', daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)   # a thread inherits the mask
    self._thread.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    _listeners.append(self)
    self._fd_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
    self._handlers_before = {number: signal.signal(number, _leave_to_thread)
                             for number in self.signals}

  def close(self) -> None:
    """Gives the signals back to whom they belonged."""
    _listeners.remove(self)
    signal.set_wakeup_fd(self._fd_before)
    for number, handler in self._handlers_before.items():
      signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    self._writer.close()          # ends the thread
    self._thread.join()
    self._reader.close()

  def _listen(self):
    while numbers := self._reader.recv(64):
      for number in numbers:
        for newest in _listeners[-1:]:
          if number in newest.signals:
            newest.hear(number)


def _leave_to_thread(number, frame):
  del number, frame


class _Early:
  """What SIGTERM and SIGINT do until a job looks after them itself."""

  def __init__(self):
    self._passed_on = None

  def hear(self, number):
    if signal.getsignal(number) is not _leave_to_thread:
      return                      # a server's or a launcher's: Python calls its own handler
    if _job['ended']:
      _end('stopped at once', 128 + number)
    if number == signal.SIGTERM or not distributed.stops_together():
      _end('oko: stopped before anything began; the same command starts it', EXIT_PREEMPTED)
    self._pass_on(number)

  def _pass_on(self, number):
    """In a group that has met, JAX lets all stop together; it hears of SIGTERM alone."""
    now = time.monotonic()
    if self._passed_on is None:
      self._passed_on = now
      say('stopping where all processes meet; again to stop at once')
      os.kill(os.getpid(), signal.SIGTERM)
    elif now - self._passed_on > SAME_REQUEST_SEC:
      _end('stopped at once', 128 + number)


_job = {'ended': False}


def stop_early() -> None:
  """From now on SIGTERM and SIGINT end the program with 75 and a sentence, also inside C code.

  Until a job or a launcher has handlers of its own; after the job a signal ends the program at
  once, with 128 + its number. Signals that `held` or `hold` kept for this program are heard now.
  """
  Listener(STOPS, _Early().hear)
  signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def job_ended() -> None:
  """Notes that something was done, which the sentence of `stop_early` would deny."""
  _job['ended'] = True


def hold() -> None:
  """Keeps signals for the program that this one is about to become, if both call `stop_early`."""
  if _listeners:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


@contextlib.contextmanager
def held():
  """A context in which processes are started that call `stop_early`: they miss no signal."""
  before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def say(line: str) -> None:
  """Writes a line to stderr, from any thread; no error where nobody reads it any more."""
  try:
    os.write(2, f'{line}\n'.encode())
  except OSError:
    pass


def _end(line, code):
  say(line)
  os._exit(code)


# Handlers in C, of which Python knows nothing: JAX has one for SIGTERM


def c_handler(number: int) -> int | None:
  """The address of a signal's handler; None where it has none."""
  action = (ctypes.c_void_p * 64)()             # struct sigaction, which begins with the handler
  ctypes.CDLL(None).sigaction(number, None, action)
  return action[0]


def set_c_handler(number: int, address: int | None) -> int | None:
  """Sets a handler by its address; returns that of the one before."""
  function = ctypes.CDLL(None).signal
  function.restype, function.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
  return function(number, address)


def raise_with(number: int, address: int) -> None:
  """Lets a handler see a signal, in this thread, and puts the one of before back."""
  before = set_c_handler(number, address)
  mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
  signal.raise_signal(number)
  signal.pthread_sigmask(signal.SIG_SETMASK, mask)
  set_c_handler(number, before)


def _before_fork():
  if _listeners:
    _masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))


def _in_parent():
  if _masks:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _in_child():
  # The child shares the pipe: a signal that it gets must not look like one of the parent's.
  if _masks:
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
