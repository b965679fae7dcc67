"""Restorers that learn nothing: what they fill in, what they leave alone, and what they gain."""

import cv2
import numpy as np
import pytest

from train_lib.scans import image_quality
from train_lib.scans.restorers import RESTORERS

mean_of_neighbours = RESTORERS['mean of neighbours']
median_filter = RESTORERS['median filter']
non_local_means = RESTORERS['non-local means']
every_restorer = pytest.mark.parametrize('name', RESTORERS)


def scans(count=4, size=48):
  """Heads, roughly: an ellipse of several greys and textures on black, float32 [n, s, s, 1]."""
  y, x = np.mgrid[-1:1:size * 1j, -1:1:size * 1j]
  result = np.zeros((count, size, size, 1), np.float32)
  for row in range(count):
    rng = np.random.default_rng(row)
    result[row, ..., 0][x ** 2 / 0.6 + y ** 2 / 0.8 < 1] = 0.3
    for _ in range(6):
      center, size_of = rng.uniform(-0.4, 0.4, 2), rng.uniform(0.1, 0.35, 2)
      inside = ((x - center[0]) / size_of[0]) ** 2 + ((y - center[1]) / size_of[1]) ** 2 < 1
      result[row, ..., 0][inside] = rng.uniform(0.2, 0.9)
  return np.stack([cv2.GaussianBlur(one, (0, 0), 0.7)[..., None] for one in result])


def keep(targets, share, seed=0):
  known = (np.random.default_rng(seed).random(targets.shape) < share).astype(np.float32)
  return targets * known, known


def noisy(targets, deviation, seed=0):
  noise = np.random.default_rng(seed).normal(0, deviation, targets.shape)
  return np.clip(targets + noise, 0, 1).astype(np.float32)


def psnr(pictures, targets):
  return image_quality.psnr(pictures, targets).mean()


@every_restorer
@pytest.mark.parametrize('size', [(8, 8), (9, 13), (48, 48)])
@pytest.mark.parametrize('share', [0, 0.05, 0.4, 1])
def test_gives_finite_pixels_in_the_range_of_the_known_ones(name, size, share):
  rng = np.random.default_rng(0)
  images = rng.uniform(0.2, 0.7, (2, *size, 1)).astype(np.float32)
  known = (rng.random(images.shape) < share).astype(np.float32)
  restored = RESTORERS[name](images * known, known)
  assert restored.shape == images.shape and restored.dtype == np.float32
  assert (restored > 0.2 - 1e-5).all() and (restored < 0.7 + 1e-5).all()


@every_restorer
def test_a_flat_picture_stays_flat_whatever_is_missing(name):
  known = keep(np.ones((3, 16, 16, 1)), 0.3)[1]
  known[1], known[2] = 1, 0
  known[2, 3, 4] = 1                                            # a single pixel
  restored = RESTORERS[name](0.6 * known, known)
  np.testing.assert_allclose(restored, 0.6, rtol=1e-5)


@every_restorer
def test_a_picture_without_a_known_pixel_becomes_mid_grey(name):
  images = scans(2)
  known = np.stack([np.zeros_like(images[0]), np.ones_like(images[1])])
  restored = RESTORERS[name](images, known)
  assert (restored[0] == 0.5).all() and not (restored[1] == 0.5).any()


@every_restorer
@pytest.mark.parametrize('rubbish', [0.0, 1.0, np.nan])
def test_what_stands_in_a_missing_pixel_says_nothing(name, rubbish):
  images, known = keep(scans(2), 0.4)
  filled_in = np.where(known > 0, images, np.float32(rubbish))
  np.testing.assert_array_equal(RESTORERS[name](filled_in, known),
                                RESTORERS[name](images, known))


@every_restorer
def test_pictures_do_not_see_each_other(name):
  images, known = keep(scans(3), 0.5)
  known[1] = 1
  together = RESTORERS[name](images, known)
  for row in range(3):
    np.testing.assert_array_equal(
        RESTORERS[name](images[row:row + 1], known[row:row + 1]), together[row:row + 1])


@pytest.mark.parametrize('restore', [mean_of_neighbours, median_filter])
def test_known_pixels_stay_where_some_are_missing(restore):
  images, known = keep(noisy(scans(2), 0.1), 0.9)
  np.testing.assert_array_equal(restore(images, known)[known > 0], images[known > 0])


def test_non_local_means_leaves_a_clean_picture_as_it_is():
  targets = scans()
  assert np.abs(non_local_means(targets, np.ones_like(targets)) - targets).max() < 0.02
  images, known = keep(targets, 0.4)
  assert np.abs(non_local_means(images, known) - targets)[known > 0].max() < 0.02


def test_mean_and_median_of_a_hole_of_one_pixel_by_hand():
  image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1) / 10
  known = np.ones_like(image)
  image[0, 0, 0, 0] = 0.9                                       # far off: the median does not care
  known[0, 1, 1] = 0
  assert median_filter(image, known)[0, 1, 1, 0] == np.float32(0.55)  # of .1 .2 .3 .5 .6 .7 .8 .9
  edge, corner = np.exp(-0.5 / 0.75 ** 2), np.exp(-1 / 0.75 ** 2)
  total = edge * (0.1 + 0.3 + 0.5 + 0.7) + corner * (0.9 + 0.2 + 0.6 + 0.8)
  np.testing.assert_allclose(mean_of_neighbours(image, known)[0, 1, 1, 0],
                             total / (4 * edge + 4 * corner), rtol=1e-5)


@every_restorer
def test_a_wide_hole_is_filled_from_its_rim(name):
  images = np.full((1, 40, 40, 1), 0.2, np.float32)
  images[:, :, 20:] = 0.8
  known = np.ones_like(images)
  known[:, 8:32, 8:32] = 0
  restored = RESTORERS[name](images * known, known)[0, ..., 0]
  assert (restored[12:28, 9] < 0.35).all() and (restored[12:28, 30] > 0.65).all()


@every_restorer
def test_lost_pixels_are_mostly_recovered(name):
  targets = scans()
  images, known = keep(targets, 0.4)
  errors = image_quality.squared_errors(RESTORERS[name](images, known), targets)
  lost = image_quality.squared_errors(images, targets)
  assert image_quality.recovered(errors, lost) > 0.9


@every_restorer
def test_noise_becomes_less(name):
  targets = scans()
  images = noisy(targets, 0.1)
  assert psnr(RESTORERS[name](images, np.ones_like(images)), targets) > psnr(images, targets) + 2


def test_non_local_means_is_the_best_of_them_on_loss_on_noise_and_on_both():
  targets = scans()
  clean, known = keep(targets, 0.4)
  for images, there in ((clean, known), (noisy(targets, 0.1), np.ones_like(known)),
                        (noisy(targets, 0.1) * known, known)):
    by_name = {name: psnr(restore(images, there), targets) for name, restore in RESTORERS.items()}
    assert max(by_name, key=by_name.get) == 'non-local means'
