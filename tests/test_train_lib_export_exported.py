"""config.json of an exported folder: what it says, what it keeps to itself, what it is not told."""

import json

import pytest

from configs import base, saved, tagger
from errors import UserError
from tests.drawn_nets import PAGES, make_run, write_export
from tests.small_workdirs import leaves
from train_lib import workdir as workdir_lib
from train_lib.export import exported
from train_lib.poses import people_finder

MARK = '/home/somebody/secret'
# Keys that are '' or () by default and may be told: names, numbers and choices.
HARMLESS = {
    'data.tfds_name', 'data.corrupt', 'net.mean', 'net.std', 'net.activation', 'net.remat',
    'train.freeze', 'train.freeze_first', 'optimizer.decayed', 'optimizer.lr_factors',
    'predict.captions', 'predict.category_thresholds', 'export.license', 'export.as_general',
    'cluster.k_tried', 'study.rate_factors', 'study.metric', 'study.functions',
    'benchmark.nets', 'benchmark.batch_sizes', 'benchmark.dtypes', 'benchmark.devices'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """(folder, config, run) of a classifier whose config names many places."""
  path = tmp_path_factory.mktemp('exported')
  page, preset, data = PAGES['classification']
  config, run = make_run(page, preset, **data)
  for name in exported.PRIVATE:
    *sections, key = name.split('.')
    section = config
    for one in sections:
      section = section[one]
    if isinstance(section[key], str):
      section[key] = MARK
    elif isinstance(section[key], tuple):
      section[key] = (MARK,)
  write_export(path, config, run)
  return path, config, run


def test_nothing_that_names_a_place_is_published(folder):
  assert 'somebody' not in (folder[0] / 'config.json').read_text()


def test_every_key_that_may_name_a_place_is_private_or_known_to_be_harmless():
  empty = {name for name, value in leaves(base.get_config()) if value in ('', ())}
  assert empty - exported.PRIVATE.keys() == HARMLESS
  known = dict(leaves(base.get_config()))
  assert exported.PRIVATE.keys() <= known.keys()
  assert {name for name, value in exported.PRIVATE.items() if value != known[name]} == set()


def test_timm_finds_what_it_reads(folder):
  said = json.loads((folder[0] / 'config.json').read_text())
  cfg = said['pretrained_cfg']
  assert said['architecture'] == 'se_resnet_tiny' and said['num_classes'] == 5
  assert said['num_features'] == 96 and cfg['input_size'] == [3, 32, 32] and cfg['crop_pct'] == 1
  assert cfg['mean'] == cfg['std'] == [0.5] * 3 and cfg['fixed_input_size'] is False
  assert cfg['label_names'] == list(folder[2].tag_names)
  assert (cfg['first_conv'], cfg['classifier']) == ('conv1', 'fc')
  assert 'license' not in cfg


@pytest.mark.parametrize('net, size_px, wanted', [
    ('vit_tiny_patch16', 64, {'architecture': 'vit_tiny_patch16_224', 'num_features': 192,
                              'model_args': {'img_size': [64, 64]}}),
    ('inception_v3_aux', 299, {'architecture': 'inception_v3', 'num_features': 2048,
                               'model_args': {'aux_logits': True}})])
def test_what_timm_has_to_be_told_to_make_the_net_is_told(net, size_px, wanted, tmp_path):
  config, run = make_run(*PAGES['classification'][:2], net=net, image_size_px=size_px)
  config.export.license = 'mit'
  write_export(tmp_path, config, run)
  said = json.loads((tmp_path / 'config.json').read_text())
  assert {key: said[key] for key in wanted} == wanted
  assert said['pretrained_cfg']['fixed_input_size'] is net.startswith('vit')
  assert said['pretrained_cfg']['license'] == 'mit'
  assert said['oko']['timm'] == wanted['architecture']


def test_a_net_with_other_activations_is_not_called_timms():
  config = tagger.get_config('smoke')
  config.net.activation = 'tanh'
  assert exported.timm_name(config, None) == ''


def test_an_exported_folder_is_told_from_a_workdir(folder, tmp_path):
  path, config, _ = folder
  assert exported.is_exported(path) and exported.is_exported(str(path))
  workdir_lib.save_config(tmp_path / 'config.json', config)
  for other in (tmp_path, tmp_path / 'none', ''):
    assert not exported.is_exported(other)
  (tmp_path / 'config.json').write_text('{"oko')
  assert not exported.is_exported(tmp_path)


def test_the_config_comes_back_without_the_places(folder):
  path, config, _ = folder
  found = exported.read_config(path)
  assert found.net.name == config.net.name and found.data.image_size_px == 32
  assert found.data.path == '' and isinstance(found.data.augment, tuple)
  assert found == workdir_lib.load_config(path / 'config.json')
  assert found.keys() == config.keys()


def test_a_page_of_it_holds_every_key(folder):
  found = saved.get_config(str(folder[0]))
  assert dict(leaves(found)).keys() == dict(leaves(base.get_config())).keys()
  assert found.net.name == 'se_resnet_tiny' and found.task == 'classification'


def test_a_folder_from_elsewhere_decides_nothing_about_this_machine(folder, tmp_path):
  said = json.loads((folder[0] / 'config.json').read_text())
  said['oko']['config']['runtime']['cache_dir'] = said['oko']['config']['serve']['host'] = 'theirs'
  said['oko']['config']['data']['persons']['cut_by'] = 'theirs'
  (tmp_path / 'config.json').write_text(json.dumps(said))
  found = saved.get_config(str(tmp_path))
  assert found.runtime.cache_dir == '' and found.serve == base.get_config().serve
  with pytest.raises(UserError, match='sets data.persons.cut_by, runtime.cache_dir, serve.host'):
    exported.read_config(tmp_path)


@pytest.mark.parametrize('change, words', [
    (lambda about: about.pop('names'), 'lacks names'),
    (lambda about: about.update(step='3', config=[]), 'lacks step, config'),
    (lambda about: about.update(format=2), 'is of form 2'),
    (lambda about: about['names'].append(3), 'its names are not what'),
    (lambda about: about.update(step=-5), 'its step'),
    (lambda about: about.update(thresholds={'micro': 'x'}), 'its thresholds'),
    (lambda about: about.update(pixels={}), 'its thresholds and pixels'),
    (lambda about: about['config']['data'].update(image_size_px=10 ** 6), 'image_size_px'),
    (lambda about: about['config']['data'].update(image_size_px='64'), 'image_size_px')])
def test_what_is_damaged_or_newer_is_told(folder, tmp_path, change, words):
  said = json.loads((folder[0] / 'config.json').read_text())
  change(said['oko'])
  (tmp_path / 'config.json').write_text(json.dumps(said))
  with pytest.raises(UserError, match=words):
    exported.read_about(tmp_path)


@pytest.mark.parametrize('section', [3, {'image_size_px': 'x'}])
def test_a_config_of_other_types_is_told(folder, tmp_path, section):
  said = json.loads((folder[0] / 'config.json').read_text())
  said['oko']['config']['data'] = section
  (tmp_path / 'config.json').write_text(json.dumps(said))
  with pytest.raises(UserError, match='holds no config that this program knows'):
    saved.get_config(str(tmp_path))


@pytest.mark.parametrize('about', ['5', '{"config": 3}'])
def test_a_page_of_a_damaged_one_is_told(tmp_path, about):
  (tmp_path / 'config.json').write_text(f'{{"oko": {about}}}')
  with pytest.raises(UserError, match='lacks the config'):
    saved.get_config(str(tmp_path))


def test_a_run_cannot_go_on_in_it(folder):
  with pytest.raises(UserError, match='is an exported net, without the run'):
    workdir_lib.open_workdir(folder[0], folder[1])


def test_a_pose_net_that_cuts_people_out_may_be_an_exported_one(folder):
  with pytest.raises(UserError, match="is a run of the task 'classification'"):
    people_finder.PeopleFinder(exported.read_config(folder[0]), folder[0])
