"""ConvNeXt: a convolutional net laid out and trained like a vision transformer.

Paper: Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, A ConvNet for the 2020s, 2022, arXiv 2201.03545
(section 3 gives depths and widths, table 5 the drop path rates).

A block looks at 7x7 pixels of each channel alone, normalises each pixel over its channels, and
mixes channels by two dense layers, the inner one four times as wide. There is no BatchNorm: options
of BatchNorm are accepted and have nothing to act on.

Input: pictures [B, H, W, C] normalised by the constants of the row, of the size of the row or any
other that is a multiple of 32; what hangs over a multiple is not looked at.
"""

import dataclasses
import functools

import flax.linen as nn
import jax.numpy as jnp

from nets import layers
from nets.options import NetOptions, Row


class ConvNeXtBlock(nn.Module):
  """A depthwise convolution, a norm and two dense layers, scaled and added to the input."""

  make: layers.Constructors
  drop_path_rate: float

  @nn.compact
  def __call__(self, x):
    width = x.shape[-1]
    dense = functools.partial(self.make.dense, kernel_init=layers.truncated_normal)
    shortcut = x
    x = self.make.conv(
      width, 7, padding=3, groups=width, use_bias=True, kernel_init=layers.truncated_normal,
      name='depthwise_conv')(x)
    x = self.make.layer_norm(name='norm')(x)
    x = self.make.act(dense(4 * width, name='expand')(x))
    x = dense(width, name='project')(x)
    x = self.make.layer_scale(1e-6, name='layer_scale')(x)
    return layers.hold(shortcut + self.make.drop_path(self.drop_path_rate, name='drop_path')(x))


@dataclasses.dataclass(frozen=True)
class Variant(Row):
  """One net of the family."""

  depths: tuple[int, ...]
  widths: tuple[int, ...]


class ConvNeXt(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, C], normalised.
    train: True drops features and residual branches (rng 'dropout').

  Returns:
    output: float32 [B, num_outputs] logits; the features themselves when num_outputs is 0.
    taps: stem [B, H/4, W/4, C], stage1 to stage4 [B, H/4 .. H/32, .., C], features_2d (stage4),
      features float32 [B, C] (their mean over the picture, normalised).
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    row = self.row
    make = layers.make_constructors(self.options, train=train, act=layers.gelu)
    conv = functools.partial(make.conv, use_bias=True, kernel_init=layers.truncated_normal)
    rates = layers.drop_path_rates(self.options.drop_path_rate, row.depths)
    taps = {}

    x = conv(row.widths[0], 4, stride=4, name='stem_conv')(image)
    x = taps['stem'] = make.layer_norm(name='stem_norm')(x)
    for stage, width in enumerate(row.widths, start=1):
      if stage > 1:
        x = make.layer_norm(name=f'stage{stage}_down_norm')(x)
        x = conv(width, 2, stride=2, name=f'stage{stage}_down_conv')(x)
      block = layers.rematerialise(ConvNeXtBlock, self.options, f'stage{stage}')
      for index, rate in enumerate(rates[stage - 1], start=1):
        x = block(make, rate, name=f'stage{stage}_block{index}')(x)
      taps[f'stage{stage}'] = x

    taps['features_2d'] = x
    x = x.mean(axis=(1, 2), dtype=jnp.float32)
    x = taps['features'] = make.layer_norm(dtype=jnp.float32, name='features_norm')(x)
    return layers.apply_head(x, self.num_outputs, self.options, train=train), taps


VARIANTS = {
  'convnext_tiny': Variant((3, 3, 9, 3), (96, 192, 384, 768), drop_path_rate=0.1),
  'convnext_small': Variant((3, 3, 27, 3), (96, 192, 384, 768), drop_path_rate=0.4),
  'convnext_base': Variant((3, 3, 27, 3), (128, 256, 512, 1024), drop_path_rate=0.5),
}

NET = ConvNeXt
