"""What lies between the lungs: heart and great vessels, gullet, spine; and what is below."""

import math

from data.phantom import bronchi


def draw_mediastinum(canvas, dice, chest, height) -> None:
  """Draws heart, vessels and airways of a height; below, liver, stomach and spleen."""
  back = chest.cage_depth_at(height)
  rough = 0.3 * canvas.field(2.2)
  front = -back * (0.93 if height > 0.5 else 0.8)
  canvas.paint(canvas.capsule((0.2, front), (0.2, back * 0.5), 0.45, 0.1), 'fat')
  canvas.paint(canvas.ellipse((0.2, front), (3.4, 1.3), 0, 0.2, rough), 'fat')
  canvas.paint(canvas.ellipse((0.2, -back * 0.45), (2.1, back * 0.5), 0, 0.1, rough), 'fat')
  wide = 2.6 + 0.9 * math.exp(-((height - 0.6) / 0.15)**2)
  canvas.paint(canvas.ellipse((0.2, 0.3), (wide, back * 0.62), 0, 0.1, rough), 'fat')
  if height < 0.56:
    _heart(canvas, dice, chest, height, rough)
  if height > 0.46:
    _great_vessels(canvas, dice, chest, height)
  _nodes(canvas, dice, height)
  bronchi.draw_airways(canvas, dice, height)
  _aorta(canvas, dice, chest, height, back)
  canvas.paint(canvas.ellipse((0.5, back * 0.42), (0.95, 0.62), dice.between(-20, 20), 0.1),
               'muscle')
  if dice.chance(0.4):
    canvas.paint(canvas.ellipse((0.5, back * 0.42), (0.3, 0.2), 0, 0.1), 'air')
  if height < 0.2:
    _below(canvas, dice, chest, height)


def _nodes(canvas, dice, height):
  for _ in range(5 if height > 0.5 else 0):
    place = dice.between(-2.4, 2.6), dice.between(-2.5, 1.6)
    size = dice.between(0.25, 0.5)
    node = canvas.ellipse(place, (size, size * 0.7), dice.between(0, 180), 0.15)
    canvas.paint(node, 'muscle', 0.7)


def _heart(canvas, dice, chest, height, rough):
  """Four chambers in a sack with fat; higher up, the atria and the roots of the vessels."""
  size = chest.heart * math.sqrt(max(0.2, 1 - ((height - 0.24) / 0.40)**2))
  middle, turn = (2.3, -2.4), chest.heart_turn
  radii = 5.6 * size * chest.heart_long, 4.2 * size / chest.heart_long
  sack = radii[0] + 0.5, radii[1] + 0.5
  canvas.paint(canvas.ellipse(middle, sack, turn, 0.1, 0.6 * rough), 'fat')
  canvas.paint(canvas.ellipse(middle, radii, turn, 0.1, 0.4 * rough), 'heart')

  cos, sin = math.cos(math.radians(turn - 34)), math.sin(math.radians(turn - 34))

  def inside(x, y):
    return (middle[0] + (x * cos - y * sin) * size, middle[1] + (y * cos + x * sin) * size)

  def chamber(x, y, across, along, lean, strength=1.0):
    shape = canvas.ellipse(inside(x, y), (across * size, along * size), turn + lean, 0.25,
                           0.4 * rough)
    canvas.paint(shape, 'vessel', strength)

  chamber(2.0, 0.9, 2.4, 1.25, 2)                 # left ventricle
  chamber(0.2, -1.8, 2.7, 1.05, -8, 0.92)         # right ventricle
  chamber(-3.3, -0.3, 1.3, 1.8, -22, 0.9)         # right atrium
  if height > 0.2:
    chamber(-1.6, 2.4, 2.4, 1.3, -28)             # left atrium
  for start, end, wide in (((-2.6, -2.4), (-1.7, -1.1), 0.2), ((3.2, -1.5), (4.3, 0.1), 0.14)):
    if dice.chance(0.6):
      canvas.paint(canvas.capsule(inside(*start), inside(*end), wide, 0.25), 'fat', 0.6)


def _great_vessels(canvas, dice, chest, height):
  v = chest.vessel

  def disc(x, y, size, tissue='vessel'):
    canvas.paint(canvas.ellipse((x, y), (size * v, size * v * 0.94), 0, 0.08), tissue)

  if height < 0.72:
    disc(-1.1, -2.6, 1.65)                          # ascending aorta
    disc(-3.0, -1.5, 0.95)                          # upper vena cava
    if height < 0.66:                               # pulmonary trunk and its fork
      canvas.paint(canvas.capsule((1.9, -3.0), (2.9, -0.7), 1.25 * v, 0.08), 'vessel')
      if height > 0.52:
        canvas.paint(canvas.capsule((2.2, -0.8), (-3.4, 0.2), 0.85 * v, 0.08), 'vessel')
        canvas.paint(canvas.capsule((2.9, -0.7), (4.3, 0.6), 0.85 * v, 0.08), 'vessel')
  elif height < 0.83:
    canvas.paint(canvas.capsule((-1.0, -2.6), (2.0, 1.9), 1.3 * v, 0.08), 'vessel')
    disc(-2.9, -1.9, 0.9)
  else:                                             # branches to the head and arms
    for x, y, size in ((-1.2, -1.4, 0.68), (1.4, -1.0, 0.5), (2.3, 0.5, 0.55), (-2.6, -2.2, 0.75),
                       (2.6, -2.3, 0.7)):
      disc(x + dice.between(-0.2, 0.2), y + dice.between(-0.2, 0.2), size)
    if height > 0.93:
      for side in (-1, 1):
        canvas.paint(canvas.ellipse((side * 1.9, 0.0), (0.9, 1.5), 0, 0.1), 'liver')


