"""Figures of clusterings: scikit-learn's own on all rows, and labels counted by hand."""

import types

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans

from errors import UserError
from train_lib.clustering import quality


def blobs(num_rows=200, num_clusters=4, columns=6, spread=0.3, seed=0):
  """(float32 [N, D], int [N]) around centres that lie apart."""
  rng = np.random.default_rng(seed)
  owner = np.arange(num_rows) % num_clusters
  rows = 2 * rng.normal(size=(num_clusters, columns))[owner]
  return (rows + spread * rng.normal(size=rows.shape)).astype(np.float32), owner


def measure(rows, clusters, spherical=False, labels=None):
  found = quality.silhouettes(rows, clusters, spherical=spherical)
  return quality.measure(rows, clusters, found, spherical=spherical, labels=labels)


def fit(rows, num_clusters, seed):
  model = KMeans(num_clusters, n_init=2, random_state=seed).fit(rows)
  return types.SimpleNamespace(centres=model.cluster_centers_)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_without_noise_the_figures_are_those_of_scikit_learn(dtype):
  rows, owner = blobs(spread=2)
  rows = rows.astype(dtype)
  found = measure(rows, owner)
  rows = rows.astype(np.float32)
  assert list(found) == ['silhouette', 'davies_bouldin']
  np.testing.assert_allclose(found['silhouette'], metrics.silhouette_score(rows, owner), rtol=1e-5)
  np.testing.assert_allclose(found['davies_bouldin'], metrics.davies_bouldin_score(rows, owner))


def test_a_silhouette_is_the_formula_counted_by_hand():
  found = quality.silhouettes(np.array([[0.0], [2.0], [6.0], [7.0]]), np.array([0, 0, 1, 1]))
  np.testing.assert_allclose(found.values, [4.5 / 6.5, 2.5 / 4.5, 4 / 5, 5 / 6])
  np.testing.assert_allclose(found.mean, np.mean(found.values))


def test_noise_counts_in_neither_and_numbers_of_clusters_may_have_gaps():
  rows, owner = blobs()
  noisy = np.where(np.arange(len(rows)) % 5 == 0, -1, 10 * owner)
  expected = measure(rows[noisy >= 0], owner[noisy >= 0])
  assert measure(rows, noisy) == expected
  assert set(quality.silhouettes(rows, noisy).rows) == set(np.flatnonzero(noisy >= 0))


def test_spherical_figures_do_not_know_how_long_rows_are():
  rows, owner = blobs(spread=1)
  stretched = rows * np.random.default_rng(1).uniform(0.1, 9, (len(rows), 1)).astype(np.float32)
  found = measure(stretched, owner, spherical=True)
  np.testing.assert_allclose(found['silhouette'],
                             metrics.silhouette_score(rows, owner, metric='cosine'), rtol=1e-4)
  unit = quality.unit_rows(rows)
  np.testing.assert_allclose(found['davies_bouldin'],
                             metrics.davies_bouldin_score(unit, owner), rtol=1e-4)
  assert quality.unit_rows(np.zeros((2, 3))).sum() == 0


def test_a_sample_is_seeded_and_near_the_whole():
  rows, owner = blobs(num_rows=3000, spread=1.5)
  whole = quality.silhouettes(rows, owner).mean
  first, again, other = (quality.silhouettes(rows, owner, sample=500, seed=seed)
                         for seed in (0, 0, 1))
  np.testing.assert_array_equal(first.rows, again.rows)
  np.testing.assert_array_equal(first.values, again.values)
  assert len(set(first.rows)) == 500 and (np.diff(first.rows) > 0).all()
  assert (first.rows != other.rows).any()
  assert first.mean == pytest.approx(whole, abs=0.03)


@pytest.mark.parametrize('rows, clusters', [
    (np.eye(4), [0, 0, 0, 0]), (np.eye(4), [0, 1, 2, 3]), (np.eye(4), [-1, -1, -1, -1]),
    (np.ones((4, 3)), [0, 0, 1, 1]), (np.eye(4), [-1, -1, -1, 2]), (np.zeros((0, 3)), []),
    (np.ones((1, 3)), [0])], ids=['one', 'each', 'noise', 'same', 'one row', 'none', 'single'])
@pytest.mark.parametrize('spherical', [False, True])
def test_what_does_not_exist_is_nan(rows, clusters, spherical):
  found = measure(rows, np.array(clusters, np.int32), spherical=spherical)
  assert np.isnan(list(found.values())).all() and len(found) == 2


