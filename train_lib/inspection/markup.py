"""HTML that is safe by its type, and the parts that a section of the page is made of.

Whatever is not `Html` is escaped where it enters, so names of files and classes cannot be markup.
"""

import html
import os
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from etils import epath


class Html(str):
  """Markup; any other text is escaped."""

  __slots__ = ()


class Picture(NamedTuple):
  """A picture of a file, embedded when the page is written.

  Attributes:
    path: of a PNG, JPEG or WebP.
    title: what it is called.
    caption: what it shows.
    wide: it takes the whole width; else two stand side by side where there is room.
  """
  path: epath.Path
  title: str
  caption: str
  wide: bool = True


class Details(NamedTuple):
  """Parts that are shown on demand."""
  summary: str
  parts: Sequence


class Section(NamedTuple):
  """A part of the page with a heading.

  Attributes:
    id: of its place in the page, for the contents.
    title: the heading.
    parts: of Html, Picture and Details.
    short: the heading in the contents; '': the same.
  """
  id: str
  title: str
  parts: Sequence
  short: str = ''


def escaped(value) -> Html:
  """The value as markup; `Html` as it is."""
  return value if isinstance(value, Html) else Html(html.escape(str(value)))


def joined(*parts) -> Html:
  """Parts one after another, each escaped unless it is markup."""
  return Html(''.join(map(escaped, parts)))


def tag(name: str, *content, **attributes) -> Html:
  """An element. Args: attributes: 'class_' stands for class; without a value they are left out."""
  written = ''.join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
                    for key, value in attributes.items() if value not in (None, ''))
  return Html(f'<{name}{written}>{joined(*content)}</{name}>')


def paragraph(*content, class_: str = '') -> Html:
  """A paragraph. Args: class_: 'note' is small, 'lead' larger, 'warning' stands out."""
  return tag('p', *content, class_=class_)


def bullets(lines: Iterable) -> Html:
  """A list of lines."""
  return tag('ul', *(tag('li', line) for line in lines))


def facts(pairs: Iterable[tuple], class_: str = 'facts') -> Html:
  """(name, value) pairs in two columns; values of '' and None are left out.

  Args: class_: 'facts', or 'highlights', which are large and side by side.
  """
  told = [tag('div', tag('dt', name), tag('dd', value)) for name, value in pairs
          if value not in ('', None)]
  return tag('dl', *told, class_=class_) if told else Html('')


def table(titles: Sequence, rows: Iterable[Sequence], *, words: int = 1,
          marked: Sequence[int] = ()) -> Html:
  """A table; it scrolls by itself where it is wider than the page.

  Args:
    titles: of the columns.
    rows: values; None is shown as a dash.
    words: how many of the first columns are text; the others are numbers and stand to the right.
    marked: places of rows that stand out.
  """
  head = ''.join(f'<th{_side(place, words)}>{escaped(title)}' for place, title in enumerate(titles))
  lines = (f'<tr{" class=marked" if number in marked else ""}>'
           + ''.join(f'<td{_side(place, words)}>{_shown(value)}'
                     for place, value in enumerate(row)) for number, row in enumerate(rows))
  return Html(f'<div class=scroll tabindex=0><table><thead><tr>{head}<tbody>{"".join(lines)}'
              '</table></div>')


def side_by_side(blocks: Iterable) -> Html:
  """Blocks in a row where there is room for them, else one below the other."""
  return tag('div', *(tag('div', block) for block in blocks), class_='blocks')


def bar(value: str, share: float) -> Html:
  """A number over a bar. Args: share: of the cell's width, 0 to 1."""
  return Html(f'<span class=bar style="--share:{100 * min(max(share, 0), 1):.1f}%">'
              f'{escaped(value)}</span>')


def command(line: str) -> Html:
  """A command line, selected as a whole by a click."""
  return tag('pre', tag('code', line), class_='command', tabindex=0)


def link(path, beside, words=None) -> Html:
  """A file's name, linked where a browser can open it.

  Args: path: of the file; beside: folder of the page; words: in place of the name.
  """
  words = path.name if words is None else words
  if '://' in f'{os.fspath(path)}{os.fspath(beside)}':
    return escaped(words)
  way = os.path.relpath(os.fspath(path), os.fspath(beside))
  return tag('a', words, href=urllib.parse.quote(os.fsencode(way)))


def _side(place, words):
  return '' if place < words else ' class=n'


def _shown(value):
  return '–' if value is None else escaped(value)
