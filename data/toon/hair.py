"""Hair: what falls behind, the cap with its bangs, tails, buns, braids; in head units."""

import math

import numpy as np

from data.toon import palette
from data.toon.canvas import ellipse, smooth
from data.toon.shading import blob, both_sides, mirrored, shaded

CROWN = [(0.5, 0.0), (0.485, -0.22), (0.4, -0.44), (0.22, -0.58), (0.0, -0.625), (-0.22, -0.58),
         (-0.4, -0.44), (-0.485, -0.22), (-0.5, 0.0)]
BOB = both_sides((0, -0.6), (0.32, -0.54), (0.5, -0.28), (0.55, 0.08), (0.53, 0.36), (0.4, 0.5),
                 (0.2, 0.44), (0, 0.5))
CROP = both_sides((0, -0.6), (0.32, -0.54), (0.49, -0.28), (0.5, 0.05), (0.42, 0.3), (0.2, 0.3),
                  (0, 0.3))
TWINTAIL = blob((0.4, -0.34), (0.58, -0.46), (0.8, -0.28), (0.9, 0.2), (0.86, 0.75), (0.72, 1.2),
                (0.66, 0.85), (0.6, 1.0), (0.58, 0.4), (0.52, -0.05))
PONYTAIL = blob((0.05, -0.5), (0.3, -0.78), (0.66, -0.66), (0.88, -0.2), (0.9, 0.35), (0.74, 0.95),
                (0.72, 0.5), (0.6, 0.72), (0.56, 0.15), (0.4, -0.25))
# Bangs: per style, the tips from right to left, (x, y) and the height of the notch after each.
BANGS = {
    'straight': ((0.3, -0.02, -0.1), (0.15, 0.0, -0.1), (0.0, 0.01, -0.1), (-0.15, 0.0, -0.1),
                 (-0.3, -0.02, -0.12)),
    'swept': ((0.26, -0.13, -0.24), (0.08, -0.06, -0.2), (-0.12, 0.0, -0.14),
              (-0.3, 0.08, -0.12)),
    'parted': ((0.37, 0.08, -0.16), (0.27, -0.04, -0.36), (-0.27, -0.04, -0.2),
               (-0.37, 0.08, -0.12)),
    'messy': ((0.34, 0.04, -0.2), (0.17, -0.06, -0.22), (0.02, 0.05, -0.2), (-0.17, -0.05, -0.2),
              (-0.28, 0.06, -0.16)),
}


def draw_back_hair(canvas, dice, figure):
  """What hangs behind the head and the body."""
  colour = palette.darker(figure.hair_rgb, 0.16)
  tie = figure.hair_tie
  if tie == 'twintails':
    for side in (1, -1):
      _tail(canvas, mirrored(TWINTAIL, side), figure, (side * 0.47, -0.32))
  elif tie == 'ponytail':
    _tail(canvas, PONYTAIL, figure, (0.3, -0.6))
  elif tie == 'hair_bun':
    for x in (0.0,) if figure.bangs in ('swept', 'straight') else (0.38, -0.38):
      bun = ellipse(x, -0.66 if x == 0 else -0.55, 0.2)
      shaded(canvas, bun, figure.hair_rgb)
      canvas.crease(smooth([(x - 0.1, -0.62), (x, -0.7), (x + 0.1, -0.64)], False),
                    figure.hair_rgb)
  if figure.hair_length == 'long' and not tie:
    _long_fall(canvas, dice, figure, colour)
  elif figure.spiky:
    canvas.fill(_spikes(dice), colour)
  elif figure.gender == 'boy':
    canvas.fill(CROP, colour)
  else:
    canvas.fill(BOB, colour)


def _long_fall(canvas, dice, figure, colour):
  length = 1.55 + dice.between(-0.15, 0.25)
  right = [(0.5, -0.26), (0.56, 0.15), (0.6, 0.7), (0.64, length - 0.25)]
  tips = [(0.56, length), (0.4, length - 0.12), (0.28, length + 0.06), (0.1, length - 0.08),
          (0, length + 0.02), (-0.1, length - 0.08), (-0.28, length + 0.06), (-0.4, length - 0.12),
          (-0.56, length)]
  left = [(-x, y) for x, y in reversed(right)]
  shape = smooth([(0, -0.6), (0.32, -0.53)] + right + tips + left + [(-0.32, -0.53)])
  canvas.fill(shape, colour)
  for x in (0.53, -0.53):
    canvas.crease(smooth([(x * 0.93, 0.3), (x * 1.03, 0.8), (x * 0.9, length - 0.2)], False),
                  colour)


