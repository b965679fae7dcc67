"""The tagging task: labels, reductions, what is scored."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from train_lib.tasks.tagging import Tagging, multi_hot, multi_hot_on_host


class FixedLogits(nn.Module):
  """A net with fixed answers, so that every figure can be worked out by hand."""
  logits: tuple
  auxiliary: tuple = ()

  @nn.compact
  def __call__(self, image, *, train):
    del train
    self.variable('batch_stats', 'unused', jnp.zeros, ())
    def rows(logits):
      return jnp.broadcast_to(jnp.array(logits), (len(image), len(logits)))
    taps = {'aux_output': rows(self.auxiliary)} if self.auxiliary else {}
    return rows(self.logits), taps


def make_task(logits=(10.0, -10.0, 10.0), over_tags='sum', scored=(False, True, True)):
  return Tagging(net=FixedLogits(logits), loss_function=lambda x, y: jnp.abs(x / 10 - y),
                 mean=(0.0,) * 3, deviation=(1.0,) * 3, num_tags=3, over_tags=over_tags,
                 scored=np.array(scored))


BATCH = {'image': np.zeros((3, 4, 4, 3), np.uint8),
         'tags': np.array([[0, 2], [1, -1], [-1, -1]], np.int32),
         'mask': np.array([1, 1, 0], np.float32)}


@pytest.mark.parametrize('function', [multi_hot, multi_hot_on_host])
def test_padding_is_no_tag(function):
  expected = [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
  assert np.asarray(function(BATCH['tags'], 3)).astype(int).tolist() == expected


def test_loss_and_tally_agree_on_real_rows():
  task = make_task()
  variables = task.init(jax.random.key(0), BATCH)
  loss, _ = task.loss(variables, BATCH, {})
  sums = task.tally(variables, BATCH)
  # row 0: |1-1| + |-1-0| + |1-1| = 1; row 1: |1-0| + |-1-1| + |1-0| = 4; row 2 is padding
  assert float(loss) == pytest.approx(2.5)
  assert float(sums['loss']) == pytest.approx(5.0) and float(sums['examples']) == 2
  mean, _ = dataclasses.replace(task, over_tags='mean').loss(variables, BATCH, {})
  assert float(mean) == pytest.approx(2.5 / 3)


def test_an_auxiliary_head_adds_its_share_to_the_training_loss_alone():
  task = make_task()
  net = FixedLogits(task.net.logits, auxiliary=(-10.0, 10.0, -10.0))
  task = dataclasses.replace(task, net=net, auxiliary_weight=0.4)
  variables = task.init(jax.random.key(0), BATCH)
  # the auxiliary head: row 0: |-1-1| + |1-0| + |-1-1| = 5; row 1: |-1-0| + |1-1| + |-1-0| = 2
  assert float(task.loss(variables, BATCH, {})[0]) == pytest.approx(2.5 + 0.4 * 3.5)
  assert float(task.tally(variables, BATCH)['loss']) == pytest.approx(5.0)


def test_measure_is_about_the_scored_tags_alone():
  task = make_task()
  variables = task.init(jax.random.key(0), BATCH)
  real = BATCH['mask'] > 0
  collector = task.collector(types.SimpleNamespace(num_examples=3))
  probabilities = np.asarray(task.predict(variables, BATCH)['probabilities'])
  labels = task.truth(BATCH)['labels']
  collector.add({'probabilities': probabilities[real]}, {'labels': labels[real]}, ['a', 'b'],
                np.arange(2))
  collected = collector.finish()
  figures = task.measure(jax.device_get(task.tally(variables, BATCH)), collected,
                         task.tune(collected))
  # tag 1 is never given: F1 0; tag 2 is given twice and true once: F1 2/3; tag 0 is not scored
  assert figures['macro_f1'] == pytest.approx((0 + 2 / 3) / 2)
  assert figures['micro_f1'] == pytest.approx(2 * 1 / (2 + 2))
  assert figures['loss'] == pytest.approx(2.5)
  # at threshold 0 both tags are given to both pictures: 2/3 each
  assert task.summary(figures) == 'loss 2.500  mAP 0.5000  macro F1 0.6667 at 0.00'
  # tag 0, always given, is the one rating; one of the two pictures has it, the other has none
  assert figures['rating_accuracy'] == 1.0


def test_what_was_drawn_is_told_where_it_is_known():
  task = make_task()
  assert 'drawn_labels' not in task.truth(BATCH)
  drawn = task.truth({**BATCH, 'drawn_tags': np.array([[0, 1, 2]] * 3)})['drawn_labels']
  assert drawn.all()


def test_pixels_are_normalised_on_the_device():
  class Mean(nn.Module):
    @nn.compact
    def __call__(self, image, *, train):
      return image.mean(axis=(1, 2)), {}

  task = dataclasses.replace(make_task(), net=Mean(), mean=(100.0, 0.0, 0.0),
                             deviation=(50.0, 1.0, 255.0))
  batch = {**BATCH, 'image': np.full((3, 4, 4, 3), 200, np.uint8)}
  probabilities = task.predict({}, batch)['probabilities'][0]
  np.testing.assert_allclose(probabilities, jax.nn.sigmoid(jnp.array([2.0, 200.0, 200 / 255])),
                             rtol=1e-6)
