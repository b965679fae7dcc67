"""Mixup and cutmix: each picture of a batch is mixed with its neighbour, and so is its truth.

Mixup blends the two pictures; cutmix puts a box of the neighbour into the picture. The neighbour of
row i is row i - 1, of the first row the last. Rows of a training batch come in random order, so the
neighbour is any picture. A batch is what one call sees: the part of an accumulated batch, or with
`pmap` and per-device statistics the rows of one device.
"""

import jax
import jax.numpy as jnp


def mix(key: jax.Array, image: jax.Array, mask: jax.Array, *, mixup_alpha: float,
        cutmix_alpha: float) -> tuple[jax.Array, jax.Array]:
  """Pictures mixed with their neighbours by mixup or cutmix; with both, each batch draws one.

  Args:
    key: of the random numbers.
    image: [B, H, W, C].
    mask: [B], 1 for a real row and 0 for padding.
    mixup_alpha, cutmix_alpha: of `draw_shares` and `draw_boxes`, one of them above 0; 0 is off.

  Returns:
    The pictures, float32 [B, H, W, C], and the share of each that is its own, float32 [B], by which
    `blend` and `blend_labels` mix what is true of them.
  """
  if not cutmix_alpha:
    share = draw_shares(key, mask, mixup_alpha)
    return blend(image, share), share
  keys = jax.random.split(key, 3)
  kept, share = draw_boxes(keys[0], mask, cutmix_alpha, image.shape[1:3])
  if mixup_alpha:
    blended = draw_shares(keys[1], mask, mixup_alpha)
    by_mixup = jax.random.bernoulli(keys[2])
    kept = jnp.where(by_mixup, blended[:, None, None], kept)
    share = jnp.where(by_mixup, blended, share)
  return blend(image, kept), share


def draw_shares(key: jax.Array, mask: jax.Array, alpha: float) -> jax.Array:
  """How much of a row is its own picture: max(s, 1 - s) of a fresh s ~ Beta(alpha, alpha) per row.

  The greater share is the row's own because which of the two comes first changes nothing in the
  mix. A row of padding, and a row whose neighbour is one, stays as it is: share 1.

  Args:
    key: of the random numbers.
    mask: [B], 1 for a real row and 0 for padding.
    alpha: above 0. Far below 1, most rows stay nearly as they are; at 1 all shares are alike; far
      above 1, most are halves.

  Returns:
    float32 [B], 0.5 to 1.

  Source: Zhang, Cisse, Dauphin, Lopez-Paz, mixup: Beyond Empirical Risk Minimization, 2018,
  arXiv 1710.09412; differs by one share per row in place of one per batch.
  """
  own = jax.random.beta(key, alpha, alpha, mask.shape, jnp.float32)
  both_real = (mask > 0) & (neighbour(mask) > 0)
  return jnp.where(both_real, jnp.maximum(own, 1 - own), 1.0)


def draw_boxes(key: jax.Array, mask: jax.Array, alpha: float,
               size_px: tuple[int, int]) -> tuple[jax.Array, jax.Array]:
  """What is left of a row's own picture when a box of it is given to its neighbour.

  The box has the picture's proportions and 1 - s of its area, with a fresh s ~ Beta(alpha, alpha)
  per row, and its centre is anywhere in the picture. What lies beyond the edges is cut off, and the
  share is that of the pixels which are really kept. A row of padding, and a row whose neighbour is
  one, keeps all.

  Args:
    key: of the random numbers.
    mask: [B], 1 for a real row and 0 for padding.
    alpha: above 0; 1 makes all areas alike.
    size_px: (H, W) of the pictures.

  Returns:
    float32 [B, H, W], 1 for the row's own pixels and 0 for its neighbour's, and float32 [B], the
    share of ones.

  Source: Yun, Han, Oh, Chun, Choe, Yoo, CutMix: Regularization Strategy to Train Strong Classifiers
  with Localizable Features, 2019, arXiv 1905.04899, section 3; differs by one box per row in place
  of one per batch.
  """
  area_key, centre_key = jax.random.split(key)
  own = jax.random.beta(area_key, alpha, alpha, mask.shape, jnp.float32)
  centres = jax.random.uniform(centre_key, (2, *mask.shape))
  both_real = (mask > 0) & (neighbour(mask) > 0)
  inside = []
  for size, centre in zip(size_px, centres, strict=True):
    half = jnp.sqrt(1 - own) * size / 2
    first, last = (jnp.clip(jnp.round(centre * size + way * half), 0, size)[:, None]
                   for way in (-1, 1))
    inside.append((jnp.arange(size) >= first) & (jnp.arange(size) < last))       # [B, H or W]
  rows, columns = inside
  box = rows[:, :, None] & columns[:, None, :] & both_real[:, None, None]
  kept = 1.0 - box.astype(jnp.float32)
  return kept, kept.mean(axis=(1, 2))


def neighbour(values: jax.Array) -> jax.Array:
  """Row i - 1 in place of row i, of values [B, ...]."""
  return jnp.roll(values, 1, axis=0)


def blend(values: jax.Array, share: jax.Array) -> jax.Array:
  """share of each row's own values [B, ...], the rest its neighbour's; float32.

  Where the share is 1 nothing of the neighbour gets in, not even a NaN.

  Args: share: [B], or with more of the values' first axes, such as [B, H, W].
  """
  share = share.reshape(*share.shape, *[1] * (values.ndim - share.ndim))
  own, other = values.astype(jnp.float32), neighbour(values).astype(jnp.float32)
  return jnp.where(share < 1, share * own + (1 - share) * other, own)


def blend_labels(labels: jax.Array, weights: jax.Array | float,
                 share: jax.Array) -> tuple[jax.Array, jax.Array | float]:
  """Labels and weights [B, T] of blended pictures; one number for all weights stays as it is.

  Each picture speaks with its share times its weight: where one ignores a tag (weight 0), the label
  is the other's, and weighs no more than the other's share. For a loss that is linear in the label
  this is the blend of the two pictures' weighted losses.
  """
  if jnp.ndim(weights) == 0:
    return blend(labels, share), weights
  blended = blend(weights, share)
  labels = blend(labels * weights, share) / jnp.where(blended > 0, blended, 1)
  return labels, blended
