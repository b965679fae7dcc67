"""KL divergence of a Gaussian from the standard one, what a latent unit costs a VAE."""

import math

import chex
import jax
import jax.numpy as jnp

CAP = 40.0                        # a log variance above which exp goes on as a straight line
TERMS = [1 / math.factorial(power) for power in range(18, 1, -1)]


def gaussian_kl(mean, logvar):
  """Nats by which telling a value of N(mean, exp(logvar)) exceeds telling one of N(0, 1).

  With mean m and log variance s:

    L = 0.5 (m^2 + exp(s) - 1 - s)

  Both summands, m^2 and exp(s) - 1 - s, are at least 0, and 0 only at m = 0 and s = 0. The second
  is a Taylor series where |s| < 1, since the difference would lose its digits there. Above s = 40
  exp goes on as its tangent, with the slope e^40: values and gradients, and the squares of
  gradients that optimizers and norms take, stay finite in float32. A trained net is never there.

  Args:
    mean: [..., D], floating point.
    logvar: like mean; the logarithm of a variance.

  Returns:
    [..., D], element-wise, float32 (float64 for float64 means).

  Raises:
    AssertionError: when the shapes differ.

  Source: Kingma, Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, appendix B.
  """
  chex.assert_equal_shape((mean, logvar))
  dtype = jnp.promote_types(jnp.result_type(mean), jnp.float32)
  return 0.5 * (jnp.square(jnp.asarray(mean, dtype)) + _excess(jnp.asarray(logvar, dtype)))


@jax.custom_jvp
def _excess(s):
  """exp(s) - 1 - s, at least 0."""
  near = jnp.clip(s, -1, 1)
  capped = jnp.minimum(s, CAP)
  far = jnp.expm1(capped) - s + math.exp(CAP) * (s - capped)
  return jnp.where(jnp.abs(s) < 1, jnp.square(near) * jnp.polyval(jnp.array(TERMS), near), far)


@_excess.defjvp
def _excess_jvp(primals, tangents):
  (s,), (change,) = primals, tangents
  return _excess(s), jnp.expm1(jnp.minimum(s, CAP)) * change
