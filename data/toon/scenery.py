"""The things that stand in places; units are shares of the frame's side."""

import contextlib

import cv2
import numpy as np

from data.toon import palette, patterns
from data.toon.canvas import ellipse, smooth
from data.toon.shading import blob

SKIES = {'day': ((104, 176, 240), (206, 234, 252)), 'sunset': ((126, 92, 168), (255, 190, 126)),
         'night': ((18, 22, 58), (58, 66, 122))}
LEAF, TRUNK, WOOD = (92, 158, 88), (122, 88, 64), (176, 130, 88)


def box(x0, y0, x1, y1):
  """The corners of a rectangle."""
  return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


@contextlib.contextmanager
def own_light(canvas):
  """Inside, things shine by themselves: lamps, skies, windows."""
  light = canvas.light, canvas.light_share
  canvas.set_light((255, 255, 255), 0.0)
  yield
  canvas.set_light(*light)


def gradient(canvas, top, bottom):
  """The whole canvas from one colour to another, top to bottom."""
  ends = np.array([[canvas.paint(top)] * 2, [canvas.paint(bottom)] * 2], np.uint8)
  cv2.resize(ends, (canvas.side, canvas.side), dst=canvas.image, interpolation=cv2.INTER_LINEAR)


def sky(canvas, dice, scene, clouds=2):
  """Sky with clouds and sun, or with moon and stars."""
  with own_light(canvas):
    top, low = SKIES[scene.time]
    if scene.snow and scene.time == 'day':
      top, low = (176, 196, 220), (226, 234, 242)
    gradient(canvas, top, low)
    x, y = dice.between(0.1, 0.9), dice.between(0.06, 0.22)
    if scene.time == 'night':
      for _ in range(22):
        canvas.fill(ellipse(dice.between(0, 1), dice.between(0, 0.6), dice.between(0.003, 0.009)),
                    (255, 250, 220), 0)
      canvas.fill(ellipse(x, y, 0.07), (255, 244, 196), 0)
      canvas.fill(ellipse(x + 0.035, y - 0.015, 0.058), palette.mix(top, low, 0.15), 0)
      return
    if scene.time == 'sunset':
      canvas.fill(ellipse(x, 0.5, 0.13), (255, 226, 150), 0)
    elif dice.chance(0.4):
      canvas.fill(ellipse(x, y, 0.065), (255, 240, 170), 0)
    for _ in range(dice.count(0, clouds) + (clouds > 2)):
      _cloud(canvas, dice, palette.mix(low, (255, 255, 255), 0.75))


def _cloud(canvas, dice, colour):
  x, y, size = dice.between(0, 1), dice.between(0.05, 0.45), dice.between(0.6, 1.3)
  shapes = [ellipse(x + dx * size, y + dy * size, r * size, r * 0.8 * size) for dx, dy, r in (
      (-0.1, 0.02, 0.06), (-0.03, -0.02, 0.085), (0.06, 0.0, 0.07), (0.12, 0.025, 0.045))]
  canvas.group(shapes, colour, 0)


def window(canvas, dice, scene, x, y):
  """A window with the sky of the hour and two curtains."""
  wide, high = 0.34, 0.4
  curtain = dice.one_of(scene.palette)
  with own_light(canvas):
    top, low = SKIES[scene.time]
    canvas.fill(box(x, y, x + wide, y + high), palette.mix(top, low, 0.4), 0)
    if scene.time == 'night':
      for n in range(7):
        canvas.fill(ellipse(x + dice.between(0.03, wide), y + dice.between(0.02, 0.3),
                            0.004 + 0.001 * n), (255, 250, 220), 0)
      canvas.fill(ellipse(x + 0.24, y + 0.1, 0.04), (255, 244, 196), 0)
    else:
      canvas.fill(ellipse(x + 0.1, y + 0.14, 0.06, 0.035), palette.WHITE, 0)
      canvas.fill(ellipse(x + 0.16, y + 0.12, 0.05, 0.04), palette.WHITE, 0)
  for bar in ((x, y, x + wide, y), (x, y + high, x + wide, y + high), (x, y, x, y + high),
              (x + wide, y, x + wide, y + high), (x + wide / 2, y, x + wide / 2, y + high),
              (x, y + high / 2, x + wide, y + high / 2)):
    canvas.stroke([bar[:2], bar[2:]], palette.lighter(WOOD, 0.6), 0.016)
  for side, edge in ((1, x), (-1, x + wide)):
    canvas.fill(np.array([(edge - side * 0.06, y - 0.03), (edge + side * 0.09, y - 0.03),
                          (edge + side * 0.02, y + 0.25), (edge + side * 0.05, y + high + 0.05),
                          (edge - side * 0.06, y + high + 0.05)]), curtain)


