"""Tests of train_lib/features.py and of its use: from features on disk a head learns the same."""

import dataclasses
import os
import time

import cv2
import jax
import numpy as np
import pytest

from configs import fashion
from errors import UserError
from train_lib import build_data, build_sources, check, feature_loader, features
from train_lib.evaluation import Evaluator
from train_lib.training import build_training, with_features
from train_lib.trees import flatten_names

pytestmark = pytest.mark.usefixtures('small_net')

TRUNK = ('*', '!head')
SAME = dict(rtol=2e-5, atol=2e-6)


def small_config(folder):
  """Three steps of the head alone in front of three of the whole net; dropout, pictures as is."""
  config = fashion.get_config('smoke')
  config.data.dir, config.runtime.features_dir = str(folder / 'data'), str(folder / 'features')
  config.data.image_size_px, config.data.augment = 32, ()
  config.data.num_train, config.data.num_valid, config.data.num_test = 20, 11, 4
  config.net.dropout_rate = 0.5
  config.train.batch_size, config.train.num_steps, config.eval.batch_size = 8, 6, 8
  config.train.freeze_first, config.train.freeze_first_frac = TRUNK, 0.5
  config.train.cache_features = True
  config.runtime.workers = 0
  return config


def valid_loader(config):
  return build_data.build_evaluation_loader(config, build_sources.build_source(config, 'valid'))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('features')


def drawn_state(training):
  """A state of step 0 with weights and statistics of a trained net's size, without compiling."""
  rng = np.random.default_rng(0)

  def draw(leaf):
    scale = 1 / np.sqrt(np.prod(leaf.shape[:-1])) if len(leaf.shape) > 1 else 0.1
    center = 0.0 if len(leaf.shape) > 1 else 1.0
    return np.float32(center + scale * rng.standard_normal(leaf.shape))

  abstract = training.abstract_state
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), abstract)
  return zeros.replace(params=jax.tree.map(draw, abstract.params),
                       batch_stats=jax.tree.map(draw, abstract.batch_stats))


@pytest.fixture(scope='module')
def pair(folder):
  """(the training without features, the same with them, the state that both begin with)."""
  config = small_config(folder)
  training = build_training(config)
  state = drawn_state(training)
  return training, with_features(training, state, valid_loader(config), lambda: None), state


def run_steps(training, state, start, stop):
  state = jax.tree.map(np.asarray, state)
  for step, batch in enumerate(training.batches(start, stop), start + 1):
    batch = {key: value for key, value in batch.items() if key != 'id'}
    state, metrics = training.step_function(step)(state, batch, training.key)
  return state, jax.device_get(metrics)


def test_the_cached_path_gives_the_same_head_as_the_uncached_one(pair):
  plain, cached, first = pair
  (one, metrics), (other, others) = (run_steps(way, first, 0, 3) for way in (plain, cached))
  assert cached.on_features(3) and not cached.on_features(4)
  before, after, same = (flatten_names(state.params) for state in (first, one, other))
  for name, value in after.items():
    if name.startswith('head/'):
      assert np.abs(value - before[name]).max() > 1e-4
      np.testing.assert_allclose(same[name], value, **SAME)
    else:
      np.testing.assert_array_equal(same[name], before[name])
  for tree in ('batch_stats', 'opt_state'):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **SAME),
                 getattr(one, tree), getattr(other, tree))
  for name, value in metrics.items():
    np.testing.assert_allclose(others[name], value, rtol=1e-4, err_msg=name)


def test_after_the_head_alone_steps_read_pictures(pair):
  _, cached, _ = pair
  shapes = [batch['image'].shape for batch in cached.batches(2, 5)]
  assert shapes == [(8, 1, 1, 16), (8, 32, 32, 3), (8, 32, 32, 3)]
  steps = {cached.step_function(step) for step in range(1, 7)}
  assert len(steps) == 2


