"""A split is measured as scikit-learn measures its real rows, however it is cut and laid out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from sklearn.metrics import average_precision_score, f1_score

from errors import Diverged
from train_lib import parallel
from train_lib.evaluation import Evaluator, thresholds_of
from train_lib.tags import tag_counts
from train_lib.tasks.tagging import Tagging

TAGS, RATINGS = 12, 3                # the first ones are ratings
SCORED = np.arange(TAGS) >= RATINGS


class PixelsAreLogits(nn.Module):
  """A net whose logits are its input, so that a test chooses every probability."""

  @nn.compact
  def __call__(self, image, *, train):
    return image[:, 0, :, 0], {}


TASK = Tagging(net=PixelsAreLogits(), loss_function=lambda logits, labels: jnp.abs(logits - labels),
               mean=(0.0,) * 3, deviation=(1.0,) * 3, num_tags=TAGS, over_tags='sum', scored=SCORED)


class Split:
  """A loader of given rows: the last batch is ragged, and all that fills a batch is garbage."""

  def __init__(self, rows, batch_size, seed, unreadable=(), shift=0.0):
    rng = np.random.default_rng(seed)
    self.labels = rng.random((rows, TAGS)) < np.geomspace(0.5, 0.03, TAGS)
    self.labels[:, -1] = False                                  # a tag without a picture
    self.drawn = self.labels | (rng.random((rows, TAGS)) < 0.1)
    logits = np.round(rng.normal(-1.5, 2, (rows, TAGS)) + 2 * self.drawn)         # with ties
    self.logits = (logits + shift).astype(np.float32)
    self.real = np.array([row not in unreadable for row in range(rows)])
    self.num_examples, self.num_batches = rows, -(-rows // batch_size)
    self.batch_size = batch_size

  def batches(self, start, stop):
    for k in range(start, stop):
      places = np.arange(k * self.batch_size, (k + 1) * self.batch_size)
      mask = np.array([place < len(self.real) and self.real[place] for place in places])
      image = np.full((self.batch_size, 1, TAGS, 3), np.nan, np.float32)
      image[::2] = 1e9
      tags, drawn = np.zeros((2, self.batch_size, TAGS), np.int32)            # wrong labels
      image[mask] = self.logits[places[mask], None, :, None]
      for padded, labels in ((tags, self.labels), (drawn, self.drawn)):
        padded[mask] = np.where(labels[places[mask]], np.arange(TAGS), -1)
      yield {'image': image, 'tags': tags, 'drawn_tags': drawn, 'mask': mask.astype(np.float32),
             'id': [f'p{place}' if real else '' for place, real in zip(places, mask, strict=True)]}

  def rows(self):
    """(probabilities, labels, drawn) of the real rows."""
    logits = self.logits[self.real]
    return np.asarray(jax.nn.sigmoid(logits)), self.labels[self.real], self.drawn[self.real]


VALID = Split(45, 8, seed=1)
TEST = Split(37, 8, seed=2, unreadable=(0, 9, 17, 18), shift=0.5)


def measure(devices, loader, thresholds=None):
  evaluator = Evaluator(TASK, parallel.make_mesh(jax.devices()[:devices]))
  return evaluator.evaluate({}, loader, thresholds)


def sklearn_figures(loader, thresholds):
  probabilities, labels, drawn = loader.rows()
  rated = labels[:, :RATINGS].any(axis=1)
  guess = probabilities[:, :RATINGS].argmax(axis=1)
  result = {'examples': len(labels),
            'loss': np.abs(loader.logits[loader.real] - labels).sum(axis=1).mean(),
            'rating_accuracy': labels[np.arange(len(labels)), guess][rated].mean()}
  for prefix, truth, tuned in (('', labels, thresholds['labels']),
                               ('drawn_', drawn, thresholds['drawn_labels'])):
    truth, scores = truth[:, SCORED], probabilities[:, SCORED]
    some = truth.any(axis=0)
    result[prefix + 'map'] = average_precision_score(truth[:, some], scores[:, some])
    for name, average, threshold in (
        ('micro_f1', 'micro', 0.5), ('macro_f1', 'macro', 0.5),
        ('micro_f1_tuned', 'micro', tuned.micro), ('macro_f1_tuned', 'macro', tuned.macro),
        ('macro_f1_own', 'macro', tuned.own[SCORED].astype(np.float32))):
      if not prefix or (name.endswith('tuned')):
        result[prefix + name] = f1_score(truth, scores > threshold, average=average,
                                         zero_division=0)
  return result


@pytest.mark.parametrize('exact', [True, False])
@pytest.mark.parametrize('devices', [1, 4])
def test_figures_are_scikit_learns_of_the_real_rows(devices, exact, monkeypatch):
  monkeypatch.setattr(tag_counts, 'EXACT_SCORES', 2 ** 28 if exact else 0)
  valid = measure(devices, VALID)
  test = measure(devices, TEST, valid.thresholds)
  for loader, found in ((VALID, valid), (TEST, test)):
    expected = sklearn_figures(loader, valid.thresholds)
    errors = {'map': found.metrics['map_error'], 'drawn_map': found.metrics['drawn_map_error']}
    assert exact == (max(errors.values()) == 0)
    for key, value in expected.items():
      assert abs(found.metrics[key] - value) <= errors.get(key, 0) + 1e-6, key
  assert found.metrics['examples'] == 33


def test_thresholds_are_those_of_the_validation_split():
  valid = measure(1, VALID)
  test = measure(1, TEST, valid.thresholds)
  alone = measure(1, TEST)
  assert thresholds_of(test.metrics) == thresholds_of(valid.metrics)
  assert thresholds_of(alone.metrics) != thresholds_of(valid.metrics)
  assert alone.metrics['macro_f1_own'] > test.metrics['macro_f1_own']     # tuned on what it is on


def test_rows_keep_their_places_and_padding_is_never_picked():
  test = measure(4, TEST, measure(4, VALID).thresholds)
  places = np.flatnonzero(TEST.real)
  assert [pick.index for pick in test.collected.picks['first']] == places[:20].tolist()
  for picks in test.collected.picks.values():
    assert picks
    for pick in picks:
      assert pick.id == f'p{pick.index}'
      np.testing.assert_array_equal(pick.labels, TEST.labels[pick.index])
      np.testing.assert_array_equal(pick.drawn, TEST.drawn[pick.index])
      np.testing.assert_allclose(pick.probabilities, jax.nn.sigmoid(TEST.logits[pick.index]),
                                 rtol=1e-6)


def test_without_thresholds_no_picture_is_kept():
  assert measure(1, VALID).collected.picks == {}


def test_a_net_that_gives_no_number_is_told():
  broken = Split(20, 8, seed=3)
  broken.logits[19, 4] = np.nan
  with pytest.raises(Diverged, match='training has diverged'):
    measure(1, broken)


def test_speed_is_of_reading_and_predicting():
  import time

  class Slow(Split):
    def batches(self, start, stop):
      for batch in super().batches(start, stop):
        time.sleep(0.05)
        yield batch

  evaluator = Evaluator(TASK, parallel.make_mesh(jax.devices()[:1]))
  evaluator.evaluate({}, VALID)                                   # compiles
  speed = evaluator.evaluate({}, Slow(40, 8, seed=4)).pictures_per_sec
  assert 40 / 2 < speed < 40 / 0.25
