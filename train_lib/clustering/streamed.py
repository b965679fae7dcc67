"""k-means of rows that do not fit in memory: some at a time, read by slice.

Starts are drawn from a sample, which also settles them; mini-batches of other rows, drawn from
everywhere, then pull centres ever less (Sculley), and whole passes in the order of the rows are
Lloyd's iterations as `kmeans` makes them. What is held at a time is a batch and, for every row, its
cluster and its distance.
"""

import numpy as np

from errors import UserError
from train_lib import parallel
from train_lib.clustering import kmeans, seeding
from train_lib.clustering.kmeans import BATCH_ROWS, Clustering
from train_lib.clustering.sharded_rows import ShardedRows, Tally, check_features, prepare

MOST_MORE_PASSES = 10  # while clusters are empty


def fit_streamed(features, num_clusters: int, *, seed: int = 0, spherical: bool = False,
                 batch_rows: int = BATCH_ROWS, batches: int = 16, passes: int = 2,
                 start: np.ndarray | None = None, mesh=None, poll=lambda: None) -> Clustering:
  """Finds k clusters of rows that are read some at a time.

  Args:
    features: anything of the shape [N, D] that gives float16 or float32 rows by slice, and by a
      rising array of rows, such as np.memmap.
    num_clusters: k, at most N and batch_rows.
    seed: of the sample, the starts and the batches.
    spherical: as in `fit_kmeans`.
    batch_rows: held at a time.
    batches: mini-batches that are drawn, unless all rows fit into one; 0 makes none.
    passes: over all rows that move centres, 1 or more; another one tells clusters and distances.
    start: [k, D] centres; None draws them from as many rows as a batch has.
    mesh: None is one of all devices.
    poll: called for every batch.

  Returns:
    As `fit_kmeans`; iterations are the passes that moved centres.

  Raises:
    UserError: as `fit_kmeans`, and for batches of fewer rows than k.

  Source: Sculley, Web-Scale K-Means Clustering, WWW 2010, algorithm 1.
  """
  check_features(features)
  kmeans.check_num_clusters(num_clusters, len(features))
  kmeans.check_start(start, num_clusters, features)
  if batch_rows < num_clusters or passes < 1:
    raise UserError(f'{num_clusters:,} clusters with batches of {batch_rows:,} rows and {passes:,} '
                    'passes; expected at least as many rows as clusters, and one pass')
  rng, mesh = np.random.default_rng(seed), mesh or parallel.make_mesh()
  sample = _draw(features, batch_rows, rng)
  origin = kmeans.find_origin(sample, spherical)
  if start is None:
    laid = ShardedRows(sample, mesh, origin=origin, spherical=spherical)
    centres = laid.rows[seeding.draw_starts(laid, num_clusters, rng, poll)]
  else:
    centres = prepare(start, origin, spherical)
  if len(features) > batch_rows:
    drawn = (ShardedRows(_draw(features, batch_rows, rng), mesh, origin=origin,
                         spherical=spherical) for _ in range(batches))
    centres = _settle(drawn, centres, spherical, poll)

  def read():
    for laid in kmeans.read_batches(features, batch_rows, mesh, origin, spherical):
      poll()
      yield laid

  for iteration in range(1, passes + MOST_MORE_PASSES + 1):
    centres = _pass(read, centres, spherical)
    if iteration < passes:
      continue
    moved = centres + origin
    clusters, distances = kmeans.assign(features, moved, spherical=spherical, mesh=mesh,
                                        batch_rows=batch_rows, poll=poll)
    if len(np.unique(clusters)) == num_clusters:
      break
  return Clustering(moved, clusters, distances, kmeans.inertia_of(distances, spherical), iteration)


def _draw(features, count, rng):
  """Rows from everywhere, in their order; all where there are no more."""
  if len(features) <= count:
    return np.asarray(features[:])
  return np.asarray(features[np.sort(rng.choice(len(features), count, replace=False))])


def _settle(drawn, centres, spherical, poll):
  """The centres after mini-batches have pulled at them."""
  seen = np.zeros(len(centres), np.int64)
  for laid in drawn:
    poll()
    centres = _pull(laid.tally(centres), centres, seen, spherical)
  return centres


def _pull(tally, centres, seen, spherical):
  """Moves each centre towards the mean of its rows by their share of all it has seen, in place."""
  seen += tally.counts
  lacking = tally.sums - tally.counts[:, None] * centres.astype(np.float64)
  moved = centres + lacking / np.maximum(seen, 1)[:, None]
  return kmeans.move(Tally(moved, np.ones(len(seen), int), 0), centres, spherical)


def _pass(read, centres, spherical):
  """One of Lloyd's iterations over all rows; one more look where a cluster is empty."""
  sums, counts = np.zeros(centres.shape), np.zeros(len(centres), np.int64)
  for laid in read():
    tally = laid.tally(centres)
    sums += tally.sums
    counts += tally.counts
  tally = Tally(sums, counts, 0)
  if not counts.all():
    kmeans.refill(tally, *_farthest(read, centres, counts))
  return kmeans.move(tally, centres, spherical)


def _farthest(read, centres, counts):
  """The rows farthest from their centres, as many as clusters are empty: what `refill` takes."""
  most, kept = (counts == 0).sum(), None
  for laid in read():
    clusters, squared = laid.nearest(centres)
    free = np.flatnonzero(counts[clusters] > 1)
    found = [part[free] for part in (laid.rows, clusters, squared)]
    kept = found if kept is None else [np.concatenate(pair) for pair in zip(kept, found,
                                                                           strict=True)]
    far = np.argsort(-kept[2], kind='stable')[:most]
    kept = [part[far] for part in kept]
  return kept