def test_the_validation_split_measures_the_same_from_features(pair, folder):
  plain, cached, state = pair
  variables = {'params': state.params, 'batch_stats': state.batch_stats}
  loader = valid_loader(small_config(folder))
  whole = Evaluator(plain.task, plain.mesh).evaluate(variables, loader)
  part = cached.head.evaluator.evaluate(variables, cached.head.valid_loader)
  assert part.metrics['examples'] == 11
  assert part.metrics == pytest.approx(whole.metrics, rel=1e-4)
  np.testing.assert_array_equal(part.collected.label, whole.collected.label)
  assert [pick.id for pick in part.collected.picks['first']] == [
      pick.id for pick in whole.collected.picks['first']]


def test_with_nothing_left_to_the_head_alone_no_features_are_made(pair, folder):
  plain, _, state = pair
  later = state.replace(step=np.int32(3))
  assert with_features(plain, later, None, None) is plain


def load(pair, loader, change=lambda name, leaf: leaf, config=None):
  training, _, state = pair
  variables = {'params': state.params, 'batch_stats': state.batch_stats}
  named = flatten_names(variables)
  variables = jax.tree.unflatten(jax.tree.structure(variables),
                                 [change(name, leaf) for name, leaf in named.items()])
  config = config or training.config
  return features.load_features(
      config.runtime.features_dir, training.task, training.mesh, variables, loader,
      build_data.describe_reading(config, loader.source, 'valid'))


def folders(folder):
  return {path for path in (folder / 'features').iterdir()}


def test_features_are_computed_once_for_a_trunk_and_its_data(pair, folder, capsys, monkeypatch):
  config = small_config(folder)
  known = folders(folder)
  assert len(known) == 2                        # of the training and the validation split
  first = load(pair, valid_loader(config))
  other_head = load(pair, valid_loader(config),
                    lambda name, leaf: leaf + 1 if name.startswith('params/head/') else leaf)
  np.testing.assert_array_equal(first['features'], other_head['features'])
  assert 'computing' not in capsys.readouterr().out and folders(folder) == known
  other = load(pair, valid_loader(config),
               lambda name, leaf: leaf * 1.5 if name.endswith('kernel') else leaf)
  assert 'computing the features of 11 pictures' in capsys.readouterr().out
  assert np.abs(other['features'] - first['features']).max() > 1e-3
  config.data.data_seed = 1                     # other pictures
  assert np.abs(load(pair, valid_loader(config))['features'] - first['features']).max() > 1e-3
  config = small_config(folder)
  config.data.augment, config.data.oversample = ('mirror',), 0.5  # change nothing that is read
  before = folders(folder)
  load(pair, valid_loader(config))
  assert folders(folder) == before


def test_damaged_features_are_told_and_computed_again(pair, folder, capsys):
  loader = valid_loader(small_config(folder))
  before = np.array(load(pair, loader)['features'])
  newest = max(folders(folder), key=lambda path: path.stat().st_mtime)
  for path in folders(folder):
    content = bytearray((path / 'features.npy').read_bytes())
    content[-1] ^= 1
    (path / 'features.npy').write_bytes(content)
  capsys.readouterr()
  np.testing.assert_array_equal(load(pair, loader)['features'], before)
  assert 'features.npy differs from what was written' in capsys.readouterr().out
  assert newest in folders(folder)


@pytest.mark.parametrize('section, key, value', [
    ('data', 'image_size_px', 48), ('data', 'pad', 'squish'), ('data', 'max_pixels', 10_000)])
def test_features_of_another_preprocessing_are_others(pair, folder, section, key, value):
  config = small_config(folder)
  load(pair, valid_loader(config))
  before = folders(folder)
  config[section][key] = value
  load(pair, valid_loader(config), config=config)
  assert len(folders(folder) - before) == 1


def test_features_of_other_pixel_constants_or_an_older_format_are_others(pair, folder, monkeypatch):
  config = small_config(folder)
  training, cached, state = pair
  load(pair, valid_loader(config))
  before = folders(folder)
  darker = dataclasses.replace(training.task, mean=tuple(value + 9 for value in training.task.mean))
  load((dataclasses.replace(training, task=darker), cached, state), valid_loader(config))
  assert len(folders(folder) - before) == 1
  monkeypatch.setattr(features, 'FORMAT', features.FORMAT + 1)
  load(pair, valid_loader(config))
  assert len(folders(folder) - before) == 2


