"""Sheets of scans say what is what; the map of the latent space shows what varies."""

import cv2
import numpy as np
import pytest

from tests.small_scans import make_squares
from train_lib.drawing.grid import CELL_PX, GAP_PX
from train_lib.drawing.pictures import INK, MARGIN_PX
from train_lib.scans import scan_pictures
from train_lib.scans.scan_pictures import (
  FULL_COLOUR,
  TOO_BRIGHT,
  TOO_DARK,
  anchored_sheet,
  encode_grey,
  grey,
  interpolation_strips,
  latent_map,
  reconstruction_sheet,
  restoration_sheet,
  sample_sheet,
  signed,
  spread,
)

RNG = np.random.default_rng(0)
TARGET = make_squares(1, 0)[0, ..., 0]


def said(monkeypatch, draw):
  """(cells, titles, notes, texts) that a sheet hands to the grid."""
  handed = []
  monkeypatch.setattr(scan_pictures, 'draw_grid', lambda *args: handed.extend(args))
  draw()
  return handed


def test_a_difference_is_white_where_there_is_none_and_tells_its_sign():
  shown = signed(np.array([[0, FULL_COLOUR, -FULL_COLOUR], [9, -9, np.nan]]))
  assert (shown[0, 0] == 255).all() and (shown[1, 2] == 255).all()
  for place, colour in (((0, 1), TOO_BRIGHT), ((1, 0), TOO_BRIGHT), ((0, 2), TOO_DARK),
                        ((1, 1), TOO_DARK)):
    np.testing.assert_array_equal(shown[place], colour)


def test_grey_is_clipped_and_takes_a_channel_or_none():
  shown = grey(np.array([[-1, 0.5, 2]]))
  np.testing.assert_array_equal(shown[..., 0], [[0, 128, 255]])
  np.testing.assert_array_equal(grey(np.array([[[-1], [0.5], [2]]])), shown)


def test_a_picture_is_stored_in_16_bits_without_loss_of_its_levels():
  levels = np.arange(256 * 256).reshape(256, 256, 1)
  encoded = encode_grey((levels / 65_535).astype(np.float32))
  pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
  np.testing.assert_array_equal(pixels, levels[..., 0])


def test_psnr_stands_under_all_but_the_clean_scan_and_the_best_restoration_is_green(monkeypatch):
  net, other = TARGET + 0.1, TARGET + 0.01
  cells, titles, notes, texts = said(monkeypatch, lambda: reconstruction_sheet(
      [('a#1', [TARGET, TARGET + 0.001, net, other])], ['clean', 'seen', 'net', 'median'],
      ['a note']))
  assert texts[0][0] == [('missed', 'a#1')]
  assert [lines[0] for lines in texts[0][1:4]] == [
      ('plain', 'PSNR 60.0 dB'), ('plain', 'PSNR 20.0 dB'), ('found', 'PSNR 40.0 dB')]
  assert texts[0][4] == [('plain', 'mean error 0.100')] and notes[0] == 'a note'
  assert [lines[0] for lines in titles] == ['clean', 'seen', 'net', 'median', 'error of the net']
  np.testing.assert_array_equal(cells[0][4], signed(np.full_like(TARGET, 0.1)))


def test_an_equal_picture_has_no_decibels(monkeypatch):
  *_, texts = said(monkeypatch, lambda: reconstruction_sheet(
      [('a', [TARGET, TARGET, TARGET])], ['clean', 'seen', 'net']))
  assert texts[0][1:3] == [[('plain', 'the same')], [('found', 'the same')]]


def test_the_sheet_of_restorations_needs_no_truth(monkeypatch):
  cells, titles, _, texts = said(monkeypatch, lambda: restoration_sheet(
      [('a', TARGET, TARGET - 0.2)]))
  assert [lines[0] for lines in titles] == ['as it came', 'restored', 'what was changed']
  assert texts[0] == [[('missed', 'a')], [], [('plain', 'mean 0.200')]]
  np.testing.assert_array_equal(cells[0][2], signed(np.full_like(TARGET, -0.2)))


