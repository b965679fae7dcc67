"""The processes that draw: all cores, pictures in order, gone when the parent goes."""

import collections
import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading

CHUNK = 32  # pictures per errand
ALONE_BELOW = 256  # fewer pictures are drawn sooner than processes start
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def draw_all(draw, settings, split: str, count: int, poll=None):
  """Yields examples 0 .. count - 1 of a split in order.

  Args:
    draw: (settings, split, index) -> example, a function of a module.
    settings: what `draw` wants; must be picklable.
    split: 'train', 'valid' or 'test'.
    count: how many.
    poll: called every now and then in this process, at least once a second; what it raises ends
      the drawing.
  """
  chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
  if count < ALONE_BELOW or count_cores() == 1:
    results = (_draw_chunk(draw, settings, split, chunk) for chunk in chunks)
  else:
    results = _from_crew(draw, settings, split, chunks, poll)
  for examples in results:
    if poll:
      poll()
    yield from examples


def count_cores() -> int:
  """Cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _draw_chunk(draw, settings, split, chunk):
  return [draw(settings, split, index) for index in chunk]


def _from_crew(draw, settings, split, chunks, poll):
  """Results of the chunks in order, a bounded number of chunks ahead."""
  workers = min(count_cores(), len(chunks))
  crew = concurrent.futures.ProcessPoolExecutor(
      workers, mp_context=multiprocessing.get_context('spawn'), initializer=_start_worker)
  waiting = collections.deque()
  try:
    for chunk in chunks:
      with _signals_held():
        waiting.append(crew.submit(_draw_chunk, draw, settings, split, chunk))
      if len(waiting) > 3 * workers:
        yield _wait(waiting.popleft(), poll)
    while waiting:
      yield _wait(waiting.popleft(), poll)
  finally:
    crew.shutdown(wait=True, cancel_futures=True)


def _wait(future, poll):
  while not concurrent.futures.wait([future], timeout=0.5).done:
    if poll:
      poll()
  return future.result()


@contextlib.contextmanager
def _signals_held():
  """Processes started inside begin deaf; signals to this process come when it ends."""
  held = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _start_worker():
  """Signals are for the parent to answer; a worker leaves when its parent has gone."""
  import cv2
  for number in SIGNALS:
    signal.signal(number, signal.SIG_IGN)
  signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
  cv2.setNumThreads(1)
  threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent():
  multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
  os._exit(1)
