"""The learning rate over a run: where it starts, peaks, falls and ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from errors import UserError
from train_lib.optimizers import build_optimizer
from train_lib.optimizers.schedules import SCHEDULES


def rates(steps=100, **values):
  config = base.get_config().optimizer
  config.update({'name': 'sgd', 'learning_rate': 2.0, 'warmup_frac': 0.0, **values})
  _, schedule = build_optimizer(config, steps)
  return np.array(jax.jit(jax.vmap(lambda step: jnp.asarray(schedule(step))))(np.arange(steps)))


@pytest.mark.parametrize('name', ['linear', 'cosine'])
def test_a_decay_climbs_to_its_peak_and_ends_at_zero(name):
  run = rates(schedule=name, warmup_frac=0.1)
  assert 0 < run[0] < run[4] < run[9] == pytest.approx(2.0)
  assert np.all(np.diff(run[10:]) < 0) and 0 < run[-1] < 0.05
  np.testing.assert_allclose(run[:10], np.arange(1, 11) * 0.2, rtol=1e-6)


def test_decays_are_a_line_and_half_a_cosine():
  np.testing.assert_allclose(rates(schedule='linear'), 2 * (1 - np.arange(100) / 101), rtol=1e-5)
  np.testing.assert_allclose(rates(schedule='cosine'), 1 + np.cos(np.pi * np.arange(100) / 101),
                             rtol=1e-4)


def test_a_constant_rate_is_constant_after_its_warm_up():
  assert set(rates(schedule='constant')) == {2.0}
  np.testing.assert_allclose(rates(schedule='constant', warmup_frac=0.5)[49:], 2.0)


def test_steps_fall_at_their_shares_of_the_run():
  run = rates(schedule='step', step_at=(0.5, 0.9), step_factor=0.1)
  np.testing.assert_allclose(run, [2.0] * 50 + [0.2] * 40 + [0.02] * 10, rtol=1e-6)
  warmed = rates(schedule='step', step_at=(0.5,), step_factor=0.1, warmup_frac=0.2)
  np.testing.assert_allclose(warmed[19:59], 2.0, rtol=1e-6)     # half of the 80 that are left
  np.testing.assert_allclose(warmed[59:], 0.2, rtol=1e-6)
  assert set(rates(schedule='step', step_at=())) == {2.0}


def test_one_cycle_rises_from_a_25th_and_falls_to_nearly_nothing():
  run = rates(steps=1000, schedule='one_cycle', warmup_frac=0.3)
  assert run[0] == pytest.approx(2 / 25) and run.argmax() == 300
  assert run[300] == pytest.approx(2.0) and run[-1] < 1e-4
  assert np.all(np.diff(run[:300]) > 0) and np.all(np.diff(run[301:]) < 0)
  assert run[150] == pytest.approx((2 / 25 + 2) / 2, rel=1e-3)  # a cosine is half way in the middle


@pytest.mark.parametrize('name', SCHEDULES)
@pytest.mark.parametrize('steps', [1, 2, 3])
def test_runs_of_a_few_steps_have_rates_that_learn(name, steps):
  run = rates(steps=steps, schedule=name, warmup_frac=0.3)
  assert np.all(np.isfinite(run)) and np.all(run > 0) and np.all(run <= 2.0 + 1e-6)


@pytest.mark.parametrize('values, words', [
    (dict(schedule='exponential'), 'exponential.*choices: constant, linear, cosine, step, one_c'),
    (dict(warmup_frac=1.0), 'warmup_frac is 1.0'),
    (dict(schedule='one_cycle'), 'the share of the rise'),
    (dict(schedule='step', step_at=(0.5, 1.5)), r'step_at is \(0.5, 1.5\)'),
    (dict(schedule='step', step_factor=0.0), 'step_factor 0.0'),
])
def test_what_is_no_schedule_is_told(values, words):
  with pytest.raises(UserError, match=words):
    rates(**values)
