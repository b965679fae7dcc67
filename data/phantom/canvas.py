"""A slice being drawn: places in cm, soft shapes, and fields of noise that are alike at any size.

A place is (x, y) in cm from the middle of the body: x grows to the right of the picture, which is
the patient's left, and y grows downwards, towards the back.
"""

import hashlib
import math

import cv2
import numpy as np

LEAST_SIDE = 128  # px: smaller pictures are drawn at a multiple of their size
_SUBPIXEL_BITS = 4
REACH_CM = 0.9    # added to the box of a shape, for what the warp moves


class Noise:
  """A stream of random numbers, the same on every machine: made of the raw bits of PCG64."""

  def __init__(self, name: str):
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'little')
    self._bits = np.random.PCG64(seed)

  def normals(self, *shape) -> np.ndarray:
    """float32 numbers of mean 0 and deviation 1: sums of four uniform ones, so none beyond 3.5."""
    count = math.prod(shape)
    four = self._bits.random_raw(count).view(np.uint16).reshape(count, 4)
    total = four.sum(axis=1, dtype=np.uint32).astype(np.float32)
    return ((total / 65535 - 2) * math.sqrt(3)).reshape(shape)


def distance_to_line(x, y, start, end) -> np.ndarray:
  """Of places (x, y) to the line from start to end."""
  x, y = x - start[0], y - start[1]
  across, down = end[0] - start[0], end[1] - start[1]
  share = np.clip((x * across + y * down) / max(across**2 + down**2, 1e-9), 0, 1)
  return np.hypot(x - share * across, y - share * down)


