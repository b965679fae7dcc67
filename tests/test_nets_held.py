"""What is held is computed once on a CPU, and stays what it is."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nets import hrnet, layers
from nets.options import NetOptions

OPTIONS = NetOptions(batch_norm_momentum=0.9, batch_norm_epsilon=1e-5, drop_path_rate=0.0)


class Chain(nn.Module):
  """Residual blocks, one after another."""

  length: int

  @nn.compact
  def __call__(self, x):
    make = layers.make_constructors(OPTIONS, train=True)
    for number in range(self.length):
      x = hrnet.BasicBlock(make, name=f'block{number}')(x)
    return x


def gradient_of(length):
  """(a function of variables and pictures, its arguments)."""
  net, x = Chain(length), jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 4)), 'float32')
  variables = net.init(jax.random.key(0), x)

  def loss(params, x):
    y, _ = net.apply({**variables, 'params': params}, x, mutable=['batch_stats'])
    return (y * jnp.cos(y)).sum()

  return jax.value_and_grad(loss, (0, 1)), (variables['params'], x)


def largest_fusion(length):
  """How many values the largest fusion of the compiled gradient computes."""
  function, arguments = gradient_of(length)
  text = jax.jit(function).lower(*arguments).compile().as_text()
  bodies = re.findall(r'^%?fused_computation[^\n]*\{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE)
  return max(body.count(' = ') for body in bodies)


def test_no_fusion_grows_with_the_chain_of_blocks():
  assert largest_fusion(6) <= largest_fusion(3)


def test_fusions_grow_where_nothing_is_held(monkeypatch):
  """Else the test above shows nothing."""
  monkeypatch.setattr(layers, 'hold', lambda x: x)
  assert largest_fusion(6) > largest_fusion(3)


def test_values_and_gradients_stay_what_they_are(monkeypatch):
  function, arguments = gradient_of(2)
  held = jax.jit(function)(*arguments)
  monkeypatch.setattr(layers, 'hold', lambda x: x)
  plain = jax.jit(lambda *given: function(*given))(*arguments)
  for one, other in zip(jax.tree.leaves(held), jax.tree.leaves(plain), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_in_the_plain_form_nothing_is_added():
  with layers.conv_form('plain'):
    assert not jax.make_jaxpr(layers.hold)(jnp.ones(3)).eqns


@pytest.mark.parametrize('wrap', [jax.vmap, jax.remat, lambda f: lambda x: jax.lax.map(f, x)])
def test_it_can_stand_in_transformations(wrap):
  x = jnp.arange(6.0).reshape(2, 3)
  gradient = jax.jit(jax.grad(lambda x: wrap(lambda row: layers.hold(jnp.sin(row)) * row)(x).sum()))
  np.testing.assert_allclose(gradient(x), jnp.sin(x) + x * jnp.cos(x), rtol=1e-6)


def test_its_gradient_can_be_differentiated_forwards():
  """As the sharpness of a loss is measured."""
  gradient = jax.grad(lambda x: (layers.hold(jnp.sin(x)) * x).sum())
  x = jnp.arange(3.0)
  _, second = jax.jvp(gradient, (x,), (jnp.ones(3),))
  np.testing.assert_allclose(second, 2 * jnp.cos(x) - x * jnp.sin(x), rtol=1e-5)
