"""How fast pictures are looked at, and how long it will take: a bar, or a line now and then."""

import sys
import time

from train_lib.reporting import counted, human_time, say

EVERY_SEC = 15.0                  # between two lines
LEAST_PICTURES = 8                # after the first ones, and no fewer than these: else no speed


class PictureRate:
  """Args: total: pictures; done: of these, by earlier starts.

  The first pictures waited for a compilation and whatever else comes once: how fast it goes is
  told from those after them, once there are enough. What could not be read counts as looked at.
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
    if not number:
      return
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
    """Pictures/s of this start, reading included, without the first ones; None: there are too few
    others, fewer than LEAST_PICTURES or than the first ones."""
    if self._first is None:
      return None
    done, time_sec = self._first
    others = self._done - done
    if others < max(LEAST_PICTURES, done - self._before):
      return None
    return others / max(self._now - time_sec, 1e-9)

  def describe(self) -> str:
    """', 41.3 pictures/s after the first 64 looked at, which took 5.2 s with starting up', or what
    of it is known; '' without a picture."""
    if self._first is None:
      return ''
    done, time_sec = self._first
    rate, until = self.per_sec, 's with starting up'
    if rate is None:
      return f', in {self._now - self._start:.1f} {until}'
    return (f', {rate:.1f} pictures/s after the first {done - self._before:,} looked at, which '
            f'took {time_sec - self._start:.1f} {until}')

  def close(self) -> None:
    """Leaves the bar standing as it is."""
    if self._bar is not None:
      self._bar.close()
