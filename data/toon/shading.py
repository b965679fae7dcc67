"""How an artist gives volume to a shape."""

import numpy as np

from data.toon import palette
from data.toon.canvas import smooth


def shaded(canvas, points, colour, shift=(-0.06, -0.03), line=1.0, strength=0.24):
  """A filled shape with the artist's kind of shadow on the side away from `shift`."""
  kind = 'flat' if canvas.sketch else canvas.style.shading
  if kind == 'flat' or _is_small(canvas, points):
    canvas.fill(points, colour, line)
    return
  if kind == 'hatch':
    canvas.fill(points, colour, line)
    _hatch(canvas, points, colour)
    return
  canvas.fill(points, palette.darker(colour, strength), line)
  with canvas.inside(points):
    if kind == 'soft':
      canvas.fill(points + np.multiply(shift, 0.5), palette.darker(colour, strength * 0.5), 0)
    canvas.fill(points + shift, colour, 0)


def _is_small(canvas, points, side_px=18):
  """Too small on a 512 px canvas for a shadow to be seen."""
  across = np.abs(points[len(points) // 2] - points[0]).sum()
  return across * canvas.px_per_unit < side_px * canvas.side / 512


def _hatch(canvas, points, colour):
  low, high = points.min(0), points.max(0)
  middle, reach = (low + high) / 2, (high - low).max()
  with canvas.inside(points):
    for step in np.arange(0.1, 0.5, 0.07):
      x = middle[0] + step * (high[0] - low[0])
      canvas.stroke([(x + 0.12 * reach, middle[1] - 0.3 * reach), (x, high[1])],
                    palette.darker(colour, 0.3), 0.012)


def blob(*points):
  """A smooth closed shape through (x, y) points."""
  return smooth(points)


def both_sides(*points):
  """A smooth closed shape, symmetric about x = 0, from its right half, top to bottom."""
  left = [(-x, y) for x, y in reversed(points) if abs(x) > 1e-6]
  return smooth(list(points) + left)


def mirrored(points, side):
  """The points on the right (side 1) or, mirrored, on the left (side -1)."""
  return points * (side, 1)
