"""Where pictures lie on a map: alike ones near each other, by t-SNE of their features."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from errors import UserError
from train_lib.split_statistics import even_sample

MOST_MAPPED = 2_000               # rows that t-SNE itself places; its time grows with them
MOST_COLUMNS = 50                 # principal components that it sees
PERPLEXITY = 30.0                 # neighbours that a row is held near, of enough rows
NEIGHBOURS = 3                    # mapped rows that another row is laid beside
ITERATIONS = 500
SHIFT_FRAC = 0.004                # of the map's side: rows laid at one place stay apart
MOST_EXACT = 250                  # rows that t-SNE places without its tree, which costs threads
FEWEST_ROWS = 5                   # of which t-SNE makes more than principal components do


def place_on_map(features: np.ndarray, *, seed: int = 0, poll=lambda: None) -> np.ndarray:
  """Places on a plane for rows of features, near each other where the rows are.

  t-SNE, from the first two principal components, places an even sample of the rows; every other
  row is laid at the mean of the places of its nearest rows of the sample, weighted by nearness,
  and moved a little at random. Distances between far groups mean little on such a map, and neither
  do axes.

  Args:
    features: [N, D], N at least 1.
    seed: of what is random; the same rows and seed give the same map.
    poll: called between the stages, to stop there.

  Returns:
    float32 [N, 2] within 0..1, of the shape of the map (both axes have one scale). Rows that are
    all the same lie together in the middle.

  Raises:
    UserError: no rows, or features that are not numbers.

  Source: van der Maaten, Hinton, Visualizing Data using t-SNE, JMLR 9, 2008; of scikit-learn, with
  the tree of van der Maaten, Accelerating t-SNE using Tree-Based Algorithms, JMLR 15, 2014.
  """
  rows = np.asarray(features, np.float32)
  if not len(rows):
    raise UserError('a map needs one picture or more, and there is none')
  if not np.isfinite(rows).all():
    raise UserError('a map needs features that are numbers, and some are not')
  draws = np.random.default_rng(seed)
  sample = even_sample(len(rows), MOST_MAPPED)
  poll()
  reduced = _reduce(rows, sample, seed)
  poll()
  mapped = _map(reduced[sample], seed, draws)
  poll()
  places = _lay_beside(reduced, sample, mapped, draws)
  return _fit_square(places)


def _reduce(rows, sample, seed):
  """The first principal components [N, C] of the sample, for all rows."""
  columns = min(MOST_COLUMNS, len(sample), rows.shape[1])
  if not np.ptp(rows[sample], axis=0).any():
    return np.zeros((len(rows), columns), np.float32)  # no component has a variance to be divided
  return PCA(columns, random_state=seed).fit(rows[sample]).transform(rows).astype(np.float32)


def _map(rows, seed, draws):
  """Places [n, 2] of the sample's components [n, C]."""
  start = np.zeros((len(rows), 2), np.float32)
  start[:, :rows.shape[1]] = rows[:, :2]
  if len(rows) < FEWEST_ROWS or not start.any():
    return start
  # as scikit-learn starts from components; equal rows must not start at one point
  start = 1e-4 * (start / start[:, 0].std() + 1e-2 * draws.standard_normal(start.shape))
  plane = TSNE(2, perplexity=min(PERPLEXITY, (len(rows) - 1) / 3), init=start.astype(np.float32),
               max_iter=ITERATIONS, random_state=seed,
               method='exact' if len(rows) <= MOST_EXACT else 'barnes_hut')
  with threadpool_limits(1, 'openmp'):            # its threads spin, and lose on busy processors
    return plane.fit_transform(rows)


def _lay_beside(rows, sample, mapped, draws):
  """Places [N, 2]: those of the sample, and of the others near their neighbours in it."""
  places = np.empty((len(rows), 2), np.float32)
  places[sample] = mapped
  others = np.setdiff1d(np.arange(len(rows)), sample)
  if not others.size:
    return places
  count = min(NEIGHBOURS, len(sample))
  far, near = NearestNeighbors(n_neighbors=count, algorithm='brute').fit(rows[sample]).kneighbors(
      rows[others])
  # relative to the nearest, and cubed: a row between two groups goes to one of them
  weights = (far[:, :1] + 1e-6) ** 3 / (far + 1e-6) ** 3
  side = max(np.ptp(mapped, axis=0).max(), 1e-6)
  shifts = SHIFT_FRAC * side * draws.standard_normal((len(others), 2))
  places[others] = (np.einsum('nk,nkc->nc', weights / weights.sum(axis=1, keepdims=True),
                              mapped[near]) + shifts)
  return places


def _fit_square(places):
  """Moved and scaled into 0..1, in the middle of it along the shorter axis."""
  low, high = places.min(axis=0), places.max(axis=0)
  side = (high - low).max()
  if side <= 0:
    return np.full_like(places, 0.5)
  return np.clip((places - (low + high) / 2) / side + 0.5, 0, 1).astype(np.float32)
