import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import jax
import pytest

from errors import UserError
from tests.small_runs import (
  abstract_state,
  assert_same,
  make_state,
  newest_payload,
  open_checkpoints,
  save_steps,
)
from train_lib.storage import manifest

# Damage


def flip_bit(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def truncate(path):
  path.write_bytes(path.read_bytes()[:-1])


DAMAGES = {
  'flipped bit': (lambda step: flip_bit(newest_payload(step)), 'differs from what was written'),
  'truncated file': (lambda step: truncate(newest_payload(step)), 'bytes instead of'),
  'deleted file': (lambda step: newest_payload(step).unlink(), 'is missing'),
  'extra file': (lambda step: (step / 'd' / 'more').write_text('x'), 'd/more does not belong'),
  'deleted manifest': (lambda step: (step / 'manifest.json').unlink(), 'manifest.json is missing'),
  'torn manifest': (lambda step: truncate(step / 'manifest.json') or
                    truncate(step / 'manifest.json'), 'manifest.json is not readable'),
  'edited manifest': (lambda step: (step / 'manifest.json').write_text(
    (step / 'manifest.json').read_text().replace('"step": 2', '"step": 3')), 'was changed'),
}


@pytest.mark.parametrize('name', DAMAGES)
def test_damaged_newest_step_is_set_aside_with_its_reason_and_the_one_before_is_used(
    tmp_path, name, caplog):
  save_steps(tmp_path, [1, 2])
  damage, reason = DAMAGES[name]
  damage(tmp_path / 'checkpoints' / '2')
  with open_checkpoints(tmp_path) as checkpoints:
    with pytest.raises(UserError, match='damaged|no checkpoint 2'):
      checkpoints.restore(2, abstract_state())
    assert (tmp_path / 'checkpoints' / '2').exists()
    state, step = checkpoints.restore_latest(abstract_state())
    assert step == 1
    assert_same(state, 1)
    [aside] = (tmp_path / 'checkpoints').glob('2.corrupt-*')
    assert reason in (aside / 'reason.txt').read_text()
    assert len([record for record in caplog.records if reason in record.message]) == 1
    checkpoints.save(2, make_state(2))
    assert_same(checkpoints.restore(2, abstract_state())[0], 2)


def test_all_steps_damaged_refuses_a_fresh_start_every_time(tmp_path):
  save_steps(tmp_path, [1, 2])
  for step in ('1', '2'):
    flip_bit(newest_payload(tmp_path / 'checkpoints' / step))
  for _ in range(2):
    with pytest.raises(UserError, match='delete .*checkpoints to start from step 0'):
      open_checkpoints(tmp_path).restore_latest(abstract_state())


def test_the_only_step_without_its_manifest_refuses_a_fresh_start(tmp_path):
  save_steps(tmp_path, [1])
  (tmp_path / 'checkpoints' / '1' / 'manifest.json').unlink()
  with pytest.raises(UserError, match='manifest.json is missing'):
    open_checkpoints(tmp_path).restore_latest(abstract_state())


def test_a_lost_newest_step_is_said(tmp_path, caplog):
  save_steps(tmp_path, [1, 2])
  (tmp_path / 'checkpoints' / '2').rename(tmp_path / 'elsewhere')
  assert open_checkpoints(tmp_path).restore_latest(abstract_state())[1] == 1
  assert 'going on from step 1, although 2 was saved' in caplog.text


def test_a_step_that_cannot_be_renamed_is_passed_over(tmp_path, monkeypatch):
  save_steps(tmp_path, [1, 2])
  flip_bit(newest_payload(tmp_path / 'checkpoints' / '2'))
  checkpoints = open_checkpoints(tmp_path)

  def refuse(*_):
    raise PermissionError('read-only')

  monkeypatch.setattr(type(checkpoints._folder.path), 'rename', refuse)
  assert checkpoints.restore_latest(abstract_state())[1] == 1
  assert checkpoints.steps() == [1]


def test_explicit_requests_fail_loudly_and_list_what_there_is(tmp_path):
  with pytest.raises(UserError, match='no finished checkpoint'):
    open_checkpoints(tmp_path).restore('latest', abstract_state())
  save_steps(tmp_path, [3, 5])
  with pytest.raises(UserError, match=r'no checkpoint 4; it has \[3, 5\]'):
    open_checkpoints(tmp_path).restore(4, abstract_state())
  with pytest.raises(UserError, match='no best checkpoint'):
    open_checkpoints(tmp_path).restore('best', abstract_state())


# Killed while saving: last finished step, what is found, what must be left of step 2

MOMENTS = {
  'folder made': '''
    from orbax.checkpoint import PyTreeCheckpointHandler
    PyTreeCheckpointHandler.save = PyTreeCheckpointHandler.async_save = pause
    ''',
  'data written': 'before_rename(pause)',
  'renamed': 'checkpoints_module.write_manifest = pause',
  'manifest half written': '''
    import json
    from train_lib.storage import records
    def tear(path, obj):
      (path.parent / '.manifest.json.tmp-torn').write_text(json.dumps(obj)[:50])
      pause()
    manifest_module.records.write_json = tear
    ''',
  'manifest written': 'step_folder_module.StepFolder.settle = pause',
}
CHILD = '''
import json, os, pathlib, sys, time
import orbax.checkpoint
import tests.small_runs as test
import train_lib.storage.checkpoints as checkpoints_module
import train_lib.storage.manifest as manifest_module
import train_lib.storage.step_folder as step_folder_module

def pause(*_, **__):
  (folder / 'paused').touch()
  time.sleep(100)

def before_rename(function):
  rename = os.rename
  def watched(source, target, **options):
    if str(target).rstrip('/').endswith('checkpoints/2'):
      function()
    rename(source, target, **options)
  os.rename = watched

for folder, inject in json.loads(sys.argv[1]):
  folder = pathlib.Path(folder)
  pid = os.fork()  # nothing of JAX is running yet
  if pid == 0:
    checkpoints = test.open_checkpoints(folder)
    checkpoints.save(1, test.make_state(1))
    checkpoints.wait()
    exec(inject)
    checkpoints.save(2, test.make_state(2))
    checkpoints.wait()
    os._exit(0)
  print(pid, flush=True)
'''


@pytest.fixture(scope='module')
def killed_folders(tmp_path_factory):
  """One workdir for each moment, left by a process that was killed at it."""
  folders = {moment: tmp_path_factory.mktemp('killed') for moment in MOMENTS}
  todo = [(str(folders[moment]), textwrap.dedent(inject)) for moment, inject in MOMENTS.items()]
  parent = subprocess.Popen([sys.executable, '-c', CHILD, json.dumps(todo)],
                            stdout=subprocess.PIPE, text=True)
  pids = [int(parent.stdout.readline()) for _ in todo]
  try:
    end = time.monotonic() + 60
    while not all((folder / 'paused').exists() for folder in folders.values()):
      assert time.monotonic() < end, 'a process did not come to its moment'
      time.sleep(0.05)
  finally:
    for pid in pids:
      os.kill(pid, signal.SIGKILL)
    parent.communicate()
  return folders


@pytest.mark.parametrize('moment', MOMENTS)
def test_killed_while_saving_goes_on_from_the_last_finished_step(killed_folders, moment):
  folder = killed_folders[moment]
  left = set(os.listdir(folder / 'checkpoints'))
  assert left > {'1', 'last.json'}, 'the kill came before the save began'
  finished = 2 if moment == 'manifest written' else 1
  with open_checkpoints(folder) as checkpoints:
    assert checkpoints.steps() == [1, 2][:finished]
    state, step = checkpoints.restore_latest(abstract_state())
    assert step == finished
    assert_same(state, finished)
    assert set(os.listdir(folder / 'checkpoints')) == {'1', '2', 'last.json'} - (
      set() if finished == 2 else {'2'})
    checkpoints.save(2, make_state(2))
    assert_same(checkpoints.restore(2, abstract_state())[0], 2)


def test_leftovers_of_a_step_are_no_hindrance_to_saving_it(tmp_path):
  save_steps(tmp_path, [2])
  folder = tmp_path / 'checkpoints'
  (folder / '2' / 'manifest.json').unlink()
  (folder / '2.orbax-checkpoint-tmp').mkdir()
  (folder / '2.orbax-checkpoint-tmp' / 'part').write_text('x')
  save_steps(tmp_path, [2])
  assert sorted(os.listdir(folder)) == ['2', 'last.json']


def test_a_first_save_that_was_killed_is_a_fresh_start(tmp_path):
  save_steps(tmp_path, [1])
  (tmp_path / 'checkpoints' / 'last.json').unlink()
  (tmp_path / 'checkpoints' / '1' / 'manifest.json').unlink()
  assert open_checkpoints(tmp_path).restore_latest(abstract_state()) is None
  assert os.listdir(tmp_path / 'checkpoints') == []


def test_manifest_lists_every_file_of_the_step(tmp_path):
  save_steps(tmp_path, [1])
  folder = tmp_path / 'checkpoints' / '1'
  files = {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
  content = manifest.verify(folder)
  assert set(content['files']) == files - {'manifest.json'}
  assert content['step'] == 1 and content['config_digest'] == 'digest'
  assert content['versions']['jax'] == jax.__version__
