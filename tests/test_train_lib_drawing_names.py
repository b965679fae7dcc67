"""Names on plots: told apart, in letters that there are, and beside dots without hiding any."""

import numpy as np
import pytest
from matplotlib.text import Text

from train_lib.drawing import names, plots


def named_plot(dots, count, text='a_name_of_some_length'):
  """(panel, the names on it) with the first dots named."""
  _, axes = plots.one_panel()
  axes.set_xlim(0, 1)
  axes.set_ylim(0, 1)
  names.name_dots(axes, dots, {row: f'{text}_{row}' for row in range(count)})
  axes.figure.draw_without_rendering()
  return axes, list(axes.texts)


def box_of(label):
  """Where its letters are, without the line to its dot."""
  return Text.get_window_extent(label)


@pytest.mark.parametrize('spread', [0.0, 0.02, 0.4])
def test_no_name_covers_another_or_leaves_the_panel(spread):
  rng = np.random.default_rng(0)
  for corner in ((0.02, 0.02), (0.5, 0.5), (0.98, 0.98)):
    dots = np.clip(rng.normal(corner, spread, (60, 2)), 0, 1)
    axes, texts = named_plot(dots, 8)
    boxes, area = [box_of(text) for text in texts], axes.get_window_extent()
    assert len(texts) == 8
    for row, box in enumerate(boxes):
      assert not any(box.overlaps(other) for other in boxes[row + 1:])
      assert area.x0 <= box.x0 and box.x1 <= area.x1 and area.y0 <= box.y0 and box.y1 <= area.y1


def test_a_name_without_room_is_left_out():
  _, texts = named_plot(np.full((90, 2), 0.5), 90)
  assert 8 < len(texts) < 90


def test_a_name_hides_no_dot_where_there_is_room():
  dots = np.array([(0.5, 0.5), *((x, 0.5) for x in np.linspace(0.52, 0.9, 40))])
  axes, (text,) = named_plot(dots, 1)
  box, pixels = box_of(text), axes.transData.transform(dots)
  assert not any(box.contains(*pixel) for pixel in pixels)


def test_a_name_stands_nearer_to_its_own_dot():
  dots = np.array([(0.5, 0.5), (0.54, 0.5)])
  axes, texts = named_plot(dots, 2)
  pixels = axes.transData.transform(dots)
  for row, text in enumerate(texts):
    box = box_of(text)
    own, other = (np.hypot(*(pixels[dot] - np.clip(pixels[dot], box.min, box.max)))
                  for dot in (row, 1 - row))
    assert own < other


def test_nothing_named_draws_nothing():
  axes, texts = named_plot(np.zeros((3, 2)), 0)
  assert not texts and not axes.collections


def test_names_are_shortened_only_so_far_that_they_stay_apart():
  same_ends = [f'the beginning {number} and the ending' + 12 * '.' for number in (1, 2)]
  written, _ = names.drawable([*same_ends, 'short'])
  assert len(set(written)) == 3 and written[2] == 'short'
  far, _ = names.drawable([20 * 'a' + 20 * 'b', 'c'])
  assert len(far[0]) <= names.NAME_LETTERS[0] and '…' in far[0]


def test_a_letter_that_no_font_has_is_written_as_its_number():
  written, families = names.drawable(['\U000f1234', 'two\nlines', 'волк'])
  assert written == ['\\U000f1234', 'two\\nlines', 'волк'] and families[0] == 'DejaVu Sans'
