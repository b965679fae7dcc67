"""A page for looking at clusters: one HTML file with all pictures in it, which needs no network."""

import base64
import dataclasses
import hashlib
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from errors import UserError
from train_lib.clustering.gallery_sheets import list_sheets
from train_lib.storage import records

PAGE = Path(__file__).parent / 'page'
SCRIPTS = ('data.js', 'parts.js', 'sheets.js', 'viewer.js', 'map.js', 'map_paint.js',
           'page.js')
BLOCK = 64                        # pictures in one part of the page, read when it is needed
QUALITY = 70                      # of WebP, and how hard it tries: bytes against time
METHOD = 2
TINY_PX = 64                      # pictures no larger keep more, since their pixels are seen
TINY_QUALITY = 92
# Longer side of a thumbnail by how many there are, so that thousands still load at once.
SIDES_PX = ((2_000, 224), (5_000, 160), (float('inf'), 128))


@dataclasses.dataclass(frozen=True)
class Gallery:
  """What the page tells of N pictures.

  Attributes:
    title: its heading.
    facts: lines below the heading, such as ('silhouette', '0.31').
    ids: N paths, relative to the folder of the pictures.
    clusters: int32 [N]; -1 for pictures that belong to none.
    distances: float32 [N] to the centre of its cluster.
    places: float32 [N, 2] on the map, within 0..1.
    names: of the clusters that have one.
    labels: what is known of each picture, '' where nothing is; [] where nothing is known of any.
    copies: groups of rows that are near-copies of each other.
  """
  title: str
  facts: list[tuple[str, str]]
  ids: list[str]
  clusters: np.ndarray
  distances: np.ndarray
  places: np.ndarray
  names: dict[int, str]
  labels: list[str]
  copies: list[list[int]]

  def __post_init__(self):
    number = len(self.ids)
    if not number:
      raise UserError('a gallery needs one picture or more, and there is none')
    for name, rows in (('clusters', self.clusters), ('distances', self.distances),
                       ('places', self.places), ('labels', self.labels or self.ids)):
      if len(rows) != number:
        raise ValueError(f'a gallery of {number} pictures was given {len(rows)} {name}')


def write_gallery(path, gallery: Gallery,
                  read_pictures: Callable[[np.ndarray], Iterable[np.ndarray | None]], *,
                  most: int = 10_000, poll=lambda: None) -> None:
  """Writes the page, whole or not at all.

  A sheet for each cluster with the typical pictures first and the unusual apart, a map,
  near-copies, a search, and names that are typed there and saved as names.csv (cluster, pictures,
  name). Beyond `most` pictures an even share of each cluster is shown, and the page says so.

  Args:
    path: of the HTML file.
    gallery: what is told.
    read_pictures: gives for rows, in their order, uint8 [H, W, 3] RGB each, or None where a picture
      cannot be read, which is shown as such.
    most: pictures in the page; 1 or more.
    poll: called now and then, to stop there.

  Raises:
    UserError: `most` is below 1.
  """
  if most < 1:
    raise UserError(f'a gallery shows 1 picture or more, and was told to show at most {most}')
  sheets = list_sheets(np.asarray(gallery.clusters), np.asarray(gallery.distances), gallery.labels,
                       gallery.copies, most)
  rows = np.concatenate([sheet.rows for sheet in sheets])
  side_px = next(side for limit, side in SIDES_PX if len(rows) <= limit)
  thumbnails = _read_thumbnails(rows, read_pictures, side_px, poll)
  told = _describe(gallery, sheets, rows)
  told |= {'block': BLOCK, 'side_px': side_px, 'bytes': sum(map(len, thumbnails))}
  records.write_text(path, ''.join(_assemble(gallery.title, told, thumbnails)))


def _read_thumbnails(rows, read_pictures, side_px, poll) -> list[str]:
  """Base64 of each picture, '' of those that cannot be read; read in the order of the rows."""
  order = np.argsort(rows)
  thumbnails = [''] * len(rows)
  for place, picture in zip(order, read_pictures(rows[order]), strict=True):
    poll()
    if picture is not None:
      thumbnails[place] = base64.b64encode(_encode(picture, side_px)).decode()
  return thumbnails


