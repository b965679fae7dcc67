"""The search for alike rows: exact, the same on every mesh, and in chunks."""

import jax
import numpy as np
import pytest

from errors import UserError
from train_lib import parallel
from train_lib.clustering import search
from train_lib.clustering.search import Index


def rows_of(count, width=24, seed=0):
  rows = np.random.default_rng(seed).normal(size=(count, width))
  return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def expected(features, queries, count, leave_out=None):
  """By sorting all cosines in float64."""
  unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True)
          for rows in (queries.astype(np.float64), features.astype(np.float64))]
  cosines = unit[0] @ unit[1].T
  if leave_out is not None:
    there = leave_out >= 0
    cosines[np.flatnonzero(there), leave_out[there]] = -np.inf
  rows = np.argsort(-cosines, axis=1, kind='stable')[:, :count]
  return rows, np.take_along_axis(cosines, rows, axis=1)


def mesh_of(devices):
  return parallel.make_mesh(jax.devices()[:devices])


@pytest.mark.parametrize('devices', [1, 4])
@pytest.mark.parametrize('size', [1, 5, 103])
def test_every_row_is_compared_and_the_most_alike_come_first(devices, size):
  features, queries = rows_of(size), rows_of(7, seed=1)
  for count in {1, min(5, size), size}:
    rows, similarities = Index(features, mesh=mesh_of(devices)).search(queries, count)
    true_rows, cosines = expected(features, queries, count)
    assert rows.dtype == np.int64 and similarities.dtype == np.float32
    np.testing.assert_array_equal(rows, true_rows)
    np.testing.assert_allclose(similarities, cosines, atol=1e-6)


@pytest.mark.parametrize('devices', [1, 4])
def test_rows_that_are_too_many_at_once_are_read_in_chunks(devices, monkeypatch, tmp_path):
  features, queries = rows_of(203), rows_of(37, seed=1)
  leave_out = np.where(np.arange(37) % 3, expected(features, queries, 1)[0][:, 0], -1)
  path = tmp_path / 'features.npy'
  np.save(path, features.astype(np.float16))
  stored = np.load(path, mmap_mode='r')
  monkeypatch.setattr(search, 'CHUNK_ROWS', 40)
  monkeypatch.setattr(search, 'QUERY_ROWS', 8)
  for kept_bytes in (0, 2 ** 20):
    monkeypatch.setattr(search, 'KEPT_BYTES', kept_bytes)
    index, polls = Index(stored, mesh=mesh_of(devices)), []
    for _ in range(2):
      rows, similarities = index.search(queries, 50, leave_out=leave_out,
                                        poll=lambda polls=polls: polls.append(0))
      true_rows, cosines = expected(stored, queries, 50, leave_out)
      np.testing.assert_array_equal(rows, true_rows)
      np.testing.assert_allclose(similarities, cosines, atol=1e-6)
    assert len(polls) == 2 * 6 * 5


def test_every_device_gives_the_same_bits():
  features = rows_of(301, width=65)
  answers = [Index(features, mesh=mesh_of(devices)).search(features, 9) for devices in (1, 4)]
  for one, four in zip(*answers, strict=True):
    np.testing.assert_array_equal(one, four)


def test_equal_rows_are_equally_alike_and_come_in_their_order():
  features = rows_of(60)
  features[[7, 20, 21, 44, 59]] = features[3]
  rows, similarities = Index(features).search(features, 4, leave_out=np.arange(60))
  assert rows[3].tolist() == [7, 20, 21, 44] and rows[44].tolist() == [3, 7, 20, 21]
  assert len(set(similarities[[3, 44]].ravel().tolist())) == 1


def test_a_row_that_is_left_out_is_not_found_even_among_all():
  features = rows_of(9)
  rows, similarities = Index(features).search(features, 8, leave_out=np.arange(9))
  for query in range(9):
    assert sorted([*rows[query].tolist(), query]) == list(range(9))
  assert np.isfinite(similarities).all()


def test_how_long_rows_are_does_not_matter_and_zeros_are_like_nothing():
  features = rows_of(30)
  lengths = np.random.default_rng(0).uniform(0.01, 100, (30, 1)).astype(np.float32)
  features[4] = 0
  rows, similarities = Index(features * lengths).search(features[:6], 30)
  true_rows, cosines = Index(features).search(features[:6], 30)
  np.testing.assert_array_equal(rows[:4], true_rows[:4])
  np.testing.assert_allclose(similarities, cosines, atol=1e-6)
  assert not similarities[4].any() and similarities[:4][rows[:4] == 4].tolist() == [0] * 4


def test_of_no_query_there_is_no_neighbour():
  rows, similarities = Index(rows_of(5)).search(np.zeros((0, 24), np.float32), 3)
  assert rows.shape == similarities.shape == (0, 3)


@pytest.mark.parametrize('count, leave_out, most', [(6, None, 5), (0, None, 5), (5, 2, 4)])
def test_more_neighbours_than_pictures_are_told(count, leave_out, most):
  left_out = None if leave_out is None else np.array([leave_out])
  with pytest.raises(UserError, match=f'{count} neighbours of each .* expected 1 to {most}'):
    Index(rows_of(5)).search(rows_of(1, seed=1), count, leave_out=left_out)


def test_what_cannot_be_searched_is_told():
  broken = rows_of(5)
  broken[3, 2] = np.nan
  with pytest.raises(UserError, match=r'one row for each picture, and got .* \[0, 4\]'):
    Index(np.zeros((0, 4)))
  with pytest.raises(UserError, match='features of row 3 are not numbers'):
    Index(broken).search(rows_of(1), 1)
  with pytest.raises(UserError, match='neighbours are asked for are not numbers'):
    Index(rows_of(5)).search(broken, 1)
  with pytest.raises(UserError, match=r'have 24 numbers .* shape \[2, 8\]'):
    Index(rows_of(5)).search(rows_of(2, width=8), 1)


def test_a_search_stops_where_it_is_asked_to():
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    Index(rows_of(5)).search(rows_of(1), 1, poll=stop)
