"""The pose task: its loss, where it finds joints, and what a net with fixed answers comes to."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from errors import UserError
from losses import LOSSES
from train_lib import parallel
from train_lib.evaluation import Evaluator
from train_lib.poses import coco_keypoints, heatmaps
from train_lib.poses.heatmaps import MIRRORED_JOINTS
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.tasks.pose import Pose

HEIGHT, WIDTH = 128, 96
SIZE = HEIGHT // 4, WIDTH // 4
ROWS = 8
MIRRORED = 255                    # the red of the last column of an unmirrored crop


class Scaled(nn.Module):
  """Heatmaps are the mean of a square of four pixels, of the first channel, times a weight."""

  @nn.compact
  def __call__(self, image, *, train):
    del train
    self.variable('batch_stats', 'unused', jnp.zeros, ())
    rows, height, width, _ = image.shape
    pooled = image[..., 0].reshape(rows, height // 4, 4, width // 4, 4).mean(axis=(2, 4))
    scale = self.param('scale', nn.initializers.ones_init(), (17,))
    return pooled[..., None] * scale, {}


class FixedHeatmaps(nn.Module):
  """The heatmaps of a table, by the number that is the green of a crop; its own for mirrored ones.
  """
  plain: np.ndarray
  mirrored: np.ndarray

  @nn.compact
  def __call__(self, image, *, train):
    del train
    number = image[:, 0, 0, 1].astype(jnp.int32)
    is_plain = image[:, 0, -1, 0] == MIRRORED
    return jnp.where(is_plain[:, None, None, None], jnp.asarray(self.plain)[number],
                     jnp.asarray(self.mirrored)[number]), {}


def make_task(**changes):
  return dataclasses.replace(Pose(
      net=Scaled(), loss_function=LOSSES['squared_error'], mean=(127.5,) * 3,
      deviation=(60.0,) * 3, sigma=2.0, rounded=True, flip_test=False, refine='quarter'), **changes)


def make_batch(seed=0, value=None):
  rng = np.random.default_rng(seed)
  image = rng.integers(0, 256, (ROWS, HEIGHT, WIDTH, 3)).astype(np.uint8)
  if value is not None:
    image[:] = value
  joints = np.concatenate([rng.uniform(-10, [WIDTH + 10, HEIGHT + 10], (ROWS, 17, 2)),
                           rng.integers(0, 3, (ROWS, 17, 1))], axis=-1).astype(np.float32)
  return {'image': image, 'keypoints': joints, 'mask': np.ones(ROWS, np.float32)}


BATCH = make_batch()
VARIABLES = {'params': {'scale': np.ones(17, np.float32)},
             'batch_stats': {'unused': np.zeros((), np.float32)}}
tally = jax.jit(make_task().tally)
_loss = jax.jit(make_task().loss)


def loss_of(*args):
  return float(_loss(*args)[0])


def formula(batch):
  """[B], in float64: half the mean of weight * (heat - target)^2 over px and all 17 joints."""
  pixels = (batch['image'][..., 0].astype(float) - 127.5) / 60
  heat = pixels.reshape(ROWS, SIZE[0], 4, SIZE[1], 4).mean(axis=(2, 4))
  losses = np.zeros(ROWS)
  rows, columns = np.arange(SIZE[0])[:, None], np.arange(SIZE[1])
  for row, joint in np.ndindex(ROWS, 17):
    x, y, visible = batch['keypoints'][row, joint].astype(float)
    x, y = np.trunc(x / 4 + 0.5), np.trunc(y / 4 + 0.5)
    target = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    target *= (np.abs(columns - x) <= 6) & (np.abs(rows - y) <= 6)
    if visible > 0:                                         # all windows touch the heatmap
      losses[row] += np.square(heat[row] - target).mean() / 2
  return losses / 17


def test_the_loss_is_half_the_mean_over_pixels_and_joints():
  expected = formula(BATCH)
  assert loss_of(VARIABLES, BATCH, {}) == pytest.approx(expected.mean(), rel=1e-5)
  sums = tally(VARIABLES, BATCH)
  assert float(sums['loss']) == pytest.approx(expected.sum(), rel=1e-5)
  assert float(sums['examples']) == ROWS


def test_rows_of_padding_and_joints_without_a_label_change_nothing():
  batch = {key: value.copy() for key, value in BATCH.items()}
  batch['mask'][[2, 7]] = 0
  garbage = {key: value.copy() for key, value in batch.items()}
  garbage['image'][[2, 7]], garbage['keypoints'][[2, 7]] = 255, [1e9, -5, 2]
  garbage['keypoints'][BATCH['keypoints'][..., 2] == 0, :2] = np.nan
  assert loss_of(VARIABLES, garbage, {}) == loss_of(VARIABLES, batch, {})
  for key, value in tally(VARIABLES, garbage).items():
    assert float(value) == float(tally(VARIABLES, batch)[key])


@pytest.mark.parametrize('heat', [100.0, -100.0])
def test_gradients_stay_finite_where_the_net_is_far_off(heat):
  task = make_task(mean=(0.0,) * 3, deviation=(1 / heat,) * 3)
  batch = make_batch(value=1)

  def loss(params):
    return task.loss({**VARIABLES, 'params': params}, batch, {})[0]

  value, gradients = jax.jit(jax.value_and_grad(loss))(VARIABLES['params'])
  assert value > 1000 and np.isfinite(gradients['scale']).all()
  assert (np.sign(gradients['scale']) == 1).all()


def test_a_net_of_other_heatmaps_and_smaller_crops_are_refused():
  class Coarse(nn.Module):
    @nn.compact
    def __call__(self, image, *, train):
      return jnp.zeros((ROWS, 4, 3, 17)), {}

  with pytest.raises(UserError, match=r'heatmaps \[4, 3, 17\]; the crops need \[32, 24, 17\]'):
    make_task(net=Coarse()).tally({}, BATCH)
  assert make_task().init(jax.random.key(0), BATCH)['params']['scale'].shape == (17,)
  with pytest.raises(UserError, match='train.shrink is 2'):
    make_task(shrink=2)


class Split:
  """A loader of persons of five pictures, by crops that are turned, scaled and moved."""
  num_examples, num_batches = ROWS + 3, 2

  def __init__(self, seed=0):
    rng = np.random.default_rng(seed)
    count = self.num_examples
    crop = rng.uniform(12, [WIDTH - 12, HEIGHT - 12], (count, 17, 2))
    visible = rng.integers(1, 3, (count, 17, 1)) * (rng.random((count, 17, 1)) < 0.8)
    self.joints = np.concatenate([crop, visible], axis=-1).astype(np.float32)
    turn, zoom = rng.uniform(-0.5, 0.5, count), rng.uniform(0.7, 2.5, count)
    turns = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    self.matrix = np.concatenate([(zoom * turns).transpose(2, 0, 1),
                                  rng.uniform(0, 300, (count, 2, 1))], axis=-1).astype(np.float32)
    self.area = (zoom ** 2 * HEIGHT * WIDTH).astype(np.float32)
    points = np.einsum('nij,nkj->nki', self.matrix[:, :, :2], crop) + self.matrix[:, None, :, 2]
    self.people = types.SimpleNamespace(
        image=np.sort(rng.integers(0, 5, count)), area_px2=self.area / 2,
        keypoints=np.concatenate([points, visible], axis=-1).astype(np.float32),
        box_px=np.concatenate([points.min(axis=1), np.ptp(points, axis=1)], -1).astype(np.float32),
        crowd=np.zeros(count, bool))
    self.source = types.SimpleNamespace(people=self.people)

  def batches(self, start, stop):
    for first in (0, ROWS)[start:stop]:
      places = np.arange(first, first + ROWS)
      real, places = places < self.num_examples, np.minimum(places, self.num_examples - 1)
      image = np.zeros((ROWS, HEIGHT, WIDTH, 3), np.uint8)
      image[..., 1] = places[:, None, None]
      image[:, :, -1, 0] = MIRRORED
      yield {'image': image, 'keypoints': self.joints[places],
             'crop_to_source': self.matrix[places], 'box_px': self.people.box_px[places],
             'area_px2': self.people.area_px2[places],
             'picture': self.people.image[places].astype(np.int32),
             'box_score': np.ones(ROWS, np.float32), 'mask': real.astype(np.float32),
             'id': [f'p{place}' for place in places]}

  def net(self):
    """The net that is right about every joint, of mirrored crops too."""
    everywhere = self.joints.copy()
    everywhere[..., 2] = 1
    mirrored = everywhere[:, MIRRORED_JOINTS] * [-1, 1, 1] + [WIDTH - 1, 0, 0]
    encode = jax.jit(lambda joints: heatmaps.encode(joints, *SIZE, rounded=False)[0])
    return FixedHeatmaps(*(np.asarray(encode(joints.astype(np.float32)))
                           for joints in (everywhere, mirrored)))


SPLIT = Split()


@pytest.mark.parametrize('flip_test, refine, devices', [
    (False, 'dark', 1), (True, 'dark', 4), (True, 'quarter', 4)])
def test_a_net_that_knows_every_joint_has_an_ap_of_one(flip_test, refine, devices):
  task = make_task(net=SPLIT.net(), mean=(0.0,) * 3, deviation=(1.0,) * 3, rounded=False,
                   flip_test=flip_test, refine=refine)
  outcome = Evaluator(task, parallel.make_mesh(jax.devices()[:devices])).evaluate({}, SPLIT)
  assert {key: outcome.metrics[key] for key in ('ap', 'ap50', 'ap75', 'ar')} == pytest.approx(
      {'ap': 1, 'ap50': 1, 'ap75': 1, 'ar': 1}, abs=1e-9)
  assert outcome.metrics['examples'] == SPLIT.num_examples
  assert outcome.metrics['loss'] < 1e-7 and outcome.thresholds == {}
  assert task.best_metric in outcome.metrics and 'AP 1.0000' in task.summary(outcome.metrics)
  collected = outcome.collected
  far_px = np.linalg.norm((collected.keypoints - SPLIT.people.keypoints)[..., :2], axis=-1)
  zoom = np.sqrt(SPLIT.area / HEIGHT / WIDTH)
  most = {(False, 'dark'): 0.2, (True, 'dark'): 0.7, (True, 'quarter'): 2.0}[flip_test, refine]
  assert (far_px.mean(axis=1) < most * zoom).all()          # half a px is of the flip test
  np.testing.assert_allclose(collected.truth, SPLIT.people.keypoints, atol=1e-3)
  np.testing.assert_allclose(collected.crop_area_px2, SPLIT.area, rtol=1e-5)
  assert collected.ids == [f'p{place}' for place in range(SPLIT.num_examples)]


def test_the_flip_test_is_the_mean_over_both_views():
  net = SPLIT.net()
  net = net.clone(mirrored=np.zeros_like(net.plain))        # says nothing of mirrored crops
  task = make_task(net=net, mean=(0.0,) * 3, deviation=(1.0,) * 3)
  batch = next(SPLIT.batches(0, 1))
  batch.pop('id')
  plain, half = (jax.jit(dataclasses.replace(task, flip_test=flip).predict)({}, batch)['keypoints']
                 for flip in (False, True))
  np.testing.assert_array_equal(half[..., :2], plain[..., :2])
  np.testing.assert_allclose(half[..., 2], plain[..., 2] / 2, rtol=1e-6)


def test_figures_are_about_everybody_in_the_pictures():
  """A person whose crop could not be read is missed."""
  task = make_task()
  collector = task.collector(SPLIT)
  batch = next(SPLIT.batches(0, 1))
  collector.add({'keypoints': SPLIT.people.keypoints[:ROWS]}, task.truth(batch), batch['id'],
                np.arange(ROWS))
  figures = task.figures(collector.finish(), {})
  assert figures['ar'] == pytest.approx(ROWS / SPLIT.num_examples)
  assert list(figures) == list(coco_keypoints.FIGURES)


def train(devices):
  mesh, optimizer = parallel.make_mesh(jax.devices()[:devices]), optax.sgd(0.5)
  step = parallel.compile_step(
      make_train_step(make_task(), optimizer, lambda step: 0.5, accumulate_steps=1, ema_decay=0.0),
      mesh, parallel='jit', batch_norm_sync=True)
  state = parallel.put_whole(mesh, create_state(VARIABLES, optimizer, use_ema=False))
  for k in range(3):
    state, metrics = step(state, parallel.put_batch(mesh, make_batch(k)),
                          parallel.put_whole(mesh, jax.random.key(0)))
    jax.block_until_ready(metrics)
  return np.asarray(jax.device_get(state.params['scale']))


def test_four_devices_train_as_one():
  one = train(1)
  np.testing.assert_allclose(one, train(4), rtol=1e-5)
  assert not np.allclose(one, 1.0, atol=1e-3)
