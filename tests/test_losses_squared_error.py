"""Squared error against torch's figures and its formula."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from losses.squared_error import squared_error

(ROW,) = json.loads((pathlib.Path(__file__).parent / 'reference' / 'losses_in_torch.json')
                    .read_text())['squared_error']


def test_equals_torch():
  outputs, targets = jnp.float32(ROW['outputs']), jnp.float32(ROW['labels'])
  values, gradients = jax.vmap(jax.vmap(jax.value_and_grad(squared_error)))(outputs, targets)
  np.testing.assert_allclose(values, ROW['values'], rtol=1e-5)
  np.testing.assert_allclose(gradients, ROW['gradients'], rtol=1e-5)


def test_its_mean_is_the_variance_around_the_best_constant():
  y = jnp.float32([0.2, -1.5, 3.0, 0.7])
  costs = [float(squared_error(jnp.full(4, y.mean() + shift), y).mean())
           for shift in (-0.1, 0, 0.1)]
  np.testing.assert_allclose(costs[1], np.var(y), rtol=1e-6)
  np.testing.assert_allclose([costs[0], costs[2]], costs[1] + 0.01, rtol=1e-5)
