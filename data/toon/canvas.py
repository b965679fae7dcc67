"""A supersampled canvas: smooth shapes in local units, with outlines, clips and cover masks."""

import contextlib
import functools
import math

import cv2
import numpy as np

from data.toon import palette, styles

SHIFT = 4  # sub-pixel bits of OpenCV's fixed-point coordinates
MASK_SHIFT = 2  # cover masks have a quarter of the canvas's side
CIRCLE = np.stack([np.cos(np.arange(28) * math.tau / 28), np.sin(np.arange(28) * math.tau / 28)], 1)


@functools.cache
def _spline_matrix(count, closed, steps=4):
  """Catmull-Rom: [count * steps, count] weights of control points."""
  rows = []
  for i in range(count if closed else count - 1):
    for t in np.arange(steps) / steps:
      weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3,
                 -(t**2) + t**3)
      row = np.zeros(count)
      for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        j = i + offset
        row[j % count if closed else min(max(j, 0), count - 1)] += weight / 2
      rows.append(row)
  if not closed:
    rows.append(np.eye(count)[-1])
  return np.array(rows)


def smooth(points, closed=True):
  """A curve through the points: [n, 2] -> [4 n, 2] (open: one point more than 4 (n - 1))."""
  points = np.asarray(points, float)
  return _spline_matrix(len(points), closed) @ points


def ellipse(x, y, rx, ry=None, angle_deg=0.0):
  """The outline of an ellipse, [28, 2]."""
  points = CIRCLE * (rx, rx if ry is None else ry)
  if angle_deg:
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    points = points @ np.array([[c, s], [-s, c]])
  return points + (x, y)


def capsule(start, end, r0, r1):
  """The outline of a limb from start (radius r0) to end (radius r1)."""
  (x0, y0), (x1, y1) = start, end
  along, across = x1 - x0, y1 - y0
  length = math.sqrt(along * along + across * across) or 1e-6
  c, s = along / length, across / length
  ends = _CAP_START * r0 + _CAP_END * r1 + _CAP_FAR * length
  return ends @ np.array([[c, s], [-s, c]]) + start


_ARC = np.arange(-7, 8) * math.pi / 14
_ARC = np.stack([np.cos(_ARC), np.sin(_ARC)], 1)
_CAP_START = np.concatenate([-_ARC, 0 * _ARC])
_CAP_END = np.concatenate([0 * _ARC, _ARC])
_CAP_FAR = np.concatenate([0 * _ARC, 0 * _ARC + (1, 0)])


