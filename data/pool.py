"""Runs a function over numbers a few steps ahead, in order: on threads or in processes.

A process is a fresh interpreter that imports the data room and nothing else. It ignores SIGTERM and
Ctrl-C, so that a run that is told to stop can still finish its step, and it ends with its parent,
however that ends.
"""

import atexit
import collections
import concurrent.futures
import multiprocessing.connection
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

import cv2
import numpy as np

from errors import UserError

_AHEAD = 2  # tasks that each worker has been given, the one in work among them
_LOOK_SEC = 0.5  # between two looks at whether all workers are alive
_LAST_SEC = 5.0  # that threads get for what they have begun, when the program ends
# A shell that ignores the two signals hands that down to the interpreter it turns into.
_COMMAND = ('/bin/sh', '-c', 'trap "" TERM INT; exec "$@"', 'sh', sys.executable, '-c',
            'import sys; sys.path[:] = sys.argv[3:]; from data import pool; '
            'pool.work(int(sys.argv[1]), int(sys.argv[2]))')


class WorkerError(RuntimeError):
  """A fault of the program in a worker; the message names it and holds the traceback."""


class WorkerLost(UserError):
  """A worker died or did not answer in time; the message names it."""


def run_ahead(function, numbers, *, workers: int, processes: bool, deadline_sec: float):
  """Yields function(number) for each number, in order.

  Args:
    function: pure; picklable where processes is true.
    numbers: a sequence of ints.
    workers: how many threads or processes; 0: none, the caller's thread does the work.
    processes: processes in place of threads.
    deadline_sec: longest wait for one result.

  Raises:
    WorkerLost: a process died, or a result took longer than deadline_sec.
    WorkerError: a process failed.
    Exception: what the function raised, from threads; from processes only UserError keeps its kind.
  """
  if workers == 0:
    yield from map(function, numbers)
  elif processes:
    yield from _run_processes(function, numbers, workers, deadline_sec)
  else:
    yield from _run_threads(function, numbers, workers, deadline_sec)


def _run_threads(function, numbers, workers, deadline_sec):
  """Daemon threads, so that one that is stuck cannot keep the program from ending."""
  cv2.setNumThreads(1)  # OpenCV's own threads would compete with these
  tasks, futures = queue.SimpleQueue(), collections.deque()

  def work():
    while (task := tasks.get()) is not None:
      future, number = task
      _BUSY.add(future)
      if _ENDING.is_set():
        future.cancel()
      if future.set_running_or_notify_cancel():
        try:
          future.set_result(function(number))
        except BaseException as error:
          future.set_exception(error)
      _BUSY.discard(future)

  for worker in range(workers):
    threading.Thread(target=work, name=f'loader {worker}', daemon=True).start()
  try:
    for number in numbers:
      futures.append(concurrent.futures.Future())
      tasks.put((futures[-1], number))
      if len(futures) > _AHEAD * workers:
        yield _wait(futures.popleft(), deadline_sec)
    while futures:
      yield _wait(futures.popleft(), deadline_sec)
  finally:
    for future in futures:
      future.cancel()
    for _ in range(workers):
      tasks.put(None)


_BUSY, _ENDING = set(), threading.Event()


@atexit.register
def _finish_begun():
  """A thread that comes back from C++ to an interpreter that is gone would abort the program."""
  _ENDING.set()
  concurrent.futures.wait(list(_BUSY), _LAST_SEC)


def _wait(future, deadline_sec):
  concurrent.futures.wait([future], deadline_sec)
  if not future.done():
    raise _late('a loader thread', deadline_sec)
  return future.result()


def _late(name, deadline_sec):
  return WorkerLost(f'{name} has not finished its batch within {deadline_sec:g} s '
                    '(runtime.loader_deadline_sec): storage that does not answer, or an operation '
                    'that does not end; the same command goes on.')


def _run_processes(function, numbers, workers, deadline_sec):
  """A thread receives the results, so that the pipes never stand full while the caller computes."""
  crew, results, stop = [], queue.Queue(_AHEAD), threading.Event()
  feeder = threading.Thread(target=_receive, args=(crew, function, numbers, results, stop),
                            name='loader feeder', daemon=True)
  try:
    crew.extend(_Worker(index) for index in range(workers))
    feeder.start()
    for i in range(len(numbers)):
      try:
        result = results.get(timeout=deadline_sec)
      except queue.Empty:
        raise _late(crew[i % workers].name, deadline_sec) from None
      if isinstance(result, Exception):
        raise result
      yield result
  finally:
    stop.set()
    for worker in crew:
      worker.process.kill()  # what it does is pure, and it may be stuck
      worker.process.wait()
    if feeder.is_alive():
      feeder.join()
    for worker in crew:
      worker.connection.close()


