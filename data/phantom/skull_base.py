"""The lowest slices of a head: eyes, nose, temporal lobes, brainstem and cerebellum."""

import math

import numpy as np

TOP_CM = -1.5  # above it a slice is all cranial vault


def draw_base(canvas, dice, head, z, depth, surface, inside):
  """Draws what is no brain, and the cerebellum.

  Returns: depths in cm below the surface of the brain above the tentorium that is left, and of all
  that belongs to the brain.
  """
  from_top = min(1.0, (TOP_CM - z) / 1.3)
  face = -9.5 + 4.9 * from_top  # in front of this y is face, where the vault was
  floor = face + 0.13 * (np.abs(canvas.x) - 3.6)**2 + 0.35 * canvas.field(2.2)
  if from_top > 0.35:
    _draw_face(canvas, dice, head, z, depth, floor - canvas.y)
  surface = np.minimum(surface, canvas.y - floor)
  if z < -1.5:
    return _draw_back(canvas, z, surface, inside)
  return surface, surface


def _draw_face(canvas, dice, head, z, depth, ahead):
  """Orbits with eyes, and the air-filled bone between them."""
  alpha = canvas.soft(ahead - 0.1) * canvas.soft(depth - 0.55)
  canvas.paint(alpha.astype(np.float32), 'bone')
  canvas.paint((alpha * canvas.soft(0.25 * canvas.field(1.2), 0.3)).astype(np.float32), 'marrow',
               0.8)
  low = min(1.0, max(0.0, (-2.0 - z) / 1.0))
  if low <= 0:
    _frontal_sinus(canvas, dice, head, depth)
    return
  front = -head.half_length * 0.86
  for side in (-1, 1):
    centre = side * dice.between(3.0, 3.3), front + 1.6 + dice.between(-0.1, 0.2)
    size = math.sqrt(low)
    cone = np.maximum(np.abs(canvas.x - centre[0] + side * 0.30 * (canvas.y - centre[1]))
                      - (1.75 - 0.30 * np.maximum(0, canvas.y - centre[1])) * size,
                      np.maximum(canvas.y - centre[1] - 3.9, front - 1.2 - canvas.y))
    canvas.paint(canvas.soft(np.minimum(-cone, depth - 0.35), 0.1), 'fat')
    if low > 0.3:
      _draw_eye(canvas, centre, side, size)
  cells = canvas.soft(0.28 - np.abs(canvas.field(0.9)), 0.25)
  middle = canvas.ellipse((0, front + 3.0), (1.35, 2.9))
  canvas.paint(middle, 'air', 0.92)
  canvas.paint((middle[0] * cells[middle[1]] * 0.6, middle[1]), 'skin')
  canvas.paint(canvas.capsule((0, front), (0, front + 5.5), 0.09), 'bone', 0.8)


def _draw_eye(canvas, centre, side, size):
  """An eyeball with its lens, its nerve and two of its muscles."""
  apex = centre[0] - side * 1.25, centre[1] + 4.0
  for out in (-1.15, 1.15):
    canvas.paint(canvas.capsule((centre[0] + out, centre[1] + 0.4), apex, 0.2), 'muscle')
  canvas.paint(canvas.capsule((centre[0], centre[1] + 1.0), apex, 0.19), 'nerve')
  ball = 1.22 * size
  canvas.paint(canvas.ellipse(centre, (ball, ball), 0), 'muscle')
  canvas.paint(canvas.ellipse(centre, (ball - 0.13, ball - 0.13)), 'eye')
  if size > 0.8:
    canvas.paint(canvas.ellipse((centre[0], centre[1] - 0.78), (0.48, 0.22)), 'lens')


def _frontal_sinus(canvas, dice, head, depth):
  for side in (-1, 1):
    x, size = side * dice.between(0.8, 1.5), dice.between(0.5, 1.3)
    alpha, where = canvas.ellipse((x, -head.half_length + 1.25), (size, 0.45), side * 8)
    canvas.paint((alpha * canvas.soft(depth[where] - 0.5), where), 'air')


