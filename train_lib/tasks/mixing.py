"""Mixup: every picture of a batch is blended with its neighbour, and so is what is true of them.

The neighbour of row i is row i - 1, of the first row the last. Rows of a training batch come in
random order, so the neighbour is any picture. A batch is what one call sees: the part of an
accumulated batch, or with `pmap` and per-device statistics the rows of one device.
"""

import jax
import jax.numpy as jnp


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


def neighbour(values: jax.Array) -> jax.Array:
  """Row i - 1 in place of row i, of values [B, ...]."""
  return jnp.roll(values, 1, axis=0)


def blend(values: jax.Array, share: jax.Array) -> jax.Array:
  """share of each row's own values [B, ...], the rest its neighbour's; float32.

  Where the share is 1 nothing of the neighbour gets in, not even a NaN.
  """
  share = share.reshape(-1, *[1] * (values.ndim - 1))
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
