"""Binary cross-entropy of independent labels."""

import chex
import jax
import jax.numpy as jnp


def sigmoid_cross_entropy(logits, labels):
  """Cost in nats of telling each label by the probability that its logit stands for.

  With logit x, label y and p = sigmoid(x):

    L = -y log p - (1 - y) log(1 - p) = y softplus(-x) + (1 - y) softplus(x)

  The right-hand form never takes the logarithm of a rounded probability: a sure mistake costs |x|
  and not infinity, and no term cancels another, so small values and gradients keep their digits.

  Args:
    logits: [..., T], floating point.
    labels: like logits; 0, 1 or soft, between them. They may require a gradient.

  Returns:
    [..., T], element-wise, float32 (float64 for float64 logits).

  Raises:
    AssertionError: when the shapes differ.

  Source: the negative log-likelihood of a Bernoulli variable, for instance equation 4.90 of
  Bishop, Pattern Recognition and Machine Learning, 2006.
  """
  chex.assert_equal_shape((logits, labels))
  dtype = jnp.promote_types(jnp.result_type(logits), jnp.float32)
  x, y = jnp.asarray(logits, dtype), jnp.asarray(labels, dtype)
  return y * jax.nn.softplus(-x) + (1 - y) * jax.nn.softplus(x)
