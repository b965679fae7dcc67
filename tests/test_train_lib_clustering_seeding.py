"""Starts of k-means: far apart, as good as scikit-learn's, never the same row twice."""

import jax
import numpy as np
import pytest
from sklearn.cluster import kmeans_plusplus

from errors import UserError
from train_lib import parallel
from train_lib.clustering.seeding import draw_starts
from train_lib.clustering.sharded_rows import ShardedRows


def draw(rows, num_clusters, seed=0, devices=1, poll=lambda: None):
  laid = ShardedRows(rows, parallel.make_mesh(jax.devices()[:devices]))
  return draw_starts(laid, num_clusters, np.random.default_rng(seed), poll)


def left(rows, centres):
  return np.square(rows[:, None] - centres).sum(axis=2).min(axis=1).sum()


@pytest.fixture(scope='module')
def rows():
  rng = np.random.default_rng(0)
  return (rng.normal(size=(20, 6))[rng.integers(20, size=600)]
          + 0.2 * rng.normal(size=(600, 6))).astype(np.float32)


def test_it_leaves_as_little_as_scikit_learns_starts(rows):
  ours = [left(rows, rows[draw(rows, 20, seed)]) for seed in range(12)]
  theirs = [left(rows, kmeans_plusplus(rows, 20, random_state=seed)[0]) for seed in range(12)]
  random = left(rows, rows[:20])
  assert 0.85 < np.mean(ours) / np.mean(theirs) < 1.15
  assert np.max(ours) < random


def test_groups_far_apart_get_a_start_each(rows):
  far = np.concatenate([rows[:50] + 1e3 * group for group in range(8)])
  assert sorted(draw(far, 8) // 50) == list(range(8))


def test_the_same_seed_draws_the_same_on_one_device_and_on_four(rows):
  np.testing.assert_array_equal(draw(rows, 20, 5), draw(rows, 20, 5, devices=4))
  assert list(draw(rows, 20, 5)) != list(draw(rows, 20, 6))


def test_all_rows_may_be_starts(rows):
  assert sorted(draw(rows[:30], 30)) == list(range(30))


def test_rows_that_differ_less_than_rounding_shows_are_drawn_apart():
  rows = np.repeat(np.float32([[1, 5], [1, 5.001], [-1, -5]]), 4, axis=0)
  starts = draw(rows, 3)
  assert len(np.unique(rows[starts], axis=0)) == 3


def test_fewer_different_rows_than_starts_are_told():
  rows = np.repeat(np.float32([[1, 5], [3, 3]]), 4, axis=0)
  assert len(set(draw(rows, 2) // 4)) == 2
  with pytest.raises(UserError, match='3 clusters were asked for, and features tell only 2'):
    draw(rows, 3)


def test_it_polls_for_every_start(rows):
  calls = []
  draw(rows, 5, poll=lambda: calls.append(1))
  assert len(calls) == 4
