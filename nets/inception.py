"""Inception v3: blocks of parallel branches that see a map at several scales.

Paper: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, Rethinking the Inception Architecture for Computer
Vision, 2015, arXiv 1512.00567 (table 1, figures 5 to 10). Sizes are those of the released weights,
which differ from the table: a 1x1 convolution to 80 channels in the stem, three blocks of the first
kind, four of the second (with 128, 160, 160 and 192 inner channels) and two of the third.

Published in two forms. `inception_v3` is that of timm and torchvision: BatchNorms with a scale, and
an average over padded windows that counts the padding. `inception_v3_keras` is that of
keras.applications: BatchNorms without a scale, and windows that count only pixels of the picture.
Epsilon is 0.001 in both. `inception_v3_aux` adds the auxiliary head to the first; it is for
training alone, and weighs little in the loss (the paper's code: 0.4).

Blocks have the released names; Keras counts the same eleven from mixed0 (`mixed_5b`) to mixed10
(`mixed_7c`), its mixed8 is `mixed_7a`. `inception_v3_mixed8` is Keras' form cut there: the head
stands on the mean of that block's 1,280 channels, and half of the parameters are left.

Input: pictures [B, H, W, C] scaled to -1..1, 299 px; any side from 75 px on will do, and from
299 px on with the auxiliary head.
"""

import dataclasses
import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from errors import UserError
from nets import layers
from nets.options import HALF_RANGE, NetOptions, Row

_LEAST_PX = 75
_AUX_SIDE = 17  # of mixed_6e: its head has a 5x5 window of 5x5 averages, 3 px apart


