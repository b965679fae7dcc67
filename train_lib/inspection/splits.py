"""The splits of a dataset, every picture of them read once."""

import dataclasses
from collections.abc import Callable
from typing import Any

from train_lib import build_data, build_sources
from train_lib.inspection.scan_reading import read_scans

WORDS = {'train': 'training', 'valid': 'validation', 'test': 'test'}
SPLITS = tuple(WORDS)


@dataclasses.dataclass(frozen=True)
class Splits:
  """All splits, train first; rows count through all of them.

  Attributes:
    config: the whole config.
    sources: split -> its source.
    pictures: split -> what was read of it: `ids`, `tag_counts` int64 [T], `unreadable` of (index,
      reason).
    folder: where findings are written; it exists.
    poll: called often; may raise to stop.
  """
  config: Any
  sources: dict
  pictures: dict
  folder: Any
  poll: Callable[[], None]

  @property
  def noun(self) -> str:
    """What a row is."""
    return noun_of(self.config)

  def place(self, row: int) -> tuple[str, int]:
    """(split, index) of a row."""
    for split, source in self.sources.items():
      if row < len(source):
        return split, int(row)
      row -= len(source)
    raise IndexError(row)

  def tags_of(self, row: int) -> str:
    """The tags of a row by commas."""
    split, index = self.place(row)
    source = self.sources[split]
    return in_utf8(', '.join(sorted(source.tag_names[tag] for tag in source.tags_of(index))))

  def id_of(self, row: int) -> str:
    """The id of a row, in which bytes that are not UTF-8 are written as escapes."""
    split, index = self.place(row)
    return in_utf8(self.pictures[split].ids[index])


def in_utf8(text) -> str:
  """Text in which bytes that are not UTF-8 are written as escapes: names of files may have any."""
  return str(text).encode(errors='backslashreplace').decode()


def noun_of(config) -> str:
  """What a row of the data is: pictures, persons or slices."""
  return {'pose': 'persons', 'autoencoding': 'slices'}.get(config.task, 'pictures')


def read_splits(config, folder, poll: Callable[[], None],
                sources: dict | None = None) -> Splits:
  """Reads every picture of a config's data.

  Args: folder: of the findings; poll: called often, may raise to stop; sources: split -> source,
    where they were opened.

  Raises:
    UserError: data or settings that make no sense.
  """
  sources = sources or open_sources(config, poll)
  read = (read_scans if config.task == 'autoencoding' else build_data.read_pictures)
  return Splits(config, sources, {split: read(config, source, WORDS[split], poll)
                                  for split, source in sources.items()}, folder, poll)


def open_sources(config, poll: Callable[[], None]) -> dict:
  """Split -> its source. Raises: UserError: data or settings that make no sense."""
  build_data.build_pipeline(config, train=True)               # a mistake is told before reading
  return {split: build_sources.build_source(config, split, poll) for split in SPLITS}
