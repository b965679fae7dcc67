"""The brain of a slice: folded cortex, white matter, ventricles and nuclei."""

import math

import numpy as np

from data.phantom.canvas import distance_to_line

# Ellipsoids in cm: x (of the right one of a pair), y, z, their radii, turn in degrees.
_THALAMUS = ((1.05, 0.7, 0.5), (0.85, 1.55, 1.2), 24)
_PUTAMEN = ((2.75, -0.7, 0.5), (0.55, 1.65, 1.5), -16)
_PALLIDUM = ((2.05, -0.4, 0.2), (0.42, 1.0, 0.9), -22)
_CAUDATE = ((1.45, -2.45, 1.2), (0.5, 0.95, 1.9), 18)
_HORN = ((0.95, -2.9, 1.5), (0.42, 1.5, 1.9), 20)
_BODY = ((1.15, 0.0, 2.5), (0.5, 3.1, 1.0), 4)
_ATRIUM = ((2.3, 3.2, 1.2), (0.6, 1.45, 1.7), -28)
_OCCIPITAL = ((2.2, 5.0, 0.4), (0.25, 1.1, 0.7), -8)
_TEMPORAL = ((3.1, 0.7, -1.6), (0.22, 1.1, 0.7), -20)
_THIRD = ((0.0, -0.1, -0.1), (0.17, 1.35, 1.3), 0)
_FRONT_CALLOSUM = ((0.0, -3.7, 1.5), (1.6, 0.55, 1.0), 0)
_BACK_CALLOSUM = ((0.0, 3.0, 1.7), (1.7, 0.55, 0.9), 0)
_TOP_CALLOSUM = ((0.0, -0.2, 2.9), (1.25, 3.4, 0.55), 0)


def draw_brain(canvas, dice, head, z, surface, angle, radius):
  """Draws what lies inside the skull. Args: surface: depth below the brain's surface, cm."""
  size = size_at(z)
  sulcus = _sulci(canvas, dice, head, z, surface, angle, radius, size)
  wide = 0.025 + 0.06 * head.gap + 0.13 * head.atrophy
  wide = wide * size**2 * np.clip(1 + 0.8 * canvas.field(5), 0.1, 2.5)
  ribbon = head.ribbon * np.clip(1 + 0.22 * canvas.field(2), 0.5, 1.6)
  nearest = np.minimum(surface, sulcus - wide)
  canvas.paint(canvas.soft(surface), 'grey')
  canvas.paint(canvas.soft(nearest - ribbon, 0.1), 'white')
  canvas.paint(canvas.soft(surface) * canvas.stroke(np.maximum(0, sulcus), wide), 'fluid')
  _midline(canvas, z, surface)
  _deep(canvas, dice, head, z)


def size_at(z: float) -> float:
  """How far the cortex has shrunk towards the vertex, of its largest size."""
  return math.sqrt(max(0.1, 1 - ((z - 0.3) / 8.3)**2)) if z > 0.3 else 1.0


def _sulci(canvas, dice, head, z, surface, angle, radius, size):
  """Distance to the nearest furrow in cm: of the outer edge, between the halves, at the side."""
  x, y = canvas.x, canvas.y
  bent_x, bent_y = x + 0.5 * canvas.field(1.8), y + 0.5 * canvas.field(1.8)
  folds = max(8, round(head.folds * (0.55 + 0.45 * size)))
  phase = folds * np.arctan2(bent_x, -bent_y) + 1.1 * canvas.field(3.2)
  first = _to_zero(phase, radius, folds)
  deep = np.clip(1.5 + 0.8 * canvas.field(1.8), 0.5, 2.7) * (0.75 + 0.25 * size)
  furrow = np.hypot(first, np.maximum(0, surface - deep)) + 0.5 * np.maximum(0, 3.4 - radius)
  second = _to_zero(2 * phase + math.pi + 0.8 * canvas.field(2.4), radius, 2 * folds)
  shallow = np.clip(0.1 + 0.5 * canvas.field(1.7), -0.5, 1.0)
  furrow = np.minimum(furrow, np.hypot(second, np.maximum(0, surface - shallow))
                      + 0.03 + np.maximum(0, 5.0 * size - radius))
  furrow = np.minimum(furrow, _medial(canvas, z, bent_x, bent_y))
  if -1.6 < z < 2.6:
    furrow = np.minimum(furrow, _insula(canvas, dice, z, bent_x, bent_y))
  return furrow


