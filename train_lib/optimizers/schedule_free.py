"""Schedule-free: the weights that are kept are an average, the gradient is taken beside them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AverageState(NamedTuple):
  """The wandering weights z, what the average is made of so far, and the inner optimizer."""

  count: jax.Array
  total: jax.Array                # of the weights of the average
  beta: jax.Array
  last: Any                       # z
  inner: Any


def average_iterates(inner: optax.GradientTransformation, share, beta: float
                     ) -> optax.GradientTransformationExtraArgs:
  """Makes an optimizer schedule-free.

    y_t = beta x_t + (1 - beta) z_t                     where the gradient is taken
    z_{t+1} = z_t + the inner update for the gradient at y_t
    x_{t+1} = (1 - c_t) x_t + c_t z_{t+1},  c_t = r_t^2 / (r_0^2 + ... + r_t^2)

  with r the share of the learning rate that the schedule gives, which should be constant after its
  warm-up. The parameters of the run are x: what is evaluated, saved and exported. `gradient_point`
  gives y. (Optax keeps y as the parameters instead, and computes x for an evaluation.)

  Everything of the inner optimizer acts on z: factors by name scale its updates, and decay is of y.
  Parameters that begin to learn later are averaged with where they were until then.

  Args:
    share: step -> r, any scale.
    beta: 0 averages alone (Polyak and Ruppert), 1 takes the gradient at the average.

  Source: Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky, The Road Less Scheduled, 2024,
  arXiv 2405.15682, algorithm 1; the inner optimizer of the row is its AdamW, without momentum.
  """
  inner = optax.with_extra_args_support(inner)

  def init(params):
    return AverageState(
        count=jnp.zeros((), jnp.int32), total=jnp.zeros(()), beta=jnp.asarray(beta, float),
        last=jax.tree.map(jnp.copy, params), inner=inner.init(params))

  def update(grads, state, params, **extra):
    updates, inner_state = inner.update(grads, state.inner, _between(params, state), **extra)
    last = optax.apply_updates(state.last, updates)
    weight = jnp.asarray(share(state.count), state.total.dtype) ** 2
    total = state.total + weight
    part = weight / jnp.maximum(total, jnp.finfo(total.dtype).tiny)  # 0 while the rate is
    updates = jax.tree.map(lambda x, z: (part * (z - x)).astype(x.dtype), params, last)
    return updates, AverageState(state.count + 1, total, state.beta, last, inner_state)

  return optax.GradientTransformationExtraArgs(init, update)


def gradient_point(params, opt_state):
  """Where the gradient of the next step is to be taken: the parameters, but for `schedule_free`."""
  is_average = lambda node: isinstance(node, AverageState)                     # noqa: E731
  for node in jax.tree.leaves(opt_state, is_leaf=is_average):
    if is_average(node):
      return _between(params, node)
  return params


def _between(params, state):
  return jax.tree.map(
      lambda x, z: (state.beta * x + (1 - state.beta) * z).astype(x.dtype), params, state.last)
