"""Turns: programs measured one after another, again and again, and what is told of them.

A ratio is taken within a turn, where both programs had the same moments of the machine; told are
the median of the turns, the least and the most.
"""

import statistics
from collections.abc import Callable, Sequence


def take_turns(measures: dict[str, Callable[[], object]], turns: int) -> dict[str, list]:
  """{name: what it gave in each turn}; every other turn goes through the names backwards.

  A program that is first in every turn would always have the machine that the last one left.
  """
  found = {name: [] for name in measures}
  for turn in range(turns):
    for name in list(measures)[::-1 if turn % 2 else 1]:
      found[name].append(measures[name]())
  return found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
  """Our speed over theirs in each turn."""
  return [one / other for one, other in zip(ours, theirs, strict=True)]


def spread(values: Sequence[float]) -> dict[str, float]:
  """{'median', 'least', 'most'}."""
  return {'median': statistics.median(values), 'least': min(values), 'most': max(values)}


def in_words(values: Sequence[float], digits: int = 3) -> str:
  """'17.1 (16.8 to 17.9)': the median, and the spread of the turns."""
  found = spread(values)
  return '{} ({} to {})'.format(*(_short(found[key], digits)
                                  for key in ('median', 'least', 'most')))


def _short(value: float, digits: int) -> str:
  """So many digits that tell something, none behind a point that are not needed."""
  whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
  return f'{value:,.{max(0, digits - max(whole, 1))}f}'


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Lines of cells; the first column stands to the left, the others to the right."""
  cells = [tuple(columns), *map(tuple, rows)]
  widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
  return '\n'.join('  '.join(
      cell.rjust(width) if number else cell.ljust(width)
      for number, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
      for row in cells)
