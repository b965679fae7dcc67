"""Checkpoints in a fake object store; tests/fake_store.py says what it is."""

import pathlib

import pytest

from errors import UserError
from tests import fake_store
from tests.fake_store import FakeStore, Fault
from tests.small_runs import abstract_state, assert_same, make_state, open_checkpoints, save_steps
from train_lib.storage import checkpoints as checkpoints_lib
from train_lib.storage import manifest, records, remote


@pytest.fixture
def run(tmp_path, monkeypatch):
  monkeypatch.setattr(remote, 'WAITS_SEC', (0.0, 0.0))
  monkeypatch.setattr(checkpoints_lib, 'TRY_AGAIN_SEC', 0.0)
  monkeypatch.setenv('TMPDIR', str(tmp_path))
  monkeypatch.setattr('tempfile.tempdir', None)
  yield records.absolute(fake_store.install(tmp_path / 'store')) / 'run'
  FakeStore.faults = []
  assert not list(tmp_path.glob('oko-checkpoint-*'))  # copies are removed again


def payload(step):
  """The local file that holds the largest object of a step."""
  files = [FakeStore()._file(f'bucket/{name}') for name in fake_store.names(
    f'run/checkpoints/{step}/') if '/d/' in name]
  return max(files, key=lambda path: path.stat().st_size)


def test_what_is_saved_is_restored_bit_for_bit_and_older_steps_go(run):
  save_steps(run, [1, 2, 3, 4], keep_last=2)
  with open_checkpoints(run) as checkpoints:
    state, step = checkpoints.restore_latest(abstract_state())
    assert step == 4 and checkpoints.steps() == [3, 4]
    assert_same(state, 4)
    assert_same(checkpoints.restore(3, abstract_state())[0], 3)
    variables, _ = checkpoints.restore_variables('latest')
    assert (variables['params']['conv']['kernel'] == make_state(4).ema['params']['conv'][
      'kernel']).all()
  folders = {name.split('/')[2] for name in fake_store.names('run/checkpoints/')}
  assert folders == {'3', '4', 'last.json'}


@pytest.mark.parametrize('name', ['flipped bit', 'truncated', 'deleted', 'no manifest'])
def test_a_damaged_newest_step_is_set_aside_and_the_one_before_is_used(run, name):
  save_steps(run, [1, 2])
  content = bytearray(payload(2).read_bytes())
  content[len(content) // 2] ^= 1
  if name == 'flipped bit':
    payload(2).write_bytes(content)
  elif name == 'truncated':
    payload(2).write_bytes(content[:-1])
  elif name == 'deleted':
    payload(2).unlink()
  else:
    (run / 'checkpoints' / '2' / 'manifest.json').unlink()
  with open_checkpoints(run) as checkpoints:
    with pytest.raises(UserError, match='damaged|no checkpoint 2'):
      checkpoints.restore(2, abstract_state())
    state, step = checkpoints.restore_latest(abstract_state())
    assert step == 1
    assert_same(state, 1)
    assert not fake_store.names('run/checkpoints/2/')
    assert len([name for name in fake_store.names('run/checkpoints/2.corrupt-')
                if name.endswith('/reason.txt')]) == 1
    checkpoints.save(2, make_state(2))
    assert_same(checkpoints.restore(2, abstract_state())[0], 2)


def test_all_steps_damaged_refuses_a_fresh_start(run):
  save_steps(run, [1])
  payload(1).write_bytes(b'')
  for _ in range(2):
    with pytest.raises(UserError, match='delete .*checkpoints to start from step 0'):
      open_checkpoints(run).restore_latest(abstract_state())


def test_a_read_that_was_cut_short_on_its_way_is_no_damage(run):
  save_steps(run, [1])
  FakeStore.faults = [Fault('get', payload(1).name.rpartition('%2F')[2], 'cut')]
  with open_checkpoints(run) as checkpoints:
    assert_same(checkpoints.restore_latest(abstract_state())[0], 1)
  assert FakeStore.faults[0].times == 0


def test_a_save_bears_one_lost_connection_and_says_when_the_store_is_gone(run):
  save_steps(run, [1])
  with open_checkpoints(run) as checkpoints:
    FakeStore.faults = [Fault('put', '/2/', 'drop'), Fault('put', '/2/', 'cut', after=2)]
    checkpoints.save(2, make_state(2))
    checkpoints.wait()
    FakeStore.faults = [Fault('put', '/3/', 'drop', times=99, after=2)]
    checkpoints.save(3, make_state(3))
    with pytest.raises(checkpoints_lib.SaveError, match='connection was reset.*good step: 2'):
      checkpoints.wait()
    assert not fake_store.names('run/checkpoints/3/')
    FakeStore.faults = []
    checkpoints.save(3, make_state(3))
    checkpoints.wait()
    assert_same(checkpoints.restore_latest(abstract_state())[0], 3)


class Killed(BaseException):
  pass


def kill_at(monkeypatch, operation, name, after=0):
  """The process ends at an operation of the store: nothing more reaches it."""
  real, left, dead = getattr(FakeStore, operation), [after], []

  def killing(self, path, *args):
    if dead or (name in path and (left.append(left.pop() - 1) or left[0] < 0)):
      dead.append(True)
      raise Killed
    return real(self, path, *args)
  monkeypatch.setattr(FakeStore, operation, killing)


PUTS = {'before any object': 0, 'after some': 3, 'before the manifest': None}


@pytest.mark.parametrize('moment', PUTS)
def test_a_save_that_was_killed_leaves_the_step_before(run, moment, monkeypatch):
  save_steps(run, [1])
  with monkeypatch.context() as context:
    name = '/2/' if PUTS[moment] is not None else '/2/manifest.json'
    kill_at(context, 'put_object', name, PUTS[moment] or 0)
    context.setattr('train_lib.storage.step_folder.StepFolder.remove_unfinished', lambda *_: None)
    checkpoints = open_checkpoints(run)
    checkpoints.save(2, make_state(2))
    checkpoints._thread.join()
  with open_checkpoints(run) as checkpoints:
    assert checkpoints.steps() == [1]
    state, step = checkpoints.restore_latest(abstract_state())
    assert step == 1 and not fake_store.names('run/checkpoints/2')
    assert_same(state, 1)


def test_a_deletion_that_was_killed_is_no_damage_and_is_finished(run, monkeypatch):
  save_steps(run, [1, 2])
  with monkeypatch.context() as context:
    kill_at(context, 'rm_file', '/1/', after=2)
    with pytest.raises(Killed):
      open_checkpoints(run)._folder.delete(1)
  assert fake_store.names('run/checkpoints/1/')
  with open_checkpoints(run) as checkpoints:
    assert checkpoints.restore_latest(abstract_state())[1] == 2
  assert not fake_store.names('run/checkpoints/1')


def test_metrics_are_added_to_a_step_that_is_there(run):
  with open_checkpoints(run, keep_best_metric='score') as checkpoints:
    checkpoints.save(1, make_state(1))
    checkpoints.save(1, make_state(1), metrics={'score': 0.5})
    assert checkpoints.best_step() == 1
  assert records.read_json(run / 'best.json')['value'] == 0.5
  assert manifest.verify(run / 'checkpoints' / '1', pathlib.Path(FakeStore.folder.parent / 'copy'))
