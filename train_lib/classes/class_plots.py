"""Plots of a classifier: its classes, which it confuses, its F1 class by class, its calibration."""

from collections.abc import Sequence

import numpy as np

from train_lib.classes.class_metrics import ClassTable, Confusions, Reliability
from train_lib.drawing import plots
from train_lib.drawing.names import drawable
from train_lib.drawing.panels import COLOURS, GREY, key, new_figure, title

ALL_NAMED = 40                    # classes that find room with their names; of more, some are shown
COUNTS_WRITTEN = 20               # classes whose confusion matrix has room for numbers
MANY_SHOWN = 30                   # classes of the matrix where there are more than ALL_NAMED
OTHERS = 'any other class'


def balance(counts: np.ndarray, class_names: Sequence[str]):
  """How many pictures of each split the classes have, as bars in a row, the largest class first.

  Of more than ALL_NAMED classes the largest and the smallest are drawn, half of these each.

  Args: counts: int [K, 3], pictures of training, validation and test. Returns: a matplotlib Figure.
  """
  order, half = np.argsort(-counts[:, 0], kind='stable'), ALL_NAMED // 2
  shown = order if len(order) <= ALL_NAMED else np.concatenate([order[:half], order[-half:]])
  names, families = drawable([class_names[number] for number in shown])
  figure, panels = new_figure(1, 1, 9.0, 1.7 + 0.26 * max(3, len(shown)))
  axes, places, left = panels[0, 0], np.arange(len(shown))[::-1], np.zeros(len(shown))
  for column, split in enumerate(('training', 'validation', 'test')):
    width = counts[shown, column]
    axes.barh(places, width, left=left, color=COLOURS[column], alpha=0.7, height=0.75,
              label=f'{split}, {counts[:, column].sum():,} pictures')
    left = left + width
  axes.set_yticks(places, [f'{name} ({counts[k, 0]:,} / {counts[k, 1]:,} / {counts[k, 2]:,})'
                           for name, k in zip(names, shown, strict=True)],
                  parse_math=False, family=families, fontsize=9)
  axes.set_ylim(-0.7, max(len(shown), 1) - 0.3)
  axes.set_xlabel('pictures of the class')
  figure.legend(loc='outside lower center', ncols=3, frameon=False)
  title(figure, 'Pictures of each class (training / validation / test)' + (
      f'\nthe {half} largest and the {half} smallest of {len(order):,} classes'
      if len(shown) < len(order) else ''))
  return figure


def confused_classes(confusions: Confusions, num_classes: int, most: int) -> np.ndarray:
  """The classes of the most frequent mistakes, `most` of them, in rising order: int [n].

  Where too few were confused, the first of the others fill up.
  """
  together = np.stack([confusions.label, confusions.predicted], axis=1).ravel()
  together = np.concatenate([together, np.arange(num_classes)])
  classes, first = np.unique(together, return_index=True)
  return np.sort(classes[np.argsort(first)][:most])


def confusion_matrix(confusions: Confusions, support: np.ndarray, class_names: Sequence[str]):
  """The share of the pictures of each class (a row) that is said to be each class (a column).

  Up to COUNTS_WRITTEN classes the cells hold the numbers of pictures. Of more than ALL_NAMED
  classes only those of the most frequent mistakes are drawn, and what is said besides them is
  joined in a last column; a row sums to 1 in any case.

  Args: confusions: of the split; support: int [K], its pictures of each class.

  Returns:
    A matplotlib Figure.
  """
  from matplotlib.colors import PowerNorm
  num_classes = len(class_names)
  shown = (np.arange(num_classes) if num_classes <= ALL_NAMED else
           confused_classes(confusions, num_classes, MANY_SHOWN))
  counts = _counts_among(confusions, support, shown)
  names, families = drawable([class_names[number] for number in shown])
  side = max(2.0, (0.42 if len(shown) <= COUNTS_WRITTEN else 0.26) * len(shown))
  figure, panels = new_figure(1, 1, side + 4.6, side + 3.3)
  axes, of_row = panels[0, 0], counts.sum(axis=1, keepdims=True)
  axes.grid(False)
  # by the root, else a few pictures in a hundred could not be seen
  image = axes.imshow(counts / np.maximum(of_row, 1), cmap='Blues', norm=PowerNorm(0.5, 0, 1),
                      aspect='auto')
  columns = names + [OTHERS] * (counts.shape[1] > len(shown))
  style = dict(parse_math=False, family=families, fontsize=9)
  axes.set_yticks(range(len(names)), names, **style)
  axes.set_xticks(range(len(columns)), columns, rotation=90, **style)
  axes.set_ylabel('class of the picture')
  axes.set_xlabel('class that is said')
  if len(shown) <= COUNTS_WRITTEN:
    _write_counts(axes, counts, of_row)
  figure.colorbar(image, ax=axes, fraction=0.04, ticks=(0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1),
                  format='%g', label='share of the pictures of the row')
  of = '' if num_classes <= ALL_NAMED else f'\nthe {len(shown)} most confused of {num_classes:,}'
  title(figure, f'Confusions: {confusions.count.sum():,} of {support.sum():,} pictures are wrong'
        + of)
  return figure


def _counts_among(confusions, support, shown):
  """int64 [n, n], or [n, n + 1] where some classes are not shown."""
  place = np.full(len(support), len(shown))
  place[shown] = np.arange(len(shown))
  counts = np.zeros((len(shown) + 1, len(shown) + 1), np.int64)
  np.add.at(counts, (place[confusions.label], place[confusions.predicted]), confusions.count)
  right = support - np.bincount(confusions.label, confusions.count, len(support)).astype(np.int64)
  np.add.at(counts, (place, place), right)
  return counts[:-1] if len(shown) < len(support) else counts[:-1, :-1]


