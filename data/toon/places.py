"""Plain and patterned grounds, a room, a city, a forest, a beach, the sky."""

import numpy as np

from data.toon import palette, patterns, scenery
from data.toon.canvas import ellipse
from data.toon.scenery import box
from data.toon.shading import blob

SAND, SEA, GRASS, BOARDS = (246, 222, 168), (74, 164, 214), (128, 190, 96), (128, 92, 66)


def thing_colour(dice, scene):
  """A colour of this picture's palette, or of somebody's hair: it gives nothing away."""
  return dice.one_of(scene.palette + tuple(palette.HAIR.values()))


def _plain(canvas, dice, scene):
  base = palette.lighter(dice.one_of(scene.palette), dice.between(0.45, 0.85))
  kind = dice.count(0, 4)
  if kind == 0:
    base = palette.WHITE
  canvas.fill(box(-1, -1, 2, 2), base, 0)
  if kind == 1:
    scenery.gradient(canvas, palette.lighter(base, 0.4), palette.darker(base, 0.2))
  elif kind == 2:
    x, y = dice.between(0.35, 0.65), dice.between(0.35, 0.6)
    canvas.fill(ellipse(x, y, 0.42), palette.mix(base, thing_colour(dice, scene), 0.45), 0)
  elif kind == 3:
    canvas.fill(np.array([(-1, 0.2), (2, 0.75), (2, 2), (-1, 2)]),
                palette.mix(base, thing_colour(dice, scene), 0.4), 0)


def _pattern(canvas, dice, scene):
  base = palette.lighter(dice.one_of(scene.palette), dice.between(0.1, 0.6))
  colour = palette.mix(base, thing_colour(dice, scene), 0.55)
  canvas.fill(box(-1, -1, 2, 2), base, 0)
  kind, step = dice.count(0, 4), dice.between(0.12, 0.2)
  if kind == 0:
    for n in np.arange(-0.6, 1.6, step):
      canvas.fill(np.array([(n, -0.5), (n + step / 2, -0.5), (n + step / 2 - 0.4, 1.5),
                            (n - 0.4, 1.5)]), colour, 0)
  elif kind == 1:
    rays = np.arange(0, 2 * np.pi, np.pi / 8)
    for angle in rays:
      ends = [(0.5 + 1.5 * np.cos(angle + d), 0.5 + 1.5 * np.sin(angle + d)) for d in (0, 0.2)]
      canvas.fill(np.array([(0.5, 0.5), *ends]), colour, 0)
  else:
    shape = (ellipse(0, 0, 1), patterns.STAR * 1.3, patterns.HEART * 1.2)[kind - 2]
    for row, y in enumerate(np.arange(-0.1, 1.15, step)):
      for x in np.arange(-0.1 + (row % 2) * step / 2, 1.15, step):
        canvas.fill(shape * step * 0.26 + (x, y), colour, 0)


def _room(canvas, dice, scene):
  wall = palette.lighter(dice.one_of(scene.palette), dice.between(0.3, 0.75))
  floor = palette.mix(BOARDS, dice.one_of(scene.palette), 0.3)
  canvas.fill(box(-1, -1, 2, 2), wall, 0)
  if dice.chance(0.5):
    for x in np.arange(-0.3, 1.4, 0.16):
      canvas.fill(box(x, -0.4, x + 0.06, 0.8), palette.lighter(wall, 0.25), 0)
  canvas.fill(box(-1, 0.78, 2, 2), floor, 0)
  canvas.fill(box(-1, 0.765, 2, 0.79), palette.lighter(floor, 0.5), 0)
  if dice.chance(0.7):
    scenery.window(canvas, dice, scene, dice.between(0.0, 0.66), 0.1)
  if dice.chance(0.75):
    scenery.shelf(canvas, dice, scene, dice.between(-0.05, 0.65), dice.between(0.12, 0.5))
  for _ in range(dice.count(0, 2)):
    scenery.poster(canvas, dice, scene, dice.between(0.0, 0.85), dice.between(0.05, 0.4))
  for furniture in (scenery.lamp, scenery.plant, scenery.sofa):
    if dice.chance(0.4):
      furniture(canvas, dice, scene, dice.one_of((0.08, 0.2, 0.8, 0.92)))


def _city(canvas, dice, scene):
  scenery.sky(canvas, dice, scene)
  far = palette.mix((150, 168, 200), dice.one_of(scene.palette), 0.2)
  x = -0.4
  while x < 1.4:
    wide = dice.between(0.1, 0.2)
    canvas.fill(box(x, dice.between(0.22, 0.5), x + wide, 1.0), far, 0)
    x += wide
  x = -0.4
  while x < 1.4:
    wide = dice.between(0.24, 0.4)
    if dice.chance(0.75):
      scenery.house(canvas, dice, scene, x, dice.between(0.05, 0.45), wide)
    x += wide
  ground = (236, 240, 248) if scene.snow else (132, 134, 146)
  canvas.fill(box(-1, 0.86, 2, 2), ground, 0)
  canvas.fill(box(-1, 0.86, 2, 0.885), palette.lighter(ground, 0.4), 0)
  for _ in range(dice.count(0, 2)):
    scenery.street_lamp(canvas, dice, scene, dice.between(0.02, 0.98))
  if dice.chance(0.4):
    scenery.tree(canvas, dice, scene, dice.one_of((0.06, 0.94)), 0.9, 0.75)


