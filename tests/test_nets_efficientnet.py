"""EfficientNet's own choices: how it is scaled, padded and started, and what Keras' files hold."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nets import get_variant, layers
from nets.efficientnet import GROUPS, VARIANTS, Group, MBConv, round_width, scale
from nets.keras_names.efficientnet import get_pixel_constants
from nets.options import NetOptions

MAP = np.random.default_rng(0).normal(size=(2, 9, 8, 16)).astype(np.float32)


def block(*, width=16, stride=1, same=False, train=False, expansion=6, drop_path_rate=0.0):
  make = layers.make_constructors(
    NetOptions(batch_norm_momentum=0.9, batch_norm_epsilon=1e-3), train=train)
  return MBConv(Group(1, width, 5, stride, expansion, 'stage1'), stride, same, make, drop_path_rate)


@functools.cache
def variables():
  """Initial ones of a block that keeps its width."""
  return jax.jit(block().init)(jax.random.key(0, impl='unsafe_rbg'), MAP)


def test_blocks_of_b1_are_twenty_three():
  groups = [scale(group, get_variant('efficientnet_b1')) for group in GROUPS]
  assert [group.depth for group in groups] == [2, 3, 3, 4, 4, 5, 2]
  assert [group.width for group in groups] == [16, 24, 40, 80, 112, 192, 320]


def test_widths_are_multiples_of_eight_and_lose_less_than_a_tenth():
  widths = np.arange(1, 700) * 1.7
  rounded = np.array([round_width(width) for width in widths])
  assert not (rounded % 8).any()
  assert (rounded >= 0.9 * widths).all() and (np.abs(rounded - widths) <= 8).all()
  assert round_width(24) == 24 and round_width(11.9) == 16  # 8 would lose a third


def test_both_forms_have_a_row_for_each_size():
  for name, row in VARIANTS.items():
    other = VARIANTS[name.removeprefix('tf_') if name.startswith('tf_') else f'tf_{name}']
    assert row.same_padding is name.startswith('tf_') is not other.same_padding
    assert (row.width_scale, row.depth_scale, row.input_size_px, row.dropout_rate) == (
      other.width_scale, other.depth_scale, other.input_size_px, other.dropout_rate)


@pytest.mark.parametrize('same, first', [(False, -2), (True, -1)])
def test_the_tensorflow_form_begins_its_windows_later_on_even_sides(same, first):
  """5x5 windows of stride 2 on 9 x 8 pixels: padded by 2 above; by 2, or by 1, to the left."""
  net = block(stride=2, same=same, expansion=1)
  params = jax.jit(net.init)(jax.random.key(0, impl='unsafe_rbg'), MAP)
  kernel = jnp.zeros((5, 5, 1, 16)).at[2, 0].set(1.0)  # of a window, the leftmost column
  params['params']['depthwise_conv']['kernel'] = kernel
  _, state = jax.jit(functools.partial(net.apply, capture_intermediates=True))(params, MAP)
  y = state['intermediates']['depthwise_conv']['__call__'][0]
  assert y.shape == (2, 5, 4, 16)
  columns = [first + 2 * index for index in range(4)]
  for index, column in enumerate(columns):
    expected = MAP[:, ::2, column] if column >= 0 else np.zeros((2, 5, 16))
    np.testing.assert_array_equal(y[:, :, index], expected)


def test_a_block_adds_its_input_only_where_the_shape_stays():
  silent = jax.tree.map(lambda x: x, variables())
  silent['params']['project_norm'] = jax.tree.map(
    jnp.zeros_like, silent['params']['project_norm'])
  np.testing.assert_array_equal(jax.jit(block().apply)(silent, MAP), MAP)
  for options in (dict(width=24), dict(stride=2)):
    net = block(**options)
    state = jax.jit(net.init)(jax.random.key(0, impl='unsafe_rbg'), MAP)
    state['params']['project_norm'] = jax.tree.map(
      jnp.zeros_like, state['params']['project_norm'])
    assert not jax.jit(net.apply)(state, MAP).any()


def test_the_gates_inner_width_follows_what_enters_the_block():
  assert variables()['params']['squeeze_excite']['reduce']['kernel'].shape == (96, 16 // 4)


def test_depthwise_kernels_start_at_the_scale_of_their_own_channel():
  kernel = variables()['params']['depthwise_conv']['kernel']
  assert kernel.shape == (5, 5, 1, 96)
  assert kernel.std() == pytest.approx((2 / 25) ** 0.5, rel=0.1)


@pytest.mark.parametrize('variance', [(0.229, 0.224, 0.225), (0.229 ** 2, 0.224 ** 2, 0.225 ** 2)])
def test_keras_files_say_the_pixels_of_our_rows(variance):
  """Published files hold deviations where others hold variances."""
  row = get_variant('tf_efficientnet_b1')
  mean, std = get_pixel_constants(np.float32([0.485, 0.456, 0.406]), np.float32(variance))
  np.testing.assert_allclose(mean, row.mean, rtol=1e-5)
  np.testing.assert_allclose(std, row.std, rtol=1e-5)
