"""k-means: k centres to which rows are as near as can be, by the sum of squared distances.

Lloyd's algorithm from starts of greedy k-means++, on a mesh of devices: every row goes to its
nearest centre, every centre to the mean of its rows, until hardly anything moves. Stops, refills
and counts as scikit-learn does.
"""

from typing import NamedTuple

import numpy as np

from errors import UserError
from train_lib import parallel
from train_lib.clustering import seeding
from train_lib.clustering.sharded_rows import (
  ShardedRows,
  Tally,
  check_features,
  lengths_of,
  prepare,
)

BATCH_ROWS = 65_536  # visited at a time where not all are in memory
SAME = 1e-11         # a squared distance over a squared length that rounding alone makes


class Clustering(NamedTuple):
  """What was found.

  Attributes:
    centres: float32 [k, D]; of length 1 where spherical.
    clusters: int32 [N], the nearest centre.
    distances: float32 [N] to it, Euclidean; spherical: 1 - cosine.
    inertia: the sum of squared distances; spherical: of distances.
    iterations: how often centres moved.
  """
  centres: np.ndarray
  clusters: np.ndarray
  distances: np.ndarray
  inertia: float
  iterations: int


def fit_kmeans(features: np.ndarray, num_clusters: int, *, seed: int = 0, restarts: int = 1,
               spherical: bool = False, most_iterations: int = 300, tolerance: float = 1e-4,
               start: np.ndarray | None = None, mesh=None, poll=lambda: None) -> Clustering:
  """Finds k clusters of rows that fit in memory.

  A cluster that lost its rows starts anew at the row that is farthest from its centre. The same
  seed gives the same clusters, on one device and on several but for rounding.

  Args:
    features: [N, D] numbers.
    num_clusters: k, 1 to N.
    seed: of the starts.
    restarts: how many starts are tried; the least inertia is kept.
    spherical: rows are compared by direction alone, and centres have length 1.
    most_iterations: at most this many for each start.
    tolerance: times the mean variance of the columns: squared movements of all centres that add up
      to no more end the search; 0 goes on until no row changes its cluster.
    start: [k, D] centres to start from; None draws them. With it restarts are all the same, and one
      is made.
    mesh: None is one of all devices.
    poll: called at every iteration.

  Raises:
    UserError: no rows, values that are not numbers, or k that is no number of clusters for them.

  Source: Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 1982;
  spherical: Dhillon, Modha, Concept Decompositions for Large Sparse Text Data Using Clustering,
  Machine Learning 2001.
  """
  check_features(features)
  check_num_clusters(num_clusters, len(features))
  check_start(start, num_clusters, features)
  if min(restarts, most_iterations) < 1 or seed < 0:
    raise UserError(f'{restarts} restarts of at most {most_iterations} iterations from seed '
                    f'{seed}; expected one or more of both, and a seed from 0')
  features, origin = np.asarray(features), find_origin(features, spherical)
  laid = ShardedRows(features, mesh or parallel.make_mesh(), origin=origin, spherical=spherical)
  limit = tolerance * _mean_variance(laid.rows) if tolerance else 0
  best = None
  for restart in range(1 if start is not None else restarts):
    if start is None:
      rng = np.random.default_rng([seed, restart])
      centres = laid.rows[seeding.draw_starts(laid, num_clusters, rng, poll)]
    else:
      centres = prepare(start, origin, spherical)
    found = _lloyd(laid, centres, spherical, most_iterations, limit, poll)
    best = found if best is None or found.inertia < best.inertia else best
  return best._replace(centres=best.centres + np.float32(origin))


def assign(features, centres, *, spherical: bool = False, mesh=None, batch_rows: int = BATCH_ROWS,
           poll=lambda: None) -> tuple[np.ndarray, np.ndarray]:
  """The nearest of the centres for each row.

  Args:
    features: [N, D]; anything that gives rows by slice, read some at a time.
    centres: [k, D].
    spherical: as in `fit_kmeans`.
    mesh: None is one of all devices.
    batch_rows: read at a time.
    poll: called for each batch.

  Returns:
    clusters int32 [N] and distances float32 [N], as in Clustering.

  Raises:
    UserError: features that do not fit the centres, or are not numbers.
  """
  check_features(features)
  check_features(centres)
  if np.shape(features)[1] != np.shape(centres)[1]:
    raise UserError(f'features have {np.shape(features)[1]:,} columns, and the centres '
                    f'{np.shape(centres)[1]:,}; they are of different nets or settings')
  origin, mesh = find_origin(centres, spherical), mesh or parallel.make_mesh()
  points, found = prepare(centres, origin, spherical), []
  for laid in read_batches(features, batch_rows, mesh, origin, spherical):
    poll()
    found.append(_to_distances(laid, *laid.nearest(points), spherical))
  clusters, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
  return clusters, distances


