"""Absolute error against its formula, and where it has no derivative."""

import jax
import jax.numpy as jnp
import numpy as np

from losses.absolute_error import absolute_error

X, Y = jnp.float32([[1, -2, 0.5], [3, 0, 7]]), jnp.float32([[4, -2, 0], [-1, 1e-3, 7]])


def test_is_the_size_of_the_difference_and_pulls_by_its_sign_which_is_zero_without_one():
  np.testing.assert_allclose(absolute_error(X, Y), [[3, 0, 0.5], [4, 1e-3, 0]], rtol=1e-6)
  to_x, to_y = jax.grad(lambda *both: absolute_error(*both).sum(), argnums=(0, 1))(X, Y)
  np.testing.assert_array_equal(to_x, [[-1, 0, 1], [1, -1, 0]])
  np.testing.assert_array_equal(to_y, -to_x)


def test_is_least_at_the_median():
  y = jnp.float32([0, 1, 2, 3, 100])
  costs = [float(absolute_error(jnp.full(5, x), y).mean()) for x in (1.9, 2.0, 2.1)]
  assert costs[1] == min(costs)
  slope = jax.grad(lambda x: absolute_error(jnp.full(5, x), y).mean())
  assert float(slope(2.0)) == 0 and float(slope(y.mean())) > 0
