"""Convolutions and pools: one meaning, several ways of being computed.

All of them take `[B, H, W, C]` images. A convolution has one set of parameters (`kernel` as
[height, width, in, out] and, if asked for, `bias`). How it is computed is decided when a function
is traced, by the backend, so a checkpoint never depends on it.

  plain      `lax.conv_general_dilated` and JAX's own gradient: accelerators, export, second order.
  canonical  what XLA's CPU backend computes well wherever it stands, loops included: one layout and
             matrix products, with gradients spelled out (nets/canonical.py), depthwise convolutions
             as sums of shifted maps (nets/depthwise.py), pools as chains of strided slices.

`conv_form` overrides the choice for what is traced inside it. A function that `jit` has already
traced keeps the form it was traced with.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nets.canonical import convolve_canonical, convolve_plain, every
from nets.depthwise import convolve_depthwise

CONV_FORMS = ('auto', 'plain', 'canonical')
_conv_form = contextvars.ContextVar('conv_form', default='auto')

he_normal = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')


@contextlib.contextmanager
def conv_form(form):
  """Computes what is traced inside the `with` in one form, whatever the backend.

  Args:
    form: one of CONV_FORMS; 'auto' is 'canonical' on CPU and 'plain' elsewhere.

  Raises:
    ValueError: for another form.
  """
  if form not in CONV_FORMS:
    raise ValueError(f'conv_form is {form!r}, expected one of {", ".join(CONV_FORMS)}.')
  token = _conv_form.set(form)
  try:
    yield
  finally:
    _conv_form.reset(token)


def get_conv_form():
  """Returns 'plain' or 'canonical': what a convolution traced now would be."""
  form = _conv_form.get()
  if form == 'auto':
    return 'canonical' if jax.default_backend() == 'cpu' else 'plain'
  return form


def _pair(value):
  return (value, value) if isinstance(value, int) else tuple(value)


def _padding_pairs(padding):
  """Returns ((top, bottom), (left, right)) from one number, one per axis, or all four."""
  return tuple(_pair(one) for one in _pair(padding))


def convolve(x, kernel, *, stride=1, padding=0, groups=1):
  """Convolves images with a kernel; every convolution of the project comes through here.

  Args:
    x: [B, H, W, C].
    kernel: [height, width, C // groups, features], of the dtype of `x`.
    stride: px, one number or (vertical, horizontal).
    padding: px of zeros; one number, (vertical, horizontal), or ((top, bottom), (left, right)).
    groups: into how many independent parts the channels are split; C is depthwise.

  Returns:
    [B, h, w, features], h = (H + top + bottom - height) // stride + 1.
  """
  stride, padding = _pair(stride), _padding_pairs(padding)
  if get_conv_form() == 'canonical':
    if groups == 1:
      return convolve_canonical(x, kernel, stride, padding)
    if groups == x.shape[-1] == kernel.shape[-1]:
      return convolve_depthwise(x, kernel, stride, padding)
  return convolve_plain(x, kernel, stride, padding, feature_group_count=groups)


class Conv(nn.Module):
  """A convolution with parameters `kernel` and, if `use_bias`, `bias`; see `convolve`."""

  features: int
  kernel_size: int | tuple[int, int]
  stride: int | tuple[int, int] = 1
  padding: Any = 0
  groups: int = 1
  use_bias: bool = False
  dtype: Any = jnp.float32
  param_dtype: Any = jnp.float32
  kernel_init: Callable = he_normal
  bias_init: Callable = nn.initializers.zeros_init()

  @nn.compact
  def __call__(self, x):
    shape = (*_pair(self.kernel_size), x.shape[-1] // self.groups, self.features)
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)
    x = convolve(
      x.astype(self.dtype), kernel.astype(self.dtype), stride=self.stride,
      padding=self.padding, groups=self.groups)
    if self.use_bias:
      bias = self.param('bias', self.bias_init, (self.features,), self.param_dtype)
      x = x + bias.astype(self.dtype)
    return x


def _reduce_slices(x, axis, size, step, pads, function, fill):
  """Maximum or sum over windows along one axis, as a chain over strided slices."""
  widths = [(0, 0)] * x.ndim
  widths[axis] = pads
  x = jnp.pad(x, widths, constant_values=fill)
  count = (x.shape[axis] - size) // step + 1
  return functools.reduce(function, [every(x, axis, start, count, step) for start in range(size)])


def max_pool(x, size, *, stride, padding=0):
  """Takes the maximum over square windows.

  The value is the same on every backend. Where several pixels of a window tie, the gradient goes
  to one of them on accelerators and is divided among them on CPU; its sum is the same.

  Args:
    x: [B, H, W, C], floating point.
    size: px, one number or (vertical, horizontal).
    stride: px, like `size`.
    padding: px that never win, as in `convolve`; narrower than the window.

  Returns:
    [B, h, w, C], h = (H + top + bottom - size) // stride + 1.
  """
  size, stride, padding = _pair(size), _pair(stride), _padding_pairs(padding)
  if get_conv_form() == 'canonical':
    for axis in (0, 1):
      x = _reduce_slices(
        x, 1 + axis, size[axis], stride[axis], padding[axis], jnp.maximum, -jnp.inf)
    return x
  return lax.reduce_window(
    x, -jnp.inf, lax.max, (1, *size, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0)))


def avg_pool(x, size, *, stride, padding=0, count_padding=True):
  """Takes the mean over square windows.

  Args:
    x: [B, H, W, C], floating point.
    size: px, one number or (vertical, horizontal).
    stride: px, like `size`.
    padding: px of zeros, as in `convolve`; narrower than the window.
    count_padding: True divides every sum by the size of the window, False by the number of its
      pixels that lie in the picture.

  Returns:
    [B, h, w, C], h = (H + top + bottom - size) // stride + 1.
  """
  size, stride, padding = _pair(size), _pair(stride), _padding_pairs(padding)
  shape = x.shape
  if get_conv_form() == 'canonical':
    for axis in (0, 1):
      x = _reduce_slices(x, 1 + axis, size[axis], stride[axis], padding[axis], jnp.add, 0)
  else:
    x = lax.reduce_window(
      x, np.zeros((), x.dtype), lax.add, (1, *size, 1), (1, *stride, 1),
      ((0, 0), *padding, (0, 0)))
  counts = [_counts(shape[1 + axis], size[axis], stride[axis], padding[axis])
            if not count_padding else np.full(x.shape[1 + axis], size[axis])
            for axis in (0, 1)]
  # known when traced: nothing is left for XLA to fold
  return x * (1 / np.multiply.outer(*counts))[..., None].astype(x.dtype)


def _counts(extent, size, step, pads):
  """How many pixels of the picture lie in each window along one axis."""
  starts = np.arange((extent + sum(pads) - size) // step + 1) * step - pads[0]
  return np.minimum(starts + size, extent) - np.maximum(starts, 0)
