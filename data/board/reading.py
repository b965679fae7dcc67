"""An archive's records brought together with its pictures, in one pass over the metadata.

Records come and go in pieces. Of those that have a picture, a few numbers each stay in memory, and
their tags, as codes, in a file: a record costs some 40 bytes.
"""

import itertools
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from data.board import FORMATS, ratings
from data.board.files import MD5_DTYPE, ArchiveFiles
from data.board.find import Found
from data.board.problems import MOST_LISTED, Problems
from data.board.records import Record, is_name, shorten
from data.board.rows import Broken
from data.implications import Rows

_PIECE = 2048  # records matched with pictures at once


class Archive(NamedTuple):
  """The records that have a picture, N of them, in the order of the metadata.

  Attributes:
    ids: int64 [N], -1: not told.
    md5s: S16 [N], empty: not told.
    ratings: uint8 [N], indices of ratings.RATINGS.
    pictures: int32 [N], rows of the picture files.
    codes: of each record, the codes of its tags, as they were listed.
    names, categories: of each code ('': not told); code 0 stands for names that cannot be used.
    odd_ratings: {row: (where, what)} of the first records whose rating is unknown.
    told: bool [all picture files], those that a record tells of, one left out too.
    num_records: all rows of the metadata, useless ones too.
    left_out: reason -> how many records were left out for what they say of themselves.
  """

  ids: np.ndarray
  md5s: np.ndarray
  ratings: np.ndarray
  pictures: np.ndarray
  codes: Rows
  names: list
  categories: list
  odd_ratings: dict
  told: np.ndarray
  num_records: int
  left_out: dict


def read_archive(found: Found, pictures: ArchiveFiles, codes_path: str, problems: Problems,
                 poll: Callable[[], None], show: Callable[[int], None]) -> Archive:
  """Reads all records.

  Args:
    found: where they are.
    pictures: the archive's files.
    codes_path: a file that is made, for the codes of tags.
    problems: takes note of broken records and absent pictures.
    poll: called often; may raise to stop.
    show: called with the number of records just read.

  Raises:
    UserError: a file cannot be read on from some place.
  """
  book, left_out, num_records, odd_ratings = _TagBook(problems), Counter(), 0, {}
  told = np.zeros(len(pictures), bool)
  ids, md5s, rated, rows, lengths = array('q'), bytearray(), bytearray(), array('i'), array('q')
  with open(codes_path, 'wb') as codes_file:
    for piece in _pieces(_records(found, pictures)):
      poll()
      num_records += len(piece)
      for where, record, row in _match(_understood(piece, pictures, problems), pictures):
        told[row] |= row >= 0
        if record.left_out:
          left_out[record.left_out] += 1
          continue
        if row < 0:
          problems.add('absent', where, _wanted(record))
          continue
        rating = ratings.code_of(record.rating)
        if rating == ratings.UNKNOWN and len(odd_ratings) < MOST_LISTED:
          odd_ratings[len(rows)] = where, f'its rating is {shorten(record.rating)}'
        ids.append(record.id)
        md5s += record.md5.ljust(16, b'\0')
        rated.append(rating)
        rows.append(row)
        lengths.append(book.encode(record.tags))
      book.flush(codes_file)
      show(len(piece))
  return Archive(
      np.frombuffer(ids, np.int64), np.frombuffer(md5s, MD5_DTYPE),
      np.frombuffer(rated, np.uint8), np.frombuffer(rows, np.int32),
      open_rows(codes_path, np.frombuffer(lengths, np.int64)), book.names, book.categories,
      odd_ratings, told, num_records, dict(left_out))


def _records(found, pictures) -> Iterator[tuple[str, Record | Broken, int]]:
  """Yields (place in words, record, row of its picture or -1)."""
  form = FORMATS[found.format]
  for path in found.files:
    name = os.path.relpath(path, pictures.folder)
    for place, record in form.read(path):
      yield f'{name}, {place}', record, -1
  if found.files:
    return
  for row in np.flatnonzero(pictures.beside[form.ending]).tolist():
    paths = pictures.sidecars(row, form.ending)
    where = f'{pictures.text(row)}, its {form.ending} file'
    if len(paths) > 1:
      names = ' and '.join(repr(os.path.basename(path)) for path in paths)
      yield where, Broken(f'there are two, {names}; keep one'), row
      continue
    try:
      yield where, form.read_beside(paths[0]), row
    except OSError as error:
      yield where, Broken(f'it cannot be read ({error.strerror})'), row


