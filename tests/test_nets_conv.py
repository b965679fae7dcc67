"""The convolution and the pools equal lax and plain arithmetic in every form."""

import functools
import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from nets import conv, layers

# height, width, channels, kernel [h, w], features, stride, padding
CONVOLUTIONS = {
  'same 3x3': (9, 8, 3, (3, 3), 4, 1, 1),
  'stem 7x7': (17, 16, 3, (7, 7), 5, 2, 3),
  'stem of stride 4': (17, 16, 3, (7, 7), 5, 4, 3),
  'patches': (17, 16, 3, (4, 4), 5, 4, 0),
  'many channels, stride 2': (9, 8, 6, (3, 3), 4, 2, 1),
  'many channels, rows': (8, 9, 5, (1, 7), 4, 1, (0, 3)),
  'many channels, lopsided': (11, 12, 5, (3, 5), 4, (3, 2), ((0, 1), (2, 0))),
  'padded projection': (5, 6, 5, (1, 1), 3, 2, 1),
  'stride 2 even': (8, 10, 4, (3, 3), 6, 2, 1),
  'stride 2 odd': (9, 7, 4, (3, 3), 6, 2, 1),
  'projection': (8, 9, 4, (1, 1), 6, 2, 0),
  'valid': (9, 9, 2, (3, 3), 3, 2, 0),
  'rows': (8, 9, 3, (1, 7), 4, 1, (0, 3)),
  'columns': (8, 9, 3, (7, 1), 4, 1, (3, 0)),
  'lopsided padding': (8, 9, 3, (3, 3), 4, 2, ((0, 1), (1, 0))),
  'lopsided stride': (11, 12, 3, (3, 5), 4, (3, 2), (1, 2)),
  'even kernel': (8, 8, 3, (4, 2), 4, 2, 1),
  'more padding than kernel': (5, 6, 2, (3, 3), 3, 1, 4),
  'stride beyond kernel': (11, 10, 2, (2, 2), 3, 3, 0),
  'few positions': (2, 2, 3, (3, 3), 4, 1, 1),
  'few positions, stride 2': (4, 3, 3, (3, 3), 4, 2, ((0, 1), (1, 1))),
  'few positions, projection': (3, 4, 2, (1, 1), 4, 2, 0),
  'one position': (3, 5, 2, (3, 5), 4, 1, 0),
}


def operands(case):
  height, width, channels, size, features, stride, padding = CONVOLUTIONS[case]
  rng = np.random.default_rng(0)
  x = np.float32(rng.normal(size=(2, height, width, channels)))
  kernel = np.float32(rng.normal(size=(*size, channels, features)) / 3)
  return x, kernel, dict(stride=stride, padding=padding)


def output_and_gradients(form, x, kernel, options):
  """The gradient of the output differs from pixel to pixel, so that a shifted one shows."""
  with layers.conv_form(form):
    y, pullback = jax.vjp(lambda x, kernel: layers.convolve(x, kernel, **options), x, kernel)
    return y, *pullback(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))


def assert_close(ours, theirs):
  for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * max(1, np.abs(other).max()))


@pytest.mark.parametrize('case', CONVOLUTIONS)
def test_canonical_convolution_equals_lax(case):
  x, kernel, options = operands(case)
  ours, theirs = jax.jit(lambda *args: [
    output_and_gradients(form, *args, options) for form in ('canonical', 'plain')])(x, kernel)
  assert_close(ours, theirs)


def test_canonical_convolution_equals_lax_inside_scan():
  x, kernel, options = operands('stride 2 odd')
  xs = jnp.stack([x, 2 * x, x - 1])

  def gradients(kernel):
    def body(total, x):
      return total + (layers.convolve(x, kernel, **options) ** 2).sum(), None
    return lax.scan(body, 0.0, xs)[0]

  results = []
  for form in ('canonical', 'plain'):
    with layers.conv_form(form):
      results.append(jax.jit(jax.value_and_grad(gradients))(kernel))
  assert_close(*results)


