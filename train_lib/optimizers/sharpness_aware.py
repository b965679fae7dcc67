"""SAM and GSAM: the gradient of the worst place nearby, for any optimizer."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

TINY = 1e-18                      # squares of smaller norms are zero in float32


class SharpnessState(NamedTuple):
  """Steps done, and the inner optimizer."""

  count: jax.Array
  inner: Any


def sharpness_aware(inner: optax.GradientTransformation, share, *, rho: float, rho_min: float,
                    alpha: float) -> optax.GradientTransformationExtraArgs:
  """Hands the inner optimizer another gradient, taken where the loss rises fastest.

    rho_t = rho_min + (rho - rho_min) r_t
    p_t = the gradient at w_t + rho_t g_t / |g_t|
    GSAM: p_t - alpha (g_t - (g_t . p_t) / (p_t . p_t) p_t)

  with g the gradient at w, r the schedule's share of the peak learning rate, and norm and products
  over all parameters at once. In the paper's words r is (lr - lr_min) / (lr_max - lr_min), with an
  lr_min of 0, where warm-ups begin and decays end. With alpha 0 and rho_min equal to rho it is SAM.

  Both gradients are those of the whole batch, over all devices and parts: the same result for any
  number of them. (The paper's runs moved each device's weights by that device's own gradient, which
  is another method, m-sharpness.) Random numbers are the same in both passes; the statistics of
  BatchNorm are those of the first. Penalties and decay are of the weights themselves.

  An update needs `gradient_at_offset`: (tree like params) -> the gradient that far from where the
  given one was taken.

  Args:
    share: step -> r, 0 to 1.
    rho: radius at the peak learning rate, above 0.
    rho_min: radius at a learning rate of 0.
    alpha: at least 0.

  Source: Foret, Kleiner, Mobahi, Neyshabur, Sharpness-Aware Minimization for Efficiently Improving
  Generalization, 2021, arXiv 2010.01412, equations 2 and 3; Zhuang, Gong, Yuan, Cui, Adam, Dvornek,
  Tatikonda, Duncan, Liu, Surrogate Gap Minimization Improves Sharpness-Aware Training, 2022,
  arXiv 2203.08065, algorithm 1.
  """
  inner = optax.with_extra_args_support(inner)

  def init(params):
    return SharpnessState(jnp.zeros((), jnp.int32), inner.init(params))

  def update(grads, state, params=None, *, gradient_at_offset, **extra):
    radius = rho_min + (rho - rho_min) * share(state.count)
    scale = radius / jnp.maximum(optax.tree.norm(grads), TINY)
    robust = gradient_at_offset(jax.tree.map(lambda g: (scale * g).astype(g.dtype), grads))
    if alpha:
      square = jnp.maximum(optax.tree.vdot(robust, robust), TINY ** 2)
      along = optax.tree.vdot(grads, robust) / square
      robust = jax.tree.map(lambda p, g: (p - alpha * (g - along * p)).astype(p.dtype),
                            robust, grads)
    updates, inner_state = inner.update(robust, state.inner, params, **extra)
    return updates, SharpnessState(state.count + 1, inner_state)

  return optax.GradientTransformationExtraArgs(init, update)