def shrunk(picture: np.ndarray, side_px: int) -> np.ndarray:
  """A picture uint8 [H, W, 3] whose longer side is at most so long; never enlarged."""
  height, width = picture.shape[:2]
  scale = side_px / max(height, width)
  if scale >= 1:
    return picture
  size = max(1, round(width * scale)), max(1, round(height * scale))
  return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _encode(picture, side_px) -> bytes:
  """A small WebP file of a picture uint8 [H, W, 3]."""
  picture = shrunk(picture, side_px)
  quality = QUALITY if max(picture.shape) > TINY_PX else TINY_QUALITY
  with io.BytesIO() as file:
    Image.fromarray(picture).save(file, format='WEBP', quality=quality, method=METHOD)
    return file.getvalue()


def _describe(gallery, sheets, rows) -> dict:
  """What the scripts of the page read: columns over the shown pictures, sheet after sheet."""
  place_of = {int(row): place for place, row in enumerate(rows)}
  label_names = sorted(set(gallery.labels) - {''})
  number_of = {label: number for number, label in enumerate(label_names)} | {'': -1}
  copies = ([place_of[row] for row in group if row in place_of] for group in gallery.copies)
  return {
      'title': gallery.title, 'facts': gallery.facts, 'key': _key(gallery),
      'total': len(gallery.ids),
      'sheets': [{'cluster': sheet.cluster, 'size': sheet.size, 'shown': len(sheet.rows),
                  'unusual': sheet.unusual, 'labels': sheet.labels,
                  'name': gallery.names.get(sheet.cluster, '')} for sheet in sheets],
      'ids': [gallery.ids[row] for row in rows],
      'distances': _rounded(gallery.distances, rows),
      'places': _rounded(gallery.places, rows),
      'label_names': label_names,
      'labels': [number_of[gallery.labels[row]] for row in rows] if gallery.labels else [],
      'copies': [group for group in copies if len(group) > 1],
      'copies_in_all': len(gallery.copies)}


def _rounded(values, rows):
  chosen = np.asarray(values, np.float64)[rows]
  return records.plain(np.round(chosen, 4).tolist())


def _key(gallery) -> str:
  """Under which a browser keeps typed names: of these pictures in these clusters alone, and of a
  page that began with these names, so that a file of names that changed since is what is shown."""
  digest = hashlib.sha256(np.asarray(gallery.clusters, '<i4').tobytes())
  digest.update(json.dumps([gallery.ids, sorted(gallery.names.items())]).encode())
  return digest.hexdigest()[:16]


def _assemble(title, told, thumbnails) -> Iterator[str]:
  """The pieces of the page.

  Names of files are untrusted: they stand in JSON alone, in which no '<' is left that could end
  the script, and the scripts set them as text, never as HTML.
  """
  before, after = _page_file('page.html').split('<!-- content -->')
  before, between = before.split('<!-- style -->')
  content = json.dumps(told, ensure_ascii=False, separators=(',', ':'))
  yield before.replace('<!-- title -->', _readable(html.escape(title)))
  yield _page_file('style.css')
  yield between
  content = _readable(content).replace('<', '\\u003c')
  yield f'<script type="application/json" id="content">{content}</script>\n'
  for first in range(0, len(thumbnails), BLOCK):
    lines = '\n'.join(thumbnails[first:first + BLOCK])
    yield f'<script type="text/plain" class="block">{lines}</script>\n'
  for name in SCRIPTS:
    yield f'<script>\n{_page_file(name)}</script>\n'
  yield after


def _page_file(name) -> str:
  return (PAGE / name).read_text(encoding='utf-8')


def _readable(text) -> str:
  """Text in which bytes of names that are not UTF-8 are shown as unknown characters."""
  return re.sub('[\ud800-\udfff]', '\ufffd', text)
