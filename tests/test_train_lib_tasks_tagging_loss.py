"""What a tagger is trained on: ignored tags, weights, treatments and mixup, on any layout."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from configs import base
from losses import LOSSES, TASK_LOSSES, hyper_parameters
from train_lib import parallel
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.tasks import mixing
from train_lib.tasks.missing_tags import treat_missing
from train_lib.tasks.tagging import Tagging, multi_hot

NUM_TAGS, ROWS = 4, 8
COMPLETE = np.array([True, False, False, False])


class Means(nn.Module):
  """Logits are the means of three channels, and the first once more, times a weight."""

  @nn.compact
  def __call__(self, image, *, train):
    del train
    self.variable('batch_stats', 'unused', jnp.zeros, ())
    scale = self.param('scale', nn.initializers.ones_init(), (NUM_TAGS,))
    means = image.mean(axis=(1, 2))
    return scale * jnp.concatenate([means, means[:, :1]], axis=1)[:, :NUM_TAGS], {}


def make_task(name='sigmoid_cross_entropy', **changes):
  section = base.get_config().loss
  settings = {key: section[key] for key in hyper_parameters(LOSSES[name])}
  return dataclasses.replace(
      Tagging(net=Means(), loss_function=functools.partial(LOSSES[name], **settings),
              mean=(127.5,) * 3, deviation=(40.0,) * 3, num_tags=NUM_TAGS, over_tags='sum',
              scored=~COMPLETE), **changes)


def make_batch(seed=0, ignored=False):
  rng = np.random.default_rng(seed)
  tags = np.array([[0, 2, -1], [1, -1, -1], [-1, -1, -1], [0, 1, 3]] * 2, np.int32)
  batch = {'image': rng.integers(0, 256, (ROWS, 4, 4, 3)).astype(np.uint8), 'tags': tags,
           'mask': np.ones(ROWS, np.float32)}
  if ignored:
    batch['ignored_tags'] = np.array([[3], [2], [-1], [2]] * 2, np.int32)
  return batch


def treatment(**changes):
  settings = dict(complete=COMPLETE, smoothing=0.0, missing='absent', bar=np.log(0.6 / 0.4))
  return functools.partial(treat_missing, **settings | changes)


def loss_of(task, batch, key=0):
  variables = task.init(jax.random.key(0), batch)
  return task.loss(variables, batch, {'mixup': jax.random.key(key)})[0]


def element_losses(task, batch):
  """[B, T] of the plain loss."""
  logits = Means().apply(task.init(jax.random.key(0), batch), task._pixels(batch['image']),
                         train=True)[0]
  return np.asarray(task.loss_function(logits, multi_hot(batch['tags'], NUM_TAGS)))


def test_ignored_tags_weigh_nothing_and_stay_in_the_mean_over_tags():
  batch, task = make_batch(ignored=True), make_task()
  kept = 1 - np.asarray(multi_hot(batch['ignored_tags'], NUM_TAGS))
  losses = element_losses(task, batch) * kept
  assert float(loss_of(task, batch)) == pytest.approx(losses.sum(1).mean(), rel=1e-5)
  by_mean = dataclasses.replace(task, over_tags='mean')
  assert float(loss_of(by_mean, batch)) == pytest.approx(losses.mean(), rel=1e-5)


def test_no_picture_with_ignored_tags_is_like_no_ignored_tags():
  batch = make_batch()
  none = batch | {'ignored_tags': np.full((ROWS, 1), -1, np.int32)}
  assert float(loss_of(make_task(), none)) == float(loss_of(make_task(), batch))


def test_tag_weights_scale_the_losses_of_their_tags():
  weights = np.float32([0, 0.5, 1.5, 2])
  batch, task = make_batch(), make_task(tag_weights=np.float32([0, 0.5, 1.5, 2]))
  expected = (element_losses(task, batch) * weights).sum(1).mean()
  assert float(loss_of(task, batch)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('changes', [
    {}, {'treatment': treatment(smoothing=0.2, missing='present')}, {'mixup_alpha': 0.5},
    {'tag_weights': np.float32([1, 2, 3, 4])}])
def test_what_is_tallied_is_the_plain_loss_under_every_treatment(changes):
  batch, task = make_batch(ignored=True), make_task(**changes)
  sums = task.tally(task.init(jax.random.key(0), batch), batch)
  assert float(sums['loss']) == pytest.approx(element_losses(task, batch).sum(), rel=1e-5)
  trained_on = loss_of(task, batch)
  assert float(trained_on) != pytest.approx(float(sums['loss']) / ROWS, rel=1e-4)


def test_treatments_see_the_logits_of_the_step():
  batch = make_batch()
  task = make_task(treatment=treatment(missing='ignored'))
  variables = task.init(jax.random.key(0), batch)
  logits = Means().apply(variables, task._pixels(batch['image']), train=True)[0]
  found = (np.asarray(jax.nn.sigmoid(logits)) > 0.6) & ~COMPLETE
  found &= np.asarray(multi_hot(batch['tags'], NUM_TAGS)) == 0
  assert found.any()
  expected = np.where(found, 0, element_losses(task, batch)).sum(1).mean()
  assert float(loss_of(task, batch)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('ignored', [False, True])
def test_mixup_blends_pictures_and_tags_by_the_same_shares(ignored):
  batch, task = make_batch(ignored=ignored), make_task(mixup_alpha=0.7)
  share = np.asarray(mixing.draw_shares(jax.random.key(3), batch['mask'], 0.7))
  pictures = task._pixels(batch['image'])                          # blends as its pixels do
  mixed = share[:, None, None, None] * pictures + (1 - share[:, None, None, None]) * np.roll(
      pictures, 1, axis=0)
  logits = Means().apply(task.init(jax.random.key(0), batch), mixed, train=True)[0]
  labels = np.asarray(multi_hot(batch['tags'], NUM_TAGS))
  weights = np.ones_like(labels)
  if ignored:
    weights -= np.asarray(multi_hot(batch['ignored_tags'], NUM_TAGS))
  yes, no = (LOSSES['sigmoid_cross_entropy'](logits, jnp.full(logits.shape, y)) for y in (1.0, 0.0))
  own = weights * np.where(labels, yes, no)
  other = np.roll(weights, 1, axis=0) * np.where(np.roll(labels, 1, axis=0), yes, no)
  expected = (share[:, None] * own + (1 - share[:, None]) * other).sum(1).mean()
  assert float(loss_of(task, batch, key=3)) == pytest.approx(expected, rel=1e-5)


def test_cutmix_blends_tags_by_the_share_of_the_pixels_kept():
  batch, task = make_batch(), make_task(cutmix_alpha=1.0)
  pictures, share = mixing.mix(jax.random.key(3), batch['image'], batch['mask'], mixup_alpha=0.0,
                               cutmix_alpha=1.0)
  logits = Means().apply(task.init(jax.random.key(0), batch), task._pixels(pictures), train=True)[0]
  own, other = (LOSSES['sigmoid_cross_entropy'](logits, multi_hot(tags, NUM_TAGS)).sum(axis=1)
                for tags in (batch['tags'], np.roll(batch['tags'], 1, axis=0)))
  expected = (share * own + (1 - share) * other).mean()
  assert float(loss_of(task, batch, key=3)) == pytest.approx(float(expected), rel=1e-5)


def test_without_mixup_no_random_numbers_are_asked_for():
  batch, task = make_batch(), make_task()
  variables = task.init(jax.random.key(0), batch)
  assert np.isfinite(task.loss(variables, batch, {})[0])


def test_garbage_in_padding_rows_changes_nothing():
  task = make_task(mixup_alpha=0.5, treatment=treatment(smoothing=0.1, missing='present'))
  batch = make_batch(ignored=True)
  batch['mask'][[2, 7]] = 0
  garbage = {key: value.copy() for key, value in batch.items()}
  garbage['image'][[2, 7]] = 255
  garbage['tags'][[2, 7]] = [999, -7, 3]
  garbage['ignored_tags'][[2, 7]] = 10**9
  assert float(loss_of(task, garbage)) == float(loss_of(task, batch))


@pytest.mark.parametrize('name', TASK_LOSSES['tagging'])
@pytest.mark.parametrize('missing', ['ignored', 'present'])
def test_everything_at_once_has_finite_gradients_also_without_any_tag(name, missing):
  task = make_task(name, mixup_alpha=0.3, tag_weights=np.float32([0, 1, 2, 1]),
                   treatment=treatment(smoothing=0.05, missing=missing))
  for tags in (make_batch()['tags'], np.full((ROWS, 3), -1, np.int32)):
    batch = make_batch(ignored=True) | {'tags': tags}
    variables = task.init(jax.random.key(0), batch)

    def loss(params, variables=variables, batch=batch):
      return task.loss({**variables, 'params': params}, batch, {'mixup': jax.random.key(1)})[0]

    value, gradients = jax.value_and_grad(loss)(variables['params'])
    assert np.isfinite(value) and np.isfinite(gradients['scale']).all()
    assert np.abs(gradients['scale']).max() > 0


def test_one_tag_alone_can_be_trained():
  class One(nn.Module):
    @nn.compact
    def __call__(self, image, *, train):
      del train
      self.variable('batch_stats', 'unused', jnp.zeros, ())
      return nn.Dense(1)(image.mean(axis=(1, 2))), {}

  task = make_task(net=One(), num_tags=1, scored=np.array([True]), mixup_alpha=1.0,
                   treatment=treatment(complete=np.array([False]), missing='present'))
  batch = make_batch() | {'tags': np.array([[0], [-1]] * 4, np.int32)}
  assert np.isfinite(loss_of(task, batch))


def test_multi_hot_labels_need_no_exchange_between_devices():
  mesh = parallel.make_mesh()
  assert mesh.size == 4
  rows = parallel.by_rows(mesh)
  compiled = jax.jit(lambda tags: multi_hot(tags, 50), in_shardings=rows, out_shardings=rows).lower(
      make_batch()['tags']).compile()
  for exchange in ('all-gather', 'all-reduce', 'all-to-all', 'collective-permute'):
    assert exchange not in compiled.as_text()


def train(devices, how, *, sync=True, accumulate_steps=1):
  mesh, optimizer = parallel.make_mesh(jax.devices()[:devices]), optax.sgd(0.1)
  task = make_task('focal', mixup_alpha=0.4, tag_weights=np.float32([0.5, 1, 2, 0.5]),
                   treatment=treatment(smoothing=0.02, missing='present'))
  step = parallel.compile_step(
      make_train_step(task, optimizer, lambda step: 0.1, accumulate_steps=accumulate_steps,
                      ema_decay=0.0), mesh, parallel=how, batch_norm_sync=sync)
  variables = task.init(jax.random.key(0), make_batch())
  state = parallel.put_whole(mesh, create_state(variables, optimizer, use_ema=False))
  for k in range(3):
    state, metrics = step(state, parallel.put_batch(mesh, make_batch(k, ignored=True)),
                          parallel.put_whole(mesh, jax.random.key(0)))
    jax.block_until_ready(metrics)
  return np.asarray(jax.device_get(state.params['scale'])), float(metrics['loss'])


def test_four_devices_train_as_one():
  (one, one_loss), (four, four_loss) = train(1, 'jit'), train(4, 'jit')
  np.testing.assert_allclose(one, four, rtol=1e-5)
  assert one_loss == pytest.approx(four_loss, rel=1e-5)
  assert not np.allclose(one, 1.0, atol=1e-3)


@pytest.mark.parametrize('how, sync, accumulate_steps', [
    ('pmap', True, 1), ('pmap', False, 1), ('jit', False, 1), ('jit', True, 2), ('pmap', True, 2)])
def test_every_layout_trains(how, sync, accumulate_steps):
  scale, loss = train(4, how, sync=sync, accumulate_steps=accumulate_steps)
  assert np.isfinite(scale).all() and np.isfinite(loss)
  assert not np.allclose(scale, 1.0, atol=1e-3)
