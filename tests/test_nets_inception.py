"""Inception's own choices: forms, auxiliary head, Keras' numbers, and what weights are worth.

The last test needs the trunk of a Keras Inception v3 and photographs of clothes in ten classes,
under OKO_SHARED or a folder `shared` beside the checkout; without them it is skipped.
"""

import os
import pathlib
import zipfile

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data.decode import decode_image
from errors import UserError
from nets import build_net, get_variant, layers
from nets.keras_names.inception import to_keras
from nets.weight_names import get_weight_names
from train_lib.weights.weights import load_weights

SHARED = pathlib.Path(
  os.environ.get('OKO_SHARED', pathlib.Path(__file__).parents[1] / '../shared'))
WEIGHTS = SHARED / 'weights' / 'inception_v3_imagenet_to_mixed8.npz'
PHOTOGRAPHS = SHARED / 'data' / 'clothing' / 'clothing_small_subset.zip'
BATCH = 31


def abstract(name, num_outputs=3, size=299):
  net = build_net(name, num_outputs)
  with layers.conv_form('plain'):
    return jax.eval_shape(
      lambda key: net.init_with_output(key, jnp.zeros((1, size, size, 3)), train=False),
      jax.random.key(0))


def test_only_the_keras_form_has_norms_without_scale():
  for name, leaves in (('inception_v3', {'scale', 'bias'}), ('inception_v3_keras', {'bias'})):
    params = abstract(name)[1]['params']
    assert set(params['conv2d_1a_3x3']['norm']) == leaves
    assert set(params['mixed_7c']['branch3x3dbl_3b']['norm']) == leaves


def test_the_auxiliary_head_gives_logits_of_its_own_and_only_where_asked():
  for name, present in (('inception_v3', False), ('inception_v3_aux', True)):
    (output, taps), variables = abstract(name)
    assert ('aux_output' in taps) is ('aux_logits' in variables['params']) is present
  assert taps['aux_output'].shape == output.shape == (1, 3)
  assert taps['aux_output'].dtype == jnp.float32
  assert 'aux_output' not in abstract('inception_v3_aux', num_outputs=0)[0][1]


def test_the_auxiliary_head_refuses_pictures_that_are_too_small_for_it():
  with pytest.raises(UserError, match='at least 299 px'):
    abstract('inception_v3_aux', size=298)
  abstract('inception_v3', size=75)


def test_keras_numbers_layers_in_the_order_in_which_it_makes_them():
  def keras(*path):
    return to_keras('inception_v3_keras', path)
  assert keras('conv2d_1a_3x3', 'conv', 'kernel') == 'conv2d/kernel'
  assert keras('mixed_5b', 'branch1x1', 'conv', 'kernel') == 'conv2d_5/kernel'
  assert keras('mixed_7a', 'branch7x7x3_4', 'norm', 'bias') == 'batch_normalization_75/beta'
  assert keras('mixed_7c', 'branch_pool', 'norm', 'var') == 'batch_normalization_93/moving_variance'
  assert keras('head', 'kernel') == 'predictions/kernel'


def test_the_net_cut_at_mixed8_is_the_front_of_keras_form_with_its_names():
  (_, whole_taps), whole = abstract('inception_v3_keras', 0)
  (output, taps), front = abstract('inception_v3_mixed8', 0)
  leaves, others = (flax.traverse_util.flatten_dict(tree) for tree in (front, whole))
  assert {path: leaf.shape for path, leaf in leaves.items()} == {
    path: leaf.shape for path, leaf in others.items() if path[1] not in ('mixed_7b', 'mixed_7c')}
  assert output.shape == taps['features'].shape == (1, 1280)
  assert taps['features_2d'].shape == whole_taps['mixed_7a'].shape and 'mixed_7b' not in taps
  keys = {name: get_weight_names(name)['keras'].to_key for name in
          ('inception_v3_keras', 'inception_v3_mixed8')}
  assert len({keys['inception_v3_mixed8'](path[1:]) for path in leaves}) == len(leaves) == 76 * 4
  assert all(keys['inception_v3_mixed8'](path[1:]) == keys['inception_v3_keras'](path[1:])
             for path in leaves)


