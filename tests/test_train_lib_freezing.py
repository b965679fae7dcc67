"""Frozen parts neither learn nor measure; patterns say which, and how fast the others learn."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nets
from errors import UserError
from nets.layers import DropPath
from tests.small_exports import one_block
from train_lib import freezing
from train_lib.trees import flatten_names, params_digest

NAMES = ('stem/kernel', 'stem/bias', 'stage1_block1/conv1/kernel', 'stage1_block1/norm1/scale',
         'stage1_block2/conv1/kernel', 'stage2_block1/conv1/kernel', 'head/kernel', 'head/bias')
TRUNK = ('*', '!head')


@pytest.mark.parametrize('patterns, chosen', [
  ((), ()),
  (('stem',), (0, 1)),
  (('stage1*',), (2, 3, 4)),
  (('stage[12]_block1',), (2, 3, 5)),
  (('*/bias',), (1, 7)),
  (('stem/kernel',), (0,)),
  ((r're:stage\d+_block2',), (4,)),
  (TRUNK, (0, 1, 2, 3, 4, 5)),
  (('*', '!stage1*', 'stage1_block2', r'!re:.*/bias'), (0, 4, 5, 6)),
])
def test_patterns_choose_by_whole_names_of_parameters_and_modules(patterns, chosen):
  assert freezing.select(patterns, NAMES, what='k') == {NAMES[index] for index in chosen}


@pytest.mark.parametrize('pattern, message', [
  ('stage1_blok1', "train.freeze: 'stage1_blok1' fits no parameter; close.* stage1_block1"),
  ('!stem/weight', "'!stem/weight' fits no parameter"),
  ('conv1', "'conv1' fits no parameter"),  # no module of that name stands outermost
  ('xyzzyxyzzy', 'the outermost modules are stem, stage1_block1'),
  ('re:(', "'re:\\(' is no regular expression"),
])
def test_a_pattern_that_fits_nothing_is_refused(pattern, message):
  with pytest.raises(UserError, match=message):
    freezing.select((pattern,), NAMES, what='train.freeze')


# The net ----------------------------------------------------------------------------------------


class Block(nn.Module):
  """What a frozen part may hold: statistics and two kinds of noise."""
  train: bool

  @nn.compact
  def __call__(self, x):
    y = nn.Dense(4, name='dense')(x)
    y = nn.BatchNorm(use_running_average=not self.train, name='norm')(y)
    y = nn.Dropout(0.5, deterministic=not self.train, name='dropout')(y)
    return x + DropPath(0.5, deterministic=not self.train, name='drop_path')(y)


class Net(nn.Module):
  """Two blocks, and a head behind a dropout that has no parameters of its own."""
  remat: bool = False

  @nn.compact
  def __call__(self, x, *, train):
    block = nn.remat(Block) if self.remat else Block
    first = block(train, name='block1')(x)
    second = block(train, name='block2')(first)
    x = nn.Dropout(0.5, deterministic=not train, name='dropout')(second)
    return nn.Dense(2, name='head')(x), {'block1': first, 'block2': second, 'dropout': x}


@pytest.fixture(params=[False, True], ids=['plain', 'remat'])
def toy(request):
  """(net, variables with statistics off their initial values, batch)."""
  net, x = Net(request.param), np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
  variables = net.init(jax.random.key(0), x, train=False)
  return net, jax.tree.map(lambda leaf: leaf + 0.1, variables), x


def select(variables, *patterns):
  return freezing.select(patterns, flatten_names(variables['params']), what='train.freeze')


def apply(net, variables, x, *, train=True, seed=0):
  return net.apply(variables, x, train=train, rngs={'dropout': jax.random.key(seed)},
                   mutable=['batch_stats'])


def test_a_frozen_block_computes_as_in_inference_and_the_rest_as_in_training(toy):
  net, variables, x = toy
  frozen = freezing.FrozenNet(net, select(variables, 'block1'))
  (_, taps), changed = apply(frozen, variables, x)
  (_, resting), _ = apply(net, variables, x, train=False)
  (_, training), _ = apply(net, variables, x)
  np.testing.assert_array_equal(taps['block1'], resting['block1'])
  assert not np.allclose(training['block1'], resting['block1'])
  # block2 computes on another input than in `training`, in the same mode
  (_, other), _ = apply(frozen, variables, x, seed=1)
  assert not np.allclose(taps['block2'], other['block2'])
  before, after = variables['batch_stats'], changed['batch_stats']
  assert params_digest(after['block1']) == params_digest(before['block1'])
  assert not np.allclose(after['block2']['norm']['mean'], before['block2']['norm']['mean'])


def test_the_dropout_before_a_trained_head_stays_on(toy):
  net, variables, x = toy
  (_, taps), _ = apply(freezing.FrozenNet(net, select(variables, *TRUNK)), variables, x)
  (_, resting), _ = apply(net, variables, x, train=False)
  np.testing.assert_array_equal(taps['block2'], resting['block2'])
  assert (taps['dropout'] == 0).any()


def test_with_everything_frozen_the_net_is_at_rest(toy):
  net, variables, x = toy
  (output, _), changed = apply(freezing.FrozenNet(net, select(variables, '*')), variables, x)
  np.testing.assert_array_equal(output, apply(net, variables, x, train=False)[0][0])
  assert params_digest(changed['batch_stats']) == params_digest(variables['batch_stats'])


def test_freezing_kernels_alone_leaves_statistics_alive(toy):
  net, variables, x = toy
  frozen = freezing.FrozenNet(net, select(variables, '*/kernel'))
  (output, _), changed = apply(frozen, variables, x)
  expected, statistics = apply(net, variables, x)
  np.testing.assert_array_equal(output, expected[0])
  assert params_digest(changed) == params_digest(statistics)


def test_only_what_trains_has_a_gradient(toy):
  net, variables, x = toy
  frozen = select(variables, 'block1', 'head/bias')
  def loss(params):
    (output, _), _ = apply(freezing.FrozenNet(net, frozen), {**variables, 'params': params}, x)
    return (output ** 2).sum()
  for name, gradient in flatten_names(jax.grad(loss)(variables['params'])).items():
    assert gradient.any() == (name not in frozen), name


def build_small_net():
  with one_block():
    return nets.build_net('se_resnet_tiny', 3)


def test_a_frozen_trunk_costs_no_backward_pass():
  net, x = build_small_net(), jnp.zeros((2, 64, 64, 3))
  variables = jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), x)

  def flops(net):
    def loss(params, batch_stats, x):
      (output, _), _ = apply(net, {'params': params, 'batch_stats': batch_stats}, x)
      return (output ** 2).sum()
    lowered = jax.jit(jax.grad(loss)).lower(variables['params'], variables['batch_stats'], x)
    return lowered.cost_analysis()['flops']

  assert flops(freezing.FrozenNet(net, select(variables, *TRUNK))) < 0.5 * flops(net)


# The plan ---------------------------------------------------------------------------------------


def build_plan(params, *, freeze=(), freeze_first=(), first_steps=0, factors=()):
  return freezing.build_plan(params, freeze=freeze, freeze_first=freeze_first,
                             first_steps=first_steps, factors=factors)


def test_a_trunk_is_frozen_bit_by_bit_over_an_epoch_and_learns_in_the_next():
  net, rng = build_small_net(), np.random.default_rng(0)
  images = rng.normal(size=(5, 4, 32, 32, 3)).astype(np.float32)  # the batches of an epoch
  variables = jax.tree.map(
    lambda leaf: jnp.float32(rng.uniform(0.5, 1.5, leaf.shape) if leaf.ndim == 1
                             else rng.normal(0, 0.1, leaf.shape)),
    jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), images[0]))
  plan = build_plan(variables['params'], freeze=('stem*',), freeze_first=TRUNK, first_steps=5)

  def make(first):
    part = plan.net(net, first=first)
    optimizer = plan.optimizer(lambda before: optax.adam(1e-3), first=first)
    @jax.jit
    def step(variables, state, image):
      def loss(params):
        (output, _), changed = apply(part, {**variables, 'params': params}, image)
        return (output ** 2).sum(), changed['batch_stats']
      (_, statistics), grads = jax.value_and_grad(loss, has_aux=True)(variables['params'])
      updates, state = optimizer.update(grads, state, variables['params'])
      params = optax.apply_updates(variables['params'], updates)
      return {'params': params, 'batch_stats': statistics}, state
    return optimizer, step

  (optimizer, first), (_, rest) = make(True), make(False)
  state, middle = optimizer.init(variables['params']), variables
  for number, image in enumerate(images, start=1):
    assert plan.is_first(number)
    middle, state = first(middle, state, image)
  assert not plan.is_first(6)
  end, _ = rest(middle, state, images[0])

  def moved(before, after):
    before, after = flatten_names(before), flatten_names(after)
    return {name for name in before if not np.array_equal(before[name], after[name])}

  assert moved(variables, middle) == {'params/head/kernel', 'params/head/bias'}
  learning = {name for name in variables['params'] if not name.startswith('stem')}
  assert {name.split('/')[1] for name in moved(middle, end)} == learning
  assert {name.split('/')[1] for name in moved(middle, end) if name.startswith('batch_stats')} == (
    learning - {'head'})


PARAMS = {'trunk': {'kernel': jnp.ones((2, 2))}, 'head': {'kernel': jnp.ones((2,))}}


def test_what_trains_later_starts_its_optimizer_then():
  """Adam that had counted steps of zeros would take steps several times too long."""
  plan = build_plan(PARAMS, freeze_first=('trunk',), first_steps=50)
  make = lambda before: optax.adam(  # noqa: E731
    lambda count: jnp.where(count + before < 50, 1.0, 0.125))
  first, rest = (plan.optimizer(make, first=part) for part in (True, False))
  state, grads = first.init(PARAMS), jax.tree.map(jnp.ones_like, PARAMS)
  update = jax.jit(first.update)
  for _ in range(50):
    updates, state = update(grads, state, PARAMS)
  assert (updates['trunk']['kernel'] == 0).all()
  np.testing.assert_allclose(updates['head']['kernel'], -1, rtol=1e-4)
  updates, after = rest.update(grads, state, PARAMS)
  np.testing.assert_allclose(updates['trunk']['kernel'], -0.125, rtol=1e-4)  # of step 51's rate
  np.testing.assert_allclose(updates['head']['kernel'], -0.125, rtol=1e-4)
  assert jax.tree.structure(rest.init(PARAMS)) == jax.tree.structure(state)
  assert jax.tree.structure(after) == jax.tree.structure(state)
  flatten_names(after)  # as a checkpoint names it


def test_frozen_parameters_have_no_optimizer_state_and_no_decay():
  plan = build_plan(PARAMS, freeze=('trunk',))
  optimizer = plan.optimizer(lambda before: optax.adamw(0.1, weight_decay=0.5), first=False)
  state = optimizer.init(PARAMS)
  assert {leaf.shape for leaf in jax.tree.leaves(state)} == {(), (2,)}
  updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, PARAMS), state, PARAMS)
  assert (updates['trunk']['kernel'] == 0).all() and (updates['head']['kernel'] != 0).all()


def test_factors_scale_updates_and_the_last_pattern_counts():
  plan = build_plan(PARAMS, factors=(('*', 0.5), ('head', 2.0)))
  optimizer = plan.optimizer(lambda before: optax.adam(1.0), first=False)
  updates, _ = optimizer.update(
    jax.tree.map(lambda x: 7 * x, PARAMS), optimizer.init(PARAMS), PARAMS)
  np.testing.assert_allclose(updates['trunk']['kernel'], -0.5, rtol=1e-5)
  np.testing.assert_allclose(updates['head']['kernel'], -2.0, rtol=1e-5)


def test_an_empty_plan_changes_nothing():
  plan, net = build_plan(PARAMS), Net()
  assert plan.net(net, first=False) is net
  assert not plan.is_first(1)
  plain = optax.adam(1.0)
  assert plan.optimizer(lambda before: plain, first=False) is plain
  assert freezing.describe_plan(plan, PARAMS) == []


@pytest.mark.parametrize('options, message', [
  (dict(freeze=('*',)), 'train.freeze freezes every parameter'),
  (dict(freeze=('head',), freeze_first=('trunk',), first_steps=3), 'train.freeze_first freezes ev'),
  (dict(freeze=('!head',)), r"'!head' takes back what no .* everything else is \('\*', '!head'\)"),
  (dict(freeze=(1,)), 'train.freeze: 1 is no pattern'),
  (dict(freeze_first=('trunk',)), '0 steps long; set a larger share'),
  (dict(first_steps=3), 'set both, or neither'),
  *((dict(factors=factors), r'no pair of a pattern and a factor of at least 0; expected \(\(')
    for factors in ((('trunk', -1.0),), (('trunk', float('nan')),), ('trunk', 0.1),
                    (('trunk', 'a'),), (('trunk', 1, 2),))),
  (dict(factors=((('a', 'b'), 0.1),)), 'is no pattern'),
  (dict(factors=(('trunc', 1.0),)), "optimizer.lr_factors: 'trunc' fits no parameter.*trunk"),
])
def test_plans_that_mean_nothing_are_refused(options, message):
  with pytest.raises(UserError, match=message):
    build_plan(PARAMS, **options)


def test_a_plan_is_told_in_lines():
  plan = build_plan(PARAMS, freeze_first=('trunk',), first_steps=9, factors=(('head', 10.0),))
  assert freezing.describe_plan(plan, PARAMS) == [
    'frozen for the first 9 steps: 1 of 2 arrays of parameters, 4 of 6 values',
    'learning rate times 10: 1 arrays']
