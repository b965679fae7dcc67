"""How fast pictures are looked at, and how long it will take: a bar, or a line now and then."""

import sys
import time

from train_lib.reporting import counted, human_time, say

EVERY_SEC = 15.0                  # between two lines


class PictureRate:
  """Args: total: pictures; done: of these, by earlier starts.

  What is left is told from the pictures after the first ones, which waited for a compilation.
  """

  def __init__(self, total: int, done: int):
    self._total, self._first, self._done, self._bar = total, done, done, None
    self._start = self._said = time.monotonic()
    self._compiled = None          # (pictures, time) when the first ones were done
    if sys.stderr.isatty():
      from tqdm import tqdm
      self._bar = tqdm(total=total, initial=done, unit=' pictures', dynamic_ncols=True)

  def add(self, number: int) -> None:
    """Notes that so many more pictures are done."""
    self._done += number
    self._compiled = self._compiled or (self._done, time.monotonic())
    if self._bar is not None:
      self._bar.update(number)
    elif time.monotonic() - self._said > EVERY_SEC:
      self._said = time.monotonic()
      done, start = self._compiled
      left = ''
      if self._done > done:
        left_sec = (self._total - self._done) * (self._said - start) / (self._done - done)
        left = f', {human_time(left_sec)} left'
      say(f'{self._done:,} of {counted(self._total, "picture")}, {self.per_sec:.1f} pictures/s'
          f'{left}')

  @property
  def per_sec(self) -> float:
    """Pictures/s of this start so far, reading and compiling included."""
    return (self._done - self._first) / max(time.monotonic() - self._start, 1e-9)

  def close(self) -> None:
    """Leaves the bar standing as it is."""
    if self._bar is not None:
      self._bar.close()
