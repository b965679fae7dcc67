"""k-means of a stream: as good as in memory, never more in memory than a batch."""

import jax
import numpy as np
import pytest

from errors import UserError
from train_lib import parallel
from train_lib.clustering.kmeans import assign, fit_kmeans
from train_lib.clustering.streamed import fit_streamed


class Stream:
  """Rows that are given by slice or by number alone, and how many at a time."""

  def __init__(self, rows):
    self.rows, self.shape, self.most = rows, rows.shape, 0

  def __len__(self):
    return len(self.rows)

  def __getitem__(self, index):
    part = self.rows[index]
    self.most = max(self.most, len(part))
    return part


def blobs(count=3_000, spread=0.3):
  """Rows in the order of their groups, as folders of classes have them."""
  rng = np.random.default_rng(0)
  return (rng.normal(size=(10, 8))[np.sort(rng.integers(10, size=count))]
          + spread * rng.normal(size=(count, 8))).astype(np.float32)


@pytest.mark.parametrize('spherical', [False, True])
def test_it_comes_near_what_is_found_in_memory_reading_a_batch_at_a_time(spherical):
  rows = blobs()
  stream = Stream(rows)
  found = fit_streamed(stream, 10, batch_rows=300, spherical=spherical)
  best = fit_kmeans(rows, 10, restarts=4, spherical=spherical)
  assert best.inertia <= found.inertia * 1.00001 < 1.1 * best.inertia
  assert stream.most == 300
  clusters, distances = assign(rows, found.centres, spherical=spherical)
  np.testing.assert_array_equal(found.clusters, clusters)
  np.testing.assert_allclose(found.distances, distances, atol=1e-5)


@pytest.mark.parametrize('devices', [1, 4])
def test_passes_from_a_start_are_lloyds_iterations(devices):
  rows, mesh = blobs(spread=0.8), parallel.make_mesh(jax.devices()[:devices])
  found = fit_streamed(rows, 10, batch_rows=700, batches=0, passes=5, start=rows[::300], mesh=mesh)
  expected = fit_kmeans(rows, 10, start=rows[::300], most_iterations=5, tolerance=0)
  np.testing.assert_array_equal(found.clusters, expected.clusters)
  np.testing.assert_allclose(found.centres, expected.centres, atol=1e-5)
  assert found.inertia == pytest.approx(expected.inertia, rel=1e-6) and found.iterations == 5


def test_a_memory_map_of_half_precision_is_read(tmp_path):
  rows = blobs().astype(np.float16)
  np.save(tmp_path / 'rows.npy', rows)
  mapped = np.load(tmp_path / 'rows.npy', mmap_mode='r')
  found, expected = (fit_streamed(given, 10, batch_rows=500) for given in (mapped, rows))
  np.testing.assert_array_equal(found.clusters, expected.clusters)
  assert found.centres.dtype == np.float32


def test_the_same_seed_gives_the_same():
  first, again = (fit_streamed(blobs(), 6, seed=2, batch_rows=400) for _ in range(2))
  np.testing.assert_array_equal(first.centres, again.centres)


def test_empty_clusters_get_the_farthest_rows_of_the_whole_stream():
  rows = blobs()
  rows[-1], rows[0] = 30, -20
  start = np.concatenate([rows[1:3_000:375], np.full((2, 8), 1e3, np.float32)])
  found = fit_streamed(rows, 10, batch_rows=700, batches=0, passes=1, start=start)
  counts = np.bincount(found.clusters, minlength=10)
  assert counts.all() and counts[8] == counts[9] == 1
  assert found.clusters[-1] == 8 and found.clusters[0] == 9


def test_mistakes_are_told():
  with pytest.raises(UserError, match='10 clusters with batches of 5 rows'):
    fit_streamed(blobs(), 10, batch_rows=5)
  with pytest.raises(UserError, match='and 0 passes'):
    fit_streamed(blobs(), 10, passes=0)
  with pytest.raises(UserError, match='only 1 different pictures'):
    fit_streamed(np.ones((900, 4)), 2, batch_rows=100)
  broken = blobs()
  broken[2_900] = np.nan
  with pytest.raises(UserError, match='no numbers'):
    fit_streamed(broken, 3, batch_rows=500)