def _draw_back(canvas, z, surface, inside):
  """Petrous bones, cisterns, brainstem and cerebellum; what is left is temporal lobes."""
  low = min(1.0, (-1.5 - z) / 1.4)
  for side in (-1, 1):
    start, end = (side * 1.7, 0.7), (side * 6.5, 3.1)
    reach = 0.25 + 0.75 * low
    ridge = canvas.to_line(start, end)
    rough = 0.14 * canvas.field(1.1)
    wide = reach * (0.22 + 0.5 * np.clip((side * canvas.x - 2.5) / 4, 0, 1)) + rough
    canvas.paint(canvas.soft(wide + 0.25 - ridge), 'fluid')
    if low > 0.25:
      canvas.paint(canvas.soft(wide - ridge), 'bone')
      alpha, where = canvas.ellipse((side * 5.9, 3.0), (1.3, 1.6), 0, 0.2)
      cells = canvas.soft(canvas.field(0.7)[where] - 0.1, 0.3)
      canvas.paint((alpha * cells * low, where), 'air')
    surface = np.minimum(surface, ridge - wide - 0.3)
  lobes = (1 - np.hypot((np.abs(canvas.x) - 3.9) / 3.0, (canvas.y + 0.1) / 3.6)) * 3.0
  surface = np.minimum(surface, lobes + 0.15 * canvas.field(1.8) + 5 * (1 - low))
  back = np.hypot(canvas.x / (5.1 + 0.4 * low), (canvas.y - 4.4) / (3.2 + 0.7 * low))
  fossa = (1 - back) * 3.6
  fossa = np.where(fossa > -1.5, fossa, -1.5)
  cisterns = np.maximum(fossa + 0.25, 1.95 - np.hypot(canvas.x, (canvas.y - 0.4) / 1.05))
  cisterns = np.minimum(cisterns, inside - 0.1)
  canvas.paint(canvas.soft(cisterns), 'fluid')
  surface = np.minimum(surface, -cisterns)
  cerebellum = np.minimum(fossa, inside - 0.3)
  _draw_cerebellum(canvas, z, cerebellum)
  _draw_stem(canvas, z)
  stem = 1.7 - np.hypot(canvas.x, canvas.y - 0.8)
  return surface, np.maximum.reduce([surface, cerebellum, stem])


def _draw_cerebellum(canvas, z, depth):
  """Fine parallel folds, white matter in the middle of each half, the fourth ventricle."""
  canvas.paint(canvas.soft(depth), 'grey')
  bent = depth + 0.12 * canvas.field(1.6)
  leaves = np.abs((bent / 0.52) % 1.0 - 0.5)
  canvas.paint(canvas.soft(depth) * np.clip(3.2 * (0.5 - leaves) - 0.9, 0, 1), 'white', 0.5)
  canvas.paint(canvas.soft(depth) * canvas.soft(0.06 - leaves * 0.5, 0.1), 'fluid', 0.4)
  for side in (-1, 1):
    core = canvas.ellipse((side * 2.3, 3.9), (1.5, 1.3), side * 25, 0.3, 0.2 * canvas.field(1.2))
    canvas.paint(core, 'white', 0.9)
    if z < -3:
      canvas.paint(canvas.ellipse((side * 1.7, 3.9), (0.5, 0.35), side * 30, 0.15), 'nucleus', 0.8)
  canvas.paint(canvas.capsule((0, 4.2), (0, 7.0), 0.45, 0.2), 'grey', 0.8)


def _draw_stem(canvas, z):
  """Midbrain above, pons below, with what joins it to the cerebellum."""
  pons = min(1.0, max(0.0, (-2.3 - z) / 0.8))
  if pons > 0.2:
    for side in (-1, 1):
      canvas.paint(canvas.capsule((side * 0.9, 1.8), (side * 2.4, 3.5), 0.65 * pons, 0.1), 'white')
  canvas.paint(canvas.ellipse((0, 0.9), (1.45 + 0.25 * pons, 1.25), 0, 0.08), 'brainstem')
  if pons < 0.6:
    for side in (-1, 1):  # the peduncles
      canvas.paint(canvas.ellipse((side * 0.95, 0.0), (0.6, 0.95), side * 30, 0.08), 'brainstem')
    canvas.paint(canvas.ellipse((0, -0.45), (0.35, 0.4), 0, 0.1), 'fluid')
    canvas.paint(canvas.ellipse((0, 1.75), (0.12, 0.12)), 'fluid')
  else:
    canvas.paint(canvas.ellipse((0, 2.75), (0.85, 0.45), 0, 0.1), 'fluid')
    canvas.paint(canvas.ellipse((0, -0.5), (0.2, 0.2)), 'vein')