def _to_zero(phase, radius, folds):
  """Distance in cm to the zeros of sin(phase), which are about pi radius / folds apart."""
  triangle = np.abs((phase / math.pi + 0.5) % 1.0 - 0.5) * math.pi
  return triangle * radius / folds


def _medial(canvas, z, x, y):
  """Distance to the cleft between the halves and to the furrows that leave it."""
  cleft = np.abs(canvas.x + 0.25 * (x - canvas.x))
  if z < 3.1:  # the bridge between the halves and what lies under it
    half = 3.2 + 0.3 * math.sin(z) if z > 0.4 else 2.6
    cleft = np.hypot(cleft, np.maximum(0, half - np.abs(canvas.y + 0.4)))
  slant = y + np.abs(x) * 0.5 + 0.7 * np.sign(canvas.x) + 0.5 * canvas.field(2.5)
  across = np.abs((slant / 2.3) % 1.0 - 0.5) * 2.3
  across = np.hypot(across, np.maximum(0, np.abs(x) - 0.85 - 0.4 * canvas.field(2)))
  if z < 3.1:
    across = across + np.maximum(0, half + 0.4 - np.abs(canvas.y + 0.4))
  return np.minimum(cleft, across)


def _insula(canvas, dice, z, x, y):
  """Distance to the fissure at the side and the sunken cortex that it leads to."""
  shut = 0.12 * max(0.0, abs(z - 0.3) - 1.2)
  nearest = None
  for side in (-1, 1):
    ahead = dice.between(-0.4, 0.4)
    points = ((side * 7.4, -1.9 + ahead), (side * 5.2, -1.3 + ahead), (side * 4.1, -2.5),
              (side * 3.9, -0.3), (side * 4.3, 1.6))
    lines = [distance_to_line(x, y, points[start], points[end])
             for start, end in ((0, 1), (1, 3), (2, 3), (3, 4))]
    one = np.minimum.reduce(lines) - 0.05 + shut
    nearest = one if nearest is None else np.minimum(nearest, one)
  return nearest


def _midline(canvas, z, surface):
  """The falx: a thin fold of dura in the cleft, in front and behind."""
  gap = 3.6 if z < 3.1 else 0.0
  line = np.hypot(canvas.x, np.maximum(0, gap - np.abs(canvas.y + 0.4)))
  alpha = canvas.stroke(line, 0.055) * (surface > -0.4)
  canvas.paint(alpha.astype(np.float32), 'dura', 0.75)


def _deep(canvas, dice, head, z):
  """Ventricles, nuclei and the bridge between the halves, by height."""
  for part in (_FRONT_CALLOSUM, _BACK_CALLOSUM, _TOP_CALLOSUM):
    _solid(canvas, part, z, 'white', 1, 1)
  for side in (-1, 1):
    jitter = 1 + side * head.asymmetry * 0.5
    wide = head.ventricle * jitter * dice.between(0.92, 1.08)
    out = 0.12 * (wide - 1)
    for part, tissue in ((_PUTAMEN, 'nucleus'), (_PALLIDUM, 'pallidum'), (_THALAMUS, 'nucleus'),
                         (_CAUDATE, 'nucleus')):
      _solid(canvas, part, z, tissue, side, dice.between(0.94, 1.06), out)
    for part in (_HORN, _BODY, _ATRIUM, _OCCIPITAL, _TEMPORAL):
      _solid(canvas, part, z, 'fluid', side, math.sqrt(wide), out, wide)
    if 0.2 < z < 2.2:
      canvas.paint(canvas.ellipse((side * (2.2 + out), 3.0), (0.28, 0.5), -side * 28, 0.1),
                   'choroid', 0.9)
  _solid(canvas, _THIRD, z, 'fluid', 1, math.sqrt(head.ventricle), 0, head.ventricle)
  if -0.9 < z < 0.9:
    canvas.paint(canvas.ellipse((0, 2.45), (0.28, 0.28), 0, 0.1), 'choroid', 0.8)


def _solid(canvas, part, z, tissue, side, size, out=0.0, wide=None):
  """One ellipsoid, cut at height z. Args: size: factor of length; wide: of width; out: cm."""
  (x, y, middle), (across, along, up), turn = part
  left = 1 - ((z - middle) / up)**2
  if left <= 0.02:
    return
  share = math.sqrt(left)
  radii = across * share * (size if wide is None else wide), along * share * size
  place = side * (x + out * (x > 0)), y
  if min(radii) > 0.03:
    canvas.paint(canvas.ellipse(place, radii, side * turn, 0.08), tissue)
