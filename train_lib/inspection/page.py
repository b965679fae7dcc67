"""The page of an inspection: one HTML file that needs no network, no script and no other file."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from train_lib.inspection import embedding
from train_lib.inspection.markup import (
  Details,
  Html,
  Picture,
  Section,
  escaped,
  facts,
  joined,
  link,
  paragraph,
  tag,
)
from train_lib.storage import records

PAGE = Path(__file__).parent / 'page'
NAME = 'index.html'
WIDE_PX = 900                     # a wider picture may be scrolled on a small screen


def write_page(folder, *, kind: str, title: str, lead: Iterable = (), figures: Iterable = (),
               sections: Sequence[Section]) -> None:
  """Writes `<folder>/index.html`, whole or not at all.

  Args:
    folder: exists; links of the page are relative to it.
    kind: what is inspected, in a word or two.
    title: its name.
    lead: paragraphs below the name.
    figures: (name, value) of what is told at once.
    sections: in their order.
  """
  pictures = embedding.embed(picture.path for section in sections
                             for picture in _pictures(section.parts))
  contents = tag('nav', *(tag('a', section.short or section.title, href=f'#{section.id}')
                          for section in sections), class_='contents', aria_label='Contents')
  body = joined(
      tag('header', paragraph(kind, class_='kind'), tag('h1', title),
          *(paragraph(line, class_='lead') for line in lead), facts(figures, 'highlights')),
      contents, tag('main', *(_section(section, pictures, folder) for section in sections)))
  page = (PAGE / 'page.html').read_text(encoding='utf-8')
  for name, content in (('title', escaped(title)), ('style', _style()), ('body', body)):
    page = page.replace(f'<!-- {name} -->', content, 1)
  records.write_text(folder / NAME, re.sub('[\ud800-\udfff]', '\ufffd', page))


def _style():
  return (PAGE / 'style.css').read_text(encoding='utf-8')


def _pictures(parts):
  for part in parts:
    if isinstance(part, Picture):
      yield part
    elif isinstance(part, Details):
      yield from _pictures(part.parts)


def _section(section, pictures, folder):
  return tag('section', tag('h2', section.title), _parts(section.parts, pictures, folder),
             id=section.id)


def _parts(parts, pictures, folder) -> Html:
  """The parts as markup; neighbouring pictures that are not wide share a row."""
  pieces, row = [], []
  for part in [*parts, Html('')]:
    if isinstance(part, Picture) and not part.wide:
      row.append(_figure(part, pictures[part.path], folder))
      continue
    if row:
      pieces.append(tag('div', *row, class_='pair'))
      row = []
    if isinstance(part, Picture):
      pieces.append(_figure(part, pictures[part.path], folder))
    elif isinstance(part, Details):
      pieces.append(tag('details', tag('summary', part.summary),
                        _parts(part.parts, pictures, folder)))
    else:
      pieces.append(escaped(part))
  return joined(*pieces)


def _figure(picture, embedded, folder) -> Html:
  caption = tag('figcaption', tag('strong', picture.title), ' ', picture.caption, ' ',
                tag('span', link(picture.path, folder), class_='file'))
  if not embedded.uri:
    return tag('figure', paragraph(f'Not shown here: {embedded.reason}.', class_='note'), caption)
  wide = ' wide' if embedded.width_px > WIDE_PX else ''
  image = Html(f'<img src="{embedded.uri}" width={embedded.width_px} height={embedded.height_px} '
               f'alt="{escaped(picture.title)}">')
  return tag('figure', tag('div', image, class_=f'paper{wide}'), caption)