class Canvas:
  """RGB picture of `side` px; `frame` places local units; colours pass through light and style."""

  def __init__(self, side, style):
    self.side, self.style = side, style
    self.image = np.full((side, side, 3), 255, np.uint8)
    self.mask = None  # uint8 [side / 4, side / 4] of the figure being drawn, or None
    self.set_light((255, 255, 255), 0.0)
    self.sketch = False
    self.line_scale = 1.0
    self.place(np.eye(2) * side, (0, 0))

  def place(self, matrix, offset):
    """Local units -> canvas px: point @ matrix.T + offset."""
    self.matrix, self.offset = np.asarray(matrix, float), np.asarray(offset, float)
    (a, b), (c, d) = self.matrix.tolist()
    self.px_per_unit = math.sqrt(abs(a * d - b * c))
    self._fixed = self.matrix.T * (1 << SHIFT)
    self._fixed_offset = self.offset * (1 << SHIFT) + 0.5

  @contextlib.contextmanager
  def local(self, x, y, angle_deg=0.0, scale=1.0):
    """Inside, units are those of a part at (x, y), turned and scaled."""
    matrix, offset = self.matrix, self.offset
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    self.place(matrix @ (np.array([[c, -s], [s, c]]) * scale), matrix @ (x, y) + offset)
    yield
    self.place(matrix, offset)

  def set_light(self, colour, share):
    """Everything drawn from here on is multiplied, by `share`, with the colour of the light."""
    self.light, self.light_share = colour, share
    self._lit = tuple(1 - share * (1 - c / 255) for c in colour)
    self._colours = {}

  def paint(self, colour):
    """The RGB tuple that this artist puts on paper in this light."""
    key = colour
    if key not in self._colours:
      colour = styles.colour_in_style(self.style, colour)
      if self.sketch:
        grey = palette.brightness(colour)
        colour = palette.mix((grey,) * 3, (253, 251, 246), 0.82 if grey > 90 else 0.4)
      (r, g, b), (lr, lg, lb) = colour, self._lit
      self._colours[key] = (min(255, max(0, int(r * lr))), min(255, max(0, int(g * lg))),
                            min(255, max(0, int(b * lb))))
    return self._colours[key]

  def ink(self, colour):
    """The colour of the outline of something of this colour."""
    if self.sketch:
      return (74, 70, 80)
    if self.style.ink == 'black':
      return self.paint(palette.INK)
    return self.paint(palette.mix(palette.darker(colour, 0.55), (70, 20, 30), 0.25))

  def pixels(self, points):
    """Local points -> fixed-point canvas coordinates, int32."""
    return (points @ self._fixed + self._fixed_offset).astype(np.int32)

  def fill(self, points, colour, line=1.0):
    """A filled polygon; `line` times the style's width is its outline (0 = none)."""
    self.group((points,), colour, line)

  def group(self, shapes, colour, line=1.0):
    """Shapes of one colour with one outline around their union."""
    shapes = [self.pixels(points) for points in shapes]
    width = self._width(line)
    if width:
      ink = self.ink(colour)
      for points in shapes:
        cv2.polylines(self.image, [points], True, ink, width, cv2.LINE_8, SHIFT)
    paint = self.paint(colour)
    edge = cv2.LINE_8 if width > 1 else cv2.LINE_AA  # an outline hides the edge
    for points in shapes:
      cv2.fillPoly(self.image, [points], paint, edge, SHIFT)
      if self.mask is not None:
        cv2.fillPoly(self.mask, [points], 255, cv2.LINE_8, SHIFT + MASK_SHIFT)

  def _width(self, line):
    if self.sketch:
      line = max(line, 0.5) if line else 0
      return max(1, round(line * 3.4 * self.line_scale)) * (line > 0)
    return round(line * self.style.line * self.line_scale)

  def stroke(self, points, colour, width, closed=False):
    """A line of `width` local units in this colour, whatever the style."""
    pixels = self.pixels(np.asarray(points, float))
    thick = max(1, round(width * self.px_per_unit))
    cv2.polylines(self.image, [pixels], closed, self.paint(colour), thick, cv2.LINE_8 if thick > 1
                  else cv2.LINE_AA, SHIFT)

  def crease(self, points, colour, line=0.7):
    """An inner line of a thing of this colour, as thick as the artist's outlines."""
    width = max(self._width(line), 1)
    cv2.polylines(self.image, [self.pixels(np.asarray(points, float))], False, self.ink(colour),
                  width, cv2.LINE_8 if width > 1 else cv2.LINE_AA, SHIFT)

  @contextlib.contextmanager
  def inside(self, points):
    """What is drawn inside stays within this polygon; masks are left alone."""
    pixels = self.pixels(points)
    low = np.maximum((pixels.min(0) >> SHIFT) - 1, 0)
    high = np.minimum((pixels.max(0) >> SHIFT) + 2, self.side)
    if (high <= low).any():
      image, self.image = self.image, np.empty((4, 4, 3), np.uint8)
      yield
      self.image = image
      return
    window = self.image[low[1]:high[1], low[0]:high[0]]
    clip = np.zeros(window.shape[:2], np.uint8)
    cv2.fillPoly(clip, [pixels - (low << SHIFT).astype(np.int32)], 255, cv2.LINE_8, SHIFT)
    image, offset, mask = self.image, self._fixed_offset, self.mask
    place = self.matrix, self.offset
    self.image, self.mask = window.copy(), None
    self.place(self.matrix, self.offset - low)
    yield
    cv2.copyTo(self.image, clip, window)
    self.image, self.mask, self._fixed_offset = image, mask, offset
    self.place(*place)

  def glow(self, x, y, radius, colour, strength):
    """A soft round light: `strength` (0..1) of the colour at its middle."""
    centre = self.matrix @ (x, y) + self.offset
    r = int(radius * self.px_per_unit)
    x0, y0 = int(centre[0]) - r, int(centre[1]) - r
    low = max(x0, 0), max(y0, 0)
    high = min(x0 + 2 * r, self.image.shape[1]), min(y0 + 2 * r, self.image.shape[0])
    if r < 2 or low[0] >= high[0] or low[1] >= high[1]:
      return
    window = self.image[low[1]:high[1], low[0]:high[0]]
    alpha = cv2.resize(_glow_profile(), (2 * r, 2 * r), interpolation=cv2.INTER_LINEAR)
    alpha = alpha[low[1] - y0:high[1] - y0, low[0] - x0:high[0] - x0, None] * np.float32(strength)
    paint = np.array(self.paint(colour), np.float32)
    window[:] = (window + alpha * (paint - window)).astype(np.uint8)


@functools.cache
def _glow_profile():
  axis = np.linspace(-1, 1, 32, dtype=np.float32)
  distance = axis[None]**2 + axis[:, None]**2
  return np.clip(1 - distance, 0, 1)**2
