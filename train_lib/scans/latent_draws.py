"""Latent vectors of scans that nobody took: where each comes from, as a function of (seed, index).

- prior: normal draws, which is what a variational autoencoder is trained to make scans of.
- fitted: draws of the normal distribution with the mean and the covariance of the training split's
  posterior means. Where these do not fill the prior, most draws of that are of what the decoder
  never saw. Source: ex-post density estimation: Ghosh, Sajjadi, Vergari, Black, Schoelkopf, From
  Variational to Deterministic Autoencoders, 2020, arXiv 1903.12436, section 4.
- around: draws of a scan's own posterior, their deviations widened.
- between: points on the straight line between the posterior means of two scans. An arc is for draws
  of the prior, which are all about as long as each other; posterior means are not.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

KINDS = ('prior', 'fitted', 'around', 'between')
ANCHORED = ('around', 'between')  # that start from a person's own scans
LOGVAR_RANGE = (-20.0, 10.0)      # in which nets sample: nets/vae.py
JITTER = 1e-6                     # of the mean variance, so that a covariance has a square root


class Draw(NamedTuple):
  """A scan that is to be drawn.

  Attributes:
    file: its name in the output, folders by '/'.
    first, last: names of the scans that it is drawn around (`first`) or between; ''.
    share: how far it is on the way from the first to the last, 0..1; None: of no way.
    folder: of `first`, where the kind is around: what a source of class folders takes for a label.
  """
  file: str
  first: str = ''
  last: str = ''
  share: float | None = None
  folder: str = ''


class Posteriors(NamedTuple):
  """What the encoder says of scans: names, means [A, D], log variances [A, D]."""
  names: Sequence[str]
  means: np.ndarray
  logvars: np.ndarray


class Normal(NamedTuple):
  """A normal distribution: mean [D] and a lower triangle L [D, D] with L L^T the covariance."""
  mean: np.ndarray
  root: np.ndarray


def list_draws(kind: str, names: Sequence[str], count: int, steps: int) -> list[Draw]:
  """Every scan that is to be drawn, in the order of their indices.

  Args:
    kind: of KINDS.
    names: of the scans that it starts from, paths relative to a folder; () where it needs none.
    count: of prior and fitted all, of around for each scan.
    steps: of between, for each scan and the next.
  """
  if kind == 'around':
    return [_around(name, place * count + number) for place, name in enumerate(names)
            for number in range(count)]
  if kind == 'between':
    return [Draw(_numbered(place * steps + step - 1), first, last, step / (steps + 1))
            for place, (first, last) in enumerate(zip(names[:-1], names[1:], strict=True))
            for step in range(1, steps + 1)]
  return [Draw(_numbered(index)) for index in range(count)]


def fit_normal(means: np.ndarray) -> Normal:
  """The normal distribution of vectors. Args: means: [N, D], N at least 2."""
  means = np.asarray(means, np.float64)
  covariance = np.cov(means, rowvar=False).reshape(means.shape[1], means.shape[1])
  jitter = JITTER * np.trace(covariance) / len(covariance) + np.finfo(np.float32).tiny
  return Normal(means.mean(axis=0),
                np.linalg.cholesky(covariance + jitter * np.eye(len(covariance))))


class Latents:
  """The latent vector of each draw, by its index alone.

  Args:
    kind: of KINDS.
    latent_size: D.
    seed, deviation: of the config; deviations are widened by the latter.
    per_scan: draws for each scan, or for each pair.
    posteriors: of the scans that it starts from; normal: of 'fitted'; None where not needed.
  """

  def __init__(self, kind: str, latent_size: int, *, seed: int, deviation: float, per_scan: int,
               posteriors: Posteriors | None = None, normal: Normal | None = None):
    self._kind, self._size, self._seed, self._deviation = kind, latent_size, seed, deviation
    self._per_scan, self._posteriors, self._normal = per_scan, posteriors, normal

  def of(self, index: int, share: float | None = None) -> np.ndarray:
    """float32 [D]. Args: index: of the draw; share: its own, of 'between'."""
    place = index // self._per_scan
    if self._kind == 'between':
      first, last = self._posteriors.means[place:place + 2]
      return ((1 - share) * first + share * last).astype(np.float32)
    noise = self._deviation * np.random.default_rng((self._seed, index)).standard_normal(self._size)
    if self._kind == 'around':
      logvar = np.clip(self._posteriors.logvars[place], *LOGVAR_RANGE)
      noise = self._posteriors.means[place] + np.exp(0.5 * logvar) * noise
    elif self._kind == 'fitted':
      noise = self._normal.mean + self._normal.root @ noise
    return noise.astype(np.float32)


def _around(name, index):
  """Beside the scan's own place, so that folders stay folders."""
  folder, _, file = name.rpartition('/')
  file, _, place = file.partition('#')          # the slice of a volume
  stem = os.path.splitext(file)[0].removesuffix('.nii') + f'-{place}' * bool(place)
  return Draw(f'{folder}/' * bool(folder) + f'{stem}-{_numbered(index)}', name, '', None, folder)


def _numbered(index):
  return f'{index:06d}.png'
