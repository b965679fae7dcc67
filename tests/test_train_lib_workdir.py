import os

import ml_collections
import pytest

from configs import base
from errors import UserError
from tests import fake_store
from tests.small_workdirs import Given
from train_lib import data_record, workdir
from train_lib.storage import records


def make_config(**changes):
  config = ml_collections.ConfigDict({
    'seed': 0,
    'net': {'name': 'se_resnet', 'stages': (3, 4, 6, 3), 'rates': ((0.5, 1), ())},
    'optimizer': {'learning_rate': 0.001, 'decay': 1.0, 'nesterov': False},
    'train': {'on_divergence': 'abort', 'divergence_limit': 10, 'batch_size': 8},
    'runtime': {'workers': 2, 'log_every_steps': 50},
    'empty': {},
  })
  config.update_from_flattened_dict(changes)
  return config


def open_run(path, **changes):
  folder = workdir.open_workdir(path, make_config(**changes))
  workdir.begin_run(folder, make_config(**changes), config_name='configs/tagger.py:demo')
  return folder


def save_a_step(path):
  (path / 'checkpoints' / '1').mkdir(parents=True)


# Configs


def test_config_survives_the_round_trip_with_tuples_and_types(tmp_path):
  config = make_config()
  workdir.save_config(tmp_path / 'config.json', config)
  loaded = workdir.load_config(tmp_path / 'config.json')
  assert loaded.to_dict() == config.to_dict()
  assert loaded.net.stages == (3, 4, 6, 3) and loaded.net.rates == ((0.5, 1), ())
  assert type(loaded.optimizer.decay) is float and type(loaded.seed) is int
  assert workdir.config_digest(loaded) == workdir.config_digest(config)


def test_digest_ignores_runtime_and_the_order_of_keys_and_nothing_else():
  digest = workdir.config_digest(make_config())
  turned = ml_collections.ConfigDict(dict(reversed(make_config().to_dict().items())))
  assert workdir.config_digest(make_config(**{'runtime.workers': 8})) == digest
  assert workdir.config_digest(turned) == digest
  assert workdir.config_digest(make_config(**{'optimizer.decay': 1.0 + 1e-16 + 1e-9})) != digest
  assert workdir.config_digest(make_config(seed=1)) != digest


def test_a_config_that_json_cannot_hold_is_refused(tmp_path):
  for value in (float('nan'), object()):
    with pytest.raises(UserError, match='cannot be stored as JSON'):
      workdir.save_config(tmp_path / 'c.json', {'a': value})
  with pytest.raises(UserError, match='does not exist'):
    workdir.load_config(tmp_path / 'c.json')
  (tmp_path / 'c.json').write_text('[1]')
  with pytest.raises(UserError, match='holds no config'):
    workdir.load_config(tmp_path / 'c.json')


OTHERS_CONFIG = {'architecture': 'resnet18', 'num_classes': 3, 'pretrained_cfg': {}}


def test_a_config_of_another_program_is_refused_wherever_a_workdir_is_named(tmp_path):
  records.write_json(tmp_path / 'config.json', OTHERS_CONFIG)
  for use in (workdir.existing_workdir, lambda path: workdir.open_workdir(path, make_config()),
              lambda path: workdir.keep_config(path, make_config()),
              lambda path: workdir.config_of_run(path, base.get_config())):
    with pytest.raises(UserError, match='no config of this program: it lacks task, data, net'):
      use(tmp_path)
  assert records.read_json(tmp_path / 'config.json') == OTHERS_CONFIG


def test_a_config_that_lacks_newer_keys_and_sections_is_one_of_this_program(tmp_path):
  records.write_json(tmp_path / 'config.json', {'net': {'name': 'se_resnet18'}})
  assert workdir.existing_workdir(tmp_path) == tmp_path
  assert workdir.config_of_run(tmp_path, base.get_config()).net.name == 'se_resnet18'


# Opening


def test_a_new_workdir_gets_its_config_and_opens_again(tmp_path):
  path = tmp_path / 'runs' / 'demo'
  assert open_run(path) == open_run(path) == workdir.existing_workdir(path)
  assert workdir.load_config(path / 'config.json').to_dict() == make_config().to_dict()
  assert workdir.read_run(path)['config_name'] == 'configs/tagger.py:demo'
  assert sorted(os.listdir(path)) == ['config.json', 'run.json']


