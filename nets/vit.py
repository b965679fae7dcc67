"""ViT: a transformer over the patches of a picture.

Papers: Dosovitskiy et al., An Image is Worth 16x16 Words, 2021, arXiv 2010.11929 (table 1, base;
section 3.2, position embeddings of other sizes); Touvron et al., Training Data-Efficient Image
Transformers and Distillation through Attention, 2021, arXiv 2012.12877 (table 1, tiny and small).

Differs from the papers: the head is one dense layer on the class token; position embeddings are
resized by antialiased bicubic interpolation, as timm does. There is no BatchNorm: options of
BatchNorm are accepted and have nothing to act on.

Input: pictures [B, H, W, C] normalised by the constants of the row, whose sides are multiples of
16 px. The position embedding has the size of the row's pictures whatever the size of those that
come: the checkpoint is the same, and the embedding is resized in every call.
"""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from nets import layers
from nets.options import HALF_RANGE, NetOptions, Row


class Attention(nn.Module):
  """Self-attention of several heads; the softmax is float32 whatever the net computes in."""

  num_heads: int
  make: layers.Constructors

  @nn.compact
  def __call__(self, x):
    batch, count, width = x.shape
    dense = functools.partial(self.make.dense, kernel_init=layers.truncated_normal)
    x = dense(3 * width, name='query_key_value')(x)
    x = x.reshape(batch, count, 3, self.num_heads, width // self.num_heads)
    query, key, value = x[:, :, 0], x[:, :, 1], x[:, :, 2]  # [B, N, heads, C / heads]
    scores = jnp.einsum('bqhc,bkhc->bhqk', query, key, preferred_element_type=jnp.float32)
    weights = jax.nn.softmax(scores / query.shape[-1] ** 0.5, axis=-1)
    x = jnp.einsum('bhqk,bkhc->bqhc', weights.astype(value.dtype), value)
    return dense(width, name='project')(x.reshape(batch, count, width))


class EncoderBlock(nn.Module):
  """Attention and two dense layers, each after a norm and added to its input."""

  num_heads: int
  make: layers.Constructors
  drop_path_rate: float

  @nn.compact
  def __call__(self, x):
    width, make = x.shape[-1], self.make
    dense = functools.partial(make.dense, kernel_init=layers.truncated_normal)
    y = make.layer_norm(name='attention_norm')(x)
    y = Attention(self.num_heads, make, name='attention')(y)
    x = x + make.drop_path(self.drop_path_rate, name='attention_drop_path')(y)
    y = make.layer_norm(name='mlp_norm')(x)
    y = make.act(dense(4 * width, name='expand')(y))
    y = dense(width, name='project')(y)
    return x + make.drop_path(self.drop_path_rate, name='mlp_drop_path')(y)


@dataclasses.dataclass(frozen=True)
class Variant(Row):
  """One net of the family."""

  width: int
  num_heads: int
  depths: tuple[int, ...] = (3, 3, 3, 3)  # blocks up to each tap
  patch_px: int = 16


class ViT(nn.Module):
  """Image -> (output, taps).

  Args of a call:
    image: [B, H, W, C], normalised; H and W multiples of the patch.
    train: True drops features and residual branches (rng 'dropout').

  Returns:
    output: float32 [B, num_outputs] logits; the features themselves when num_outputs is 0.
    taps: stem [B, H/16, W/16, C] (patches with their positions), stage1 to stage4, all of that
      size: patches after each quarter of the blocks; features_2d (stage4, normalised), features
      float32 [B, C] (the class token, normalised).

  Raises:
    UserError: when a side of the picture is no multiple of the patch.
  """

  row: Variant
  num_outputs: int
  options: NetOptions

  @nn.compact
  def __call__(self, image, *, train):
    row = self.row
    make = layers.make_constructors(self.options, train=train, act=layers.gelu)
    rates = layers.drop_path_rates(self.options.drop_path_rate, row.depths)
    taps = {}

    token, patches = self._embed(image, make)
    taps['stem'] = patches
    to_map = functools.partial(_without_class_token, shape=patches.shape)
    x = jnp.concatenate([token, patches.reshape(patches.shape[0], -1, row.width)], axis=1)
    for stage, stage_rates in enumerate(rates, start=1):
      block = layers.rematerialise(EncoderBlock, self.options, f'stage{stage}')
      for index, rate in enumerate(stage_rates, start=1):
        x = block(row.num_heads, make, rate, name=f'stage{stage}_block{index}')(x)
      taps[f'stage{stage}'] = to_map(x)
    x = make.layer_norm(name='features_norm')(x)

    taps['features_2d'] = to_map(x)
    x = taps['features'] = x[:, 0].astype(jnp.float32)
    return layers.apply_head(x, self.num_outputs, self.options, train=train), taps

  def _embed(self, image, make):
    """Returns the class token [B, 1, C] and the patches [B, h, w, C], each with its position."""
    patch, width, dtype = self.row.patch_px, self.row.width, self.options.param_dtype
    if any(side % patch for side in image.shape[1:3]):
      raise UserError(
        f'A ViT of patch {patch} takes pictures whose sides are multiples of {patch} px, got '
        f'{image.shape[1]} x {image.shape[2]}.')
    x = make.conv(width, patch, stride=patch, use_bias=True, kernel_init=layers.truncated_normal,
                  name='stem_conv')(image)
    count = 1 + (self.row.input_size_px // patch) ** 2
    token = self.param('class_token', nn.initializers.normal(1e-6), (1, 1, width), dtype)
    positions = self.param('position_embedding', layers.truncated_normal, (1, count, width), dtype)
    token = (token + positions[:, :1]).astype(x.dtype)
    x = x + resize_positions(positions[:, 1:], x.shape[1:3]).astype(x.dtype)
    return jnp.broadcast_to(token, (x.shape[0], 1, width)), x


def _without_class_token(x, *, shape):
  return x[:, 1:].reshape(shape)


def resize_positions(positions, size):
  """Resizes the position embedding of a square of patches.

  Args:
    positions: [1, n * n, C], rows of the square one after another, without the class token's.
    size: (height, width), in patches.

  Returns:
    [1, height, width, C], of the dtype of `positions`; the same numbers for the same size.
  """
  grid = round(positions.shape[1] ** 0.5)
  positions = positions.reshape(1, grid, grid, -1)
  if size == (grid, grid):
    return positions
  return jax.image.resize(positions, (1, *size, positions.shape[-1]), 'bicubic')


class PositionResize:
  """Makes the position embedding of one size of pictures, [1, 1 + n * n, C], that of another."""

  def describe(self, stored, wanted):
    """What it does, in words, from two shapes; '' where it cannot."""
    sides = [round((shape[1] - 1) ** 0.5) if len(shape) == 3 else 0 for shape in (stored, wanted)]
    if not all(sides) or stored[2] != wanted[2] or any(
        shape[1] != 1 + side ** 2 for shape, side in zip((stored, wanted), sides, strict=True)):
      return ''
    return f'positions of {sides[0]} x {sides[0]} patches to {sides[1]} x {sides[1]}'

  def __call__(self, array, wanted):
    """Returns an array of the wanted shape; the class token's position stays as it is."""
    side = round((wanted[1] - 1) ** 0.5)
    patches = resize_positions(jnp.asarray(array[:, 1:]), (side, side))
    return np.concatenate([array[:, :1], np.asarray(patches).reshape(1, side ** 2, -1)], axis=1)


RESIZE = {'position_embedding': PositionResize()}
VARIANTS = {
  f'vit_{size}_patch16': Variant(width, num_heads, mean=HALF_RANGE, std=HALF_RANGE)
  for size, width, num_heads in (('tiny', 192, 3), ('small', 384, 6), ('base', 768, 12))
}

NET = ViT
