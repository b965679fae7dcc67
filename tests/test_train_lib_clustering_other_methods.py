"""Clusterings of small sets by other methods than k-means, and the centres they come without."""

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN, AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from errors import UserError
from train_lib.clustering import other_methods
from train_lib.clustering.other_methods import METHODS, cluster_otherwise, describe


def blobs(num_clusters=4, columns=5):
  """(float32 [N, D], int [N])."""
  owner = np.arange(120) % num_clusters
  rng = np.random.default_rng(0)
  rows = 3 * np.eye(columns)[owner] + 0.2 * rng.normal(size=(120, columns))
  return rows.astype(np.float32), owner


def cluster(method, rows, num_clusters=4, least_size=8, **options):
  return cluster_otherwise(method, rows, num_clusters=num_clusters, least_size=least_size,
                           **options)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('dtype', [np.float16, np.float32])
def test_every_method_finds_blobs_that_lie_apart(method, dtype):
  rows, owner = blobs()
  before = rows.astype(dtype)
  rows = before.copy()
  found = cluster(method, rows)
  some = found >= 0
  assert found.dtype == np.int32 and found.shape == (120,) and set(found[some]) == {0, 1, 2, 3}
  assert some.mean() > 0.9 and adjusted_rand_score(owner[some], found[some]) == 1
  np.testing.assert_array_equal(rows, before)
  np.testing.assert_array_equal(cluster(method, rows), found)


def test_the_methods_are_those_of_scikit_learn():
  rows = np.random.default_rng(3).normal(size=(80, 3)).astype(np.float32)
  expected = AgglomerativeClustering(7, linkage='ward').fit_predict(rows)
  assert adjusted_rand_score(expected, cluster('agglomerative', rows, 7)) == 1
  trees = HDBSCAN(min_cluster_size=5, algorithm='kd_tree', copy=True).fit_predict(blobs()[0])
  np.testing.assert_array_equal(cluster('hdbscan', blobs()[0], least_size=5) < 0, trees < 0)


def test_what_lies_alone_is_noise():
  rows = np.concatenate([blobs()[0], [[0, 0, 0, 0, 50]]])
  assert cluster('hdbscan', rows)[-1] == -1


def test_rows_that_are_all_the_same_and_single_rows_make_no_crash():
  same = np.ones((9, 3), np.float32)
  np.testing.assert_array_equal(cluster('hdbscan', same, least_size=2), np.zeros(9))
  assert set(cluster('agglomerative', same, 3)) == {0, 1, 2}
  np.testing.assert_array_equal(cluster('agglomerative', same[:1], 1), [0])


@pytest.mark.parametrize('method, rows, settings, words', [
    ('dbscan', 9, {}, "'dbscan' is unknown; choices: kmeans, agglomerative, hdbscan"),
    ('hdbscan', 0, {}, "takes 1 to .* there are 0; choose the method 'kmeans'"),
    ('agglomerative', 10, {}, "takes 1 to 9 pictures, and there are 10; choose .*'kmeans'"),
    ('agglomerative', 5, {'num_clusters': 6}, 'clusters is 6; expected 1 to .* pictures, 5'),
    ('agglomerative', 5, {'num_clusters': 0}, 'clusters is 0; expected 1'),
    ('hdbscan', 5, {'least_size': 6}, 'to have 6 pictures; expected 2 to their number, 5'),
    ('hdbscan', 5, {'least_size': 1}, 'to have 1 pictures; expected 2')])
def test_mistakes_are_told(monkeypatch, method, rows, settings, words):
  monkeypatch.setattr(other_methods, 'MOST_ROWS', 9)
  with pytest.raises(UserError, match=words):
    cluster(method, np.eye(10)[:rows], **settings)


@pytest.mark.parametrize('method', METHODS)
def test_features_that_are_no_numbers_are_told(method):
  with pytest.raises(UserError, match='features that are numbers'):
    cluster(method, np.full((20, 2), np.inf))


def test_centres_are_means_and_noise_has_no_distance():
  rows = np.array([[0, 0], [2, 0], [5, 1], [9, 9]])
  centres, distances = describe(rows, np.array([1, 1, 0, -1]))
  assert centres.dtype == distances.dtype == np.float32
  np.testing.assert_allclose(centres, [[5, 1], [1, 0]])
  np.testing.assert_allclose(distances, [1, 1, 0, np.nan])


def test_of_noise_alone_there_is_no_centre():
  centres, distances = describe(np.ones((3, 2)), np.full(3, -1))
  assert centres.shape == (0, 2) and np.isnan(distances).all()
