"""Optimizers by name: what every row promises; clipping, decay, penalties, traced rates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base
from errors import UserError
from train_lib import freezing
from train_lib.optimizers import DECOUPLED, OPTIMIZERS, build_optimizer, descend, gradient_point
from train_lib.trees import find_non_finite, flatten_names

RATES = {'adagrad': 0.5, 'sgd': 0.1, 'adafactor': 0.05, 'schedule_free': 0.2,
         'muon': 0.1}                                    # others: 0.02
SAM = {'sam_rho': 0.05, 'sam_rho_min': 0.01, 'gsam_alpha': 0.3}
CASES = [*(pytest.param(name, {}, id=name) for name in OPTIMIZERS),
         *(pytest.param(name, SAM, id=f'gsam-{name}') for name in ('sgd', 'adam', 'schedule_free'))]


def section(**values):
  config = base.get_config().optimizer
  config.update({'schedule': 'constant', 'warmup_frac': 0.0, **values})
  return config


def bowl(params):
  """A badly scaled quadratic with its minimum at zero."""
  kernel, bias = params['inner']['kernel'], params['inner']['bias']
  return 0.5 * (kernel[0] ** 2 + 10 * kernel[1] ** 2).sum() + (bias ** 2).sum()


START = {'inner': {'kernel': jnp.array([[2.0, 0.5], [-1.0, 0.3]]), 'bias': jnp.array([0.5, -0.2])}}


def run(config, steps, arrange=lambda make: make(0), start=START, learning_rate=None):
  """The parameters after so many steps, and the optimizer's state."""
  optimizer, _ = build_optimizer(config, steps, arrange, learning_rate)
  def step(carry, _):
    return descend(optimizer, jax.grad(bowl), *carry), None
  return jax.lax.scan(step, (start, optimizer.init(start)), None, length=steps)[0]


@pytest.mark.parametrize('name, extra', CASES)
def test_every_optimizer_goes_down(name, extra):
  last, state = run(section(name=name, learning_rate=RATES.get(name, 0.02), **extra), 300)
  assert bowl(last) < 0.05 * bowl(START)
  assert find_non_finite(jax.device_get(state)) == []
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))


def first_update(config, grads, params):
  optimizer, _ = build_optimizer(config, 10)
  return jax.jit(lambda grads, params: optimizer.update(
      grads, optimizer.init(params), params)[0])(grads, params)


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


PARAMS = {'stem': {'kernel': jnp.array([[0.5, -2.0]]), 'bias': jnp.array([1.0, -0.1])},
          'head': {'kernel': jnp.array([[3.0], [0.2]]), 'bias': jnp.array([-4.0])}}


@pytest.mark.parametrize('patterns, kept', [
    ((), {'stem/kernel', 'head/kernel'}), (('*',), set(flatten_names(PARAMS))),
    (('*', '!head'), {'stem/kernel', 'stem/bias'}), (('re:.*/bias',), {'stem/bias', 'head/bias'})])
def test_penalties_are_the_gradient_of_what_is_added_to_the_loss(patterns, kept):
  def loss(params, l1, l2):
    chosen = [leaf for name, leaf in flatten_names(params).items() if name in kept]
    return (sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(params))
            + l1 * sum(jnp.abs(leaf).sum() for leaf in chosen)
            + l2 / 2 * sum((leaf ** 2).sum() for leaf in chosen))
  gradient = jax.jit(jax.grad(loss))
  alone = gradient(PARAMS, 0.0, 0.0)
  update = first_update(section(name='sgd', learning_rate=1.0, l1=0.3, l2=0.2, decayed=patterns),
                        alone, PARAMS)
  jax.tree.map(lambda u, g: np.testing.assert_allclose(u, -g, rtol=1e-6), update,
               gradient(PARAMS, 0.3, 0.2))


