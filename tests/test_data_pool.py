import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from data.pool import WorkerError, WorkerLost, run_ahead
from errors import UserError

ROOT = Path(__file__).parent.parent


class Faulty:
  """number -> (number, process id), but for one number at which something happens."""

  def __init__(self, at=-1, what=''):
    self.at, self.what = at, what

  def __call__(self, number):
    if number == self.at:
      if self.what == 'sleep':
        time.sleep(60)
      elif self.what == 'exit':
        os._exit(0)
      elif self.what == 'user':
        raise UserError('mend it')
      elif self.what == 'bug':
        raise KeyError('not there')
      else:
        os.kill(os.getpid(), getattr(signal, self.what))
    return number, os.getpid()


class Arrays:
  """number -> arrays of all sorts, one of them more than a pipe holds; or soon nothing any more."""

  def __init__(self, dies=False):
    self.dies = dies

  def __call__(self, number):
    if self.dies:
      threading.Timer(0.5, os._exit, (3,)).start()
    large = np.arange(3_000_000, dtype=np.int32) + number
    return {'large': large, 'part': large[:90:3], 'turned': np.asfortranarray(np.eye(3)),
            'none': np.zeros((0, 4), np.float32), 'number': np.float32(number), 'id': ['a', 'b']}


def run(function, numbers=range(8), *, workers=2, processes=True, deadline_sec=30.0):
  return run_ahead(function, numbers, workers=workers, processes=processes,
                   deadline_sec=deadline_sec)


def is_alive(pid):
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return False
  # A dead child that its parent has not asked about is still listed, as a zombie.
  return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'


def wait_for(condition, seconds):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline, 'it did not happen in time'
    time.sleep(0.05)


@pytest.mark.parametrize('workers, processes', [(0, False), (1, False), (3, False), (2, True)])
@pytest.mark.parametrize('numbers', [range(0), range(1), range(5, 16)])
def test_results_come_in_order(workers, processes, numbers):
  results = run(Faulty(), numbers, workers=workers, processes=processes)
  assert [number for number, _ in results] == list(numbers)


def test_processes_share_the_work_and_are_gone_afterwards():
  pids = {pid for _, pid in run(Faulty())}
  assert len(pids) == 2 and os.getpid() not in pids
  assert not any(is_alive(pid) for pid in pids)


def test_processes_are_gone_when_the_caller_stops_early():
  results = run(Faulty(), range(1000))
  pids = {next(results)[1], next(results)[1]}
  results.close()
  assert not any(is_alive(pid) for pid in pids)


def test_arrays_of_processes_are_equal_and_nobody_elses():
  results = list(run(Arrays(), range(3)))
  for number, result in enumerate(results):
    for key, wanted in Arrays()(number).items():
      np.testing.assert_array_equal(result[key], wanted)
    assert result['large'].flags.writeable
    result['large'][:] = -1                     # and with it nothing of the others


def test_a_worker_that_dies_within_an_answer_is_named():
  results = run(Arrays(dies=True), range(1000), workers=1)
  next(results)
  time.sleep(1.5)                               # nobody takes what stands in the pipe meanwhile
  with pytest.raises(WorkerLost, match='ended with code 3'):
    list(results)


def test_threads_stop_when_the_caller_stops_early():
  results = run(Faulty(), range(10**6), processes=False)
  next(results)
  results.close()
  wait_for(lambda: not any(t.name.startswith('loader') for t in threading.enumerate()), 5)


@pytest.mark.parametrize('what, kind, words', [
    ('SIGKILL', WorkerLost, r'loader worker 1 \(process \d+\) was killed by SIGKILL'),
    ('exit', WorkerLost, r'loader worker 1 \(process \d+\) ended with code 0'),
    ('bug', WorkerError, r"(?s)loader worker 1 \(process \d+\) failed: .*KeyError: 'not there'")])
def test_a_worker_that_fails_is_named_within_seconds(what, kind, words):
  started = time.monotonic()
  with pytest.raises(kind, match=words):
    list(run(Faulty(5, what)))
  assert time.monotonic() - started < 5


def test_a_dead_worker_is_noticed_while_another_is_waited_for():
  results = run(SleepThenAnswer(), range(4))
  pid = next(results)[1]
  started = time.monotonic()
  os.kill(pid, signal.SIGKILL)
  with pytest.raises(WorkerLost, match='loader worker 0 .* was killed by SIGKILL'):
    list(results)
  assert time.monotonic() - started < 5


class SleepThenAnswer:
  """The first answer comes at once, the others never."""

  def __call__(self, number):
    if number:
      time.sleep(60)
    return number, os.getpid()


@pytest.mark.parametrize('what', ['SIGSTOP', 'sleep'])
def test_a_stuck_worker_is_named_at_the_deadline(what):
  started = time.monotonic()
  with pytest.raises(WorkerLost, match=r'loader worker 1 .* not finished its batch within 3 s'):
    list(run(Faulty(3, what), deadline_sec=3.0))
  assert time.monotonic() - started < 15


def test_a_stuck_thread_is_reported_at_the_deadline():
  release = threading.Event()
  with pytest.raises(WorkerLost, match=r'within 0\.2 s'):
    list(run(lambda number: release.wait(), processes=False, deadline_sec=0.2))
  release.set()


@pytest.mark.parametrize('processes', [False, True])
def test_a_persons_mistake_keeps_its_kind(processes):
  with pytest.raises(UserError, match='^mend it$'):
    list(run(Faulty(3, 'user'), processes=processes))


def test_a_bug_in_a_thread_keeps_its_kind():
  with pytest.raises(KeyError, match='not there'):
    list(run(Faulty(3, 'bug'), processes=False))


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT'])
def test_workers_ignore_the_signals_that_stop_a_run(name):
  assert [number for number, _ in run(Faulty(3, name))] == list(range(8))


PARENT = """
import sys, time
from data.pool import run_ahead
from tests.test_data_pool import Faulty
results = run_ahead(Faulty(2, 'sleep'), range(100), workers=2, processes=True, deadline_sec=60)
print(next(results)[1], next(results)[1], flush=True)
time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed():
  parent = subprocess.Popen([sys.executable, '-c', PARENT], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, env={**os.environ, 'PYTHONPATH': str(ROOT)})
  try:
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(set(pids)) == 2 and all(is_alive(pid) for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in pids), 5)
  finally:
    parent.kill()
    parent.stdout.close()


ENDS_AMID_WORK = """
import sys
import cv2, numpy as np
from data.pool import run_ahead
picture = np.zeros((300, 300, 3), np.float32)
def work(number):
  for _ in range(number and 1000):
    cv2.blur(picture, (9, 9))
results = run_ahead(work, range(9), workers=2, processes=False, deadline_sec=60)
next(results)
sys.exit(3)
"""


def test_the_program_ends_with_its_own_code_while_threads_are_inside_of_opencv():
  code = subprocess.run([sys.executable, '-c', ENDS_AMID_WORK], cwd=ROOT,
                        timeout=60).returncode
  assert code == 3
