"""What the tests of both drawn datasets ask: nothing is left half drawn by what ends a drawing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from data import SOURCES, crew
from data.prepared import remove_half_drawn
from tests.faults.runs import is_alive

KILLED = """
import json, multiprocessing, os, signal, sys, types
from data import SOURCES
name, values = sys.argv[1], json.loads(sys.argv[2])
calls = 0
def poll():
  global calls
  calls += 1
  if calls == 6:
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    assert 'tensorflow' not in sys.modules
    os.kill(os.getpid(), signal.SIGKILL)
SOURCES[name](types.SimpleNamespace(**values), 'train', poll)
"""

needs_proc = pytest.mark.skipif(not os.path.exists('/proc/self/stat'), reason='needs /proc')


def check_interrupted(name, settings, folder):
  """A drawing that is interrupted leaves nothing; the next one is whole, and drawn once.

  Args: name: of the dataset; settings: of 40 training pictures; folder: of the prepared dataset.
  """
  def interrupt():
    raise KeyboardInterrupt

  def refuse():
    raise AssertionError('drawn again')

  with pytest.raises(KeyboardInterrupt):
    SOURCES[name](settings, 'train', interrupt)
  assert not list(folder.rglob('dataset_info.json'))
  assert len(SOURCES[name](settings, 'train')) == 40
  assert list(folder.rglob('dataset_info.json'))
  assert SOURCES[name](settings, 'train', refuse)[39]['id'] == 'train_0000039'


def check_killed(name, settings, folder):
  """A drawing that is killed leaves no dataset and no processes, and what it leaves is removed.

  Args: name: of the dataset; settings: whose data.dir is folder, of seed 0 and many pictures.
  """
  done = subprocess.run([sys.executable, '-c', KILLED, name, json.dumps(vars(settings))],
                        capture_output=True, text=True, timeout=60)
  assert done.returncode == -signal.SIGKILL, done.stderr
  assert not list(folder.rglob('dataset_info.json'))
  workers = [int(word) for word in done.stdout.split()]
  deadline = time.monotonic() + 5
  while any(map(is_alive, workers)) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert not any(map(is_alive, workers))
  assert len(workers) == crew.count_cores() or crew.count_cores() == 1
  leftovers = list((folder / name).rglob('incomplete.*'))
  remove_half_drawn(next((folder / name).glob('*-seed0')))
  assert leftovers and not list((folder / name).rglob('incomplete.*'))
