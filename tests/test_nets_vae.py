"""The autoencoders' own choices: sampling, extreme variances, enlarging, weights of a trunk."""

import functools

import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import nets
from errors import UserError
from losses import gaussian_kl
from nets import layers
from nets.options import IMAGENET_MEAN, IMAGENET_STD, NetOptions, resolve_options
from nets.vae import LOGVAR_RANGE, NECK_WIDTH, VAE, VARIANTS, ResidualBlock, Variant
from nets.weight_names import get_weight_names
from train_lib.trees import flatten_names
from train_lib.weights.weights import load_weights

LATENT, SIDE = 6, 32
TINY = dict(input_size_px=SIDE, latent_size=LATENT, encoder_widths=(4, 4, 4, 8, 8),
            decoder_widths=(8, 8, 4, 4, 4))
IMAGE = np.random.default_rng(0).normal(size=(3, SIDE, SIDE, 1)).astype(np.float32)


def keys():
  return {'latent': jax.random.key(1)}


def make(num_outputs=2, **options):
  """A net that compiles in a moment."""
  row = Variant(**TINY)
  return VAE(row=row, num_outputs=num_outputs,
             options=resolve_options('tiny', row, num_outputs, **options))


@functools.cache
def variables():
  """Initial ones of the tiny net."""
  return jax.jit(functools.partial(make().init, train=False))(jax.random.key(0), IMAGE)


def with_biases(mean, logvar):
  """Variables whose latent does not depend on the picture."""
  params = variables()['params']
  dense = {'bias': jnp.repeat(jnp.array([mean, logvar]), LATENT),
           'kernel': jnp.zeros_like(params['latent_head']['dense']['kernel'])}
  return {**variables(), 'params': {
    **params, 'latent_head': {**params['latent_head'], 'dense': dense}}}


@functools.cache
def shapes(name):
  net = nets.build_net(name, 3)
  with layers.conv_form('plain'):  # the quickest to trace
    return jax.eval_shape(
      functools.partial(net.init_with_output, train=False), jax.random.key(0),
      jax.ShapeDtypeStruct((2, net.row.input_size_px, net.row.input_size_px, 1), np.float32))


# What comes out --------------------------------------------------------------------------------


@pytest.mark.parametrize('name, side', [
  ('vae_efficientnet_b1', 224), ('vae_conv_128', 128), ('vae_conv_64', 64)])
def test_a_picture_becomes_a_gaussian_and_logits_of_its_own_size(name, side):
  (output, taps), _ = shapes(name)
  row = nets.get_variant(name)
  assert row.input_size_px == side and output.shape == (2, side, side, 3)
  assert {taps[tap].shape for tap in ('mean', 'logvar', 'latent')} == {(2, row.latent_size)}


def test_the_b1_net_has_a_trunk_of_the_published_size_behind_three_channels_of_one():
  params = shapes('vae_efficientnet_b1')[1]['params']
  size = {name: sum(x.size for x in jax.tree.leaves(part)) for name, part in params.items()}
  assert size['encoder'] == 7_794_184 - 1_281_000  # timm's, without its classifier
  assert params['grey_to_rgb']['kernel'].shape == (3, 3, 1, 3)
  assert params['latent_head']['dense']['kernel'].shape[-1] == 512  # 256 means, 256 variances


def test_all_of_the_last_map_enters_the_latent():
  """A mean over it would not tell a picture from its mirror image, but for the borders."""
  kernel = shapes('vae_conv_64')[1]['params']['latent_head']['dense']['kernel']
  assert kernel.shape == (4 * 4 * NECK_WIDTH, 2 * VARIANTS['vae_conv_64'].latent_size)


def test_parts_are_float32_outside_when_they_compute_in_bfloat16():
  net = make(dtype=jnp.bfloat16)
  (output, taps), _ = jax.eval_shape(functools.partial(
    net.apply, train=True, mutable=['batch_stats'], rngs=keys()), variables(), IMAGE)
  assert {x.dtype for x in (output, taps['mean'], taps['logvar'], taps['latent'])} == {
    jnp.dtype('float32')}
  assert taps['stage4'].dtype == jnp.bfloat16
  decoded = jax.eval_shape(
    functools.partial(net.apply, method='decode'), variables(), jnp.zeros((2, LATENT)))
  assert decoded.dtype == jnp.float32


def test_outputs_start_at_the_given_logit():
  net = make(num_outputs=1, head_bias_init=-1.5)
  init = jax.jit(lambda key: net.init(key, IMAGE, train=False)['params']['decoder']['pixels'])
  assert init(jax.random.key(0))['bias'] == -1.5


