"""CSV files as tables of the page: the first and the last rows at once, all of them on demand."""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from train_lib.inspection import markup
from train_lib.inspection.markup import Details, joined, link, paragraph, side_by_side
from train_lib.inspection.numbers import column

FEW = 20                          # rows that are all shown at once
ENDS = 8                          # else so many of each end
SHOWS = 'test_pictures'           # a row that none shows has no figure worth its place
MOST, MOST_LISTED = 10_000, 1_000  # on demand


SPELLED = {'ap': 'AP', 'map': 'mAP', 'f1': 'F1', 'psnr': 'PSNR', 'ssim': 'SSIM', 'kl': 'KL',
           'db': 'dB', 'pck': 'PCK', 'oks': 'OKS', 'ar': 'AR'}  # words of names of columns


class Csv(NamedTuple):
  """A file's columns and rows, all text."""
  titles: list[str]
  rows: list[list[str]]


def read_csv(path) -> Csv:
  """The content of a CSV file; rows that are shorter or longer than the titles are left out."""
  text = path.read_bytes().decode(errors='surrogateescape')
  lines = list(csv.reader(io.StringIO(text, newline='')))
  titles = lines[0] if lines else []
  return Csv(titles, [row for row in lines[1:] if len(row) == len(titles)])


def csv_parts(path, beside, *, by: str = '', columns: Sequence[str] = (), words: int = 1,
              most: int = MOST) -> list:
  """Parts of a section that show a CSV file.

  Args:
    path: of the file; beside: folder of the page.
    by: a column of numbers whose ends are shown; rows without one are in none; '': in file order.
    columns: of the ends; () all.
    words: how many of the first columns are text.
    most: rows on demand, at most.
  """
  table = read_csv(path)
  if not table.rows:
    return [paragraph('The table is empty.', class_='note')]
  chosen = [table.titles.index(name) for name in columns or table.titles if name in table.titles]
  if len(table.rows) <= FEW:
    return [_table(table, table.rows, range(len(table.titles)), words)]
  parts, ordered = [], _ordered(table, by)
  if by and len(ordered) > 2 * ENDS:
    parts.append(side_by_side(
        joined(paragraph(f'{name} {spoken(by)}', class_='note'), _table(table, rows, chosen, words))
        for name, rows in (('The highest', ordered[:ENDS]), ('The lowest', ordered[-ENDS:]))))
  else:
    parts.append(_table(table, table.rows[:2 * ENDS], chosen, words))
  rows = table.rows[:most]
  all_of = f'All {len(rows):,}' if len(rows) == len(table.rows) else (
      f'The first {len(rows):,} of {len(table.rows):,}')
  return [*parts, Details(f'{all_of} rows', [
      _table(table, rows, range(len(table.titles)), words),
      paragraph('The file: ', link(path, beside), class_='note')])]


def listed(titles: Sequence[str], rows: list) -> list:
  """Parts of a section: rows of text, the first at once and the others on demand."""
  parts = [markup.table(titles, rows[:ENDS], words=len(titles))]
  if len(rows) > ENDS:
    rest = rows[ENDS:MOST_LISTED]
    parts.append(Details(f'{len(rest):,} more', [markup.table(titles, rest, words=len(titles))]))
  return parts


def spoken(title: str) -> str:
  """A column's name as words, abbreviations as they are written."""
  return ' '.join(SPELLED.get(word, word) for word in title.split('_'))


def _ordered(table, by):
  """The rows that have a number in the column, the highest first; without those that no test
  picture shows."""
  if by not in table.titles:
    return []
  place = table.titles.index(by)
  shows = table.titles.index(SHOWS) if SHOWS in table.titles else None
  known = []
  for row in table.rows:
    if shows is not None and row[shows] == '0':
      continue
    try:
      known.append((float(row[place]), row))
    except ValueError:
      continue
  return [row for _, row in sorted(known, key=lambda pair: -pair[0])]


def _table(table, rows, places, words):
  text = [place for place in places if place < words or _is_text(table, place)]
  places = [*text, *(place for place in places if place not in text)]
  columns = [[row[place] for row in rows] if place in text else
             column([row[place] for row in rows]) for place in places]
  return markup.table([spoken(table.titles[place]) for place in places],
                      zip(*columns, strict=True), words=len(text))


def _is_text(table, place):
  """Whether the first value of a column is no number."""
  for row in table.rows:
    if row[place]:
      try:
        float(row[place])
      except ValueError:
        return True
      return False
  return False