def _forest(canvas, dice, scene):
  scenery.sky(canvas, dice, scene)
  snow = scene.snow
  for depth in (0, 1):
    colour = palette.mix((112, 168, 120), (190, 214, 200), 0.5 - 0.4 * depth)
    colour = (226, 234, 242) if snow else colour
    for x in np.arange(-0.3, 1.4, 0.17):
      canvas.fill(ellipse(x + dice.between(-0.05, 0.05), 0.62 + 0.1 * depth,
                          dice.between(0.14, 0.22)), palette.darker(colour, 0.08 * depth), 0)
  ground = (240, 244, 250) if snow else palette.mix(GRASS, dice.one_of(scene.palette), 0.12)
  canvas.fill(blob((-0.6, 0.84), (0.2, 0.78), (0.8, 0.82), (1.6, 0.78), (1.6, 2), (-0.6, 2)),
              ground, 0)
  for _ in range(dice.count(3, 5)):
    x = dice.between(0, 0.36)
    scenery.tree(canvas, dice, scene, x if dice.chance(0.5) else 1 - x, dice.between(0.82, 0.95),
                 dice.between(0.8, 1.25))
  for _ in range(dice.count(2, 7)):
    x, y = dice.between(0, 1), dice.between(0.86, 0.99)
    canvas.fill(ellipse(x, y, 0.02, 0.016), thing_colour(dice, scene), 0)
    canvas.fill(ellipse(x, y, 0.007), palette.WHITE, 0)


def _beach(canvas, dice, scene):
  scenery.sky(canvas, dice, scene)
  horizon = dice.between(0.4, 0.56)
  canvas.fill(box(-1, horizon, 2, 2), SEA, 0)
  for n in range(3):
    y = horizon + 0.03 + 0.06 * n
    wave = blob((-0.3, y), (0.2, y - 0.008), (0.6, y + 0.006), (1.3, y), (1.3, y + 0.012),
                (0.5, y + 0.02), (-0.3, y + 0.012))
    canvas.fill(wave, palette.lighter(SEA, 0.5), 0)
  if dice.chance(0.4):
    x = dice.between(0.1, 0.9)
    canvas.fill(np.array([(x, horizon - 0.14), (x + 0.09, horizon - 0.01), (x, horizon - 0.01)]),
                palette.WHITE, 0.7)
    canvas.fill(np.array([(x - 0.06, horizon), (x + 0.1, horizon), (x + 0.06, horizon + 0.03),
                          (x - 0.03, horizon + 0.03)]), thing_colour(dice, scene), 0.7)
  shore = horizon + 0.22
  edge = [(-0.5, shore), (0.1, shore - 0.03), (0.5, shore + 0.02), (0.9, shore - 0.02),
          (1.5, shore + 0.01), (1.5, 2.0), (-0.5, 2.0)]
  canvas.fill(blob(*edge), palette.lighter(SEA, 0.75), 0)
  canvas.fill(blob(*[(x, y + 0.03) for x, y in edge]), SAND, 0)
  if dice.chance(0.5):
    scenery.palm(canvas, dice, dice.one_of((0.08, 0.92)), shore + 0.1)
  if dice.chance(0.5):
    scenery.parasol(canvas, dice, scene, dice.one_of((0.14, 0.86)), shore + 0.16)
  if dice.chance(0.5):
    scenery.ball(canvas, dice, scene, dice.between(0.05, 0.95), dice.between(0.86, 0.95))
  for _ in range(dice.count(0, 4)):
    canvas.fill(patterns.STAR * 0.022 + (dice.between(0, 1), dice.between(shore + 0.1, 1)),
                thing_colour(dice, scene), 0.5)


def _sky(canvas, dice, scene):
  scenery.sky(canvas, dice, scene, clouds=4)
  if dice.chance(0.25) and scene.time == 'day':
    for n, colour in enumerate(((236, 110, 110), (250, 206, 100), (120, 200, 130),
                                (110, 160, 230))):
      arc = ellipse(0.5, 0.95, 0.72 - 0.045 * n, 0.7 - 0.045 * n)
      canvas.stroke(arc, colour, 0.045, closed=True)
  hill = palette.mix(GRASS, dice.one_of(scene.palette), 0.15)
  canvas.fill(blob((-0.5, 0.86), (0.1, 0.78), (0.6, 0.88), (1.5, 0.76), (1.5, 2), (-0.5, 2)), hill,
              0)
  for _ in range(dice.count(0, 3)):
    scenery.kite(canvas, thing_colour(dice, scene), thing_colour(dice, scene),
                 dice.between(0.05, 0.95), dice.between(0.08, 0.5), dice.between(-40, 40))


PLACES = {'plain': _plain, 'pattern': _pattern, 'room': _room, 'city': _city, 'forest': _forest,
          'beach': _beach, 'sky': _sky}
