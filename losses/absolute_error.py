"""Absolute error; its mean is MAE."""

import chex
import jax.numpy as jnp


def absolute_error(outputs, targets):
  """The size of a difference, element-wise; a mean over everything makes it MAE.

    L = |x - y|

  It is least at the median of the targets, where squared error is least at their mean: a few
  targets far off do not move it. The gradient is the sign of x - y, and 0 where they are equal, the
  least of the subgradients there.

  Args:
    outputs: [..., T], floating point.
    targets: like outputs. They may require a gradient.

  Returns:
    [..., T], element-wise, float32 (float64 for float64 outputs).

  Raises:
    AssertionError: when the shapes differ.

  Source: Laplace, Memoire sur la probabilite des causes par les evenements, 1774.
  """
  chex.assert_equal_shape((outputs, targets))
  dtype = jnp.promote_types(jnp.result_type(outputs), jnp.float32)
  error = jnp.asarray(outputs, dtype) - jnp.asarray(targets, dtype)
  return error * jnp.sign(error)  # |error|; jnp.abs has a slope of 1 at 0
