"""Squared error, PSNR, SSIM and what is recovered, against scikit-image's figures and by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from losses import structural_dissimilarity
from train_lib.scans import image_quality

# Of scikit-image 0.26.0, a row of `pictures_and_targets()` at a time:
#   structural_similarity(x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
#                         data_range=1)
#   peak_signal_noise_ratio(y, x, data_range=1)
SSIM = [0.9809641368493283, 0.8397304136521068, 0.398895512125803]
PSNR = [26.095752099434776, 14.967247486102707, 8.426841283357545]


def pictures_and_targets():
  """Both float64 [3, 24, 17]: more and more noise."""
  rng = np.random.default_rng(0)
  targets = rng.random((3, 24, 17, 3))
  deviation = np.reshape([0.05, 0.2, 0.6], (3, 1, 1, 1))
  pictures = np.clip(targets + rng.normal(0, deviation, targets.shape), 0, 1)
  return pictures[..., 0], targets[..., 0]


def test_equals_scikit_image():
  pictures, targets = pictures_and_targets()
  np.testing.assert_allclose(image_quality.ssim(pictures, targets), SSIM, rtol=1e-12)
  np.testing.assert_allclose(image_quality.psnr(pictures, targets), PSNR, rtol=1e-12)


@pytest.mark.parametrize('height, width', [(24, 17), (11, 12), (8, 8), (9, 5)])
def test_ssim_is_what_the_loss_is_one_minus_of(height, width):
  pictures, targets = (one[:, :height, :width, None].astype(np.float32)
                       for one in pictures_and_targets())
  loss = jax.jit(functools.partial(structural_dissimilarity, window=11, sigma=1.5, k1=0.01,
                                   k2=0.03, data_range=1.0))
  np.testing.assert_allclose(image_quality.ssim(pictures, targets),
                             1 - loss(jnp.asarray(pictures), jnp.asarray(targets)), atol=3e-6)


def test_a_channel_of_one_makes_no_difference_and_a_row_does_not_see_the_others():
  pictures, targets = pictures_and_targets()
  for measure in (image_quality.squared_errors, image_quality.psnr, image_quality.ssim):
    together = measure(pictures, targets)
    assert together.shape == (3,) and together.dtype == np.float64
    np.testing.assert_array_equal(measure(pictures[..., None], targets[..., None]), together)
    np.testing.assert_array_equal(measure(pictures[1:2], targets[1:2]), together[1:2])
    assert measure(pictures[:0], targets[:0]).shape == (0,)


def test_an_error_of_a_tenth_everywhere_is_twenty_decibels():
  targets = np.full((1, 16, 16), 0.5)
  np.testing.assert_allclose(image_quality.squared_errors(targets + 0.1, targets), [2.56])
  np.testing.assert_allclose(image_quality.psnr(targets + 0.1, targets), [20])


def test_equal_pictures_have_no_error():
  pictures = np.stack([pictures_and_targets()[0][0], np.zeros((24, 17)), np.ones((24, 17))])
  assert (image_quality.squared_errors(pictures, pictures) == 0).all()
  assert (image_quality.psnr(pictures, pictures) == math.inf).all()
  np.testing.assert_allclose(image_quality.ssim(pictures, pictures), 1, rtol=1e-12)


def test_pictures_of_other_sizes_are_not_stretched_over_each_other():
  with pytest.raises(ValueError, match='differ'):
    image_quality.psnr(np.zeros((2, 8, 8)), np.zeros((1, 8, 8)))


def test_a_picture_of_which_a_share_of_the_pixels_is_left_recovers_that_share():
  targets = np.random.default_rng(1).random((50, 32, 32))
  left = targets * (np.random.default_rng(2).random(targets.shape) < 0.4)
  errors = image_quality.squared_errors(left, targets)
  share = image_quality.recovered(errors, np.square(targets).sum(axis=(1, 2)))
  assert abs(share - 0.4) < 0.01
  assert image_quality.recovered(errors, errors) == 0           # of what was lost: nothing


def test_what_is_recovered_is_a_share_of_sums_and_not_a_mean_of_shares():
  assert image_quality.recovered(np.array([1.0, 1.0]), np.array([2.0, 18.0])) == 0.9
  assert image_quality.recovered(np.zeros(2), np.array([2.0, 0.0])) == 1
  assert image_quality.recovered(np.array([6.0]), np.array([2.0])) == -2


def test_where_there_is_nothing_to_recover_there_is_no_share():
  assert math.isnan(image_quality.recovered(np.zeros(2), np.zeros(2)))
