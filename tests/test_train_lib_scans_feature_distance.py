"""The Frechet distance against closed forms, with few rows and with many."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from errors import UserError
from train_lib.scans.feature_distance import frechet_distance


def rows_of(mean, root, count=40, seed=0):
  """Rows whose mean and covariance (root^T root) are exactly these."""
  rows = np.random.default_rng(seed).normal(size=(count, len(root)))
  rows -= rows.mean(axis=0)
  rows = np.linalg.qr(rows)[0] * np.sqrt(count - 1)
  return rows @ root + mean


def test_gaussians_of_any_covariance_have_the_distance_of_the_formula():
  rng = np.random.default_rng(1)
  (mean_a, mean_b), (root_a, root_b) = rng.normal(size=(2, 5)), rng.normal(size=(2, 5, 5))
  a, b = root_a.T @ root_a, root_b.T @ root_b
  expected = (np.square(mean_a - mean_b).sum()
              + np.trace(a + b - 2 * np.real(sqrtm(a @ b))))
  found = frechet_distance(rows_of(mean_a, root_a), rows_of(mean_b, root_b, count=30, seed=2))
  np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_of_equal_covariances_it_is_the_square_of_the_shift():
  rows = np.random.default_rng(0).normal(size=(20, 3))
  np.testing.assert_allclose(frechet_distance(rows, rows + [3, 0, 4]), 25)


def test_of_axes_that_agree_it_is_the_squares_of_the_differences_of_deviations():
  a, b = (rows_of(0, np.diag(deviations)) for deviations in ((1.0, 2.0, 0.5), (4.0, 2.0, 1.0)))
  np.testing.assert_allclose(frechet_distance(a, b), 3 ** 2 + 0.5 ** 2)


@pytest.mark.parametrize('count', [2, 10, 300])
def test_equal_sets_have_none_in_any_order_with_fewer_rows_than_features_too(count):
  rows = 100 * np.random.default_rng(count).random((count, 64))
  assert 0 <= frechet_distance(rows, rows[::-1]) < 1e-9 * np.square(rows).sum() / count


@pytest.mark.parametrize('counts', [(5, 9), (5, 200), (150, 200), (2, 2)])
def test_is_symmetric_real_and_above_zero_for_other_sets(counts):
  rng = np.random.default_rng(0)
  a, b = (rng.normal(size=(count, 32)) for count in counts)
  found = frechet_distance(a, b)
  assert isinstance(found, float) and found > 0.1
  np.testing.assert_allclose(frechet_distance(b, a), found, rtol=1e-10)


def test_with_fewer_rows_than_features_it_is_that_of_the_space_they_span():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
  turn = np.linalg.qr(rng.normal(size=(40, 40)))[0][:3]             # [3, 40]
  np.testing.assert_allclose(frechet_distance(a @ turn, b @ turn), frechet_distance(a, b))


def test_features_that_never_vary_are_compared_by_their_means():
  np.testing.assert_allclose(frechet_distance(np.ones((3, 4)), np.zeros((7, 4))), 4)


def test_float32_features_lose_no_digits_on_a_large_offset():
  rows = np.random.default_rng(0).integers(0, 8, (50, 6)).astype(np.float32)
  near, far = (frechet_distance(rows + shift, rows[:25] + shift) for shift in (0, 2 ** 16))
  np.testing.assert_allclose(far, near, rtol=1e-6)


def test_too_few_rows_and_values_that_are_no_numbers_are_told():
  with pytest.raises(UserError, match='two pictures on each side, and one has 1'):
    frechet_distance(np.zeros((3, 4)), np.zeros((1, 4)))
  with pytest.raises(UserError, match='are numbers'):
    frechet_distance(np.zeros((3, 4)), np.full((3, 4), np.nan))
