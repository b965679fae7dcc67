"""Sheets of predictions say what was found, left out, wrong and missed."""

import numpy as np
import pytest

from train_lib.pictures import INK, suspect_sheet, tag_lines, tag_sheet

NAMES = ('a', 'b', 'c', 'd', 'e')
PROBABILITIES = np.array([0.9, 0.8, 0.7, 0.3, 0.1])
LABELS = np.array([True, False, False, True, False])
DRAWN = np.array([True, True, False, True, False])


def test_lines_are_sorted_and_told_apart():
  lines = tag_lines(PROBABILITIES, LABELS, DRAWN, NAMES, threshold=0.5)
  assert lines == [('found', '+ a 90'), ('left out', '~ b 80'), ('wrong', '! c 70'),
                   ('missed', '- d 30')]


def test_a_tag_can_stand_before_the_more_probable_ones():
  lines = tag_lines(PROBABILITIES, LABELS, DRAWN, NAMES, threshold=0.5, first=2)
  assert [text for _, text in lines] == ['! c 70', '+ a 90', '~ b 80', '- d 30']


def test_a_sheet_shows_each_kind_in_its_ink():
  images = np.full((3, 40, 30, 3), 200, np.uint8)
  rows = [np.stack([row] * 3) for row in (PROBABILITIES, LABELS, DRAWN)]
  pixels = np.asarray(tag_sheet(images, *rows, NAMES, threshold=0.5))
  below = pixels[270:]                                  # under the pictures
  for kind in ('found', 'left out', 'wrong', 'missed'):
    assert (below == INK[kind]).all(axis=-1).any()


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


def sheet_of(name):
  return np.asarray(tag_sheet(np.zeros((1, 8, 8, 3), np.uint8), np.array([[0.9]]),
                              np.array([[True]]), None, (name,), 0.5, title='one'))


@pytest.mark.parametrize('name', ['pokémon', 'волк', '★', 'ねこみみ', 'two\nlines', '\udcff'])
def test_names_in_any_script_are_drawn_and_told_apart(name):
  assert (sheet_of(name) != sheet_of(name.translate({ord(name[-1]): 'ø'}))).any()


def test_a_letter_that_no_font_has_is_written_as_its_number():
  private = '\U000f1234'
  np.testing.assert_array_equal(sheet_of(private), sheet_of('\\U000f1234'))


def test_a_caption_stands_above_the_tags_and_costs_no_line_of_them():
  names = tuple(f'tag{index}' for index in range(40))
  arguments = (np.zeros((1, 8, 8, 3), np.uint8), np.full((1, 40), 0.9), np.ones((1, 40), bool),
               None, names, 0.5)
  plain, captioned = tag_sheet(*arguments), tag_sheet(*arguments, captions=['F1 0.92'])
  first = np.asarray(captioned)[270:285]
  assert (first == INK['plain']).all(axis=-1).any()
  np.testing.assert_array_equal(np.asarray(captioned)[287:], np.asarray(plain)[270:])


def test_suspects_are_told_apart_by_their_ink():
  images = [np.full((8, 8, 3), 200, np.uint8)] * 2
  pixels = np.asarray(suspect_sheet(images, ['hat', 'coat'], [False, True], [0.97, 0.02],
                                    ['a/1.jpg', 'a/2.jpg']))
  below = pixels[280:]
  left, right = below[:, :240], below[:, 240:480]
  for half, shown, absent in ((left, 'left out', 'wrong'), (right, 'wrong', 'left out')):
    assert (half == INK[shown]).all(axis=-1).any()
    assert not (half == INK[absent]).all(axis=-1).any()
