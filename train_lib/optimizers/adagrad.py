"""Adagrad with epsilon outside of the root, as its paper and PyTorch have it."""

import jax
import jax.numpy as jnp
import optax


def scale_by_root_of_sum(epsilon: float) -> optax.GradientTransformation:
  """Divides a gradient by the root of the sum of all squares so far.

    s_t = s_{t-1} + g_t^2,  s_0 = 0
    direction = g_t / (sqrt(s_t) + epsilon)

  Args:
    epsilon: above 0.

  Source: Duchi, Hazan, Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
  Optimization, 2011, JMLR 12, figure 1, the diagonal form. Optax's own has epsilon inside the root.
  """
  def init(params):
    return optax.ScaleByRssState(sum_of_squares=jax.tree.map(jnp.zeros_like, params))

  def update(grads, state, params=None):
    del params
    sums = jax.tree.map(lambda s, g: s + g * g, state.sum_of_squares, grads)
    directions = jax.tree.map(lambda s, g: g / (jnp.sqrt(s) + epsilon), sums, grads)
    return directions, optax.ScaleByRssState(sum_of_squares=sums)

  return optax.GradientTransformation(init, update)