def test_without_outputs_there_is_no_decoder_and_still_a_latent():
  (output, taps), state = jax.eval_shape(
    functools.partial(make(0).init_with_output, train=False), jax.random.key(0), IMAGE)
  assert output.shape == taps['features'].shape == (3, 8)
  assert 'decoder' not in state['params'] and taps['mean'].shape == (3, LATENT)


@pytest.mark.parametrize('shape', [(1, 64, 32, 1), (1, 30, 30, 1)])
def test_pictures_of_other_sizes_are_refused_in_a_sentence(shape):
  for method in (None, 'encode'):
    options = {} if method else {'train': False}
    with pytest.raises(UserError, match=f'32 x 32 px and got {shape[1]} x {shape[2]}; set '):
      jax.eval_shape(functools.partial(make().apply, method=method, **options), variables(),
                     jax.ShapeDtypeStruct(shape, np.float32))


# The latent ------------------------------------------------------------------------------------


def test_the_halves_make_the_whole_and_inference_is_not_random():
  net = make()
  output, taps = jax.jit(functools.partial(net.apply, train=False))(variables(), IMAGE)
  mean, logvar, inner = jax.jit(
    functools.partial(net.apply, method='encode'))(variables(), IMAGE)
  decoded = jax.jit(functools.partial(net.apply, method='decode'))(variables(), mean)
  for ours, theirs in ((taps['mean'], mean), (taps['latent'], mean), (taps['logvar'], logvar),
                       (taps['features'], inner['features']), (output, decoded)):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert ours.std() > 0.01


def test_training_without_a_rng_for_the_latent_names_it():
  with pytest.raises(flax.errors.InvalidRngError, match='latent'):
    jax.eval_shape(functools.partial(make().apply, train=True, mutable=['batch_stats']),
                   variables(), IMAGE)


def test_samples_have_the_mean_and_the_variance_that_the_encoder_gives():
  image = jnp.zeros((4000, SIDE, SIDE, 1))
  def sample(variables):
    return make(0).apply(variables, image, train=True, mutable=['batch_stats'], rngs=keys())[0][1]
  latent = jax.jit(lambda variables: sample(variables)['latent'])(with_biases(3.0, -1.0))
  assert latent.shape == (4000, LATENT)
  np.testing.assert_allclose(latent.mean(axis=0), 3.0, atol=0.05)
  np.testing.assert_allclose(latent.var(axis=0), np.exp(-1.0), rtol=0.1)
  assert np.abs(np.corrcoef(latent.T) - np.eye(LATENT)).max() < 0.08


def step(variables):
  """Gradients of reconstruction + KL, and the taps."""
  def loss(params):
    (output, taps), _ = make().apply({**variables, 'params': params}, IMAGE, train=True,
                                     mutable=['batch_stats'], rngs=keys())
    error = ((nn.sigmoid(output) - 0.5) ** 2).sum()
    return error + gaussian_kl(taps['mean'], taps['logvar']).sum(), taps
  return jax.grad(loss, has_aux=True)(variables['params'])


@pytest.mark.parametrize('logvar', [-1000.0, -100.0, 0.0, 100.0, 1000.0])
def test_extreme_variances_give_finite_gradients_that_pull_them_back(logvar):
  gradients, taps = jax.jit(step)(with_biases(0.0, logvar))
  for path, gradient in flatten_names(gradients).items():
    assert np.isfinite(gradient).all(), path
  np.testing.assert_array_equal(taps['logvar'], logvar)  # what the divergence sees
  deviation = np.exp(np.clip(logvar, *LOGVAR_RANGE) / 2)
  assert np.isfinite(taps['latent']).all()
  assert 0.3 * deviation < taps['latent'].std() < 3 * deviation
  pull = gradients['latent_head']['dense']['bias'][LATENT:]
  if logvar:
    assert (np.sign(pull) == np.sign(logvar)).all()  # a step goes against it


# The decoder -----------------------------------------------------------------------------------


def enlarge(x, width=4):
  make_layers = layers.make_constructors(
    NetOptions(batch_norm_momentum=0.9, batch_norm_epsilon=1e-5), train=False)
  block = ResidualBlock(width, make_layers, times=2)
  return jax.jit(lambda key: block.init_with_output(key, x)[0])(jax.random.key(3))


@pytest.mark.parametrize('width', [4, 8])
def test_a_constant_map_is_enlarged_to_a_constant_one(width):
  """A transposed convolution would give a pattern of period 2; borders see zeros."""
  y = np.asarray(enlarge(jnp.full((1, 8, 8, 4), 2.0), width))
  assert y.shape == (1, 16, 16, width) and y.any()
  inner = y[:, 4:-4, 4:-4]
  np.testing.assert_allclose(inner, np.broadcast_to(inner[:, :1, :1], inner.shape), rtol=1e-5)


