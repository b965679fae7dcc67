"""The launcher of one machine: codes, signals, output, and no process that outlives the others."""

import json
import os
import pathlib
import signal
import sys
import threading
import time

import pytest

from errors import UserError
from train_lib.multihost import local_processes
from train_lib.preemption import EXIT_PREEMPTED

ROOT = pathlib.Path(__file__).parent.parent
# What each process does, in place of a run: it says its flags, and acts by its number.
SCRIPT = '''
import json, os, pathlib, signal, sys, time
sys.path.insert(0, os.environ['OKO_ROOT'])
from train_lib import signals
from train_lib.multihost import local_processes
signals.stop_early()
local_processes.follow_launcher()
flags = dict(argument[2:].split('=') for argument in sys.argv[2:])
number, folder = int(flags['process_id']), pathlib.Path(sys.argv[1])
print(json.dumps(flags), flush=True)
(folder / f'{number}.pid').write_text(str(os.getpid()))
def wait_for_all():
  while len(list(folder.glob('*.pid'))) < int(flags['num_processes']):
    time.sleep(0.01)
def ignore():
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
def saves():
  asked = []
  for one in (signal.SIGTERM, signal.SIGINT):
    signal.signal(one, lambda *_: asked.append(1))
  (folder / f'{number}.ready').touch()
  while not asked:
    time.sleep(0.01)
  sys.exit(75)
wait_for_all()
'''


@pytest.fixture
def launch(tmp_path, monkeypatch):
  """Runs a script as some processes; returns its exit code."""
  monkeypatch.setattr(local_processes, 'GRACE_SEC', 0.5)
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  monkeypatch.setenv('OKO_ROOT', str(ROOT))
  (tmp_path / 'seen').mkdir()

  def run(body, count=2, devices=0, workdir='run'):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT + body)
    return local_processes.run([str(script), str(tmp_path / 'seen')], count, devices,
                               str(tmp_path / workdir))
  return run


def pids(tmp_path):
  return [int(path.read_text()) for path in sorted((tmp_path / 'seen').glob('*.pid'))]


def are_gone(processes):
  return not any(pathlib.Path(f'/proc/{pid}').exists() for pid in processes)


def test_every_process_gets_its_place_in_the_group(launch, tmp_path, capfd):
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / 'run.json').write_text('{}')
  assert launch('', count=3, devices=2) == 0
  logs = tmp_path / 'run' / 'logs'
  flags = [json.loads(capfd.readouterr().out),
           *(json.loads((logs / f'process-{number}.txt').read_text()) for number in (1, 2))]
  assert [one['process_id'] for one in flags] == ['0', '1', '2']
  address, = {one['coordinator'] for one in flags}
  assert address.startswith('127.0.0.1:')
  assert {(one['num_processes'], one['processes']) for one in flags} == {('3', '0')}


def test_the_code_is_that_of_the_first_that_failed_and_the_others_do_not_outlive_it(
    launch, tmp_path, capfd):
  code = launch('''
if number == 1:
  print('no such picture')
  sys.exit(7)
ignore()
time.sleep(60)
''', count=3)
  assert code == 7
  assert len(pids(tmp_path)) == 3 and are_gone(pids(tmp_path))
  said = capfd.readouterr().err
  assert 'process 1 ended with code 7; the other 2 are given' in said
  assert '1| no such picture' in said
  assert 'not ended by now, and killed: process 0, 2' in said


def test_a_process_that_is_killed_gives_128_and_its_signal(launch, capfd):
  assert launch('if number == 0: os.kill(os.getpid(), signal.SIGKILL)\ntime.sleep(60)') == 137
  assert 'process 0 was ended by SIGKILL' in capfd.readouterr().err


@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_all_preempted_is_75(launch, tmp_path, signum):
  def send():
    while len(list((tmp_path / 'seen').glob('*.ready'))) < 2:
      time.sleep(0.01)
    os.kill(os.getpid(), signum)
  threading.Thread(target=send, daemon=True).start()
  before = signal.getsignal(signum)
  assert launch('saves()') == EXIT_PREEMPTED
  assert signal.getsignal(signum) == before


