"""How element-wise values become one number."""

import jax
import jax.numpy as jnp
import numpy as np


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
  """The mean over real rows of values [B, ...] -> [...]; 0 where there are none.

  Args:
    values: rows of padding hold anything, NaN included.
    mask: shape [B], 1 for a real row and 0 for padding.
  """
  return masked_sum(values, mask) / jnp.maximum(mask.sum(), 1)


def masked_sum(values: jax.Array, mask: jax.Array) -> jax.Array:
  """The sum over real rows of values [B, ...] -> [...]."""
  keep = mask.reshape(-1, *[1] * (values.ndim - 1)) > 0
  return jnp.where(keep, values, 0).sum(axis=0)


def mean_loss(totals: dict[str, np.ndarray]) -> dict[str, float]:
  """'loss', the mean over real rows, and 'examples', their number. Args: totals: sums of a `tally`,
  one number each."""
  return {'loss': float(totals['loss'] / max(totals['examples'], 1)),
          'examples': int(totals['examples'])}
