"""Tests of train_lib/studies/curvature.py: the sharpness of a loss against the dense Hessian."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from nets.conv import Conv, conv_form
from train_lib.studies.curvature import top_of_tridiagonal, tridiagonal


class SmallNet(nn.Module):
  """A strided convolution, statistics of the batch and a head: 95 parameters."""

  @nn.compact
  def __call__(self, image):
    x = Conv(3, 3, stride=2, padding=1, name='conv')(image)
    x = nn.tanh(nn.BatchNorm(use_running_average=False, name='norm')(x))
    return nn.Dense(2, name='head')(x.mean(axis=(1, 2)))


def small_problem():
  image, wanted = (jax.random.normal(jax.random.key(seed), shape)
                   for seed, shape in ((0, (6, 7, 7, 3)), (1, (6, 2))))
  net = SmallNet()
  variables = net.init(jax.random.key(2), image)

  def loss(params):
    output, _ = net.apply({**variables, 'params': params}, image, mutable=['batch_stats'])
    return ((output - wanted) ** 2).sum(axis=1).mean()

  return loss, variables['params']


def largest_eigenvalue(loss, params, key, steps):
  return top_of_tridiagonal(*jax.jit(functools.partial(tridiagonal, loss, steps=steps))(
      params, key))


def dense_eigenvalues(loss, params):
  flat, restore = ravel_pytree(params)
  return np.linalg.eigvalsh(np.asarray(
      jax.jit(jax.hessian(lambda flat: loss(restore(flat))))(flat), np.float64))


@pytest.mark.parametrize('form', ['plain', 'canonical'])
def test_it_is_the_largest_eigenvalue_of_the_dense_hessian(form):
  loss, params = small_problem()
  with conv_form('plain'):
    wanted = dense_eigenvalues(loss, params).max()
  with conv_form(form):
    found = largest_eigenvalue(loss, params, jax.random.key(3), 30)
  assert found == pytest.approx(wanted, rel=1e-3)


def quadratic(eigenvalues):
  """A loss whose Hessian has these eigenvalues, in a turned basis."""
  size = len(eigenvalues)
  turn = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))[0]
  matrix = jnp.asarray(turn * np.asarray(eigenvalues) @ turn.T, jnp.float32)
  return (lambda x: 0.5 * x @ matrix @ x + x.sum()), jnp.ones(size)


@pytest.mark.parametrize('eigenvalues, largest', [
    ([1.0, 2.0, 50.0, 49.0, -3.0], 50.0),
    ([-9.0, -2.0, -1.5], -1.5),                       # the largest, not the greatest in size
    ([4.0] * 6, 4.0),                                 # one step finds all there is
    ([3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 3.0),
    ([0.0] * 4, 0.0),
    ([1e-12, 3e-12, 2e-12], 3e-12),
])
def test_more_steps_than_there_are_directions_change_nothing(eigenvalues, largest):
  found = largest_eigenvalue(*quadratic(eigenvalues), jax.random.key(0), 40)
  assert found == pytest.approx(largest, rel=1e-5, abs=0 if largest else 1e-7)


def test_fewer_steps_never_find_more():
  loss, start = quadratic(np.linspace(-1, 1, 60) ** 3)
  found = [largest_eigenvalue(loss, start, jax.random.key(0), steps) for steps in (1, 3, 6, 12, 60)]
  assert found == sorted(found) and found[-1] == pytest.approx(1.0, rel=1e-5)
  assert found[0] < 0.5                               # one step is the mean over a random vector


def test_a_hessian_that_is_not_finite_has_no_eigenvalue():
  found = largest_eigenvalue(lambda x: jnp.log(x).sum(), jnp.zeros(3), jax.random.key(0), 3)
  assert np.isnan(found)
  assert np.isnan(top_of_tridiagonal([1.0, np.inf], [0.5, 0.0]))