def _receive(crew, function, numbers, results, stop):
  """Number i goes to worker i % n, so the order of the results needs no book-keeping."""
  try:
    pickled = pickle.dumps(function)
    for worker in crew:
      worker.send(pickled)
    ahead = _AHEAD * len(crew)
    for i in range(-ahead, len(numbers)):
      worker = crew[i % len(crew)]
      result = worker.receive(crew, stop) if i >= 0 else None
      if i + ahead < len(numbers):
        worker.send(pickle.dumps(numbers[i + ahead]))
      if i >= 0:
        _put(results, result, stop)
  except Exception as error:
    _put(results, error, stop)


def _put(results, result, stop):
  while not stop.is_set():
    try:
      results.put(result, timeout=_LOOK_SEC)
      return
    except queue.Full:
      pass


class _Worker:
  """The parent's view of a worker process."""

  def __init__(self, index):
    here, there = socket.socketpair()
    with there:
      command = (*_COMMAND, str(there.fileno()), str(os.getpid()), *sys.path)
      self.process = subprocess.Popen(command, pass_fds=[there.fileno()],
                                      stdin=subprocess.DEVNULL)
    self.connection = multiprocessing.connection.Connection(here.detach())
    self.name = f'loader worker {index} (process {self.process.pid})'

  def send(self, message):
    try:
      self.connection.send_bytes(message)
    except OSError:
      raise self.obituary() from None

  def receive(self, crew, stop):
    """Waits for this worker's next result, looking after the others meanwhile."""
    while not self.connection.poll(_LOOK_SEC):
      for worker in crew:
        if worker.process.poll() is not None:
          raise worker.obituary()
      if stop.is_set():
        raise WorkerError('the loader was stopped')
    try:
      kind, answer = _take(self.connection)
    except (EOFError, OSError):
      raise self.obituary() from None
    if kind == 'UserError':
      raise UserError(answer)
    if kind == 'error':
      raise WorkerError(f'{self.name} failed: {answer}')
    return answer

  def obituary(self):
    """The error that tells how this worker ended."""
    code = self.process.wait(timeout=5)
    how = f'was killed by {signal.Signals(-code).name}' if code < 0 else f'ended with code {code}'
    return WorkerLost(f'{self.name} {how}; the same command goes on (where memory ran out, with '
                      'fewer of them: runtime.workers).')


def _give(connection, answer):
  """Sends an answer: what its arrays hold goes as it lies in memory, behind all else.

  `connection.send` would copy arrays twice at each end, which bounds how many pictures a second one
  process can be given.
  """
  buffers = []
  rest = pickle.dumps(answer, protocol=5, buffer_callback=buffers.append)
  parts = [buffer.raw() for buffer in buffers]
  connection.send_bytes(pickle.dumps((rest, [part.nbytes for part in parts])))
  for part in parts:
    while part.nbytes:
      part = part[os.write(connection.fileno(), part):]


def _take(connection):
  """Receives what `_give` sent; its arrays lie in memory that nobody else has."""
  rest, sizes = pickle.loads(connection.recv_bytes())
  return pickle.loads(rest, buffers=[_read(connection.fileno(), size) for size in sizes])


def _read(descriptor, size):
  part = np.empty(size, np.uint8)
  left = memoryview(part)
  while left.nbytes:
    count = os.readv(descriptor, [left])
    if not count:
      raise EOFError
    left = left[count:]
  return part


def work(descriptor: int, parent: int) -> None:
  """The life of a worker process: receives the function, then numbers, and answers each."""
  threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
  cv2.setNumThreads(1)
  connection = multiprocessing.connection.Connection(descriptor)
  try:
    function = pickle.loads(connection.recv_bytes())
    while True:
      number = connection.recv()
      try:
        answer = 'result', function(number)
      except UserError as error:
        answer = 'UserError', str(error)
      except Exception:
        answer = 'error', traceback.format_exc()
      _give(connection, answer)
  except (EOFError, OSError):  # the parent has closed its end, or is gone
    return


def _end_with(parent):
  while os.getppid() == parent:
    time.sleep(_LOOK_SEC)
  os._exit(1)