def test_every_pixel_of_a_small_map_has_the_same_weight_in_the_large_one():
  """The sum over a pixel's square of what it contributes, at any place: no uneven overlap."""
  x = jax.random.normal(jax.random.key(0), (1, 8, 8, 4))
  y = enlarge(x)
  for shift in ((0, 1), (1, 0), (1, 1)):
    moved = enlarge(jnp.roll(x, shift, axis=(1, 2)))
    expected = jnp.roll(y, (2 * shift[0], 2 * shift[1]), axis=(1, 2))
    np.testing.assert_allclose(
      moved[:, 5:-5, 5:-5], expected[:, 5:-5, 5:-5], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', VARIANTS)
def test_no_net_has_a_transposed_convolution(name):
  net, side = nets.build_net(name, 3), nets.get_variant(name).input_size_px
  with layers.conv_form('plain'):
    trace = str(jax.make_jaxpr(functools.partial(net.apply, train=False))(
      shapes(name)[1], jax.ShapeDtypeStruct((1, side, side, 1), np.float32)))
  assert trace.count('conv_general_dilated[') == trace.count('lhs_dilation=(1, 1)') > 20


# Skips -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('remat, marked', [((), 0), (('stage4',), 2), (('stage1', 'stage2'), 4)])
def test_rematerialised_stages_are_those_of_both_halves(remat, marked):
  trace = jax.make_jaxpr(functools.partial(make(remat=remat).apply, train=False))(
    variables(), IMAGE)
  assert sum('remat' in eqn.primitive.name or 'checkpoint' in eqn.primitive.name
             for eqn in trace.eqns) == marked


# Weights of an EfficientNet --------------------------------------------------------------------


def test_grey_pixels_start_as_what_imagenet_s_weights_expect():
  net, row = nets.build_net('vae_efficientnet_b1', 1), VARIANTS['vae_efficientnet_b1']
  pixels = np.linspace(0, 1, 12).astype(np.float32).reshape(1, 3, 4, 1)
  init = jax.jit(lambda key, image: net.init_with_output(
    key, image, method=lambda net, image: net.grey_to_rgb(image))[0])
  rgb = init(jax.random.key(0), (pixels - row.mean[0]) / row.std[0])
  expected = (255 * pixels - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
  np.testing.assert_allclose(rgb, expected, rtol=1e-4, atol=1e-5)


def drawn(shapes, seed):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda leaf: rng.uniform(0.1, 1, leaf.shape).astype(np.float32), shapes)


def test_weights_of_an_efficientnet_fill_exactly_the_encoder(tmp_path):
  names, fresh = get_weight_names('vae_efficientnet_b1'), drawn(shapes('vae_efficientnet_b1')[1], 1)
  trunk = nets.build_net('efficientnet_b1', 7)
  with layers.conv_form('plain'):
    theirs = drawn(jax.eval_shape(functools.partial(trunk.init, train=False), jax.random.key(0),
                                  jnp.zeros((1, 64, 64, 3))), 2)
  timm, arrays = get_weight_names('efficientnet_b1')['timm'], {}
  for name, leaf in flatten_names(theirs).items():
    path = tuple(name.split('/')[1:])
    arrays[timm.to_key(path)] = np.ascontiguousarray(timm.to_array(path, leaf))
  file = tmp_path / 'efficientnet_b1.safetensors'
  save_file(arrays, file)
  loaded, account = load_weights(file, fresh, names=names, partial=True)
  source, before = flatten_names(theirs), flatten_names(fresh)
  for name, leaf in flatten_names(loaded).items():
    collection, module, _ = name.split('/', 2)
    inside = module == 'encoder'
    np.testing.assert_array_equal(
      leaf, source[name.replace('encoder/', '')] if inside else before[name])
    assert (name in account.loaded) is inside
  assert set(account.unused) == {'classifier.weight', 'classifier.bias'}
  with pytest.raises(UserError, match=r'lacks \d+ of .*decoder \(\d+\).*init_partial'):
    load_weights(file, fresh, names=names)


def test_what_timm_does_not_have_bears_our_own_names_once():
  for name in VARIANTS:
    to_key = get_weight_names(name)['timm'].to_key
    paths = [tuple(path.split('/')[1:]) for path in flatten_names(shapes(name)[1])]
    keys = {to_key(path) for path in paths}
    assert len(keys) == len(paths)
    assert 'decoder.up1.conv1.weight' in keys and 'latent_head.dense.bias' in keys