def _same(size):
  """Padding that keeps a map's sides, for a kernel of odd size."""
  return tuple(side // 2 for side in size) if isinstance(size, tuple) else size // 2


def _chain(conv, name, x, *links):
  """Convolves one after another, (features, size) each; layers are called name_1, name_2, ..."""
  for number, (features, size) in enumerate(links, start=1):
    x = conv(features, size, padding=_same(size), name=f'{name}_{number}')(x)
  return x


def _join(*branches):
  return jnp.concatenate(branches, axis=-1)


@dataclasses.dataclass(frozen=True)
class Layers:
  """What blocks are made of, called with their own sizes and `name=`."""

  conv: Callable  # with its norm and ReLU
  average: Callable  # over 3x3 pixels, the same size comes out


class BlockA(nn.Module):
  """1x1, 5x5, two 3x3 and an average, side by side."""

  pool_features: int
  make: Layers

  @nn.compact
  def __call__(self, x):
    return _join(
      self.make.conv(64, 1, name='branch1x1')(x),
      _chain(self.make.conv, 'branch5x5', x, (48, 1), (64, 5)),
      _chain(self.make.conv, 'branch3x3dbl', x, (64, 1), (96, 3), (96, 3)),
      self.make.conv(self.pool_features, 1, name='branch_pool')(self.make.average(x)))


class BlockB(nn.Module):
  """Halves a map: a 3x3 of stride 2, two 3x3 and a maximum, side by side."""

  make: Layers

  @nn.compact
  def __call__(self, x):
    double = _chain(self.make.conv, 'branch3x3dbl', x, (64, 1), (96, 3))
    return _join(
      self.make.conv(384, 3, stride=2, name='branch3x3')(x),
      self.make.conv(96, 3, stride=2, name='branch3x3dbl_3')(double),
      layers.max_pool(x, 3, stride=2))


class BlockC(nn.Module):
  """1x1, a 7x7 in two steps, two of them and an average, side by side."""

  inner_features: int
  make: Layers

  @nn.compact
  def __call__(self, x):
    inner, row, column = self.inner_features, (1, 7), (7, 1)
    return _join(
      self.make.conv(192, 1, name='branch1x1')(x),
      _chain(self.make.conv, 'branch7x7', x, (inner, 1), (inner, row), (192, column)),
      _chain(self.make.conv, 'branch7x7dbl', x, (inner, 1), (inner, column), (inner, row),
             (inner, column), (192, row)),
      self.make.conv(192, 1, name='branch_pool')(self.make.average(x)))


class BlockD(nn.Module):
  """Halves a map: a 3x3, a 7x7 in two steps with a 3x3, and a maximum, side by side."""

  make: Layers

  @nn.compact
  def __call__(self, x):
    three = _chain(self.make.conv, 'branch3x3', x, (192, 1))
    seven = _chain(self.make.conv, 'branch7x7x3', x, (192, 1), (192, (1, 7)), (192, (7, 1)))
    return _join(
      self.make.conv(320, 3, stride=2, name='branch3x3_2')(three),
      self.make.conv(192, 3, stride=2, name='branch7x7x3_4')(seven),
      layers.max_pool(x, 3, stride=2))


class BlockE(nn.Module):
  """1x1, two branches that end in a row and a column of three, and an average, side by side."""

  make: Layers

  @nn.compact
  def __call__(self, x):
    single = _chain(self.make.conv, 'branch3x3', x, (384, 1))
    double = _chain(self.make.conv, 'branch3x3dbl', x, (448, 1), (384, 3))
    return _join(
      self.make.conv(320, 1, name='branch1x1')(x),
      self._fork('branch3x3_2', single),
      self._fork('branch3x3dbl_3', double),
      self.make.conv(192, 1, name='branch_pool')(self.make.average(x)))

  def _fork(self, name, x):
    return _join(self.make.conv(384, (1, 3), padding=(0, 1), name=f'{name}a')(x),
                 self.make.conv(384, (3, 1), padding=(1, 0), name=f'{name}b')(x))


BLOCKS = {
  'mixed_5b': (BlockA, 32), 'mixed_5c': (BlockA, 64), 'mixed_5d': (BlockA, 64),
  'mixed_6a': (BlockB,),
  'mixed_6b': (BlockC, 128), 'mixed_6c': (BlockC, 160), 'mixed_6d': (BlockC, 160),
  'mixed_6e': (BlockC, 192),
  'mixed_7a': (BlockD,), 'mixed_7b': (BlockE,), 'mixed_7c': (BlockE,),
}


class AuxiliaryHead(nn.Module):
  """[B, 17, 17, C] -> logits float32 [B, num_outputs], from the middle of the net."""

  num_outputs: int
  options: NetOptions
  conv: Callable

  @nn.compact
  def __call__(self, x):
    if min(x.shape[1:3]) < _AUX_SIDE:
      raise UserError('The auxiliary head of inception_v3_aux needs pictures of at least 299 px; '
                      'take inception_v3 for smaller ones.')
    x = layers.avg_pool(x, 5, stride=3)
    x = self.conv(128, 1, name='conv0')(x)
    x = self.conv(768, 5, name='conv1')(x)
    return nn.Dense(
      self.num_outputs, dtype=jnp.float32, param_dtype=self.options.param_dtype, name='fc',
      kernel_init=nn.initializers.normal(0.001))(x.mean(axis=(1, 2), dtype=jnp.float32))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant(Row):
  """One net of the family."""

  input_size_px: int = 299
  mean: tuple[float, ...] = HALF_RANGE
  std: tuple[float, ...] = HALF_RANGE
  batch_norm_epsilon: float = 1e-3
  stages: tuple[str, ...] = tuple(BLOCKS)  # the net's blocks, from the first of BLOCKS on
  norm_scale: bool = True  # BatchNorms have a scale
  count_padding: bool = True  # averages count the zeros around the picture
  auxiliary_head: bool = False


class InceptionV3(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, C], normalised.
    train: True uses and updates batch statistics and drops features (rng 'dropout').

  Returns:
    output: float32 [B, num_outputs] logits; the features themselves when num_outputs is 0.
    taps: stem [B, 71, 71, 192] (before its second pool), mixed_5b to mixed_5d [B, 35, 35, C],
      mixed_6a to mixed_6e [B, 17, 17, 768], mixed_7a to mixed_7c [B, 8, 8, C] (sides for 299 px),
      as far as the row has them; features_2d (the last of them, C = 2048, of mixed_7a 1280),
      features float32 [B, C] (their mean over the picture); with the auxiliary head and
      num_outputs, aux_output float32 [B, num_outputs].

  Raises:
    UserError: when the picture is too small for the blocks, or for the auxiliary head.
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    if min(image.shape[1:3]) < _LEAST_PX:
      raise UserError(f'Inception v3 takes pictures of at least {_LEAST_PX} px a side, got '
                      f'{image.shape[1]} x {image.shape[2]}.')
    make = layers.make_constructors(self.options, train=train)
    norm = functools.partial(make.norm, use_scale=self.row.norm_scale)
    conv = functools.partial(layers.ConvNormAct, make=dataclasses.replace(make, norm=norm))
    taps = {'stem': _stem(conv, image)}
    x = layers.max_pool(taps['stem'], 3, stride=2)
    average = functools.partial(
      layers.avg_pool, size=3, stride=1, padding=1, count_padding=self.row.count_padding)
    for name in self.row.stages:
      block, *sizes = BLOCKS[name]
      block = layers.rematerialise(block, self.options, name)
      x = taps[name] = block(*sizes, make=Layers(conv, average), name=name)(x)

    taps['features_2d'] = x
    taps['features'] = x.mean(axis=(1, 2), dtype=jnp.float32)
    if self.row.auxiliary_head and self.num_outputs:
      taps['aux_output'] = AuxiliaryHead(
        self.num_outputs, self.options, conv, name='aux_logits')(taps['mixed_6e'])
    return layers.apply_head(taps['features'], self.num_outputs, self.options, train=train), taps


def _stem(conv, x):
  x = conv(32, 3, stride=2, name='conv2d_1a_3x3')(x)
  x = conv(32, 3, name='conv2d_2a_3x3')(x)
  x = conv(64, 3, padding=1, name='conv2d_2b_3x3')(x)
  x = layers.max_pool(x, 3, stride=2)
  x = conv(80, 1, name='conv2d_3b_1x1')(x)
  return conv(192, 3, name='conv2d_4a_3x3')(x)


VARIANTS = {
  'inception_v3': Variant(),
  'inception_v3_aux': Variant(auxiliary_head=True),
  'inception_v3_keras': Variant(norm_scale=False, count_padding=False, batch_norm_momentum=0.99),
  'inception_v3_mixed8': Variant(norm_scale=False, count_padding=False, batch_norm_momentum=0.99,
                                 stages=tuple(BLOCKS)[:-2]),
}

NET = InceptionV3
