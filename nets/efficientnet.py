"""EfficientNet: blocks found by search, made wider, deeper and larger together.

Papers: Tan, Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019,
arXiv 1905.11946 (table 1, B0; the rows below scale it); Sandler, Howard, Zhu, Zhmoginov, Chen,
MobileNetV2, 2018, arXiv 1801.04381 (the block); Hu et al., 2018, arXiv 1709.01507 (its gate).

Two published forms with the same parameters: weights of one load into the other and give other
numbers. `tf_efficientnet_*` is the authors' and Keras' own: maps are padded so that a side divided
by the stride rounds up, which for even sides pads more below and to the right; BatchNorm has
epsilon 1e-3 and momentum 0.99. `efficientnet_*` is that of weights trained in PyTorch: the same
padding on all sides, 1e-5 and 0.9.

Differs from the papers: the rate of drop paths grows from 0 in the first block to the row's own in
the last, not from one step above 0.

Input: pictures [B, H, W, C] normalised by the constants of the row, of the size of the row or any
other. Some weights that timm offers for `efficientnet_*` were trained with other constants or at
another size than the paper's, which the rows hold; the weights' own page tells them.
"""

import dataclasses
import math

import flax.linen as nn
import jax.numpy as jnp

from nets import layers
from nets.options import NetOptions, Row

SE_RATIO = 4  # channels that enter a block over the inner channels of its gate


@dataclasses.dataclass(frozen=True)
class Group:
  """Blocks of one width; the first may stride."""

  depth: int
  width: int
  kernel_px: int
  stride: int
  expansion: int
  stage: str  # the last block's map is returned under its name


GROUPS = (  # the paper's table 1, stages 2 to 8
  Group(1, 16, 3, 1, 1, 'stage1'),
  Group(2, 24, 3, 2, 6, 'stage1'),
  Group(2, 40, 5, 2, 6, 'stage2'),
  Group(3, 80, 3, 2, 6, 'stage3'),
  Group(3, 112, 5, 1, 6, 'stage3'),
  Group(4, 192, 5, 2, 6, 'stage4'),
  Group(1, 320, 3, 1, 6, 'stage4'),
)
STEM_WIDTH, TOP_WIDTH = 32, 1280


class MBConv(nn.Module):
  """A depthwise convolution with a gate between two 1x1 ones; the first makes the block wide."""

  group: Group  # scaled
  stride: int
  same_padding: bool
  make: layers.Constructors
  drop_path_rate: float

  @nn.compact
  def __call__(self, x):
    make, width, size = self.make, x.shape[-1], self.group.kernel_px
    inner, shortcut = width * self.group.expansion, x
    if self.group.expansion > 1:
      x = make.conv(inner, 1, name='expand_conv')(x)
      x = make.act(make.norm(name='expand_norm')(x))
    x = make.conv(
      inner, size, stride=self.stride, groups=inner, kernel_init=layers.depthwise_normal,
      padding=_padding(x, size, self.stride, self.same_padding), name='depthwise_conv')(x)
    x = make.act(make.norm(name='depthwise_norm')(x))
    x = layers.SqueezeExcite(
      max(1, width // SE_RATIO), make.dense, act=make.act, name='squeeze_excite')(x)
    x = make.conv(self.group.width, 1, name='project_conv')(x)
    x = make.norm(name='project_norm')(x)
    if x.shape != shortcut.shape:
      return x
    return shortcut + make.drop_path(self.drop_path_rate, name='drop_path')(x)


def _padding(x, size, stride, same):
  """Returns the px of zeros around a map, as `layers.Conv` takes them."""
  if not same:
    return size // 2
  totals = [max(0, (-(-side // stride) - 1) * stride + size - side) for side in x.shape[1:3]]
  return tuple((total // 2, total - total // 2) for total in totals)


@dataclasses.dataclass(frozen=True)
class Variant(Row):
  """One net of the family."""

  width_scale: float
  depth_scale: float
  same_padding: bool = False  # the TensorFlow form


class EfficientNet(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, C], normalised.
    train: True uses and updates batch statistics, drops features and residual branches (rng
      'dropout').

  Returns:
    output: float32 [B, num_outputs] logits; the features themselves when num_outputs is 0.
    taps: stem [B, H/2, W/2, C], stage1 to stage4 [B, H/4 .. H/32, .., C] (the last map of each
      size), features_2d (stage4 made wide by a 1x1 convolution), features float32 [B, C] (their
      mean over the picture). Sides round up.
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    row = self.row
    make = layers.make_constructors(self.options, train=train, act=nn.silu)
    groups = [scale(group, row) for group in GROUPS]
    rates = layers.drop_path_rates(
      self.options.drop_path_rate, [group.depth for group in groups])
    taps = {}

    x = make.conv(round_width(STEM_WIDTH * row.width_scale), 3, stride=2,
                  padding=_padding(image, 3, 2, row.same_padding), name='stem_conv')(image)
    x = taps['stem'] = make.act(make.norm(name='stem_norm')(x))
    for number, group in enumerate(groups, start=1):
      block = layers.rematerialise(MBConv, self.options, group.stage)
      for index, rate in enumerate(rates[number - 1], start=1):
        x = block(group, group.stride if index == 1 else 1, row.same_padding, make, rate,
                  name=f'group{number}_block{index}')(x)
      taps[group.stage] = x
    x = make.conv(round_width(TOP_WIDTH * row.width_scale), 1, name='top_conv')(x)
    x = taps['features_2d'] = make.act(make.norm(name='top_norm')(x))

    x = taps['features'] = x.mean(axis=(1, 2), dtype=jnp.float32)
    return layers.apply_head(x, self.num_outputs, self.options, train=train), taps


def round_width(width):
  """Rounds a number of channels to the nearest multiple of 8, but never down by a tenth."""
  rounded = max(8, int(width + 4) // 8 * 8)
  return rounded + 8 if rounded < 0.9 * width else rounded


def scale(group, row):
  """Returns a group of B0 as deep and as wide as in another row."""
  return dataclasses.replace(
    group, depth=math.ceil(group.depth * row.depth_scale),
    width=round_width(group.width * row.width_scale))


_SCALES = {  # width, depth, px, dropout rate
  'b0': (1.0, 1.0, 224, 0.2),
  'b1': (1.0, 1.1, 240, 0.2),
  'b2': (1.1, 1.2, 260, 0.3),
  'b3': (1.2, 1.4, 300, 0.3),
  'b4': (1.4, 1.8, 380, 0.4),
  'b5': (1.6, 2.2, 456, 0.4),
  'b6': (1.8, 2.6, 528, 0.5),
  'b7': (2.0, 3.1, 600, 0.5),
}

VARIANTS = {
  f'{form}efficientnet_{name}': Variant(
    width, depth, same_padding=form == 'tf_', input_size_px=size, dropout_rate=rate,
    drop_path_rate=0.2, **batch_norm)
  for form, batch_norm in (
    ('', {}), ('tf_', dict(batch_norm_momentum=0.99, batch_norm_epsilon=1e-3)))
  for name, (width, depth, size, rate) in _SCALES.items()
}

NET = EfficientNet
