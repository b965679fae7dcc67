"""Danbooru2018 to 2021: JSON Lines whose tags are a list of {id, name, category}, all strings."""

from collections.abc import Iterator

from data.board.posts import parse
from data.board.records import CATEGORY_OF_CODE, BadRecord, Record, shorten
from data.board.rows import Broken, read_rows


def fits(rows: list[dict]) -> bool:
  """Whether the first rows of a file are of this format."""
  return any(isinstance(row.get('tags'), list) and row['tags'] and
             all(isinstance(tag, dict) and 'name' in tag for tag in row['tags']) for row in rows)


def read(path: str) -> Iterator[tuple[str, Record | Broken]]:
  """Yields (place, record) of a file such as metadata/2021000000000000."""
  for place, row in read_rows(path):
    yield place, row if isinstance(row, Broken) else parse(row, _read_tags)


def _read_tags(row):
  names = {}
  try:
    for tag in row['tags']:
      category = CATEGORY_OF_CODE.get(str(tag['category']), '')
      names.setdefault(category, []).append('_'.join(tag['name'].split()))
  except (AttributeError, KeyError, TypeError):
    raise BadRecord(f'its tags are {shorten(row.get("tags"))}, no list of {{id, name, category}}'
                    ) from None
  return tuple(names.items())
