"""RandAugment's operations do what their names say, at the extent asked for."""

import cv2
import numpy as np
import pytest

from data import rand_augment
from data.rand_augment import GEOMETRIC, OPERATIONS, RandAugment

NOISE = np.random.default_rng(0).integers(30, 200, (40, 60, 3), dtype=np.uint8)


def make_example(image=NOISE, seed=0, **fields):
  return {'id': 'a', 'image': image, 'rng': np.random.default_rng(seed), **fields}


def changed(name, extent, sign=1, image=NOISE):
  return rand_augment.apply(name, make_example(image), extent, sign)['image']


def test_the_list_is_the_papers():
  assert len(OPERATIONS) == 14 and set(GEOMETRIC) < set(OPERATIONS)


@pytest.mark.parametrize('name', sorted(set(OPERATIONS) - {'autocontrast', 'equalize'}))
@pytest.mark.parametrize('sign', [1, -1])
def test_an_extent_of_zero_changes_nothing(name, sign):
  np.testing.assert_array_equal(changed(name, 0.0, sign), NOISE)


@pytest.mark.parametrize('name', sorted(OPERATIONS))
def test_an_operation_changes_a_copy_and_keeps_the_size(name):
  before = NOISE.copy()
  image = changed(name, 1.0)
  np.testing.assert_array_equal(NOISE, before)
  assert image.shape == NOISE.shape and image.dtype == np.uint8
  assert (image != NOISE).any() == (name != 'identity')


@pytest.mark.parametrize('name', ['colour', 'contrast', 'brightness', 'sharpness', *GEOMETRIC])
def test_directions_differ(name):
  assert (changed(name, 0.5, 1) != changed(name, 0.5, -1)).any()


def test_autocontrast_and_equalize_use_the_whole_range():
  for name in ('autocontrast', 'equalize'):
    image = changed(name, 0.0)
    assert (image.reshape(-1, 3).min(0) == 0).all() and (image.reshape(-1, 3).max(0) == 255).all()
  flat = np.full((4, 4, 3), 77, np.uint8)
  np.testing.assert_array_equal(changed('autocontrast', 0.0, image=flat), flat)


def test_solarize_inverts_from_its_threshold_on():
  np.testing.assert_array_equal(changed('solarize', 1.0), 255 - NOISE)
  half = changed('solarize', 0.5)
  np.testing.assert_array_equal(half, np.where(NOISE >= 128, 255 - NOISE, NOISE))


def test_posterize_keeps_the_highest_bits():
  np.testing.assert_array_equal(changed('posterize', 1.0), NOISE // 16 * 16)


def test_colour_to_one_side_is_nearly_grey_and_keeps_the_luma():
  image = changed('colour', 1.0, -1).astype(float)
  assert image.std(-1).mean() < 0.2 * NOISE.std(-1).mean()
  np.testing.assert_allclose(image @ rand_augment.LUMA, NOISE @ rand_augment.LUMA, atol=1)


def test_brightness_contrast_and_sharpness_change_what_they_are_named_for():
  np.testing.assert_allclose(changed('brightness', 1.0, -1), 0.1 * NOISE, atol=0.6)
  less = changed('contrast', 1.0, -1)
  assert less.std() < 0.2 * NOISE.std() and abs(less.mean() - NOISE.mean()) < 3
  assert changed('sharpness', 1.0, -1).std() < NOISE.std() < changed('sharpness', 1.0).std()


@pytest.mark.parametrize('name', GEOMETRIC)
@pytest.mark.parametrize('sign', [1, -1])
def test_joints_and_boxes_move_with_the_picture(name, sign):
  image = np.full((100, 140, 3), 255, np.uint8)
  cv2.circle(image, (75, 45), 5, (0, 0, 0), -1)
  points = np.tile(np.float32([75, 45, 2]), (17, 1))
  moved = rand_augment.apply(name, make_example(
      image, keypoints=points, box_px=np.float32([70, 40, 10, 10])), 0.6, sign)
  dark = (moved['image'][..., 0] < 128).astype(np.uint8)
  centre = cv2.connectedComponentsWithStats(dark)[3][1]
  np.testing.assert_allclose(moved['keypoints'][0, :2], centre, atol=0.7)
  x, y, width, height = moved['box_px']
  np.testing.assert_allclose([x + width / 2, y + height / 2], centre, atol=0.7)


def test_all_operations_are_drawn_so_many_a_picture_at_the_magnitude(monkeypatch):
  drawn = []
  monkeypatch.setattr(rand_augment, 'apply', lambda name, example, extent, sign: (
      drawn.append((name, extent, sign)), example)[1])
  for seed in range(100):
    RandAugment(3, 4.0)(make_example(seed=seed))
  assert len(drawn) == 300
  assert {name for name, _, _ in drawn} == set(OPERATIONS)
  assert {extent for _, extent, _ in drawn} == {0.4} and {sign for *_, sign in drawn} == {1, -1}