def _mean_variance(rows):
  """The variance of a column, on average over columns; not exact for rows far from 0."""
  return float(np.vdot(rows, rows)) / rows.size - np.square(rows.mean(axis=0)).mean()


def read_batches(features, batch_rows: int, mesh, origin, spherical: bool):
  """Yields ShardedRows of the features in their order; the last as large a place as the others."""
  room = min(len(features), batch_rows)
  for first in range(0, len(features), batch_rows):
    yield ShardedRows(features[first:first + batch_rows], mesh, origin=origin, spherical=spherical,
                      room=room)


def _lloyd(laid, centres, spherical, most_iterations, limit, poll) -> Clustering:
  """Iterates from the centres; ends only while no cluster is empty."""
  for iteration in range(1, most_iterations + 1):
    poll()
    tally = laid.tally(centres)
    refilled = not tally.counts.all()
    if refilled:
      refill(tally, laid.rows, *laid.nearest(centres))
    moved = move(tally, centres, spherical)
    shift, centres = np.square(moved - centres, dtype=np.float64).sum(), moved
    last = iteration == most_iterations
    if last or not refilled and (not tally.changed or shift <= limit):
      found = laid.nearest(centres) if shift else laid.tallied(centres)
      clusters, distances = _to_distances(laid, *found, spherical)
      if last or len(np.unique(clusters)) == len(centres):
        break
  return Clustering(centres, clusters, distances, inertia_of(distances, spherical), iteration)


def _to_distances(laid, clusters, squared, spherical):
  """Clusters and distances as Clustering has them. Between unit rows 1 - cosine is half the square.
  """
  if not spherical:
    return clusters, np.sqrt(squared)
  return clusters, np.where(laid.rows.any(axis=1), squared / 2, np.float32(1))


def move(tally: Tally, centres: np.ndarray, spherical: bool) -> np.ndarray:
  """Centres [k, D] at the means of their rows; one without rows, or without direction, stays."""
  means = tally.sums / np.maximum(tally.counts, 1)[:, None]
  if spherical:
    means /= lengths_of(means)
  stays = (tally.counts == 0) | spherical & ~means.any(axis=1)
  return np.where(stays[:, None], centres, means).astype(np.float32)


def refill(tally: Tally, rows: np.ndarray, clusters: np.ndarray, squared: np.ndarray) -> None:
  """Gives every empty cluster of the tally the row that is farthest from its centre.

  No row is given twice, nor one that equals a given one, nor the last of its cluster.

  Args:
    tally: changed in place.
    rows: float32 [n, D] to give away, the farthest of all among them.
    clusters: int32 [n], where they are.
    squared: [n], how far from the centre, squared.

  Raises:
    UserError: there is none to give, since rows of a cluster are all the same.
  """
  empty, given = list(np.flatnonzero(tally.counts == 0)), []
  filled = len(tally.counts) - len(empty)
  for row in np.argsort(-squared, kind='stable'):
    old, features = clusters[row], rows[row]
    if tally.counts[old] < 2 or squared[row] <= SAME * np.square(features).sum():
      continue
    if not any(np.array_equal(features, other) for other in given):
      new = empty.pop(0)
      given.append(features)
      tally.sums[old] -= features
      tally.sums[new] = features
      tally.counts[old] -= 1
      tally.counts[new] = 1
    if not empty:
      return
  if not given:
    seeding.check_different(filled, len(tally.counts))


def find_origin(rows, spherical: bool) -> np.ndarray:
  """What is taken off all rows, so that float32 spends its digits on differences. float32 [D]

  It is their mean; 0 in columns that have no use for one, whose values `prepare` will refuse.
  """
  if spherical:
    return np.zeros(np.shape(rows)[1], np.float32)
  mean = np.mean(rows, axis=0, dtype=np.float64)
  return np.where(np.abs(mean) < 1e15, mean, 0).astype(np.float32)


def inertia_of(distances: np.ndarray, spherical: bool) -> float:
  """What is to be least, summed in float64."""
  return float((distances if spherical else np.square(distances, dtype=np.float64)).sum(
      dtype=np.float64))


def check_num_clusters(num_clusters: int, num_rows: int) -> None:
  """Raises UserError unless there can be so many clusters."""
  if not 1 <= num_clusters <= num_rows:
    raise UserError(f'{num_clusters:,} clusters were asked for of {num_rows:,} pictures; expected '
                    f'1 to {num_rows:,}')


def check_start(start, num_clusters: int, features) -> None:
  """Raises UserError unless the start, where there is one, holds k centres like the features."""
  expected = (num_clusters, np.shape(features)[1])
  if start is not None and np.shape(start) != expected:
    raise UserError(f'the start has the shape {np.shape(start)}; expected {expected}')