def _write_counts(axes, counts, support):
  for row, column in zip(*np.nonzero(counts), strict=True):
    dark = counts[row, column] > 0.35 * support[row, 0]
    axes.text(column, row, f'{counts[row, column]:,}', ha='center', va='center',
              fontsize=8 if counts.max() < 1000 else 6, color='white' if dark else 'black')


def f1_by_class(table: ClassTable, train_counts: np.ndarray, class_names: Sequence[str]):
  """F1 as bars, precision and recall as marks, the best class first.

  Classes without a test picture have no F1 and are counted in the title; of more than ALL_NAMED
  others those with the lowest F1 are drawn.

  Args: table: of the test split; train_counts: int [K], training pictures of each class.
  Returns: a matplotlib Figure.
  """
  known = np.flatnonzero(table.support > 0)
  order = known[np.argsort(-table.f1[known], kind='stable')]
  shown = order[-ALL_NAMED:]
  names, families = drawable([class_names[number] for number in shown])
  figure, panels = new_figure(1, 1, 9.0, 1.7 + 0.26 * max(3, len(shown)))
  axes, places = panels[0, 0], np.arange(len(shown))[::-1]
  axes.barh(places, table.f1[shown], color=COLOURS[0], alpha=0.45, height=0.75)
  axes.plot(table.precision[shown], places, 'd', color=COLOURS[1], markersize=5)
  axes.plot(table.recall[shown], places, 'o', color='black', markerfacecolor='none', markersize=6)
  axes.set_yticks(places, [f'{name} ({train_counts[k]:,} / {table.support[k]:,})'
                           for name, k in zip(names, shown, strict=True)],
                  parse_math=False, family=families, fontsize=9)
  axes.set_xlim(-0.01, 1.01)
  axes.set_ylim(-0.7, max(len(shown), 1) - 0.3)
  axes.set_xlabel('of test pictures, 0 to 1')
  handles = [key(color=COLOURS[0], alpha=0.45, linewidth=8, label='F1'),
             key(color=COLOURS[1], marker='d', linestyle='', markersize=5,
                 label='precision: of those said to be it'),
             key(color='black', marker='o', markerfacecolor='none', linestyle='',
                 label='recall: of those that are it')]
  figure.legend(handles=handles, loc='outside lower center', ncols=3, frameon=False)
  text = 'F1 of each class (training / test pictures)'
  if len(shown) < len(order):
    text = f'{len(shown)} classes of the lowest F1, of {len(order):,} (training / test pictures)'
  if len(known) < len(class_names):
    text += f'\nnot shown: {len(class_names) - len(known):,} without a test picture'
  title(figure, text)
  return figure


def f1_by_frequency(train_counts: np.ndarray, f1: np.ndarray, test_counts: np.ndarray):
  """F1 of each class over the number of training pictures of it, with the running median.

  Args: train_counts, test_counts: int [K]; f1: [K]; a class that one split lacks is left out.
  Returns: a matplotlib Figure.
  """
  known = (train_counts > 0) & (test_counts > 0)
  figure, panels = new_figure(1, 1, 9.0, 5.2)
  axes = panels[0, 0]
  axes.scatter(train_counts[known], f1[known], color=COLOURS[0], linewidths=0,
               label=f'a class ({known.sum():,} of them)', **plots.dots(known.sum()))
  middle = plots.running_median(train_counts[known], f1[known])
  if len(middle[0]) > 1:
    axes.plot(*middle, color='black', linewidth=2, label='median, by count')
  axes.set_xscale('log')
  axes.set_ylim(-0.02, 1.02)
  left_out = f' (not shown: {(~known).sum():,} that one split lacks)' if not known.all() else ''
  axes.set_xlabel('training pictures of the class' + left_out)
  axes.set_ylabel('F1 on test pictures, 0 to 1')
  plots.whole_numbers(axes.xaxis)
  figure.legend(loc='outside lower center', ncols=2, frameon=False)
  title(figure, 'F1 of the classes by how often they were met in training')
  return figure


def reliability(bins: Reliability, error: float):
  """Accuracy over confidence in bins of confidence, and how many pictures each bin has.

  Args: bins: of the split; error: the expected calibration error. Returns: a matplotlib Figure.

  Source: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017,
  arXiv 1706.04599, figures 1 and 4.
  """
  from matplotlib.ticker import MaxNLocator
  some, left, width = bins.count > 0, bins.edges[:-1], bins.edges[1]
  figure, panels = new_figure(2, 1, 6.6, 7.0, height_ratios=(3, 1), sharex=True)
  axes, below = panels[:, 0]
  axes.plot((0, 1), (0, 1), '--', color=GREY, label='as sure as right')
  axes.bar(left[some], bins.accuracy[some], width, align='edge', color=COLOURS[0],
           alpha=0.55, edgecolor='white', label='accuracy of the pictures in the bin')
  axes.plot(bins.confidence[some], bins.accuracy[some], 'o', color='black', markersize=4,
            clip_on=False, zorder=3, label='at their mean confidence')
  axes.set_ylim(0, 1.01)
  axes.set_xlim(0, 1)
  axes.set_ylabel('accuracy')
  figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=2,
                frameon=False)
  below.bar(left, bins.count, width, align='edge', color=GREY, edgecolor='white')
  below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
  below.set_ylabel('pictures')
  below.set_xlabel('confidence: the probability of the class that is said')
  title(figure, f'Calibration: expected calibration error {100 * error:.1f} %\n'
        'below the dashed line: too sure; above: not sure enough')
  return figure
