"""Posts as Danbooru's API gives them since 2022 and dumps of it keep them: JSON Lines, JSON, CSV.

Other boards' posts, with one string of tags and no categories, are read as well. A single post in a
.json file beside its picture is what gallery-dl writes.
"""

from collections.abc import Callable, Iterator

from data.board.records import BadRecord, Record, has_post_keys, parse_post
from data.board.rows import LONGEST_ROW, Broken, parse_object, read_rows


def fits(rows: list[dict]) -> bool:
  """Whether the first rows of a file are of this format."""
  return any(map(has_post_keys, rows))


def read(path: str) -> Iterator[tuple[str, Record | Broken]]:
  """Yields (place, record) of a file of many posts."""
  for place, row in read_rows(path):
    yield place, row if isinstance(row, Broken) else parse(row)


def read_beside(path: str) -> Record | Broken:
  """The one post of a file."""
  with open(path, 'rb') as file:
    text = file.read(LONGEST_ROW + 1)
  if len(text) > LONGEST_ROW:
    return Broken(f'it is longer than {LONGEST_ROW >> 20} MiB')
  row = parse_object(text.removeprefix(b'\xef\xbb\xbf'))
  return row if isinstance(row, Broken) else parse(row)


def parse(row: dict, read_tags: Callable | None = None) -> Record | Broken:
  """A row as a record, or why it is none. Args: as those of `parse_post`."""
  try:
    return parse_post(row, read_tags)
  except (BadRecord, RecursionError) as error:
    return Broken(str(error))
