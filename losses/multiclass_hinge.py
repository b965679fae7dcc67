"""Multi-class hinge loss: the true class must win by a margin."""

import math
from typing import Annotated

import chex
import jax
import jax.numpy as jnp


def multiclass_hinge(logits, classes, *, hinge_margin: Annotated[float, 0, math.inf]):
  """How far the strongest wrong class is from losing by the margin.

  With logits x, true class y, and margin short for hinge_margin:

    L = max(0, margin + max_{k != y} x_k - x_y)

  This is the form of Crammer and Singer, which looks at one rival. That of Weston and Watkins adds
  up a hinge for every wrong class; over K it is PyTorch's `multi_margin_loss`. Where several
  rivals are equally strong the gradient is shared between them, and at the kink it is zero.

  Args:
    logits: [..., K], floating point, K at least 2.
    classes: integers [...], the classes, each 0 to K - 1.
    hinge_margin: at least 0; 1 in the paper.

  Returns:
    [...], one number per example, float32 (float64 for float64 logits).

  Raises:
    AssertionError: when the shapes do not go together, or classes are no integers.

  Source: Crammer, Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector
  Machines, 2001, Journal of Machine Learning Research 2, equation 3.
  """
  dtype = jnp.promote_types(jnp.result_type(logits), jnp.float32)
  x, classes = jnp.asarray(logits, dtype), jnp.asarray(classes)
  chex.assert_type(classes, int)
  chex.assert_equal_shape((x[..., 0], classes))
  true = jax.nn.one_hot(classes, x.shape[-1], dtype=bool)
  rival = jnp.where(true, -jnp.inf, x).max(axis=-1)
  return jax.nn.relu(hinge_margin + rival - jnp.where(true, x, 0).sum(axis=-1))
