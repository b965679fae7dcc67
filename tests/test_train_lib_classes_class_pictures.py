"""Sheets of a classifier say what is right, wrong and true, and show where a class is seen."""

import numpy as np
import pytest

from tests.small_classes import NAMES, Split, make_task, make_variables
from train_lib.classes import activation_map
from train_lib.classes.class_collector import Pick
from train_lib.classes.class_pictures import activation_sheet, class_lines, class_sheet, overlay
from train_lib.drawing.pictures import INK


def pick(label, *top, probability=0.0, drawn=-1):
  return Pick(index=0, id='a/p.jpg', label=label, drawn_label=drawn, probability=probability,
              top=list(top))


@pytest.mark.parametrize('shown, lines', [
    (pick(0, (0, 0.97), (1, 0.03), (2, 0.001)),
     [('found', '+ 97 % red'), ('missed', '   3 % green')]),
    (pick(1, (0, 0.6), (1, 0.3), (2, 0.1)),
     [('wrong', '! 60 % red'), ('plain', '= 30 % green'), ('missed', '   10 % blue')]),
    (pick(3, (0, 0.9), (1, 0.06), (2, 0.04), probability=0.004),
     [('wrong', '! 90 % red'), ('missed', '   6 % green'), ('missed', '   4 % blue'),
      ('plain', '= under 1 % grey')]),
    (pick(0, (0, 1.0), drawn=2), [('found', '+ 100 % red'), ('left out', '~ blue')]),
    (pick(0, (0, 1.0), drawn=0), [('found', '+ 100 % red')]),
])
def test_lines_tell_right_wrong_and_true(shown, lines):
  assert class_lines(shown, NAMES) == lines


def test_a_sheet_shows_each_kind_in_its_ink_and_explains_what_is_there():
  images = np.full((2, 40, 30, 3), 200, np.uint8)
  plain = [pick(0, (0, 0.9), (1, 0.1)), pick(1, (0, 0.9), (1, 0.1))]
  flipped = [pick(0, (0, 0.9), drawn=1), *plain[1:]]
  for picks, known in ((plain, False), (flipped, True)):
    pixels = np.asarray(class_sheet(images, picks, NAMES))
    for part in (pixels[:30], pixels[270:]):
      for kind in ('found', 'wrong', 'plain'):
        assert (part == INK[kind]).all(axis=-1).any(), kind
      assert (part == INK['left out']).all(axis=-1).any() == known


def test_files_are_named_where_asked_for():
  images, picks = np.zeros((1, 8, 8, 3), np.uint8), [pick(0, (0, 1.0))]
  plain, named = (class_sheet(images, picks, NAMES, named=named).size[1] for named in (False, True))
  assert named > plain


def test_an_overlay_is_grey_but_where_the_map_speaks_for_the_class():
  image = np.full((40, 40, 3), (200, 90, 30), np.uint8)
  activation = np.full((4, 4), -5.0)
  activation[3, 0] = 7.0
  drawn = overlay(image, activation).astype(int)
  colourful = np.ptp(drawn, axis=-1)
  assert colourful[:15, 20:].max() == 0                       # what speaks against has no colour
  assert drawn[37, 2, 0] > drawn[37, 2, 2] + 50               # red where it is largest
  assert np.ptp(overlay(image, np.zeros((4, 4))), axis=-1).max() == 0


def test_a_sheet_of_maps_has_a_picture_for_each_pick():
  split = Split(6, 0)
  picks = [pick(int(label), (int(label), 1.0)) for label in split.label]
  found = activation_map.of_picks(make_task(), make_variables(), picks, split.images)
  assert len(found.maps) == len(found.picks) == len(found.images) == 6
  two_lines = activation_sheet(found, NAMES, 'title').size
  one_line = activation_sheet(activation_map.Activations(
      found.picks[:5], found.images[:5], found.maps[:5]), NAMES, 'title').size
  assert two_lines[1] > one_line[1] and two_lines[0] == one_line[0]
