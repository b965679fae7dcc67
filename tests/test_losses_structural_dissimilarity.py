"""Structural dissimilarity against scikit-image's figures and its theorems."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from losses import structural_dissimilarity as with_settings

PAPER = dict(window=11, sigma=1.5, k1=0.01, k2=0.03, data_range=1.0)
structural_dissimilarity = jax.jit(functools.partial(with_settings, **PAPER))
# Of scikit-image 0.26.0, a row of `pictures` and `targets` below at a time:
#   structural_similarity(x, y, channel_axis=2, gaussian_weights=True, sigma=1.5,
#                         use_sample_covariance=False, data_range=1)
SSIM = [0.982182527874873, 0.8389844282882174, 0.37170323999726174]


def pictures_and_targets():
  rng = np.random.default_rng(0)
  targets = rng.random((3, 24, 17, 3))
  deviation = np.reshape([0.05, 0.2, 0.6], (3, 1, 1, 1))
  return np.clip(targets + rng.normal(0, deviation, targets.shape), 0, 1), targets


def in_float64(x, y, window=11, sigma=1.5, c1=0.01 ** 2, c2=0.03 ** 2):
  """Window by window, straight from the definition. x, y: [H, W] -> 1 - mean SSIM."""
  line = np.exp(-0.5 * ((np.arange(window) - window // 2) / sigma) ** 2)
  weights = np.outer(line, line) / line.sum() ** 2
  values = []
  for top in range(x.shape[0] - window + 1):
    for left in range(x.shape[1] - window + 1):
      a, b = (picture[top:top + window, left:left + window] for picture in (x, y))
      mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
      variances = (weights * ((a - mean_a) ** 2 + (b - mean_b) ** 2)).sum()
      covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
      values.append((2 * mean_a * mean_b + c1) * (2 * covariance + c2)
                    / ((mean_a ** 2 + mean_b ** 2 + c1) * (variances + c2)))
  return 1 - np.mean(values)


def gradient(x, y):
  return jax.grad(lambda x: structural_dissimilarity(x, y).sum())(x)


def test_equals_scikit_image():
  x, y = (jnp.float32(one) for one in pictures_and_targets())
  np.testing.assert_allclose(structural_dissimilarity(x, y), 1 - np.array(SSIM), atol=2e-6)


def test_equals_its_definition_also_in_a_picture_smaller_than_the_window():
  x, y = (one[1, :8, :13, 0] for one in pictures_and_targets())
  found = structural_dissimilarity(*(jnp.float32(one)[None, ..., None] for one in (x, y)))
  np.testing.assert_allclose(found, [in_float64(x, y, window=7)], atol=2e-6)


def test_gradients_equal_differences_of_the_definition():
  x, y = (one[1:2, :13, :12, :1] for one in pictures_and_targets())
  found = gradient(jnp.float32(x), jnp.float32(y))[0, ..., 0]
  for place in ((0, 0), (6, 6), (12, 11), (3, 8)):
    step = np.zeros((13, 12))
    step[place] = 1e-5
    ends = [in_float64(x[0, ..., 0] + sign * step, y[0, ..., 0]) for sign in (1, -1)]
    np.testing.assert_allclose(found[place], (ends[0] - ends[1]) / 2e-5, rtol=1e-3, atol=1e-6)


def test_equal_pictures_cost_nothing_and_are_where_it_is_least():
  x, _ = (jnp.float32(one) for one in pictures_and_targets())
  np.testing.assert_allclose(structural_dissimilarity(x, x), 0, atol=1e-6)
  np.testing.assert_allclose(gradient(x, x), 0, atol=1e-6)


def test_it_does_not_matter_which_is_the_target():
  x, y = (jnp.float32(one) for one in pictures_and_targets())
  np.testing.assert_allclose(structural_dissimilarity(x, y), structural_dissimilarity(y, x),
                             rtol=1e-5)


@pytest.mark.parametrize('size', [8, 16])
def test_flat_pictures_have_finite_gradients(size):
  flat = jnp.broadcast_to(jnp.float32([0, 0.4, 1]).reshape(3, 1, 1, 1), (3, size, size, 1))
  for other in (flat, flat[::-1], jnp.roll(flat, 1, axis=0)):
    assert jnp.isfinite(structural_dissimilarity(flat, other)).all()
    assert jnp.isfinite(gradient(flat, other)).all()


def test_black_for_white_costs_all_but_the_constant():
  black, white = jnp.zeros((1, 12, 12, 1)), jnp.ones((1, 12, 12, 1))
  np.testing.assert_allclose(structural_dissimilarity(black, white), 1 - 1e-4 / 1.0001, rtol=1e-6)


def test_the_unit_of_the_pixels_does_not_matter():
  x, y = (jnp.float32(one) for one in pictures_and_targets())
  np.testing.assert_allclose(with_settings(255 * x, 255 * y, **PAPER | dict(data_range=255)),
                             structural_dissimilarity(x, y), atol=2e-6)


def test_arrays_that_are_no_pictures_are_refused():
  with pytest.raises(AssertionError):
    structural_dissimilarity(jnp.zeros((3, 12, 12)), jnp.zeros((3, 12, 12)))
