"""Other ways to cluster than k-means, for small collections, as scikit-learn has them.

Both look at every pair of rows, so that memory and time grow with the square of their number.
"""

from collections.abc import Callable

import numpy as np

from errors import UserError

NOISE = -1                        # the cluster of rows that belong to none
MOST_ROWS = 10_000                # beyond it minutes, and gigabytes of distances


def cluster_otherwise(method: str, features: np.ndarray, *, num_clusters: int, least_size: int
                      ) -> np.ndarray:
  """Clusters by a method of METHODS.

  Args:
    method: a key of METHODS.
    features: [N, D], finite; at most MOST_ROWS.
    num_clusters: for methods that are told it.
    least_size: rows of the smallest cluster, for methods that find the number of clusters.

  Returns:
    int32 [N], 0 to the number of clusters - 1, or -1: noise.

  Raises:
    UserError: an unknown method, too many rows or none, features that are not numbers, or settings
      that the rows do not allow.
  """
  if method not in METHODS:
    raise UserError(f"the clustering method '{method}' is unknown; choices: kmeans, "
                    f'{", ".join(METHODS)}')
  if not 1 <= len(features) <= MOST_ROWS:
    raise UserError(f"the clustering method '{method}' takes 1 to {MOST_ROWS:,} pictures, and "
                    f"there are {len(features):,}; choose the method 'kmeans'")
  rows = np.asarray(features, np.float32)
  if not np.isfinite(rows).all():
    raise UserError('clustering takes features that are numbers, and some are not')
  return METHODS[method](rows, num_clusters=num_clusters, least_size=least_size)


def agglomerative(features: np.ndarray, *, num_clusters: int, least_size: int) -> np.ndarray:
  """Joins the two clusters whose union adds least to the inertia, from single rows on.

  Deterministic, without a start that can go wrong. Args: least_size: not used.

  Source: Ward, Hierarchical Grouping to Optimize an Objective Function, 1963, Journal of the
  American Statistical Association 58.
  """
  from sklearn.cluster import AgglomerativeClustering
  if not 1 <= num_clusters <= len(features):
    raise UserError(f'the number of clusters is {num_clusters:,}; expected 1 to the number of '
                    f'pictures, {len(features):,}')
  if len(features) == 1:
    return np.zeros(1, np.int32)
  return AgglomerativeClustering(num_clusters).fit_predict(features).astype(np.int32)


def hdbscan(features: np.ndarray, *, num_clusters: int, least_size: int) -> np.ndarray:
  """Dense regions of any shape, however many there are; what lies between them is noise, -1.

  Finds nothing, or one region in which all else drowns, where density falls off evenly, as it
  often does in features of many columns; few principal components help. Rows that all are the same
  are one cluster. Args: num_clusters: not used.

  Source: Campello, Moulavi, Sander, Density-Based Clustering Based on Hierarchical Density
  Estimates, 2013, Pacific-Asia Conference on Knowledge Discovery and Data Mining.
  """
  from sklearn.cluster import HDBSCAN
  if not 2 <= least_size <= len(features):
    raise UserError(f'the smallest cluster is to have {least_size:,} pictures; expected 2 to their '
                    f'number, {len(features):,}')
  if not (features != features[0]).any():
    return np.zeros(len(features), np.int32)
  # all distances at once: several times as fast as its trees are in many columns
  found = HDBSCAN(min_cluster_size=least_size, algorithm='brute', copy=True).fit(features)
  return found.labels_.astype(np.int32)


def describe(features: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Centres of clusters that came without, and how far each row is from its own.

  Args: features: [N, D]; clusters: int [N], each of 0 to k - 1 with a row, and -1: noise.

  Returns:
    float32 [k, D], means, and float32 [N], Euclidean; NaN for noise.
  """
  rows, clusters = np.asarray(features, np.float32), np.asarray(clusters)
  some = clusters >= 0
  centres = np.zeros((clusters.max(initial=-1) + 1, rows.shape[1]))
  np.add.at(centres, clusters[some], rows[some])
  centres /= np.bincount(clusters[some], minlength=len(centres))[:, None]
  centres = centres.astype(np.float32)
  distances = np.full(len(rows), np.nan, np.float32)
  distances[some] = np.linalg.norm(rows[some] - centres[clusters[some]], axis=1)
  return centres, distances


METHODS: dict[str, Callable] = {'agglomerative': agglomerative, 'hdbscan': hdbscan}
