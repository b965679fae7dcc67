"""Root of the mean squared error against torch's figures, and where it has no derivative."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from losses.root_squared_error import root_squared_error
from losses.squared_error import squared_error

(ROW,) = json.loads((pathlib.Path(__file__).parent / 'reference' / 'losses_in_torch.json')
                    .read_text())['root_squared_error']


def gradient(outputs, targets):
  return jax.grad(lambda x: root_squared_error(x, targets).sum())(outputs)


def test_equals_torch():
  outputs, targets = jnp.float32(ROW['outputs']), jnp.float32(ROW['labels'])
  np.testing.assert_allclose(root_squared_error(outputs, targets), ROW['values'], rtol=1e-6)
  np.testing.assert_allclose(gradient(outputs, targets), ROW['gradients'], rtol=1e-5, atol=1e-7)


def test_its_square_is_the_mean_squared_error_of_the_example():
  x, y = (jnp.asarray(np.random.default_rng(seed).normal(size=(5, 3)), jnp.float32)
          for seed in (0, 1))
  np.testing.assert_allclose(root_squared_error(x, y) ** 2, squared_error(x, y).mean(-1), rtol=1e-5)


def test_no_error_costs_nothing_and_has_a_gradient_of_zero():
  x = jnp.float32([[1, 2, 3], [1, 2, 4]])
  y = jnp.float32([[1, 2, 3], [1, 2, 3]])
  np.testing.assert_allclose(root_squared_error(x, y), [0, 1 / np.sqrt(3)], rtol=1e-6)
  np.testing.assert_allclose(gradient(x, y), [[0, 0, 0], [0, 0, 1 / np.sqrt(3)]], rtol=1e-6)


@pytest.mark.parametrize('size', [1e-30, 1e-3, 1e25])
def test_the_gradient_has_the_same_length_for_any_error(size):
  x = size * jnp.float32([[3, -4, 0]])
  np.testing.assert_allclose(root_squared_error(x, 0 * x), [5 * size / np.sqrt(3)], rtol=1e-5)
  np.testing.assert_allclose(gradient(x, 0 * x), np.array([[0.6, -0.8, 0]]) / np.sqrt(3), rtol=1e-5)


def test_the_mean_of_roots_is_below_the_root_of_the_mean():
  x = jnp.float32([[1, 1], [5, 5]])
  assert root_squared_error(x, 0 * x).mean() == 3 < float(squared_error(x, 0 * x).mean()) ** 0.5
