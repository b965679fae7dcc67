"""A run beside its loop: where it goes on from, and where it ends."""

import types

import jax
import numpy as np
import pytest

from configs import tagger
from errors import UserError
from tests import small_loops
from tests.small_loops import make_config, run_loop
from train_lib import run, workdir
from train_lib.preemption import Preemption
from train_lib.trees import state_digest


class Shorter(small_loops.Training):
  """Of the same config, and of fewer pictures."""
  num_steps = property(lambda self: 12, lambda self, value: None)


def saved_at(step):
  """Checkpoints whose newest is of this step."""
  return types.SimpleNamespace(restore_latest=lambda abstract_state: ('state', step))


def test_a_run_beyond_its_last_step_ends_with_what_it_has_and_says_why(capsys):
  training = types.SimpleNamespace(abstract_state=None, num_steps=12)
  assert run._saved_state(training, saved_at(16)) == 'state'
  said = capsys.readouterr().out
  assert 'step 16, the newest, is beyond the last of this config, 12' in said
  assert 'fewer pictures' in said and 'going on' not in said
  assert run._saved_state(training, saved_at(12)) == 'state'
  assert 'going on from step 12 of 12' in capsys.readouterr().out


def test_the_loop_of_a_run_beyond_its_last_step_changes_nothing(tmp_path, monkeypatch):
  config = make_config()
  state = run_loop(tmp_path, config)
  before = (tmp_path / 'metrics.jsonl').read_text()
  monkeypatch.setattr(small_loops, 'Training', Shorter)
  found = run_loop(tmp_path, config)
  assert int(found.step) == 16 and state_digest(found) == state_digest(state)
  assert (tmp_path / 'metrics.jsonl').read_text() == before
  assert jax.tree.all(jax.tree.map(np.array_equal, found, state))


def refuse(folder, **changes):
  """What a start in a folder says of a config that is changed so."""
  config = tagger.get_config('smoke')
  config.update_from_flattened_dict(changes)
  with Preemption() as preemption, pytest.raises(UserError) as refusal:
    run.train(config, str(folder), preemption, config_path='', finish=None)
  return str(refusal.value)


@pytest.mark.parametrize(('key', 'value', 'words'), [
    ('optimizer.name', 'adamW', "'adamW'"), ('net.name', 'resnet50', "'resnet50'"),
    ('train.batch_size', 0, 'train.batch_size is 0'), ('data.augment', ('miror',), "'miror'"),
    ('train.num_epochs', 7.0, 'was begun with another config')])
def test_a_slip_in_a_value_is_told_before_what_it_differs_in(tmp_path, key, value, words):
  workdir.begin_run(tmp_path, tagger.get_config('smoke'), config_name='')
  (tmp_path / 'checkpoints' / '1').mkdir(parents=True)
  said = refuse(tmp_path, **{key: value})
  assert words in said and ('begun with' in said) == ('begun with' in words)


def test_a_start_whose_data_cannot_be_opened_leaves_nothing(tmp_path):
  lacking = {'data.source': 'folder', 'data.path': str(tmp_path / 'none')}
  assert 'does not exist' in refuse(tmp_path / 'runs' / 'new', **lacking)
  assert [path.name for path in (tmp_path / 'runs').iterdir()] == []


def test_such_a_start_leaves_what_was_there_before(tmp_path):
  lacking = {'data.source': 'folder', 'data.path': str(tmp_path / 'none')}
  workdir.begin_run(tmp_path, tagger.get_config('smoke'), config_name='')
  refuse(tmp_path, **lacking)
  assert (tmp_path / 'config.json').exists()
  assert len(workdir.read_run(tmp_path)['starts']) == 2
  (tmp_path / 'other').mkdir()
  refuse(tmp_path / 'other', **lacking)
  assert list((tmp_path / 'other').iterdir()) == []
  workdir.keep_config(tmp_path / 'other', tagger.get_config('demo'))      # as --job=inspect does
  before = (tmp_path / 'other' / 'config.json').read_bytes()
  refuse(tmp_path / 'other', **lacking)
  assert [path.name for path in (tmp_path / 'other').iterdir()] == ['config.json']
  assert (tmp_path / 'other' / 'config.json').read_bytes() == before


def test_a_pose_run_that_is_not_there_is_told_before_pictures_are_drawn(tmp_path, capsys):
  said = refuse(tmp_path / 'run', **{'data.persons.cut': 'pose', 'data.persons.cut_by': 'nowhere'})
  assert "by the pose net of 'nowhere', which is not there" in said
  assert 'drawing' not in capsys.readouterr().out