def test_features_that_no_run_has_read_for_a_month_are_removed(pair, tmp_path, capsys):
  config = small_config(tmp_path)
  load(pair, valid_loader(config), config=config)
  read, = folders(tmp_path)
  place, long_ago = read.parent, time.time() - 31 * 86_400
  for name in ('0' * 32, '.filling-' + 'a' * 32, 'my own folder', 'f' * 31):
    (place / name).mkdir()
    (place / name / 'features.npy').write_bytes(b'any')
  (place / ('1' * 32)).mkdir()
  for path in folders(tmp_path) - {place / ('1' * 32)}:
    os.utime(path, (long_ago, long_ago))
  load(pair, valid_loader(config), config=config)           # read again: as good as new
  config.data.pad = 'squish'
  load(pair, valid_loader(config), config=config)
  names = {path.name for path in folders(tmp_path)}
  assert {read.name, '1' * 32, 'my own folder', 'f' * 31} < names and len(names) == 5
  assert 'removed 2 features from' in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told(pair, tmp_path):
  training, _, state = pair
  (tmp_path / 'file').write_text('')
  loader = valid_loader(training.config)
  with pytest.raises(UserError, match='--config.runtime.features_dir='):
    features.load_features(str(tmp_path / 'file'), training.task, training.mesh,
                           {'params': state.params, 'batch_stats': state.batch_stats}, loader, {})


class Drawn:
  """A loader that would replace each of its examples by the next but one."""

  def substitutes(self, index):
    return np.array([index + 2, index + 3])


def test_the_substitute_of_an_unreadable_picture_stands_in_for_each_of_its_repetitions():
  places = np.array([0, 1, 1, 2, 3, 3])         # of six examples of four pictures
  readable = np.array([True, False, True, True])
  rows = feature_loader.training_rows(Drawn(), places, readable)
  np.testing.assert_array_equal(rows, [0, 2, 3, 2, 3, 3])
  with pytest.raises(UserError, match='unreadable; check the files'):
    feature_loader.training_rows(Drawn(), places, np.array([True, False, False, False]))


def test_own_pictures_oversampled_and_broken_learn_the_same_from_features(tmp_path):
  rng = np.random.default_rng(0)
  for name, count in (('cat', 12), ('dog', 4)):
    for split in ('train', 'valid', 'test'):
      (tmp_path / 'own' / split / name).mkdir(parents=True)
      for index in range(count):
        picture = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / 'own' / split / name / f'{index}.png'), picture)
  (tmp_path / 'own' / 'train' / 'dog' / '1.png').write_bytes(b'broken')
  config = small_config(tmp_path)
  config.data.source, config.data.path = 'folder', str(tmp_path / 'own')
  config.data.oversample = 1.0
  plain = build_training(config)
  assert plain.num_steps == 6 and len(plain.places) == 24 > len(plain.train_source)
  state = drawn_state(plain)
  cached = with_features(plain, state, valid_loader(config), lambda: None)
  for own, other in zip(plain.batches(0, 3), cached.batches(0, 3), strict=True):
    np.testing.assert_array_equal(own['label'], other['label'])
    np.testing.assert_array_equal(own['mask'], other['mask'])
    assert list(own['id']) == list(other['id'])
  assert [row['id'] for row in cached.head.loader.bad_images.drain()] == ['train/dog/1.png']


@pytest.mark.parametrize('freeze, freeze_first, frac, shrink, words', [
    ((), (), 0.0, 0.0, 'in no step does the head alone learn'),
    (('stem*',), (), 0.0, 0.0, 'in no step does the head alone learn'),
    ((), TRUNK, 0.5, 0.5, 'features are kept of pictures of one size')])
def test_features_where_they_are_of_no_use_are_refused(folder, freeze, freeze_first, frac, shrink,
                                                       words):
  config = small_config(folder)
  config.train.freeze, config.train.freeze_first = freeze, freeze_first
  config.train.freeze_first_frac = frac
  config.train.shrink, config.train.shrink_frac = 2, shrink
  with pytest.raises(UserError, match=words):
    check.check_config(config)
