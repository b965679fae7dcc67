"""Asymmetric loss: a focal loss that treats positives and negatives apart."""

import math
from typing import Annotated

import chex
import jax
import jax.numpy as jnp


def asymmetric(logits, labels, *, gamma_positive: Annotated[float, 0, math.inf],
               gamma_negative: Annotated[float, 0, math.inf], clip: Annotated[float, 0, 1]):
  """Focal loss with an exponent for each side, and easy negatives cut off altogether.

  With logit x, label y and p = sigmoid(x):

    m = max(p - clip, 0)
    L = -y (1 - p)^gamma_positive log p - (1 - y) m^gamma_negative log(1 - m)

  A negative with p up to `clip` costs nothing and moves nothing. The logarithms are softplus where
  clip is 0 and have arguments of at least `clip` otherwise; the gradient for logits is written by
  hand because differentiating m^gamma has a pole at m = 0 for exponents below 1. It is the whole
  gradient: the authors' own training code treats the powers as constants.

  Args:
    logits: [..., T], floating point.
    labels: like logits; 0, 1 or soft, between them. Constants: no gradient reaches them.
    gamma_positive: at least 0; a number, or [T].
    gamma_negative: at least 0; a number, or [T].
    clip: in [0, 1], a probability; a number, or [T]. 0 is off; at 1 no negative costs anything.

  Returns:
    [..., T], element-wise, float32 (float64 for float64 logits).

  Raises:
    AssertionError: when the shapes of logits and labels differ.

  Source: Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor, Asymmetric Loss For
  Multi-Label Classification, 2021, arXiv 2009.14119, equations 5 and 7.
  """
  chex.assert_equal_shape((logits, labels))
  dtype = jnp.promote_types(jnp.result_type(logits), jnp.float32)
  arrays = (logits, labels, gamma_positive, gamma_negative, clip)
  return _asymmetric(*(jnp.asarray(array, dtype) for array in arrays))


@jax.custom_vjp
def _asymmetric(x, y, gamma_positive, gamma_negative, clip):
  positive = jax.nn.sigmoid(-x) ** gamma_positive * jax.nn.softplus(-x)
  shifted = _shift(x, clip)
  negative = shifted ** gamma_negative * _cost_of_negative(x, shifted, clip)
  return y * positive + (1 - y) * negative


def _asymmetric_forward(*args):
  return _asymmetric(*args), args


def _asymmetric_backward(residuals, grad):
  x, y, gamma_positive, gamma_negative, clip = residuals
  p, not_p = jax.nn.sigmoid(x), jax.nn.sigmoid(-x)
  positive = -not_p ** gamma_positive * (gamma_positive * p * jax.nn.softplus(-x) + not_p)

  shifted = _shift(x, clip)
  cost = _cost_of_negative(x, shifted, clip)
  # cost / shifted tends to 1 and not_p / (1 - shifted) is 1 without a clip: neither divides by 0.
  tiny = jnp.finfo(x.dtype).tiny
  per_shifted = jnp.where(shifted > tiny, cost / jnp.maximum(shifted, tiny), 1)
  share = jnp.where(clip > 0, not_p / jnp.where(clip > 0, not_p + clip, 1), 1)
  negative = shifted ** gamma_negative * p * (gamma_negative * not_p * per_shifted + share)
  negative = jnp.where(shifted > 0, negative, 0)
  return grad * (y * positive + (1 - y) * negative), None, None, None, None


_asymmetric.defvjp(_asymmetric_forward, _asymmetric_backward)


def _shift(x, clip):
  return jnp.maximum(jax.nn.sigmoid(x) - clip, 0)


def _cost_of_negative(x, shifted, clip):
  """Returns -log(1 - shifted), exact at both ends."""
  rest = jax.nn.sigmoid(-x) + jnp.where(clip > 0, clip, 1)  # at least clip; unused without one
  clipped = jnp.where(shifted < 0.5, -jnp.log1p(-jnp.minimum(shifted, 0.5)), -jnp.log(rest))
  return jnp.where(clip > 0, clipped, jax.nn.softplus(x))
