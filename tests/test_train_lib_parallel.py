"""One device, four under jit, four under pmap: the same training."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from errors import UserError
from losses import LOSSES
from nets import build_net
from train_lib import parallel
from train_lib.evaluation import Evaluator
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.tasks.tagging import Tagging

pytestmark = pytest.mark.usefixtures('small_net')

NUM_TAGS, BATCH, SIZE_PX, STEPS = 5, 16, 32, 20


def make_task(axis):
  net = build_net('se_resnet_tiny', NUM_TAGS, dropout_rate=0.0, batch_norm_axis=axis)
  loss = functools.partial(LOSSES['focal'], focal_alpha=-1.0, focal_gamma=2.0)
  return Tagging(net=net, loss_function=loss,
                 mean=(127.5,) * 3, deviation=(127.5,) * 3, num_tags=NUM_TAGS, over_tags='sum',
                 scored=np.ones(NUM_TAGS, bool))


def make_batch(k):
  rng = np.random.default_rng(k)
  return {'image': rng.integers(0, 256, (BATCH, SIZE_PX, SIZE_PX, 3)).astype(np.uint8),
          'tags': rng.integers(-1, NUM_TAGS, (BATCH, 3)).astype(np.int32),
          'mask': np.ones(BATCH, np.float32)}


@functools.cache
def fresh():
  """Initial variables."""
  return jax.device_get(jax.jit(make_task(None).init)(jax.random.key(0), make_batch(0)))


def train(devices, how, sync=True, accumulate_steps=1, steps=STEPS):
  mesh = parallel.make_mesh(jax.devices()[:devices])
  task = make_task(parallel.batch_norm_axis(how, sync))
  optimizer = optax.sgd(0.01, momentum=0.9)
  step = parallel.compile_step(
      make_train_step(task, optimizer, lambda step: 0.01,
                      accumulate_steps=accumulate_steps, ema_decay=0.9),
      mesh, parallel=how, batch_norm_sync=sync)
  state = parallel.put_whole(mesh, create_state(fresh(), optimizer, use_ema=True))
  for k in range(steps):
    state, metrics = step(state, parallel.put_batch(mesh, make_batch(k)), jax.random.key(0))
    jax.block_until_ready(metrics)
  return jax.device_get(state), jax.device_get(metrics)


@functools.cache
def trained(*args):
  return train(*args)


def assert_close(one, other, tolerance):
  differences = jax.tree.map(lambda a, b: float(np.max(np.abs(a - b))), one, other)
  assert max(jax.tree.leaves(differences)) < tolerance, differences


@pytest.mark.parametrize('how', ['jit', 'pmap'])
def test_four_devices_equal_one(how):
  (one, one_metrics), (four, four_metrics) = trained(1, 'jit'), trained(4, how)
  assert int(four.step) == STEPS
  for part in ('params', 'batch_stats', 'ema', 'opt_state'):
    assert_close(getattr(one, part), getattr(four, part), 1e-5)
  assert_close(one_metrics, four_metrics, 1e-4)


def test_training_moved_the_parameters():
  with pytest.raises(AssertionError):
    assert_close(fresh()['params'], trained(1, 'jit')[0].params, 1e-2)


def test_per_device_statistics_under_pmap_equal_shard_map():
  pmapped, sharded = train(4, 'pmap', sync=False)[0], train(4, 'jit', sync=False)[0]
  assert_close(pmapped.params, sharded.params, 1e-6)
  assert_close(pmapped.batch_stats, sharded.batch_stats, 1e-6)
  with pytest.raises(AssertionError):                 # and they are not the synchronised ones
    assert_close(pmapped.params, trained(1, 'jit')[0].params, 1e-4)


class Linear(nn.Module):
  """A net without BatchNorm, in which the parts of a batch do not see each other."""

  @nn.compact
  def __call__(self, image, *, train):
    return nn.Dense(NUM_TAGS)(image.reshape(len(image), -1)), {}


def test_accumulated_parts_equal_the_whole_batch():
  def run(parts):
    task = Tagging(net=Linear(), loss_function=LOSSES['sigmoid_cross_entropy'], mean=(127.5,) * 3,
                   deviation=(127.5,) * 3, num_tags=NUM_TAGS, over_tags='mean',
                   scored=np.ones(NUM_TAGS, bool))
    mesh, optimizer = parallel.make_mesh(jax.devices()[:1]), optax.sgd(0.1)
    step = parallel.compile_step(
        make_train_step(task, optimizer, lambda step: 0.1, accumulate_steps=parts,
                        ema_decay=0.0), mesh, parallel='jit', batch_norm_sync=True)
    state = create_state(task.init(jax.random.key(0), make_batch(0)), optimizer, use_ema=False)
    return step(parallel.put_whole(mesh, state), parallel.put_batch(mesh, make_batch(0)),
                jax.random.key(0))
  (whole, whole_metrics), (parts, parts_metrics) = run(1), run(4)
  assert_close(whole.params, parts.params, 1e-6)
  assert_close(whole_metrics, parts_metrics, 1e-5)


def test_shrunk_pictures_are_means_over_squares():
  import dataclasses
  task = make_task(None)
  image = np.kron(make_batch(0)['image'][:, ::2, ::2], np.ones((1, 2, 2, 1), np.uint8))
  batch = {**make_batch(0), 'image': image}
  half = {**batch, 'image': image[:, ::2, ::2]}
  shrunk, expected = (
      jax.jit(one.predict)(fresh(), pictures)['probabilities'] for one, pictures in
      ((dataclasses.replace(task, shrink=2), batch), (task, half)))
  np.testing.assert_allclose(shrunk, expected, rtol=1e-5)


def test_averaged_weights_follow_their_formula():
  state, _ = train(1, 'jit', steps=1)
  expected = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, fresh()['params'], state.params)
  assert_close(state.ema['params'], expected, 1e-6)


class FakeLoader:
  """37 examples in batches of 8: the last one is mostly padding, of garbage."""

  num_batches, num_examples = 5, 37

  def batches(self, start, stop):
    rng = np.random.default_rng(0)
    for k in range(start, stop):
      mask = (np.arange(8) + 8 * k < 37).astype(np.float32)
      yield {'image': rng.integers(0, 256, (8, SIZE_PX, SIZE_PX, 3)).astype(np.uint8),
             'tags': rng.integers(-1, NUM_TAGS, (8, 3)).astype(np.int32),
             'mask': mask, 'id': [f'{8 * k + row}' if mask[row] else '' for row in range(8)]}


@pytest.mark.parametrize('devices', [1, 2, 4])
def test_evaluation_counts_each_example_once(devices):
  mesh = parallel.make_mesh(jax.devices()[:devices])
  task = make_task(None)
  variables = parallel.put_whole(mesh, fresh())
  outcome = Evaluator(task, mesh).evaluate(variables, FakeLoader())
  assert outcome.metrics['examples'] == outcome.collected.counts['labels'].rows == 37
  one = Evaluator(task, parallel.make_mesh(jax.devices()[:1]))
  same = one.evaluate(jax.device_get(variables), FakeLoader()).metrics
  for key, value in same.items():
    assert outcome.metrics[key] == pytest.approx(value, abs=1e-6)


def test_padding_of_nan_does_not_reach_the_sums():
  from train_lib.tasks.reductions import masked_mean, masked_sum
  values, mask = jnp.array([1.0, 3.0, jnp.nan]), jnp.array([1.0, 1.0, 0.0])
  assert masked_mean(values, mask) == 2.0
  assert masked_sum(values, mask) == 4.0
  assert jax.grad(lambda v: masked_mean(v, mask))(values).tolist() == [0.5, 0.5, 0.0]


def test_a_batch_that_devices_cannot_share_is_refused():
  with pytest.raises(UserError, match='train.batch_size is 6.*multiple of 4 devices'):
    parallel.check_batch_size('train.batch_size', 6, parallel.make_mesh())


def test_an_unknown_way_is_refused():
  with pytest.raises(UserError, match="'both'.*jit, pmap"):
    parallel.compile_step(None, parallel.make_mesh(), parallel='both', batch_norm_sync=True)


@pytest.mark.parametrize('batch_size, devices, parts, wanted', [
    (0, 1, 1, 'at least 1'), (3, 2, 1, 'a positive multiple of 2 devices'),
    (3, 1, 2, 'a positive multiple of 2 parts'),
    (4, 2, 3, 'a positive multiple of 2 devices times 3 parts')])
def test_a_batch_that_cannot_be_divided_is_refused_in_words(batch_size, devices, parts, wanted):
  mesh = types.SimpleNamespace(size=devices)
  with pytest.raises(UserError, match=f'^x is {batch_size}; it must be {wanted}$'):
    parallel.check_batch_size('x', batch_size, mesh, parts)
  parallel.check_batch_size('x', 12, mesh, parts)
