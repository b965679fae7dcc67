"""The layers that every net of this folder is made of.

All of them take `[B, H, W, C]` images. Convolutions and pools stand in `nets/conv.py` and are used
under this file's name: `layers.Conv`, `layers.max_pool`. A net makes its constructors once, from
its options and `train`, and hands them to its blocks, so that a block never mentions a dtype, a
mode or a mapped axis:

    make = layers.make_constructors(self.options, train=train)
    x = layers.ConvNormAct(64, 3, stride=2, padding=1, make=make, name='stem')(image)
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from nets.conv import Conv, avg_pool, conv_form, convolve, get_conv_form, max_pool  # noqa: F401
from nets.held import hold  # noqa: F401
from nets.options import ACTIVATIONS

truncated_normal = nn.initializers.truncated_normal(0.02)  # weights of nets with LayerNorms ...
gelu = functools.partial(nn.gelu, approximate=False)  # ... and their activation
_of_what_enters = nn.initializers.variance_scaling(2.0, 'fan_in', 'normal')


def depthwise_normal(key, shape, dtype=jnp.float32):
  """Draws the kernel of a depthwise convolution, so that variance stays behind a ReLU.

  Normal, of deviation sqrt(2 / (height * width)): a channel sees and is seen by itself alone. The
  default of `Conv` would divide by the places of all channels, and start far too small.

  Args:
    key: a PRNG key.
    shape: [height, width, 1, C].
    dtype: of what is returned.

  Source: He, Zhang, Ren, Sun, Delving Deep into Rectifiers, 2015, arXiv 1502.01852, equation 10.
  """
  return _of_what_enters(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class Constructors:
  """Layers that know a net's options and mode; each is called with its own sizes and `name=`."""

  conv: Callable  # Conv(features, kernel_size, stride=, padding=, groups=, use_bias=)
  dense: Callable  # nn.Dense(features)
  norm: Callable  # nn.BatchNorm(); its statistics, as the next one's, are float32 always
  layer_norm: Callable  # nn.LayerNorm()
  dropout: Callable  # nn.Dropout(rate)
  drop_path: Callable  # DropPath(rate)
  layer_scale: Callable  # LayerScale(init_value)
  act: Callable  # the activation between layers, x -> x


def make_constructors(options, *, train, act=nn.relu):
  """Returns the constructors that a net hands to its blocks.

  Args:
    options: NetOptions, resolved.
    train: True normalises by the batch, updates running statistics and drops; False does not.
    act: the family's activation, where the options name none.
  """
  return Constructors(
    conv=functools.partial(Conv, **options.dtypes),
    dense=functools.partial(nn.Dense, **options.dtypes),
    norm=functools.partial(
      nn.BatchNorm, use_running_average=not train, axis_name=options.batch_norm_axis,
      momentum=options.batch_norm_momentum, epsilon=options.batch_norm_epsilon, **options.dtypes),
    layer_norm=functools.partial(nn.LayerNorm, epsilon=1e-6, **options.dtypes),
    dropout=functools.partial(nn.Dropout, deterministic=not train),
    drop_path=functools.partial(DropPath, deterministic=not train),
    layer_scale=functools.partial(LayerScale, **options.dtypes),
    act=ACTIVATIONS.get(options.activation, act))


def rematerialise(block, options, stage):
  """Returns the class of a stage's blocks, computed again in the backward pass if so asked."""
  return nn.remat(block) if stage in options.remat else block


class ConvNormAct(nn.Module):
  """A convolution without bias (`conv`), a BatchNorm (`norm`) and an activation.

  Args of construction:
    make: the net's Constructors.
    act: whether the net's activation follows the norm.
  """

  features: int
  kernel_size: int | tuple[int, int]
  make: Constructors
  stride: int | tuple[int, int] = 1
  padding: Any = 0
  act: bool = True

  @nn.compact
  def __call__(self, x):
    x = self.make.conv(
      self.features, self.kernel_size, stride=self.stride, padding=self.padding, name='conv')(x)
    x = self.make.norm(name='norm')(x)
    return self.make.act(x) if self.act else x


class SqueezeExcite(nn.Module):
  """Scales every channel by a gate computed from the mean of all channels.

  Source: Hu, Shen, Albanie, Sun, Wu, Squeeze-and-Excitation Networks, 2018, arXiv 1709.01507.
  """

  reduced_features: int
  dense: Callable  # a configured constructor of nn.Dense
  act: Callable = nn.relu

  @nn.compact
  def __call__(self, x):
    scale = x.mean(axis=(1, 2), dtype=jnp.float32)  # [B, C]
    scale = self.act(self.dense(self.reduced_features, name='reduce')(scale))
    scale = nn.sigmoid(self.dense(x.shape[-1], name='expand')(scale))
    return x * scale[:, None, None, :].astype(x.dtype)


