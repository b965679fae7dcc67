import datetime
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from errors import UserError
from tests import fake_store
from tests.small_runs import make_state, open_checkpoints
from train_lib import workdir
from train_lib.preemption import Preempted, Preemption
from train_lib.storage import lock as lock_lib
from train_lib.storage import lock_holder, records, remote
from train_lib.storage.checkpoints import SaveError
from train_lib.storage.lock import Lock


def test_a_second_run_is_refused_with_host_pid_and_age(tmp_path):
  with Lock(tmp_path):
    with pytest.raises(UserError) as refusal:
      Lock(tmp_path)
    assert f'process {os.getpid()} on {socket.gethostname()}, started 0:00:0' in str(refusal.value)
  assert os.listdir(tmp_path) == []
  with Lock(tmp_path) as lock:
    lock.release()
    with Lock(tmp_path):
      lock.release()  # not its lock any more
      assert os.listdir(tmp_path) == ['lock.json']


def start_holder(path, then):
  child = subprocess.Popen(
    [sys.executable, '-c', 'import sys, time\nfrom train_lib.storage.lock import Lock\n'
     f'lock = Lock(sys.argv[1])\nprint("held", flush=True)\n{then}', str(path)],
    stdout=subprocess.PIPE, text=True)
  assert child.stdout.readline() == 'held\n'
  return child


def test_the_lock_of_a_killed_process_is_taken_over_with_a_warning(tmp_path, caplog):
  child = start_holder(tmp_path, 'time.sleep(60)')
  with pytest.raises(UserError, match=f'process {child.pid} '):
    Lock(tmp_path)
  child.send_signal(signal.SIGKILL)
  child.communicate()
  with Lock(tmp_path):
    assert records.read_json(tmp_path / 'lock.json')['pid'] == os.getpid()
  assert f'took over the lock of process {child.pid}' in caplog.text
  assert os.listdir(tmp_path) == []


def test_the_lock_is_released_when_the_program_ends_without_doing_so(tmp_path):
  child = start_holder(tmp_path, 'raise SystemExit(75)')
  child.communicate()
  assert child.returncode == 75 and os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists('/proc/self/stat'), reason='needs /proc')
def test_a_number_given_out_to_another_process_does_not_keep_the_lock(tmp_path):
  with Lock(tmp_path):
    holder = records.read_json(tmp_path / 'lock.json')
  boot = holder['process_start'].split()[0]
  records.write_json(tmp_path / 'lock.json', {**holder, 'process_start': f'{boot} 1'})
  with Lock(tmp_path):
    assert records.read_json(tmp_path / 'lock.json')['process_start'] == holder['process_start']


def test_a_lock_of_another_machine_that_tells_no_time_is_never_taken_over(tmp_path):
  records.write_json(tmp_path / 'lock.json', {'host': 'elsewhere', 'pid': 1, 'time': workdir.now()})
  with pytest.raises(UserError, match=r'process 1 on elsewhere.*delete .*lock\.json'):
    Lock(tmp_path)


def test_an_unreadable_lock_is_respected(tmp_path):
  (tmp_path / 'lock.json').write_text('{')
  with pytest.raises(UserError, match='an unknown time ago'):
    Lock(tmp_path)


# The lease


def elsewhere(silent_sec, **fields):
  """The lock of a run on another machine that was last heard of so long ago."""
  heard = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=silent_sec)
  return {'host': 'elsewhere', 'pid': 1, 'time': heard.isoformat(), 'token': 'theirs',
          'refreshed': heard.isoformat(), 'lease_sec': lock_lib.LEASE_SEC, **fields}


@pytest.fixture(params=['local', 'store'])
def folder(request, tmp_path, monkeypatch):
  """A folder of this machine, and one in a fake object store."""
  monkeypatch.setattr(lock_lib, 'SETTLE_SEC', 0.0)
  monkeypatch.setattr(remote, 'WAITS_SEC', (0.0,))
  if request.param == 'local':
    return records.absolute(tmp_path)
  return records.absolute(fake_store.install(tmp_path / 'store')) / 'run'


def test_the_lock_of_another_host_is_taken_over_when_its_lease_ran_out(folder, caplog):
  records.write_json(folder / 'lock.json', elsewhere(lock_lib.LEASE_SEC + 10))
  assert lock_lib.find_holder(folder) is None
  with Lock(folder):
    assert records.read_json(folder / 'lock.json')['pid'] == os.getpid()
  assert 'took over the lock of process 1 on elsewhere, of which nothing was heard for 0:05:1' in (
    caplog.text)
  assert not (folder / 'lock.json').exists()