def test_a_folder_that_is_no_run_is_left_as_it_was(launch, tmp_path):
  (tmp_path / 'other').mkdir()
  (tmp_path / 'other' / 'mine.txt').touch()
  assert launch('sys.exit(2)', workdir='other') == 2
  assert os.listdir(tmp_path / 'other') == ['mine.txt']
  assert launch('sys.exit(2)', workdir='new') == 2
  assert not (tmp_path / 'new').exists()


@pytest.mark.skipif(sys.platform != 'linux', reason='asks Linux')
def test_processes_are_told_to_stop_when_the_launcher_is_killed(tmp_path):
  import subprocess
  (tmp_path / 'script.py').write_text(SCRIPT + 'saves()')
  (tmp_path / 'seen').mkdir()
  launcher = subprocess.Popen([sys.executable, '-c', (
      'import sys; from train_lib.multihost import local_processes as local; '
      f'local.run([{str(tmp_path / "script.py")!r}, {str(tmp_path / "seen")!r}], 2, 0, '
      f'{str(tmp_path / "run")!r})')], env={**os.environ, 'JAX_PLATFORMS': 'cpu',
                                              'OKO_ROOT': str(ROOT)},
      cwd=ROOT, stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL)
  try:
    while len(list((tmp_path / 'seen').glob('*.ready'))) < 2:
      assert launcher.poll() is None
      time.sleep(0.01)
  finally:
    launcher.kill()
    launcher.wait()
  end = time.monotonic() + 30
  while not are_gone(pids(tmp_path)):
    assert time.monotonic() < end
    time.sleep(0.05)


@pytest.mark.parametrize('devices, visible, count, shares', [
    (0, '0,1,2,3', 2, [[0, 1], [2, 3]]),
    (1, '0,1,2,3', 2, [[0], [1]]),
    (0, '', 2, []),
    (0, '-1', 2, []),                           # as CUDA is told that there are none
    (0, '0,1,-1,3', 2, [[0], [1]]),             # ... or none from there on
])
def test_gpus_are_dealt_out_evenly(monkeypatch, devices, visible, count, shares):
  monkeypatch.delenv('JAX_PLATFORMS', raising=False)
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
  assert local_processes._gpu_shares(count, devices) == shares


@pytest.mark.parametrize('platforms, shares', [
    ('', [[0], [1]]), ('gpu', [[0], [1]]), ('cuda,cpu', [[0], [1]]), ('cpu', [])])
def test_gpus_are_dealt_out_where_jax_would_take_them(monkeypatch, platforms, shares):
  monkeypatch.setenv('JAX_PLATFORMS', platforms)
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
  assert local_processes._gpu_shares(2, 0) == shares


def test_more_gpus_than_there_are_is_told(monkeypatch):
  monkeypatch.delenv('JAX_PLATFORMS', raising=False)
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
  with pytest.raises(UserError, match='3 processes with 1 GPUs each want more than the 2'):
    local_processes._gpu_shares(3, 0)


def test_no_process_at_all_is_refused(launch):
  with pytest.raises(UserError, match='--processes is -1'):
    launch('', count=-1)


def test_a_negative_number_of_devices_is_refused_before_anything_starts(launch, tmp_path):
  with pytest.raises(UserError, match='--devices_per_process is -1; it is the number of devices'):
    launch('', devices=-1)
  assert os.listdir(tmp_path / 'seen') == []


def test_a_signal_while_the_processes_begin_reaches_them_when_they_listen(launch, monkeypatch,
                                                                          capfd):
  popen, started = local_processes.subprocess.Popen, []

  def start(*arguments, **options):
    started.append(popen(*arguments, **options))
    os.kill(os.getpid(), signal.SIGTERM)        # none of them has read a line yet
    return started[-1]

  monkeypatch.setattr(local_processes.subprocess, 'Popen', start)
  assert launch('time.sleep(60)') == EXIT_PREEMPTED
  assert [process.returncode for process in started] == [EXIT_PREEMPTED] * 2
  assert 'stopped before anything began' in capfd.readouterr().err