class DropPath(nn.Module):
  """Leaves out a residual branch for a random share of the pictures, in training.

  What stays is divided by the share that stays, so that the mean is that of inference. The mask
  comes from the rng 'dropout', which Linen folds with the module's path: no two blocks share one.

  Args of construction:
    rate: share of pictures whose branch becomes zero, 0 <= rate < 1; 0 is off.
    deterministic: True returns the input.

  Source: Huang, Sun, Liu, Sedra, Weinberger, Deep Networks with Stochastic Depth, 2016,
  arXiv 1603.09382; differs by dividing in training instead of multiplying in inference.
  """

  rate: float
  deterministic: bool

  @nn.compact
  def __call__(self, x):
    if self.deterministic or self.rate == 0:
      return x
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    kept = jax.random.bernoulli(self.make_rng('dropout'), 1 - self.rate, shape)
    return jnp.where(kept, x / (1 - self.rate), 0)


def drop_path_rates(last, depths):
  """Returns the rate of each block of each stage, growing evenly from 0 to that of the last.

  Args:
    last: the rate of the last block.
    depths: the number of blocks in each stage.

  Returns:
    A tuple for each stage, with a number for each block.
  """
  steps = max(1, sum(depths) - 1)
  starts = [sum(depths[:stage]) for stage in range(len(depths))]
  return tuple(tuple(last * (start + index) / steps for index in range(depth))
               for start, depth in zip(starts, depths, strict=True))


class LayerScale(nn.Module):
  """Multiplies every channel by a learned number (`gamma`) that starts small.

  Source: Touvron, Cord, Sablayrolles, Synnaeve, Jegou, Going Deeper with Image Transformers, 2021,
  arXiv 2103.17239, equation 3.
  """

  init_value: float
  dtype: Any = jnp.float32
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    gamma = self.param(
      'gamma', nn.initializers.constant(self.init_value), x.shape[-1:], self.param_dtype)
    return x * gamma.astype(self.dtype)


def repeat_pixels(x, times):
  """Enlarges maps [B, h, w, C] to [B, times * h, times * w, C], each pixel a square of copies."""
  rows, height, width, channels = x.shape
  x = jnp.broadcast_to(
    x[:, :, None, :, None], (rows, height, times, width, times, channels))
  return x.reshape(rows, height * times, width * times, channels)


def apply_head(features, num_outputs, options, *, train, name='head'):
  """Turns features into logits; to be called inside a net's compact `__call__`.

  Args:
    features: [B, C].
    num_outputs: 0 makes no head: the features come back.
    options: NetOptions, resolved: dropout_rate, head_bias_init, param_dtype.
    train: True drops features (rng 'dropout').
    name: of the dense layer.

  Returns:
    float32 [B, num_outputs], or [B, C].
  """
  features = features.astype(jnp.float32)
  if num_outputs == 0:
    return features
  x = nn.Dropout(options.dropout_rate, deterministic=not train, name='dropout')(features)
  return nn.Dense(
    num_outputs, dtype=jnp.float32, param_dtype=options.param_dtype, name=name,
    kernel_init=nn.initializers.normal(0.01), bias_init=make_bias_init(options))(x)


class HeadOnFeatures(nn.Module):
  """The head of a net by itself, on features that its trunk gave: output = head(features).

  It takes the variables of the whole net and reads the head's. Names are the same, so that dropout
  has the same random numbers too: with the same features, output and gradients are the net's own.

  Args of a call:
    features: [B, ..., C] with sides of 1 between: the net's tap 'features'.
    train: True drops features (rng 'dropout').

  Returns:
    (float32 [B, num_outputs], {'features': float32 [B, C]}).
  """

  num_outputs: int
  options: Any  # NetOptions, resolved: those of the net

  @nn.compact
  def __call__(self, features, *, train):
    features = features.reshape(len(features), -1).astype(jnp.float32)
    output = apply_head(features, self.num_outputs, self.options, train=train)
    return output, {'features': features}


def make_bias_init(options):
  """Returns the initialiser of a head's bias: the logits that the options name."""
  def init_bias(key, shape, dtype):
    del key
    return jnp.broadcast_to(jnp.asarray(options.head_bias_init, dtype), shape)
  return init_bias
