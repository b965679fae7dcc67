"""Groups of pictures that are nearly the same, by two witnesses: their features and their forms.

Measured on 906 photographs of clothes by features of Inception v3 (mixed8), 128 principal
components of them, at the default of `least_similarity`: the share of copies that are found (made
of 151 or 302 of the photographs), and how many of the 409,965 pairs of the photographs.

| copy | hash | features | both | features, whitened |
|---|---|---|---|---|
| JPEG, quality 50 | 100 % | 100 % | 100 % | 100 % |
| half the size | 100 % | 100 % | 100 % | 92 % |
| brighter by a fifth | 100 % | 95 % | 100 % | 93 % |
| 5 % cut off each side | 10 % | 76 % | 76 % | 22 % |
| mirrored | 0 % | 99 % | 99 % | 86 % |
| pairs among themselves | 5 | 1 | 5 | 1 |
| of them two garments | 4 | 0 | 4 | 0 |

The one that is right is a skirt photographed twice. The hash adds copies whose light is changed
and needs no net, but takes garments of one cut for the same and reads every picture once more;
features are as good as the net. Of whitened components take a lower `least_similarity`.
"""

import collections
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from errors import UserError
from train_lib import build_data
from train_lib.clustering.search import Index, unit_rows

WITNESSES = ('hash', 'features', 'both')
MOST_NEAR = 32                    # the most alike rows that one row's features are compared with
SAME_SIMILARITY = 1 - 1e-5        # from which features are the same but for rounding
SAME_FILE = 'same file'


class Hashed(NamedTuple):
  """Pairs of pictures whose files are the same or whose forms are nearly so."""

  pairs: np.ndarray  # int64 [P, 2]
  bits: np.ndarray  # int64 [P], by which their hashes differ; -1: the files are the same


class Copies(NamedTuple):
  """Groups of near-copies, the largest group first; no row is in two of them.

  In each the first row is the one to keep, and every other one is its copy by itself: a copy of a
  copy, which may look quite different, makes a group of its own.
  """

  groups: list  # of lists of two rows or more, the one to keep first
  why: list  # of lists of as many words, '' for the first: how each is known to be its copy
  similarities: list  # of lists of as many cosines to the first


def hash_copies(config, source, rows: np.ndarray, poll: Callable[[], None]) -> Hashed:
  """Reads pictures and compares their hashes; see data/duplicates.py.

  Args:
    config: its `data.max_pixels` and `runtime.workers` are read.
    source: of the pictures, and of others perhaps.
    rows: int64 [N], the places in it of those that are compared.
    poll: called often; may raise to stop.

  Returns:
    Pairs of places in `rows`.
  """
  read = build_data.read_pictures(config, _Untagged(source, rows), 'the collection', poll)
  found = build_data.find_duplicates([read])
  return Hashed(np.stack([found.first, found.second], axis=1), found.bits)


class _Untagged:
  """Some pictures of a source, without tags."""

  tag_names = ()

  def __init__(self, source, rows):
    self._source, self._rows = source, rows

  def __len__(self):
    return len(self._rows)

  def __getitem__(self, index):
    return {**self._source[int(self._rows[index])], 'tags': self.tags_of(index)}

  def tags_of(self, index):
    return np.zeros(0, np.int32)


def check_settings(how: str, least_similarity: float) -> None:
  """Raises UserError for another witness than WITNESSES, or a cosine that is none."""
  if how not in WITNESSES:
    raise UserError(f"neighbours.copies '{how}' is unknown; choices: {', '.join(WITNESSES)}")
  if not 0 < least_similarity <= 1:
    raise UserError(f'neighbours.least_similarity is {least_similarity:g}; expected above 0 to 1')


def find_copies(features: np.ndarray, *, how: str, least_similarity: float,
                hashed: Hashed | None = None, index: Index | None = None,
                rank: Callable[[int], tuple] = lambda row: (row,),
                poll: Callable[[], None] = lambda: None) -> Copies:
  """Groups of near-copies among the pictures of a collection.

  See above for what either witness finds.

  Args:
    features: float32 [N, D].
    how: 'hash', 'features' or 'both', where one of the two witnesses is enough.
    least_similarity: cosine of the features from which two pictures are near-copies, above 0 to 1.
    hashed: of `hash_copies`; not needed of 'features'.
    index: of the features; None makes one.
    rank: what pictures are sorted by, the one to keep first; called once for each row that has a
      copy. Rows of equal rank go by their number.
    poll: called often; may raise to stop.

  Raises:
    UserError: see `check_settings`.
  """
  check_settings(how, least_similarity)
  links = collections.defaultdict(set)                     # (row, later row) -> witnesses
  same = []                                                # pairs that share what is near to either
  if how != 'features':
    for (one, other), bits in zip(hashed.pairs.tolist(), hashed.bits.tolist(), strict=True):
      links[min(one, other), max(one, other)].add(SAME_FILE if bits < 0 else 'hash')
      same += [(one, other)] * (bits <= 0)
  if how != 'hash' and len(features) > 1:
    pairs, similarities = _near_by_features(index or Index(features), features, least_similarity,
                                            poll)
    for one, other in pairs.tolist():
      links[one, other].add('features')
    same += pairs[similarities >= SAME_SIMILARITY].tolist()
  return _group(features, links, same, rank, poll)


def _near_by_features(index, features, least_similarity, poll):
  """(int64 [P, 2] rows, the lower first, and the cosines [P]) that are at least so similar."""
  count = min(MOST_NEAR, len(features) - 1)
  every = np.arange(len(features))
  rows, similarities = index.search(features, count, leave_out=every, poll=poll)
  near = similarities >= least_similarity
  pairs = np.stack([np.broadcast_to(every[:, None], rows.shape)[near], rows[near]], axis=1)
  pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
  return pairs, similarities[near][first]


def _group(features, links, same, rank, poll):
  """Each row that is not in a group yet, in the order of rank, with all its near-copies."""
  label = _join(same, len(features))
  near, members = collections.defaultdict(dict), collections.defaultdict(list)
  for (one, other), witnesses in links.items():
    for here, there in ((one, other), (other, one)):
      near[label[here]].setdefault(label[there], set()).update(witnesses)
  keys = {}
  for row in sorted({row for pair in links for row in pair}):
    poll()
    keys[row] = (*rank(row), row)
    members[label[row]].append(row)
  found, taken = [], set()
  for row in sorted(keys, key=keys.get):
    here = label[row]
    if here in taken:
      continue
    labels = {here, *(there for there in near[here] if there not in taken)}
    taken |= labels
    rows = sorted((member for each in labels for member in members[each]), key=keys.get)
    why = [links.get((min(row, other), max(row, other))) or near[here][label[other]]
           for other in rows[1:]]
    cosines = unit_rows(features[rows]) @ unit_rows(features[[row]])[0]
    if len(rows) > 1:
      found.append((rows, ['', *map(_words, why)], np.float32(cosines).tolist()))
  found.sort(key=lambda group: (-len(group[0]), keys[group[0][0]]))
  return Copies(*(list(column) for column in zip(*found, strict=True))) if found else (
      Copies([], [], []))


def _join(pairs, size):
  """For each row the label of all that hang together with it by pairs: a list of ints."""
  one, other = np.reshape(np.array(pairs, np.int64), (-1, 2)).T
  graph = coo_array((np.ones(len(one)), (one, other)), shape=(size, size))
  return connected_components(graph, directed=False)[1].tolist()


def _words(witnesses):
  """How a copy is known to be one; that the file is the same leaves nothing to add."""
  return SAME_FILE if SAME_FILE in witnesses else ' and '.join(sorted(witnesses, reverse=True))