def test_canonical_convolution_equals_lax_under_vmap():
  x, kernel, options = operands('lopsided padding')
  kernels = jnp.stack([kernel, -2 * kernel])
  results = []
  for form in ('canonical', 'plain'):
    with layers.conv_form(form):
      results.append(jax.jit(jax.vmap(jax.grad(
        lambda kernel: (layers.convolve(x, kernel, **options) ** 2).sum())))(kernels))
  assert_close(*results)


def test_groups_see_their_own_channels():
  x = jax.random.normal(jax.random.key(0), (1, 8, 8, 4))
  kernel = jax.random.normal(jax.random.key(1), (3, 3, 1, 8))
  with layers.conv_form('canonical'):
    ours = layers.convolve(x, kernel, padding=1, groups=4)
    for channel in range(8):
      alone = layers.convolve(
        x[..., channel // 2, None], kernel[..., channel, None], padding=1)
      np.testing.assert_allclose(ours[..., channel, None], alone, atol=1e-5)


@pytest.mark.parametrize('backend, form', [('cpu', 'canonical'), ('tpu', 'plain'),
                                           ('gpu', 'plain')])
def test_the_backend_chooses_the_form(monkeypatch, backend, form):
  monkeypatch.setattr(jax, 'default_backend', lambda: backend)
  assert layers.get_conv_form() == form
  with layers.conv_form('plain'):
    assert layers.get_conv_form() == 'plain'
    with layers.conv_form('canonical'):
      assert layers.get_conv_form() == 'canonical'
    assert layers.get_conv_form() == 'plain'
  assert layers.get_conv_form() == form


def test_plain_form_leaves_no_custom_gradient_in_the_trace():
  x, kernel, options = operands('same 3x3')
  for form, present in (('canonical', True), ('plain', False)):
    with layers.conv_form(form):
      trace = jax.make_jaxpr(lambda x: layers.convolve(x, kernel, **options))(x)
    assert ('custom_vjp' in str(trace)) is present


def test_an_unknown_form_is_refused():
  with pytest.raises(ValueError, match='auto, plain, canonical'):
    with layers.conv_form('fast'):
      pass


def test_conv_has_the_same_parameters_in_every_form():
  layer = layers.Conv(6, (3, 5), stride=2, padding=(1, 2), use_bias=True,
                      bias_init=nn.initializers.ones)
  x = jax.random.normal(jax.random.key(0), (2, 9, 8, 3))
  variables, outputs = {}, {}
  for form in ('canonical', 'plain'):
    with layers.conv_form(form):
      outputs[form], variables[form] = layer.init_with_output(jax.random.key(1), x)
  shapes = jax.tree.map(jnp.shape, variables['plain'])
  assert shapes == {'params': {'kernel': (3, 5, 3, 6), 'bias': (6,)}}
  jax.tree.map(np.testing.assert_array_equal, variables['plain'], variables['canonical'])
  assert_close(outputs['canonical'], outputs['plain'])


def test_conv_computes_in_dtype_and_stores_in_param_dtype():
  layer = layers.Conv(4, 3, padding=1, dtype=jnp.bfloat16)
  y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 4, 4, 3)))
  assert y.dtype == jnp.bfloat16 and variables['params']['kernel'].dtype == jnp.float32


def test_convolutions_are_made_in_conv_alone():
  pattern = re.compile(r'nn\.Conv\b|conv_general_dilated|lax\.conv|nn\.max_pool|reduce_window')
  files = [path for path in Path(conv.__file__).parent.glob('*.py')
           if path.stem not in ('conv', 'canonical')]
  assert files
  assert [path.name for path in files if pattern.search(path.read_text())] == []


@pytest.mark.parametrize('height, size, stride, padding', [
  (8, 3, 2, 1), (9, 3, 2, 1), (9, 3, 2, 0), (8, 2, 2, 0), (7, 3, 1, 1), (9, (3, 2), (2, 1), 1),
  (8, 3, 2, ((0, 1), (0, 1)))])
