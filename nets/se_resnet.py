"""SE-ResNet: residual nets whose blocks weigh their channels.

Papers: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016, arXiv 1512.03385
(table 1 gives depths and widths); Hu, Shen, Albanie, Sun, Wu, Squeeze-and-Excitation Networks,
2018, arXiv 1709.01507 (the gate, with reduction 16, closes the residual branch of every block).

Two published wirings, each with weights at timm. `legacy_se_resnet*` is the paper authors' own:
bottleneck blocks stride in the first 1x1 convolution, basic blocks have a third ReLU before their
gate, and the pool after the stem has no padding but a last window that may hang over the edge.
`se_resnet*` strides in the 3x3 convolution, pads the pool by one, and no gate has fewer than 8
inner channels. Both have the same parameters where blocks are bottlenecks.

Differs from the papers: the last BatchNorm of every residual branch starts at zero, so that every
block starts as its shortcut (Goyal et al., 2017, arXiv 1706.02677); not before that third ReLU,
which would pass no gradient.

Input: pictures [B, H, W, C] normalised by the constants of the row, of the size of the row or any
other that is a multiple of 32. `se_resnet_tagger` is this project's own layout: a stem of stride 4,
narrow and short stages where the maps are large, and most of its parameters where they are small. A
step of training costs far less than the same parameters behind a stem of stride 2: two CPU cores do
51 to 55 pictures/s against 15.
"""

import dataclasses
import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from nets import layers
from nets.options import HALF_RANGE, NetOptions, Row


class BasicBlock(nn.Module):
  """Two 3x3 convolutions and a gate, added to the shortcut."""

  width: int
  stride: int
  make: layers.Constructors
  squeeze_excite: Callable
  drop_path_rate: float
  legacy: bool
  expansion = 1

  @nn.compact
  def __call__(self, x):
    shortcut = _shortcut(self, x)
    x = self.make.conv(self.width, 3, stride=self.stride, padding=1, name='conv1')(x)
    x = self.make.act(self.make.norm(name='norm1')(x))
    x = self.make.conv(self.width, 3, padding=1, name='conv2')(x)
    if self.legacy:
      x = self.make.act(self.make.norm(name='norm2')(x))
    else:
      x = self.make.norm(name='norm2', scale_init=nn.initializers.zeros_init())(x)
    x = self.squeeze_excite(name='squeeze_excite')(x)
    x = self.make.drop_path(self.drop_path_rate, name='drop_path')(x)
    return self.make.act(x + shortcut)


class BottleneckBlock(nn.Module):
  """A 3x3 convolution between two 1x1 ones, the last four times as wide, and a gate."""

  width: int
  stride: int
  make: layers.Constructors
  squeeze_excite: Callable
  drop_path_rate: float
  legacy: bool
  expansion = 4

  @nn.compact
  def __call__(self, x):
    shortcut = _shortcut(self, x)
    strides = (self.stride, 1) if self.legacy else (1, self.stride)
    x = self.make.conv(self.width, 1, stride=strides[0], name='conv1')(x)
    x = self.make.act(self.make.norm(name='norm1')(x))
    x = self.make.conv(self.width, 3, stride=strides[1], padding=1, name='conv2')(x)
    x = self.make.act(self.make.norm(name='norm2')(x))
    x = self.make.conv(self.width * self.expansion, 1, name='conv3')(x)
    x = self.make.norm(name='norm3', scale_init=nn.initializers.zeros_init())(x)
    x = self.squeeze_excite(name='squeeze_excite')(x)
    x = self.make.drop_path(self.drop_path_rate, name='drop_path')(x)
    return self.make.act(x + shortcut)


def _shortcut(block, x):
  """Returns `x` as it is, or projected where the block changes its shape."""
  features = block.width * block.expansion
  if block.stride == 1 and x.shape[-1] == features:
    return x
  x = block.make.conv(features, 1, stride=block.stride, name='shortcut_conv')(x)
  return block.make.norm(name='shortcut_norm')(x)


@dataclasses.dataclass(frozen=True)
class Variant(Row):
  """One net of the family."""

  block: Callable
  depths: tuple[int, ...]
  widths: tuple[int, ...] = (64, 128, 256, 512)
  stem_width: int = 64
  stem_size_px: int = 7
  stem_stride: int = 2
  se_ratio: int = 16  # channels of a block over the inner channels of its gate
  se_least: int = 1  # inner channels of a gate
  legacy: bool = False  # which of the two wirings


class SEResNet(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, C], normalised.
    train: True uses and updates batch statistics, drops features and residual branches (rng
      'dropout').

  Returns:
    output: float32 [B, num_outputs] logits; the features themselves when num_outputs is 0.
    taps: stem [B, H/2, W/2, C] (before the pool), stage1 to stage4 [B, H/4 .. H/32, .., C] (half
      of these sides behind a stem of stride 4), features_2d (stage4), features float32 [B, C]
      (their mean over the picture).
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    row = self.row
    make = layers.make_constructors(self.options, train=train)
    rates = layers.drop_path_rates(self.options.drop_path_rate, row.depths)
    taps = {}

    x = make.conv(row.stem_width, row.stem_size_px, stride=row.stem_stride,
                  padding=row.stem_size_px // 2, name='stem_conv')(image)
    x = taps['stem'] = make.act(make.norm(name='stem_norm')(x))
    x = _pool(x, row.legacy)

    for stage, (depth, width) in enumerate(zip(row.depths, row.widths, strict=True), start=1):
      block = layers.rematerialise(row.block, self.options, f'stage{stage}')
      inner = max(row.se_least, width * row.block.expansion // row.se_ratio)
      for index in range(1, depth + 1):
        x = block(
          width, 2 if stage > 1 and index == 1 else 1, make,
          functools.partial(layers.SqueezeExcite, inner, make.dense, act=make.act),
          rates[stage - 1][index - 1], row.legacy, name=f'stage{stage}_block{index}')(x)
      taps[f'stage{stage}'] = x

    taps['features_2d'] = x
    taps['features'] = x.mean(axis=(1, 2), dtype=jnp.float32)
    return layers.apply_head(taps['features'], self.num_outputs, self.options, train=train), taps


def _pool(x, legacy):
  """Halves the stem's map; the legacy wiring pads below and to the right, and only even sides."""
  padding = tuple((0, 1 - side % 2) for side in x.shape[1:3]) if legacy else 1
  return layers.max_pool(x, 3, stride=2, padding=padding)


_DEPTHS = {
  18: (BasicBlock, (2, 2, 2, 2)),
  34: (BasicBlock, (3, 4, 6, 3)),
  50: (BottleneckBlock, (3, 4, 6, 3)),
  101: (BottleneckBlock, (3, 4, 23, 3)),
  152: (BottleneckBlock, (3, 8, 36, 3)),
}

VARIANTS = {
  **{f'se_resnet{depth}': Variant(*blocks, se_least=8) for depth, blocks in _DEPTHS.items()},
  **{f'legacy_se_resnet{depth}': Variant(*blocks, legacy=True)
     for depth, blocks in _DEPTHS.items()},
  'se_resnet_tagger': Variant(
    BasicBlock, (1, 1, 3, 3), widths=(32, 96, 256, 512), stem_width=32, stem_stride=4,
    dropout_rate=0.2, input_size_px=256, mean=HALF_RANGE, std=HALF_RANGE),
  'se_resnet_tiny': Variant(
    BasicBlock, (1, 1, 1, 1), widths=(16, 32, 48, 96), stem_width=16, stem_size_px=3, se_ratio=8,
    input_size_px=64, mean=HALF_RANGE, std=HALF_RANGE),
}

NET = SEResNet
