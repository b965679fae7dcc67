"""What a tagger's probabilities come to, tag by tag: counts at every threshold, average precision.

Rows are added batch by batch. How many lie above a threshold is counted exactly, always. Average
precision is exact up to `EXACT_SCORES` rows x tags, which are kept, 4 bytes each. Beyond, a
histogram of each tag is kept and no row: where rows lie within a bin is then unknown, so average
precision is the middle between the best and the worst order, and half their distance its error.
The bins are even in the logit, for most probabilities crowd near 0, and every threshold is an edge.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

THRESHOLDS = (0.0, *np.geomspace(0.001, 0.05, 20)[:-1].round(4).tolist(),
              *np.linspace(0.05, 0.99, 95).round(2).tolist())
EXACT_SCORES = 2 ** 28            # a gibibyte
LOWEST_LOGIT, HIGHEST_LOGIT = -16.0, 8.0
SPACED_EDGES = 400                # between them, besides the thresholds
BITS = 12                         # of a probability, the last; no two edges differ in them alone
BLOCK = 2 ** 20                   # numbers worked on at a time
CACHED = 2 ** 16                  # the same where each is looked up or counted
WAITING_ROWS = 512                # are counted together: the counts of a tag are fetched once


@dataclasses.dataclass(frozen=True)
class TagCounts:
  """Everything that figures are made of. N rows, T tags, K = len(THRESHOLDS).

  Attributes:
    rows: N.
    true: int64 [T], rows that have the tag.
    predicted: uint32 [K, T], rows whose probability is above the threshold.
    hits: uint32 [K, T], of them those that have the tag.
    ap: [T], average precision as scikit-learn defines it; NaN for a tag that no row has.
    ap_error: [T], the most that `ap` can be off; 0 where it is exact, NaN where `ap` is.
  """
  rows: int
  true: np.ndarray
  predicted: np.ndarray
  hits: np.ndarray
  ap: np.ndarray
  ap_error: np.ndarray


class TagScores:
  """Gathers probabilities and labels of a split; `finish` gives its TagCounts.

  Args:
    num_rows: rows that will come, at most; with num_tags it decides what is kept.
    num_tags: T.
  """

  def __init__(self, num_rows: int, num_tags: int):
    exact = keeps_rows(num_rows, num_tags)
    self._edges, self._steps = _edges(spaced=not exact)
    shape = num_tags, len(self._edges)
    self._all, self._true = np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
    self._kept = np.empty((num_rows, num_tags), np.uint32) if exact else None
    self._rows, self._waiting = 0, 0
    self._bins = np.empty((WAITING_ROWS, num_tags), np.uint16)      # of the rows that wait

  def add(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Args: probabilities: float32 [n, T], 0..1; labels: bool [n, T]."""
    probabilities = np.ascontiguousarray(probabilities, np.float32)
    step = min(WAITING_ROWS, max(1, CACHED // max(1, len(self._all))))
    for start in range(0, len(labels), step):
      self._add(probabilities[start:start + step], labels[start:start + step])

  def _add(self, probabilities, labels):
    """The same of as many rows as a cache holds."""
    if self._waiting + len(labels) > len(self._bins):
      self._count()
    doubled = probabilities.view(np.uint32) << 1            # rises with the probability; no sign
    bins = self._bins[self._waiting:self._waiting + len(labels)]
    bins[:] = (self._steps.take(doubled >> (BITS + 1)) + doubled) >> (BITS + 1)
    self._waiting += len(labels)
    rows, tags = np.divmod(np.flatnonzero(labels), max(1, len(self._all)))
    np.add.at(self._true.reshape(-1), tags * len(self._edges) + bins[rows, tags], np.uint32(1))
    if self._kept is not None:
      np.bitwise_or(doubled, labels, out=self._kept[self._rows:self._rows + len(labels)])
    self._rows += len(labels)

  def _count(self):
    """Counts the rows that wait."""
    width = len(self._edges)
    for tags in _blocks(len(self._all), len(self._bins), CACHED):
      part = self._bins[:self._waiting, tags]
      places = part + np.arange(part.shape[1]) * width
      counts = np.bincount(places.ravel(), minlength=part.shape[1] * width)
      self._all[tags] += counts.reshape(-1, width).astype(np.uint32)
    self._waiting = 0

  def join(self, total: Callable, gather: Callable) -> None:
    """Takes in what other processes have counted of other rows. Args: as of `Apart` (apart.py).

    Raises: ValueError: rows are kept.
    """
    if self._kept is not None:
      raise ValueError('rows that are kept cannot be added up')
    self._count()
    self._all, self._true = total(self._all), total(self._true)
    self._rows = sum(gather(self._rows))

  def finish(self) -> TagCounts:
    """Everything that was added, counted; takes seconds for tens of thousands of tags."""
    self._count()
    num_tags, width = self._all.shape
    counts = TagCounts(
        rows=self._rows, true=self._true.sum(axis=1, dtype=np.int64),
        predicted=np.empty((len(THRESHOLDS), num_tags), np.uint32),
        hits=np.empty((len(THRESHOLDS), num_tags), np.uint32),
        ap=np.empty(num_tags), ap_error=np.zeros(num_tags))
    last_below = np.searchsorted(self._edges, np.array(THRESHOLDS, np.float32))
    for tags in _blocks(num_tags, max(width, self._rows if self._kept is not None else 0)):
      for histogram, above in ((self._all, counts.predicted), (self._true, counts.hits)):
        up_to = histogram[tags].cumsum(axis=1, dtype=np.uint32)
        above[:, tags] = (up_to[:, -1:] - up_to[:, last_below]).T
      if self._kept is not None:
        counts.ap[tags] = _average_precision(self._kept[:self._rows, tags], counts.true[tags])
      else:
        low, high = _bounds(self._all[tags], self._true[tags])
        counts.ap[tags], counts.ap_error[tags] = (low + high) / 2, (high - low) / 2
    counts.ap_error[np.isnan(counts.ap)] = np.nan
    return counts


def keeps_rows(num_rows: int, num_tags: int) -> bool:
  """Whether so many rows are kept, at most, or counted into histograms alone."""
  return num_rows * num_tags <= EXACT_SCORES


@functools.cache
def _edges(spaced: bool) -> tuple[np.ndarray, np.ndarray]:
  """The upper edges of the bins, float32 and rising, and a table that finds a bin fast.

  A probability is in bin b when b edges are below it. Twice its bits are a number in two parts, the
  leading bits L and the last BITS + 1, below S = 2 ** (BITS + 1). At most one edge begins with the
  same L. With c edges below all that begin so, and e the last bits of that edge (S - 1 where there
  is none), the last bits plus S - 1 - e reach S where the edge is below: the bin is
  (c S + S - 1 - e + last bits) // S. The table holds that sum for L without all of the number,
  uint32, so that the number itself is added to it; the difference wraps around.
  """
  edges = np.array(THRESHOLDS, np.float32)
  if spaced:
    logits = np.linspace(LOWEST_LOGIT, HIGHEST_LOGIT, SPACED_EDGES)
    more = (1 / (1 + np.exp(-logits))).astype(np.float32)
    beginnings = np.concatenate([edges, more]).view(np.uint32) >> BITS
    edges = np.sort(np.concatenate([edges, more])[np.unique(beginnings, return_index=True)[1]])
  size, one = 2 ** (BITS + 1), int(np.float32(1).view(np.uint32))
  leading = np.arange((one >> BITS) + 1)
  below = np.searchsorted(edges, (leading << BITS).astype(np.uint32).view(np.float32))
  last, doubled = np.full(len(leading), size - 1), edges.view(np.uint32).astype(int) << 1
  last[doubled // size] = doubled % size
  steps = (below - leading) * size + size - 1 - last
  return np.append(edges, np.float32(np.inf)), steps.astype(np.uint32)


def _average_precision(kept: np.ndarray, true: np.ndarray) -> np.ndarray:
  """Exact, [T]. Args: kept: uint32 [N, T], twice the bits of a probability, plus 1 if true."""
  ordered = np.sort(kept.T, axis=1)                         # [T, N], rising
  if not ordered.size:
    return np.full(len(true), np.nan)
  first = np.ones(ordered.shape, bool)                      # of rows of equal probability
  np.not_equal(ordered[:, 1:] >> 1, ordered[:, :-1] >> 1, out=first[:, 1:])
  places = np.arange(ordered.shape[1], dtype=np.int32)
  first = np.maximum.accumulate(np.where(first, places, 0), axis=1)
  positive = (ordered & 1).astype(np.int32)
  below = positive.cumsum(axis=1, dtype=np.int32) - positive
  tags, rows = np.nonzero(positive)
  start = first[tags, rows]
  precision = (true[tags] - below[tags, start]) / (ordered.shape[1] - start)
  return _mean_over_true(np.bincount(tags, precision, minlength=len(true)), true)


def _bounds(rows: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The least and the greatest average precision that histograms leave open, [T] each.

  Least: in every bin the true rows come last and none are equal. Greatest: they come first and are
  all equal, so that each has the precision of the last. The sum over one bin of the least,
  sum_j (M + j) / (A + j) with M true rows above the bin and A rows before its first true one,
  is m - (A - M) sum_j 1 / (A + j), and sum_j 1 / (A + j) is below log((A + m + 1/2) / (A + 1/2)).

  Args: rows, true: uint32 [T, bins].
  """
  tags, bins = np.nonzero(true)
  count, found = (np.asarray(part[tags, bins], float) for part in (rows, true))
  above, true_above = (
      part.sum(axis=1, dtype=np.int64)[tags] - part.cumsum(axis=1, dtype=np.int64)[tags, bins]
      for part in (rows, true))
  before = above + count - found
  least = found - (before - true_above) * np.log1p(found / (before + 0.5))
  greatest = found * (true_above + found) / (above + found)
  total = true.sum(axis=1, dtype=np.int64)
  return tuple(_mean_over_true(np.bincount(tags, part, minlength=len(true)), total)
               for part in (least, greatest))


def _mean_over_true(sums, true):
  return np.where(true > 0, sums / np.maximum(true, 1), np.nan)


def _blocks(num_tags, width, size=None):
  """Slices of tags, so that a block of so many numbers per tag stays small."""
  step = max(1, (size or BLOCK) // max(width, 1))
  return [slice(start, start + step) for start in range(0, num_tags, step)]
