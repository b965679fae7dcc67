"""Features made ready to be grouped: taps weigh alike, principal components, rows of length 1."""

import dataclasses
from collections.abc import Callable

import numpy as np

from errors import UserError

CHUNK_ROWS = 8_192                # that are read from disk at a time
LEAST_SHARE = 1e-7                # of the largest variance, below which a component is noise


@dataclasses.dataclass(frozen=True)
class Projection:
  """What is done to each row of features, learned from all of them. At the end it has length 1.

  Attributes:
    scales: float32 [D], a factor for each feature, the same for all of a tap.
    mean: float32 [D], of the scaled features, which is taken off.
    components: float32 [D, C], orthonormal columns, perhaps divided by their deviations; [D, 0]:
      the scaled features, less their mean, are kept.
  """
  scales: np.ndarray
  mean: np.ndarray
  components: np.ndarray

  @property
  def width(self) -> int:
    """Numbers in a projected row."""
    return self.components.shape[1] or len(self.scales)

  def __call__(self, rows: np.ndarray) -> np.ndarray:
    """float [n, D] -> float32 [n, width], each of length 1, or 0 where all is 0."""
    rows = np.asarray(rows, np.float32) * self.scales - self.mean
    if self.components.shape[1]:
      rows = rows @ self.components
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def fit_projection(features, rows: np.ndarray, widths: list[int], *, components: int, whiten: bool,
                   poll: Callable[[], None] = lambda: None) -> Projection:
  """Learns the projection, reading the features chunk by chunk.

  Every tap is divided by the root of its rows' mean square length, so that joined taps weigh alike.
  The components are eigenvectors of the covariance, by falling variance, each with its largest
  entry positive.

  Args:
    features: [N, D], on disk or in memory.
    rows: int64 [n], those that count.
    widths: of the taps that lie side by side; their sum is D.
    components: C that are kept, fewer where the rows have fewer; 0: no components are taken.
    whiten: the components, if any are taken, are divided by their deviations.

  Raises:
    UserError: features that are not finite.

  Source: of the whitening, Jegou, Chum, Negative Evidences and Co-occurrences in Image Retrieval,
    2012.
  """
  squares, width = np.zeros(sum(widths)), sum(widths)
  for chunk in _chunks(features, rows, poll):
    squares += np.square(chunk, dtype=np.float64).sum(axis=0)
  if not np.isfinite(squares).all():
    raise UserError('some features are not finite numbers; the weights of the net are of no use')
  totals = np.add.reduceat(squares, np.cumsum([0, *widths[:-1]])) / len(rows)
  scales = np.repeat(1 / np.sqrt(np.where(totals > 0, totals, 1)), widths).astype(np.float32)
  mean, covariance = _covariance(features, rows, scales, poll)
  if not components:
    return Projection(scales, mean, np.zeros((width, 0), np.float32))
  variances, vectors = np.linalg.eigh(covariance)
  kept = min(components, int((variances > LEAST_SHARE * max(variances[-1], 0)).sum()))
  if not kept:                                  # all rows are the same
    return Projection(scales, mean, np.eye(width, 1, dtype=np.float32))
  variances, vectors = variances[::-1][:kept], vectors[:, ::-1][:, :kept]
  vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(kept)])
  if whiten:
    vectors = vectors / np.sqrt(variances)
  return Projection(scales, mean, vectors.astype(np.float32))


def project(projection: Projection, features, rows: np.ndarray, out: np.ndarray,
            poll: Callable[[], None] = lambda: None) -> None:
  """Writes the projected rows. Args: features, rows: as above; out: float32 [n, width]."""
  first = 0
  for chunk in _chunks(features, rows, poll):
    out[first:first + len(chunk)] = projection(chunk)
    first += len(chunk)


def _chunks(features, rows, poll):
  for first in range(0, len(rows), CHUNK_ROWS):
    poll()
    yield np.asarray(features[rows[first:first + CHUNK_ROWS]], np.float32)


def _covariance(features, rows, scales, poll):
  """(float32 [D] mean, float64 [D, D] covariance) of the scaled rows."""
  total, products, shift = 0.0, 0.0, None
  for chunk in _chunks(features, rows, poll):
    chunk = chunk * scales
    if shift is None:                           # near the mean: small numbers lose no digits
      shift = chunk.mean(axis=0)
    chunk -= shift
    total = total + chunk.sum(axis=0, dtype=np.float64)
    products = products + (chunk.T @ chunk).astype(np.float64)
  mean = total / len(rows)
  return ((shift + mean).astype(np.float32),
          products / len(rows) - np.outer(mean, mean))
