"""Which tag entails which: a picture that shows the first shows the second, and so on upwards.

Lists of tags are often incomplete in just this respect: they name `straw_hat` and not `hat`, or
`hat` where a `straw_hat` is in the picture. The first gap can be filled; the second can only be
known to be there. Nothing here grows with the square of the number of tags.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from errors import UserError

CHOICES = ('listed', 'added', 'ignored')  # config.data.implications
_MOST_PAIRS = 5_000_000  # of a tag and one above it, at any distance
_MOST_NAMED = 20  # tags, in a message


class Rows(NamedTuple):
  """A list of tags for each tag, end to end: tag t has values[starts[t]:starts[t + 1]], sorted."""

  starts: np.ndarray  # int64 [T + 1]
  values: np.ndarray  # int32

  def of(self, tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lists of tags [n], joined. Returns: their lengths, int64 [n], and values, int32 [sum]."""
    starts = self.starts[tags]
    lengths = self.starts[np.add(tags, 1)] - starts
    skips = np.cumsum(lengths) - lengths
    return lengths, self.values[np.arange(lengths.sum()) + np.repeat(starts - skips, lengths)]


class Implications:
  """What each of T tags entails, directly or through others.

  Attributes:
    parents: of each tag, all tags above it.
    children: of each tag, all tags below it.

  Args:
    pairs: int [P, 2] of (child, parent) as indices of tags: the first entails the second. Repeated
      pairs count once; a pair of a tag with itself says nothing.
    tag_names: T names.

  Raises:
    UserError: tags entail each other in a circle, or in chains too long to be a hierarchy.
  """

  def __init__(self, pairs: np.ndarray, tag_names: Sequence[str]):
    num_tags = len(tag_names)
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < num_tags:
      raise ValueError(f'pairs hold tags {pairs.min()} to {pairs.max()}; there are {num_tags}')
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    pairs = _close(pairs, tag_names)
    self.parents = _rows_of(pairs, num_tags)
    self.children = _rows_of(pairs[:, ::-1], num_tags)

  def add_parents(self, tags: np.ndarray) -> np.ndarray:
    """The tags of a picture, int [n], and all they entail: int32, sorted, each once."""
    _, above = self.parents.of(tags)
    return np.unique(np.concatenate([tags, above])).astype(np.int32)

  def below(self, tags: np.ndarray) -> np.ndarray:
    """Tags that a picture may well show though they are not listed.

    They are all tags below a listed one, where none of them is listed: `hat` alone leaves open
    which hat it is; beside `straw_hat` it does not, and the other hats can be taken for absent.

    Args: tags: of a picture, int [n], with or without what they entail.
    Returns: int32, sorted, each once; none of them is in tags.
    """
    _, explained = self.parents.of(tags)
    _, open_ones = self.children.of(np.setdiff1d(tags, explained))
    return np.unique(open_ones)


def check_choice(name: str) -> None:
  """Raises UserError unless `name` is a way of treating implied tags."""
  if name not in CHOICES:
    raise UserError(f"data.implications is '{name}'; choose one of {', '.join(CHOICES)}.")


def _close(pairs, tag_names):
  """Adds the pairs that follow from others: if a entails b and b entails c, a entails c."""
  num_tags = len(tag_names)
  direct = _rows_of(pairs, num_tags)
  found, newest, total = [pairs], pairs, len(pairs)
  while len(newest):
    lengths, above = direct.of(newest[:, 1])
    further = np.repeat(newest[:, 0], lengths) * num_tags + above
    newest = np.stack(np.divmod(np.unique(further), num_tags), axis=1)  # one step longer
    if (newest[:, 0] == newest[:, 1]).any():
      raise UserError(f'implications of tags run in a circle: {_find_circle(pairs, tag_names)}; '
                      'remove one of them.')
    found.append(newest)
    total += len(newest)
    if total > _MOST_PAIRS:
      raise UserError(f'the implications of tags have chains of more than {len(found):,} tags and '
                      f'entail more than {_MOST_PAIRS:,} pairs; a hierarchy of tags has a few '
                      'levels: check their table.')
  return np.unique(np.concatenate(found), axis=0)


def _rows_of(pairs, num_tags):
  """Pairs (tag, value) -> a list of values for each tag."""
  pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
  starts = np.searchsorted(pairs[:, 0], np.arange(num_tags + 1))
  return Rows(starts.astype(np.int64), pairs[:, 1].astype(np.int32))


def _find_circle(pairs, tag_names):
  """The names along a circle of pairs, of which there is at least one."""
  children = _rows_of(pairs[:, ::-1], len(tag_names))
  waiting = np.bincount(pairs[:, 0], minlength=len(tag_names))  # parents not passed yet
  ready = np.flatnonzero(waiting == 0)
  while len(ready):  # pass every tag whose parents have all been passed
    freed, counts = np.unique(children.of(ready)[1], return_counts=True)
    waiting[freed] -= counts
    ready = freed[waiting[freed] == 0]
  parent_of = {child: parent for child, parent in pairs.tolist() if waiting[parent]}
  walk, tag = {}, next(iter(parent_of))  # tag -> the next one, in the order of the walk
  while tag not in walk:
    walk[tag] = parent_of[tag]
    tag = walk[tag]
  tags = [*walk]
  circle = tags[tags.index(tag):]
  names = [repr(tag_names[tag]) for tag in circle[:_MOST_NAMED]]
  names += [f'{len(circle) - _MOST_NAMED:,} more'] if len(circle) > _MOST_NAMED else []
  return ' -> '.join([*names, repr(tag_names[tag])])