def test_a_changed_config_is_refused_with_the_difference_and_a_free_name(tmp_path):
  path = tmp_path / 'demo'
  open_run(path)
  save_a_step(path)
  (tmp_path / 'demo-2').mkdir()
  before = (path / 'config.json').read_bytes()
  with pytest.raises(UserError) as refusal:
    open_run(path, **{'optimizer.learning_rate': 0.01, 'net.stages': (2, 2), 'runtime.workers': 0})
  message = str(refusal.value)
  assert 'optimizer.learning_rate: 0.001 -> 0.01' in message
  assert 'net.stages: [3, 4, 6, 3] -> [2, 2]' in message
  assert 'runtime' not in message
  assert f'--workdir={path}-3' in message
  assert (path / 'config.json').read_bytes() == before


def test_until_a_step_is_saved_a_config_may_be_corrected(tmp_path):
  open_run(tmp_path / 'demo')
  data_record.check_data(tmp_path / 'demo', Given('aaa'))
  open_run(tmp_path / 'demo', seed=7)
  data_record.check_data(tmp_path / 'demo', Given('bbb'))
  assert workdir.load_config(tmp_path / 'demo' / 'config.json').seed == 7


def test_opening_writes_nothing(tmp_path):
  open_run(tmp_path)
  before = {path: path.read_bytes() for path in tmp_path.iterdir()}
  workdir.open_workdir(tmp_path, make_config(**{'runtime.workers': 0}))
  assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_relative_paths_and_home_become_absolute(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('HOME', str(tmp_path))
  assert str(workdir.open_workdir('runs/x', make_config())) == str(tmp_path / 'runs' / 'x')
  assert str(workdir.open_workdir('~/y', make_config())) == str(tmp_path / 'y')
  fake_store.install(tmp_path / 'store')
  assert str(workdir.absolute('gs://bucket/z')) == 'gs://bucket/z'


def test_added_and_removed_keys_are_differences(tmp_path):
  old, new = make_config().to_dict(), make_config().to_dict()
  del old['seed']
  new['net']['width'] = 8
  assert workdir.diff_configs(old, new) == [
    'net.width: (no such key) -> 8', 'seed: (no such key) -> 0']


def test_runtime_may_change_and_is_said_and_kept(tmp_path, capsys):
  open_run(tmp_path / 'demo')
  save_a_step(tmp_path / 'demo')
  open_run(tmp_path / 'demo', **{'runtime.workers': 0})
  assert 'runtime.workers: 2 -> 0' in capsys.readouterr().out
  assert workdir.load_config(tmp_path / 'demo' / 'config.json').runtime.workers == 0


def test_what_becomes_of_diverged_steps_may_change_and_every_start_notes_it(tmp_path):
  open_run(tmp_path / 'demo')
  save_a_step(tmp_path / 'demo')
  changes = {'train.on_divergence': 'rollback', 'train.divergence_limit': 3}
  open_run(tmp_path / 'demo', **changes)
  assert [start['train'] for start in workdir.read_run(tmp_path / 'demo')['starts']] == [
    {'on_divergence': 'abort', 'divergence_limit': 10},
    {'on_divergence': 'rollback', 'divergence_limit': 3}]
  assert workdir.config_digest(make_config(**changes)) == workdir.config_digest(make_config())
  with pytest.raises(UserError, match='train.batch_size: 8 -> 4') as refusal:
    open_run(tmp_path / 'demo', **{'train.batch_size': 4})
  assert 'divergence' not in str(refusal.value)


def test_foreign_folders_and_files_are_left_alone(tmp_path):
  (tmp_path / 'photos').mkdir()
  (tmp_path / 'photos' / 'a.jpg').write_text('x')
  with pytest.raises(UserError, match=r'no config.json.*photos-2'):
    open_run(tmp_path / 'photos')
  assert os.listdir(tmp_path / 'photos') == ['a.jpg']
  with pytest.raises(UserError, match='is a file'):
    open_run(tmp_path / 'photos' / 'a.jpg')
  with pytest.raises(UserError, match='is not the folder of a run'):
    workdir.existing_workdir(tmp_path / 'photos')


def test_an_empty_folder_or_hidden_files_alone_may_become_a_workdir(tmp_path):
  (tmp_path / '.DS_Store').write_text('x')
  open_run(tmp_path)
  assert (tmp_path / 'config.json').exists()


def test_a_kept_config_gives_way_to_a_later_one_where_asked_and_no_run_was_trained(tmp_path):
  path = tmp_path / 'groups'

  def keep(seed, **options):
    workdir.keep_config(path, make_config(seed=seed), **options)
    return workdir.load_config(path / 'config.json').seed

  assert keep(1) == keep(2) == 1 and keep(3, renew=True) == 3
  (path / 'tags.json').write_text('{}')
  assert keep(4, renew=True) == 3


def test_a_start_that_was_killed_before_its_config_can_be_repeated(tmp_path, monkeypatch):
  def killed(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(workdir, 'save_config', killed)
    with pytest.raises(KeyboardInterrupt):
      open_run(tmp_path / 'demo')
  open_run(tmp_path / 'demo')


def test_every_start_is_described_with_code_versions_and_devices(tmp_path):
  open_run(tmp_path)
  workdir.update_run(tmp_path, step=3)
  open_run(tmp_path)
  run = workdir.read_run(tmp_path)
  assert run['step'] == 3 and len(run['starts']) == 2
  start = run['starts'][1]
  assert start['versions'].keys() >= {'python', 'jax', 'flax', 'numpy', 'orbax-checkpoint'}
  assert start['devices']['count'] >= 1 and start['time'] and 'xla_flags' in start
  assert isinstance(start['commit'], str)


# Keys that are newer than a run


def write_older(path, *lacking, **changes):
  """A run with a checkpoint that was begun before keys of the real config were there."""
  config = base.get_config()
  config.update_from_flattened_dict(changes)
  values = config.to_dict()
  for name in lacking:
    section, key = name.split('.')
    del values[section][key]
  records.write_json(path / 'config.json', values)
  save_a_step(path)
  return workdir.config_digest(values)


NEWER = ('train.on_divergence', 'train.divergence_limit', 'train.shrink', 'runtime.stuck_sec')


def test_a_run_older_than_a_key_goes_on_and_its_checkpoints_are_its_own(tmp_path):
  digest = write_older(tmp_path, *NEWER)
  config = base.get_config()
  assert workdir.config_digest(config) != digest
  for _ in range(2):                                     # begun, killed, and begun again
    folder = workdir.open_workdir(tmp_path, config)
    workdir.begin_run(folder, config, config_name='x')
    assert workdir.run_digest(folder, config) == digest
  config.runtime.stuck_sec = 60.0
  workdir.begin_run(workdir.open_workdir(tmp_path, config), config, config_name='x')
  assert workdir.load_config(tmp_path / 'config.json') == config


def test_another_value_than_the_default_of_a_newer_key_is_a_difference(tmp_path):
  write_older(tmp_path, *NEWER)
  config = base.get_config()
  config.train.shrink = 2
  with pytest.raises(UserError, match=r'train.shrink: absent \(default 1\) -> 2') as refusal:
    workdir.open_workdir(tmp_path, config)
  assert str(refusal.value).count('absent') == 1


def test_a_config_that_was_changed_by_hand_does_not_own_the_checkpoints(tmp_path):
  digest = write_older(tmp_path, *NEWER)
  config = base.get_config()
  workdir.begin_run(workdir.open_workdir(tmp_path, config), config, config_name='x')
  config.seed = 1
  workdir.save_config(tmp_path / 'config.json', config)
  workdir.begin_run(workdir.open_workdir(tmp_path, config), config, config_name='x')
  assert workdir.run_digest(tmp_path, config) != digest


def test_the_digest_of_a_run_is_that_of_its_config_where_nothing_is_newer(tmp_path):
  config = base.get_config()
  digest = workdir.config_digest(config)
  assert workdir.run_digest(tmp_path, config) == digest
  workdir.begin_run(workdir.open_workdir(tmp_path, config), config, config_name='x')
  save_a_step(tmp_path)
  assert workdir.run_digest(tmp_path, config) == digest
  config.seed = 1
  assert workdir.run_digest(tmp_path, config) != digest


def test_until_a_step_is_saved_newer_keys_are_kept(tmp_path):
  write_older(tmp_path, *NEWER)
  (tmp_path / 'checkpoints' / '1').rmdir()
  config = base.get_config()
  workdir.begin_run(workdir.open_workdir(tmp_path, config), config, config_name='x')
  assert workdir.load_config(tmp_path / 'config.json') == config


# A finished run


def test_a_finished_run_is_not_taken_for_one_judged_by_another_checkpoint(tmp_path):
  config = base.get_config()
  record = {'finished': True, 'chosen': {'checkpoint': 'latest', 'step': 8}}
  workdir.check_judged(record, config, tmp_path)
  workdir.check_judged({'finished': True}, config, tmp_path)
  config.checkpoint = 'best'
  with pytest.raises(UserError, match=r"'latest'.*--job=evaluate.*--config.checkpoint=best"):
    workdir.check_judged(record, config, tmp_path)