@pytest.mark.parametrize('shape', [(16, 16), (300, 200), (1, 1), (16, 16, 1)])
def test_every_sheet_takes_pictures_of_any_shape(shape):
  picture = RNG.random(shape)
  for sheet in (reconstruction_sheet([('a', [picture] * 3)], ['clean', 'seen', 'net']),
                restoration_sheet([('a', picture, picture)]),
                interpolation_strips([[picture] * 4], [('a', 'b')]),
                sample_sheet([picture]), anchored_sheet([('a', picture, [picture])])):
    assert sheet.mode == 'RGB' and min(sheet.size) > CELL_PX


def test_the_ends_of_a_strip_are_framed_and_nothing_between():
  black = np.zeros((8, 8))
  sheet = np.asarray(interpolation_strips([[black] * 4], [('first', 'last')]))
  top = next(row for row in range(len(sheet)) if (sheet[row] == INK['found']).all(axis=-1).sum()
             > CELL_PX)
  for column in range(4):
    left = MARGIN_PX + column * (CELL_PX + GAP_PX)
    framed = (sheet[top + 2, left:left + CELL_PX] == INK['found']).all()
    assert framed == (column in (0, 3))


def test_a_sheet_of_few_has_room_for_what_is_said_of_them():
  few, many = sample_sheet([TARGET], ['x' * 60]), sample_sheet([TARGET] * 20, ['x' * 60])
  assert 2 * CELL_PX < few.size[0] < many.size[0] and many.size[1] > 2 * few.size[1]


def labels(figure):
  axes = figure.axes[0]
  return axes.get_xlabel(), axes.get_ylabel()


def legend(figure):
  return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_map_says_how_much_of_the_variance_it_shows():
  means = np.zeros((40, 6))
  means[:, 2], means[:, 5] = RNG.normal(0, 3, 40), RNG.normal(0, 1, 40)
  x, y = labels(latent_map(means))
  shares = [float(text.split('(')[1].split(' ')[0]) for text in (x, y)]
  assert shares[0] > shares[1] and sum(shares) == pytest.approx(100, abs=0.2)


def test_drawn_vectors_have_no_say_in_the_map():
  means = RNG.normal(size=(30, 4))
  assert labels(latent_map(means)) == labels(
      latent_map(means, others={'drawn': 100 * RNG.normal(size=(9, 4))}))
  figure = latent_map(means, others={'drawn': means[:5]}, name='scans of the test split')
  assert legend(figure) == ['scans of the test split (30)', 'drawn (5)']
  scans, drawn = (dots.get_offsets() for dots in figure.axes[0].collections)
  np.testing.assert_allclose(drawn, scans[:5], atol=1e-9)


def test_a_collapsed_posterior_and_a_single_unit_have_a_map_too():
  assert latent_map(np.zeros((2, 5))) is None
  collapsed = latent_map(np.ones((9, 5)), picture=lambda row: TARGET,
                         others={'drawn': RNG.normal(size=(4, 5))})
  assert 'not used' in collapsed.get_suptitle() and '(0.0 %' in labels(collapsed)[0]
  assert '(100.0 %' in labels(latent_map(RNG.normal(size=(9, 1)), others={
      'drawn': np.zeros((2, 1))}))[0]


def test_thumbnails_are_those_of_their_points_and_unreadable_ones_are_left_out():
  means, asked = RNG.normal(size=(50, 3)), []

  def picture(row):
    asked.append(row)
    return None if row % 2 else TARGET

  figure = latent_map(means, picture=picture)
  shown = [row for row in asked if row % 2 == 0]
  boxes = [artist for artist in figure.axes[0].artists]
  places = figure.axes[0].collections[0].get_offsets()
  np.testing.assert_allclose([box.xy for box in boxes], places[shown])
  assert len(set(asked)) == len(asked) > 4


def test_chosen_points_are_far_from_one_another():
  places = RNG.normal(size=(500, 2)) * (1, 50)
  rows = spread(places, 12, 0.1)
  scaled = (places - places.min(axis=0)) / np.ptp(places, axis=0)
  distances = np.linalg.norm(scaled[rows][:, None] - scaled[rows][None], axis=-1)
  assert len(rows) == 12 and distances[~np.eye(12, dtype=bool)].min() >= 0.1
  assert spread(np.zeros((5, 2)), 12, 0.1) == [0]
