"""Stick figures: limbs join the right joints, in the colour of their side, at every size."""

import numpy as np
import pytest

from data import joints
from data.geometry import MIRRORED_JOINTS
from train_lib.drawing.pictures import CELL_PX, INK
from train_lib.poses import pose_pictures
from train_lib.poses.pose_pictures import (
  EDGE,
  LEFT,
  LIMBS,
  MIDDLE,
  PALE,
  RIGHT,
  Person,
  colour_of,
  crop_sheet,
  draw_labelled,
  draw_people,
  draw_person,
  person_sheet,
)

# x and y of a person who faces us, in shares of the picture's side
FRONT = np.array([(.5, .15), (.55, .12), (.45, .12), (.6, .15), (.4, .15), (.65, .3), (.35, .3),
                  (.75, .45), (.25, .45), (.8, .6), (.2, .6), (.6, .6), (.4, .6), (.6, .75),
                  (.4, .75), (.6, .9), (.4, .9)])


def person(side, score=1.0):
  return np.column_stack([FRONT * side, np.full(17, score)])


def grey(side):
  return np.full((side, side, 3), 128, np.uint8)


def is_near(image, place, colour, reach=2, tolerance=45):
  x, y = np.rint(place[:2]).astype(int)
  part = image[max(0, y - reach):y + reach + 1, max(0, x - reach):x + reach + 1].astype(int)
  return bool((abs(part - colour).max(axis=-1) < tolerance).any())


def test_limbs_and_sides_are_those_of_the_joints_in_data():
  limbs = {frozenset(limb) for limb in LIMBS}
  assert len(limbs) == len(LIMBS) and set.union(*map(set, limbs)) == set(range(17))
  assert {frozenset(MIRRORED_JOINTS[joint] for joint in limb) for limb in LIMBS} == limbs
  names = joints.JOINT_NAMES
  for joint, name in enumerate(names):
    side = name.partition('_')[0]
    assert colour_of(joint) == {'left': LEFT, 'right': RIGHT, 'nose': MIDDLE}[side]


def test_left_and_right_have_their_colours_and_the_middle_its_own():
  assert [colour_of(joint) for joint in (0, 1, 2, 15, 16)] == [MIDDLE, LEFT, RIGHT, LEFT, RIGHT]
  assert colour_of(0, 1) == colour_of(5, 11) == LEFT and colour_of(0, 2) == RIGHT
  assert colour_of(5, 6) == colour_of(11, 12) == MIDDLE


