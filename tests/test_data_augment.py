"""Random crops keep to the picture, their extents and the points in it."""

import numpy as np
import pytest

from data.augment import RandomCrop
from data.operations import Resize


def make_example(image, seed=0, **fields):
  return {'id': 'a', 'image': image, 'rng': np.random.default_rng(seed), **fields}


def crop_boxes(operation, height_px, width_px, count=200):
  """Where crops begin and end in the picture: [count, 4], x and y of both corners, edges."""
  image = np.zeros((height_px, width_px, 3), np.uint8)
  zooms = []
  for seed in range(count):
    corners = np.array([[0, 0, 1], [100, 100, 1]], np.float32)
    points = np.concatenate([corners, np.zeros((15, 3), np.float32)])
    moved = operation(make_example(image, seed, keypoints=points))['keypoints'][:2, :2]
    zoom = (moved[1] - moved[0]) / 100
    start = -(moved[0] + 0.5) / zoom + 0.5
    zooms.append([*start, *(start + operation.size_px / zoom)])
  return np.array(zooms)


def test_a_crop_keeps_its_share_of_the_area_and_its_aspect():
  left, top, right, bottom = crop_boxes(RandomCrop(64, 'square', 0.3, 1.5), 400, 400).T
  area, aspect = (right - left) * (bottom - top) / 400 ** 2, (right - left) / (bottom - top)
  assert 0.29 < area.min() < 0.35 and 0.9 < area.max() <= 1
  assert 1 / 1.52 < aspect.min() < 0.72 and 1.4 < aspect.max() < 1.52
  assert min(left.min(), top.min()) >= -0.01 and max(right.max(), bottom.max()) <= 400.01


def test_a_crop_of_a_padded_picture_lies_within_it_or_around_it():
  left, top, right, bottom = crop_boxes(RandomCrop(64, 'square', 0.1, 1.0), 100, 400).T
  inside, around = (top >= -0.01) & (bottom <= 100.01), (top <= 0.01) & (bottom >= 99.99)
  assert (inside | around).all() and around.any()
  np.testing.assert_allclose(right - left, bottom - top, atol=1.01)    # shapes are kept
  assert left.min() >= -0.01 and right.max() <= 400.01


def test_a_crop_of_a_squished_picture_takes_the_same_share_of_both_sides():
  left, top, right, bottom = crop_boxes(RandomCrop(64, 'squish', 0.1, 1.0), 100, 400).T
  np.testing.assert_allclose((right - left) / 400, (bottom - top) / 100, atol=0.012)


def test_what_sticks_out_is_white():
  image = np.zeros((10, 80, 3), np.uint8)
  cropped = RandomCrop(40, 'square', 1.0, 1.0)(make_example(image))['image']
  assert (cropped == 255).all(-1).mean() == pytest.approx(7 / 8, abs=0.03)
  assert (cropped == 0).all(-1).any()


@pytest.mark.parametrize('size_px', [24, 90])
def test_a_crop_of_everything_is_a_resized_picture(size_px):
  image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
  whole = RandomCrop(size_px, 'square', 1.0, 1.0)(make_example(image))
  np.testing.assert_array_equal(whole['image'], Resize(size_px, 'square')(
      make_example(image))['image'])


@pytest.mark.parametrize('shape', [(1, 1), (1, 50), (300, 2)])
def test_any_picture_can_be_cropped(shape):
  image = np.zeros((*shape, 3), np.uint8)
  for seed in range(20):
    cropped = RandomCrop(16, 'square', 0.01, 3.0)(make_example(image, seed))['image']
    assert cropped.shape == (16, 16, 3) and (cropped < 255).any()