def test_max_pool_is_the_same_in_both_forms(height, size, stride, padding):
  x = jax.random.normal(jax.random.key(0), (2, height, 10, 3)) - 2  # no ties, mostly negative
  def pool(x):
    y = layers.max_pool(x, size, stride=stride, padding=padding)
    return (y * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)).sum(), y
  results = []
  for form in ('canonical', 'plain'):
    with layers.conv_form(form):
      results.append(jax.jit(jax.value_and_grad(pool, has_aux=True))(x))
  np.testing.assert_array_equal(results[0][0][1], results[1][0][1])
  np.testing.assert_allclose(results[0][1], results[1][1], atol=1e-6)


@pytest.mark.parametrize('form', ['canonical', 'plain'])
def test_max_pool_keeps_the_sum_of_the_gradient_where_pixels_tie(form):
  with layers.conv_form(form):
    gradient = jax.grad(lambda x: layers.max_pool(x, 3, stride=2, padding=1).sum())(
      jnp.zeros((1, 8, 8, 2)))
  assert (gradient >= 0).all() and gradient.sum() == 4 * 4 * 2


@pytest.mark.parametrize('form', ['canonical', 'plain'])
@pytest.mark.parametrize('count_padding', [True, False])
@pytest.mark.parametrize('height, size, stride, padding', [
  (8, 3, 1, 1), (9, 3, 2, 0), (8, (2, 3), (1, 2), (1, 0)), (9, 5, 3, ((0, 2), (2, 1)))])
def test_avg_pool_is_the_mean_of_every_window(form, count_padding, height, size, stride, padding):
  x = np.random.default_rng(0).normal(size=(2, height, 7, 3)).astype(np.float32)
  with layers.conv_form(form):
    ours = jax.jit(lambda x: layers.avg_pool(
      x, size, stride=stride, padding=padding, count_padding=count_padding))(x)
  pads = conv._padding_pairs(padding)
  padded = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=0 if count_padding else np.nan)
  (rows, columns), (down, right) = conv._pair(size), conv._pair(stride)
  mean = np.mean if count_padding else np.nanmean
  expected = np.stack([np.stack([
    mean(padded[:, top:top + rows, left:left + columns], axis=(1, 2))
    for left in range(0, padded.shape[2] - columns + 1, right)], axis=1)
    for top in range(0, padded.shape[1] - rows + 1, down)], axis=1)
  np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize('form', ['canonical', 'plain'])
def test_avg_pool_sends_every_pixel_its_share_back(form):
  with layers.conv_form(form):
    gradient = jax.grad(lambda x: layers.avg_pool(
      x, 3, stride=1, padding=1, count_padding=False).sum())(jnp.ones((1, 4, 4, 1)))
  shares = np.float32([1 / 2 + 1 / 3, 1 / 2 + 2 / 3, 1 / 2 + 2 / 3, 1 / 2 + 1 / 3])
  np.testing.assert_allclose(gradient[0, ..., 0], np.outer(shares, shares), rtol=1e-6)


@pytest.mark.parametrize('form', ['canonical', 'plain'])
def test_pools_leave_xla_nothing_to_fold(form):
  """A pool over constants, of ones for instance, is folded for seconds when a net is compiled."""
  x = jax.ShapeDtypeStruct((8, 64, 64, 32), jnp.float32)
  with layers.conv_form(form):
    for pool in (layers.max_pool, functools.partial(layers.avg_pool, count_padding=False)):
      text = jax.jit(lambda x, pool=pool: pool(x, 3, stride=1, padding=1)).lower(x).as_text()
      constants = re.findall(r'stablehlo.constant .*: tensor<([0-9x]*)f32>', text)
      sizes = [np.prod([int(side) for side in shape.split('x') if side]) for shape in constants]
      assert max(sizes) <= 64 * 64
      assert 'stablehlo.iota' not in text and 'reduce_window(%cst' not in text
