"""Which pictures a gallery shows of each cluster, and in which order."""

from typing import NamedTuple

import numpy as np

from train_lib.clustering.other_methods import NOISE
from train_lib.split_statistics import even_sample

COPIES_SHARE = 4                  # near-copies are shown up to one part in so many of all
MOST_LABELS = 3                   # labels that a sheet tells the counts of
FEWEST_JUDGED = 8                 # pictures of a cluster in which one can be unusual
REACH = 1.5                       # interquartile ranges beyond the upper quartile: unusual


class Sheet(NamedTuple):
  """A cluster as it is shown.

  Attributes:
    cluster: its id; NOISE for what belongs to none.
    size: how many pictures it has, shown or not.
    rows: int64 [n] of those shown, nearest to the centre first.
    unusual: how many of the last of `rows` are unusually far from the centre.
    labels: [(label, pictures)] most frequent first, at most MOST_LABELS, of all its pictures.
  """
  cluster: int
  size: int
  rows: np.ndarray
  unusual: int
  labels: list


def list_sheets(clusters: np.ndarray, distances: np.ndarray, labels: list[str],
                copies: list[list[int]], most: int) -> list[Sheet]:
  """Sheets of all clusters, the largest first, what belongs to none last.

  Beyond `most` pictures every cluster shows its even share, at even steps from its centre outwards,
  and near-copies are kept as far as they fill no more than one part in COPIES_SHARE.

  Args: as of `gallery.Gallery`; most: pictures shown in all.
  """
  ids, sizes = np.unique(clusters, return_counts=True)
  order = np.lexsort((ids, -sizes, ids == NOISE))
  kept = _kept_copies(copies, len(clusters), most)
  shares = _shares(sizes, most - len(kept))
  return [_sheet(int(ids[place]), np.flatnonzero(clusters == ids[place]), distances, labels, kept,
                 shares[place]) for place in order]


def count_unusual(distances: np.ndarray, shown: np.ndarray) -> int:
  """How many of the shown distances lie beyond Tukey's fence of all of a cluster.

  Args:
    distances: float [n] of all pictures of the cluster; those that are not numbers are left out.
    shown: float [m] of those shown.
  """
  known = distances[np.isfinite(distances)]
  if len(known) < FEWEST_JUDGED:
    return 0
  lower, upper = np.quantile(known.astype(np.float64), (0.25, 0.75))
  rounding = 1e-6 * np.abs(known).max()
  return int((shown > upper + REACH * (upper - lower) + rounding).sum())


def _sheet(cluster, rows, distances, labels, kept, share):
  far = np.where(np.isfinite(distances[rows]), distances[rows], np.inf)
  rows = rows[np.lexsort((rows, far))]
  shown = np.isin(rows, kept)
  others = np.flatnonzero(~shown)
  shown[others[even_sample(len(others), share)]] = True
  unusual = 0 if cluster == NOISE else count_unusual(distances[rows], distances[rows[shown]])
  return Sheet(cluster, len(rows), rows[shown], unusual, _count_labels(labels, rows))


def _kept_copies(copies, number, most):
  """Rows of near-copies that are shown whatever the shares are: whole groups, the first first."""
  kept = []
  if number > most:
    for group in copies:
      if len(kept) + len(group) > most // COPIES_SHARE:
        break
      kept += group
  return np.unique(np.asarray(kept, np.int64))


def _shares(sizes, most):
  """How many pictures each cluster may show: in proportion, one at least while there is room."""
  if sizes.sum() <= most:
    return sizes
  shares = np.maximum(1, sizes * most // sizes.sum())
  for _ in range(shares.sum() - most):
    shares[np.argmax(shares)] -= 1
  return shares


def _count_labels(labels, rows):
  known = [labels[row] for row in rows if labels[row]] if labels else []
  names, counts = np.unique(np.asarray(known, object), return_counts=True) if known else ((), ())
  order = np.argsort(-np.asarray(counts, int), kind='stable')[:MOST_LABELS]
  return [(str(names[place]), int(counts[place])) for place in order]
