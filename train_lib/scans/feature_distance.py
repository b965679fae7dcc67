"""How far two sets of pictures are apart, by features of a net: the Frechet distance."""

import numpy as np

from errors import UserError


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
  """The squared Frechet (2-Wasserstein) distance of the Gaussians that two sets are taken for.

  With means m and covariances C of the two sets:

    d = |m_a - m_b|^2 + tr C_a + tr C_b - 2 tr (C_a C_b)^(1/2)

  The root's trace is never taken of a product of covariances. With centred rows X / sqrt(N - 1),
  C = X^T X, the eigenvalues of C_a C_b are the squares of the singular values of X_a X_b^T, so that
  their sum is the trace: real for any features, and as exact with fewer rows than features, where
  the covariances have no inverse, with nothing added to them. A set with more rows than features
  is first replaced by the triangle of its QR decomposition, which has the same covariance.

  Few rows make the figure too large, since covariances are then those of the sample: compare only
  figures of equally many. Features of another net than Inception v3 give another distance than the
  published FID.

  Args:
    features_a: [N, F], N at least 2.
    features_b: [M, F], M at least 2.

  Returns:
    At least 0, in float64 and in squared units of the features; 0 but for rounding for equal sets.

  Raises:
    UserError: a set has fewer than two rows, or values that are not numbers.

  Source: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, GANs Trained by a Two Time-Scale
  Update Rule Converge to a Local Nash Equilibrium, 2017, arXiv 1706.08500, equation 6.
  """
  (mean_a, root_a), (mean_b, root_b) = _describe(features_a), _describe(features_b)
  shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
  spread = np.square(root_a).sum() + np.square(root_b).sum()
  return max(0.0, float(np.square(mean_a - mean_b).sum() + spread - 2 * shared))


def _describe(features):
  """The mean [F], and a matrix R [min(N, F), F] with R^T R the covariance."""
  rows = np.asarray(features, np.float64)
  if len(rows) < 2:
    raise UserError(f'a Frechet distance needs two pictures on each side, and one has {len(rows)}')
  if not np.isfinite(rows).all():
    raise UserError('a Frechet distance needs features that are numbers, and some are not')
  mean = rows.mean(axis=0)
  root = (rows - mean) / np.sqrt(len(rows) - 1)
  return mean, np.linalg.qr(root, mode='r') if len(root) > root.shape[1] else root