def _aorta(canvas, dice, chest, height, back):
  if height > 0.8:
    return
  place = 2.3 - 0.9 * (0.7 - height), back * 0.55 - 0.2
  size = 1.2 * chest.vessel
  canvas.paint(canvas.ellipse(place, (size + 0.14, size + 0.14), 0, 0.1), 'fat')
  canvas.paint(canvas.ellipse(place, (size, size), 0, 0.08), 'vessel')
  if chest.calcium:
    turn = dice.between(0, 6.28)
    spot = place[0] + size * math.cos(turn), place[1] + size * math.sin(turn)
    canvas.paint(canvas.ellipse(spot, (0.22, 0.14), math.degrees(turn) + 90), 'cortical', 0.8)


def _below(canvas, dice, chest, height):
  """The dome of the liver on the right, stomach and spleen on the left."""
  up = (0.2 - height) / 0.2
  size = 0.35 + 0.65 * math.sqrt(up)
  place = -chest.cage_width * 0.46, -0.2
  radii = chest.cage_width * 0.5 * size, chest.cage_depth * 0.82 * size
  canvas.paint(canvas.ellipse(place, radii, 8, 0.15, 0.2 * canvas.field(3)), 'liver')
  for _ in range(4):
    spot = (place[0] + radii[0] * dice.between(-0.6, 0.6),
            place[1] + radii[1] * dice.between(-0.6, 0.6))
    canvas.paint(canvas.ellipse(spot, (0.7, 0.22), dice.between(0, 180), 0.2), 'vessel', 0.5 * up)
  if up > 0.35:
    place = chest.cage_width * 0.62, chest.cage_depth * 0.42
    canvas.paint(canvas.ellipse(place, (3.3 * up, 4.2 * up), -30, 0.15), 'spleen')
    place = chest.cage_width * 0.5, -chest.cage_depth * 0.2
    canvas.paint(canvas.ellipse(place, (3.4 * up, 2.8 * up), 20, 0.1), 'muscle')
    canvas.paint(canvas.ellipse((place[0], place[1] - 0.6), (2.8 * up, 1.7 * up), 0, 0.1), 'air',
                 0.97)


def draw_spine(canvas, dice, chest, height) -> None:
  """A vertebra with its canal, arch and processes, and the heads of two ribs."""
  y, size = chest.cage_depth_at(height) * 0.75, 1.0 - 0.18 * height
  canvas.paint(canvas.ellipse((0, y + 1.4), (2.9, 3.6), 0, 0.2), 'muscle')
  wings = dice.chance(0.7)
  for side in (-1, 1):
    if wings:
      canvas.paint(canvas.capsule((side * 1.2, y + 2.1), (side * 3.0, y + 3.0), 0.36), 'cortical')
      canvas.paint(canvas.capsule((side * 1.2, y + 2.1), (side * 2.9, y + 2.9), 0.16), 'spongy')
      canvas.paint(canvas.capsule((side * 2.1, y + 0.9), (side * 4.6, y + 2.1), 0.4), 'cortical')
      canvas.paint(canvas.capsule((side * 2.1, y + 0.9), (side * 4.6, y + 2.1), 0.2), 'spongy')
    canvas.paint(canvas.capsule((side * 1.1, y + 0.9), (side * 1.15, y + 2.3), 0.34), 'cortical')
  radii = 1.85 * size, 1.45 * size
  canvas.paint(canvas.ellipse((0, y), radii, 0, 0, 0.05 * canvas.grain), 'cortical')
  canvas.paint(canvas.ellipse((0, y), (radii[0] - 0.16, radii[1] - 0.16), 0, 0.1), 'spongy')
  canal = y + radii[1] + 0.55
  for side in (-1, 1):
    canvas.paint(canvas.capsule((side * 1.05, canal + 0.6), (0, canal + 1.3), 0.3), 'cortical')
  canvas.paint(canvas.capsule((0, canal + 1.2), (dice.between(-0.2, 0.2), canal + 2.5), 0.26),
               'cortical')
  canvas.paint(canvas.ellipse((0, canal), (0.92, 0.8)), 'fat')
  canvas.paint(canvas.ellipse((0, canal), (0.78, 0.68)), 'fluid')
  canvas.paint(canvas.ellipse((0, canal), (0.48, 0.38)), 'cord')
