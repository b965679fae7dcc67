"""Rows of features into clusters, by the method and the number of clusters that a config names."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from errors import UserError
from train_lib.clustering import choosing, other_methods, quality
from train_lib.clustering.kmeans import Clustering, fit_kmeans
from train_lib.clustering.streamed import fit_streamed
from train_lib.reporting import counted, say
from train_lib.split_statistics import even_sample

METHODS = ('kmeans', 'spherical', *other_methods.METHODS)
IN_MEMORY_BYTES = 1 << 31         # of features; more are streamed unless the config says otherwise
STREAMED_ROWS = 65_536            # of a mini-batch then
TRIED_ROWS = 50_000               # rows, evenly, that numbers of clusters are tried on


class Groups(NamedTuple):
  """What was found.

  Attributes:
    centres: float32 [k, D].
    clusters: int32 [N], by falling number of pictures; -1: noise.
    distances: float32 [N], to the centre of the own cluster; NaN of noise.
    trials: of `choosing.try_numbers`; [] where k was given or found otherwise.
  """
  centres: np.ndarray
  clusters: np.ndarray
  distances: np.ndarray
  trials: list


def check_settings(settings) -> None:
  """Raises UserError for settings of the section `cluster` that make no sense by themselves."""
  if settings.method not in METHODS:
    raise UserError(f"cluster.method '{settings.method}' is unknown; choices: {', '.join(METHODS)}")
  if settings.choose_by not in choosing.RULES:
    raise UserError(f"cluster.choose_by '{settings.choose_by}' is unknown; choices: "
                    f'{", ".join(choosing.RULES)}')
  if settings.method == 'hdbscan' and settings.k:
    raise UserError(f"cluster.k is {settings.k} and cluster.method 'hdbscan' finds the number of "
                    'clusters itself; leave cluster.k at 0')
  if settings.stored_as not in ('float32', 'float16'):
    raise UserError(f"cluster.stored_as '{settings.stored_as}' is unknown; choices: float32, "
                    'float16')
  for name, least in (('k', 0), ('components', 0), ('restarts', 1), ('stream_rows', 0),
                      ('sample', 2), ('gallery_most', 1), ('resamples', 0),
                      ('least_pictures', 2)):
    if settings[name] < least:
      raise UserError(f'cluster.{name} is {settings[name]}; expected {least} or more')
  if settings.k_most < 0 or settings.k_most == 1:
    raise UserError(f'cluster.k_most is {settings.k_most}; expected 2 or more, or 0, which follows '
                    'the number of pictures')
  if not all(isinstance(number, int) and number >= 1 for number in settings.k_tried):
    raise UserError(f'cluster.k_tried is {settings.k_tried}; expected numbers of clusters, each 1 '
                    'or more')
  if settings.whiten and not settings.components:
    raise UserError('cluster.whiten is set and cluster.components is 0; whitening is of principal '
                    'components: take some')
  if not 0 < settings.labelled_frac <= 1:
    raise UserError(f'cluster.labelled_frac is {settings.labelled_frac}; expected above 0 to 1')


def group(features, settings, seed: int, mesh, poll: Callable[[], None]) -> Groups:
  """Groups rows.

  Args:
    features: float32 [N, D], perhaps on disk; N at least 2.
    settings: the section `cluster`, of `check_settings`.
    seed: of all random choices.
    mesh: the devices.
    poll: called often; may raise to stop.

  Raises:
    UserError: more clusters than different rows, or a method that cannot take so many rows.
  """
  size = len(features)
  if size < 2:
    raise UserError('one picture cannot be grouped; name a folder with two or more')
  if settings.k > size:
    raise UserError(f'cluster.k is {settings.k:,} and there are {size:,} pictures; ask for fewer '
                    'clusters, or for 0, which chooses')
  fit = _make_fit(settings, seed, mesh, poll)
  trials, number = [], settings.k
  if not number and settings.method != 'hdbscan':
    trials = _try(features, settings, seed, fit, poll)
    number = choosing.choose(trials, settings.choose_by)
    say(f'{counted(number, "cluster")}, by {settings.choose_by}')
    if number == trials[-1].num_clusters:
      _say_edge(number, settings)
  if settings.method in other_methods.METHODS:
    found = fit(features, number, seed)
  else:
    found = _fit_all(features, number, settings, seed, mesh, poll)
  return Groups(*_by_size(found), trials)


def is_spherical(settings) -> bool:
  """Whether rows are compared by their direction alone. Args: settings: the section `cluster`."""
  return settings.method == 'spherical'


def stability_of(features, number: int, settings, seed: int, mesh, poll) -> float:
  """How much of the clusters stays when they are made of other pictures; NaN where it was not
  measured: see `quality.stability`."""
  if settings.method in other_methods.METHODS or settings.resamples < 2:
    return float('nan')
  rows = even_sample(len(features), TRIED_ROWS)
  fit = _make_fit(settings, seed, mesh, poll)
  return quality.stability(features[rows], fit, number, resamples=settings.resamples, seed=seed,
                           poll=poll)


def _make_fit(settings, seed, mesh, poll):
  """fit(features, num_clusters, seed) -> Clustering, of rows that fit in memory."""
  spherical = is_spherical(settings)
  if settings.method in other_methods.METHODS:
    def fit(features, number, seed):
      del seed
      clusters = other_methods.cluster_otherwise(
          settings.method, features, num_clusters=number, least_size=settings.least_pictures)
      centres, distances = other_methods.describe(features, clusters)
      return Clustering(centres, clusters, distances, float(np.nansum(np.square(distances))), 0)
    return fit
  return lambda features, number, seed: fit_kmeans(
      features, number, seed=seed, restarts=settings.restarts, spherical=spherical, mesh=mesh,
      poll=poll)


def _try(features, settings, seed, fit, poll):
  rows = even_sample(len(features), TRIED_ROWS)
  numbers = settings.k_tried or choosing.default_numbers(len(rows), settings.k_most)
  by_stability = settings.choose_by == 'stability'
  return choosing.try_numbers(
      features[rows], numbers, fit, rule=settings.choose_by, sample=settings.sample,
      resamples=settings.resamples if by_stability else 0, seed=seed,
      spherical=is_spherical(settings), poll=poll)


def _say_edge(number, settings) -> None:
  """Says that the largest number tried was chosen, and what to do about it."""
  others = ' or '.join(rule for rule in choosing.RULES if rule != settings.choose_by)
  key = 'cluster.k_tried' if settings.k_tried else 'cluster.k_most'
  say(f'{number:,} is the largest number that was tried, so it says little: set cluster.k, try '
      f'larger ones with {key}, or choose by {others} with cluster.choose_by')


def _fit_all(features, number, settings, seed, mesh, poll) -> Clustering:
  """k-means of all rows: in memory where they fit there, else in mini-batches."""
  spherical = is_spherical(settings)
  rows = settings.stream_rows
  if not rows and features.size * features.dtype.itemsize <= IN_MEMORY_BYTES:
    return fit_kmeans(np.asarray(features), number, seed=seed, restarts=settings.restarts,
                      spherical=spherical, mesh=mesh, poll=poll)
  return fit_streamed(features, number, seed=seed, spherical=spherical,
                      batch_rows=rows or STREAMED_ROWS, mesh=mesh, poll=poll)


def _by_size(found: Clustering) -> tuple:
  """(centres, clusters, distances) with the clusters numbered by falling size."""
  counts = np.bincount(found.clusters[found.clusters >= 0], minlength=len(found.centres))
  order = np.argsort(-counts, kind='stable')
  number_of = np.full(len(found.centres) + 1, -1, np.int32)     # the last place is that of noise
  number_of[order] = np.arange(len(order))
  return found.centres[order], number_of[found.clusters], found.distances
