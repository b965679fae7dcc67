"""ConvNeXt's own choices: how a block starts, how far it sees, how its branches are dropped."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nets import build_net, layers
from nets.convnext import VARIANTS, ConvNeXtBlock
from nets.options import NetOptions

MAP = np.random.default_rng(0).normal(size=(1, 12, 12, 8)).astype(np.float32)


@functools.cache
def block():
  """A block and its initial variables."""
  make = layers.make_constructors(NetOptions(), train=False)
  net = ConvNeXtBlock(make, 0.0)
  return net, jax.jit(net.init)(jax.random.key(0, impl='unsafe_rbg'), MAP)


def with_gamma(value):
  net, variables = block()
  params = dict(variables['params'], layer_scale={'gamma': jnp.full(8, value)})
  return jax.jit(lambda x: net.apply({'params': params}, x))


def test_a_block_starts_as_nearly_its_input():
  net, variables = block()
  change = jax.jit(net.apply)(variables, MAP) - MAP
  assert 0 < np.abs(change).max() < 1e-4
  np.testing.assert_array_equal(with_gamma(0.0)(MAP), MAP)


def test_a_block_sees_three_pixels_to_each_side():
  other = MAP.copy()
  other[0, 6, 5] += 1
  apply = with_gamma(1.0)
  changed = np.abs(apply(other) - apply(MAP)).max(axis=-1)[0] > 0
  expected = np.zeros((12, 12), bool)
  expected[3:10, 2:9] = True
  np.testing.assert_array_equal(changed, expected)


def test_a_block_looks_at_each_pixels_channels_not_at_their_scale():
  """What the norm removes: with no shortcut, a map times ten gives what the map gives."""
  net, variables = block()
  params = dict(variables['params'], layer_scale={'gamma': jnp.ones(8)})
  branch = jax.jit(lambda x: net.apply({'params': params}, x) - x)
  np.testing.assert_allclose(branch(10 * MAP), branch(MAP), atol=1e-4)


@pytest.mark.parametrize('name', VARIANTS)
def test_branches_are_dropped_more_often_the_deeper_they_lie(name):
  net, rates = build_net(name, 0), {}

  def collect(next_fun, args, kwargs, context):
    if isinstance(context.module, layers.DropPath):
      rates[context.module.path[-2]] = context.module.rate
    return next_fun(*args, **kwargs)

  with nn.intercept_methods(collect), layers.conv_form('plain'):
    jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0),
                   jnp.zeros((1, 32, 32, 3)))
  row = VARIANTS[name]
  assert len(rates) == sum(row.depths)
  assert list(rates.values()) == sorted(set(rates.values()))
  assert rates['stage1_block1'] == 0
  assert rates[f'stage4_block{row.depths[-1]}'] == pytest.approx(row.drop_path_rate)
