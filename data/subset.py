"""Chosen rows of a source as a source of their own, and the parts of a source for folds."""

import hashlib

import numpy as np

from data.batch import Source, contents_of, count_by_tags_of
from errors import UserError


class Subset:
  """Some examples of another source, in the order given.

  Args:
    source: any source.
    rows: int [n], their places in it.
    what: a few words for the log, such as 'all but part 1 of 5'.
  """

  def __init__(self, source: Source, rows: np.ndarray, what: str):
    self._source, self._rows = source, np.asarray(rows, np.int64)
    self.tag_names, self.tag_categories = source.tag_names, source.tag_categories
    self.max_tags, self.max_ignored = source.max_tags, source.max_ignored
    self.truth_keys = source.truth_keys
    self.fingerprint = hashlib.sha256(
        source.fingerprint.encode() + self._rows.tobytes()).hexdigest()[:32]
    self.description = f'{what}, {len(self._rows):,} pictures of {source.description}'

  @property
  def rows(self) -> np.ndarray:
    """int64 [n]: the places of these examples in the other source."""
    return self._rows

  def __len__(self) -> int:
    return len(self._rows)

  def tags_of(self, index: int) -> np.ndarray:
    return self._source.tags_of(int(self._rows[index]))

  def contents(self):
    """As `data.batch.contents_of`."""
    return contents_of(self._source)

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return count_by_tags_of(self, poll)

  def __getitem__(self, index: int) -> dict:
    return self._source[int(self._rows[index])]


def part_rows(source: Source, num_parts: int, poll=lambda: None) -> list[np.ndarray]:
  """Deals the examples out to parts of equal size, one content more or less; the order is kept.

  An example's part follows from the content of its file, so exact copies never come apart. What
  cannot be read goes by its place.

  Args:
    source: read once, all of it.
    num_parts: at least 2.
    poll: called for every example; may raise to stop.

  Returns:
    The rows of each part, rising.

  Raises:
    UserError: there are fewer contents than parts.
  """
  digests = []
  for row in range(len(source)):
    poll()
    try:
      content = source[row]['image_bytes']
    except OSError:
      content = str(row).encode()
    digests.append(hashlib.blake2b(content, digest_size=16).hexdigest())
  contents, numbers = np.unique(digests, return_inverse=True)
  if len(contents) < num_parts:
    raise UserError(f'{len(source):,} pictures, {len(contents):,} of them different, cannot be '
                    f'dealt out to {num_parts} parts; take fewer parts.')
  return [np.flatnonzero(numbers % num_parts == part) for part in range(num_parts)]
