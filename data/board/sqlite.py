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
from errors import UserError, shortened

_MAGIC = b'SQLite format 3\0'
_MOST_LENGTH = 1 << 28            # bytes of a row or a value


def is_database(path: str) -> bool:
  """Whether the file begins as SQLite files do."""
  with open(path, 'rb') as file:
    return file.read(len(_MAGIC)) == _MAGIC


def read(path: str) -> Iterator[tuple[str, Record | Broken]]:
  """Yields (place, record) of the table of posts, in the order of the file.

  A file may come from anyone: nothing that its schema defines is run, and of a damaged one that
  names the same pages over and over, no more is read than the file can hold.

  Raises:
    UserError: the database is damaged, or has no table with tags.
  """
  try:
    with contextlib.closing(_open(path)) as database:
      table, columns = _find_table(database, path)
      rows = database.execute(f'SELECT {", ".join(map(_quote, columns))} FROM {_quote(table)}')
      room = 2 * _size(path)      # UTF-16 becomes half as much again
      for number, values in enumerate(rows, 1):
        room -= 1 + sum(len(value) for value in values if isinstance(value, bytes))
        if room < 0:
          raise sqlite3.DatabaseError('its rows take more than the file holds')
        yield f'row {number}', _parse(columns, values)
  except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of a message of SQLite's own
    reason = shortened(' '.join(str(error).split()))
    raise UserError(f"the database '{path}' cannot be read ({reason}); get the file again."
                    ) from None


def _open(path):
  # a log of changes beside the file has to be read too, which 'immutable' would not do
  options = 'mode=ro' if _size(path) > os.path.getsize(path) else 'mode=ro&immutable=1'
  address = f'file:{urllib.parse.quote(os.path.abspath(path))}?{options}'
  database = sqlite3.connect(address, uri=True)
  database.text_factory = bytes  # text that is not UTF-8 would stop the reading
  database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(_MOST_LENGTH, max(1000, _size(path))))
  database.execute('PRAGMA trusted_schema = OFF')
  database.execute('PRAGMA cell_size_check = ON')
  return database


def _size(path):
  """Bytes of a database and of the log of changes beside it."""
  log = f'{path}-wal'
  return os.path.getsize(path) + (os.path.getsize(log) if os.path.exists(log) else 0)


def _find_table(database, path):
  """The first table, `posts` before others, that has posts with tags; and the columns to read."""
  names = [name.decode(errors='replace') for name, in database.execute(
      # rootpage: a virtual table, which has none, is the code of some module
      "SELECT name FROM sqlite_master WHERE type = 'table' AND typeof(name) = 'text' AND rootpage"
      " AND instr(name, char(0)) = 0")]
  for table in sorted(names, key=lambda name: (name.lower() not in ('posts', 'post'), name)):
    columns = [row[1].decode(errors='replace') for row in
               database.execute(f'PRAGMA table_info({_quote(table)})')]
    if {'id', 'md5'} & set(columns) and any(name.startswith('tag_string') for name in columns):
      wanted = ('id', 'md5', 'rating', 'file_ext', 'is_deleted', 'is_banned')
      return table, [name for name in columns if name in wanted or name.startswith('tag_string')]
  raise UserError(f"the database '{path}' has no table with columns id, md5 and tag_string (or "
                  f'tag_string_general and the like); its tables are '
                  f'{shortened(", ".join(names)) or "none"}.')


def _quote(name):
  return '"' + name.replace('"', '""') + '"'


def _parse(columns, values):
  try:
    texts = [value.decode() if isinstance(value, bytes) else value for value in values]
  except UnicodeDecodeError:
    return Broken('it is not UTF-8 text')
  return parse(dict(zip(columns, texts, strict=True)))
