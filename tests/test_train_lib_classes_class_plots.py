"""Plots of a classifier show what they are given, name what is left out, and cut nothing off."""

import numpy as np
import pytest

from train_lib.classes import class_metrics, class_plots
from train_lib.classes.class_collector import ClassCollector
from train_lib.classes.class_metrics import Confusions


def collect(num_classes, rows=400, strength=2.0):
  rng = np.random.default_rng(num_classes)
  label = rng.integers(num_classes, size=rows)
  logits = rng.normal(size=(rows, num_classes)) + strength * np.eye(num_classes)[label]
  probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
  collector = ClassCollector(rows, num_classes)
  collector.add({'probabilities': probabilities}, {'label': label}, [''] * rows, np.arange(rows))
  return collector.finish()


def all_plots(collected, names):
  table = class_metrics.class_table(collected, len(names))
  bins = class_metrics.reliability(collected)
  return {
      'balance': class_plots.balance(np.stack([table.support] * 3, axis=1), names),
      'confusion': class_plots.confusion_matrix(
          class_metrics.confusions(collected, len(names)), table.support, names),
      'f1': class_plots.f1_by_class(table, table.support, names),
      'frequency': class_plots.f1_by_frequency(table.support, table.f1, table.support),
      'calibration': class_plots.reliability(bins, class_metrics.calibration_error(bins))}


def matrix(figure):
  return figure.axes[0].images[0].get_array()


def labels(figure, axis='y'):
  return [text.get_text() for text in getattr(figure.axes[0], f'get_{axis}ticklabels')()]


@pytest.mark.parametrize('num_classes', [2, 12, 150])
def test_nothing_is_cut_off(num_classes):
  names = [f'{number} is a class with a name that is far too long for a plot, and has $ in it'
           for number in range(num_classes)]
  for name, figure in all_plots(collect(num_classes), names).items():
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, name


def test_cells_are_shares_of_their_row_and_hold_counts():
  confusions = Confusions(np.array([0, 2]), np.array([1, 0]), np.array([3, 1]))
  figure = class_plots.confusion_matrix(confusions, np.array([4, 0, 2]), 'abc')
  np.testing.assert_allclose(matrix(figure), [[0.25, 0.75, 0], [0, 0, 0], [0.5, 0, 0.5]])
  written = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
  assert written == {(0, 0): '1', (1, 0): '3', (0, 2): '1', (2, 2): '1'}
  assert '4 of 6 pictures are wrong' in figure.get_suptitle()


def test_of_many_classes_the_most_confused_are_drawn_and_the_rest_is_joined():
  support = np.full(60, 10)
  confusions = Confusions(np.array([50, 7, *range(40)]), np.array([7, 50, *range(20, 60)]),
                          np.array([9, 8, *[1] * 40]))
  figure = class_plots.confusion_matrix(confusions, support, [f'c{k}' for k in range(60)])
  shares = matrix(figure)
  assert shares.shape == (class_plots.MANY_SHOWN, class_plots.MANY_SHOWN + 1)
  np.testing.assert_allclose(shares.sum(axis=1), 1)
  rows, columns = labels(figure), labels(figure, 'x')
  assert {'c7', 'c50'} <= set(rows) and columns == [*rows, class_plots.OTHERS]
  assert shares[rows.index('c50'), columns.index('c7')] == 0.9
  assert shares[rows.index('c50'), columns.index('c50')] == pytest.approx(0.1)
  assert f'{class_plots.MANY_SHOWN} most confused of 60' in figure.get_suptitle()
  assert not figure.axes[0].texts


def test_many_classes_without_a_mistake_are_no_error():
  none = Confusions(*[np.zeros(0, np.int64)] * 3)
  figure = class_plots.confusion_matrix(none, np.full(60, 3), [f'c{k}' for k in range(60)])
  figure.draw_without_rendering()
  np.testing.assert_array_equal(matrix(figure)[:, :-1], np.eye(class_plots.MANY_SHOWN))
  assert '0 of 180 pictures are wrong' in figure.get_suptitle()


def table(f1, support):
  f1, support = np.array(f1), np.array(support)
  return class_metrics.ClassTable(f1, f1, f1, support, support)


def test_the_balance_shows_each_class_split_by_split_the_largest_first():
  figure = class_plots.balance(np.array([[20, 3, 2], [1000, 0, 9]]), ['cat', 'dog'])
  assert labels(figure) == ['dog (1,000 / 0 / 9)', 'cat (20 / 3 / 2)']
  bars = [[(bar.get_x(), bar.get_width()) for bar in split] for split in figure.axes[0].containers]
  assert bars == [[(0, 1000), (0, 20)], [(1000, 0), (20, 3)], [(1000, 9), (23, 2)]]


def test_of_many_classes_the_largest_and_the_smallest_are_shown():
  counts = np.stack([np.arange(100), np.ones(100, int), np.ones(100, int)], axis=1)
  figure = class_plots.balance(counts, [f'c{k}' for k in range(100)])
  shown = labels(figure)
  assert len(shown) == class_plots.ALL_NAMED
  assert shown[0].startswith('c99 ') and shown[-1].startswith('c0 ')
  assert 'the 20 largest and the 20 smallest of 100 classes' in figure.get_suptitle()


def test_the_best_class_is_on_top_and_classes_without_a_picture_are_counted():
  figure = class_plots.f1_by_class(table([0.2, 0.9, 0.0, 0.5], [5, 1200, 0, 1]),
                                   np.array([30, 4000, 7, 0]), ['a', 'b', 'c', 'd'])
  assert labels(figure) == ['b (4,000 / 1,200)', 'd (0 / 1)', 'a (30 / 5)']
  places = list(figure.axes[0].get_yticks())
  assert places == sorted(places, reverse=True)
  assert '1 without a test picture' in figure.get_suptitle()


def test_of_many_classes_those_of_the_lowest_f1_are_named():
  figure = class_plots.f1_by_class(table(np.linspace(1, 0, 100), np.full(100, 2)),
                                   np.full(100, 9), [f'c{k}' for k in range(100)])
  shown = labels(figure)
  assert shown[-1] == 'c99 (9 / 2)' and len(shown) == class_plots.ALL_NAMED
  assert f'{class_plots.ALL_NAMED} classes of the lowest F1, of 100' in figure.get_suptitle()


def test_classes_that_a_split_lacks_have_no_dot():
  figure = class_plots.f1_by_frequency(np.array([9, 0, 7]), np.array([0.5, 0.3, 0]),
                                       np.array([2, 2, 0]))
  dots, = figure.axes[0].collections
  np.testing.assert_allclose(dots.get_offsets(), [(9, 0.5)])
  assert '2 that one split lacks' in figure.axes[0].get_xlabel()
  class_plots.f1_by_frequency(np.zeros(1), np.zeros(1), np.zeros(1)).draw_without_rendering()


def test_bars_of_calibration_stand_where_there_are_pictures():
  collected = collect(5, rows=40)
  bins = class_metrics.reliability(collected)
  figure = class_plots.reliability(bins, 0.0689)
  above, below = ([(bar.get_x(), bar.get_height()) for bar in axes.patches]
                  for axes in figure.axes)
  assert len(above) == (bins.count > 0).sum() < len(below) == len(bins.count)
  np.testing.assert_allclose([height for _, height in below], bins.count)
  np.testing.assert_allclose([height for _, height in above], bins.accuracy[bins.count > 0])
  assert 'expected calibration error 6.9 %' in figure.get_suptitle()
