"""Weights in and out: what fits is loaded, what does not is told, and what went out comes back."""

import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import nets
from errors import UserError
from nets.keras_names import efficientnet as keras_efficientnet
from nets.layers import convolve
from nets.weight_names import WeightNames, get_weight_names
from tests.small_weights import HEAD, NAMES, differing, random_variables, shapes
from train_lib.trees import flatten_names, params_digest
from train_lib.weights.weight_matching import adapt_channels
from train_lib.weights.weights import load_weights, save_weights


@pytest.fixture
def stored(tmp_path):
  """(path of a file in timm's names, the variables in it)."""
  variables = random_variables(seed=1)
  save_weights(tmp_path / 'w.safetensors', variables, NAMES['timm'])
  return tmp_path / 'w.safetensors', variables


def rewrite(path, change):
  """Changes a file's {key: array}, in place."""
  arrays = load_file(path)
  change(arrays)
  save_file(arrays, path)


def test_what_went_out_comes_back(stored):
  path, variables = stored
  loaded, account = load_weights(path, random_variables(seed=2), names=NAMES)
  assert params_digest(loaded) == params_digest(variables)
  assert len(account.loaded) == len(account.sizes) == len(flatten_names(variables))
  assert not (account.adapted or account.initial or account.unused)
  assert str(account) == (f'weights from {path}, in the names of timm:\n'
                          '  loaded: 78 of 78 arrays, 190,701 of 190,701 values')


def test_files_have_the_names_and_layouts_of_timm(stored):
  path, variables = stored
  arrays, params = load_file(path), variables['params']
  kernel = params['stage2_block1']['conv1']['kernel']
  np.testing.assert_array_equal(arrays['layer2.0.conv1.weight'], kernel.transpose(3, 2, 0, 1))
  np.testing.assert_array_equal(arrays['fc.weight'], params['head']['kernel'].T)
  np.testing.assert_array_equal(
    arrays['bn1.running_var'], variables['batch_stats']['stem_norm']['var'])
  with safe_open(path, 'numpy') as file:
    assert file.metadata() == {'format': 'pt'}


def test_a_head_of_another_size_stays_as_it_was_and_is_told(stored):
  fresh = random_variables(num_outputs=7, seed=2)
  loaded, account = load_weights(stored[0], fresh, names=NAMES)
  assert differing(loaded, fresh) == set(flatten_names(fresh)) - HEAD
  assert set(account.initial) == HEAD
  assert 'left at initial values: head (2): another number of outputs (fc.' in str(account)
  assert 'not used from the file: fc (2)' in str(account)


def test_a_head_may_be_insisted_on_or_left_out(stored):
  with pytest.raises(UserError, match=r'fc.weight \[5, 96\] is for params/head/kernel \[7, 96\]'):
    load_weights(stored[0], random_variables(num_outputs=7, seed=2), names=NAMES, head='keep')
  fresh = random_variables(seed=2)
  loaded, account = load_weights(stored[0], fresh, names=NAMES, head='fresh')
  assert set(flatten_names(fresh)) - differing(loaded, fresh) == HEAD == set(account.initial)
  with pytest.raises(UserError, match="'new'; choices: auto, keep, fresh"):
    load_weights(stored[0], fresh, names=NAMES, head='new')


def test_a_net_without_head_leaves_the_files_unused(stored):
  _, account = load_weights(stored[0], random_variables(num_outputs=0, seed=2), names=NAMES)
  assert account.unused == ('fc.bias', 'fc.weight') and not account.initial


def test_a_file_without_head_is_enough_unless_the_head_is_wanted(stored):
  path, _ = stored
  rewrite(path, lambda arrays: [arrays.pop(key) for key in ('fc.weight', 'fc.bias')])
  _, account = load_weights(path, random_variables(seed=2), names=NAMES)
  assert account.initial == dict.fromkeys(sorted(HEAD), 'there is no head of this kind')
  with pytest.raises(UserError, match='no head of this kind, so that net.init_head=keep cannot'):
    load_weights(path, random_variables(seed=2), names=NAMES, head='keep')


@pytest.mark.parametrize('channels, rule', [
  (1, '3 input channels to 1: summed'), (4, '3 input channels to 4: taken in turn, times 3/4')])
def test_a_first_convolution_for_other_pictures_is_adapted_and_told(stored, channels, rule):
  path, variables = stored
  loaded, account = load_weights(path, random_variables(channels=channels, seed=2), names=NAMES)
  np.testing.assert_array_equal(
    loaded['params']['stem_conv']['kernel'],
    adapt_channels(variables['params']['stem_conv']['kernel'], channels))
  assert account.adapted == {'params/stem_conv/kernel': rule}
  assert f'adapted: stem_conv/kernel: {rule}' in str(account)


