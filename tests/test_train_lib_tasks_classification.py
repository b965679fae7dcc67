"""The classification task: targets, weights, mixing, what is tallied and what is measured."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from losses import LOSSES
from train_lib import parallel
from train_lib.evaluation import Evaluator
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.tasks import mixing
from train_lib.tasks.classification import Classification

ROWS, CLASSES = 8, 3
CROSS_ENTROPY = functools.partial(LOSSES['softmax_cross_entropy'], label_smoothing=0.0)
LABELS = np.array([0, 1, 2, 2, 1, 0, 0, 2], np.int32)
WEIGHTS = np.float32([0.5, 1, 3])


class Means(nn.Module):
  """Logits are the means of the channels times a weight; the auxiliary head gives their negatives.
  """
  auxiliary: bool = False

  @nn.compact
  def __call__(self, image, *, train):
    del train
    self.variable('batch_stats', 'unused', jnp.zeros, ())
    logits = self.param('scale', nn.initializers.ones_init(), (CLASSES,)) * image.mean(axis=(1, 2))
    return logits, {'aux_output': -logits} if self.auxiliary else {}


def make_task(**changes):
  return dataclasses.replace(Classification(
      net=Means(), loss_function=CROSS_ENTROPY, mean=(127.5,) * 3, deviation=(60.0,) * 3,
      num_classes=CLASSES), **changes)


def make_batch(seed=0):
  image = np.random.default_rng(seed).integers(0, 256, (ROWS, 4, 4, 3)).astype(np.uint8)
  return {'image': image, 'label': LABELS.copy(), 'mask': np.ones(ROWS, np.float32)}


BATCH = make_batch()
VARIABLES = jax.device_get(make_task().init(jax.random.key(0), BATCH))   # steps donate theirs


def loss_of(task, batch=BATCH):
  return float(task.loss(VARIABLES, batch, {'mixup': jax.random.key(3)})[0])


def logits_of(pictures):
  """[B, K]. Args: pictures: 0 to 255."""
  return ((np.asarray(pictures, np.float64) - 127.5) / 60).mean(axis=(1, 2))


def costs(logits, smoothing=0.0):
  """[B, K]: what each class would cost a row if it were the true one."""
  plain = -np.asarray(jax.nn.log_softmax(logits))
  return (1 - smoothing) * plain + smoothing * plain.mean(axis=1, keepdims=True)


OWN = costs(logits_of(BATCH['image']))[np.arange(ROWS), LABELS]


@pytest.mark.parametrize('changes, expected', [
    ({}, OWN.mean()),
    ({'class_weights': WEIGHTS}, (OWN * WEIGHTS[LABELS]).mean()),
    ({'class_weights': 2.0}, 2 * OWN.mean()),
    ({'label_smoothing': 0.3},
     costs(logits_of(BATCH['image']), 0.3)[np.arange(ROWS), LABELS].mean()),
    ({'net': Means(auxiliary=True), 'auxiliary_weight': 0.4},
     (OWN + 0.4 * costs(-logits_of(BATCH['image']))[np.arange(ROWS), LABELS]).mean()),
], ids=['plain', 'weights', 'one weight', 'smoothing', 'auxiliary'])
def test_training_loss_is_what_it_says_and_the_tally_stays_plain(changes, expected):
  task = make_task(**changes)
  assert loss_of(task) == pytest.approx(expected, rel=1e-5)
  sums = task.tally(VARIABLES, BATCH)
  assert float(sums['loss']) == pytest.approx(OWN.sum(), rel=1e-5) and sums['examples'] == ROWS


@pytest.mark.parametrize('alphas', [{'mixup_alpha': 0.7}, {'cutmix_alpha': 1.0},
                                    {'mixup_alpha': 0.7, 'cutmix_alpha': 1.0}])
def test_the_loss_of_a_mix_is_the_mix_of_both_weighted_losses(alphas):
  task = make_task(class_weights=WEIGHTS, label_smoothing=0.2, **alphas)
  pictures, share = mixing.mix(jax.random.key(3), BATCH['image'], BATCH['mask'],
                               **{'mixup_alpha': 0.0, 'cutmix_alpha': 0.0, **alphas})
  weighted = costs(logits_of(pictures), 0.2) * WEIGHTS
  rows, other = np.arange(ROWS), np.roll(LABELS, 1)
  expected = share * weighted[rows, LABELS] + (1 - share) * weighted[rows, other]
  assert loss_of(task) == pytest.approx(float(expected.mean()), rel=1e-5)
  assert (np.asarray(share) < 1).any() and loss_of(task) != pytest.approx(loss_of(make_task()))


def test_without_mixing_no_random_numbers_are_asked_for():
  assert np.isfinite(make_task().loss(VARIABLES, BATCH, {})[0])


def test_garbage_in_padding_rows_changes_nothing():
  task = make_task(class_weights=WEIGHTS, mixup_alpha=0.5, cutmix_alpha=0.5)
  batch = {key: value.copy() for key, value in BATCH.items()}
  batch['mask'][[2, 7]] = 0
  garbage = {key: value.copy() for key, value in batch.items()}
  garbage['image'][[2, 7]], garbage['label'][[2, 7]] = 255, [999, -7]
  assert loss_of(task, garbage) == loss_of(task, batch)
  for key, value in task.tally(VARIABLES, garbage).items():
    assert float(value) == float(task.tally(VARIABLES, batch)[key])


def test_gradients_stay_finite_where_the_net_is_sure_and_wrong():
  task = make_task(deviation=(0.1,) * 3, class_weights=WEIGHTS, label_smoothing=0.1,
                   mixup_alpha=0.5, cutmix_alpha=0.5)

  def loss(params):
    return task.loss({**VARIABLES, 'params': params}, BATCH, {'mixup': jax.random.key(1)})[0]

  value, gradients = jax.value_and_grad(loss)(VARIABLES['params'])
  assert value > 10 and np.isfinite(gradients['scale']).all()
  assert np.abs(gradients['scale']).max() > 0


class Split:
  """A loader of the batch's rows, five and three with padding of garbage."""
  num_examples, num_batches = ROWS, 2

  def batches(self, start, stop):
    for first in (0, 5)[start:stop]:
      places = np.clip(np.arange(first, first + 8), 0, ROWS - 1)
      real = np.arange(8) < (5 if first == 0 else 3)
      label = np.where(real, LABELS[places], 2).astype(np.int32)
      yield {'image': BATCH['image'][places], 'label': label, 'drawn_label': 2 - label,
             'mask': real.astype(np.float32), 'id': [f'p{place}' for place in places]}


