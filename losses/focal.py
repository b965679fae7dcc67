"""Focal loss: cross-entropy that turns away from what is already known."""

import math
from typing import Annotated

import chex
import jax
import jax.numpy as jnp

from losses.sigmoid_cross_entropy import sigmoid_cross_entropy


def focal(logits, labels, *, focal_alpha: Annotated[float, -math.inf, 1],
          focal_gamma: Annotated[float, 0, math.inf]):
  """Cross-entropy scaled down where the prediction is already right.

  With logit x, label y, p = sigmoid(x), q the probability given to the wrong answer, and alpha and
  gamma short for focal_alpha and focal_gamma:

    q = p (1 - y) + (1 - p) y
    a = alpha y + (1 - alpha) (1 - y)
    L = a q^gamma (-y log p - (1 - y) log(1 - p))

  The gradient for logits is written by hand. Differentiating a power gives q^(gamma - 1), which is
  infinite or 0/0 at q = 0 for gamma below 1; written out, the factor p (1 - p) of q's own
  derivative takes that pole away, and what is left is a product of bounded terms.

  Args:
    logits: [..., T], floating point.
    labels: like logits; 0, 1 or soft, between them. Constants: no gradient reaches them. With a
      gamma above 0 the cost of a soft label is least at a p that is nearer to 0 or 1 than it.
    focal_alpha: weight of the positives against 1 - alpha for the negatives, in [0, 1]; a number,
      or [T] for one each. A negative alpha switches the weights off (a = 1), also for single tags.
    focal_gamma: at least 0; a number, or [T]. 0 leaves the weighted cross-entropy.

  Returns:
    [..., T], element-wise, float32 (float64 for float64 logits).

  Raises:
    AssertionError: when the shapes of logits and labels differ.

  Source: Lin, Goyal, Girshick, He, Dollar, Focal Loss for Dense Object Detection, 2017,
  arXiv 1708.02002, equation 5. Soft labels enter as in torchvision's and optax's versions.
  """
  chex.assert_equal_shape((logits, labels))
  dtype = jnp.promote_types(jnp.result_type(logits), jnp.float32)
  x, y, alpha, gamma = (jnp.asarray(value, dtype)
                        for value in (logits, labels, focal_alpha, focal_gamma))
  weight = jnp.where(alpha < 0, 1, alpha * y + (1 - alpha) * (1 - y))
  return jax.lax.stop_gradient(weight) * _focal(x, y, gamma)


@jax.custom_vjp
def _focal(x, y, gamma):
  return _wrong(x, y) ** gamma * sigmoid_cross_entropy(x, y)


def _focal_forward(x, y, gamma):
  return _focal(x, y, gamma), (x, y, gamma)


def _focal_backward(residuals, grad):
  x, y, gamma = residuals
  p, not_p = jax.nn.sigmoid(x), jax.nn.sigmoid(-x)
  q = _wrong(x, y)
  slope = (1 - 2 * y) * p * not_p / jnp.maximum(q, jnp.finfo(q.dtype).tiny)  # q' / q, in [-1, 1]
  error = (1 - y) * p - y * not_p  # the gradient of cross-entropy
  return grad * q ** gamma * (gamma * slope * sigmoid_cross_entropy(x, y) + error), None, None


_focal.defvjp(_focal_forward, _focal_backward)


def _wrong(x, y):
  return (1 - y) * jax.nn.sigmoid(x) + y * jax.nn.sigmoid(-x)
