"""k-means against scikit-learn from the same starts, on one device and on four."""

import jax
import numpy as np
import pytest
from sklearn.cluster import KMeans

from errors import UserError
from train_lib import parallel
from train_lib.clustering import sharded_rows
from train_lib.clustering.kmeans import assign, fit_kmeans


def blobs(count=1_500, width=12, groups=9, spread=0.8, seed=0):
  """Rows around as many middles, which overlap."""
  rng = np.random.default_rng(seed)
  middles = rng.normal(size=(groups, width))
  rows = middles[rng.integers(groups, size=count)] + spread * rng.normal(size=(count, width))
  return rows.astype(np.float32)


def mesh_of(devices):
  return parallel.make_mesh(jax.devices()[:devices])


def unit(rows):
  return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(params=[1, 4])
def mesh(request):
  return mesh_of(request.param)


@pytest.fixture
def small_blocks(monkeypatch):
  """Many blocks on every device, the last of them not full."""
  monkeypatch.setattr(sharded_rows, 'CPU_BLOCK_BYTES', 100 * 4 * 12)


@pytest.mark.parametrize('offset, tolerance', [(0, 1e-4), (1_000, 1e-4), (0, 0)])
@pytest.mark.usefixtures('small_blocks')
def test_from_the_same_start_it_is_scikit_learns(mesh, offset, tolerance):
  rows = blobs() + np.float32(offset)
  expected = KMeans(9, init=rows[:9], n_init=1, tol=tolerance).fit(rows)
  found = fit_kmeans(rows, 9, start=rows[:9], tolerance=tolerance, mesh=mesh)
  np.testing.assert_array_equal(found.clusters, expected.labels_)
  np.testing.assert_allclose(found.inertia, expected.inertia_, rtol=1e-4)
  np.testing.assert_allclose(found.centres, expected.cluster_centers_, rtol=1e-5, atol=1e-5)
  assert found.iterations == expected.n_iter_
  apart = np.linalg.norm(rows - found.centres[found.clusters], axis=1)
  np.testing.assert_allclose(found.distances, apart, rtol=1e-4)


@pytest.mark.filterwarnings('ignore:Number of distinct clusters')
def test_empty_clusters_are_refilled_as_scikit_learn_does(mesh):
  rows = blobs()
  start = np.concatenate([rows[:6], np.full((3, 12), [[50], [60], [70]], np.float32)])
  expected = KMeans(9, init=start, n_init=1).fit(rows)
  found = fit_kmeans(rows, 9, start=start, mesh=mesh)
  assert len(np.unique(found.clusters)) == 9
  np.testing.assert_array_equal(found.clusters, expected.labels_)
  np.testing.assert_allclose(found.inertia, expected.inertia_, rtol=1e-4)


def test_one_centre_for_all_is_refilled_until_each_has_rows_of_its_own():
  rows = np.repeat(np.eye(5, dtype=np.float32), [40, 30, 1, 1, 2], axis=0)
  found = fit_kmeans(rows, 5, start=np.zeros((5, 5)))
  assert found.inertia == pytest.approx(0, abs=1e-9)
  assert sorted(np.bincount(found.clusters)) == [1, 1, 2, 30, 40]


@pytest.mark.parametrize('spherical', [False, True])
def test_the_same_seed_gives_the_same_on_one_device_and_on_four(spherical):
  one, four, again = (fit_kmeans(blobs(), 7, seed=3, spherical=spherical, mesh=mesh_of(devices))
                      for devices in (1, 4, 1))
  np.testing.assert_array_equal(one.clusters, four.clusters)
  np.testing.assert_allclose(one.centres, four.centres, atol=1e-5)
  np.testing.assert_array_equal(one.centres, again.centres)
  assert not np.array_equal(one.clusters, fit_kmeans(blobs(), 7, seed=4).clusters)


def test_restarts_keep_the_least_inertia():
  rows = blobs(spread=0.3, groups=15)
  tries = [fit_kmeans(rows, 15, seed=1, restarts=count).inertia for count in (1, 2, 4, 8)]
  assert tries == sorted(tries, reverse=True) and tries[-1] < tries[0]


def test_spherical_centres_are_directions_of_sums_and_distances_are_cosines(mesh):
  rows = np.linspace(0.1, 30, 1_500)[:, None].astype(np.float32) * blobs(spread=0.4)
  found = fit_kmeans(rows, 9, spherical=True, tolerance=0, mesh=mesh)
  cosines = unit(rows) @ found.centres.T
  np.testing.assert_array_equal(found.clusters, cosines.argmax(axis=1))
  np.testing.assert_allclose(found.distances, 1 - cosines.max(axis=1), atol=1e-6)
  assert found.inertia == pytest.approx((1 - cosines.max(axis=1)).sum(), rel=1e-5)
  for cluster, centre in enumerate(found.centres):
    total = unit(rows)[found.clusters == cluster].sum(axis=0)
    np.testing.assert_allclose(centre, total / np.linalg.norm(total), atol=1e-5)


def test_a_row_without_direction_is_as_far_as_a_right_angle():
  rows = np.array([[0, 0], [2, 0], [0, 3], [4, 0]], np.float32)
  found = fit_kmeans(rows, 2, spherical=True, start=[[1, 0], [0, 1]])
  np.testing.assert_allclose(found.distances, [1, 0, 0, 0])