def test_a_split_is_measured_over_its_real_rows():
  task, mesh = make_task(), parallel.make_mesh()
  outcome = Evaluator(task, mesh).evaluate(parallel.put_whole(mesh, VARIABLES), Split())
  logits = logits_of(BATCH['image'])
  accuracy = (logits.argmax(axis=1) == LABELS).mean()
  assert outcome.metrics['accuracy'] == accuracy and outcome.metrics['examples'] == ROWS
  assert outcome.metrics['loss'] == pytest.approx(OWN.mean(), rel=1e-5)
  assert outcome.metrics['loss'] == pytest.approx(outcome.metrics['nll'], rel=1e-4)
  assert outcome.thresholds == {}
  np.testing.assert_array_equal(outcome.collected.drawn_label, 2 - LABELS)
  assert [pick.id for pick in outcome.collected.picks['first']] == [f'p{k}' for k in range(ROWS)]
  assert f'accuracy {accuracy:.4f}' in task.summary(outcome.metrics)
  assert task.best_metric in outcome.metrics


def train(devices, how):
  mesh, optimizer = parallel.make_mesh(jax.devices()[:devices]), optax.sgd(0.5)
  task = make_task(class_weights=WEIGHTS, label_smoothing=0.1, mixup_alpha=0.4, cutmix_alpha=1.0)
  step = parallel.compile_step(
      make_train_step(task, optimizer, lambda step: 0.5, accumulate_steps=1, ema_decay=0.0), mesh,
      parallel=how, batch_norm_sync=True)
  state = parallel.put_whole(mesh, create_state(VARIABLES, optimizer, use_ema=False))
  for k in range(3):
    state, metrics = step(state, parallel.put_batch(mesh, make_batch(k)),
                          parallel.put_whole(mesh, jax.random.key(0)))
    jax.block_until_ready(metrics)
  return np.asarray(jax.device_get(state.params['scale']))


def test_four_devices_train_as_one():
  one = train(1, 'jit')
  np.testing.assert_allclose(one, train(4, 'jit'), rtol=1e-5)
  assert not np.allclose(one, 1.0, atol=1e-3)


def test_pmap_trains():
  scale = train(4, 'pmap')
  assert np.isfinite(scale).all() and not np.allclose(scale, 1.0, atol=1e-3)
