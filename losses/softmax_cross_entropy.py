"""Categorical cross-entropy: one class of several."""

import chex
import jax
import jax.numpy as jnp


def softmax_cross_entropy(logits, labels, *, label_smoothing=0.0):
  """Cost in nats of telling the class of an example by the softmax of its logits.

  With logits x of K classes, target y and smoothing s:

    t = (1 - s) y + s / K
    L = -sum_k t_k log softmax(x)_k

  The logarithm is x_k - logsumexp(x), never that of a rounded probability, and the gradient is
  softmax(x) sum(t) - t.

  Args:
    logits: [..., K], floating point.
    labels: integers [...], the classes, or [..., K], a target distribution (0, 1 or soft). An
      integer that is no class has a target of zeros before smoothing.
    label_smoothing: s, in [0, 1); 0 is off. A task smooths the targets itself.

  Returns:
    [...], one number per example, float32 (float64 for float64 logits).

  Raises:
    AssertionError: when the shapes do not go together.

  Source: the negative log-likelihood of a categorical variable, for instance equation 4.108 of
  Bishop, Pattern Recognition and Machine Learning, 2006; smoothing: Szegedy, Vanhoucke, Ioffe,
  Shlens, Wojna, Rethinking the Inception Architecture for Computer Vision, 2016, arXiv 1512.00567,
  section 7.
  """
  dtype = jnp.promote_types(jnp.result_type(logits), jnp.float32)
  x, y = jnp.asarray(logits, dtype), jnp.asarray(labels)
  num_classes = x.shape[-1]
  if jnp.issubdtype(y.dtype, jnp.integer):
    chex.assert_equal_shape((x[..., 0], y))
    y = jax.nn.one_hot(y, num_classes, dtype=dtype)
  chex.assert_equal_shape((x, y))
  target = (1 - label_smoothing) * y.astype(dtype) + label_smoothing / num_classes
  return -(target * jax.nn.log_softmax(x)).sum(axis=-1)
