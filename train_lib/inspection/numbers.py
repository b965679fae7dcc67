"""Figures as people read them."""

import math
from collections.abc import Sequence


def shown(value) -> str | None:
  """A number with four significant digits, whole ones with their thousands apart; text as it is.

  None, '' and what is no number (NaN) are None.
  """
  if value is None or value == '':
    return None
  if isinstance(value, str):
    try:
      value = float(value) if not value.lstrip('-').isdecimal() else int(value)
    except ValueError:
      return value
  if isinstance(value, (bool, int)):
    return f'{value:,}'
  if not math.isfinite(value):
    return None
  if value == int(value) and abs(value) < 1e15:
    return f'{int(value):,}'
  return f'{value:,.0f}' if abs(value) >= 1e4 else f'{value:.4g}'


def column(values: Sequence) -> list[str | None]:
  """The values of a column, numbers or text, with as many digits after the point in each row."""
  known = [number for number in map(_number, values) if number is not None]
  if all(number == int(number) for number in known):
    return list(map(shown, values))
  largest = max(map(abs, known))
  digits = next((digits for least, digits in ((1e3, 0), (1e2, 1), (10, 2), (1e-2, 4))
                 if largest >= least), 6)
  return [None if number is None else f'{number:,.{digits}f}' for number in map(_number, values)]


def _number(value) -> float | None:
  """A finite number, of text too; None for all else."""
  try:
    value = float(value)
  except (TypeError, ValueError):
    return None
  return value if math.isfinite(value) else None


def percent(share: float) -> str:
  """0.1234 -> '12.3 %'."""
  return f'{100 * share:.1f} %'
