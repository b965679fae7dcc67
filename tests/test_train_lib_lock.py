import os
import signal
import socket
import subprocess
import sys

import pytest

from errors import UserError
from train_lib import records, workdir
from train_lib.lock import Lock


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
    [sys.executable, '-c', 'import sys, time\nfrom train_lib.lock import Lock\n'
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
  records.write_json(tmp_path / 'lock.json', {**holder, 'process_start': 'earlier'})
  with Lock(tmp_path):
    assert records.read_json(tmp_path / 'lock.json')['process_start'] == holder['process_start']


def test_the_lock_of_another_machine_is_never_taken_over(tmp_path):
  records.write_json(tmp_path / 'lock.json', {'host': 'elsewhere', 'pid': 1, 'time': workdir.now()})
  with pytest.raises(UserError, match=r'process 1 on elsewhere.*delete .*lock\.json'):
    Lock(tmp_path)


def test_an_unreadable_lock_is_respected(tmp_path):
  (tmp_path / 'lock.json').write_text('{')
  with pytest.raises(UserError, match='an unknown time ago'):
    Lock(tmp_path)