def test_a_grey_picture_gives_what_it_gave_as_red_green_and_blue():
  rng = np.random.default_rng(0)
  kernel = rng.normal(size=(3, 3, 3, 8)).astype(np.float32)
  grey = rng.normal(size=(1, 6, 6, 1)).astype(np.float32)
  wanted = convolve(grey.repeat(3, axis=-1), kernel)
  np.testing.assert_allclose(convolve(grey, adapt_channels(kernel, 1)), wanted, atol=1e-4)
  six = convolve(grey.repeat(6, axis=-1), adapt_channels(kernel, 6))
  np.testing.assert_allclose(six, wanted, atol=1e-4)
  back = convolve(grey.repeat(3, axis=-1), adapt_channels(adapt_channels(kernel, 1), 3))
  np.testing.assert_allclose(back, wanted, atol=1e-4)


def test_parts_that_the_file_lacks_are_told_unless_they_are_expected(stored):
  path, _ = stored
  rewrite(path, lambda arrays: [arrays.pop(key) for key in list(arrays)
                                if key.startswith(('layer4', 'fc'))])
  fresh = random_variables(seed=2)
  with pytest.raises(UserError, match=r'lacks 19 of the 78 arrays of this net: stage4_block1 \(19\)'
                                      '.*partial=True'):
    load_weights(path, fresh, names=NAMES)
  loaded, account = load_weights(path, fresh, names=NAMES, partial=True)
  kept = set(flatten_names(fresh)) - differing(loaded, fresh)
  assert {name.split('/')[1] for name in kept} == {'stage4_block1', 'head'}
  assert kept == set(account.initial)
  assert 'left at initial values: stage4_block1 (19): not in the file' in str(account)


def test_what_was_not_used_is_told_but_for_counters(stored):
  path, _ = stored
  rewrite(path, lambda arrays: arrays.update({
    'extra.weight': np.zeros(3, np.float32), 'extra.bias': np.zeros(3, np.float32),
    'bn1.num_batches_tracked': np.array(7), 'odd\x1b[31mname': np.zeros(1, np.float32)}))
  _, account = load_weights(path, random_variables(seed=2), names=NAMES)
  assert r'not used from the file: extra (2), odd\x1b[31mname' in str(account)
  assert 'num_batches' not in str(account) and '\x1b' not in str(account)


def test_a_shape_that_does_not_fit_names_both_sides(stored):
  path, _ = stored
  rewrite(path, lambda arrays: arrays.update({'layer2.0.bn1.weight': np.zeros(31, np.float32)}))
  with pytest.raises(UserError, match=r'does not fit: layer2.0.bn1.weight \[31\] is for '
                                      r'params/stage2_block1/norm1/scale \[32\]'):
    load_weights(path, random_variables(seed=2), names=NAMES, partial=True)


def test_an_inner_convolution_is_never_adapted(stored):
  path, _ = stored
  key = 'layer2.0.conv2.weight'
  rewrite(path, lambda arrays: arrays.update({key: arrays[key][:, :3]}))
  with pytest.raises(UserError, match=f'{key} .*3, 3.*32, 32, 3, 3'):
    load_weights(path, random_variables(seed=2), names=NAMES)


def test_the_file_of_another_net_is_refused(stored):
  path, _ = stored
  rewrite(path, lambda arrays: [arrays.pop(key) for key in list(arrays) if key != 'fc.bias'])
  rewrite(path, lambda arrays: arrays.update({'blocks.0.bias': arrays.pop('fc.bias')}))
  with pytest.raises(UserError, match=r'holds nothing of this net: it has blocks.0.bias, and the '
                                      'net looks for .*running_mean'):
    load_weights(path, random_variables(seed=2), names=NAMES, partial=True)


def test_keras_files_are_for_nets_that_keras_has(tmp_path):
  np.savez(tmp_path / 'w.npz', **{'stem/kernel': np.zeros(3)})
  with pytest.raises(UserError, match='names of keras, which has no net like this one.*of timm'):
    load_weights(tmp_path / 'w.npz', random_variables(seed=2), names=NAMES)


def test_dtypes_are_those_of_the_net(stored):
  wanted = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), random_variables(seed=2))
  loaded, _ = load_weights(stored[0], wanted, names=NAMES)
  assert {leaf.dtype for leaf in jax.tree.leaves(loaded)} == {jnp.dtype('bfloat16')}


def test_a_size_that_no_machine_has_is_refused_unread(tmp_path):
  text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3, {1 << 30}, {1 << 30})}}"
  with zipfile.ZipFile(tmp_path / 'w.npz', 'w') as archive:
    archive.writestr('conv2d_1/kernel.npy', b'\x93NUMPY\x01\x00\x76\x00'
                     + text.ljust(117).encode() + b'\n')
  with pytest.raises(UserError, match=r'conv2d/kernel \[3, 3, 1073741824, 1073741824\] is for'):
    load_weights(tmp_path / 'w.npz', shapes('inception_v3_keras', 3),
                 names=get_weight_names('inception_v3_keras'), partial=True)