def test_features_that_are_no_numbers_are_told():
  with pytest.raises(UserError, match='features that are numbers'):
    measure(np.array([[np.nan], [1], [2]]), np.array([0, 0, 1]))


def labels_of(clusters, labels):
  return quality.measure_by_labels(np.array(clusters), np.array(labels))


def test_the_same_grouping_under_other_numbers_is_perfect():
  found = labels_of([3, 3, 0, 0, 1], [7, 7, 1, 1, 2])
  assert found == pytest.approx({'nmi': 1, 'ari': 1, 'purity': 1, 'hungarian_accuracy': 1})


def test_more_clusters_than_labels_are_pure_but_only_one_of_each_label_is_right():
  found = labels_of([0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 1, 1, 1])
  assert found['purity'] == 1
  assert found['hungarian_accuracy'] == 6 / 8


def test_fewer_clusters_than_labels_find_the_largest_label_of_each():
  found = labels_of([0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 2, 2, 2])
  assert found['purity'] == found['hungarian_accuracy'] == 5 / 7


def test_two_clusters_of_one_label_are_matched_so_that_most_rows_are_right():
  # the first cluster holds 3 of label 0 and 2 of 1, the second 3 of 0: 2 + 3 beat 3 + 0
  found = labels_of([0] * 5 + [1] * 3, [0, 0, 0, 1, 1, 0, 0, 0])
  assert found['hungarian_accuracy'] == 5 / 8 and found['purity'] == 6 / 8


def test_unknown_labels_are_left_out_and_noise_is_wrong():
  found = labels_of([0, 0, 1, 1, 1, -1, -1], [0, 0, 1, 1, -1, 1, 0])
  assert found['purity'] == found['hungarian_accuracy'] == 4 / 6
  expected = metrics.adjusted_rand_score([0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 2, 2])
  assert found['ari'] == pytest.approx(expected)


@pytest.mark.parametrize('clusters', [[-1, -1, -1, -1], [5, 5, 5, 5]], ids=['noise', 'one'])
def test_a_clustering_that_parts_nothing_tells_nothing(clusters):
  found = labels_of(clusters, [0, 0, 1, 2])
  assert found['nmi'] == pytest.approx(0, abs=1e-9) and found['ari'] == pytest.approx(0, abs=1e-9)
  assert found['purity'] == found['hungarian_accuracy'] == (0 if clusters[0] < 0 else 0.5)


def test_where_no_label_is_known_the_figures_are_nan():
  assert np.isnan(list(labels_of([0, 1, -1], [-1, -1, -1]).values())).all()


def test_labels_join_the_figures_of_the_features():
  rows, owner = blobs()
  found = measure(rows, owner, labels=owner)
  assert list(found) == ['silhouette', 'davies_bouldin', 'nmi', 'ari', 'purity',
                         'hungarian_accuracy']
  assert all(type(value) is float for value in found.values())


def test_clusters_that_are_there_are_stable_and_those_that_are_not_are_not():
  rows, _ = blobs(spread=0.1)
  there, too_many = (quality.stability(rows, fit, number, resamples=3, seed=0)
                     for number in (4, 9))
  assert there == 1 and too_many < 0.8
  assert quality.stability(rows, fit, 9, resamples=3, seed=0) == too_many


def test_stability_does_not_exist_of_one_cluster_or_of_fewer_different_rows():
  rows, _ = blobs()
  assert np.isnan(quality.stability(rows, fit, 1, resamples=2, seed=0))
  assert np.isnan(quality.stability(np.ones((9, 2)), fit, 2, resamples=2, seed=0))
  with pytest.raises(UserError, match='two resamples or more, and the number of resamples is 1'):
    quality.stability(rows, fit, 2, resamples=1, seed=0)


def test_resamples_and_what_they_are_compared_on_are_bounded(monkeypatch):
  monkeypatch.setattr(quality, 'MOST_RESAMPLED', 50)
  monkeypatch.setattr(quality, 'MOST_COMPARED', 70)
  rows, _ = blobs(spread=0.1)
  seen, polls = [], []

  def watched(rows, num_clusters, seed):
    seen.append((len(rows), seed))
    return fit(rows, num_clusters, seed)

  found = quality.stability(rows, watched, 4, resamples=2, seed=5, poll=lambda: polls.append(1))
  assert found == 1 and seen == [(50, 5), (50, 6)] and len(polls) == 2


def test_different_rows_are_counted_no_further_than_asked():
  rows = np.array([[0.0, 1], [-0.0, 1], [2, 3], [4, 5]], np.float32)
  assert quality.count_different(rows, 9) == 3 and quality.count_different(rows, 2) == 2
