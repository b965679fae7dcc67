"""SE-ResNet's own choices: how it starts, its shortcuts, dropout and the head's first logits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from errors import UserError
from nets import build_net, layers
from nets.se_resnet import VARIANTS

IMAGE = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)


@functools.cache
def init():
  """A tiny net and its initial variables, from a kind of key that is quick to compile."""
  net = build_net('se_resnet_tiny', 3)
  key = jax.random.key(1, impl='unsafe_rbg')
  return net, jax.jit(lambda key: net.init(key, IMAGE, train=False))(key)


def test_widths_grow_and_every_stage_has_blocks():
  for row in VARIANTS.values():
    assert len(row.depths) == len(row.widths) == 4 and min(row.depths) >= 1
    assert list(row.widths) == sorted(set(row.widths))


def test_every_block_starts_as_its_shortcut():
  _, variables = init()
  scales = {f'{block}/{norm}': values['scale'] for block, norms in variables['params'].items()
            if 'block' in block for norm, values in norms.items() if 'norm' in norm}
  assert len(scales) == 11  # two in each of four blocks, and three projections
  for name, scale in scales.items():
    assert (scale == (0 if name.endswith('norm2') else 1)).all(), name


def test_only_blocks_that_change_the_shape_project_their_shortcut():
  net = build_net('se_resnet34', 0)
  variables = jax.eval_shape(
    lambda key: net.init(key, jnp.zeros((1, 64, 64, 3)), train=False), jax.random.key(0))
  projected = [name for name, block in variables['params'].items() if 'shortcut_conv' in block]
  assert sorted(projected) == ['stage2_block1', 'stage3_block1', 'stage4_block1']
  net = build_net('se_resnet50', 0)
  variables = jax.eval_shape(
    lambda key: net.init(key, jnp.zeros((1, 64, 64, 3)), train=False), jax.random.key(0))
  projected = [name for name, block in variables['params'].items() if 'shortcut_conv' in block]
  assert sorted(projected) == [f'stage{stage}_block1' for stage in (1, 2, 3, 4)]


def test_parameter_names_are_the_ones_that_other_rooms_match_on():
  _, variables = init()
  assert set(variables['params']) == {
    'stem_conv', 'stem_norm', 'stage1_block1', 'stage2_block1', 'stage3_block1', 'stage4_block1',
    'head'}
  assert set(variables['params']['stage2_block1']) == {
    'conv1', 'norm1', 'conv2', 'norm2', 'squeeze_excite', 'shortcut_conv', 'shortcut_norm'}


@pytest.mark.parametrize('bias', [-2.5, (-3.0, 0.5, 1.0)])
def test_the_head_starts_at_the_prior_logits(bias):
  net = build_net('se_resnet_tiny', 3, head_bias_init=np.float32(bias))
  hash(net)  # static under jit
  head = jax.jit(lambda key: net.init(key, IMAGE, train=False)['params']['head'])(
    jax.random.key(0))
  np.testing.assert_array_equal(head['bias'], np.broadcast_to(np.float32(bias), (3,)))
  assert np.abs(head['kernel']).max() < 0.1  # so that the bias decides the first logits


def test_prior_logits_of_another_length_are_refused():
  with pytest.raises(UserError, match=r'shape \(2,\).*\(3,\)'):
    build_net('se_resnet_tiny', 3, head_bias_init=(0.0, 1.0))


def test_dropout_acts_before_the_head_in_training_only():
  _, variables = init()
  net = build_net('se_resnet_tiny', 3, dropout_rate=0.5)
  @functools.partial(jax.jit, static_argnums=0)
  def logits(train, seed):
    (output, _), _ = net.apply(variables, IMAGE, train=train, mutable=['batch_stats'],
                               rngs={'dropout': jax.random.key(seed)})
    return output
  assert (logits(False, 0) == logits(False, 1)).all()
  assert (logits(True, 0) == logits(True, 0)).all()
  assert (logits(True, 0) != logits(True, 1)).any()


def test_a_negative_dropout_rate_takes_the_rows_own():
  own = VARIANTS['se_resnet_tagger'].dropout_rate
  assert build_net('se_resnet_tagger', 3).options.dropout_rate == own > 0
  assert build_net('se_resnet_tagger', 3, dropout_rate=0.0).options.dropout_rate == 0


def test_a_block_whose_branch_is_zero_gives_its_input():
  net, variables = init()
  _, taps = jax.jit(functools.partial(net.apply, train=False))(variables, IMAGE)
  pooled = layers.max_pool(taps['stem'], 3, stride=2, padding=1)
  np.testing.assert_allclose(taps['stage1'], pooled, atol=1e-6)


ACTIVATIONS = {
  'relu': lambda x: np.maximum(x, 0), 'leaky_relu': lambda x: np.where(x > 0, x, x / 100),
  'sigmoid': lambda x: 1 / (1 + np.exp(-x)), 'tanh': np.tanh,
}


@pytest.mark.parametrize('name', ACTIVATIONS)
def test_the_stem_and_the_blocks_end_in_the_activation_that_is_named(name):
  _, variables = init()
  net = build_net('se_resnet_tiny', 3, activation=name)
  watched = ('stem_norm', 'stage1_block1')
  (_, taps), seen = net.apply(
    variables, 5 * IMAGE, train=False, mutable='intermediates',
    capture_intermediates=lambda module, _: module.name in watched)
  before, after = (seen['intermediates'][module]['__call__'][0] for module in watched)
  np.testing.assert_allclose(taps['stem'], ACTIVATIONS[name](np.asarray(before)), atol=1e-6)
  pooled = np.asarray(layers.max_pool(taps['stem'], 3, stride=2, padding=1))
  np.testing.assert_allclose(after, ACTIVATIONS[name](pooled), atol=1e-6)  # its branch is zero


def test_without_a_name_the_activation_is_relu():
  _, variables = init()
  outputs = {name: build_net('se_resnet_tiny', 3, activation=name).apply(
    variables, IMAGE, train=False)[0] for name in ('', 'relu', 'tanh')}
  np.testing.assert_array_equal(outputs[''], outputs['relu'])
  assert np.abs(outputs[''] - outputs['tanh']).max() > 1e-3


def test_an_unknown_activation_lists_the_choices():
  with pytest.raises(UserError, match="no activation 'swish'.*relu, leaky_relu, sigmoid, tanh"):
    build_net('se_resnet_tiny', 3, activation='swish')
