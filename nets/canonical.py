"""Dense convolution for XLA's CPU backend: in one layout, with gradients that are spelled out.

That backend computes a convolution well only as [B, H, W, C] with [height, width, in, out]; as JAX
spells its gradients they have other layouts and, in loops, take many times as long. So both
convolutions of the backward pass are written in that one, with transposes around them. Where it is
slow all the same, matrix products take its place:

  1 x 1 kernels, and outputs of a few pixels  two to five times as fast, forward and backward
  the kernel's gradient of pictures           (a few channels): two to four times
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

_DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')
_FEW_PIXELS = 4  # of an output, up to which XLA's convolution is 60 times slower
_FEW_CHANNELS = 4


def convolve_canonical(x, kernel, stride, padding):
  """Convolves images with a dense kernel.

  Args:
    x: [B, H, W, C].
    kernel: [height, width, C, features], of the dtype of `x`.
    stride: px, (vertical, horizontal).
    padding: px of zeros, ((top, bottom), (left, right)).

  Returns:
    [B, h, w, features], h = (H + top + bottom - height) // stride + 1.
  """
  size = kernel.shape[:2]
  output = [(x.shape[1 + axis] + sum(padding[axis]) - size[axis]) // stride[axis] + 1
            for axis in (0, 1)]
  if math.prod(size) > 1 and math.prod(output) > _FEW_PIXELS:
    return _convolution(x, kernel, stride, padding)
  x = _pad(x, padding)
  windows = [every(every(x, 1, top, output[0], stride[0]), 2, left, output[1], stride[1])
             for top in range(size[0]) for left in range(size[1])]
  return _product(_side_by_side(windows), kernel.reshape(-1, kernel.shape[-1]))


@jax.custom_vjp
def _product(x, kernel):
  """[B, h, w, C] by [C, features]; as JAX spells it, the kernel's gradient comes out transposed."""
  return x @ kernel


def _product_forward(x, kernel):
  return x @ kernel, (x, kernel)


def _product_backward(residuals, grad):
  x, kernel = residuals
  x_grad = lax.dot_general(grad, kernel, (((3,), (1,)), ((), ())))
  return x_grad, _sum_of_products(x, grad).astype(kernel.dtype)


_product.defvjp(_product_forward, _product_backward)


def _sum_of_products(x, grad):
  """float32 [C, features]: x by grad, summed over pixels, which are one axis: XLA then lays out
  neither anew."""
  return jnp.matmul(x.reshape(-1, x.shape[-1]).T, grad.reshape(-1, grad.shape[-1]),
                    preferred_element_type=jnp.float32)


def convolve_plain(x, kernel, stride, padding, **options):
  """XLA's own convolution in the layout of all nets, with the gradient that JAX spells."""
  return lax.conv_general_dilated(
    x, kernel, stride, padding, dimension_numbers=_DIMENSIONS, **options)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolution(x, kernel, stride, padding):
  return convolve_plain(x, kernel, stride, padding)


def _convolution_forward(x, kernel, stride, padding):
  return convolve_plain(x, kernel, stride, padding), (x, kernel)


def _convolution_backward(stride, padding, residuals, grad):
  x, kernel = residuals
  # a stem of stride 4 whose windows overlap is the one case where products lose
  by_products = x.shape[-1] <= _FEW_CHANNELS and not 2 < stride[1] < kernel.shape[1]
  kernel_gradient = _kernel_products if by_products else _kernel_convolution
  return (_picture_gradient(x, kernel, grad, stride, padding),
          kernel_gradient(x, kernel, grad, stride, padding))


_convolution.defvjp(_convolution_forward, _convolution_backward)


def _picture_gradient(x, kernel, grad, stride, padding):
  pads = []
  for axis in (0, 1):
    (low, _), size = padding[axis], kernel.shape[axis]
    last = (grad.shape[1 + axis] - 1) * stride[axis]  # where the last window begins, before `low`
    pads.append((size - 1 - low, x.shape[1 + axis] + low - 1 - last))
  return convolve_plain(
    grad, kernel[::-1, ::-1].swapaxes(2, 3), (1, 1), pads, lhs_dilation=stride)


def _kernel_convolution(x, kernel, grad, stride, padding):
  """The picture takes the place of the batch: channels in, channels out, summed over rows."""
  pads = []
  for axis in (0, 1):
    (low, _), last = padding[axis], (grad.shape[1 + axis] - 1) * stride[axis]
    pads.append((low, kernel.shape[axis] + last - x.shape[1 + axis] - low))
  return convolve_plain(
    x.transpose(3, 1, 2, 0), grad.transpose(1, 2, 0, 3), (1, 1), pads,
    rhs_dilation=stride).transpose(1, 2, 0, 3)


def _kernel_products(x, kernel, grad, stride, padding):
  """A product for each row of the kernel; what its columns see lies side by side."""
  x = _pad(x, padding)
  x = _side_by_side([every(x, 2, left, grad.shape[2], stride[1])
                     for left in range(kernel.shape[1])])
  rows = [_sum_of_products(every(x, 1, top, grad.shape[1], stride[0]), grad)
          for top in range(kernel.shape[0])]  # each [width * C, features]
  return jnp.stack(rows).reshape(kernel.shape).astype(kernel.dtype)


def _pad(x, padding):
  return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pads, 0) for pads in padding),
                                             (0, 0, 0)))


def every(x, axis, start, count, step):
  """`count` rows or columns from `start` on, `step` px apart."""
  return lax.slice_in_dim(x, start, start + (count - 1) * step + 1, step, axis)


def _side_by_side(maps):
  return jnp.concatenate(maps, axis=-1) if len(maps) > 1 else maps[0]
