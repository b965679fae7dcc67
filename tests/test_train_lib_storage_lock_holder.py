"""Whose lock it is: asked only where that is certain, and nothing that stands in it is trusted."""

import json
import os

import pytest

from errors import UserError
from tests.test_train_lib_storage_lock import elsewhere, start_holder
from train_lib.storage import lock as lock_lib
from train_lib.storage import lock_holder, records
from train_lib.storage.lock import Lock


@pytest.fixture
def ended_here(tmp_path):
  """The lock of a process of this machine that was killed."""
  child = start_holder(tmp_path, 'time.sleep(60)')
  holder = records.read_json(tmp_path / 'lock.json')
  child.kill()
  child.communicate()
  return holder


@pytest.mark.skipif(not os.path.exists('/proc/self/ns/pid'), reason='needs namespaces')
@pytest.mark.parametrize('other', [
    {'pid_namespace': 'pid:[1]'}, {'process_start': 'another-boot 7'}, {'host': 'elsewhere'},
    {'pid_namespace': None}, {'process_start': ''}])
def test_a_process_of_another_container_boot_or_host_is_not_looked_for_here(tmp_path, ended_here,
                                                                           other):
  theirs = {**ended_here, **other}
  assert lock_holder.is_here(ended_here) and not lock_holder.is_here(theirs)
  records.write_json(tmp_path / 'lock.json', theirs)
  assert lock_lib.find_holder(tmp_path) == theirs       # its lease lasts, whatever its number is
  records.write_json(tmp_path / 'lock.json', ended_here)
  assert lock_lib.find_holder(tmp_path) is None


def test_another_container_of_the_same_name_is_told_as_such(tmp_path, ended_here):
  theirs = {**ended_here, 'pid_namespace': 'pid:[1]', 'lease_sec': None}
  records.write_json(tmp_path / 'lock.json', theirs)
  with pytest.raises(UserError, match=r'another container, start or machine of that name\)'):
    Lock(tmp_path)


def test_a_lock_of_a_former_version_is_left_to_its_lease(tmp_path, ended_here, caplog):
  former = {key: value for key, value in ended_here.items() if key != 'pid_namespace'}
  records.write_json(tmp_path / 'lock.json', {**former, 'refreshed': elsewhere(301)['refreshed']})
  with Lock(tmp_path):
    assert 'of which nothing was heard for 0:05:0' in caplog.text


def test_a_process_that_ended_and_was_not_asked_for_its_code_holds_nothing(tmp_path):
  child = start_holder(tmp_path, 'time.sleep(60)')
  child.kill()
  os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
  try:
    with Lock(tmp_path):
      assert records.read_json(tmp_path / 'lock.json')['pid'] == os.getpid()
  finally:
    child.communicate()


def test_a_process_that_may_not_be_looked_at_is_alive(monkeypatch, ended_here):
  monkeypatch.setattr(lock_holder, '_look', lambda pid: ('', ''))
  assert lock_holder.is_alive({**ended_here, 'pid': os.getpid()})


# Odd contents


@pytest.mark.parametrize('fields', [
    {'pid': True}, {'pid': -1}, {'pid': 0}, {'pid': 10**30}, {'pid': 1.5}, {'pid': 'x' * 10_000},
    {'pid': [1]}, {'refreshed': 7}, {'refreshed': None}, {'refreshed': '2030-01-01T00:00:00'},
    {'refreshed': 'yesterday'}, {'refreshed': '0001-01-01T00:00:00+23:59'},
    {'refreshed': '9999-12-31T23:59:59-23:59'}, {'lease_sec': float('inf')},
    {'lease_sec': float('nan')}, {'lease_sec': -5}, {'lease_sec': 0}, {'lease_sec': True},
    {'lease_sec': 1e300}, {'lease_sec': 10**400}, {'lease_sec': '300'}, {'host': None},
    {'host': ['a']}, {'host': '\x1b[2J\ud800'}, {'process_start': 5}, {'pid_namespace': {}},
    {'time': 'x'}, {'time': -1}, {'token': None}])
@pytest.mark.parametrize('where', ['here', 'elsewhere'])
def test_an_odd_lock_gives_a_sentence_or_is_waited_for_and_no_traceback(tmp_path, fields, where,
                                                                        monkeypatch, caplog):
  own = lock_holder.describe_self() if where == 'here' else {}
  with open(tmp_path / 'lock.json', 'w') as file:
    json.dump({**elsewhere(10), **own, **fields}, file)
  waits = []
  monkeypatch.setattr(Lock, '_stays_silent', lambda *arguments: waits.append(arguments) or True)
  lock_lib.find_holder(tmp_path)
  try:
    with Lock(tmp_path):
      assert waits or 'nothing was heard for' in caplog.text
  except UserError as refusal:
    assert not waits and len(str(refusal)) < 1000 and str(refusal).isprintable()


@pytest.mark.parametrize('content', [
    b'', b'[' * 9000, b'{"pid": 1, "pad": "' + b'x' * 10**6 + b'"}', b'\xff\xfe', b'null', b'[]',
    b'9' * 5000])
def test_a_file_that_is_no_lock_is_respected_and_read_no_further_than_a_lock_goes(tmp_path,
                                                                                  content):
  (tmp_path / 'lock.json').write_bytes(content)
  assert lock_lib.find_holder(tmp_path) is None
  with pytest.raises(UserError, match=r'in use by process \? on \?, started an unknown time ago'):
    Lock(tmp_path)
  assert (tmp_path / 'lock.json').read_bytes() == content


def test_a_clock_that_is_ahead_prolongs_no_lease():
  left_sec = lock_holder.left_sec(elsewhere(-7200))
  assert left_sec == lock_lib.LEASE_SEC
