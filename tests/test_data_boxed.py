"""One box a picture: what is kept of it, and how joints and shares of other sources come along."""

import numpy as np
import pytest

from data.boxed import Boxed, CutBox, whole_pixels
from errors import UserError

NOWHERE = (np.nan,) * 4


class Pictures:
  """Two pictures with two figures each."""
  tag_names, tag_categories, truth_keys = ('a', 'b'), ('general',) * 2, ('tags',)
  max_tags, max_ignored, fingerprint, description = 1, 0, 'f00d', 'two pictures'

  def __len__(self):
    return 2

  def tags_of(self, index):
    return np.array([index], np.int32)

  def count_tags(self, poll=lambda: None):
    return np.array([1, 1])

  def __getitem__(self, index):
    boxes = np.array([[1, 2, 3, 4], [0, 0, 9, 9]], np.float32) + index
    return {'id': str(index), 'image_bytes': b'', 'box_px': boxes}


def test_the_true_box_is_the_first_figures():
  source = Boxed(Pictures(), None)
  np.testing.assert_array_equal(source[1]['box_px'], (2, 3, 4, 5))
  assert 'true box' in source.description and source.tag_names == ('a', 'b')
  assert source.tags_of(1) == [1] and len(source) == 2


def test_a_picture_without_a_box_keeps_none_of_the_sources():
  source = Boxed(Pictures(), np.array([NOWHERE, (5, 6, 7, 8)]))
  assert 'box_px' not in source[0]
  np.testing.assert_array_equal(source[1]['box_px'], (5, 6, 7, 8))
  assert '1 of 2' in source.description


def test_a_picture_of_nobody_has_no_true_box():
  class Nobody(Pictures):
    def __getitem__(self, index):
      return {**super().__getitem__(index), 'box_px': np.zeros((index, 4), np.float32)}
  source = Boxed(Nobody(), None)
  assert 'box_px' not in source[0] and 'box_px' in source[1]


def test_other_boxes_are_other_data():
  boxes = np.array([(1, 2, 3, 4), (5, 6, 7, 8.)])
  prints = [Pictures.fingerprint, *(Boxed(Pictures(), one).fingerprint for one in (
      None, boxes, boxes + 1, np.array([NOWHERE] * 2)))]
  assert len(set(prints)) == len(prints)
  assert Boxed(Pictures(), boxes).fingerprint == prints[2]


def test_pictures_without_figures_have_no_true_box():
  class Bare(Pictures):
    def __getitem__(self, index):
      return {'id': '', 'image_bytes': b''}
  with pytest.raises(UserError, match='persons.cut=pose'):
    Boxed(Bare(), None)


@pytest.mark.parametrize('box, wanted', [
    ((1.5, 0.5, 3, 2), (2, 1, 5, 3)),            # edges of pixels: these pixels alone
    ((1.6, 0.6, 2.5, 1.5), (2, 1, 5, 3)),        # a part of a pixel is all of it
    ((-9, -9, 12, 30), (0, 0, 4, 6)),            # cut at the picture's edges
    ((-0.5, -0.5, 8, 6), (0, 0, 8, 6)),
    ((8, 1, 5, 5), None), ((-9, 0, 3, 3), None),  # outside
])
def test_a_box_is_brought_to_whole_pixels_of_the_picture(box, wanted):
  assert whole_pixels(np.array(box), (6, 8, 3)) == wanted


def test_what_the_box_holds_is_kept_and_joints_move_along():
  image = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
  keypoints = np.zeros((1, 17, 3), np.float32)
  keypoints[0, 0], keypoints[0, 1] = (3, 2, 2), (7, 5, 2)
  example = {'image': image, 'box_px': np.array([1.5, 0.5, 3, 2]), 'keypoints': keypoints}
  cut = CutBox()(example)
  np.testing.assert_array_equal(cut['image'], image[1:3, 2:5])
  np.testing.assert_array_equal(cut['keypoints'][0, 0], (1, 1, 2))
  assert cut['keypoints'][0, 1, 2] == 0 and 'box_px' not in cut
  assert example['image'] is image and 'box_px' in example


def test_without_a_box_all_of_the_picture_stays():
  image = np.zeros((6, 8, 3), np.uint8)
  assert CutBox()({'image': image})['image'] is image
