"""What stands before every optimizer: clipping, and the gradient of penalties."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import optax

from errors import UserError
from train_lib.freezing import select
from train_lib.trees import flatten_names

DECAYED = 'optimizer.decayed'


def gradient_chain(inner, config, *, coupled_decay: bool):
  """Clip, then the penalties' gradient (and the decay's, where it is coupled), then the optimizer.

  What is clipped is the gradient of the task's loss alone.
  """
  l2 = config.l2 + (config.weight_decay if coupled_decay else 0.0)
  parts = []
  if config.clip_norm > 0:
    parts.append(optax.clip_by_global_norm(config.clip_norm))
  if l2 > 0 or config.l1 > 0:
    parts.append(optax.masked(add_penalty(config.l1, l2), decay_mask(config.decayed)))
  return optax.chain(*parts, inner)


def add_penalty(l1: float, l2: float) -> optax.GradientTransformation:
  """Adds l1 sum |w| + l2 / 2 sum w^2 to the loss, by its gradient l1 sign(w) + l2 w.

  L1 is the lasso, L2 the ridge (weight decay in its first sense), both an elastic net. A weight of
  zero is not pulled. The loss that is logged stays the task's, so that it can be compared with that
  of the other splits.

  Source: Zou, Hastie, Regularization and Variable Selection via the Elastic Net, 2005, Journal of
  the Royal Statistical Society B 67.
  """
  return optax.stateless(lambda grads, params: jax.tree.map(
      lambda g, w: g + (l1 * jnp.sign(w) + l2 * w).astype(g.dtype), grads, params))


def decay_mask(patterns: tuple[str, ...]):
  """(params) -> tree of bool: which parameters decay and penalties act on.

  Args:
    patterns: as those of `freezing.select`; () are the kernels: biases, the scales of norms, tokens
      and positions are left. One that fits nothing is passed over, because a part of a net may be
      all there is here; `check_patterns` looks at the whole.
  """
  return functools.partial(_mask, tuple(patterns))


def check_patterns(patterns: tuple[str, ...], params) -> None:
  """Raises UserError when a pattern fits none of a net's parameters."""
  select(tuple(patterns), list(flatten_names(params)), what=DECAYED)


def _mask(patterns, params):
  if not patterns:
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jax.tree_util.keystr(path[-1:], simple=True) == 'kernel', params)
  names, chosen = list(flatten_names(params)), set()
  for pattern in patterns:
    with contextlib.suppress(UserError):
      fitting = select((pattern.removeprefix('!'),), names, what=DECAYED)
      chosen = chosen - fitting if pattern.startswith('!') else chosen | fitting
  return jax.tree.unflatten(jax.tree.structure(params), [name in chosen for name in names])
