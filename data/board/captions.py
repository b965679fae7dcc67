"""Captions whose #hashtags are read as noisy tags: a table of path and caption, or .txt files.

What people write under their own pictures names moods and places as readily as what is shown, so
a least number of pictures for a tag (config.data.board.least) is worth setting.
"""

import html
import re
from collections.abc import Iterator

from data.board.records import BadRecord, Record, shorten
from data.board.rows import Broken, read_rows
from data.board.sidecars import read_text
from data.tag_files import PATH_COLUMNS

_WORD = re.compile(r'\S+')
_ZEROS = re.compile('&#0+(?=[0-9])')               # before the number of a letter, as HTML has it
_NO_LETTER = re.compile('&#[1-9][0-9]{7,};?')      # a number that is none of a letter
_HASHTAG = re.compile(r'[#＃](\w+)')


def fits(rows: list[dict]) -> bool:
  """Whether the first rows of a file are of this format."""
  return any('caption' in row and _path_key(row) for row in rows)


def read(path: str) -> Iterator[tuple[str, Record | Broken]]:
  """Yields (place, record) of a CSV or JSON Lines table."""
  for place, row in read_rows(path):
    try:
      yield place, row if isinstance(row, Broken) else _parse_row(row)
    except (BadRecord, RecursionError) as error:
      yield place, Broken(str(error))


def read_beside(path: str) -> Record | Broken:
  """The hashtags in a .txt file."""
  text = read_text(path)
  return text if isinstance(text, Broken) else _make_record('', text)


def find_hashtags(caption: str) -> list[str]:
  """The hashtags of a caption, in small letters, each once; those of digits alone are numbers."""
  text = html.unescape(_NO_LETTER.sub('\ufffd', _ZEROS.sub('&#', caption)))
  text = _WORD.sub(_without_link, text)
  found = (tag.lower() for tag in _HASHTAG.findall(text))
  return list(dict.fromkeys(tag for tag in found if not tag.isdigit()))


def _without_link(word):
  """A blank in place of a word with letters on both sides of its '://'."""
  place = word[0].find('://', 1)
  return ' ' if 0 < place < len(word[0]) - len('://') else word[0]


def _parse_row(row):
  key = _path_key(row)
  path, caption = row.get(key), row.get('caption')
  if not isinstance(path, str) or not path.strip():
    raise BadRecord(f'its picture is {shorten(path)}: expected a path relative to the folder, in '
                    f'a column {", ".join(PATH_COLUMNS[:3])}')
  if not isinstance(caption, str | None):
    raise BadRecord(f'its caption is {shorten(caption)}, no text')
  return _make_record(path.strip(), caption or '')


def _path_key(row):
  return next((key for key in PATH_COLUMNS if key in row), '')


def _make_record(path, caption):
  return Record(id=-1, md5=b'', path=path, rating='', tags=(('', find_hashtags(caption)),),
                left_out='')