def shelf(canvas, dice, scene, x, y):
  """A board with books in the colours of hair and clothes."""
  wide, place = 0.42, x + 0.01
  colours = scene.palette + tuple(palette.HAIR.values())
  while place < x + wide - 0.05:
    thick, high = dice.between(0.022, 0.045), dice.between(0.09, 0.15)
    canvas.fill(box(place, y - high, place + thick, y), dice.one_of(colours), 0.8)
    place += thick + (0.03 if dice.chance(0.15) else 0.002)
  canvas.fill(box(x, y, x + wide, y + 0.025), WOOD)


def poster(canvas, dice, scene, x, y):
  """A framed picture of a star, a heart or a hill."""
  wide, high = dice.between(0.12, 0.18), dice.between(0.15, 0.22)
  canvas.fill(box(x, y, x + wide, y + high), palette.lighter(dice.one_of(scene.palette), 0.5))
  shape = dice.one_of((patterns.STAR, patterns.HEART, ellipse(0, 0, 0.8)))
  canvas.fill(shape * wide * 0.32 + (x + wide / 2, y + high / 2), dice.one_of(scene.palette), 0.6)


def lamp(canvas, dice, scene, x):
  """A standing lamp."""
  canvas.fill(box(x - 0.008, 0.4, x + 0.008, 0.88), palette.INK, 0)
  with own_light(canvas):
    canvas.glow(x, 0.36, 0.2, (255, 236, 170), 0.6)
    canvas.fill(np.array([(x - 0.05, 0.28), (x + 0.05, 0.28), (x + 0.09, 0.42), (x - 0.09, 0.42)]),
                palette.lighter(dice.one_of(scene.palette), 0.3))


def plant(canvas, dice, scene, x):
  """A pot with leaves."""
  for n in (-2, -1, 0, 1, 2):
    canvas.fill(blob((x, 0.74), (x + 0.05 * n - 0.03, 0.6 + 0.02 * abs(n)),
                     (x + 0.09 * n, 0.5 + 0.05 * abs(n)), (x + 0.05 * n + 0.03, 0.62)), LEAF, 0.8)
  canvas.fill(np.array([(x - 0.06, 0.72), (x + 0.06, 0.72), (x + 0.045, 0.85), (x - 0.045, 0.85)]),
              dice.one_of(scene.palette))


def sofa(canvas, dice, scene, x):
  """A sofa with cushions."""
  colour = dice.one_of(scene.palette)
  canvas.fill(blob((x - 0.26, 0.58), (x + 0.26, 0.58), (x + 0.28, 0.8), (x - 0.28, 0.8)), colour)
  canvas.fill(blob((x - 0.3, 0.72), (x + 0.3, 0.72), (x + 0.3, 0.9), (x - 0.3, 0.9)),
              palette.lighter(colour, 0.15))
  for dx in (-0.15, 0.12):
    canvas.fill(ellipse(x + dx, 0.69, 0.07, 0.06, 20), dice.one_of(scene.palette))


def house(canvas, dice, scene, x, y, wide):
  """A house front with windows, lit at night, and perhaps an awning."""
  wall = palette.mix(dice.one_of(scene.palette), (222, 208, 196), 0.5)
  canvas.fill(box(x, y, x + wide, 1.0), wall, 0.7)
  columns = 3 if wide > 0.3 else 2
  lit = (255, 226, 130) if scene.time == 'night' else (176, 208, 232)
  for row in range(int((0.7 - y) / 0.13)):
    for column in range(columns):
      x0 = x + wide * (column + 0.25) / columns
      pane = box(x0, y + 0.05 + 0.13 * row, x0 + wide * 0.5 / columns, y + 0.13 + 0.13 * row)
      if scene.time == 'night' and dice.chance(0.6):
        with own_light(canvas):
          canvas.fill(pane, lit, 0)
      else:
        canvas.fill(pane, palette.darker((176, 208, 232), 0.1), 0)
  if dice.chance(0.5):
    canvas.fill(np.array([(x + 0.02, 0.66), (x + wide - 0.02, 0.66), (x + wide, 0.73),
                          (x, 0.73)]), dice.one_of(scene.palette), 0.7)
  if scene.snow:
    canvas.fill(box(x - 0.01, y - 0.025, x + wide + 0.01, y + 0.01), palette.WHITE, 0)


