"""Plots of figures as PNG: F1 by frequency, precision against recall, tag counts, intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from train_lib.drawing.panels import legend, new_figure
from train_lib.storage import records

LEAST_TAGS = 3                    # in a bin, for a point of the running median
FEW_TAGS, MANY_TAGS = 40, 300     # a line of few shows its points; many have their own median
COLOURS = {'general': '#0072b2', 'character': '#009e73', 'copyright': '#cc79a7',
           'artist': '#d55e00', 'meta': '#e6a700', 'rating': '#7f7f7f'}
ALL_COLOUR = '#111111'            # of what joins all categories
PALE = '#c8c8c8'


class Interval(NamedTuple):
  """A row of an interval plot: a mean, the interval around it, and the single values."""
  name: str
  mean: float
  low: float
  high: float
  points: Sequence[float] = ()


def f1_by_frequency(counts: np.ndarray, f1: np.ndarray, categories: Sequence[str],
                    threshold: float):
  """F1 of each tag over the number of training pictures that have it, with running medians.

  Args:
    counts: [T], pictures of the training split with the tag.
    f1: [T], 0 to 1; NaN for a tag without an F1 (in no test picture): left out, and counted below.
    categories: [T] names, keys of COLOURS; one with MANY_TAGS has a median of its own.
    threshold: the one tuned for micro F1, at which these F1 were taken.

  Returns:
    A matplotlib Figure.
  """
  from matplotlib.patheffects import withStroke
  counts, f1, categories = np.asarray(counts), np.asarray(f1, float), np.asarray(categories)
  shown = (counts > 0) & np.isfinite(f1)
  counts, f1, categories = counts[shown], f1[shown], categories[shown]
  figure, axes = _one_panel()
  edge = withStroke(linewidth=4, foreground='white')
  mixed = np.random.default_rng(0).permutation(len(f1))   # else the last category hides the others
  axes.scatter(counts[mixed], f1[mixed], c=[COLOURS[name] for name in categories[mixed]],
               linewidths=0, **dots(len(f1)))
  for name, tags in [*_by_size(categories), ('all', np.arange(len(f1)))]:
    colour = COLOURS.get(name, ALL_COLOUR)
    if name in COLOURS:
      axes.plot([], [], 'o', color=colour, label=f'{name} ({len(tags):,})')
    middle = running_median(counts[tags], f1[tags])
    if len(middle[0]) > 1 and (name not in COLOURS or len(tags) >= MANY_TAGS):
      axes.plot(*middle, color=colour, linewidth=2, path_effects=[edge],
                label='median, by count' if name not in COLOURS else None)
  axes.set_xscale('log')
  axes.set_ylim(-0.02, 1.02)
  left_out = '' if shown.all() else f' (not shown: {(~shown).sum():,} that one split lacks)'
  axes.set_xlabel('training pictures with the tag' + left_out)
  axes.set_ylabel(f'F1 on test pictures (0 to 1) at {threshold:g}, tuned for micro F1')
  whole_numbers(axes.xaxis)
  legend(axes, 'category (tags)')
  return figure


def running_median(counts: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Medians over bins of half an octave of counts; bins of fewer than LEAST_TAGS give none.

  Args: counts: [T], above 0; values: [T]. Returns: the median count and value of each bin.
  """
  bins = np.floor(2 * np.log2(counts)).astype(int)
  full = [number for number in np.unique(bins) if (bins == number).sum() >= LEAST_TAGS]
  return (np.array([np.median(counts[bins == number]) for number in full]),
          np.array([np.median(values[bins == number]) for number in full]))


def precision_recall(curves: dict[str, tuple], tuned: dict[str, tuple[float, float]]):
  """Precision against recall over the thresholds, with lines of equal F1.

  Args:
    curves: name -> (precision [K], recall [K]), each 0 to 1, by rising or falling threshold; a
      category's name gives its colour, any other name is drawn black. A point where nothing is
      predicted (recall 0) has no precision and is left out.
    tuned: name -> (precision, recall) at the tuned threshold; with a recall of 0 no dot either.

  Returns:
    A matplotlib Figure.
  """
  figure, axes = _one_panel(width=8.2, height=5.6)
  _draw_equal_f1(axes)
  for name, (precision, recall) in curves.items():
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    colour, real = COLOURS.get(name, ALL_COLOUR), recall > 0
    axes.plot(recall[real], precision[real], color=colour, label=name,
              linewidth=1.5 if name in COLOURS else 2.5)
    if tuned.get(name, (0, 0))[1] > 0:
      axes.plot(tuned[name][1], tuned[name][0], 'o', color=colour, markersize=8,
                markeredgecolor='white')
  axes.plot([], [], 'o', color=ALL_COLOUR, markeredgecolor='white', markersize=8,
            label='at the tuned threshold')
  axes.set_xlim(0, 1)
  axes.set_ylim(0, 1.01)
  axes.set_xlabel('recall: share of the listed tags that are found')
  axes.set_ylabel('precision: share of the tags found that are listed')
  legend(axes, 'tags')
  return figure


