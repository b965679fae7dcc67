"""SE-ResNet: residual nets whose blocks weigh their channels.

Papers: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016, arXiv 1512.03385
(table 1 gives depths and widths); Hu, Shen, Albanie, Sun, Wu, Squeeze-and-Excitation Networks,
2018, arXiv 1709.01507 (the gate, with reduction 16, closes the residual branch of every block).

Differs from the papers: bottleneck blocks stride in the 3x3 convolution, not the first 1x1; the
last BatchNorm of every residual branch starts at zero, so that every block starts as its shortcut
(Goyal et al., 2017, arXiv 1706.02677); the published nets have no dropout before the head.

Input: pictures [B, H, W, 3] normalised by the constants of the row, of the size of the row or any
other that is a multiple of 32. `se_resnet_tagger` is this project's own layout: a stem of stride 4,
narrow and short stages where the maps are large, and most of its parameters where they are small. A
step of training costs far less than the same parameters behind a stem of stride 2: two CPU cores do
51 to 55 pictures/s against 15.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from errors import UserError
from nets import layers

IMAGENET_MEAN = (123.675, 116.28, 103.53)  # red, green, blue in 0..255
IMAGENET_STD = (58.395, 57.12, 57.375)
HALF_RANGE = (127.5, 127.5, 127.5)  # as mean and as deviation: pixels become -1..1


class BasicBlock(nn.Module):
  """Two 3x3 convolutions and a gate, added to the shortcut."""

  width: int
  stride: int
  conv: Callable
  norm: Callable
  squeeze_excite: Callable
  expansion = 1

  @nn.compact
  def __call__(self, x):
    shortcut = _shortcut(self, x)
    x = self.conv(self.width, 3, stride=self.stride, padding=1, name='conv1')(x)
    x = nn.relu(self.norm(name='norm1')(x))
    x = self.conv(self.width, 3, padding=1, name='conv2')(x)
    x = self.norm(name='norm2', scale_init=nn.initializers.zeros_init())(x)
    x = self.squeeze_excite(name='squeeze_excite')(x)
    return nn.relu(x + shortcut)


class BottleneckBlock(nn.Module):
  """A 3x3 convolution between two 1x1 ones, the last four times as wide, and a gate."""

  width: int
  stride: int
  conv: Callable
  norm: Callable
  squeeze_excite: Callable
  expansion = 4

  @nn.compact
  def __call__(self, x):
    shortcut = _shortcut(self, x)
    x = self.conv(self.width, 1, name='conv1')(x)
    x = nn.relu(self.norm(name='norm1')(x))
    x = self.conv(self.width, 3, stride=self.stride, padding=1, name='conv2')(x)
    x = nn.relu(self.norm(name='norm2')(x))
    x = self.conv(self.width * self.expansion, 1, name='conv3')(x)
    x = self.norm(name='norm3', scale_init=nn.initializers.zeros_init())(x)
    x = self.squeeze_excite(name='squeeze_excite')(x)
    return nn.relu(x + shortcut)


def _shortcut(block, x):
  """Returns `x` as it is, or projected where the block changes its shape."""
  features = block.width * block.expansion
  if block.stride == 1 and x.shape[-1] == features:
    return x
  x = block.conv(features, 1, stride=block.stride, name='shortcut_conv')(x)
  return block.norm(name='shortcut_norm')(x)


class SEResNet(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, 3], normalised.
    train: True uses and updates batch statistics and drops features (rng 'dropout').

  Returns:
    output: float32 [B, num_outputs] logits; the features themselves when num_outputs is 0.
    taps: stem [B, H/2, W/2, C] (before the pool), stage1 to stage4 [B, H/4 .. H/32, .., C] (half
      of these sides behind a stem of stride 4), features_2d (stage4), features float32 [B, C]
      (their mean over the picture).
  """

  block: Callable
  depths: tuple[int, ...]
  widths: tuple[int, ...]
  stem_width: int
  stem_size_px: int
  stem_stride: int
  se_ratio: int
  num_outputs: int
  dropout_rate: float
  batch_norm_axis: str | None
  batch_norm_momentum: float
  batch_norm_epsilon: float
  head_bias_init: float | tuple[float, ...]  # prior logits: one for all outputs, or one each
  dtype: Any
  param_dtype: Any

  @nn.compact
  def __call__(self, image, *, train):
    dtypes = dict(dtype=self.dtype, param_dtype=self.param_dtype)
    conv = functools.partial(layers.Conv, **dtypes)
    dense = functools.partial(nn.Dense, **dtypes)
    norm = layers.make_batch_norm(
      train=train, axis_name=self.batch_norm_axis, momentum=self.batch_norm_momentum,
      epsilon=self.batch_norm_epsilon, **dtypes)
    taps = {}

    x = conv(self.stem_width, self.stem_size_px, stride=self.stem_stride,
             padding=self.stem_size_px // 2, name='stem_conv')(image)
    x = taps['stem'] = nn.relu(norm(name='stem_norm')(x))
    x = layers.max_pool(x, 3, stride=2, padding=1)

    for stage, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True), start=1):
      squeeze_excite = functools.partial(
        layers.SqueezeExcite, width * self.block.expansion // self.se_ratio, dense)
      for index in range(1, depth + 1):
        stride = 2 if stage > 1 and index == 1 else 1
        x = self.block(
          width, stride, conv, norm, squeeze_excite, name=f'stage{stage}_block{index}')(x)
      taps[f'stage{stage}'] = x

    taps['features_2d'] = x
    x = taps['features'] = x.mean(axis=(1, 2), dtype=jnp.float32)
    if self.num_outputs == 0:
      return x, taps
    x = nn.Dropout(self.dropout_rate, deterministic=not train, name='dropout')(x)
    x = nn.Dense(
      self.num_outputs, dtype=jnp.float32, param_dtype=self.param_dtype, name='head',
      kernel_init=nn.initializers.normal(0.01), bias_init=self._init_head_bias)(x)
    return x, taps

  def _init_head_bias(self, key, shape, dtype):
    del key
    return jnp.broadcast_to(jnp.asarray(self.head_bias_init, dtype), shape)


@dataclasses.dataclass(frozen=True)
class Variant:
  """One net of the family."""

  block: Callable
  depths: tuple[int, ...]
  widths: tuple[int, ...] = (64, 128, 256, 512)
  stem_width: int = 64
  stem_size_px: int = 7
  stem_stride: int = 2
  se_ratio: int = 16
  dropout_rate: float = 0.0
  input_size_px: int = 224
  mean: tuple[float, ...] = IMAGENET_MEAN  # of the pixels the net takes, in 0..255
  std: tuple[float, ...] = IMAGENET_STD


VARIANTS = {
  'se_resnet18': Variant(BasicBlock, (2, 2, 2, 2)),
  'se_resnet34': Variant(BasicBlock, (3, 4, 6, 3)),
  'se_resnet50': Variant(BottleneckBlock, (3, 4, 6, 3)),
  'se_resnet_tagger': Variant(
    BasicBlock, (1, 1, 3, 3), widths=(32, 96, 256, 512), stem_width=32, stem_stride=4,
    dropout_rate=0.2, input_size_px=256, mean=HALF_RANGE, std=HALF_RANGE),
  'se_resnet_tiny': Variant(
    BasicBlock, (1, 1, 1, 1), widths=(16, 32, 48, 96), stem_width=16, stem_size_px=3, se_ratio=8,
    input_size_px=64, mean=HALF_RANGE, std=HALF_RANGE),
}


def build(name, num_outputs, *, dtype=jnp.float32, param_dtype=jnp.float32, batch_norm_axis=None,
          batch_norm_momentum=0.9, batch_norm_epsilon=1e-5, dropout_rate=-1.0, head_bias_init=0.0):
  """Builds one variant.

  Args:
    name: a key of VARIANTS.
    num_outputs: logits; 0 builds no head.
    dtype: what blocks compute in; statistics and the head are float32 whatever it is.
    param_dtype: what parameters are stored in.
    batch_norm_axis: None, or the mapped axis that statistics are averaged over.
    batch_norm_momentum: share of the old running statistic that each step keeps.
    batch_norm_epsilon: added to the variance.
    dropout_rate: of the features before the head; negative takes the row's own.
    head_bias_init: logits that the head starts at: one number, or [num_outputs], for instance
      log(p / (1 - p)) of the share p of pictures that carry each tag.

  Raises:
    UserError: when head_bias_init is neither one number nor one for each output.
  """
  row = VARIANTS[name]
  bias = np.asarray(head_bias_init, np.float64)
  if bias.shape not in ((), (num_outputs,)):
    raise UserError(
      f'head_bias_init of {name} has shape {bias.shape}, expected one number or '
      f'({num_outputs},), one for each output.')
  return SEResNet(
    block=row.block, depths=row.depths, widths=row.widths, stem_width=row.stem_width,
    stem_size_px=row.stem_size_px, stem_stride=row.stem_stride, se_ratio=row.se_ratio,
    num_outputs=num_outputs,
    dropout_rate=row.dropout_rate if dropout_rate < 0 else dropout_rate,
    batch_norm_axis=batch_norm_axis, batch_norm_momentum=batch_norm_momentum,
    batch_norm_epsilon=batch_norm_epsilon,
    head_bias_init=tuple(bias.tolist()) if bias.shape else float(bias),
    dtype=dtype, param_dtype=param_dtype)