@pytest.mark.skipif(not WEIGHTS.exists(), reason='needs the weights under OKO_SHARED or ../shared')
def test_the_stored_trunk_is_loaded_whole_and_only_the_head_is_left_fresh():
  variables = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                           abstract('inception_v3_mixed8')[1])
  loaded, account = load_weights(
    WEIGHTS, variables, names=get_weight_names('inception_v3_mixed8'))
  assert len(account.loaded) == 76 * 4 and not account.unused
  assert set(account.initial) == {'params/head/kernel', 'params/head/bias'}
  assert loaded['params']['mixed_7a']['branch7x7x3_4']['conv']['kernel'].any()


@pytest.mark.skipif(not WEIGHTS.exists(), reason='needs the weights under OKO_SHARED or ../shared')
def test_the_whole_net_of_a_file_that_ends_at_mixed8_names_the_net_that_does_so():
  variables = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                           abstract('inception_v3_keras')[1])
  with pytest.raises(UserError, match='lacks 72 of .*--config.net.name=inception_v3_mixed8'):
    load_weights(WEIGHTS, variables, names=get_weight_names('inception_v3_keras'))


def read_photographs(size):
  """Returns uint8 [186, size, size, 3] and their classes: the whole validation split."""
  import cv2
  images, labels = [], []
  with zipfile.ZipFile(PHOTOGRAPHS) as file:
    for name in sorted(file.namelist()):
      if name.startswith('validation/') and name.endswith('.jpg'):
        image = decode_image(file.read(name), max_pixels=50_000_000)
        images.append(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        labels.append(name.split('/')[1])
  return np.stack(images), np.array(labels)


def draw_variables():
  """What `net.init` would give, without compiling it."""
  rng = np.random.default_rng(0)
  def draw(path, leaf):
    if path[-1] == 'kernel':
      deviation = np.sqrt(2 / (np.prod(leaf.shape[:2]) * leaf.shape[3]))
      return np.float32(rng.normal(size=leaf.shape) * deviation)
    return np.full(leaf.shape, path[-1] == 'var', np.float32)
  leaves = flax.traverse_util.flatten_dict(abstract('inception_v3_keras', 0)[1])
  return flax.traverse_util.unflatten_dict(
    {path: draw(path, leaf) for path, leaf in leaves.items()})


def leave_one_out(features, labels):
  """Share of rows whose nearest other row, by the angle between them, has the same label."""
  features = features - features.mean(axis=0)
  features /= np.linalg.norm(features, axis=1, keepdims=True)
  similarity = features @ features.T
  np.fill_diagonal(similarity, -np.inf)
  return (labels[similarity.argmax(axis=1)] == labels).mean()


@pytest.mark.slow
@pytest.mark.skipif(not (WEIGHTS.exists() and PHOTOGRAPHS.exists()),
                    reason='needs the weights and photographs under OKO_SHARED or ../shared')
def test_published_weights_tell_clothes_apart_better_than_random_kernels_and_raw_pixels(capsys):
  row, net = get_variant('inception_v3_keras'), build_net('inception_v3_keras', 0)
  pictures, labels = read_photographs(row.input_size_px)
  images = ((pictures - np.float32(row.mean)) / np.float32(row.std)).astype(np.float32)
  random = draw_variables()
  published, account = load_weights(
    WEIGHTS, random, names=get_weight_names('inception_v3_keras'), partial=True,
    pixels=(row.mean, row.std))
  assert len(account.loaded) == 76 * 4 and not account.unused

  @jax.jit
  def pool(variables, image):
    _, taps = net.apply(variables, image, train=False)
    return taps['mixed_7a'].mean(axis=(1, 2))  # Keras' mixed8

  def accuracy(variables):
    return leave_one_out(np.concatenate(
      [pool(variables, images[start:start + BATCH])
       for start in range(0, len(images), BATCH)]), labels)

  found = dict(weights=accuracy(published), random=accuracy(random),
               pixels=leave_one_out(images.reshape(len(images), -1), labels))
  with capsys.disabled():
    print(f'\nleave-one-out accuracy on {len(labels)} photographs:',
          ', '.join(f'{name} {value:.1%}' for name, value in found.items()))
  assert found['weights'] > 0.55
  assert found['weights'] > max(found['random'], found['pixels']) + 0.2
