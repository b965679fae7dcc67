"""Gates, norms, dropped paths, scales and heads do what they say; options take the row's own."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from errors import UserError
from nets import layers
from nets.options import NetOptions, Row, resolve_options

OPTIONS = resolve_options('a net', Row(), 3)


def test_squeeze_excite_scales_whole_channels_by_their_means():
  gate = layers.SqueezeExcite(2, nn.Dense)
  x = jax.random.normal(jax.random.key(0), (2, 4, 5, 6))
  y, variables = gate.init_with_output(jax.random.key(1), x)
  ratio = y / x
  np.testing.assert_allclose(ratio, jnp.broadcast_to(ratio[:, :1, :1], x.shape), rtol=1e-4)
  assert (ratio > 0).all() and (ratio < 1).all() and ratio.std() > 1e-3
  shuffled = gate.apply(variables, x[:, ::-1, ::-1])
  np.testing.assert_allclose(shuffled, y[:, ::-1, ::-1], rtol=1e-5)


def test_batch_norm_over_an_axis_sees_the_whole_batch():
  norm = layers.make_constructors(
    dataclasses.replace(OPTIONS, batch_norm_axis='data'), train=True).norm
  x = jax.random.normal(jax.random.key(0), (2, 3, 4, 4, 5)) + jnp.arange(2).reshape(2, 1, 1, 1, 1)
  variables = norm().init(jax.random.key(1), x[0])
  def apply(x):
    return norm().apply(variables, x, mutable=['batch_stats'])
  halves, stats = jax.vmap(apply, axis_name='data')(x)
  alone = layers.make_constructors(OPTIONS, train=True).norm()
  whole, whole_stats = alone.apply(variables, x.reshape(6, 4, 4, 5), mutable=['batch_stats'])
  np.testing.assert_allclose(halves.reshape(whole.shape), whole, atol=1e-5)
  jax.tree.map(lambda one, two: np.testing.assert_allclose(one[0], two, atol=1e-6), stats,
               whole_stats)


def test_a_convolution_its_norm_and_its_activation_have_names_of_their_own():
  make = layers.make_constructors(OPTIONS, train=False)
  block = layers.ConvNormAct(4, (1, 3), padding=(0, 1), make=make)
  x = jax.random.normal(jax.random.key(0), (2, 5, 5, 3))
  y, variables = block.init_with_output(jax.random.key(1), x)
  assert jax.tree.map(jnp.shape, variables) == {
    'params': {'conv': {'kernel': (1, 3, 3, 4)}, 'norm': {'bias': (4,), 'scale': (4,)}},
    'batch_stats': {'norm': {'mean': (4,), 'var': (4,)}}}
  bare, _ = dataclasses.replace(block, act=None).init_with_output(jax.random.key(1), x)
  assert y.min() == 0 > bare.min()
  np.testing.assert_array_equal(y, nn.relu(bare))


class Paths(nn.Module):
  """The masks of two drop paths that blocks of the same class hold."""

  rate: float
  train: bool

  @nn.compact
  def __call__(self, x):
    class Block(nn.Module):
      drop_path: callable

      @nn.compact
      def __call__(self, x):
        return self.drop_path(name='drop_path')(x)

    make = layers.make_constructors(OPTIONS, train=self.train)
    def drop_path(name):
      return make.drop_path(self.rate, name=name)
    return [Block(drop_path, name=f'block{number}')(x) for number in (1, 2)]


def test_drop_path_leaves_out_whole_pictures_and_keeps_the_mean():
  x = jnp.ones((4000, 2, 2, 3))
  one, two = Paths(0.25, True).apply({}, x, rngs={'dropout': jax.random.key(0)})
  for y in (one, two):
    assert set(np.unique(np.asarray(y, np.float64).round(4))) == {0, 1.3333}
    assert (y == y[:, :1, :1, :1]).all()
    assert abs(y.mean() - 1) < 0.03
  assert 0.5 < (one == two).mean() < 0.75  # two independent masks agree on 0.625


def test_drop_path_does_nothing_in_inference_and_without_a_rate():
  x = jnp.ones((50, 2))
  for rate, train in ((0.5, False), (0.0, True)):
    for y in Paths(rate, train).apply({}, x):
      np.testing.assert_array_equal(y, x)


def test_drop_path_rates_grow_evenly_over_all_blocks():
  rates = layers.drop_path_rates(0.3, (1, 2, 1))
  assert [len(stage) for stage in rates] == [1, 2, 1]
  np.testing.assert_allclose(np.concatenate(rates), [0, 0.1, 0.2, 0.3])
  assert layers.drop_path_rates(0.3, (1,)) == ((0.0,),)


def test_repeated_pixels_are_squares_of_copies():
  x = np.arange(24).reshape(1, 3, 4, 2)
  copies = x.repeat(4, axis=1).repeat(4, axis=2)
  np.testing.assert_array_equal(layers.repeat_pixels(x, 4), copies)


def test_layer_scale_starts_small_and_keeps_the_dtype():
  x = jnp.ones((2, 3, 3, 4), jnp.bfloat16)
  layer = layers.LayerScale(1e-3, dtype=jnp.bfloat16)
  y, variables = layer.init_with_output(jax.random.key(0), x)
  gamma = variables['params']['gamma']
  assert gamma.shape == (4,) and gamma.dtype == jnp.float32 and y.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.float32(y), 1e-3, rtol=1e-2)


def test_options_that_are_negative_are_the_rows_own():
  row = Row(dropout_rate=0.2, drop_path_rate=0.1, batch_norm_momentum=0.99, batch_norm_epsilon=1e-3)
  own = resolve_options('a net', row, 3)
  assert own == NetOptions(dropout_rate=0.2, drop_path_rate=0.1, batch_norm_momentum=0.99,
                           batch_norm_epsilon=1e-3)
  given = resolve_options('a net', row, 3, dropout_rate=0.0, batch_norm_epsilon=1e-5)
  assert given == dataclasses.replace(own, dropout_rate=0.0, batch_norm_epsilon=1e-5)
  hash(given)  # static under jit


def test_prior_logits_of_another_length_are_refused():
  with pytest.raises(UserError, match=r'a net has shape \(2,\).*\(3,\)'):
    resolve_options('a net', Row(), 3, head_bias_init=(0.0, 1.0))
