"""Several splits of a dataset, one after another, as one source."""

import numpy as np

from data.batch import Source, count_by_tags_of
from data.sources.pictures import digest_of


class Joined:
  """The examples of several sources that have the same tags.

  Args: sources: at least one; empty ones among them count for nothing.
  """

  def __init__(self, sources: list[Source]):
    first = sources[0]
    self._sources = sources
    self._starts = np.cumsum([0, *map(len, sources)])
    self.tag_names, self.tag_categories = first.tag_names, first.tag_categories
    self.max_tags = max(source.max_tags for source in sources)
    self.max_ignored = max(source.max_ignored for source in sources)
    self.truth_keys = first.truth_keys
    self.fingerprint = digest_of(source.fingerprint for source in sources)
    self.description = first.description

  def _find(self, index):
    """(the source that holds an example, its index there)."""
    if not 0 <= index < len(self):
      raise IndexError(index)
    part = int(np.searchsorted(self._starts, index, side='right')) - 1
    return self._sources[part], int(index - self._starts[part])

  def __len__(self) -> int:
    return int(self._starts[-1])

  def tags_of(self, index: int) -> np.ndarray:
    source, place = self._find(index)
    return source.tags_of(place)

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return count_by_tags_of(self, poll)

  def __getitem__(self, index: int) -> dict:
    source, place = self._find(index)
    return source[place]
