"""Weights that a pose net starts from: published pose nets, classifiers' trunks, and other runs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from safetensors.numpy import load_file, save_file

import nets
from configs import base
from data.joints import JOINT_NAMES
from errors import UserError
from nets import layers
from nets.weight_names import get_weight_names
from train_lib import workdir
from train_lib.state import create_state
from train_lib.storage import records
from train_lib.storage.checkpoints import Checkpoints
from train_lib.trees import flatten_names
from train_lib.weights.weights import check_weights, load_weights, save_weights

POSE, CLASSIFIER = 'hrnet_w18_small_pose', 'hrnet_w18_small'
NAMES = get_weight_names(POSE)
HEAD = {'params/head/kernel', 'params/head/bias'}
MERGING = {'classifier', 'downsamp_modules', 'final_layer', 'incre_modules', 'stage4'}  # of timm


@functools.cache
def shapes(name, num_outputs):
  net = nets.build_net(name, num_outputs)
  with layers.conv_form('plain'):  # the quickest to trace
    return jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0),
                          jnp.zeros((1, 32, 32, 3)))


@functools.cache
def drawn(name, num_outputs, seed=1):
  """Variables in which no two arrays are alike; positive, as variances are."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda leaf: rng.uniform(0.1, 1, size=leaf.shape).astype(np.float32),
                      shapes(name, num_outputs))


@pytest.fixture
def write(tmp_path):
  """(name of a net, number of outputs) -> the path of its weights in the names of timm."""
  def write(name, num_outputs, rename=lambda key: key):
    path = tmp_path / f'{name}.safetensors'
    save_weights(path, drawn(name, num_outputs), get_weight_names(name)['timm'])
    arrays = load_file(path)
    counters = {key.replace('running_mean', 'num_batches_tracked'): np.array(7)
                for key in arrays if key.endswith('running_mean')}
    save_file({rename(key): value for key, value in {**arrays, **counters}.items()}, path)
    return path
  return write


def run_of(folder, name, variables, outputs):
  """Writes what a run leaves of its net."""
  config = base.get_config()
  config.net.name = name
  workdir.save_config(folder / 'config.json', config)
  records.write_json(folder / 'tags.json', {
      'names': outputs, 'categories': ['general'] * len(outputs)})
  state = create_state(jax.tree.map(jnp.asarray, variables), optax.sgd(1.0), use_ema=False)
  with Checkpoints(folder / 'checkpoints', config_digest='', keep_last=1) as checkpoints:
    checkpoints.save(1, state)
  return folder


def load(source, **options):
  """Loads into a fresh pose net of 17 joints. Returns ({name: array}, account)."""
  options = {'net': POSE, 'outputs': JOINT_NAMES, **options}
  loaded, account = load_weights(source, drawn(POSE, 17, seed=2), names=NAMES, **options)
  return flatten_names(loaded), account


def behind(trunk, head):
  """A renaming: one name before the keys of the trunk, and one before those of the head."""
  return lambda key: (head if key.startswith('final_layer') else trunk) + key


@pytest.mark.parametrize('trunk, head', [
  ('', ''), ('module.', 'module.'), ('backbone.', 'keypoint_head.'), ('backbone.', 'head.'),
  ('module.backbone.', 'module.head.')],
  ids=['authors', 'authors-parallel', 'mmpose-0', 'mmpose-1', 'mmpose-parallel'])
def test_a_published_pose_net_is_loaded_whole(write, trunk, head):
  loaded, account = load(write(POSE, 17, behind(trunk, head)), head='keep')
  assert len(account.loaded) == len(account.sizes) == 292
  assert not (account.adapted or account.initial or account.unused)
  for name, value in flatten_names(drawn(POSE, 17)).items():
    np.testing.assert_array_equal(loaded[name], value)


def test_a_pose_net_of_other_joints_gives_its_trunk(write):
  path = write(POSE, 16, behind('backbone.', 'head.'))
  _, account = load(path)
  assert set(account.initial) == HEAD
  assert 'head (2): another number of outputs (final_layer.' in str(account)
  with pytest.raises(UserError, match='which does not fit: final_layer.bias .16. is for'):
    load(path, head='keep')


def test_a_trunk_without_its_head_is_enough(write):
  path = write(POSE, 17, lambda key: f'backbone.{key}')
  arrays = load_file(path)
  save_file({key: value for key, value in arrays.items() if 'final_layer' not in key}, path)
  _, account = load(path)
  assert set(account.initial) == HEAD and not account.unused


def test_a_classifiers_trunk_starts_a_pose_net_whose_head_stays_fresh(write):
  path = write(CLASSIFIER, 5)
  check_weights(path, shapes(POSE, 1), names=NAMES, head='auto', partial=False,
                checkpoint='latest', pixels=())
  loaded, account = load(path)
  fresh, trunk = flatten_names(drawn(POSE, 17, seed=2)), flatten_names(drawn(CLASSIFIER, 5))
  for name, value in loaded.items():
    np.testing.assert_array_equal(value, (fresh if name in HEAD else trunk)[name])
  assert set(account.initial) == HEAD
  assert {key.split('.')[0] for key in account.unused} == MERGING
  assert 'left at initial values: head (2): there is no head of this kind\n' in str(account)
  assert 'not used from the file: classifier (2), ' in str(account)
  with pytest.raises(UserError, match='has no head of this kind, so that net.init_head=keep cannot '
                                      'hold; auto leaves'):
    load(path, head='keep')


def test_a_pose_net_lacks_what_a_classifier_is_made_of(write):
  with pytest.raises(UserError, match=r'lacks \d+ of the \d+ arrays of this net: .*merge_branch1'):
    load_weights(write(POSE, 17), shapes(CLASSIFIER, 5), names=get_weight_names(CLASSIFIER))


def test_a_run_of_a_classifier_starts_a_pose_net(tmp_path):
  loaded, account = load(run_of(tmp_path / 'run', CLASSIFIER, drawn(CLASSIFIER, 5), tuple('abcde')))
  trunk = flatten_names(drawn(CLASSIFIER, 5))
  assert set(loaded) - set(account.loaded) == HEAD
  for name in account.loaded:
    np.testing.assert_array_equal(loaded[name], trunk[name])
  assert 'they are of hrnet_w18_small: what' in str(account)
  assert 'head (2): there is no head of this kind (params/head/kernel [2048, 5]' in str(account)
  assert 'merge_last' in str(account)


def test_a_pose_run_starts_another_if_its_joints_are_the_same(tmp_path):
  loaded, account = load(run_of(tmp_path / 'run', POSE, drawn(POSE, 17), JOINT_NAMES), head='keep')
  assert not (account.initial or account.unused or account.other_net)
  for name, value in flatten_names(drawn(POSE, 17)).items():
    np.testing.assert_array_equal(loaded[name], value)
  _, account = load(tmp_path / 'run', outputs=JOINT_NAMES[::-1])
  assert set(account.initial) == HEAD
  assert 'head (2): outputs of other meanings' in str(account)
