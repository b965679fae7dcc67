"""Tests of train_lib/split_statistics.py: shares, weights and pixels of a training split."""

import numpy as np
import pytest

from train_lib import split_statistics


class Counted:
  """A source of so many pictures, of which only the tags' counts are known."""

  def __init__(self, size, counts):
    self.size, self.counts = size, np.array(counts)

  def __len__(self):
    return self.size

  def count_tags(self, poll):
    poll()
    return self.counts


def test_tags_weigh_by_a_power_of_their_rarity():
  source = Counted(99, [49.5, 9.5, 0.5])                # with the half: 1/2, 1/10, 1/100
  weights = split_statistics.weigh_tags(source, 1.0, lambda: None)
  np.testing.assert_allclose(weights, np.array([2, 10, 100]) / (112 / 3), rtol=1e-6)
  roots = split_statistics.weigh_tags(source, 0.5, lambda: None)
  np.testing.assert_allclose(roots / roots[0], np.sqrt([1, 5, 50]), rtol=1e-5)
  assert weights.dtype == np.float32 and roots.mean() == pytest.approx(1)


@pytest.mark.parametrize('power', [0.5, 1, 100])
def test_weights_are_finite_for_tags_that_no_picture_or_every_picture_has(power):
  weights = split_statistics.weigh_tags(Counted(10**6, [0, 10**6, 3]), power, lambda: None)
  assert np.isfinite(weights).all() and (weights >= 0).all()
  assert weights.mean() == pytest.approx(1)


def test_a_power_of_zero_weighs_alike_and_counts_nothing():
  assert split_statistics.weigh_tags(None, 0.0, lambda: None) == 1.0


def test_classes_weigh_so_that_the_mean_over_the_pictures_is_one():
  source = Counted(999, [900, 90, 9])
  weights = split_statistics.weigh_tags(source, 1.0, lambda: None, exclusive=True)
  np.testing.assert_allclose(weights / weights[0], 900.5 / np.array([900.5, 90.5, 9.5]), rtol=1e-5)
  assert (weights * [900.5, 90.5, 9.5]).sum() / 1000.5 == pytest.approx(1)


class Listed:
  """A source of nothing but tags."""

  tag_names = ('a', 'b', 'c')

  def __init__(self, *tags):
    self.tags = tags

  def __len__(self):
    return len(self.tags)

  def tags_of(self, index):
    return np.array(self.tags[index], np.int32)


def test_a_head_starts_from_the_shares_of_its_classes_or_tags():
  logits = split_statistics.prior_logits(Listed([0], [0], [0], [1]), lambda: None, exclusive=True)
  np.testing.assert_allclose(np.exp(logits), np.array([3.5, 1.5, 0.5]) / 5.5)
  logits = split_statistics.prior_logits(Listed([0, 1], [0], [], []), lambda: None)
  np.testing.assert_allclose(1 / (1 + np.exp(-np.array(logits))), np.array([2.5, 1.5, 0.5]) / 5)


@pytest.mark.parametrize('size, most, places', [
    (3, 10, [0, 1, 2]), (10, 4, [0, 3, 6, 9]), (1, 1, [0]), (0, 5, [])])
def test_an_even_sample_reaches_from_end_to_end(size, most, places):
  np.testing.assert_array_equal(split_statistics.even_sample(size, most), places)


class Batches:
  """A loader of given batches."""

  def __init__(self, *batches):
    self.made, self.num_batches = batches, len(batches)

  def batches(self, start, stop):
    return self.made[start:stop]


def test_pixels_are_those_of_real_rows_over_all_batches():
  rng = np.random.default_rng(0)
  one, two = (rng.integers(0, 256, (4, 5, 6, 3), np.uint8) for _ in range(2))
  one[..., 2] = two[..., 2] = 7                                   # a channel that never changes
  mask = np.float32([1, 1, 0, 0])
  polled = []
  mean, deviation = split_statistics.measure_pixels(
      Batches({'image': one, 'mask': np.ones(4)}, {'image': two, 'mask': mask}),
      lambda: polled.append(1))
  real = np.concatenate([one, two[:2]]).astype(np.float64)
  np.testing.assert_allclose(mean, real.mean(axis=(0, 1, 2)))
  np.testing.assert_allclose(deviation[:2], real.std(axis=(0, 1, 2))[:2])
  assert deviation[2] == split_statistics.LEAST_DEVIATION and len(polled) == 2
