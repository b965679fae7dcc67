"""Squared error; its mean is MSE."""

import chex
import jax.numpy as jnp


def squared_error(outputs, targets):
  """The square of a difference, element-wise; a mean over everything makes it MSE.

    L = (x - y)^2

  A tagger's outputs are logits and its task hands in their sigmoids: then it is the Brier score,
  which is least where each probability is right, and whose gradient vanishes at both ends.

  Args:
    outputs: [..., T], floating point.
    targets: like outputs. They may require a gradient.

  Returns:
    [..., T], element-wise, float32 (float64 for float64 outputs).

  Raises:
    AssertionError: when the shapes differ.

  Source: Gauss, Theoria motus corporum coelestium, 1809; for probabilities Brier, Verification of
  Forecasts Expressed in Terms of Probability, 1950, Monthly Weather Review 78.
  """
  chex.assert_equal_shape((outputs, targets))
  dtype = jnp.promote_types(jnp.result_type(outputs), jnp.float32)
  return jnp.square(jnp.asarray(outputs, dtype) - jnp.asarray(targets, dtype))
