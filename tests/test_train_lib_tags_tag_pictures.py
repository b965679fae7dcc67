"""Sheets of tags say what was found, left out, wrong and missed."""

import numpy as np
import pytest

from train_lib.drawing.pictures import INK
from train_lib.tags import tag_pictures
from train_lib.tags.tag_pictures import suspect_sheet, tag_lines, tag_sheet

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


def lines_of_sheet(monkeypatch, num_given, num_missed):
  """What a sheet says below a picture with so many tags."""
  drawn = []
  monkeypatch.setattr(tag_pictures, 'draw_sheet', lambda images, texts, header: drawn.extend(texts))
  number = num_given + num_missed
  probabilities = np.linspace(0.9, 0.1, number)
  threshold = 0 if not num_missed else probabilities[num_given]
  tag_sheet(np.zeros((1, 8, 8, 3), np.uint8), probabilities[None], np.ones((1, number), bool),
            None, [f't{index}' for index in range(number)], threshold)
  return [text for _, text in drawn[0]]


@pytest.mark.parametrize('num_given, num_missed, given, missed, last', [
    (10, 4, 10, 4, None),
    (30, 0, 13, 0, 'more: 17 found'),
    (30, 9, 9, 4, 'more: 21 found, 5 missed'),
    (30, 2, 11, 2, 'more: 19 found'),
    (3, 20, 3, 10, 'more: 10 missed'),
    (0, 20, 0, 13, 'more: 7 missed'),
])
def test_long_lists_keep_some_of_what_was_missed_and_count_what_is_left_out(
    monkeypatch, num_given, num_missed, given, missed, last):
  lines = lines_of_sheet(monkeypatch, num_given, num_missed)
  shown = lines if last is None else lines[:-1]
  names = [line.split()[:2] for line in shown]
  assert names == [*(['+', f't{index}'] for index in range(given)),
                   *(['-', f't{num_given + index}'] for index in range(missed))]
  assert last is None or lines[-1] == last
  assert len(lines) == tag_pictures.TEXT_LINES


def test_what_is_not_shown_is_counted_in_the_words_of_the_key(monkeypatch):
  drawn, number = [], 40
  monkeypatch.setattr(tag_pictures, 'draw_sheet', lambda images, texts, header: drawn.extend(texts))
  labels, truths = np.zeros((2, 1, number), bool)
  labels[:, :24], truths[:, :26] = True, True               # two left out of the list
  probabilities = np.linspace(0.9, 0.1, number)[None]
  tag_sheet(np.zeros((1, 8, 8, 3), np.uint8), probabilities, labels, truths, ['tag'] * number, 0.3)
  given = int((probabilities > 0.3).sum())
  assert drawn[0][-1] == ('plain', f'more: 13 found, {given - 26} wrong')


def test_a_sheet_is_as_high_as_its_longest_list_at_most():
  few, many, more = (
      tag_sheet(np.zeros((1, 8, 8, 3), np.uint8), np.full((1, number), 0.9),
                np.ones((1, number), bool), None, ['tag'] * number, 0.5).size[1]
      for number in (3, 14, 40))
  assert few < many == more


def test_a_caption_stands_above_the_tags_and_costs_no_line_of_them():
  names = tuple(f'tag{index}' for index in range(40))
  arguments = (np.zeros((1, 8, 8, 3), np.uint8), np.full((1, 40), 0.9), np.ones((1, 40), bool),
               None, names, 0.5)
  plain, captioned = tag_sheet(*arguments), tag_sheet(*arguments, captions=['F1 0.92'])
  first = np.asarray(captioned)[270:285]
  assert (first == INK['plain']).all(axis=-1).any()
  np.testing.assert_array_equal(np.asarray(captioned)[287:], np.asarray(plain)[270:])


def test_the_file_of_each_picture_stands_below_its_tags(monkeypatch):
  drawn = []
  monkeypatch.setattr(tag_pictures, 'draw_sheet', lambda images, texts, header: drawn.extend(texts))
  arguments = (np.zeros((2, 8, 8, 3), np.uint8), np.full((2, 40), 0.9), np.ones((2, 40), bool),
               None, ['tag'] * 40, 0.5)
  tag_sheet(*arguments, ids=['a/1.jpg', 'some/folder/that/is/deep/2.jpg'])
  assert [lines[-1] for lines in drawn] == [('missed', 'a/1.jpg'),
                                            ('missed', 'that/is/deep/2.jpg')]
  tag_sheet(*arguments)
  assert drawn[0][:-1] == drawn[2]


def test_suspects_are_told_apart_by_their_ink():
  images = [np.full((8, 8, 3), 200, np.uint8)] * 2
  pixels = np.asarray(suspect_sheet(images, [1, 7], ['hat', 'coat'], [False, True], [0.97, 0.02],
                                    ['a/1.jpg', 'a/2.jpg'], 'suspects'))
  below = pixels[280:]
  left, right = below[:, :240], below[:, 240:480]
  for half, shown, absent in ((left, 'left out', 'wrong'), (right, 'wrong', 'left out')):
    assert (half == INK[shown]).all(axis=-1).any()
    assert not (half == INK[absent]).all(axis=-1).any()