class Canvas:
  """The picture at drawing size, and the shapes on it.

  Args:
    size_px: side of the finished picture.
    fov_cm: what that side shows.
    noise: the stream that all fields come from.
    turn_deg, shift_cm: how the patient lies.
    warp_cm: how far the warp moves things, about.
  """

  def __init__(self, size_px, fov_cm, noise, turn_deg=0.0, shift_cm=(0.0, 0.0), warp_cm=0.2):
    self.factor = max(1, -(-LEAST_SIDE // size_px))
    self.side = size_px * self.factor
    self.fov_cm, self.px_cm = fov_cm, fov_cm / self.side
    self._noise, self._shift = noise, shift_cm
    self._cos, self._sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    x, y = self.flat_places()
    x, y = x - shift_cm[0], y - shift_cm[1]
    self.x = x * self._cos + y * self._sin + warp_cm * self.field(6)
    self.y = y * self._cos - x * self._sin + warp_cm * self.field(6)
    self.value = np.zeros((self.side, self.side), np.float32)
    self.grain = 0.8 * self.field(0.45) + 0.6 * self.field(1.3)
    self.tissues = None  # name -> (signal, grain), as tissues.tissue_table gives it
    self.kept = None  # alpha of what was left of the picture, the rest cut away; None: all

  def flat_places(self) -> tuple:
    """(x, y) in cm of the machine: what does not lie as the patient lies."""
    line = ((np.arange(self.side, dtype=np.float32) + 0.5) / self.side - 0.5) * self.fov_cm
    return line[None, :], line[:, None]

  def field(self, wavelength_cm: float) -> np.ndarray:
    """float32 [side, side], smooth, deviation about 1, with bumps of this size."""
    knots = max(4, round(self.fov_cm / wavelength_cm) + 1)
    lattice = self._noise.normals(knots, knots) * 1.3
    return cv2.resize(lattice, (self.side, self.side), interpolation=cv2.INTER_CUBIC)

  def to_px(self, place) -> tuple[float, float]:
    """A place in cm -> (x, y) in px of the canvas, the warp left out."""
    x = place[0] * self._cos - place[1] * self._sin + self._shift[0]
    y = place[0] * self._sin + place[1] * self._cos + self._shift[1]
    middle = self.side / 2 - 0.5
    return x / self.px_cm + middle, y / self.px_cm + middle

  def around(self, place, reach_cm: float) -> tuple:
    """The rows and columns that a shape of this reach around a place can touch."""
    column, row = self.to_px(place)
    reach = (reach_cm + REACH_CM) / self.px_cm
    return tuple(slice(min(self.side, max(0, int(at - reach))),
                       max(0, min(self.side, int(at + reach) + 2))) for at in (row, column))

  def soft(self, distance, edge_cm: float = 0.0) -> np.ndarray:
    """Signed distance in cm, positive inside -> 0..1, with an anti-aliased edge."""
    return np.minimum(np.maximum(0.5 + distance / max(self.px_cm, edge_cm), 0), 1)

  def stroke(self, distance, half_width) -> np.ndarray:
    """Alpha of a line by the distance to its middle in cm; one thinner than a pixel is fainter."""
    drawn = np.maximum(half_width, self.px_cm / 2)
    return np.clip(0.5 + (drawn - distance) / self.px_cm, 0, 1) * (half_width / drawn)

  def ellipse(self, place, radii, turn_deg=0.0, edge_cm=0.0, rough=None) -> tuple:
    """(alpha, where) of an ellipse. Args: rough: a field that moves its edge, in cm."""
    where = self.around(place, max(radii) * 1.1 + (0 if rough is None else 3 * rough.std()))
    cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    x, y = self.x[where] - place[0], self.y[where] - place[1]
    u, v = (x * cos + y * sin) / radii[0], (y * cos - x * sin) / radii[1]
    square = u * u + v * v
    slope = np.sqrt((u / radii[0])**2 + (v / radii[1])**2) + 1e-6
    distance = (1 - square) / (2 * slope)
    if rough is not None:
      distance += rough[where]
    return self.soft(distance, edge_cm), where

  def capsule(self, start, end, radius, edge_cm=0.0) -> tuple:
    """(alpha, where) of all that is within `radius` cm of the line from start to end."""
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    reach = math.hypot(end[0] - start[0], end[1] - start[1]) / 2 + radius
    where = self.around(middle, reach)
    return self.soft(radius - self.to_line(start, end, where), edge_cm), where

  def to_line(self, start, end, where=np.s_[:, :]) -> np.ndarray:
    """As `distance_to_line`, of the places in cm."""
    return distance_to_line(self.x[where], self.y[where], start, end)

  def rounded(self, middle, wide, deep, square, egg=0.0) -> tuple:
    """Places in a squarish ellipse: depth in cm, angle from its front, distance from its middle.

    Args: middle: its y; wide, deep: radii; square: over an ellipse; egg: how narrow the front is.
    """
    x, y = self.x, self.y - middle
    radius = np.hypot(x, y) + 1e-3
    relative = np.hypot(x / (wide * (1 + egg * np.clip(y / deep, -1.1, 1.1))), y / deep)
    cos2 = (y * y - x * x) / (radius * radius)
    relative *= 1 + square * (2 * cos2 * cos2 - 1)
    return radius / np.maximum(relative, 1e-3) - radius, np.arctan2(x, -y), radius

  def paint(self, shape, tissue, strength=1.0) -> None:
    """Lays a tissue on. Args: shape: (alpha, where), or an alpha for all; tissue: a name."""
    alpha, where = shape if isinstance(shape, tuple) else (shape, np.s_[:, :])
    signal, grain = self.tissues[tissue]
    old = self.value[where]
    self.value[where] = old + strength * alpha * (signal + grain * self.grain[where] - old)

  def blank(self) -> np.ndarray:
    return np.zeros((self.side, self.side), np.float32)

  def quads(self, lines) -> np.ndarray:
    """Alpha [side, side] of tapering lines. Args: lines: (start, end, first and last width)."""
    mask = np.zeros((self.side, self.side), np.uint8)
    for start, end, first, last in lines:
      (ax, ay), (bx, by) = self.to_px(start), self.to_px(end)
      long = 2 * self.px_cm * max(math.hypot(bx - ax, by - ay), 1e-6)
      across, down = (ay - by) / long, (bx - ax) / long
      first_px, last_px = max(first, self.px_cm), max(last, self.px_cm)
      points = [(ax + across * first_px, ay + down * first_px),
                (bx + across * last_px, by + down * last_px),
                (bx - across * last_px, by - down * last_px),
                (ax - across * first_px, ay - down * first_px)]
      tone = 255 * min(1, (first + last) / (2 * self.px_cm))
      corners = np.array(points) * (1 << _SUBPIXEL_BITS)
      corners = np.round(corners).astype(np.int32)
      cv2.fillConvexPoly(mask, corners, tone, cv2.LINE_AA, _SUBPIXEL_BITS)
      if last > 2 * self.px_cm:  # a round end
        end_px = tuple(map(int, (corners[1] + corners[2]) // 2))
        radius = round(last / (2 * self.px_cm) * (1 << _SUBPIXEL_BITS))
        cv2.circle(mask, end_px, radius, tone, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / 255