def street_lamp(canvas, dice, scene, x):
  """A lamp on a pole; it shines at night."""
  canvas.fill(box(x - 0.009, 0.3, x + 0.009, 0.9), (70, 74, 88), 0)
  with own_light(canvas):
    if scene.time == 'night':
      canvas.glow(x, 0.28, 0.22, (255, 230, 150), 0.7)
    canvas.fill(ellipse(x, 0.28, 0.032, 0.04), (255, 240, 190), 0.8)


def tree(canvas, dice, scene, x, y, size):
  """A leafy tree or a fir; white in snow."""
  leaf = (232, 238, 246) if scene.snow else palette.jitter(dice, LEAF, 24)
  leaf = palette.mix(leaf, dice.one_of(scene.palette), 0.12)
  canvas.fill(np.array([(x - 0.035 * size, y), (x + 0.035 * size, y), (x + 0.022 * size, y - 0.5),
                        (x - 0.022 * size, y - 0.5)]), TRUNK, 0.7)
  if dice.chance(0.35):
    for n in range(3):
      low, half = y - (0.14 + 0.14 * n) * size, (0.2 - 0.045 * n) * size
      canvas.fill(np.array([(x - half, low), (x, low - 0.26 * size), (x + half, low)]),
                  palette.darker(leaf, 0.1 * (2 - n)), 0.7)
    return
  crown = [ellipse(x + dx * size, y + dy * size, r * size) for dx, dy, r in (
      (-0.12, -0.45, 0.13), (0.12, -0.44, 0.13), (0.0, -0.56, 0.16))]
  canvas.group(crown, leaf, 0.8)
  canvas.fill(ellipse(x - 0.04 * size, y - 0.6 * size, 0.08 * size), palette.lighter(leaf, 0.2), 0)


def palm(canvas, dice, x, y):
  """A palm that leans towards the middle."""
  lean = 0.1 if x < 0.5 else -0.1
  trunk = smooth([(x, y), (x + lean * 0.3, y - 0.25), (x + lean, y - 0.5)], False)
  canvas.stroke(trunk, TRUNK, 0.035)
  top = np.array((x + lean, y - 0.5))
  for angle in (-170, -135, -90, -45, -10, 30, 150):
    a = np.deg2rad(angle + dice.between(-8, 8))
    tip = top + (0.22 * np.cos(a), 0.16 * np.sin(a) + 0.06)
    middle = (top + tip) / 2
    canvas.fill(blob(top, middle + (0.0, -0.05), tip, middle + (0.0, -0.005)), LEAF, 0.7)


def parasol(canvas, dice, scene, x, y):
  """A beach parasol in two colours."""
  one, two = dice.one_of(scene.palette), palette.WHITE
  canvas.stroke([(x, y), (x, y - 0.4)], (240, 240, 240), 0.014)
  dome = smooth([(x - 0.22, y - 0.32), (x - 0.13, y - 0.43), (x, y - 0.47), (x + 0.13, y - 0.43),
                 (x + 0.22, y - 0.32)], False)
  canvas.fill(dome, one)
  canvas.fill(np.array([(x, y - 0.465), (x + 0.07, y - 0.32), (x - 0.07, y - 0.32)]), two, 0)


def ball(canvas, dice, scene, x, y):
  """A beach ball."""
  canvas.fill(ellipse(x, y, 0.055), palette.WHITE)
  canvas.fill(blob((x - 0.05, y), (x, y - 0.05), (x + 0.02, y), (x, y + 0.05)),
              dice.one_of(scene.palette), 0)


def kite(canvas, colour, other, x, y, angle_deg):
  """A kite with a tail."""
  with canvas.local(x, y, angle_deg):
    canvas.stroke(smooth([(0, 0.07), (0.02, 0.13), (-0.02, 0.18), (0.01, 0.24)], False), other,
                  0.01)
    canvas.fill(np.array([(0, -0.08), (0.055, 0), (0, 0.08), (-0.055, 0)]), colour)
    canvas.fill(np.array([(0, -0.08), (0.055, 0), (0, 0)]), other, 0)