@pytest.mark.parametrize('spherical', [False, True])
def test_rows_are_assigned_as_they_were_when_fitted(mesh, spherical):
  rows = blobs()
  found = fit_kmeans(rows, 9, spherical=spherical, mesh=mesh)
  clusters, distances = assign(rows, found.centres, spherical=spherical, mesh=mesh, batch_rows=400)
  np.testing.assert_array_equal(clusters, found.clusters)
  np.testing.assert_allclose(distances, found.distances, atol=1e-5)
  assert clusters.dtype == np.int32 and distances.dtype == np.float32


def test_a_cluster_for_every_row_and_one_for_all():
  rows = blobs(count=40)
  each = fit_kmeans(rows, 40)
  assert sorted(each.clusters) == list(range(40)) and each.inertia == 0
  whole = fit_kmeans(rows, 1)
  np.testing.assert_allclose(whole.centres[0], rows.mean(axis=0), atol=1e-5)
  assert whole.inertia == pytest.approx(40 * rows.var(axis=0).sum(), rel=1e-5)
  assert fit_kmeans(rows[:1], 1).inertia == 0


def test_half_precision_and_whole_numbers_are_features_too():
  rows = np.repeat([[0, 0], [9, 9]], 5, axis=0)
  for dtype in (np.float16, np.int64, np.float64, np.uint8):
    assert fit_kmeans(rows.astype(dtype), 2).inertia == 0


def test_it_polls_at_every_iteration():
  calls = []
  found = fit_kmeans(blobs(), 9, start=blobs()[:9], poll=lambda: calls.append(1))
  assert len(calls) == found.iterations


@pytest.mark.parametrize('num_clusters', [0, -1, 41])
def test_no_number_of_clusters_is_told(num_clusters):
  with pytest.raises(UserError, match=f'{num_clusters} clusters were asked for of 40 pictures'):
    fit_kmeans(blobs(count=40), num_clusters)


@pytest.mark.parametrize('start', [None, np.arange(16).reshape(4, 4)])
@pytest.mark.parametrize('values', [3, 1])
def test_fewer_different_pictures_than_clusters_are_told(values, start):
  rows = np.float32(0.1) + np.arange(60, dtype=np.float32)[:, None] % values * np.ones(4, 'f4')
  with pytest.raises(UserError, match=f'only {values} different pictures'):
    fit_kmeans(rows, 4, start=start)
  assert fit_kmeans(rows, values).inertia == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('value', [np.nan, np.inf, 1e30])
def test_values_that_are_no_numbers_are_told(value):
  rows = blobs(count=40)
  rows[7, 3] = value
  with pytest.raises(UserError, match='row 7'):
    fit_kmeans(rows, 3)
  with pytest.raises(UserError, match='row 7'):
    assign(rows, rows[:3])


@pytest.mark.parametrize('wrong', [{'restarts': 0}, {'most_iterations': 0}, {'seed': -1}])
def test_settings_that_make_no_sense_are_told(wrong):
  with pytest.raises(UserError, match='expected one or more of both'):
    fit_kmeans(blobs(count=40), 3, **wrong)


def test_shapes_that_do_not_fit_are_told():
  with pytest.raises(UserError, match='start has the shape'):
    fit_kmeans(blobs(), 3, start=np.zeros((2, 12)))
  with pytest.raises(UserError, match='features have 12 columns, and the centres 4'):
    assign(blobs(), np.zeros((2, 4)))
  for wrong in (np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0))):
    with pytest.raises(UserError, match='expected a row of numbers for each picture'):
      fit_kmeans(wrong, 1)


def test_sums_by_product_are_sums_by_row(monkeypatch):
  rows, clusters = blobs(count=50), np.arange(50) % 4                # 3 is beyond the clusters
  by_row = sharded_rows._add_up(rows, clusters, 3)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'tpu')
  by_product = sharded_rows._add_up(rows, clusters, 3)
  np.testing.assert_allclose(by_row[0], by_product[0], rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(by_row[1], by_product[1])


def test_shares_of_rows_on_threads_give_the_same(monkeypatch):
  rows = np.random.default_rng(5).normal(size=(503, 6)).astype(np.float32)
  mesh = parallel.make_mesh(jax.devices()[:1])
  whole = fit_kmeans(rows, 7, seed=3, mesh=mesh)
  monkeypatch.setattr(sharded_rows, 'FEW_ROWS', 100)
  monkeypatch.setattr(sharded_rows.os, 'cpu_count', lambda: 3)
  laid = sharded_rows.ShardedRows(rows, mesh)
  assert len(laid._turns) == len(laid._rows) == 3 and sum(laid._counts) == 503
  shared = fit_kmeans(rows, 7, seed=3, mesh=mesh)
  np.testing.assert_array_equal(shared.clusters, whole.clusters)
  np.testing.assert_allclose(shared.centres, whole.centres, atol=1e-5)
  assert shared.inertia == pytest.approx(whole.inertia, rel=1e-6)


@pytest.mark.parametrize('width', [3, 16])
@pytest.mark.usefixtures('small_blocks')
def test_rows_on_a_cpu_are_held_once(width):
  laid = sharded_rows.ShardedRows(blobs(width=width), mesh_of(1))
  assert len(laid._rows) > 2
  held = [rows.addressable_shards[0].data.unsafe_buffer_pointer() for rows in laid._rows]
  size = laid._rows[0].nbytes
  assert held == [laid.rows.ctypes.data + block * size for block in range(len(held))]
  assert not laid.rows.flags.writeable
