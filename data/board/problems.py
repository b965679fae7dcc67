"""What is wrong with an archive: all cases counted, up to 10,000 of a kind listed in a file."""

import json
from collections.abc import Iterable

MOST_LISTED = 10_000  # of a kind
WORDS = {  # of kinds; the first four make a record useless, and too many of them stop a run
    'broken': 'broken records',
    'absent': 'records without their picture',
    'rating': 'records with an unknown rating',
    'unrated': 'records without a rating, while others have one',
    'duplicate': 'records of a post or picture that came before',
    'unknown picture': 'pictures without a record',
    'second file': 'further files of a picture',
    'few rated': 'ratings that are not learned, as most pictures have none',
    'name': 'tags with names that cannot be used',
    'tag': 'tags without any training picture',
}
USELESS = ('broken', 'absent', 'rating', 'unrated')


class Problems:
  """Counts and first examples in memory, the list in a JSON Lines file.

  Attributes:
    counts: kind -> how often.
    examples: kind -> the first, in words.

  Args: path: of the file; it is made afresh.
  """

  def __init__(self, path: str):
    self.counts, self.examples = dict.fromkeys(WORDS, 0), {}
    self._file = open(path, 'w', encoding='utf-8')

  def add(self, kind: str, where: str, what: str) -> None:
    """Notes a case. Args: kind: of WORDS; where: file and line, or picture; what: in words."""
    self.counts[kind] += 1
    if self.counts[kind] <= MOST_LISTED:
      self.examples.setdefault(kind, f'{where}: {what}' if what else where)
      self._file.write(json.dumps({'problem': kind, 'where': where, 'what': what}) + '\n')

  def add_all(self, kind: str, count: int, cases: Iterable[tuple[str, str]]) -> None:
    """Notes many cases. Args: cases: (where, what), of which no more are taken than are listed."""
    before = self.counts[kind]
    for _, (where, what) in zip(range(MOST_LISTED - before), cases, strict=False):
      self.add(kind, where, what)
    self.counts[kind] = before + count

  def close(self) -> None:
    """Closes the file."""
    self._file.close()
