"""A measured figure as it is written down: the median, how far the repeats lie apart, the unit."""

import statistics
import time
from collections.abc import Callable

UNITS = {'s': 1.0, 'ms': 1e3, 'us': 1e6}


def figure(values, unit: str) -> dict:
  """{'value': median, 'least', 'most', 'times', 'unit'} of one number or of several."""
  values = [float(value) for value in (values if isinstance(values, list | tuple) else [values])]
  return {'value': statistics.median(values), 'least': min(values), 'most': max(values),
          'times': len(values), 'unit': unit}


def duration(seconds, unit: str = 'ms') -> dict:
  """A figure of seconds, in another unit. Args: unit: of UNITS."""
  seconds = seconds if isinstance(seconds, list | tuple) else [seconds]
  return figure([second * UNITS[unit] for second in seconds], unit)


def rate(count: int, seconds: list[float], unit: str) -> dict:
  """A figure of so many things a second. Args: count: of each repeat; seconds: of each."""
  return figure([count / second for second in seconds], unit)


def seconds_of(function: Callable[[], object], times: int, warm_ups: int = 1,
               clock: Callable[[], float] = time.perf_counter) -> list[float]:
  """The seconds of calls, after some that do not count. Args: clock: what tells the time."""
  seconds = []
  for _ in range(warm_ups + times):
    started = clock()
    function()
    seconds.append(clock() - started)
  return seconds[warm_ups:]


def in_words(found: dict) -> str:
  """'12.3 ms (12 to 13, of 5)'; without a spread where it was measured once."""
  text = f'{_number(found["value"])} {found["unit"]}'
  if found['times'] == 1:
    return text
  return f'{text} ({_number(found["least"])} to {_number(found["most"])}, of {found["times"]})'


def _number(value):
  return f'{value:,.0f}' if abs(value) >= 1000 or value == int(value) else f'{value:.3g}'
