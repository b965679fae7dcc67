"""Optimizers against their textbook formulas in float64, and against torch's recorded paths."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from train_lib.optimizers import build_optimizer, descend

RECORDED = json.loads((pathlib.Path(__file__).parent / 'reference' / 'optimizers_in_torch.json')
                      .read_text())
X, Y, KERNEL, BIAS = (np.array(part) for part in RECORDED['problem'])
START = np.concatenate([KERNEL.ravel(), BIAS])
STEPS = 10
MU, BETA1, BETA2, DECAY = 0.8, 0.85, 0.97, 0.9


def gradient(w):
  """Of the mean squared error of X W + b against Y, by hand, at w = (W, b) in one row."""
  error = 2 * (X @ w[:6].reshape(3, 2) + w[6:] - Y) / Y.size
  return np.concatenate([(X.T @ error).ravel(), error.sum(axis=0)])


# The six, as they are printed: each takes (rate, epsilon) and gives the path of w.


def sgd(rate, epsilon):
  w = START
  for _ in range(STEPS):
    w = w - rate * gradient(w)
    yield w


def momentum(rate, epsilon):
  w, velocity = START, 0 * START
  for _ in range(STEPS):
    velocity = MU * velocity - rate * gradient(w)
    w = w + velocity
    yield w


def nesterov(rate, epsilon):
  """The gradient is taken ahead, at w + mu v; that point is what an optimizer's parameters are."""
  w, velocity = START, 0 * START
  for _ in range(STEPS):
    velocity = MU * velocity - rate * gradient(w + MU * velocity)
    w = w + velocity
    yield w + MU * velocity


def adagrad(rate, epsilon):
  w, total = START, 0 * START
  for _ in range(STEPS):
    g = gradient(w)
    total = total + g ** 2
    w = w - rate * g / (np.sqrt(total) + epsilon)
    yield w


def rmsprop(rate, epsilon):
  w, mean = START, 0 * START
  for _ in range(STEPS):
    g = gradient(w)
    mean = DECAY * mean + (1 - DECAY) * g ** 2
    w = w - rate * g / (np.sqrt(mean) + epsilon)
    yield w


def adam(rate, epsilon):
  w, m, v = START, 0 * START, 0 * START
  for t in range(1, STEPS + 1):
    g = gradient(w)
    m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g ** 2
    w = w - rate * (m / (1 - BETA1 ** t)) / (np.sqrt(v / (1 - BETA2 ** t)) + epsilon)
    yield w


SIX = {sgd: 0.3, momentum: 0.1, nesterov: 0.1, adagrad: 0.4, rmsprop: 0.05, adam: 0.1}


def our_path(name, **keys):
  """Our parameters after each of ten steps [10, 8], the gradient by JAX."""
  section = base.get_config().optimizer
  section.update({'name': name, 'schedule': 'constant', 'warmup_frac': 0.0, **keys})
  optimizer, _ = build_optimizer(section, STEPS)
  x, y = jnp.asarray(X), jnp.asarray(Y)

  def value(params):
    return jnp.mean((x @ params['kernel'] + params['bias'] - y) ** 2)

  params = {'kernel': jnp.asarray(KERNEL), 'bias': jnp.asarray(BIAS)}
  state, path, step = optimizer.init(params), [], jax.jit(
      lambda *carry: descend(optimizer, jax.grad(value), *carry))
  for _ in range(STEPS):
    params, state = step(params, state)
    path.append(np.concatenate([np.ravel(params['kernel']), params['bias']]))
  assert path[0].dtype == jnp.asarray(X).dtype
  return np.array(path)


@pytest.mark.parametrize('epsilon', [1e-8, 0.1])  # the large one tells inside of the root from out
@pytest.mark.parametrize('formula', SIX, ids=lambda formula: formula.__name__)
def test_the_six_follow_their_formulas_for_ten_steps(formula, epsilon):
  rate = SIX[formula]
  ours = our_path(formula.__name__, learning_rate=rate, momentum=MU, beta1=BETA1, beta2=BETA2,
                  decay=DECAY, epsilon=epsilon)
  expected = np.array(list(formula(rate, epsilon)))
  assert np.abs(expected[-1] - START).max() > 0.1
  np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('formula', SIX, ids=lambda formula: formula.__name__)
def test_in_float64_they_are_the_formulas_to_the_last_digits(formula):
  rate = SIX[formula]
  with jax.enable_x64(True):
    ours = our_path(formula.__name__, learning_rate=rate, momentum=MU, beta1=BETA1, beta2=BETA2,
                    decay=DECAY, epsilon=1e-3)
  np.testing.assert_allclose(ours, np.array(list(formula(rate, 1e-3))), rtol=0, atol=1e-13)


def torch_rows(*, name=None, without=()):
  return [pytest.param(row, id=f'{row["name"]}-{row["keys"]}-{row["rates"][-1]:.3g}')
          for row in RECORDED['rows'] if row['name'] not in without and name in (None, row['name'])]


def our_path_of(row):
  rate, last = row['rates'][0], row['rates'][-1]
  keys = {key: tuple(value) if isinstance(value, list) else value
          for key, value in row['keys'].items()}
  if last != rate:                                       # falls to a tenth after half of the steps
    keys |= {'schedule': 'step', 'step_at': (0.5,), 'step_factor': 0.1}
  return our_path(row['name'], learning_rate=rate, **keys)


@pytest.mark.parametrize('row', torch_rows(without=['nadam']))
def test_equals_torch_for_ten_steps(row):
  np.testing.assert_allclose(our_path_of(row), row['path'][1:], rtol=0, atol=1e-6)
  with jax.enable_x64(True):
    np.testing.assert_allclose(our_path_of(row), row['path'][1:], rtol=0, atol=1e-13)


def nadam(rates, momentum):
  """NAdam with its defaults; momentum: (t) -> beta1 of step t."""
  w, m, v, past = START, 0 * START, 0 * START, 1.0
  for t, rate in enumerate(rates, start=1):
    g = gradient(w)
    m, v, past = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g ** 2, past * momentum(t)
    ahead = (momentum(t + 1) * m / (1 - past * momentum(t + 1))
             + (1 - momentum(t)) * g / (1 - past))
    w = w - rate * ahead / (np.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
    yield w


@pytest.mark.parametrize('row', torch_rows(name='nadam'))
def test_nadam_is_torchs_but_for_the_warm_up_of_its_momentum(row):
  warmed = list(nadam(row['rates'], lambda t: 0.9 * (1 - 0.5 * 0.96 ** (t / 250))))
  # torch keeps the product of its momenta in float32
  np.testing.assert_allclose(warmed, row['path'][1:], rtol=0, atol=1e-8)
  constant = list(nadam(row['rates'], lambda t: 0.9))
  with jax.enable_x64(True):
    np.testing.assert_allclose(our_path_of(row), constant, rtol=0, atol=1e-13)
  assert np.abs(constant[-1] - warmed[-1]).max() > 0.1


def test_a_change_of_rate_acts_at_once_as_in_torch_and_not_through_the_velocity():
  rows = [row for row in RECORDED['rows'] if row['name'] == 'momentum']
  constant, falling = (np.array(row['path']) for row in rows)
  np.testing.assert_array_equal(constant[:6], falling[:6])
  w, velocity = START, 0 * START
  for rate in rows[1]['rates']:
    velocity = MU * velocity - rate * gradient(w)
    w = w + velocity
  assert np.abs(w - falling[-1]).max() > 0.05
