"""A run that hangs ends, says where, and one that goes on is left alone."""

import os
import pathlib
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import pytest

from train_lib import watchdog
from train_lib.watchdog import EXIT_STUCK, Watchdog

ROOT = pathlib.Path(__file__).parent.parent
FOREVER_SEC = 600.0
HANGS = {
    'asleep': 'time.sleep(600)',
    'in a loop': 'while True: pass',
    'at a lock': 'threading.Lock().acquire() and held.acquire()',
    'behind a thread': 'thread = threading.Thread(target=time.sleep, args=(600,))\n'
                       '  thread.start()\n'
                       '  thread.join()',
}


def hang(folder, body, stuck_sec=0.5):
  """Runs a program that hangs under a watchdog; returns (code, stderr)."""
  code = ('import ctypes, sys, threading, time\n'
          'from etils import epath\n'
          'from train_lib.watchdog import Watchdog\n'
          'held = threading.Lock()\n'
          'held.acquire()\n'
          'def hang_here():\n'
          f'  {body}\n'
          f'with Watchdog(epath.Path(sys.argv[1]), {stuck_sec}) as watchdog:\n'
          '  watchdog.beat("step 12")\n'
          '  hang_here()\n')
  ended = subprocess.run([sys.executable, '-c', code, str(folder)], cwd=ROOT, timeout=60,
                         stderr=subprocess.PIPE, text=True)
  return ended.returncode, ended.stderr


class Told(Watchdog):
  """Tells in place of ending the process."""

  def __init__(self, folder, stuck_sec):
    super().__init__(folder, stuck_sec)
    self.ended = threading.Event()

  def _end(self):
    self.ended.set()
    self._idle_sec = 0.0


@pytest.mark.parametrize('body', HANGS.values(), ids=HANGS)
def test_a_run_that_hangs_ends_with_its_code_and_its_stacks(body, tmp_path):
  code, told = hang(tmp_path, body)
  assert code == EXIT_STUCK == 70
  assert 'hang_here' in told and 'since step 12' in told and 'runtime.stuck_sec' in told
  path, = tmp_path.iterdir()
  assert path.name.startswith(f'stuck-{os.uname().nodename}-') and str(path) in told
  assert 'since step 12' in path.read_text() and 'hang_here' in path.read_text()


def test_a_run_that_holds_up_python_itself_ends_too(tmp_path):
  code, told = hang(tmp_path, 'ctypes.PyDLL(None).sleep(600)', stuck_sec=0.3)
  assert code == 1 and 'hang_here' in told


def test_a_run_whose_folder_is_gone_ends_all_the_same(tmp_path):
  (tmp_path / 'file').write_text('no folder')
  code, told = hang(tmp_path / 'file', HANGS['asleep'])
  assert code == EXIT_STUCK and 'hang_here' in told


def test_beats_and_polls_keep_a_run_alive(tmp_path):
  calls = []
  with Told(tmp_path, 0.5) as one:
    poll = one.beating(lambda: calls.append(1))
    for beat in (one.beat, poll):
      until = time.monotonic() + 1.5
      while time.monotonic() < until:
        beat()
        time.sleep(0.01)
    assert not one.ended.is_set() and calls
    assert one.ended.wait(FOREVER_SEC)


def test_what_is_allowed_longer_is_left_alone_until_it_is_over(tmp_path):
  with Told(tmp_path, 0.2) as one:
    with one.allow(FOREVER_SEC):
      assert not one.ended.wait(1.0)
    assert one.ended.wait(FOREVER_SEC)


def test_less_than_the_usual_time_cannot_be_allowed(tmp_path):
  with Told(tmp_path, FOREVER_SEC) as one, one.allow(0.05):
    assert not one.ended.wait(0.5)


def test_a_compilation_is_left_alone(tmp_path, monkeypatch):
  monkeypatch.setattr(watchdog, 'COMPILER', os.path.basename(__file__))
  with Told(tmp_path, 0.2) as one:
    assert not one.ended.wait(1.0)                    # this very file stands for the compiler
    monkeypatch.setattr(watchdog, 'COMPILE_SEC', 0.3)
    assert one.ended.wait(FOREVER_SEC)


@pytest.mark.parametrize('aside', [False, True], ids=['by the run', 'by a thread beside it'])
def test_the_compiler_of_this_jax_is_recognised(aside):
  seen, done = [], threading.Event()

  def look():
    while not done.wait(0.0005):
      seen.append(watchdog._compiling())

  def slow(x):
    for number in range(200):
      x = jnp.sin(x @ x + number + time.time())         # of no cache
    return x

  thread = threading.Thread(target=look)
  thread.start()
  compiler = threading.Thread(
      target=lambda: jax.jit(slow)(jnp.ones((8, 8))).block_until_ready())
  if aside:
    compiler.start()
    compiler.join()
  else:
    compiler.run()
  done.set()
  thread.join()
  assert True in seen and not watchdog._compiling()


def test_time_in_which_the_process_stood_still_is_not_counted(tmp_path, monkeypatch):
  now = [time.monotonic()]

  def jump():
    now[0] += 1000
    return now[0]

  with Told(tmp_path, 0.8) as one:
    monkeypatch.setattr(watchdog.time, 'monotonic', jump)
    for _ in range(50):
      one.beat()
      time.sleep(0.02)
    monkeypatch.undo()
    assert not one.ended.is_set() and now[0] > 1000


def test_without_a_limit_nothing_is_watched(tmp_path):
  before = threading.active_count()
  with Watchdog(tmp_path, 0) as one:
    one.beat()
    assert threading.active_count() == before
