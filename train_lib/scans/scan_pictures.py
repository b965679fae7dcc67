"""Sheets of scans: restored, between two others, drawn from the latent space, and a map of it."""

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from train_lib.drawing.grid import CELL_PX, draw_grid
from train_lib.drawing.panels import COLOURS, new_figure, title
from train_lib.drawing.pictures import INK
from train_lib.scans import image_quality

LEVELS = 65_535                   # of 16-bit grey
FULL_COLOUR = 0.25                # a difference with the deepest colour, of a range of 0..1
TOO_BRIGHT, TOO_DARK = np.array((178, 24, 43)), np.array((33, 102, 172))
TITLE_LETTERS = 22                # of a line above a column
DRAWN_COLUMNS = 8                 # of a sheet of drawn scans
FRAME_PX = 5                      # around the scans at the ends of a strip
THUMBNAILS, THUMBNAIL_PX = 14, 58
APART = 0.13                      # of the map's sides: nearer thumbnails would hide each other
_COLOURS_SAID = 'red: too bright', 'blue: too dark'
_COLOURS_CHANGED = 'red: brighter now', 'blue: darker now'
_SCALE_SAID = ('scans: black is 0 and white is 1; differences: white is 0, and the',
               f'deepest red and blue are {FULL_COLOUR:g} or more')


def reconstruction_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]], titles: Sequence[str],
                         notes: Sequence[str] = ()) -> Image.Image:
  """A line for each scan: as it is, as the net saw it, as it was restored, and the net's error.

  Args:
    rows: (caption, pictures [h, w] in 0..1): the clean scan, what the net saw, what the net made of
      it, and what other restorers made of it.
    titles: of these pictures.
    notes: lines at the top.

  Under every picture but the clean one stands its PSNR, of the best restoration in green.
  """
  cells, texts = [], []
  for caption, pictures in rows:
    target = pictures[0]
    others = np.stack([_plane(picture) for picture in pictures[1:]])
    values = image_quality.psnr(others, np.broadcast_to(_plane(target), others.shape))
    best = max(values[1:])
    cells.append([*map(grey, pictures), signed(pictures[2] - target)])
    texts.append([[('missed', caption)],
                  *([('found' if place and value == best else 'plain', _decibels(value))]
                    for place, value in enumerate(values)),
                  [('plain', f'mean error {np.abs(pictures[2] - target).mean():.3f}')]])
  columns = [*(textwrap.wrap(name, TITLE_LETTERS) for name in titles),
             ['error of the net', *_COLOURS_SAID]]
  return draw_grid(cells, columns, [*notes, *_SCALE_SAID], texts)


def restoration_sheet(rows: Sequence[tuple[str, np.ndarray, np.ndarray]],
                      notes: Sequence[str] = ()) -> Image.Image:
  """A line for each scan whose truth nobody knows: as it came, restored, and what was changed.

  Args: rows: (caption, scan, restoration), both [h, w] in 0..1; notes: lines at the top.
  """
  cells = [[grey(scan), grey(restored), signed(restored - scan)] for _, scan, restored in rows]
  texts = [[[('missed', caption)], [], [('plain', f'mean {np.abs(restored - scan).mean():.3f}')]]
           for caption, scan, restored in rows]
  columns = [['as it came'], ['restored'], ['what was changed', *_COLOURS_CHANGED]]
  return draw_grid(cells, columns, [*notes, *_SCALE_SAID], texts)


def interpolation_strips(strips: Sequence[Sequence[np.ndarray]],
                         captions: Sequence[tuple[str, str]]) -> Image.Image:
  """A line for each walk through the latent space, from one scan to another.

  Args:
    strips: pictures [h, w] in 0..1: a scan, what is decoded on the way from it to another, evenly,
      both ends of the way included or left out alike, and that other scan.
    captions: (name of the first scan, name of the last) of each.
  """
  cells, texts = [], []
  for (first, last), strip in zip(captions, strips, strict=True):
    cells.append([_framed(strip[0]), *map(grey, strip[1:-1]), _framed(strip[-1])])
    between = [[] for _ in strip[1:-1]]
    texts.append([[('found', 'scan'), ('missed', first)], *between,
                  [('found', 'scan'), ('missed', last)]])
  heading = 'green frames: scans as they are; between them: decoded, evenly from one to the other'
  return draw_grid(cells, (), [heading], texts)


def sample_sheet(pictures: Sequence[np.ndarray], notes: Sequence[str] = ()) -> Image.Image:
  """Drawn scans side by side. Args: pictures: [h, w] in 0..1; notes: lines at the top."""
  cells = list(map(grey, pictures))
  rows = [cells[first:first + DRAWN_COLUMNS] for first in range(0, len(cells), DRAWN_COLUMNS)]
  return draw_grid(rows, (), notes)


def anchored_sheet(rows: Sequence[tuple[str, np.ndarray, Sequence[np.ndarray]]],
                   notes: Sequence[str] = ()) -> Image.Image:
  """A line for each scan with what was drawn around it.

  Args: rows: (name, scan, pictures), each [h, w] in 0..1; notes: lines at the top.
  """
  cells = [[_framed(scan), *map(grey, pictures)] for _, scan, pictures in rows]
  texts = [[[('found', 'scan'), ('missed', name)], *[[]] * (len(line) - 1)]
           for (name, _, _), line in zip(rows, cells, strict=True)]
  return draw_grid(cells, (), notes, texts)


def grey(picture: np.ndarray) -> np.ndarray:
  """uint8 [h, w, 3]. Args: picture: [h, w] or [h, w, 1] in 0..1; what lies beyond is cut off."""
  pixels = np.rint(np.clip(np.nan_to_num(_plane(picture)), 0, 1) * 255).astype(np.uint8)
  return np.repeat(pixels[..., None], 3, axis=-1)


