"""One record of a board: a post's number, picture, rating and tags, whatever file told them."""

from collections.abc import Callable
from typing import NamedTuple

from data.sources.pictures import EXTENSIONS
from errors import shortened

CATEGORY_OF_CODE = {'0': 'general', '1': 'artist', '3': 'copyright', '4': 'character', '5': 'meta'}
_TOLD_CATEGORIES = ('general', 'character', 'copyright', 'artist', 'meta')
LONGEST_NAME = 200                # letters of a tag
_YES = (True, 1, '1', 't', 'T', 'true', 'True', 'TRUE')


class Record(NamedTuple):
  """What a record says; the picture is found by its path, its md5 or its number, in this order."""

  id: int  # -1: not told
  md5: bytes  # 16 bytes; empty: not told
  path: str  # of the picture, as written; '': not told
  rating: str  # as written, in small letters; '': not told
  tags: tuple  # of (category, list of names); the category is '' where it is not told
  left_out: str  # '', or why the record is none to train on: 'deleted', 'banned', 'no picture'


class BadRecord(ValueError):
  """A record that cannot be understood; the message says why, in words."""


def parse_post(row: dict, read_tags: Callable | None = None) -> Record:
  """Reads a post as Danbooru's API, dumps of it and most other boards write it.

  Keys: id, md5, rating, file_ext, is_deleted, is_banned, path or file (of the picture), and the
  tags: tag_string_<category> or tags_<category> where they are, else tag_string or tags.

  Args:
    row: key -> value; None and '' are "not told".
    read_tags: the row's (category, names) pairs; None: from the keys above.

  Raises:
    BadRecord: a value is of the wrong kind.
  """
  ext = row.get('file_ext')
  left_out = ''
  if row.get('is_deleted') in _YES:
    left_out = 'deleted'
  elif row.get('is_banned') in _YES:
    left_out = 'banned'
  elif isinstance(ext, str) and ext and f'.{ext.lower()}' not in EXTENSIONS:
    left_out = 'no picture'
  path = row.get('path') or row.get('file')
  return Record(id=parse_id(row.get('id')), md5=_parse_md5(row.get('md5')),
                path=path if isinstance(path, str) else '', rating=_parse_rating(row.get('rating')),
                tags=(read_tags or _read_tags)(row), left_out=left_out)


def has_post_keys(row: dict) -> bool:
  """Whether a row looks like a post: it has a number or an md5, and tags in some writing."""
  told = 'id' in row or 'md5' in row or 'path' in row
  if told and any(key.startswith('tag_string') for key in row if isinstance(key, str)):
    return True
  return ('id' in row or 'md5' in row) and (
      isinstance(row.get('tags'), str) or any(f'tags_{name}' in row for name in _TOLD_CATEGORIES)
      or _is_names(row.get('tags')))


def parse_id(value) -> int:
  """A post's number, as an int or in digits; -1 where it is not told. Raises: BadRecord."""
  if value is None or value == '':
    return -1
  if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
    return value
  if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
    return int(value)
  raise BadRecord(f'its id is {shorten(value)}, which is no number of a post')


def _parse_md5(value):
  if value is None or value == '':
    return b''
  try:
    md5 = bytes.fromhex(value)
  except (TypeError, ValueError):
    md5 = b''
  if len(md5) != 16:
    raise BadRecord(f'its md5 is {shorten(value)}, not 32 hexadecimal digits')
  return md5


def _parse_rating(value):
  return '' if value is None else str(value).strip().lower()


_TAG_KEYS = tuple((category, f'tag_string_{category}', f'tags_{category}')
                  for category in _TOLD_CATEGORIES)


def _read_tags(row):
  """The tags by category where the row tells categories, else all together."""
  tags = []
  for category, *keys in _TAG_KEYS:
    for key in keys:
      if key in row:
        tags.append((category, _parse_names(row[key], key)))
        break
  if tags:
    return tuple(tags)
  for key in ('tag_string', 'tags'):
    if key in row:
      return (('', _parse_names(row[key], key)),)
  raise BadRecord("it has no tags: expected a key 'tag_string', 'tag_string_general' or the like")


def _parse_names(value, key):
  """Names in one string, between blanks, or as a list."""
  if isinstance(value, str):
    return value.split()
  if value is None:
    return []
  if _is_names(value):
    return ['_'.join(name.split()) for name in value]
  raise BadRecord(f'its {key} is {shorten(value)}, neither a string nor a list of strings')


def _is_names(value):
  return isinstance(value, list) and all(isinstance(name, str) for name in value)


def is_name(text: str) -> bool:
  """Whether a tag may be called so: it is not too long, and every letter of it can be shown."""
  return 0 < len(text) <= LONGEST_NAME and text.isprintable()


def shorten(value, most: int = 60) -> str:
  """A value as it would be written in Python, cut to a readable length."""
  return shortened(ascii(value if not isinstance(value, str | bytes) else value[:most + 1]), most)
