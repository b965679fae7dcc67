"""Plots of figures as PNG: intervals, and what plots of many dots share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from train_lib.drawing.panels import BLACK, COLOURS, new_figure
from train_lib.storage import records

LEAST_VALUES = 3                  # in a bin, for a point of the running median
PALE = '#c8c8c8'


class Interval(NamedTuple):
  """A row of an interval plot: a mean, the interval around it, and the single values."""
  name: str
  mean: float
  low: float
  high: float
  points: Sequence[float] = ()


def running_median(counts: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Medians over bins of half an octave of counts; bins of fewer than LEAST_VALUES give none.

  Args: counts: [T], above 0; values: [T]. Returns: the median count and value of each bin.
  """
  bins = np.floor(2 * np.log2(counts)).astype(int)
  full = [number for number in np.unique(bins) if (bins == number).sum() >= LEAST_VALUES]
  return (np.array([np.median(counts[bins == number]) for number in full]),
          np.array([np.median(values[bins == number]) for number in full]))


def intervals(rows: Sequence[Interval], axis_title: str, reference: str = ''):
  """Means (diamonds) with their intervals (lines) and single values (dots), the first row on top.

  Args:
    rows: in the order to draw them in.
    axis_title: what the values are and what the interval is, with the unit.
    reference: name of the row whose mean is drawn through all others; '': none.

  Returns:
    A matplotlib Figure.
  """
  figure, axes = one_panel(height=1.2 + 0.36 * len(rows))
  places = np.arange(len(rows))[::-1]
  beside = dict(xycoords=('axes fraction', 'data'), textcoords='offset points', va='center')
  for place, row in zip(places, rows, strict=True):
    colour = BLACK if row.name == reference else COLOURS[0]
    axes.plot((row.low, row.high), (place, place), color=colour, linewidth=2)
    axes.plot(row.points, [place - 0.25] * len(row.points), '.', color=colour, alpha=0.6)
    axes.plot(row.mean, place, 'D', color=colour, markersize=6)
    axes.annotate(f'{row.mean:.4f}', (1, place), (6, 0), color=colour, **beside)
    if row.name == reference:
      axes.axvline(row.mean, color=BLACK, linewidth=1, linestyle='--', zorder=0)
  axes.annotate('mean', (1, len(rows) - 0.4), (6, 0), color='#808080', **beside)
  axes.set_yticks(places, [row.name for row in rows], parse_math=False)
  axes.set_ylim(-0.7, len(rows) - 0.3)
  axes.set_xlabel(axis_title)
  return figure


def save(figure, path) -> None:
  """Writes a figure as PNG, whole or not at all. Args: path: local or remote."""
  with records.whole_file(records.absolute(path), to_disk=False) as file:
    figure.savefig(file, format='png')


def one_panel(width=9.0, height=5.2):
  """(Figure, its only panel), in inches."""
  figure, panels = new_figure(1, 1, width, height)
  return figure, panels[0, 0]


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