@pytest.fixture
def looks(monkeypatch):
  """What happens at each look at a lock of which no sign came yet: functions, called in turn."""
  actions, look = [], lock_holder.read
  monkeypatch.setattr(lock_lib, 'WATCH_SEC', 0.01)

  def read(path):
    if reads and actions:
      actions.pop(0)()
    reads.append(1)
    return look(path)

  reads = []
  monkeypatch.setattr(lock_holder, 'read', read)
  return actions


def test_the_rest_of_the_lease_of_another_host_is_waited_for(folder, capsys, caplog, looks):
  records.write_json(folder / 'lock.json', elsewhere(lock_lib.LEASE_SEC - 0.3))
  assert lock_lib.find_holder(folder)['host'] == 'elsewhere'
  with Lock(folder):
    assert records.read_json(folder / 'lock.json')['pid'] == os.getpid()
  told, = capsys.readouterr().out.splitlines()
  assert (f'{folder} is held by process 1 on elsewhere, last heard of 0:04:59 ago: waiting for a '
          'sign of it, 0:00:01 at most, and going on if there is none') == told
  assert 'took over the lock of process 1 on elsewhere, of which nothing was heard for 0:05:0' in (
      caplog.text)


def test_a_sign_of_life_from_another_host_ends_the_wait_with_a_refusal(folder, looks):
  records.write_json(folder / 'lock.json', elsewhere(lock_lib.LEASE_SEC - 60))
  theirs = elsewhere(0)
  looks += [lambda: None, lambda: records.write_json(folder / 'lock.json', theirs)]
  with pytest.raises(UserError, match=r'process 1 on elsewhere, started 0:00:0.*last heard of '
                                      r'0:00:0\d ago, and void 0:0[45]:\d\d from now'):
    Lock(folder)
  assert records.read_json(folder / 'lock.json') == theirs and not looks


def test_a_lock_that_another_host_releases_is_free(folder, looks, caplog):
  records.write_json(folder / 'lock.json', elsewhere(lock_lib.LEASE_SEC - 60))
  looks.append((folder / 'lock.json').unlink)
  with Lock(folder):
    assert records.read_json(folder / 'lock.json')['pid'] == os.getpid()
  assert not caplog.text


def test_a_signal_ends_the_wait_and_nothing_is_left_of_it(folder, looks):
  theirs = elsewhere(lock_lib.LEASE_SEC - 60)
  records.write_json(folder / 'lock.json', theirs)
  with pytest.raises(Preempted), Preemption():
    os.kill(os.getpid(), signal.SIGTERM)
    Lock(folder)
  assert records.read_json(folder / 'lock.json') == theirs
  assert [path.name for path in folder.iterdir()] == ['lock.json']


def test_a_folder_that_cannot_be_written_into_is_told_before_all_else(tmp_path, monkeypatch, caplog,
                                                                      capsys):
  records.write_json(tmp_path / 'lock.json', elsewhere(lock_lib.LEASE_SEC - 60))

  def refuse(_):
    raise OSError(errno.EROFS, 'Read-only file system', f'{tmp_path}/.lock.json.tmp-1')

  monkeypatch.setattr(records, '_open_beside', refuse)
  with pytest.raises(UserError) as refusal:
    Lock(tmp_path)
  assert str(refusal.value).startswith(
      f'{tmp_path} cannot be written into (Read-only file system); see to')
  assert 'tmp-1' not in str(refusal.value)
  assert not caplog.text and not capsys.readouterr().out


def test_a_second_run_on_a_store_is_refused_too(folder):
  with Lock(folder):
    with pytest.raises(UserError, match=f'process {os.getpid()} on {socket.gethostname()}'):
      Lock(folder)
  with Lock(folder):
    pass


def test_the_holder_renews_its_lease(folder, monkeypatch):
  monkeypatch.setattr(lock_lib, 'REFRESH_SEC', 0.01)
  moments = iter(f'2030-01-01T00:00:{second:02}+00:00' for second in range(60))
  monkeypatch.setattr(lock_lib, 'now', lambda: next(moments, '2030-01-01T01:00:00+00:00'))
  with Lock(folder):
    first = records.read_json(folder / 'lock.json')
    while records.read_json(folder / 'lock.json')['refreshed'] == first['refreshed']:
      time.sleep(0.01)
    assert records.read_json(folder / 'lock.json')['token'] == first['token']


