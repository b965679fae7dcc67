"""SQLite databases with a table of posts: DanbooruDownloader's, and dumps of the API as one file.

They are opened read-only, and nothing is written beside them.
"""

import contextlib
import os
import sqlite3
import urllib.parse
from collections.abc import Iterator

from data.board.posts import parse
from data.board.records import Record
from data.board.rows import Broken
from errors import UserError

_MAGIC = b'SQLite format 3\0'


def is_database(path: str) -> bool:
  """Whether the file begins as SQLite files do."""
  with open(path, 'rb') as file:
    return file.read(len(_MAGIC)) == _MAGIC


def read(path: str) -> Iterator[tuple[str, Record | Broken]]:
  """Yields (place, record) of the table of posts, in the order of the file.

  Raises:
    UserError: the database is damaged, or has no table with tags.
  """
  try:
    with contextlib.closing(_open(path)) as database:
      table, columns = _find_table(database, path)
      rows = database.execute(f'SELECT {", ".join(map(_quote, columns))} FROM {_quote(table)}')
      for number, values in enumerate(rows, 1):
        yield f'row {number}', _parse(columns, values)
  except sqlite3.Error as error:
    raise UserError(f"the database '{path}' cannot be read ({error}); get the file again."
                    ) from None


def _open(path):
  # a log of changes beside the file has to be read too, which 'immutable' would not do
  changes = os.path.exists(f'{path}-wal') and os.path.getsize(f'{path}-wal')
  options = 'mode=ro' if changes else 'mode=ro&immutable=1'
  address = f'file:{urllib.parse.quote(os.path.abspath(path))}?{options}'
  database = sqlite3.connect(address, uri=True)
  database.text_factory = bytes  # text that is not UTF-8 would stop the reading
  return database


def _find_table(database, path):
  """The first table, `posts` before others, that has posts with tags; and the columns to read."""
  names = [name.decode(errors='replace') for name, in
           database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
  for table in sorted(names, key=lambda name: (name.lower() not in ('posts', 'post'), name)):
    columns = [row[1].decode(errors='replace') for row in
               database.execute(f'PRAGMA table_info({_quote(table)})')]
    if {'id', 'md5'} & set(columns) and any(name.startswith('tag_string') for name in columns):
      wanted = ('id', 'md5', 'rating', 'file_ext', 'is_deleted', 'is_banned')
      return table, [name for name in columns if name in wanted or name.startswith('tag_string')]
  raise UserError(f"the database '{path}' has no table with columns id, md5 and tag_string (or "
                  f'tag_string_general and the like); its tables are {", ".join(names) or "none"}.')


def _quote(name):
  return '"' + name.replace('"', '""') + '"'


def _parse(columns, values):
  try:
    texts = [value.decode() if isinstance(value, bytes) else value for value in values]
  except UnicodeDecodeError:
    return Broken('it is not UTF-8 text')
  return parse(dict(zip(columns, texts, strict=True)))