def _draw_equal_f1(axes):
  """Pale lines of equal F1, named along the top and the right side."""
  for f1 in np.arange(0.1, 1.0, 0.1):
    recall = np.geomspace(f1 / (2 - f1), 1, 200)
    axes.plot(recall, f1 * recall / (2 * recall - f1), color=PALE, linewidth=0.8, zorder=0)
    axes.text(1.01, f1 / (2 - f1), f'F1 {f1:.1f}', color='#808080', fontsize=8, va='center')


def tag_frequencies(counts: np.ndarray, categories: Sequence[str], num_pictures: int):
  """How many training pictures a tag has, over its rank: all tags, and each category by itself.

  Args:
    counts: [T], pictures of the training split with the tag.
    categories: [T] names, keys of COLOURS.
    num_pictures: of the training split.

  Returns:
    A matplotlib Figure.
  """
  counts, categories = np.asarray(counts), np.asarray(categories)
  figure, axes = _one_panel()
  groups = [(name, counts[tags], COLOURS[name], 1.5) for name, tags in _by_size(categories)]
  if len(groups) > 1:
    groups.insert(0, ('all', counts, ALL_COLOUR, 2.5))
  for name, group, colour, width in groups:
    falling = np.sort(group[group > 0])[::-1]
    mark = 'o' if len(falling) <= FEW_TAGS else ''
    axes.plot(np.arange(1, len(falling) + 1), falling, color=colour, linewidth=width, marker=mark,
              markersize=4, label=f'{name} ({len(group):,})')
  axes.set_xscale('log')
  axes.set_yscale('log')
  axes.set_ylim(0.7 * counts[counts > 0].min(initial=num_pictures), 1.5 * num_pictures)
  axes.axhline(num_pictures, color=PALE, zorder=0)
  axes.text(0.99, num_pictures, f'all {num_pictures:,} pictures', va='bottom', ha='right',
            color='#808080', fontsize=8, transform=axes.get_yaxis_transform())
  unused = (counts == 0).sum()
  left_out = f' (not shown: {unused:,} that no training picture has)' if unused else ''
  axes.set_xlabel('rank of the tag by its count' + left_out)
  axes.set_ylabel('training pictures with the tag')
  for axis in (axes.xaxis, axes.yaxis):
    whole_numbers(axis)
  legend(axes, 'category (tags)')
  return figure


def intervals(rows: Sequence[Interval], axis_title: str, reference: str = ''):
  """Means (diamonds) with their intervals (lines) and single values (dots), the first row on top.

  Args:
    rows: in the order to draw them in.
    axis_title: what the values are and what the interval is, with the unit.
    reference: name of the row whose mean is drawn through all others; '': none.

  Returns:
    A matplotlib Figure.
  """
  figure, axes = _one_panel(height=1.2 + 0.36 * len(rows))
  places = np.arange(len(rows))[::-1]
  beside = dict(xycoords=('axes fraction', 'data'), textcoords='offset points', va='center')
  for place, row in zip(places, rows, strict=True):
    colour = ALL_COLOUR if row.name == reference else COLOURS['general']
    axes.plot((row.low, row.high), (place, place), color=colour, linewidth=2)
    axes.plot(row.points, [place - 0.25] * len(row.points), '.', color=colour, alpha=0.6)
    axes.plot(row.mean, place, 'D', color=colour, markersize=6)
    axes.annotate(f'{row.mean:.4f}', (1, place), (6, 0), color=colour, **beside)
    if row.name == reference:
      axes.axvline(row.mean, color=ALL_COLOUR, linewidth=1, linestyle='--', zorder=0)
  axes.annotate('mean', (1, len(rows) - 0.4), (6, 0), color='#808080', **beside)
  axes.set_yticks(places, [row.name for row in rows], parse_math=False)
  axes.set_ylim(-0.7, len(rows) - 0.3)
  axes.set_xlabel(axis_title)
  return figure


def save(figure, path) -> None:
  """Writes a figure as PNG, whole or not at all. Args: path: local or remote."""
  with records.whole_file(records.absolute(path), to_disk=False) as file:
    figure.savefig(file, format='png')


def _one_panel(width=9.0, height=5.2):
  """(Figure, its only panel), in inches."""
  figure, panels = new_figure(1, 1, width, height)
  return figure, panels[0, 0]


def _by_size(categories):
  """(name, indices) of the categories that occur, the largest first: small ones lie on top."""
  names, counts = np.unique(categories, return_counts=True)
  return [(str(name), np.flatnonzero(categories == name))
          for name in names[np.argsort(-counts, kind='stable')]]


def dots(number: int) -> dict:
  """Area (square points) and opacity of so many dots, options of `scatter`."""
  if number <= 300:
    return dict(s=36, alpha=0.8)
  return dict(s=14, alpha=0.5) if number <= 5000 else dict(s=5, alpha=0.3)


def whole_numbers(axis) -> None:
  """10,000 in place of powers of ten; 2 and 5 times a power too, where these are few."""
  from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
  low, high = axis.get_view_interval()
  axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,), numticks=12))
  axis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}' if value >= 1 else ''))
  axis.set_minor_formatter(NullFormatter())