# Keras ------------------------------------------------------------------------------------------


def test_the_trunk_of_a_keras_inception_is_found_by_numbers(tmp_path):
  rng = np.random.default_rng(0)
  sizes = ((3, 3, 3, 32), (3, 3, 32, 32), (3, 3, 32, 64))
  kernels = [rng.normal(size=size).astype(np.float32) for size in sizes]
  np.savez(tmp_path / 'w.npz', **{
    f'conv2d_{number}/kernel': kernel for number, kernel in enumerate(kernels, start=1)})
  wanted = shapes('inception_v3_keras', 3)
  loaded, account = load_weights(
    tmp_path / 'w.npz', wanted, names=get_weight_names('inception_v3_keras'), partial=True)
  assert list(account.loaded.values()) == ['conv2d/kernel', 'conv2d_1/kernel', 'conv2d_2/kernel']
  for name, kernel in zip(account.loaded, kernels, strict=True):
    np.testing.assert_array_equal(flatten_names(loaded)[name], kernel)
  assert account.adapted == {} and 'mixed_7c' in str(account)


@pytest.mark.parametrize('mean, variance, fits', [
  ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), True),  # as published: deviations by mistake
  ((0.485, 0.456, 0.406), (0.229 ** 2, 0.224 ** 2, 0.225 ** 2), True),
  ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)])
def test_a_keras_file_for_other_pixels_is_refused(tmp_path, mean, variance, fits):
  names = {'keras': WeightNames('keras', '', '/'.join, lambda path, value: value,
                                lambda path, value: value, keras_efficientnet.get_pixel_constants)}
  np.savez(tmp_path / 'w.npz', **{'stem_conv/kernel': np.ones((2, 2)), 'normalization/mean': mean,
                                  'normalization/variance': variance})
  row = nets.get_variant('tf_efficientnet_b1')
  def load():
    return load_weights(tmp_path / 'w.npz', {'params': {'stem_conv': {'kernel': np.zeros((2, 2))}}},
                        names=names, pixels=(row.mean, row.std))
  if fits:
    assert not load()[1].unused
  else:
    with pytest.raises(UserError, match=r'trained on \(pixels - \[0.0, 0.0, 0.0\]\) / \[255.0'):
      load()


def test_variances_below_zero_are_refused(stored):
  rewrite(stored[0], lambda arrays: arrays.update({'bn1.running_var': -arrays['bn1.running_var']}))
  with pytest.raises(UserError, match='bn1.running_var .* variances below zero'):
    load_weights(stored[0], random_variables(seed=2), names=NAMES)


def test_positions_of_other_sizes_of_pictures_are_resized_and_told(tmp_path):
  name = 'vit_tiny_patch16'
  names, variables = get_weight_names(name), random_variables(name, seed=1)
  rng = np.random.default_rng(0)
  rows, columns = np.linspace(0, 1, 24)[:, None, None], np.linspace(0, 2, 24)[:, None]
  smooth = rows + columns + rng.normal(size=192)
  stored = np.concatenate([np.full((1, 192), 7), smooth.reshape(576, 192)])[None]
  larger = {**variables, 'params': {**variables['params'],
                                    'position_embedding': np.float32(stored)}}
  save_weights(tmp_path / 'w.safetensors', larger, names['timm'])
  loaded, account = load_weights(tmp_path / 'w.safetensors', variables, names=names)
  assert account.adapted == {
    'params/position_embedding': 'positions of 24 x 24 patches to 14 x 14'}
  ours = loaded['params']['position_embedding']
  assert ours.shape == (1, 197, 192)
  np.testing.assert_array_equal(ours[0, 0], 7)
  middle = ours[0, 1:].reshape(14, 14, 192)[3:-3, 3:-3]           # edges have nothing beyond
  wanted = jax.image.resize(smooth, (14, 14, 192), 'linear')[3:-3, 3:-3]
  np.testing.assert_allclose(middle, wanted, atol=0.02)


def test_other_suffixes_and_places_that_cannot_be_written_are_refused(tmp_path):
  variables = random_variables(seed=1)
  with pytest.raises(UserError, match='written as .safetensors'):
    save_weights(tmp_path / 'w.pth', variables, NAMES['timm'])
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='could not be written'):
    save_weights(tmp_path / 'file' / 'w.safetensors', variables, NAMES['timm'])
  (tmp_path / 'w.safetensors').mkdir()
  with pytest.raises(UserError, match='could not be written'):
    save_weights(tmp_path / 'w.safetensors', variables, NAMES['timm'])
  assert sorted(path.name for path in tmp_path.iterdir()) == ['file', 'w.safetensors']
