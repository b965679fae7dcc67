"""A .txt file beside each picture: its tags, separated by commas or one a line.

A tag may tell its category, as in `character:hatsune miku` or `rating:safe`. Blanks within a tag
stand for underscores, and brackets may be escaped as image generators want them.
"""

from data.batch import TAG_CATEGORIES
from data.board.records import Record
from data.board.rows import Broken

_LONGEST = 1 << 20  # bytes
_PREFIXES = {**{name: name for name in TAG_CATEGORIES}, 'series': 'copyright', 'creator': 'artist'}


def read_beside(path: str) -> Record | Broken:
  """The tags in a file."""
  text = read_text(path)
  return text if isinstance(text, Broken) else parse(text)


def read_text(path: str) -> str | Broken:
  """A short UTF-8 file, or why it cannot be read."""
  with open(path, 'rb') as file:
    data = file.read(_LONGEST + 1)
  if len(data) > _LONGEST:
    return Broken(f'it is longer than {_LONGEST >> 20} MiB')
  try:
    return data.decode('utf-8-sig')
  except UnicodeDecodeError as error:
    return Broken(f'it is not UTF-8 text ({error.reason} at byte {error.start})')


def parse(text: str) -> Record:
  """The record of a picture with these tags."""
  names, rating = {}, ''
  for tag in text.replace('\n', ',').split(','):
    category, name = _split_category('_'.join(tag.replace('\\(', '(').replace('\\)', ')').split()))
    if category == 'rating':
      rating = rating or name.lower()
    elif name:
      names.setdefault(category, []).append(name)
  return Record(id=-1, md5=b'', path='', rating=rating, tags=tuple(names.items()), left_out='')


def _split_category(tag):
  """'character:x' -> ('character', 'x'); a tag without such a beginning -> ('', tag)."""
  prefix, colon, name = tag.partition(':')
  category = _PREFIXES.get(prefix.lower(), '') if colon and name else ''
  return (category, name.lstrip('_')) if category else ('', tag)
