"""Optimizers by name, their schedules, clipping and decay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from errors import UserError
from train_lib.optimizers import DECOUPLED, OPTIMIZERS, build_optimizer


def section(**values):
  config = base.get_config().optimizer
  config.update({'schedule': 'constant', 'warmup_frac': 0.0, **values})
  return config


def minimise(config, steps=200):
  """Of a badly scaled quadratic bowl: its value before and after."""
  optimizer, _ = build_optimizer(config, steps)
  scale, params = jnp.array([[1.0, 10.0]]), jnp.array([[2.0, -1.0]])
  value = lambda p: 0.5 * jnp.sum(scale * p * p)                             # noqa: E731

  def step(carry, _):
    params, state = carry
    updates, state = optimizer.update(jax.grad(value)(params), state, params)
    return (params + updates, state), None

  (last, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), None, length=steps)
  return float(value(params)), float(value(last))


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_every_optimizer_goes_down(name):
  lr = {'adagrad': 0.5, 'sgd': 0.1}.get(name, 0.02)
  before, after = minimise(section(name=name, learning_rate=lr))
  assert after < 0.05 * before


def first_update(config, grads, params):
  optimizer, _ = build_optimizer(config, 10)
  return optimizer.update(grads, optimizer.init(params), params)[0]


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_decay_pulls_kernels_and_leaves_biases(name):
  params = {'kernel': jnp.full((2, 2), 3.0), 'bias': jnp.full(2, 3.0),
            'class_token': jnp.full((1, 1, 2), 3.0), 'position_embedding': jnp.full((1, 5, 2), 3.0)}
  nothing = jax.tree.map(jnp.zeros_like, params)
  update = first_update(section(name=name, weight_decay=0.1, learning_rate=0.5), nothing, params)
  assert np.all(update['kernel'] < 0)
  for other in ('bias', 'class_token', 'position_embedding'):
    assert np.all(update[other] == 0)
  if name in DECOUPLED:                                 # exactly learning rate * decay * value
    np.testing.assert_allclose(update['kernel'], -0.5 * 0.1 * 3.0, rtol=1e-6)


def test_clipping_bounds_the_global_norm():
  params = {'a': jnp.zeros((3, 1)), 'b': jnp.zeros(4)}
  grads = {'a': jnp.full((3, 1), 30.0), 'b': jnp.full(4, 40.0)}
  update = first_update(section(name='sgd', clip_norm=1.0, learning_rate=1.0), grads, params)
  norm = np.sqrt(sum(float(jnp.sum(leaf ** 2)) for leaf in jax.tree.leaves(update)))
  assert norm == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize('name', ['linear', 'cosine'])
def test_a_schedule_climbs_to_its_peak_and_ends_at_zero(name):
  _, schedule = build_optimizer(
      section(name='sgd', schedule=name, warmup_frac=0.1, learning_rate=2.0), 100)
  rates = np.array([float(schedule(step)) for step in range(100)])
  assert 0 < rates[0] < rates[4] < rates[9] == pytest.approx(2.0)
  assert np.all(np.diff(rates[10:]) < 0) and rates[-1] < 0.05


def test_unknown_names_list_the_choices():
  with pytest.raises(UserError, match='adamm.*choices: sgd, momentum'):
    build_optimizer(section(name='adamm'), 10)
  with pytest.raises(UserError, match='exponential.*choices: constant'):
    build_optimizer(section(schedule='exponential'), 10)
  with pytest.raises(UserError, match='warmup_frac is 1.0'):
    build_optimizer(section(warmup_frac=1.0), 10)