def test_a_lock_that_somebody_deleted_is_put_back(folder, monkeypatch):
  records.write_json(folder / 'run.json', {})
  with Lock(folder) as lock:
    (folder / 'lock.json').unlink()
    lock._renew()
    with pytest.raises(UserError, match='is in use'):
      Lock(folder)


@pytest.mark.parametrize('noticed', ['by the thread', 'before the next write, after a sleep'])
def test_a_holder_whose_lock_was_taken_writes_nothing_more(folder, noticed):
  records.append_jsonl(folder / 'metrics.jsonl', [{'step': 1}])
  with Lock(folder) as lock:
    records.write_json(folder / 'run.json', {'step': 1})
    records.append_jsonl(folder / 'metrics.jsonl', [{'step': 2}])
    records.read_jsonl(folder / 'metrics.jsonl')
    theirs = elsewhere(0)
    with records.unguarded_file(folder / 'lock.json') as file:
      file.write(json.dumps(theirs).encode())
    if noticed == 'by the thread':
      lock._renew()
    else:
      lock._seen -= lock_lib.LEASE_SEC
    for write in (lambda: records.write_json(folder / 'run.json', {'step': 3}),
                  lambda: records.append_jsonl(folder / 'metrics.jsonl', [{'step': 3}]),
                  lambda: records.write_bytes(folder / 'pictures' / 'a.png', b'')):
      with pytest.raises(UserError, match='taken over by process 1 on elsewhere.*stops here'):
        write()
  assert records.read_json(folder / 'lock.json') == theirs     # not removed: it is not ours
  assert records.read_json(folder / 'run.json') == {'step': 1}
  assert len(records.read_jsonl(folder / 'metrics.jsonl')) == 2
  assert not (folder / 'pictures').exists()
  records.write_json(folder / 'run.json', {'step': 4})          # nothing is guarded any longer


def test_a_step_is_not_saved_once_the_lock_was_taken(folder):
  with Lock(folder) as lock, pytest.raises(SaveError, match='taken over by process 1'):
    with open_checkpoints(folder) as checkpoints:
      checkpoints.save(1, make_state(1))
      checkpoints.wait()
      with records.unguarded_file(folder / 'lock.json') as file:
        file.write(json.dumps(elsewhere(0)).encode())
      lock._renew()
      checkpoints.save(2, make_state(2))
  assert open_checkpoints(folder).steps() == [1]


def test_of_two_that_take_over_at_once_one_gets_the_lock(tmp_path):
  records.write_json(tmp_path / 'lock.json', elsewhere(1e6))
  program = ('import sys, time\nfrom errors import UserError\n'
             'from train_lib.storage.lock import Lock\n'
             'print("ready", flush=True)\nsys.stdin.readline()\n'
             'try:\n  Lock(sys.argv[1])\n  print("got", flush=True)\n'
             'except UserError:\n  print("refused", flush=True)\nsys.stdin.readline()')
  children = [subprocess.Popen([sys.executable, '-c', program, str(tmp_path)], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL) for _ in range(4)]
  assert [child.stdout.readline() for child in children] == ['ready\n'] * 4
  for child in children:
    print(file=child.stdin, flush=True)
  answers = [child.stdout.readline().strip() for child in children]
  for child in children:
    child.communicate('\n')
  assert sorted(answers) == ['got', 'refused', 'refused', 'refused']
  assert os.listdir(tmp_path) == []


def test_a_start_that_was_killed_while_it_took_over_is_no_obstacle(tmp_path):
  holder = elsewhere(1e6)
  records.write_json(tmp_path / 'lock.json', holder)
  turn = tmp_path / f'.lock.json.turn-{lock_lib._digest(holder)}'
  records.write_json(turn, elsewhere(0.0))
  with pytest.raises(UserError, match='is in use'):
    Lock(tmp_path)                # another start is at it
  records.write_json(turn, elsewhere(1e6))
  with Lock(tmp_path):
    assert os.listdir(tmp_path) == ['lock.json']


def test_a_file_system_without_links_is_locked_too(tmp_path, monkeypatch):
  def refuse(*_, **__):
    raise PermissionError('no links here')

  monkeypatch.setattr(lock_lib, 'SETTLE_SEC', 0.0)
  monkeypatch.setattr(os, 'link', refuse)
  with Lock(tmp_path):
    with pytest.raises(UserError, match='is in use'):
      Lock(tmp_path)
  assert os.listdir(tmp_path) == []
