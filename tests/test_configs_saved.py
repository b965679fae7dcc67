"""The config that a workdir brings: what it decides, and what only this command does."""

import copy
import json

import pytest

from configs import base, fashion, optimizers, pose, saved, tagger, vae
from errors import UserError
from tests.small_workdirs import leaves
from train_lib import workdir as workdir_lib
from train_lib.export import exported
from train_lib.poses import people_finder
from train_lib.scans import scan_judge


def other(value):
  """Another value of the same type."""
  if isinstance(value, bool):
    return not value
  if isinstance(value, tuple):
    return (*value, 'theirs')
  return value + ('theirs' if isinstance(value, str) else 1)


def is_believed(name):
  section, _, key = name.partition('.')
  return name != 'data.dir' and (section in saved.BELIEVED or (
      section == 'runtime' and key in saved.GOING_ON))


@pytest.fixture
def theirs(tmp_path):
  """A workdir whose config differs from the defaults in every key."""
  config = base.get_config()
  config.update_from_flattened_dict({name: other(value) for name, value in leaves(config)})
  workdir_lib.save_config(tmp_path / 'config.json', config)
  return tmp_path


def test_a_workdir_decides_what_it_is_and_nothing_of_how_this_program_runs(theirs):
  found, defaults = dict(leaves(saved.get_config(str(theirs)))), dict(leaves(base.get_config()))
  assert found.keys() == defaults.keys()
  for name, value in found.items():
    assert value == (other(defaults[name]) if is_believed(name) else defaults[name]), name


@pytest.mark.parametrize('name', saved.PREPARED)
def test_a_folder_for_data_is_believed_where_data_were_prepared_in_it(tmp_path, name):
  config = base.get_config()
  config.data.dir = str(tmp_path / 'data')
  workdir_lib.save_config(tmp_path / 'config.json', config)
  assert saved.get_config(str(tmp_path)).data.dir == ''
  (tmp_path / 'data' / name).mkdir(parents=True)
  assert saved.get_config(str(tmp_path)).data.dir == config.data.dir


def test_a_place_or_a_machine_is_believed_of_data_and_weights_alone():
  assert {name.partition('.')[0] for name in exported.PRIVATE if is_believed(name)} == {
      'data', 'net', 'study', 'small_page'}
  for name in ('cache_dir', 'features_dir', 'wandb', 'workers', 'accept_changed_data'):
    assert name not in saved.GOING_ON


def test_a_resumed_run_keeps_its_checkpoints_and_its_watchdog_as_it_was_begun(tmp_path):
  config = base.get_config()
  config.runtime.update(keep_last=7, checkpoint_every_steps=50, stuck_sec=60.0,
                        on_failed_save='continue', keep_every_steps=500, tensorboard=False)
  config.train.on_divergence = 'skip'
  workdir_lib.save_config(tmp_path / 'config.json', config)
  assert saved.get_config(str(tmp_path)) == config


@pytest.mark.parametrize('page', [tagger, fashion, pose, vae, optimizers])
def test_a_run_of_a_page_goes_on_by_its_workdir_alone(page, tmp_path):
  workdir_lib.save_config(tmp_path / 'config.json', page.get_config())
  (tmp_path / 'checkpoints' / '1').mkdir(parents=True)
  found = saved.get_config(str(tmp_path))
  workdir_lib.open_workdir(tmp_path, found)
  assert workdir_lib.config_digest(found) == workdir_lib.config_digest(page.get_config())


def test_nets_that_help_another_bring_their_reading_and_not_how_they_ran(theirs, monkeypatch):
  config = base.get_config()
  config.data.persons.cut_by = config.synthesize.judge = str(theirs)
  config.runtime.workers = 5
  monkeypatch.setattr(people_finder, 'PeopleFinder', lambda config, workdir: config)
  monkeypatch.setattr(scan_judge, 'JUDGES', ('taggingtheirs',))
  monkeypatch.setattr(scan_judge, 'open_trained', lambda config, *_: None)
  monkeypatch.setattr(scan_judge, 'Judge', lambda name, config, *_: config)
  for found in (people_finder.open_cutter(config), scan_judge.open_judge(config, None)):
    assert found.data.image_size_px == config.data.image_size_px + 1
    assert found.runtime.workers == 5 and found.runtime.cache_dir == ''
    assert found.serve == config.serve


@pytest.mark.parametrize('change', [
    {'runtime': 5}, {'runtime': []}, {'runtime': {'keep_last': 'x'}}, {'net': 5}, {'seed': 'x'},
    {'runtime': {'keep_last': None}}, {'data': {'image_size_px': None}}, {'train': {'freeze': 5}}])
def test_a_config_of_other_types_is_told_by_all_who_read_it(tmp_path, change):
  values = base.get_config().to_dict()
  values.update(copy.deepcopy(change))
  (tmp_path / 'config.json').write_text(json.dumps(values))
  for read in (lambda: saved.get_config(str(tmp_path)),
               lambda: workdir_lib.config_of_run(tmp_path, base.get_config())):
    with pytest.raises(UserError, match='holds no config that this program knows'):
      read()


def test_a_config_without_end_is_told(tmp_path, monkeypatch):
  monkeypatch.setattr(saved, 'MOST_BYTES', 100)
  workdir_lib.save_config(tmp_path / 'config.json', base.get_config())
  with pytest.raises(UserError, match='has more than'):
    saved.get_config(str(tmp_path))


def test_a_config_of_another_program_is_told(tmp_path):
  (tmp_path / 'config.json').write_text('{"architecture": "inception_v3", "num_classes": 1000}')
  with pytest.raises(UserError, match='is no config of this program'):
    saved.get_config(str(tmp_path))
