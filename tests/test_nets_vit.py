"""ViT's own choices: positions of other sizes, patches, attention that is computed in float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from errors import UserError
from nets import build_net
from nets.options import NetOptions
from nets.vit import Variant, ViT, resize_positions

ROW = Variant(24, 3, depths=(1, 1, 0, 0), input_size_px=64)


@functools.cache
def small():
  """A net of two blocks and variables in which positions count."""
  net = ViT(row=ROW, num_outputs=4, options=NetOptions(dropout_rate=0.0, drop_path_rate=0.0))
  variables = jax.jit(functools.partial(net.init, train=False))(
    jax.random.key(0, impl='unsafe_rbg'), picture(64, 64))
  params = jax.tree.map(lambda x: 5 * x + 0.01, variables['params'])
  return net, params


def picture(height, width):
  return np.random.default_rng(0).normal(size=(2, height, width, 3)).astype(np.float32)


def features(params, image):
  net, _ = small()
  return jax.jit(functools.partial(net.apply, train=False))({'params': params}, image)[1]


def test_positions_of_the_same_size_stay_as_they_are():
  positions = jax.random.normal(jax.random.key(0), (1, 16, 5))
  np.testing.assert_array_equal(resize_positions(positions, (4, 4)).reshape(1, 16, 5), positions)


def test_resized_positions_keep_their_place():
  """A ramp down and a ramp to the right stay what they are, away from the edges."""
  down, right = np.meshgrid(np.arange(14.0), np.arange(14.0), indexing='ij')
  positions = jnp.float32(np.stack([down, right], axis=-1).reshape(1, 196, 2))
  resized = resize_positions(positions, (28, 21))
  assert resized.shape == (1, 28, 21, 2)
  expected = (np.arange(28) + 0.5) / 2 - 0.5
  np.testing.assert_allclose(resized[0, 4:-4, 7, 0], expected[4:-4], atol=1e-4)
  expected = (np.arange(21) + 0.5) * 14 / 21 - 0.5
  np.testing.assert_allclose(resized[0, 9, 4:-4, 1], expected[4:-4], atol=1e-4)


def test_pictures_of_other_sizes_use_the_same_variables():
  net, params = small()
  for height, width in ((64, 64), (32, 96)):
    shapes = jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0),
                            picture(height, width))['params']
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, params)
    taps = features(params, picture(height, width))
    assert taps['stage2'].shape == (2, height // 16, width // 16, 24)


def test_sides_that_are_no_multiples_of_the_patch_are_refused():
  net = build_net('vit_tiny_patch16', 3)
  with pytest.raises(UserError, match='multiples of 16 px, got 100 x 96'):
    jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0),
                   picture(100, 96))


def test_only_positions_tell_patches_apart():
  """With their rows of patches swapped, pictures have other features: but not without positions."""
  _, params = small()
  image = picture(64, 64)
  swapped = np.concatenate([image[:, 32:], image[:, :32]], axis=1)
  one, two = (features(params, x)['features'] for x in (image, swapped))
  assert np.abs(one - two).max() > 0.01
  params = dict(params, position_embedding=jnp.zeros_like(params['position_embedding']))
  one, two = (features(params, x) for x in (image, swapped))
  np.testing.assert_allclose(one['features'], two['features'], atol=1e-4)
  np.testing.assert_allclose(
    one['stage2'], jnp.roll(two['stage2'], 2, axis=1), atol=1e-4)


def test_attention_mixes_all_patches():
  _, params = small()
  other = picture(64, 64)
  other[:, :16, :16] += 1
  one, two = (features(params, x) for x in (picture(64, 64), other))
  assert (np.abs(one['stem'] - two['stem']).max(axis=-1) > 0).sum() == 2  # one in each picture
  assert (np.abs(one['stage1'] - two['stage1']).max(axis=-1) > 1e-6).all()


def test_the_softmax_is_float32_when_computing_in_bfloat16():
  net = ViT(row=ROW, num_outputs=4, options=NetOptions(dtype=jnp.bfloat16, dropout_rate=0.0))
  _, params = small()
  program = jax.jit(functools.partial(net.apply, train=False)).lower(
    {'params': params}, picture(64, 64)).as_text()
  exponentials = [line for line in program.splitlines() if 'stablehlo.exponential' in line]
  assert len(exponentials) == 2  # one in each block
  assert all('f32' in line and 'bf16' not in line for line in exponentials)