def test_a_weight_of_zero_is_not_pulled():
  nothing = {'kernel': jnp.zeros((2, 2))}
  update = first_update(section(name='sgd', l1=0.3, l2=0.2), nothing, nothing)
  assert not np.any(update['kernel'])


@pytest.mark.parametrize('name', ['adamw', 'lamb', 'sgd'])
def test_patterns_choose_what_decays(name):
  nothing = jax.tree.map(jnp.zeros_like, PARAMS)
  update = first_update(section(name=name, weight_decay=0.1, decayed=('stem', '!stem/kernel')),
                        nothing, PARAMS)
  moved = {key for key, leaf in flatten_names(update).items() if np.any(leaf)}
  assert moved == {'stem/bias'}


def test_clipping_bounds_the_global_norm_of_the_task_alone():
  params = {'kernel': jnp.zeros((3, 1)), 'bias': jnp.zeros(4)}
  grads = {'kernel': jnp.full((3, 1), 30.0), 'bias': jnp.full(4, 40.0)}
  update = first_update(section(name='sgd', clip_norm=1.0, learning_rate=1.0), grads, params)
  assert float(optax.tree.norm(update)) == pytest.approx(1.0, rel=1e-5)
  params['kernel'] += 5.0
  with_penalty = first_update(
      section(name='sgd', clip_norm=1.0, l2=2.0, learning_rate=1.0), grads, params)
  np.testing.assert_allclose(with_penalty['kernel'] - update['kernel'], -10.0, rtol=1e-6)


@pytest.mark.parametrize('name, extra', CASES)
def test_rates_that_are_traced_share_a_program_and_change_nothing(name, extra):
  config = section(name=name, schedule='cosine', warmup_frac=0.2, **extra)
  rates = jnp.array([0.0, 0.01, 0.1])
  together = jax.jit(jax.vmap(lambda rate: run(config, 8, learning_rate=rate)[0]))(rates)
  for index in (1, 2):
    config.learning_rate = float(rates[index])
    alone = run(config, 8)[0]
    jax.tree.map(lambda a, b, i=index: np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-6),
                 together, alone)
  jax.tree.map(lambda leaf, start: np.testing.assert_array_equal(leaf[0], start), together, START)


NET = {'stem': {'kernel': jnp.full((3, 3, 2, 4), 0.3), 'scale': jnp.ones(4)},
       'trunk': {'kernel': jnp.eye(4) + 0.1, 'bias': jnp.zeros(4)},
       'head': {'kernel': jnp.full((4, 2), 0.2), 'bias': jnp.zeros(2)}}


@pytest.mark.parametrize('name, extra', CASES)
def test_every_optimizer_works_with_parts_that_are_frozen_slower_or_late(name, extra):
  plan = freezing.build_plan(NET, freeze=('stem',), freeze_first=('trunk',), first_steps=2,
                             factors=(('head/bias', 0.0),))
  config = section(name=name, learning_rate=0.1, weight_decay=0.1, clip_norm=1.0, l1=0.01,
                   decayed=('*', '!stem'), **extra)
  optimizers = {first: build_optimizer(
      config, 6, lambda make, first=first: plan.optimizer(make, first=first))[0]
      for first in (True, False)}
  @functools.partial(jax.jit, static_argnums=0)
  def descended(first, params, state):
    return descend(optimizers[first], jax.grad(value), params, state)
  def value(params):
    params = freezing.stop_gradients(params, plan.frozen)
    return sum(jnp.sum((leaf - 1.0) ** 2) for leaf in jax.tree.leaves(params))
  params, state, moved = NET, optimizers[False].init(NET), []
  for step in range(1, 5):
    before, structure = params, jax.tree.structure(state)
    params, state = descended(plan.is_first(step), params, state)
    assert jax.tree.structure(state) == structure
    moved.append({key for key, leaf in flatten_names(params).items()
                  if np.any(leaf != flatten_names(before)[key])})
  flatten_names(state)                                       # as a checkpoint names it
  assert moved[0] == moved[1] == {'head/kernel'}
  assert moved[3] == {'head/kernel', 'trunk/kernel', 'trunk/bias'}


