"""The batch size from which on a larger one gains nothing, or does not fit."""

from collections.abc import Callable

from train_lib.throughput.costs import DoesNotFit

FIRST, MOST = 8, 4096             # pictures, on each device, that are tried
WORTH = 1.04                      # times as many pictures/s, or the smaller batch stays


def find_batch_size(rate_of: Callable[[int], float], least: int, devices: int = 1) -> int:
  """Doubles while that fits and gains more than a few percent; halves until one fits.

  Args:
    rate_of: (pictures) -> pictures/s; raises DoesNotFit.
    least: of pictures; every batch tried is this times a power of two.
    devices: that share a batch.

  Raises:
    DoesNotFit: not even the least.
  """
  rows = least
  while rows < FIRST * devices:
    rows *= 2
  fastest, too_large = None, MOST * devices + 1
  while fastest is None:
    try:
      fastest = rate_of(rows)
    except DoesNotFit:
      if rows == least:
        raise
      rows, too_large = rows // 2, rows
  while 2 * rows < too_large:
    try:
      rate = rate_of(2 * rows)
    except DoesNotFit:
      break
    if rate < WORTH * fastest:
      break
    rows, fastest = 2 * rows, rate
  return rows
