"""The training step: where gradients are taken, statistics, and the same on every layout."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from configs import base
from losses import LOSSES
from tests.small_runs import open_checkpoints
from train_lib import parallel
from train_lib.optimizers import build_optimizer, gradient_point
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.tasks.tagging import Tagging

ROWS, NUM_TAGS = 8, 3
GSAM = dict(sam_rho=0.3, sam_rho_min=0.1, gsam_alpha=0.4)


class Small(nn.Module):
  """A convolution, a BatchNorm, dropout and a head."""
  axis: str | None = None
  dropout: float = 0.0

  @nn.compact
  def __call__(self, image, *, train):
    x = nn.Conv(4, (3, 3), use_bias=False, name='conv')(image)
    x = nn.BatchNorm(use_running_average=not train, axis_name=self.axis, momentum=0.9,
                     name='norm')(x)
    x = nn.Dropout(self.dropout, deterministic=not train)(nn.relu(x).mean(axis=(1, 2)))
    return nn.Dense(NUM_TAGS, name='head')(x), {}


def make_task(**options):
  return Tagging(net=Small(**options), loss_function=LOSSES['sigmoid_cross_entropy'],
                 mean=(127.5,) * 3, deviation=(60.0,) * 3, num_tags=NUM_TAGS, over_tags='sum',
                 scored=np.ones(NUM_TAGS, bool))


def make_batch(seed=0):
  rng = np.random.default_rng(seed)
  return {'image': rng.integers(0, 256, (ROWS, 6, 6, 3)).astype(np.uint8),
          'tags': rng.integers(-1, NUM_TAGS, (ROWS, 2)).astype(np.int32),
          'mask': np.ones(ROWS, np.float32)}


def optimizer_of(**values):
  config = base.get_config().optimizer
  config.update({'name': 'momentum', 'learning_rate': 0.1, 'warmup_frac': 0.2, **values})
  return build_optimizer(config, 10)


def first_state(optimizer, ema=False):
  variables = jax.jit(make_task().init)(jax.random.key(0), make_batch())
  return create_state(variables, optimizer, use_ema=ema)


def train(steps=3, *, devices=1, how='jit', sync=True, parts=1, net=(), ema=0.0, state=None,
          **values):
  """The state after so many steps, and the metrics of each."""
  optimizer, schedule = optimizer_of(**values)
  mesh = parallel.make_mesh(jax.devices()[:devices])
  task = make_task(axis=parallel.batch_norm_axis(how, sync), **dict(net))
  step = parallel.compile_step(
      make_train_step(task, optimizer, schedule, accumulate_steps=parts, ema_decay=ema), mesh,
      parallel=how, batch_norm_sync=sync)
  state = parallel.put_whole(mesh, state or first_state(optimizer, ema > 0))
  seen = []
  for k in range(int(state.step), steps):
    state, metrics = step(state, parallel.put_batch(mesh, make_batch(k)), jax.random.key(0))
    seen.append(jax.device_get(metrics))
  return jax.device_get(state), seen


@functools.cache
def trained(*args, **values):
  return train(*args, **values)


def assert_close(one, other, tolerance=0.0):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=tolerance), one, other)


def assert_differ(one, other, least):
  with pytest.raises(AssertionError):
    assert_close(one, other, least)


@pytest.mark.parametrize('values', [dict(sam_rho=0.3), GSAM], ids=['sam', 'gsam'])
@pytest.mark.parametrize('parts', [1, 2])
def test_statistics_move_once_a_step_and_are_those_of_the_first_pass(parts, values):
  plain, perturbed = trained(1, parts=parts)[0], trained(1, parts=parts, **values)[0]
  assert_close(perturbed.batch_stats, plain.batch_stats, 1e-7)
  assert_differ(perturbed.params, plain.params, 1e-4)
  assert_differ(plain.batch_stats, first_state(optimizer_of()[0]).batch_stats, 1e-3)


@pytest.mark.parametrize('values', [
    dict(sam_rho=0.3), GSAM, dict(name='schedule_free'), dict(name='schedule_free', **GSAM)],
    ids=['sam', 'gsam', 'schedule_free', 'both'])
@pytest.mark.parametrize('how', ['jit', 'pmap'])
def test_four_devices_equal_one(how, values):
  one, four = trained(**values), trained(devices=4, how=how, **values)
  assert_close(one[0], four[0], 2e-5)
  assert_close(one[1], four[1], 1e-4)


@pytest.mark.parametrize('how', ['jit', 'pmap'])
def test_statistics_of_each_device_go_with_gsam(how):
  whole, each = trained(**GSAM)[0], trained(devices=4, how=how, sync=False, **GSAM)[0]
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(each))
  assert_differ(whole.params, each.params, 1e-4)
  assert_close(each.params, trained(devices=4, how='jit', sync=False, **GSAM)[0].params, 1e-6)


def test_both_passes_see_the_same_random_numbers():
  """With a loss that is linear in the weights, the gradient is the same wherever it is taken."""
  @dataclasses.dataclass(frozen=True)
  class Noise:
    def loss(self, variables, batch, rngs, step):
      noise = jax.random.normal(rngs['dropout'], (5,))
      return (noise * variables['params']['w']).sum(), {}

  def run(**values):
    optimizer, schedule = optimizer_of(**values)
    step = make_train_step(Noise(), optimizer, schedule, accumulate_steps=1, ema_decay=0.0)
    state = create_state({'params': {'w': jnp.ones(5)}}, optimizer, use_ema=False)
    return step(state, make_batch(), jax.random.key(3))[0].params

  assert_close(run(), run(sam_rho=2.0), 1e-6)
  assert_close(run(), run(sam_rho=2.0, gsam_alpha=0.5), 1e-6)
  assert_differ(run(), {'w': jnp.ones(5)}, 1e-3)


def test_the_gradient_of_schedule_free_is_taken_beside_the_weights():
  values = dict(name='schedule_free', beta1=0.5)
  state = train(3, **values)[0]
  optimizer, _ = optimizer_of(**values)
  point = gradient_point(state.params, state.opt_state)
  assert_close(point, jax.tree.map(lambda x, z: (x + z) / 2, state.params, state.opt_state.last),
               1e-6)
  assert_differ(point, state.params, 1e-4)

  def loss(params):
    return make_task().loss({'params': params, 'batch_stats': state.batch_stats}, make_batch(3),
                            {})[0]

  value, grads = jax.value_and_grad(loss)(point)
  updates, _ = optimizer.update(grads, state.opt_state, state.params)
  after, metrics = train(4, state=state, **values)
  assert_close(after.params, optax.apply_updates(state.params, updates), 1e-6)
  assert metrics[0]['loss'] == pytest.approx(float(value), rel=1e-5)
  assert after.variables['params'] is after.params


def test_the_update_ratio_is_the_updates_length_over_the_weights():
  optimizer, _ = optimizer_of()
  before = first_state(optimizer)
  after, metrics = trained(1, parts=1)
  moved = jax.tree.map(lambda a, b: a - b, after.params, before.params)
  assert metrics[0]['update_ratio'] == pytest.approx(
      float(optax.tree.norm(moved) / optax.tree.norm(before.params)), rel=1e-4)
  assert set(metrics[0]) == {'loss', 'gradient_norm', 'update_ratio', 'learning_rate'}


def test_metrics_of_sam_are_those_of_the_first_pass_and_leave_penalties_out():
  plain = trained(1, parts=1)[1][0]
  other = train(1, l2=0.5, **GSAM)[1][0]
  for key in ('loss', 'gradient_norm', 'learning_rate'):
    assert other[key] == pytest.approx(plain[key], rel=1e-5)
  assert other['update_ratio'] != pytest.approx(plain['update_ratio'], rel=1e-2)


@pytest.mark.parametrize('values', [GSAM, dict(name='schedule_free', ema=0.9, **GSAM),
                                    dict(name='muon', parts=2), dict(name='adafactor')],
                         ids=['gsam', 'schedule_free', 'muon', 'adafactor'])
def test_a_run_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(values, tmp_path):
  whole, _ = train(4, **values)
  half, _ = train(2, **values)
  with open_checkpoints(tmp_path) as checkpoints:
    checkpoints.save(2, half)
    checkpoints.wait()
    restored, _ = checkpoints.restore_latest(jax.eval_shape(lambda: half))
  assert_close(train(4, state=restored, **values)[0], whole)
