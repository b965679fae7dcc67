import cv2
import numpy as np
import pytest

from data.geometry import move_points
from data.joints import JOINT_NAMES, MIRRORED_JOINTS, UPPER_BODY
from data.person_box import compose, invert, region_matrix, region_of_box


def published_matrix(centre, size, rotation_deg, output_size):
  """As published: the centre, the middle of the upper side, and a third point at a right angle."""
  def at_right_angle(first, second):
    along = first - second
    return second + np.array([-along[1], along[0]])

  turn = np.pi * rotation_deg / 180
  up = np.array([np.sin(turn), -np.cos(turn)]) * size[0] / 2
  middle = np.array(output_size) / 2
  source = [centre, centre + up]
  target = [middle, middle - (0, output_size[0] / 2)]
  for points in (source, target):
    points.append(at_right_angle(*points))
  return cv2.getAffineTransform(np.float32(source), np.float32(target))


def random_regions(count=200):
  rng = np.random.default_rng(0)
  for _ in range(count):
    box = np.concatenate([rng.uniform(-50, 500, 2), np.exp(rng.uniform(1, 6.5, 2))])
    yield region_of_box(box, 0.75), rng.uniform(-180, 180)


def test_there_are_17_joints_and_their_lists_agree():
  assert len(JOINT_NAMES) == len(set(JOINT_NAMES)) == 17
  for joint, name in enumerate(JOINT_NAMES):
    other = JOINT_NAMES[MIRRORED_JOINTS[joint]]
    assert other.replace('left', '?') == name.replace('right', '?') or other == 'nose' or (
        other.replace('right', '?') == name.replace('left', '?'))
  assert {JOINT_NAMES[joint] for joint in UPPER_BODY} == {
      name for name in JOINT_NAMES if not name.endswith(('hip', 'knee', 'ankle'))}


@pytest.mark.parametrize('box, centre, size', [
    ((10, 20, 30, 40), (25, 40), (37.5, 50)),            # has the shape already
    ((10, 20, 60, 40), (40, 40), (75, 100)),             # too wide: becomes taller
    ((10, 20, 15, 40), (17.5, 40), (37.5, 50)),          # too tall: becomes wider
    ((10, 20, 0, 0), (10, 20), (0.9375, 1.25))])         # has no extent: one pixel
def test_a_box_is_lengthened_to_the_shape_of_the_crop_and_widened(box, centre, size):
  found = region_of_box(box, 0.75)
  np.testing.assert_allclose(found[0], centre)
  np.testing.assert_allclose(found[1], size)


def test_the_matrix_is_that_of_the_published_three_points():
  for (centre, size), rotation_deg in random_regions():
    for output_size in ((192, 256), (288, 384)):
      np.testing.assert_allclose(
          region_matrix(centre, size, rotation_deg, output_size),
          published_matrix(centre, size, rotation_deg, output_size), rtol=1e-3, atol=1e-2)


def test_a_region_fills_the_crop():
  centre, size = region_of_box((100, 50, 80, 300), 0.75)
  matrix = region_matrix(centre, size, 0, (192, 256))
  corners = centre + size / 2 * np.array([[-1, -1], [1, 1], [0, 0]])
  np.testing.assert_allclose(move_points(corners, matrix), [[0, 0], [192, 256], [96, 128]],
                             atol=1e-9)


def test_a_mirrored_region_is_the_region_of_the_mirrored_picture():
  width_px = 640
  flip = np.array([[-1.0, 0, width_px - 1], [0, 1, 0]])
  for (centre, size), rotation_deg in random_regions(20):
    mirrored_centre = np.array([width_px - 1 - centre[0], centre[1]])
    np.testing.assert_allclose(
        region_matrix(centre, size, rotation_deg, (192, 256), mirrored=True),
        compose(region_matrix(mirrored_centre, size, rotation_deg, (192, 256)), flip), atol=1e-6)


def test_the_inverse_undoes_a_matrix():
  for (centre, size), rotation_deg in random_regions(20):
    matrix = region_matrix(centre, size, rotation_deg, (192, 256))
    for both in (compose(invert(matrix), matrix), compose(matrix, invert(matrix))):
      np.testing.assert_allclose(both, [[1, 0, 0], [0, 1, 0]], atol=1e-6)
