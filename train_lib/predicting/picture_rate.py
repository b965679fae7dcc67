"""How fast pictures are looked at, and how long it will take: a bar, or a line now and then."""

import sys
import time

from train_lib.reporting import counted, human_time, say

EVERY_SEC = 15.0                  # between two lines


class PictureRate:
  """Args: total: pictures; done: of these, by earlier starts.

  The first pictures waited for a compilation and whatever else comes once: how fast it goes is
  told from those after them.
  """

  def __init__(self, total: int, done: int):
    self._total, self._before, self._done, self._bar = total, done, done, None
    self._start = self._said = self._now = time.monotonic()
    self._first = None             # (pictures, time) when the first ones were done
    if sys.stderr.isatty():
      from tqdm import tqdm
      self._bar = tqdm(total=total, initial=done, unit=' pictures', dynamic_ncols=True)

  def add(self, number: int) -> None:
    """Notes that so many more pictures are done."""
    self._done, self._now = self._done + number, time.monotonic()
    self._first = self._first or (self._done, self._now)
    if self._bar is not None:
      self._bar.update(number)
    elif self._now - self._said > EVERY_SEC:
      self._said, rate = self._now, self.per_sec
      speed = '' if rate is None else (
          f', {rate:.1f} pictures/s, {human_time((self._total - self._done) / rate)} left')
      say(f'{self._done:,} of {counted(self._total, "picture")}{speed}')

  @property
  def per_sec(self) -> float | None:
    """Pictures/s of this start, reading included, without the first ones; None: there are no
    others."""
    if self._first is None or self._done == self._first[0]:
      return None
    done, time_sec = self._first
    return (self._done - done) / max(self._now - time_sec, 1e-9)

  def describe(self) -> str:
    """', 41.3 pictures/s after the first 64, which took 5.2 s with starting up', or what of it is
    known; '' without a picture."""
    if self._first is None:
      return ''
    done, time_sec = self._first
    took, rate = f'{time_sec - self._start:.1f} s with starting up', self.per_sec
    return f', in {took}' if rate is None else (
        f', {rate:.1f} pictures/s after the first {done - self._before:,}, which took {took}')

  def close(self) -> None:
    """Leaves the bar standing as it is."""
    if self._bar is not None:
      self._bar.close()
