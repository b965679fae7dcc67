"""Ends a run that makes no progress, with the stacks of all threads, whatever it hangs in.

A collective whose peer is gone, a loader, a file system: Python cannot interrupt them, and nothing
in JAX times out. The thread of a `Watchdog` looks on from the side. Compilation may take longer
than other things. Time in which the whole process stood still, as after Ctrl-Z, is not counted, but
for four times the limit: the alarm that needs no thread of Python goes off on waking then.
"""

import contextlib
import faulthandler
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable

from train_lib.multihost import distributed
from train_lib.storage import records

EXIT_STUCK = 70                   # EX_SOFTWARE: no progress; the same command goes on
COMPILE_SEC = 7200.0              # without a beat, while a program is compiled
TELL_SEC = 20.0                   # to write the stacks, to a disk or a pipe that may hang too
OTHERS_SEC = 10.0                 # for the others of a group to tell too: they fall with process 0
MOST_LOOK_SEC = 1.0               # between two looks
PATIENCE = 4                      # times the limit, where this thread itself cannot look any more
COMPILER = os.path.join('jax', '_src', 'compiler.py')  # of the frames below a compilation


class Watchdog:
  """Context manager: ends the process with code 70 when it is not told of progress in time.

  The stacks go to stderr and to `<folder>/stuck-<host>-<pid>.txt`. Where C code does not let other
  threads of Python run, they go to stderr alone, after four times the time, and the code is 1; so
  too on waking, where the process stood still for as long.

  Args:
    folder: of the run, local or remote.
    stuck_sec: longest time without progress; 0: nothing is watched.
  """

  def __init__(self, folder, stuck_sec: float):
    self._folder, self._stuck_sec = folder, stuck_sec
    self._allowed_sec = 0.0
    self._idle_sec, self._last = 0.0, 'the start'
    self._done = threading.Event()
    self._thread = None

  def __enter__(self):
    if self._stuck_sec > 0:
      _end_later(self._stuck_sec)
      self._thread = threading.Thread(target=self._look_on, name='watchdog', daemon=True)
      self._thread.start()
    return self

  def __exit__(self, *_):
    if self._thread is not None:
      self._done.set()
      self._thread.join()

  def beat(self, what: str = '') -> None:
    """There was progress. Args: what: where the run is now, for the message; '': as before."""
    self._idle_sec = 0.0
    self._last = what or self._last

  def beating(self, poll: Callable[[], None]) -> Callable[[], None]:
    """The same function, whose every call is a beat."""
    def call():
      self.beat()
      poll()
    return call

  @contextlib.contextmanager
  def allow(self, seconds: float):
    """A context in which so long without a beat is not too long, where more than `stuck_sec`."""
    before, self._allowed_sec = self._allowed_sec, seconds
    try:
      yield
    finally:
      self._allowed_sec = before
      self.beat()

  def _look_on(self):
    look_sec, before = min(MOST_LOOK_SEC, self._stuck_sec / 8), time.monotonic()
    try:
      while not self._done.wait(look_sec):
        now = time.monotonic()
        self._idle_sec += min(now - before, 2 * look_sec)   # the whole process may have stood still
        before = now
        limit_sec = max(self._stuck_sec, self._allowed_sec)
        if self._idle_sec > limit_sec and _compiling():
          limit_sec = max(limit_sec, COMPILE_SEC)
        if self._idle_sec > limit_sec:
          self._end()
        _end_later(limit_sec)
    finally:
      faulthandler.cancel_dump_traceback_later()

  def _end(self):
    path = self._folder / f'stuck-{socket.gethostname()}-{os.getpid()}.txt'
    what = f'no progress for {self._idle_sec:.0f} s since {self._last}'
    tellers = [threading.Thread(target=tell, args=(what, path), daemon=True)
               for tell in (_tell_person, _write_stacks)]
    for teller in tellers:
      teller.start()
    for teller in tellers:
      teller.join(TELL_SEC / len(tellers))
    if distributed.size() > 1 and distributed.index() == 0:
      time.sleep(OTHERS_SEC)
    os._exit(EXIT_STUCK)


def _end_later(limit_sec):
  """Ends the process from outside of Python, unless this is called again before."""
  faulthandler.dump_traceback_later(PATIENCE * limit_sec, exit=True, file=2)


def _tell_person(what, path):
  faulthandler.dump_traceback(file=2, all_threads=True)
  os.write(2, f'oko: {what}; the stacks are above and in {path}. The run ends with code '
              f'{EXIT_STUCK}, and the same command goes on from the newest checkpoint; if this is '
              'no fault, raise runtime.stuck_sec (0: never)\n'.encode())


def _write_stacks(what, path):
  with tempfile.TemporaryFile('w+') as file:
    file.write(f'{what}\n\n')
    file.flush()
    faulthandler.dump_traceback(file=file, all_threads=True)
    file.seek(0)
    records.write_text(path, file.read())


def _compiling() -> bool:
  """Whether a thread, whichever it is, is inside of the compiler now."""
  for frame in sys._current_frames().values():
    while frame is not None:
      if frame.f_code.co_filename.endswith(COMPILER):
        return True
      frame = frame.f_back
  return False
