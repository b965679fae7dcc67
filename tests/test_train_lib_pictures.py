"""Sheets of predictions say what was found, left out, wrong and missed."""

import numpy as np

from train_lib.pictures import INK, tag_lines, tag_sheet

NAMES = ('a', 'b', 'c', 'd', 'e')
PROBABILITIES = np.array([0.9, 0.8, 0.7, 0.3, 0.1])
LABELS = np.array([True, False, False, True, False])
DRAWN = np.array([True, True, False, True, False])


def test_lines_are_sorted_and_told_apart():
  lines = tag_lines(PROBABILITIES, LABELS, DRAWN, NAMES, threshold=0.5)
  assert lines == [('found', '+ a 90'), ('left out', '~ b 80'), ('wrong', '! c 70'),
                   ('missed', '- d 30')]


def test_a_sheet_shows_each_kind_in_its_ink():
  images = np.full((3, 40, 30, 3), 200, np.uint8)
  rows = [np.stack([row] * 3) for row in (PROBABILITIES, LABELS, DRAWN)]
  pixels = np.asarray(tag_sheet(images, *rows, NAMES, threshold=0.5, columns=2))
  below = pixels[300:]                                  # under the first row of pictures
  for ink in INK.values():
    assert (below == ink).all(axis=-1).any()


def test_where_nothing_was_left_out_the_key_does_not_speak_of_it():
  images = np.full((1, 40, 30, 3), 200, np.uint8)
  known, unknown = (
      np.asarray(tag_sheet(images, PROBABILITIES[None], DRAWN[None], drawn, NAMES, 0.5))
      for drawn in (DRAWN[None], None))
  key = slice(0, 30)
  assert (known[key] == INK['left out']).all(axis=-1).any()
  assert not (unknown[key] == INK['left out']).all(axis=-1).any()


def test_long_lists_are_cut_with_their_number():
  names = tuple(f'tag_with_a_rather_long_name_{index}' for index in range(40))
  sheet = tag_sheet(np.zeros((1, 8, 8, 3), np.uint8), np.full((1, 40), 0.9),
                    np.ones((1, 40), bool), None, names, 0.5)
  assert sheet.size[1] < 600
