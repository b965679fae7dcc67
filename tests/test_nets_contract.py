"""What every net promises: its published size, the taps, dtypes, and batch statistics at rest."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nets
from errors import UserError

# Parameters by net and number of outputs. Those of se_resnet18, 34 and 50 are the published ones
# (11.78, 21.96 and 28.09 M with 1000 outputs).
COUNTS = {
  'se_resnet18': {1000: 11_778_592},
  'se_resnet34': {1000: 21_958_868},
  'se_resnet50': {1000: 28_088_024},
  'se_resnet_tagger': {100: 16_628_444, 0: 16_577_144},
  'se_resnet_tiny': {100: 198_764},
}
SMALLEST = ('se_resnet_tiny',)  # a net of each family that is quick to run


@functools.cache
def shapes(name, num_outputs, **options):
  """Shapes of (output, taps) and of the variables, without computing anything."""
  net, size = nets.build_net(name, num_outputs, **options), nets.get_variant(name).input_size_px
  return jax.eval_shape(
    lambda key: net.init_with_output(key, jnp.zeros((2, size, size, 3)), train=False),
    jax.random.key(0))


@pytest.fixture(scope='module', params=SMALLEST)
def small(request):
  """(net, variables, image) of a small net, off its initial values."""
  net, size = nets.build_net(request.param, 5), nets.get_variant(request.param).input_size_px
  image = np.random.default_rng(0).normal(size=(4, size, size, 3)).astype(np.float32)
  variables = jax.jit(functools.partial(net.init, train=False))(
    jax.random.key(1, impl='unsafe_rbg'), image)  # quick to compile
  variables = jax.tree.map(lambda x: x + 0.01, variables)
  return net, variables, image


def test_every_net_is_counted():
  assert list(COUNTS) == nets.list_nets()
  for family, module in nets.NETS.items():
    assert set(SMALLEST) & set(module.VARIANTS), family


@pytest.mark.parametrize('name, num_outputs', [(name, k) for name in COUNTS for k in COUNTS[name]])
def test_parameter_counts(name, num_outputs):
  _, variables = shapes(name, num_outputs)
  assert sum(x.size for x in jax.tree.leaves(variables['params'])) == COUNTS[name][num_outputs]


def test_the_tagger_has_about_seventeen_million_parameters():
  assert 16.5e6 < COUNTS['se_resnet_tagger'][100] < 17.7e6


@pytest.mark.parametrize('name', COUNTS)
def test_taps_halve_from_stage_to_stage(name):
  (output, taps), _ = shapes(name, 7)
  row = nets.get_variant(name)
  assert output.shape == (2, 7)
  size = row.input_size_px * 2 // row.stem_stride
  divisors = dict(stem=2, stage1=4, stage2=8, stage3=16, stage4=32, features_2d=32)
  assert set(taps) == {*divisors, 'features'}
  for tap, divisor in divisors.items():
    assert taps[tap].shape[:3] == (2, size // divisor, size // divisor)
  assert taps['features'].shape == (2, taps['features_2d'].shape[-1])


@pytest.mark.parametrize('name', COUNTS)
def test_output_statistics_and_parameters_stay_float32_when_computing_in_bfloat16(name):
  (output, taps), variables = shapes(name, 7, dtype=jnp.bfloat16)
  assert output.dtype == taps['features'].dtype == jnp.float32
  assert taps['stage2'].dtype == jnp.bfloat16
  assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype('float32')}


@pytest.mark.parametrize('name', COUNTS)
def test_without_outputs_there_is_no_head_and_features_come_out(name):
  (output, taps), variables = shapes(name, 0)
  assert 'head' not in variables['params']
  assert output.shape == taps['features'].shape and output.dtype == jnp.float32


@pytest.mark.parametrize('name', COUNTS)
def test_rows_say_how_pixels_are_normalised(name):
  row = nets.get_variant(name)
  assert len(row.mean) == len(row.std) == 3
  assert all(1 < value < 255 for value in (*row.mean, *row.std))  # in 0..255, not 0..1


def test_train_is_keyword_only_without_default(small):
  net, variables, image = small
  with pytest.raises(TypeError):
    net.apply(variables, image)
  with pytest.raises(TypeError):
    net.apply(variables, image, True)


def test_batch_statistics_move_in_training_only(small):
  net, variables, image = small
  for train in (False, True):
    apply = jax.jit(functools.partial(net.apply, train=train, mutable=['batch_stats']))
    _, after = apply(variables, image, rngs={'dropout': jax.random.key(2)})
    same = jax.tree.map(lambda one, two: bool((one == two).all()), variables['batch_stats'],
                        after['batch_stats'])
    assert set(jax.tree.leaves(same)) == {not train}


def test_rows_do_not_see_each_other_outside_training(small):
  net, variables, image = small
  apply = jax.jit(functools.partial(net.apply, train=False))
  together, _ = apply(variables, image)
  alone, _ = apply(variables, image[2:3])
  np.testing.assert_allclose(together[2:3], alone, atol=1e-4)
  assert jnp.abs(together[0] - together[1]).max() > 1e-3


def test_every_parameter_gets_a_finite_gradient_that_is_not_zero(small):
  net, variables, image = small
  @jax.jit
  @jax.grad
  def gradients(params):
    (output, _), _ = net.apply({**variables, 'params': params}, image, train=True,
                               mutable=['batch_stats'], rngs={'dropout': jax.random.key(2)})
    return (output ** 2).sum()
  for path, gradient in jax.tree.leaves_with_path(gradients(variables['params'])):
    assert jnp.isfinite(gradient).all() and gradient.any(), jax.tree_util.keystr(path)


def test_an_unknown_net_is_told_the_choices():
  for function in (nets.get_variant, lambda name: nets.build_net(name, 3)):
    with pytest.raises(UserError, match="'resnet'.*se_resnet18.*se_resnet_tiny"):
      function('resnet')
