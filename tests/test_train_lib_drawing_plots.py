"""Plots show what they are given, leave out what has no place and say so, and cut nothing off."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from train_lib.drawing import plots

CATEGORIES = ('general', 'character', 'copyright', 'artist', 'meta')
ROWS = [plots.Interval('first', 0.4, 0.3, 0.5, (0.35, 0.45)),
        plots.Interval('a $ and a_rather_long_name of a row', 0.6, 0.5, 0.7, (0.6,)),
        plots.Interval('third', 0.5, 0.5, 0.5)]


def tags(number):
  """Counts, F1 and categories of so many tags, from frequent to rare."""
  rng = np.random.default_rng(0)
  counts = (number * 30 / np.arange(1, number + 1)).astype(int)
  return counts, rng.random(number), [CATEGORIES[tag % 5] for tag in range(number)]


def curves(names):
  recall = np.linspace(1, 0.1, 50)
  return {name: (1 - recall / (2 + place), recall) for place, name in enumerate(names)}


def all_plots(number):
  counts, f1, categories = tags(number)
  names = ('all', *CATEGORIES)
  return {'f1': plots.f1_by_frequency(counts, f1, categories, 0.32),
          'frequencies': plots.tag_frequencies(counts, categories, 50 * number),
          'curves': plots.precision_recall(curves(names), {name: (0.5, 0.5) for name in names}),
          'intervals': plots.intervals(ROWS * 4, 'macro F1 (0 to 1)', 'first')}


@pytest.mark.parametrize('number', [5, 104, 70_000])
def test_nothing_is_cut_off_and_the_legend_hides_nothing(number):
  for name, figure in all_plots(number).items():
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, name
    axes, = figure.axes
    for legend in figure.legends:
      labels = [text.get_window_extent() for text in axes.texts]
      for other in (axes.get_window_extent(), *labels):
        assert not legend.get_window_extent().overlaps(other), name


def test_files_are_pngs_with_something_in_them(tmp_path):
  for name, figure in all_plots(104).items():
    plots.save(figure, tmp_path / f'{name}.png')
    pixels = np.asarray(Image.open(tmp_path / f'{name}.png').convert('RGB'))
    assert pixels.shape[1] > 800 and pixels.std() > 5, name


def test_the_running_median_is_that_of_tags_about_as_frequent():
  counts = np.array([4, 4, 5, 8, 9, 9, 40])
  middle, values = plots.running_median(counts, np.array([0.1, 0.3, 0.2, 0.9, 0.7, 0.8, 0.5]))
  np.testing.assert_allclose(middle, [4, 9])
  np.testing.assert_allclose(values, [0.2, 0.8])            # one tag alone has no median


def dots(figure):
  collection, = figure.axes[0].collections
  return {(int(x), round(float(y), 2)) for x, y in collection.get_offsets()}


def test_tags_without_a_count_or_an_f1_are_left_out_and_counted():
  figure = plots.f1_by_frequency([9, 0, 7], [0.5, 0.2, np.nan], ['general', 'meta', 'artist'],
                                 0.3)
  assert dots(figure) == {(9, 0.5)}
  assert '2 that one split lacks' in figure.axes[0].get_xlabel()
  whole = plots.f1_by_frequency([9, 7], [0.5, 0.2], ['general', 'meta'], 0.3)
  assert dots(whole) == {(9, 0.5), (7, 0.2)} and 'lacks' not in whole.axes[0].get_xlabel()


def test_a_category_with_many_tags_has_its_own_median():
  counts, f1, categories = tags(5 * plots.MANY_TAGS)
  lines = [line for line in plots.f1_by_frequency(counts, f1, categories, 0.3).axes[0].lines
           if len(line.get_xdata()) > 1]
  assert len(lines) == len(CATEGORIES) + 1
  few = plots.f1_by_frequency(counts[:100], f1[:100], categories[:100], 0.3).axes[0].lines
  assert len([line for line in few if len(line.get_xdata()) > 1]) == 1


def test_no_tag_at_all_gives_an_empty_plot(tmp_path):
  plots.save(plots.f1_by_frequency([0], [np.nan], ['general'], 0.3), tmp_path / 'f1.png')
  plots.save(plots.tag_frequencies([0], ['general'], 3), tmp_path / 'frequencies.png')
  assert len(list(tmp_path.iterdir())) == 2


def line_of(figure, label):
  line, = [line for line in figure.axes[0].lines if line.get_label() == label]
  return line


def test_the_frequencies_fall_and_each_category_has_its_own_ranks():
  figure = plots.tag_frequencies([5, 80, 0, 30], ['meta', 'general', 'general', 'general'], 100)
  np.testing.assert_array_equal(line_of(figure, 'all (4)').get_xydata(), [(1, 80), (2, 30), (3, 5)])
  np.testing.assert_array_equal(line_of(figure, 'general (3)').get_xydata(), [(1, 80), (2, 30)])
  np.testing.assert_array_equal(line_of(figure, 'meta (1)').get_xydata(), [(1, 5)])
  assert 'not shown: 1 that no training picture has' in figure.axes[0].get_xlabel()


def test_one_category_is_not_drawn_twice():
  figure = plots.tag_frequencies([5, 8], ['general'] * 2, 10)
  assert [text.get_text() for text in figure.legends[0].get_texts()] == ['general (2)']


def test_a_curve_has_no_precision_where_nothing_is_predicted():
  figure = plots.precision_recall({'meta': ([0.0, 0.6, 0.2], [0.0, 0.4, 1.0])},
                                  {'meta': (0.6, 0.4)})
  np.testing.assert_array_equal(line_of(figure, 'meta').get_xydata(), [(0.4, 0.6), (1.0, 0.2)])
  assert (0.4, 0.6) in {tuple(line.get_xydata()[0]) for line in figure.axes[0].lines
                        if len(line.get_xydata()) == 1}


def test_nothing_found_at_the_tuned_threshold_has_no_dot():
  figure = plots.precision_recall({'meta': ([0.0, 0.5], [0.0, 0.4])}, {'meta': (0.0, 0.0)})
  dots = [line for line in figure.axes[0].lines if line.get_marker() == 'o']
  assert [len(line.get_xdata()) for line in dots] == [0]      # of the legend alone


def test_f1_by_frequency_names_its_threshold():
  axes, = plots.f1_by_frequency([9], [0.5], ['general'], 0.32).axes
  assert 'at 0.32, tuned for micro F1' in axes.get_ylabel()


def test_lines_of_equal_f1_lie_where_they_say():
  figure = plots.precision_recall({}, {})
  pale = [line for line in figure.axes[0].lines if line.get_color() == plots.PALE]
  for f1, line in zip(np.arange(1, 10) / 10, pale, strict=True):
    recall, precision = line.get_xydata().T
    np.testing.assert_allclose(2 * precision * recall / (precision + recall), f1)


def test_the_first_row_is_on_top_and_the_reference_goes_through_all():
  axes, = plots.intervals(ROWS, 'F1', 'third').axes
  names = [label.get_text() for label in axes.get_yticklabels()]
  assert names == [row.name for row in ROWS]
  places = list(axes.get_yticks())
  assert places == sorted(places, reverse=True)
  reference, = [line for line in axes.lines if line.get_linestyle() == '--']
  assert set(reference.get_xdata()) == {0.5}
  assert not [line for line in plots.intervals(ROWS, 'F1').axes[0].lines
              if line.get_linestyle() == '--']


def test_no_figure_is_kept_by_matplotlib():
  code = ('import sys\nfrom train_lib.drawing import plots\n'
          'plots.tag_frequencies([3], ["meta"], 9)\n'
          'assert "matplotlib.pyplot" not in sys.modules')
  root = pathlib.Path(__file__).parent.parent
  subprocess.run([sys.executable, '-c', code], cwd=root, check=True)
