"""Plots of tags show what they are given, name some, leave out what has no place and say so."""

import numpy as np
import pytest
from PIL import Image

from train_lib.drawing import plots
from train_lib.tags import tag_plots

CATEGORIES = ('general', 'character', 'copyright', 'artist', 'meta')


def tags(number):
  """Counts, F1 and categories of so many tags, from frequent to rare."""
  rng = np.random.default_rng(0)
  counts = (number * 30 / np.arange(1, number + 1)).astype(int)
  return counts, rng.random(number), [CATEGORIES[tag % 5] for tag in range(number)]


def curves(names):
  recall = np.linspace(1, 0.1, 50)
  return {name: (1 - recall / (2 + place), recall) for place, name in enumerate(names)}


def f1_plot(counts, f1, categories, threshold=0.3):
  return tag_plots.f1_by_frequency(
      counts, f1, categories, [f'tag_{row}' for row in range(len(counts))], threshold)


def all_plots(number):
  counts, f1, categories = tags(number)
  names = ('all', *CATEGORIES)
  return {'f1': f1_plot(counts, f1, categories),
          'frequencies': tag_plots.tag_frequencies(counts, categories, 50 * number),
          'curves': tag_plots.precision_recall(
              curves(names), {name: (0.5, 0.5) for name in names})}


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
      for other in (axes.get_window_extent(), axes.get_tightbbox(), *labels):
        assert not legend.get_window_extent().overlaps(other), name


def test_files_are_pngs_with_something_in_them(tmp_path):
  for name, figure in all_plots(104).items():
    plots.save(figure, tmp_path / f'{name}.png')
    pixels = np.asarray(Image.open(tmp_path / f'{name}.png').convert('RGB'))
    assert pixels.shape[1] > 800 and pixels.std() > 5, name


def dots(figure):
  collection = figure.axes[0].collections[0]                # then come the rings of those named
  return {(int(x), round(float(y), 2)) for x, y in collection.get_offsets()}


def test_tags_without_a_count_or_an_f1_are_left_out_and_counted():
  figure = f1_plot([9, 0, 7], [0.5, 0.2, np.nan], ['general', 'meta', 'artist'])
  assert dots(figure) == {(9, 0.5)}
  assert '2 that one split lacks' in figure.axes[0].get_xlabel()
  whole = f1_plot([9, 7], [0.5, 0.2], ['general', 'meta'])
  assert dots(whole) == {(9, 0.5), (7, 0.2)} and 'lacks' not in whole.axes[0].get_xlabel()


def test_a_category_with_many_tags_has_its_own_median():
  counts, f1, categories = tags(5 * tag_plots.MANY_TAGS)
  lines = [line for line in f1_plot(counts, f1, categories).axes[0].lines
           if len(line.get_xdata()) > 1]
  assert len(lines) == len(CATEGORIES) + 1
  few = f1_plot(counts[:100], f1[:100], categories[:100]).axes[0].lines
  assert len([line for line in few if len(line.get_xdata()) > 1]) == 1


def test_no_tag_at_all_gives_an_empty_plot(tmp_path):
  plots.save(f1_plot([0], [np.nan], ['general']), tmp_path / 'f1.png')
  plots.save(tag_plots.tag_frequencies([0], ['general'], 3), tmp_path / 'frequencies.png')
  assert len(list(tmp_path.iterdir())) == 2


def line_of(figure, label):
  line, = [line for line in figure.axes[0].lines if line.get_label() == label]
  return line


def test_the_frequencies_fall_and_each_category_has_its_own_ranks():
  figure = tag_plots.tag_frequencies([5, 80, 0, 30], ['meta', 'general', 'general', 'general'], 100)
  np.testing.assert_array_equal(line_of(figure, 'all (4)').get_xydata(), [(1, 80), (2, 30), (3, 5)])
  np.testing.assert_array_equal(line_of(figure, 'general (3)').get_xydata(), [(1, 80), (2, 30)])
  np.testing.assert_array_equal(line_of(figure, 'meta (1)').get_xydata(), [(1, 5)])
  assert 'not shown: 1 that no training picture has' in figure.axes[0].get_xlabel()


def test_one_category_is_not_drawn_twice():
  figure = tag_plots.tag_frequencies([5, 8], ['general'] * 2, 10)
  assert [text.get_text() for text in figure.legends[0].get_texts()] == ['general (2)']


def test_a_curve_has_no_precision_where_nothing_is_predicted():
  figure = tag_plots.precision_recall({'meta': ([0.0, 0.6, 0.2], [0.0, 0.4, 1.0])},
                                  {'meta': (0.6, 0.4)})
  np.testing.assert_array_equal(line_of(figure, 'meta').get_xydata(), [(0.4, 0.6), (1.0, 0.2)])
  assert (0.4, 0.6) in {tuple(line.get_xydata()[0]) for line in figure.axes[0].lines
                        if len(line.get_xydata()) == 1}


def test_nothing_found_at_the_tuned_threshold_has_no_dot():
  figure = tag_plots.precision_recall({'meta': ([0.0, 0.5], [0.0, 0.4])}, {'meta': (0.0, 0.0)})
  dots = [line for line in figure.axes[0].lines if line.get_marker() == 'o']
  assert [len(line.get_xdata()) for line in dots] == [0]      # of the legend alone


def test_f1_by_frequency_names_its_threshold():
  axes, = f1_plot([9], [0.5], ['general'], 0.32).axes
  assert 'at 0.32, tuned for micro F1' in axes.get_ylabel()


def names_on(figure):
  return [text.get_text() for text in figure.axes[0].texts]


def test_the_best_and_the_worst_tags_are_named():
  f1 = np.linspace(0, 1, 30)
  figure = f1_plot(100 + np.random.default_rng(0).permutation(30), f1, ['general'] * 30)
  assert set(names_on(figure)) == {f'tag_{row}' for row in (*range(5), *range(25, 30))}
  assert 'the 5 best and 5 worst; of equal ones the rarest' in figure.axes[0].get_title(loc='left')


def test_of_equal_ones_the_rarest_of_the_best_and_the_most_frequent_of_the_worst_are_named():
  f1 = np.repeat([1.0, 0.5, 0.0], 10)
  figure = f1_plot(10 * np.tile(np.arange(1, 11), 3), f1, ['general'] * 30)
  assert set(names_on(figure)) == {f'tag_{row}' for row in (*range(5), *range(25, 30))}


def test_few_tags_are_named_once_each():
  figure = f1_plot([5, 9, 20], [0.1, 0.5, 0.9], ['general'] * 3)
  assert sorted(names_on(figure)) == ['tag_0', 'tag_1', 'tag_2']
  assert figure.axes[0].get_title(loc='left') == 'named: every tag that is shown'
  whole = names_on(f1_plot([5, 0, 20], [0.1, 0.5, 0.9], ['general'] * 3))
  assert sorted(whole) == ['tag_0', 'tag_2']                # not of a dot that is left out


def test_lines_of_equal_f1_lie_where_they_say():
  figure = tag_plots.precision_recall({}, {})
  pale = [line for line in figure.axes[0].lines if line.get_color() == plots.PALE]
  for f1, line in zip(np.arange(1, 10) / 10, pale, strict=True):
    recall, precision = line.get_xydata().T
    np.testing.assert_allclose(2 * precision * recall / (precision + recall), f1)
