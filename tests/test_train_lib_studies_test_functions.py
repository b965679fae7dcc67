"""The test functions: their values, their lowest points, and the paths of optimizers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from errors import UserError
from train_lib.studies import test_functions as functions


def section(name='sgd', **settings):
  config = base.get_config()
  config.optimizer.update(name=name, **settings)
  return config.optimizer


@pytest.mark.parametrize('name', functions.FUNCTIONS)
def test_the_lowest_points_are_lowest(name):
  function = functions.FUNCTIONS[name]
  lowest = -0.25 if name == 'saddle' else 0.0
  grid = np.stack(np.meshgrid(*(np.linspace(*side, 301) for side in function.box)))
  assert function.value(grid).min() >= lowest - 1e-9
  for point in function.minima:
    point = jnp.asarray(point, jnp.float32)
    assert function.value(point) == pytest.approx(lowest, abs=1e-5)
    assert jnp.abs(jax.grad(function.value)(point)).max() < 1e-2


@pytest.mark.parametrize('name, point, value', [
    ('rosenbrock', (0.0, 1.0), 101.0), ('beale', (0.0, 0.0), 14.203125),
    ('himmelblau', (0.0, 0.0), 170.0), ('saddle', (1.0, 0.0), 0.5),
    ('noisy quadratic', (1.0, 1.0), 10.5)])
def test_values_are_those_of_the_formulas(name, point, value):
  assert functions.FUNCTIONS[name].value(np.array(point)) == pytest.approx(value)


def test_a_path_of_sgd_is_the_one_made_by_hand():
  found = functions.run('himmelblau', section())
  point, path = np.array([-0.5, -1.0]), []
  for _ in range(functions.NUM_STEPS):
    path.append(point)
    x, y = point
    point = point - found['learning_rate'] * np.array(
        [4 * x * (x * x + y - 11) + 2 * (x + y * y - 7),
         2 * (x * x + y - 11) + 4 * y * (x + y * y - 7)])
  np.testing.assert_allclose(found['path'][:5], path[:5], atol=1e-4)
  np.testing.assert_allclose(found['path'][-1], point, atol=1e-4)


def test_the_best_rate_ends_lowest_and_rates_that_diverge_are_counted():
  found = functions.run('noisy quadratic', section())
  assert found['learning_rate'] in functions.RATES
  assert 0 < found['end'] < 0.1
  assert found['diverged'] > 0                # no rate above 0.1 can hold a curvature of 20


def test_the_noise_is_the_same_every_time():
  assert functions.run('noisy quadratic', section()) == functions.run('noisy quadratic', section())


def test_momentum_leaves_the_saddle_for_a_minimum():
  found = functions.run('saddle', section('momentum'))
  assert found['end'] == pytest.approx(-0.25, abs=1e-3)


def test_paths_that_stay_in_the_box_are_preferred():
  low, high = np.transpose(functions.FUNCTIONS['rosenbrock'].box)
  path = np.array(functions.run('rosenbrock', section('adam'))['path'])
  assert (low <= path).all() and (path <= high).all()


def test_where_every_rate_diverges_there_is_no_path(monkeypatch):
  monkeypatch.setattr(functions, 'RATES', (1e3, 1e4))
  found = functions.run('rosenbrock', section())
  assert found == {'learning_rate': None, 'end': None, 'diverged': 2, 'path': []}


def test_schedule_and_decay_of_the_net_do_not_touch_the_paths():
  plain = functions.run('beale', section())
  other = section(weight_decay=0.5, schedule='linear', clip_norm=0.1, l1=0.1)
  assert functions.run('beale', other) == plain


def test_an_unknown_function_is_told():
  functions.check_functions(tuple(functions.FUNCTIONS))
  with pytest.raises(UserError, match="names 'rosenbrok'; choices: rosenbrock, beale"):
    functions.check_functions(('rosenbrok',))
