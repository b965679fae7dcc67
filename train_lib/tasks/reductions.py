"""How element-wise values become one number."""

import jax
import jax.numpy as jnp


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
  """The mean over real rows; rows of padding hold anything, NaN included.

  Args:
    values: shape [B].
    mask: shape [B], 1 for a real row and 0 for padding.
  """
  return masked_sum(values, mask) / jnp.maximum(mask.sum(), 1)


def masked_sum(values: jax.Array, mask: jax.Array) -> jax.Array:
  """The sum over real rows of values [B, ...] -> [...]."""
  keep = mask.reshape(-1, *[1] * (values.ndim - 1)) > 0
  return jnp.where(keep, values, 0).sum(axis=0)
