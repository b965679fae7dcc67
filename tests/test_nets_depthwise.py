"""The depthwise convolution for CPUs equals lax, and so do both of its gradients, everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from nets import layers
from nets.depthwise import convolve_depthwise

# height, width, channels, kernel, stride, padding
CASES = {
  '3x3': (9, 8, 5, (3, 3), (1, 1), ((1, 1), (1, 1))),
  '7x7': (10, 8, 3, (7, 7), (1, 1), ((3, 3), (3, 3))),
  'stride 2, even, padded below': (8, 10, 4, (3, 3), (2, 2), ((0, 1), (0, 1))),
  'stride 2, odd': (9, 7, 4, (5, 5), (2, 2), ((2, 2), (2, 2))),
  'rows left over': (10, 11, 2, (3, 3), (3, 3), ((0, 0), (1, 0))),
  'stride beyond kernel': (9, 9, 2, (2, 2), (4, 3), ((0, 0), (0, 0))),
  'lopsided': (9, 12, 3, (3, 5), (2, 1), ((2, 0), (1, 3))),
  'kernel larger than the map': (2, 3, 3, (7, 7), (1, 1), ((3, 3), (3, 3))),
  'more padding than kernel': (4, 3, 2, (3, 3), (1, 1), ((4, 4), (3, 5))),
  'one position': (3, 3, 4, (3, 3), (1, 1), ((0, 0), (0, 0))),
}


def plain(x, kernel, stride, padding):
  return lax.conv_general_dilated(
    x, kernel, stride, padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=x.shape[-1])


def operands(case):
  height, width, channels, size, stride, padding = CASES[case]
  rng = np.random.default_rng(0)
  x = jnp.float32(rng.normal(size=(2, height, width, channels)))
  return x, jnp.float32(rng.normal(size=(*size, 1, channels))), stride, padding


def output_and_gradients(function, x, kernel, stride, padding):
  """The gradient of the output differs from pixel to pixel, so that a shifted one shows."""
  y, pullback = jax.vjp(lambda x, kernel: function(x, kernel, stride, padding), x, kernel)
  return y, *pullback(jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))


def assert_close(ours, theirs):
  for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * max(1, np.abs(other).max()))


@pytest.mark.parametrize('case', CASES)
def test_output_and_gradients_equal_lax(case):
  x, kernel, stride, padding = operands(case)
  ours, theirs = jax.jit(lambda x, kernel: [
    output_and_gradients(function, x, kernel, stride, padding)
    for function in (convolve_depthwise, plain)])(x, kernel)
  assert_close(ours, theirs)


def test_gradients_equal_lax_inside_scan_and_under_vmap():
  x, kernel, stride, padding = operands('lopsided')
  xs, kernels = jnp.stack([x, 2 * x, x - 1]), jnp.stack([kernel, -2 * kernel])

  def gradients(function):
    def total(kernel):
      def body(total, x):
        return total + (function(x, kernel, stride, padding) ** 2).sum(), None
      return lax.scan(body, 0.0, xs)[0]
    return jax.jit(jax.vmap(jax.grad(total)))(kernels)

  assert_close(gradients(convolve_depthwise), gradients(plain))


def test_the_kernels_gradient_is_summed_in_float32():
  """A sum of ones in bfloat16 stops at 256."""
  x, kernel = jnp.ones((1, 64, 64, 2), jnp.bfloat16), jnp.zeros((1, 1, 1, 2), jnp.bfloat16)
  gradient = jax.jit(jax.grad(
    lambda kernel: convolve_depthwise(x, kernel, (1, 1), ((0, 0), (0, 0))).sum()))(kernel)
  assert gradient.dtype == jnp.bfloat16 and (gradient == 64 * 64).all()


@pytest.mark.parametrize('form', ['canonical', 'plain'])
def test_only_the_plain_form_uses_the_grouped_convolution_of_lax(form):
  x, kernel, _, _ = operands('3x3')
  with layers.conv_form(form):
    trace = jax.make_jaxpr(jax.grad(lambda x, kernel: layers.convolve(
      x, kernel, padding=1, groups=x.shape[-1]).sum(), argnums=(0, 1)))(x, kernel)
  assert ('conv_general_dilated' in str(trace)) is (form == 'plain')
