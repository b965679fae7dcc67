"""Root of the mean squared error of each example: RMSE."""

import chex
import jax
import jax.numpy as jnp


def root_squared_error(outputs, targets):
  """The root of an example's mean squared error, in the unit of the targets.

  With outputs x and targets y of T elements:

    L = sqrt(sum_t (x_t - y_t)^2 / T)

  The gradient, (x_t - y_t) / (T L), has the same length for any error and no limit at none: there
  it is zero, as the least subgradient is. The mean of these roots over examples is never above the
  RMSE of all examples together, which is the root of their mean.

  Args:
    outputs: [..., T], floating point.
    targets: like outputs.

  Returns:
    [...], one number per example, float32 (float64 for float64 outputs).

  Raises:
    AssertionError: when the shapes differ.

  Source: the quadratic mean; the zero at zero as for any norm, for instance section 3.1 of Parikh,
  Boyd, Proximal Algorithms, 2014.
  """
  chex.assert_equal_shape((outputs, targets))
  dtype = jnp.promote_types(jnp.result_type(outputs), jnp.float32)
  error = jnp.asarray(outputs, dtype) - jnp.asarray(targets, dtype)
  scale = jax.lax.stop_gradient(jnp.abs(error).max(axis=-1, keepdims=True))
  scale = jnp.where(scale > 0, scale, 1)  # without it squares of small errors vanish
  mean = jnp.square(error / scale).mean(axis=-1)
  root = jnp.where(mean > 0, jnp.sqrt(jnp.where(mean > 0, mean, 1)), 0)
  return scale[..., 0] * root
