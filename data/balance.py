"""Oversampling: pictures of rare classes are read more often than they are there."""

import numpy as np

from data.batch import Source
from data.subset import Subset
from errors import UserError


class Oversampled(Subset):
  """A source whose rare classes come more often; `count_tags` stays that of the true pictures.

  So oversampling and weights by class add up instead of hiding each other: with a power of p here
  and weights of (1 / share) ** w, a class counts as share ** (1 - p - w) in the loss of an epoch.
  p + w = 1 makes all classes count alike; both at 1 makes rare ones count more than common ones.
  """

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return self._source.count_tags(poll)


def oversample(source: Source, power: float, seed: int, poll=lambda: None) -> Source:
  """The training split with its classes evened out; at a power of 0 the source itself.

  Args:
    source: of classes: every picture has exactly one tag.
    power: 0 (off) to 1 (all classes as often as the largest); see `oversampled_rows`.
    seed: of the pictures that come once more than the others of their class.
    poll: called for every picture; may raise to stop.

  Raises:
    UserError: power is no share, or a picture has no or several tags.
  """
  if not 0 <= power <= 1:
    raise UserError(f'data.oversample is {power}; expected 0 (off) to 1 (every class as often as '
                    'the largest)')
  if not power:
    return source
  labels = np.empty(len(source), np.int64)
  for index in range(len(source)):
    poll()
    tags = source.tags_of(index)
    if len(tags) != 1:
      raise UserError(f"data.oversample evens out classes, but '{source[index]['id']}' has "
                      f'{len(tags)} tags; set it to 0, or train with --config.task=classification')
    labels[index] = tags[0]
  return Oversampled(source, oversampled_rows(labels, power, seed), f'oversampled by {power:g}')


def oversampled_rows(labels: np.ndarray, power: float, seed: int) -> np.ndarray:
  """Which pictures an epoch reads, each class of n pictures n * (most / n) ** power times.

  Whole repetitions of all pictures of a class, and a seeded sample, each at most once more, for the
  remainder: two pictures of a class never differ by more than one reading.

  Args:
    labels: int [N], the class of each picture.
    power: 0 to 1.
    seed: of the sample.

  Returns:
    int64 rows, rising, each at least once.

  Source: of the power between the frequencies and evenness, Mikolov et al., "Distributed
    Representations of Words and Phrases", 2013, arXiv 1310.4546 (of negative samples); differs by
    exact counts in place of draws.
  """
  labels = np.asarray(labels)
  classes, class_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
  wanted = np.rint(counts * (counts.max() / counts) ** power).astype(np.int64)
  times = (wanted // counts)[class_of]
  rng = np.random.default_rng(seed)
  order = rng.permutation(len(labels))
  order = order[np.argsort(class_of[order], kind='stable')]   # by class, in random order within it
  place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
  times[order] += place < (wanted % counts)[class_of[order]]
  return np.repeat(np.arange(len(labels), dtype=np.int64), times)