def test_muon_makes_the_singular_values_of_a_kernel_alike_and_gives_the_rest_to_adam():
  rng = np.random.default_rng(0)
  grads = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), NET)
  update = first_update(section(name='muon', learning_rate=1.0), grads, NET)
  for name, rows in (('stem', 18), ('trunk', 4)):
    values = np.linalg.svd(np.reshape(update[name]['kernel'], (rows, 4)), compute_uv=False)
    sizes = values / (0.2 * np.sqrt(rows))
    assert 0.6 < sizes.min() and sizes.max() < 1.3, name     # five steps bring them near to 1
    root = np.sqrt(np.mean(np.square(update[name]['kernel'])))
    assert 0.2 * 0.6 * np.sqrt(4 / max(rows, 4)) < root * np.sqrt(4 / rows) < 0.2 * 1.3
  for leaf, grad in ((update['head']['kernel'], grads['head']['kernel']),
                     (update['stem']['scale'], grads['stem']['scale'])):
    np.testing.assert_allclose(leaf, -np.sign(grad), rtol=1e-3)  # Adam's first step


def test_lion_has_its_own_beta2_unless_one_is_named():
  start = {'inner': {'kernel': START['inner']['kernel'], 'bias': jnp.zeros(2)}}
  def path(**values):
    return run(section(name='lion', learning_rate=0.3, **values), 20, start=start)[0]
  same, other = path(beta2=0.99), path(beta2=0.5)
  np.testing.assert_array_equal(path()['inner']['kernel'], same['inner']['kernel'])
  assert np.any(path()['inner']['kernel'] != other['inner']['kernel'])


@pytest.mark.parametrize('warmup', [0.0, 0.3])
def test_schedule_free_is_that_of_its_authors_as_optax_has_it(warmup):
  steps, beta1 = 12, 0.8
  config = section(name='schedule_free', learning_rate=0.05, warmup_frac=warmup, beta1=beta1,
                   weight_decay=0.1, decayed=('*',))
  optimizer, schedule = build_optimizer(config, steps)
  theirs = optax.contrib.schedule_free(
      optax.chain(optax.scale_by_rms(0.999, 1e-8, eps_in_sqrt=False, bias_correction=True),
                  optax.add_decayed_weights(0.1), optax.scale_by_learning_rate(schedule)),
      learning_rate=lambda count: schedule(count - 1), b1=beta1)  # it counts from one
  x, state = START, optimizer.init(START)
  y, their_state = START, theirs.init(START)
  step = jax.jit(lambda *carry: descend(optimizer, jax.grad(bowl), *carry))
  their_step = jax.jit(lambda *carry: descend(theirs, jax.grad(bowl), *carry))
  for _ in range(steps):
    (x, state), (y, their_state) = step(x, state), their_step(y, their_state)
  wanted = optax.contrib.schedule_free_eval_params(their_state, y)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), x, wanted)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6),
               gradient_point(x, state), y)


def test_without_schedule_free_gradients_are_taken_at_the_parameters():
  optimizer, _ = build_optimizer(section(name='adam', **SAM), 5)
  assert gradient_point(START, optimizer.init(START)) is START


def test_factors_by_name_scale_the_rate_of_schedule_free():
  plan = freezing.build_plan(START, freeze=(), freeze_first=(), first_steps=0,
                             factors=(('inner', 0.25),))
  config = section(name='schedule_free', learning_rate=0.2)
  slowed, _ = run(config, 30, lambda make: plan.optimizer(make, first=False))
  config.learning_rate = 0.05
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), slowed, run(config, 30)[0])


def test_an_unknown_optimizer_lists_the_choices():
  with pytest.raises(UserError, match='adamm.*choices: sgd, momentum'):
    build_optimizer(section(name='adamm'), 10)
