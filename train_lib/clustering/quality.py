"""How good a clustering is: by the features alone, and by labels where some are known.

By the features alone a clustering is as good as its clusters are dense and apart, which need not be
what a person would sort the pictures by; labels say how near it comes to that. Cluster -1 is what
HDBSCAN calls noise: rows that belong to no cluster.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from errors import UserError

RESAMPLED_FRAC = 0.8              # of the rows, in each resample
MOST_RESAMPLED = 20_000           # rows of a resample
MOST_COMPARED = 20_000            # rows on which two clusterings are compared
NAN = float('nan')
# What people call the figures.
TITLES = {'silhouette': 'silhouette', 'davies_bouldin': 'Davies-Bouldin', 'stability': 'stability',
          'nmi': 'NMI', 'ari': 'ARI', 'purity': 'purity',
          'hungarian_accuracy': 'Hungarian accuracy'}


class Silhouettes(NamedTuple):
  """Silhouettes of some rows.

  Attributes:
    rows: int64 [n], places of the rows, rising; none of noise.
    values: float64 [n], -1 to 1; NaN where the rows have no second cluster, or no two of a cluster.
  """
  rows: np.ndarray
  values: np.ndarray

  @property
  def mean(self) -> float:
    """Over all n rows; NaN without a row."""
    return float(self.values.mean()) if len(self.values) else NAN


def measure(features: np.ndarray, clusters: np.ndarray, found: Silhouettes, *,
            labels: np.ndarray | None = None, spherical: bool = False) -> dict[str, float]:
  """The figures of a clustering.

  Args:
    features: [N, D], finite.
    clusters: int [N]; -1: noise.
    found: of `silhouettes`.
    labels: int [N] of what the pictures show; -1: unknown. None: nothing is known.
    spherical: rows are compared by their angle and not by their Euclidean distance.

  Returns:
    'silhouette', -1 to 1, the larger the better: their mean; and 'davies_bouldin', from 0, the
    smaller the better, of all rows (of unit length where spherical). Noise counts in neither. Both
    are NaN where they do not exist: of a single cluster, of clusters of one row each, and of rows
    that are all the same. With labels also those of `measure_by_labels`.

  Raises:
    UserError: features that are not numbers.

  Source: Davies, Bouldin, A Cluster Separation Measure, 1979, IEEE Transactions on Pattern Analysis
  and Machine Intelligence 1; computed by scikit-learn.
  """
  from sklearn.metrics import davies_bouldin_score
  rows, places = _clustered(features, clusters)
  result = {'silhouette': found.mean, 'davies_bouldin': NAN}
  if _comparable(rows, places):
    result['davies_bouldin'] = float(davies_bouldin_score(unit_rows(rows) if spherical else rows,
                                                          places))
  return result if labels is None else {**result, **measure_by_labels(clusters, labels)}


def silhouettes(features: np.ndarray, clusters: np.ndarray, *, spherical: bool = False,
                sample: int = 5_000, seed: int = 0) -> Silhouettes:
  """The silhouette (b - a) / max(a, b) of every row, or of a sample that stands for them.

  a is the mean distance of a row to the others of its cluster, b the least mean distance to those
  of another cluster; the silhouette is 0 for the only row of a cluster. In a sample both are means
  over rows of the sample, so that a cluster of which it holds one row gets 0, and one of which it
  holds none is not there.

  Args:
    features: [N, D], finite.
    clusters: int [N]; -1: noise.
    spherical: the distance is 1 - cosine, and not the Euclidean one.
    sample: rows that silhouettes are taken of; of more rows a seeded sample.
    seed: of the sample.

  Source: Rousseeuw, Silhouettes: A Graphical Aid to the Interpretation and Validation of Cluster
  Analysis, 1987, Journal of Computational and Applied Mathematics 20; computed by scikit-learn.
  """
  from sklearn.metrics import silhouette_samples
  rows = np.flatnonzero(np.asarray(clusters) >= 0)
  rows = rows[_draw(np.random.default_rng(seed), len(rows), sample)]
  chosen, places = _clustered(features[rows], np.asarray(clusters)[rows])
  if not _comparable(chosen, places):
    return Silhouettes(rows, np.full(len(rows), NAN))
  metric = 'cosine' if spherical else 'euclidean'
  return Silhouettes(rows, silhouette_samples(chosen, places, metric=metric).astype(np.float64))


def measure_by_labels(clusters: np.ndarray, labels: np.ndarray) -> dict[str, float]:
  """How near a clustering comes to labels. Rows of label -1 are left out; NaN where none is left.

  Noise is never right: for 'purity' and 'hungarian_accuracy' each row of it is a mistake, and for
  'nmi' and 'ari', which know no single mistakes, all of it is one more cluster.

  Args: clusters: int [N]; labels: int [N].

  Returns:
    'nmi': mutual information of clusters and labels over the mean of their entropies, 0 to 1.
    'ari': adjusted Rand index, up to 1; around 0 for clusters by chance.
    'purity': share of rows whose label is the most frequent one of their cluster; it grows with
      the number of clusters, up to 1 for single rows.
    'hungarian_accuracy': share of rows that are right when every cluster stands for one label and
      every label for one cluster, in the best of all such matchings; clusters beyond the number of
      labels are all wrong.

  Source: Strehl, Ghosh, Cluster Ensembles, 2002, Journal of Machine Learning Research 3 (with the
  arithmetic mean); Hubert, Arabie, Comparing Partitions, 1985, Journal of Classification 2; Kuhn,
  The Hungarian Method for the Assignment Problem, 1955; computed by scikit-learn and SciPy.
  """
  from scipy.optimize import linear_sum_assignment
  from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
  from sklearn.metrics.cluster import contingency_matrix
  clusters, labels = np.asarray(clusters), np.asarray(labels)
  clusters, labels = clusters[labels >= 0], labels[labels >= 0]
  if not len(labels):
    return dict.fromkeys(('nmi', 'ari', 'purity', 'hungarian_accuracy'), NAN)
  counts = contingency_matrix(clusters, labels)[np.unique(clusters) >= 0]       # [clusters, labels]
  best = counts[linear_sum_assignment(counts, maximize=True)].sum()
  return {'nmi': float(normalized_mutual_info_score(labels, clusters)),
          'ari': float(adjusted_rand_score(labels, clusters)),
          'purity': float(counts.max(axis=1).sum() / len(labels)),
          'hungarian_accuracy': float(best / len(labels))}


def stability(features: np.ndarray, fit: Callable, num_clusters: int, *, resamples: int, seed: int,
              poll: Callable[[], None] = lambda: None) -> float:
  """How much of a clustering stays when it is made of other pictures of the same kind.

  Each resample is a random share of the rows without repetition. Centres are fitted to it, every
  row (of many, a sample) goes to the nearest centre of each resample, and the clusterings that
  arise are compared pair by pair. Numbers of clusters that the pictures do not suggest come out
  differently each time; so do starts that end in different minima.

  Args:
    features: [N, D], finite.
    fit: fit(rows, num_clusters, seed), whose result has `centres` [num_clusters, D]; of unit
      length where the clustering is spherical, so that the nearest is the one at the least angle.
    num_clusters: of each clustering.
    resamples: 2 or more.
    seed: of the resamples and their fits.
    poll: called before each fit; may raise to stop.

  Returns:
    The mean adjusted Rand index over the pairs of resamples; 1: the same, around 0: by chance. NaN
    of one cluster, which is always the same, and where a resample holds fewer different rows than
    clusters.

  Raises:
    UserError: fewer than two resamples.

  Source: Ben-Hur, Elisseeff, Guyon, A Stability Based Method for Discovering Structure in Clustered
  Data, 2002, Pacific Symposium on Biocomputing; differs by comparing on all rows, and by the
  adjusted Rand index.
  """
  from sklearn.metrics import adjusted_rand_score, pairwise_distances_argmin
  if resamples < 2:
    raise UserError(f'stability compares clusterings of two resamples or more, and the number of '
                    f'resamples is {resamples}')
  rng, size = np.random.default_rng(seed), len(features)
  compared = _float32(features[_draw(rng, size, MOST_COMPARED)])
  found = []
  for number in range(resamples):
    poll()
    rows = _draw(rng, size, min(round(RESAMPLED_FRAC * size), MOST_RESAMPLED))
    rows = _float32(features[rows])
    if num_clusters < 2 or count_different(rows, num_clusters) < num_clusters:
      return NAN
    centres = np.asarray(fit(rows, num_clusters, seed + number).centres, np.float32)
    found.append(pairwise_distances_argmin(compared, centres))
  return float(np.mean([adjusted_rand_score(*pair) for pair in itertools.combinations(found, 2)]))


def count_different(features: np.ndarray, most: int) -> int:
  """How many different rows there are, counted no further than `most`."""
  seen = set()
  for row in features:
    seen.add((row + 0.0).tobytes())           # -0.0 is 0.0
    if len(seen) >= most:
      break
  return len(seen)


def unit_rows(features: np.ndarray) -> np.ndarray:
  """The rows at unit length; those of zeros as they are: float32 [N, D]."""
  from sklearn.preprocessing import normalize
  return normalize(_float32(features)) if len(features) else _float32(features)


def _draw(rng, size, most):
  """int64: so many places below size, rising; all where they are no more."""
  return np.arange(size) if size <= most else np.sort(rng.choice(size, most, replace=False))


def _float32(features):
  return np.asarray(features, np.float32)


def _clustered(features, clusters):
  """The rows that are no noise, float32 [n, D], and their clusters as 0, 1, 2 ...: [n]."""
  clusters = np.asarray(clusters)
  some = clusters >= 0
  rows = _float32(features if some.all() else features[some])
  if not np.isfinite(rows).all():
    raise UserError('a clustering is measured on features that are numbers, and some are not')
  return rows, np.unique(clusters[some], return_inverse=True)[1]


def _comparable(rows, places):
  """Whether there are two clusters, two rows of one, and two different rows."""
  return bool(len(rows) and 0 < places.max() < len(rows) - 1 and (rows != rows[0]).any())
