"""The sharpness of a loss: the largest eigenvalue of its Hessian, which is never formed.

Lanczos' method needs products of the Hessian with vectors and nothing else. A product is the
derivative of the gradient along the vector (forward over reverse, Pearlmutter, 1994): two or three
times the cost of a gradient, whatever the number of parameters, and exact. It goes through the
canonical convolutions of nets/conv.py, inside a loop too: the gradient calls their hand-written
rule, and what is differentiated forward is that rule.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

EXHAUSTED = 1e-6                  # of the largest entry: couplings below it are rounding errors


def tridiagonal(loss: Callable, params, key: jax.Array, *, steps: int):
  """What Lanczos makes of the Hessian of loss(params) -> scalar; for use inside jit.

  The largest eigenvalue, of `top_of_tridiagonal`, is the largest that the Krylov space of a random
  vector shows: never above the true one but for rounding, equal to it after as many steps as there
  are parameters, and mostly within a per cent after 10 to 20, since the largest are the first to be
  found.

  Args:
    loss: twice differentiable where it is asked.
    params: any tree of floating point arrays.
    key: of the random vector.
    steps: of Lanczos, 1 or more; each costs a product and keeps a vector like the parameters.

  Returns:
    (diagonal [n], beside it [n]) in float32, n the lesser of the steps and the parameters; the last
    coupling leads out of the matrix.

  Source: Lanczos, 1950; with full orthogonalisation, made twice, against the loss of orthogonality
  in floating point (Golub, Van Loan, Matrix Computations, chapter 10).
  """
  flat, restore = ravel_pytree(params)
  slope = jax.grad(lambda flat: loss(restore(flat)))
  steps = min(steps, flat.size)
  dot = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)

  def step(index, carry):
    basis, diagonal, beside, vector = carry
    basis = basis.at[index].set(vector)
    product = jax.jvp(slope, (flat,), (vector,))[1]
    diagonal = diagonal.at[index].set(dot(vector, product))
    for _ in range(2):                                        # rows to come are zeros
      product -= dot(dot(basis, product), basis)
    norm = jnp.linalg.norm(product)
    beside = beside.at[index].set(norm)
    return basis, diagonal, beside, product / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny)

  start = jax.random.normal(key, flat.shape, flat.dtype)
  zeros = jnp.zeros(steps, flat.dtype)
  with jax.default_matmul_precision('highest'):
    _, diagonal, beside, _ = jax.lax.fori_loop(0, steps, step, (
        jnp.zeros((steps, flat.size), flat.dtype), zeros, zeros, start / jnp.linalg.norm(start)))
  return diagonal, beside


def top_of_tridiagonal(diagonal: np.ndarray, beside: np.ndarray) -> float:
  """The largest eigenvalue of a symmetric tridiagonal matrix; NaN where it is not finite.

  It ends at the first coupling that is nothing but rounding: beyond it the Krylov space, complete
  by then, has no direction left.
  """
  diagonal, beside = np.asarray(diagonal, np.float64), np.asarray(beside, np.float64)
  if not (np.isfinite(diagonal).all() and np.isfinite(beside).all()):
    return float('nan')
  noise = EXHAUSTED * max(np.abs(diagonal).max(), beside.max())
  broken = np.flatnonzero(beside[:-1] <= noise)
  size = broken[0] + 1 if len(broken) else len(diagonal)
  off = np.diag(beside[:size - 1], 1)
  return float(np.linalg.eigvalsh(np.diag(diagonal[:size]) + off + off.T).max())