def _tail(canvas, shape, figure, tie):
  shaded(canvas, shape, figure.hair_rgb, strength=0.18)
  middle = shape.mean(0)
  canvas.crease(smooth([tie, (middle + tie) / 2 + (0.06 * np.sign(tie[0]), 0), middle], False),
                figure.hair_rgb)
  canvas.fill(ellipse(*tie, 0.075), figure.colours[2], 0.8)


def _spikes(dice):
  """Seven broad strands around the head, every one bent a little."""
  points = []
  for step in range(8):
    notch = math.radians(214 - step * 248 / 7)
    points.append((0.5 * math.cos(notch), -0.06 - 0.5 * math.sin(notch)))
    if step < 7:
      tip = notch - math.radians(22 if step < 3 else 13)
      radius = 0.8 + dice.between(-0.06, 0.05)
      points.append((radius * 0.92 * math.cos(tip), -0.04 - radius * math.sin(tip)))
  return np.array(points)


def draw_front_hair(canvas, dice, figure):
  """The cap, the bangs and what lies over the shoulders."""
  colour = figure.hair_rgb
  shape = _cap(dice, figure)
  shaded(canvas, shape, colour, (-0.02, -0.07), strength=0.2)
  if canvas.style.shading != 'hatch':
    _shine(canvas, colour)
  for x in (-0.16, 0.12, 0.3):
    canvas.crease(smooth([(x * 0.4, -0.56), (x * 0.8, -0.42), (x, -0.28)], False), colour, 0.4)
  if figure.ahoge:
    canvas.fill(blob((-0.03, -0.58), (0.0, -0.76), (0.14, -0.9), (0.27, -0.84), (0.16, -0.8),
                     (0.09, -0.7), (0.06, -0.58)), colour)


def draw_braid(canvas, figure):
  """A braid over one shoulder; drawn over the body."""
  if figure.hair_tie != 'braid':
    return
  for step in range(6):
    x, y = 0.47 + 0.015 * step, 0.34 + 0.155 * step
    shape = ellipse(x, y, 0.12 - 0.006 * step, 0.095, 28 if step % 2 else -28)
    shaded(canvas, shape, figure.hair_rgb, strength=0.18)
  canvas.fill(ellipse(0.56, 1.25, 0.06, 0.045), figure.colours[2], 0.8)
  canvas.fill(blob((0.52, 1.28), (0.6, 1.28), (0.62, 1.42), (0.56, 1.5), (0.51, 1.42)),
              figure.hair_rgb)


def _cap(dice, figure):
  """The outline of cap and bangs: crown, then a zigzag of strands from right to left."""
  lock = 0.46 if figure.hair_length == 'long' or figure.gender == 'girl' else 0.16
  if figure.spiky:
    lock = 0.2
  flip = -1 if dice.chance(0.5) and figure.bangs == 'swept' else 1
  points = [*smooth(CROWN[::-1], False), (0.48, lock * 0.7), (0.43, lock), (0.395, lock * 0.4),
            (0.39, -0.12)]
  tips = [(x * flip, y, notch) for x, y, notch in BANGS[figure.bangs]]
  tips.sort(key=lambda tip: -tip[0])
  start = (0.36, -0.18)
  for number, (x, y, notch) in enumerate(tips):
    x, y = x + dice.between(-0.02, 0.02), y + dice.between(-0.03, 0.03)
    following = tips[number + 1][0] if number + 1 < len(tips) else -0.36
    end = ((x + following) / 2, notch)
    points += [start, _bulge(start, (x, y), 0.6), (x, y), _bulge(end, (x, y), 0.6)]
    start = end
  points += [start, (-0.39, -0.12), (-0.395, lock * 0.4), (-0.43, lock), (-0.48, lock * 0.7)]
  return np.array(points)


def _bulge(root, tip, share):
  return (root[0] + (tip[0] - root[0]) * (1 - share) * 0.8, root[1] + (tip[1] - root[1]) * share)


def _shine(canvas, colour):
  top = smooth([(-0.37, -0.24), (-0.27, -0.4), (0.0, -0.475), (0.27, -0.4), (0.37, -0.24)], False)
  low = np.array([(0.3, -0.29), (0.24, -0.35), (0.18, -0.33), (0.1, -0.405), (0.02, -0.37),
                  (-0.06, -0.41), (-0.14, -0.35), (-0.22, -0.36), (-0.3, -0.29)])
  canvas.fill(np.concatenate([top, low]), palette.lighter(colour, 0.38), 0)
