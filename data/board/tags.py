"""The tags of all records: one name and one category each; and which of them a run learns.

The same name may come in several categories (a board's users move tags while its dump is written):
it counts as the category that most pictures tell. Aliases are resolved before anything is counted.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data.batch import TAG_CATEGORIES
from data.board.lists import Lists
from data.board.ratings import RATINGS
from data.board.reading import Archive
from data.implications import Implications

_BLOCK = 16_384  # records at a time
_TOLD = TAG_CATEGORIES[1:]  # ratings are no tags of an archive


class Tags:
  """All tags of an archive, as its lists would have them.

  Attributes:
    names, categories: of the U tags; a category is '' where neither archive nor lists tell it.
    implications: of the U tags, or None where there are none to heed.
  """

  def __init__(self, archive: Archive, lists: Lists, poll):
    self._codes, self._number = archive.codes, {}
    self._of_code = np.full(len(archive.names), -1, np.int64)
    for code in range(1, len(archive.names)):
      if code % _BLOCK == 0:
        poll()
      name = lists.aliases.get(archive.names[code], archive.names[code])
      self._of_code[code] = self._number.setdefault(name, len(self._number))
    self.names = list(self._number)
    told = self._vote(archive.categories, poll)
    self.categories = [lists.tag_categories.get(name) or category
                       for name, category in zip(self.names, told, strict=True)]
    self.implications = self._number_implications(lists)

  def _vote(self, category_of_code, poll):
    """The category of each tag that most pictures tell; '' only where none tells any."""
    column = {category: place for place, category in enumerate((*_TOLD, ''))}
    places = self._of_code * len(column) + [column[category] for category in category_of_code]
    counts = self._count_codes(len(self._of_code), poll)
    votes = np.bincount(places[1:], counts[1:], len(self.names) * len(column))
    votes = votes.reshape(-1, len(column))[:, :-1]
    return [_TOLD[place] if some else '' for place, some in zip(
        votes.argmax(axis=1).tolist(), votes.any(axis=1).tolist(), strict=True)]

  def _count_codes(self, num_codes, poll):
    counts = np.zeros(num_codes, np.int64)
    for start in range(0, len(self._codes.values), 1 << 20):
      poll()
      counts += np.bincount(self._codes.values[start:start + (1 << 20)], minlength=num_codes)
    return counts

  def _number_implications(self, lists):
    """Tags that stand in the list alone get a number too: others may be entailed through them."""
    if not lists.implications:
      return None
    pairs = [tuple(lists.aliases.get(name, name) for name in pair) for pair in lists.implications]
    for child, parent in pairs:
      for name, other in ((child, parent), (parent, child)):
        if name not in self._number:
          near = self.categories[self._number[other]] if other in self._number else ''
          self._number[name] = len(self.names)
          self.names.append(name)
          self.categories.append(lists.tag_categories.get(name, near))
    numbers = [(self._number[child], self._number[parent]) for child, parent in pairs]
    return Implications(np.array(numbers, np.int64), self.names)

  def __len__(self):
    return len(self.names)

  def blocks(self, rows: np.ndarray, poll, *, entailed: bool = False) -> Iterator[tuple]:
    """Yields the tags of records, some thousands at a time.

    Args:
      rows: int [n], of the archive.
      poll: called for every block.
      entailed: with the tags that the listed ones entail.

    Yields:
      rows of the block; for each tag in it, its record as an index of the block, rising; and the
      tag, rising within a record, each once.
    """
    for start in range(0, len(rows), _BLOCK):
      poll()
      block = rows[start:start + _BLOCK]
      lengths, codes = self._codes.of(block)
      owners, tags = np.repeat(np.arange(len(block)), lengths), self._of_code[codes]
      owners, tags = owners[tags >= 0], tags[tags >= 0]
      if entailed:
        lengths, above = self.implications.parents.of(tags)
        owners = np.concatenate([owners, np.repeat(owners, lengths)])
        tags = np.concatenate([tags, above])
      yield block, *np.divmod(_sort_each_once(owners * len(self) + tags), max(1, len(self)))

  def count_general(self, rows: np.ndarray, poll) -> tuple[np.ndarray, np.ndarray]:
    """How many tags, and how many general ones, each record has. Returns: int64 [n] each."""
    general = np.array([category in ('', 'general') for category in self.categories], bool)
    totals, generals = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for block, owners, tags in self.blocks(rows, poll):
      totals.append(np.bincount(owners, minlength=len(block)))
      generals.append(np.bincount(owners[general[tags]], minlength=len(block)))
    return np.concatenate(totals), np.concatenate(generals)

  def count(self, rows: np.ndarray, poll, *, entailed: bool) -> np.ndarray:
    """How many of the records have each tag: int64 [U]."""
    counts = np.zeros(len(self), np.int64)
    for _, _, tags in self.blocks(rows, poll, entailed=entailed):
      counts += np.bincount(tags, minlength=len(self))
    return counts


def _sort_each_once(keys):
  """What np.unique does, in a tenth of its time on nearly sorted keys."""
  keys.sort()
  fresh = np.ones(len(keys), bool)
  np.not_equal(keys[1:], keys[:-1], out=fresh[1:])
  return keys[fresh]


class Choice(NamedTuple):
  """The T tags that a run learns, ratings among them.

  Attributes:
    names, categories: of each.
    of_tag: int64 [U], the index of each tag of the archive, -1 where it is not learned.
    of_rating: int64 [len(RATINGS)], the same of ratings.
  """

  names: list
  categories: list
  of_tag: np.ndarray
  of_rating: np.ndarray


def choose_tags(tags: Tags, counts: np.ndarray, ratings: tuple, settings, lists: Lists) -> Choice:
  """Picks the tags to learn and numbers them.

  Ratings come first, in rising order, then the categories as in TAG_CATEGORIES, in each the tags by
  falling count and then by name; with a tag list, its tags in its order.

  Args:
    tags: of the archive.
    counts: int64 [U], training pictures with each.
    ratings: names in use.
    settings: the section config.data.board.
    lists: a person's.
  """
  if lists.tag_list:
    told = dict(zip(tags.names, tags.categories, strict=True))
    chosen = [(name, category or told.get(name) or 'general') for name, category in lists.tag_list]
  else:
    chosen = [(name, 'rating') for name in ratings]
    chosen += _most_frequent(tags, counts, lists.blacklist.union(ratings), settings)
  of_tag, of_rating = np.full(len(tags), -1, np.int64), np.full(len(RATINGS), -1, np.int64)
  number = {name: tag for tag, name in enumerate(tags.names)}
  for index, (name, category) in enumerate(chosen):
    if category == 'rating':
      of_rating[RATINGS.index(name)] = index
    elif name in number:
      of_tag[number[name]] = index
  names, categories = zip(*chosen, strict=True) if chosen else ((), ())
  return Choice(list(names), list(categories), of_tag, of_rating)


def _most_frequent(tags, counts, unwanted, settings):
  chosen = []
  categories = np.array([category or 'general' for category in tags.categories], object)
  for category in _TOLD:
    most, least = settings.most[category], max(1, settings.least[category])
    if most < 0:
      continue
    rows = np.flatnonzero((categories == category) & (counts >= least)).tolist()
    rows = sorted((-int(counts[row]), tags.names[row]) for row in rows
                  if tags.names[row] not in unwanted)
    chosen += [(name, category) for _, name in rows[:most or None]]
  return chosen