def encode_grey(picture: np.ndarray) -> bytes:
  """A 16-bit grey PNG. Args: picture: [H, W, 1] in 0..1."""
  import cv2
  levels = np.rint(np.clip(picture[..., 0], 0, 1) * LEVELS).astype(np.uint16)
  return cv2.imencode('.png', levels)[1].tobytes()


def signed(difference: np.ndarray) -> np.ndarray:
  """uint8 [h, w, 3]: white where it is 0, red where above, blue where below, full at FULL_COLOUR.

  Args: difference: [h, w] or [h, w, 1].
  """
  share = np.clip(np.nan_to_num(_plane(difference)) / FULL_COLOUR, -1, 1)[..., None]
  colour = np.where(share > 0, TOO_BRIGHT, TOO_DARK)
  return np.rint(255 + np.abs(share) * (colour - 255)).astype(np.uint8)


def latent_map(means: np.ndarray, picture: Callable[[int], np.ndarray | None] | None = None,
               others: dict[str, np.ndarray] | None = None, name: str = 'scans'):
  """Where scans are in the latent space: the two directions in which their means differ most.

  Args:
    means: [N, D], posterior means; of fewer than three there is no map.
    picture: (index) -> the picture [h, w] in 0..1 of a row of means, or None; a few are shown.
    others: name -> [M, D], latent vectors that are placed on the same map and have no say in it.
    name: of the rows of means.

  Returns:
    A matplotlib Figure, or None.
  """
  means = np.asarray(means, np.float64)
  if len(means) < 3:
    return None
  places, project, explained = _principal(means)
  figure, panels = new_figure(1, 1, 9.6, 7.2)
  axes = panels[0, 0]
  size = 30 if len(means) <= 300 else 14 if len(means) <= 3000 else 6
  axes.scatter(*places.T, s=size, c=COLOURS[0], alpha=0.65, linewidths=0,
               label=f'{name} ({len(means):,})')
  for number, (label, latents) in enumerate((others or {}).items()):
    axes.scatter(*project(latents).T, s=1.2 * size, c=COLOURS[1 + number], marker='x', alpha=0.8,
                 linewidths=1.2, label=f'{label} ({len(latents):,})')
  axes.set_xlabel(f'first principal component ({100 * explained[0]:.1f} % of the variance)')
  axes.set_ylabel(f'second principal component ({100 * explained[1]:.1f} % of the variance)')
  if picture is not None:
    _place_thumbnails(axes, places, picture)
  if others:
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', frameon=False,
                  ncols=4)
  title(figure, f'The latent space: posterior means of {len(means):,} {name}, {means.shape[1]} '
                'numbers each' + ', all alike: it is not used' * (not any(explained)))
  return figure


def _plane(picture):
  """float32 [h, w]. Args: picture: [h, w] or [h, w, 1]."""
  return np.asarray(picture, np.float32).reshape(np.shape(picture)[:2])


def _decibels(value):
  return f'PSNR {value:.1f} dB' if np.isfinite(value) else 'the same'


def _framed(picture):
  """The picture in a cell of the grid, with a frame of its own."""
  cell = ImageOps.pad(Image.fromarray(grey(picture)), (CELL_PX, CELL_PX), color='white')
  ImageDraw.Draw(cell).rectangle((0, 0, CELL_PX - 1, CELL_PX - 1), outline=INK['found'],
                                 width=FRAME_PX)
  return np.asarray(cell)


def _principal(means):
  """(places [N, 2], a function that places others, shares [2] of the variance)."""
  from sklearn.decomposition import PCA

  def wide(latents):
    return np.pad(np.asarray(latents, np.float64), ((0, 0), (0, max(0, 2 - means.shape[1]))))

  if not np.ptp(means, axis=0).any():           # all alike: the posterior has collapsed
    return wide(means)[:, :2], lambda latents: wide(latents)[:, :2], np.zeros(2)
  fitted = PCA(2, svd_solver='full').fit(wide(means))
  return (fitted.transform(wide(means)), lambda latents: fitted.transform(wide(latents)),
          fitted.explained_variance_ratio_)


def _place_thumbnails(axes, places, picture):
  """Pictures on points far from one another."""
  from matplotlib.offsetbox import AnnotationBbox, OffsetImage
  for row in spread(places, THUMBNAILS, APART):
    shown = picture(int(row))
    if shown is None:
      continue
    image = ImageOps.contain(Image.fromarray(grey(shown)), (THUMBNAIL_PX, THUMBNAIL_PX))
    box = AnnotationBbox(OffsetImage(np.asarray(image), zoom=0.72), places[row], pad=0.12,
                         bboxprops=dict(edgecolor=COLOURS[0], linewidth=1.4), zorder=3)
    axes.add_artist(box)


def spread(places: np.ndarray, most: int, apart: float) -> list[int]:
  """Rows far from one another: the one nearest to the middle, then always the farthest from all.

  Args: places: [N, 2]; most: so many at most; apart: least distance, in shares of the sides.
  """
  sides = np.maximum(np.ptp(places, axis=0), 1e-9)
  scaled = (places - places.min(axis=0)) / sides
  rows = [int(np.square(scaled - scaled.mean(axis=0)).sum(axis=1).argmin())]
  nearest = np.full(len(places), np.inf)
  while len(rows) < most:
    nearest = np.minimum(nearest, np.sqrt(np.square(scaled - scaled[rows[-1]]).sum(axis=1)))
    if nearest.max() < apart:
      break
    rows.append(int(nearest.argmax()))
  return rows
