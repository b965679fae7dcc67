"""Rows of metadata files, one after another: JSON Lines, a JSON array, CSV with a header.

Files of many gigabytes go through here: no more than a row, or a piece of the file, is in memory.
A row that cannot be read comes as a `Broken` in its place; reading goes on behind it.
"""

import csv
import json
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from data.board.records import shorten
from errors import UserError

LONGEST_ROW = 4 << 20  # bytes; longer ones are broken
_PIECE = 1 << 20
_BOM = b'\xef\xbb\xbf'


class Broken(NamedTuple):
  """A row that cannot be read, and why."""

  reason: str


def read_rows(path: str) -> Iterator[tuple[str, dict | Broken]]:
  """Yields (place, row) of a .csv file, or else of JSON: an array, or an object in each line.

  A place is 'line 1' and so on, in an array 'element 1'.

  Raises:
    UserError: an array breaks off, or is no JSON from some place on.
  """
  if path.lower().endswith('.csv'):
    return _csv_rows(path)
  with open(path, 'rb') as file:
    start = file.read(4096).removeprefix(_BOM).lstrip()[:1]
  return _array_rows(path) if start == b'[' else _json_lines(path)


def _lines(path):
  """Yields (number, bytes) of the lines that are not empty; None for one that is too long."""
  with open(path, 'rb') as file:
    number = 0
    while line := file.readline(LONGEST_ROW + 1):
      number += 1
      if number == 1:
        line = line.removeprefix(_BOM)
      if len(line) > LONGEST_ROW and not line.endswith(b'\n'):
        while line and not line.endswith(b'\n'):
          line = file.readline(_PIECE)
        yield number, None
      elif not line.isspace():
        yield number, line


def _json_lines(path):
  for number, line in _lines(path):
    yield f'line {number}', _too_long() if line is None else parse_object(line)


def parse_object(text: bytes) -> dict | Broken:
  """A JSON object, or why it is none."""
  try:
    row = json.loads(text)
  except UnicodeDecodeError:
    return Broken('it is not UTF-8 text')
  except RecursionError:
    return Broken('it is nested too deeply')
  except ValueError as error:
    return Broken(f'it is no JSON ({_where(error)})')
  return row if isinstance(row, dict) else Broken(f'it is {shorten(row)}, no JSON object')


def _where(error):
  """What a decoder says, without the numbers of a line that is alone or a window's."""
  return f'{error.msg}: column {error.colno}' if hasattr(error, 'colno') else str(error)


def _too_long():
  return Broken(f'it is longer than {LONGEST_ROW >> 20} MiB')


def _array_rows(path):
  """The elements of a JSON array, decoded one by one from a window that moves over the file."""
  with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='') as file:
    yield from _elements(_Window(file), path)


def _elements(window, path):
  decoder, number = json.JSONDecoder(), 0
  window.skip('[')
  while window.next_character() not in (']', ''):
    try:
      row, window.position = decoder.raw_decode(window.text, window.position)
    except (ValueError, RecursionError) as error:
      if window.unread() > LONGEST_ROW or not window.read_more():
        raise UserError(f"'{path}' is no whole JSON array: it cannot be read behind its element "
                        f'{number} ({getattr(error, "msg", error)}); get the file again, or write '
                        'an object a line (JSON Lines), of which broken lines are passed over.'
                        ) from None
      continue
    number += 1
    yield f'element {number}', (
        row if isinstance(row, dict) else Broken(f'it is {shorten(row)}, no JSON object'))
    if window.next_character() == ',':
      window.position += 1
  if window.next_character() != ']':
    raise UserError(f"'{path}' is no whole JSON array: it breaks off behind its element {number}; "
                    'get the file again.')


class _Window:
  """A piece of a text file and a position in it; what lies behind the position is forgotten."""

  def __init__(self, file):
    self._file = file
    self.text, self.position = '', 0

  def unread(self):
    return len(self.text) - self.position

  def read_more(self):
    """Appends at least as much as is unread, so that a long element is not tried too often."""
    more = self._file.read(max(_PIECE, self.unread()))
    self.text, self.position = self.text[self.position:] + more, 0
    return bool(more)

  def next_character(self):
    """The next character that is no white space, and moves there; '' at the end."""
    while True:
      while self.position < len(self.text) and self.text[self.position] in ' \t\r\n':
        self.position += 1
      if self.position < len(self.text):
        return self.text[self.position]
      if not self.read_more():
        return ''

  def skip(self, character):
    if self.next_character() == character:
      self.position += 1


def _csv_rows(path):
  """Rows of a CSV file as dicts of strings; '' is what a row does not tell."""
  lines, header = _CsvLines(path), None
  while lines.next_row():
    place = f'line {lines.number}'
    try:
      cells = lines.read_cells(header)
    except csv.Error as error:
      yield place, Broken(f'it is no CSV ({error})')
      continue
    if cells is None:
      yield place, _too_long()
    elif header is None:
      header = [cell.strip().lower() for cell in cells]
    elif len(cells) != len(header):
      yield place, Broken(f'it has {len(cells)} values, the header has {len(header)}')
    elif any(not cell.isascii() and _has_surrogate(cell) for cell in cells):
      yield place, Broken('it is not UTF-8 text')
    else:
      yield place, dict(zip(header, cells, strict=True))


class _CsvLines:
  """The lines of a file, taken row by row.

  A row goes on over several lines where a quote is open. If that comes to no row, the quote is
  a mistake in the first line: the lines behind it are read again, as rows of their own.

  Attributes:
    number: of the line that the row begins with.
  """

  def __init__(self, path):
    self._lines, self._again = _lines(path), deque()
    self.number, self._line = 0, b''

  def _take(self):
    return self._again.popleft() if self._again else next(self._lines, None)

  def next_row(self):
    """Moves to the next row; whether there is one."""
    taken = self._take()
    self.number, self._line = taken or (0, b'')
    return taken is not None

  def read_cells(self, header):
    """The cells of the row, None where its line is too long; csv.Error where it is none."""
    if self._line is None:
      return None
    more = []
    try:
      cells = next(csv.reader(self._row_lines(more), strict=True))
    except csv.Error as error:  # an open quote ends here too, at the longest field there may be
      self._again.extendleft(reversed(more))
      raise csv.Error('a quote is not closed' if more else error) from None
    if more and header and len(cells) != len(header):
      self._again.extendleft(reversed(more))
      raise csv.Error('a quote is not closed')
    return cells

  def _row_lines(self, more):
    """Yields the line as text, and those behind it while they are asked for, noted in `more`."""
    yield self._line.decode('utf-8', 'surrogateescape')
    while taken := self._take():
      more.append(taken)
      if taken[1] is None:
        return
      yield taken[1].decode('utf-8', 'surrogateescape')


def _has_surrogate(text):
  return any('\ud800' <= letter <= '\udfff' for letter in text)
