"""Names on plots: in letters that its fonts have, and beside dots where there is room."""

from collections.abc import Sequence

import numpy as np

from train_lib.drawing.panels import BLACK, GREY

NAME_LETTERS = (28, 44, 60)       # of a name: as few as tell all names apart
# Families for letters that matplotlib's own font lacks.
FAMILIES = ('Noto Sans CJK JP', 'Noto Sans CJK SC', 'Droid Sans Fallback', 'MS Gothic',
            'Malgun Gothic', 'Microsoft YaHei', 'Hiragino Sans', 'Arial Unicode MS')
NAME_POINTS = 8                   # size of the letters beside a dot
GAPS_PX = (9, 16, 26, 40, 58, 80, 110, 150, 200)  # from a dot to its name
LEADER_PX = 20                    # names further away have a line to their dot
ANGLES = 24                       # around a dot that are tried
RING_PX, EDGE_PX = 5, 3           # around a dot that is named; around a name
EDGE = np.array([-EDGE_PX, -EDGE_PX, EDGE_PX, EDGE_PX])      # of a box [x0, y0, x1, y1]


def name_dots(axes, dots: np.ndarray, named: dict[int, str], around: np.ndarray = ()) -> None:
  """Writes names beside some dots, where they cover no other name and as few dots as can be.

  A name without room on the panel is left out. Call it last: it fixes where the panel lies.

  Args:
    axes: the panel, with its scales and limits.
    dots: [N, 2], all that are drawn, in the panel's numbers.
    named: row of a dot -> its name, the most important first.
    around: [M, 2], other places that names should not cover, such as of a line.
  """
  from matplotlib.patheffects import withStroke
  if not named:
    return
  figure, rows, dots = axes.figure, list(named), np.asarray(dots, float)
  figure.draw_without_rendering()
  area, scale = axes.get_window_extent().extents, figure.dpi / 72
  pixels = axes.transData.transform(dots)
  crowd = np.concatenate([pixels, axes.transData.transform(np.reshape(around, (-1, 2)))])
  texts, families = drawable(list(named.values()))
  style = dict(fontsize=NAME_POINTS, family=families, parse_math=False, color=BLACK, zorder=5,
               path_effects=[withStroke(linewidth=2.5, foreground='white')])
  axes.scatter(*dots[rows].T, s=60, facecolors='none', edgecolors=BLACK, linewidths=0.8, zorder=4)
  taken = np.concatenate([pixels[rows] - RING_PX, pixels[rows] + RING_PX], axis=1)
  for row, text in zip(rows, texts, strict=True):
    label = axes.text(0, 0, text, **style)
    size = label.get_window_extent().size
    label.remove()
    found = _place(pixels[row], size, crowd, pixels[rows], taken, area)
    if found is None:
      continue
    gap, box = found
    taken = np.concatenate([taken, box[None] + EDGE])
    crowd = np.concatenate([crowd, _leaders(pixels[row], box[None])[0]])
    near = np.clip((pixels[row] - box[:2]) / size, 0, 1)
    axes.annotate(text, dots[row], (box[:2] - pixels[row]) / scale, textcoords='offset points',
                  ha='left', va='bottom', arrowprops=dict(
                      arrowstyle='-', color=GREY, linewidth=0.7, shrinkA=0, shrinkB=4,
                      relpos=tuple(near)) if gap >= LEADER_PX else None, **style)


def _place(dot, size, crowd, named, taken, area):
  """(distance in px, its box) of the place for a name that hides least; None: there is no room.

  A place that is as near to another of the named dots counts as one that hides two. Boxes are
  [x0, y0, x1, y1] in px.
  """
  gaps, angles = np.repeat(GAPS_PX, ANGLES), np.tile(2 * np.pi * np.arange(ANGLES) / ANGLES,
                                                     len(GAPS_PX))
  ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
  low = dot + gaps[:, None] * ways + size * (ways - 1) / 2
  boxes = np.concatenate([low, low + size], axis=1)                            # [C, 4]
  free = (boxes[:, :2] > area[:2]).all(axis=1) & (boxes[:, 2:] < area[2:]).all(axis=1) & ~(
      (boxes[:, None, :2] < taken[:, 2:]) & (boxes[:, None, 2:] > taken[:, :2])).all(-1).any(-1)
  if not free.any():
    return None
  gaps, boxes = gaps[free], boxes[free]
  near = crowd[(np.abs(crowd - dot) < max(GAPS_PX) + size + EDGE_PX).all(axis=1)]
  others = taken[((taken[:, :2] > dot) | (taken[:, 2:] < dot)).any(axis=1)]
  crossed = _inside(_leaders(dot, boxes), others + EDGE).sum(axis=(1, 2))
  away = np.abs(named - dot).max(axis=1) > 1                    # of names that share a dot, neither
  doubtful = (_gaps(named[away], boxes) < _gaps(dot[None], boxes) + RING_PX).any(axis=1)
  costs = (_inside(near, boxes + EDGE).sum(axis=0) + gaps / 40
           + np.where(gaps >= LEADER_PX, crossed, 2 * doubtful))
  best = costs.argmin()
  return gaps[best], boxes[best]


def _inside(points, boxes):
  """bool [..., B]: which points, [..., 2], are in which boxes, [B, 4]."""
  points = points[..., None, :]
  return ((points > boxes[:, :2]) & (points < boxes[:, 2:])).all(axis=-1)


def _gaps(points, boxes):
  """[B, n]: how far boxes, [B, 4], lie from points, [n, 2]."""
  outside = np.maximum(boxes[:, None, :2] - points, points - boxes[:, None, 2:])
  return np.hypot(*np.moveaxis(np.maximum(outside, 0), -1, 0))


def _leaders(dot, boxes):
  """[B, n, 2]: points between a dot's ring and the nearest of each box."""
  nearest = np.clip(dot, boxes[:, :2], boxes[:, 2:])
  return dot + np.linspace(0.3, 0.95, 8)[:, None] * (nearest - dot)[:, None]


def drawable(names: Sequence[str]) -> tuple[list[str], list[str]]:
  """Names as a plot can write them, and the families of fonts that they need.

  A letter that no font here has is written as its number, and the middle of a long name is left
  out.
  """
  from matplotlib import font_manager
  families = ['DejaVu Sans']                                     # matplotlib brings it along
  known = _letters_of(font_manager.findfont(families[0]))
  letters = {ord(letter) for name in names for letter in name}
  others = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
  for family in FAMILIES:
    if family in others and not letters <= known:
      families.append(family)
      known |= _letters_of(others[family])
  written = [''.join(letter if ord(letter) in known and letter.isprintable() else
                     letter.encode('unicode_escape').decode() for letter in name)
             for name in names]
  for most in NAME_LETTERS:
    short = [_shortened(name, most) for name in written]
    if len(set(short)) == len(set(written)):
      break
  return short, families


def _letters_of(path):
  from matplotlib import font_manager
  return set(font_manager.get_font(path).get_charmap())


def _shortened(name, most):
  half = (most - 1) // 2
  return name if len(name) <= most else f'{name[:half]}…{name[-half:]}'