@pytest.mark.parametrize('side', [64, 300, 2000])
def test_every_limb_and_joint_is_seen_at_every_size(side):
  drawn, places = draw_people(grey(side), person(side)[None], least_score=0.5), person(side)
  reach = max(1, side // 200)
  for joint in range(17):
    assert is_near(drawn, places[joint], colour_of(joint), reach), joint
  for one, other in LIMBS:
    middle = (places[one] + places[other]) / 2
    assert is_near(drawn, middle, colour_of(one, other), reach, 80), (one, other)
  assert drawn.shape == (side, side, 3) and drawn.dtype == np.uint8
  share = (drawn != 128).any(axis=-1).mean()
  assert 0.01 < share < 0.25


def test_lines_are_smooth_and_thicker_on_larger_pictures():
  shares = []
  for side in (64, 2000):
    drawn = draw_people(grey(side), person(side)[None], least_score=0.5)
    column = drawn[int(0.68 * side), :, 0].astype(int)          # across both thighs
    shares.append((abs(column - 128) > 30).sum())
    assert len(np.unique(column)) > 5                           # else edges are steps
  assert 2 <= shares[0] < 12 and shares[1] > 2 * shares[0]


def test_small_people_have_thinner_limbs():
  large, small = person(600), person(600)
  small[:, :2] *= 0.1
  changed = [(draw_people(grey(600), one[None], least_score=0.5) != 128).any(axis=-1).sum()
             for one in (large, small)]
  assert changed[1] < 0.08 * changed[0]


def test_joints_below_the_score_are_left_out_with_their_limbs():
  said = person(200, 0.9)
  said[9, 2] = 0.2                                            # the left wrist
  drawn = draw_people(grey(200), said[None], least_score=0.5)
  elbow, wrist = said[7], said[9]
  assert is_near(drawn, elbow, LEFT) and not is_near(drawn, wrist, LEFT)
  assert (drawn[int((elbow[1] + wrist[1]) / 2), int((elbow[0] + wrist[0]) / 2)] == 128).all()
  np.testing.assert_array_equal(draw_people(grey(200), said[None], least_score=0.95), grey(200))


def test_the_picture_given_stays_and_nobody_changes_nothing():
  image = np.random.default_rng(0).integers(0, 256, (70, 50, 3), np.uint8)
  before = image.copy()
  np.testing.assert_array_equal(draw_people(image, np.zeros((0, 17, 3)), least_score=0.5), image)
  draw_people(image, person(50)[None], least_score=0.5)
  draw_labelled(image, person(50))
  np.testing.assert_array_equal(image, before)
  turned = draw_people(image[:, ::-1].transpose(1, 0, 2), person(50)[None], least_score=0.5)
  assert turned.shape == (50, 70, 3)


def test_joints_outside_of_the_picture_are_cut_off():
  said = person(100)
  said[15, :2] = 130, 5000
  said[16, :2] = -900, -4000
  assert (draw_people(grey(100), said[None], least_score=0.5) != 128).any()
  one = np.zeros((1, 17, 3))
  one[0, 0] = 50, 50, 1                                         # no limb, and no size
  assert is_near(draw_people(grey(100), one, least_score=0.5), (50, 50), MIDDLE)


def test_boxes_are_pale_lines_with_dark_edges():
  drawn = draw_people(grey(200), np.zeros((0, 17, 3)), least_score=0.5,
                      boxes=np.array([[20, 40, 100, 60]]))
  for place in ((20, 70), (120, 70), (70, 40), (70, 100)):
    assert is_near(drawn, place, PALE, tolerance=80) and is_near(drawn, place, EDGE, tolerance=80)
  assert (drawn[60:90, 40:100] == 128).all()


def test_labelled_joints_have_a_ring_that_leaves_their_middle_free():
  truth = person(300, 0)
  truth[:3, 2] = 1, 2, 0
  drawn = draw_labelled(grey(300), truth)
  for joint in (0, 1):
    x, y = np.rint(truth[joint, :2]).astype(int)
    assert (drawn[y, x] == 128).all() and is_near(drawn, (x, y), PALE, 8)
  assert not is_near(drawn, truth[10], PALE, 8)


def test_a_sheet_shows_joints_of_the_picture_where_they_are_in_the_crop():
  crop_to_source = np.array([[0.5, 0, 300], [0, 0.5, 100]])     # the crop enlarges twice
  said, truth = np.zeros((17, 3)), np.zeros((17, 3))
  said[9] = 312.5, 150, 0.9                                     # in the crop 25, 100
  truth[9] = 337.5, 150, 2                                      # in the crop 75, 100
  crop = np.full((128, 96, 3), 128, np.uint8)
  drawn = draw_person(Person('p/0', crop, crop_to_source, said, truth, 0.4))
  zoom, left = CELL_PX / 128, (CELL_PX - 96 * CELL_PX // 128) // 2
  at, ring = [(left + (x + 0.5) * zoom, 100.5 * zoom) for x in (25, 75)]
  assert drawn.shape == (CELL_PX, CELL_PX, 3)
  assert is_near(drawn, at, LEFT) and is_near(drawn, ring, PALE, 6)
  assert not is_near(drawn, at, PALE, 6) and (drawn[:, :left - 1] == 255).all()


def test_a_sheet_of_persons_tells_agreement_in_ink():
  crop = np.zeros((64, 48, 3), np.uint8)
  turn = np.array([[1.0, 0, 0], [0, 1, 0]])
  for oks, truth, kind in ((0.8, person(48), 'found'), (0.3, person(48), 'wrong'),
                           (None, None, 'plain')):
    pixels = np.asarray(person_sheet([Person('7/1', crop, turn, person(48), truth, oks)], ('a',)))
    below = pixels[30 + CELL_PX:]
    for other in ('found', 'wrong'):
      assert (below == INK[other]).all(axis=-1).any() == (other == kind)


def test_a_sheet_of_crops_draws_a_box_where_there_is_one():
  boxes = np.array([[10, 10, 60, 80], [np.nan] * 4])
  for box, kind in zip(boxes, ('found', 'wrong'), strict=True):
    sheet = np.asarray(crop_sheet([grey(100)], person(100, 0.1)[None], box[None], ['a/b.jpg'], 0.5))
    assert (sheet == INK[kind]).all(axis=-1).any()
    cell = sheet[50:240, 20:220]
    assert (cell == 128).all() == (kind == 'wrong')


def test_a_pixel_of_a_small_picture_that_nothing_covers_stays(monkeypatch):
  monkeypatch.setattr(pose_pictures, 'OPACITY', 1.0)
  image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
  far = person(40)
  far[:, 0] *= 0.4                                              # all of it in the left half
  drawn = draw_people(image, far[None], least_score=0.5)
  np.testing.assert_array_equal(drawn[:, 30:], image[:, 30:])