def _pieces(records):
  while piece := list(itertools.islice(records, _PIECE)):
    yield piece


def _understood(piece, pictures, problems):
  """[(where, record, row)] without the broken ones; paths are made relative to the folder.

  A path that leads out of it is not used, but for what else tells the picture.
  """
  kept = []
  for where, record, row in piece:
    if isinstance(record, Broken):
      problems.add('broken', where, record.reason)
      continue
    if record.path and row < 0:
      path = _inside(record.path, pictures.folder)
      if path is None and record.id < 0 and not record.md5:
        problems.add('broken', where, f'its picture {shorten(record.path)} is no path inside the '
                                      'folder')
        continue
      record = record._replace(path=path or '')
    kept.append((where, record, row))
  return kept


def _inside(path, folder):
  """A path as one relative to the folder, without '.' and '..'; None where it leads out of it."""
  whole = os.path.normpath(os.path.join(folder, path))
  try:
    os.fsencode(whole)
  except UnicodeEncodeError:
    return None
  top = os.path.join(folder, '')
  return whole.removeprefix(top) if whole.startswith(top) and '\0' not in whole else None


def _match(piece, pictures):
  """The same with the row of each record's picture, -1 where there is none."""
  rows = np.array([row for *_, row in piece], np.int32)
  asked = np.flatnonzero(rows < 0)
  records = [piece[place][1] for place in asked]
  rows[asked] = pictures.find(
      np.array([record.id for record in records], np.int64),
      np.array([record.md5 for record in records], MD5_DTYPE), [record.path for record in records])
  return [(where, record, row)
          for (where, record, _), row in zip(piece, rows.tolist(), strict=True)]


def _wanted(record):
  """What a picture was looked for by, in words."""
  told = [record.path and f'path {shorten(record.path)}', record.md5 and f'md5 {record.md5.hex()}',
          record.id >= 0 and f'id {record.id}']
  return ' or '.join(word for word in told if word) or 'it tells neither id nor md5 nor path'


def open_rows(path: str, lengths: np.ndarray) -> Rows:
  """Lists of tags that lie end to end in a file of int32. Args: lengths: int64 [N]."""
  starts = np.zeros(len(lengths) + 1, np.int64)
  np.cumsum(lengths, out=starts[1:])
  values = np.asarray(np.memmap(path, np.int32, 'r')) if starts[-1] else np.zeros(0, np.int32)
  return Rows(starts, values)


class _TagBook:
  """A code for every (category, name); the codes of the latest records wait to be written."""

  def __init__(self, problems):
    self.names, self.categories = [''], ['']
    self._problems, self._waiting = problems, array('i')
    self._codes = {}  # category -> _Codes

  def encode(self, tags):
    """Codes of a record's (category, names). Returns: how many."""
    before = len(self._waiting)
    for category, names in tags:
      codes = self._codes.get(category)
      if codes is None:
        codes = self._codes[category] = _Codes(self, category)
      self._waiting.extend(map(codes.__getitem__, names))
    return len(self._waiting) - before

  def flush(self, file):
    self._waiting.tofile(file)
    self._waiting = array('i')

  def add(self, category, name):
    """A fresh code; 0 for a name that is too long or holds what cannot be printed."""
    if not is_name(name):
      self._problems.add('name', shorten(name), '')
      return 0
    self.names.append(name)
    self.categories.append(category)
    return len(self.names) - 1


class _Codes(dict):
  """name -> code within a category; asks the book for names that are new."""

  def __init__(self, book, category):
    super().__init__()
    self._book, self._category = book, category

  def __missing__(self, name):
    code = self._book.add(self._category, name)
    if code:
      self[name] = code
    return code
