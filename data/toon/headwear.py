"""Hats, animal ears, wings and ornaments, in head units."""

import numpy as np

from data.toon import palette
from data.toon.canvas import ellipse, smooth
from data.toon.shading import blob, mirrored, shaded

STRAW, FELT, PINK = (236, 204, 128), (66, 50, 96), (248, 180, 190)
CAT_EAR = np.array([(0.14, -0.54), (0.3, -0.72), (0.47, -0.86), (0.51, -0.6), (0.48, -0.3)])
RABBIT_EAR = blob((0.1, -0.5), (0.1, -0.8), (0.2, -1.12), (0.32, -1.14), (0.37, -0.85),
                  (0.3, -0.5))
WING = blob((0.2, 0.9), (0.55, 0.55), (1.0, 0.35), (1.4, 0.45), (1.3, 0.62), (1.34, 0.8),
            (1.15, 0.86), (1.14, 1.05), (0.92, 1.02), (0.86, 1.22), (0.62, 1.12), (0.3, 1.2))


def draw_behind(canvas, figure):
  """What is behind the body: wings."""
  if figure.wings:
    for side in (1, -1):
      shaded(canvas, mirrored(WING, side), (250, 250, 255), strength=0.14)
      for y in (0.62, 0.78, 0.94):
        arc = np.array([(0.45, y + 0.12), (0.8, y - 0.02), (1.12 - (y - 0.62) * 0.8, y)])
        canvas.crease(smooth(mirrored(arc, side), False), (230, 230, 245), 0.6)


def draw_ears(canvas, figure):
  """Animal ears, drawn before the cap of hair covers their roots."""
  fur = figure.hair_rgb if figure.ears != 'rabbit_ears' else (248, 244, 246)
  for side in (1, -1):
    if figure.ears == 'cat_ears':
      shaded(canvas, mirrored(CAT_EAR, side), fur)
      canvas.fill(mirrored((CAT_EAR - (0.37, -0.6)) * 0.58 + (0.38, -0.6), side), PINK, 0)
    elif figure.ears == 'rabbit_ears':
      shaded(canvas, mirrored(RABBIT_EAR, side), fur)
      canvas.fill(mirrored((RABBIT_EAR - (0.24, -0.8)) * (0.5, 0.8) + (0.24, -0.8), side), PINK, 0)
    elif figure.ears == 'bear_ears':
      canvas.fill(ellipse(side * 0.36, -0.55, 0.17), fur)
      canvas.fill(ellipse(side * 0.36, -0.55, 0.095), palette.mix(fur, PINK, 0.6), 0)


def draw_hat(canvas, figure):
  """A hat over the hair, or the ornament in it."""
  if figure.hat:
    HATS[figure.hat](canvas, figure)
  elif figure.ornament:
    ORNAMENTS[figure.ornament](canvas, figure)


def _straw_hat(canvas, figure):
  brim = ellipse(0, -0.33, 0.86, 0.17)
  shaded(canvas, brim, STRAW, (0, -0.05))
  dome = blob((-0.46, -0.36), (-0.42, -0.62), (-0.25, -0.78), (0, -0.82), (0.25, -0.78),
              (0.42, -0.62), (0.46, -0.36), (0, -0.27))
  shaded(canvas, dome, STRAW)
  band = blob((-0.465, -0.37), (-0.44, -0.51), (0, -0.43), (0.44, -0.51), (0.465, -0.37),
              (0, -0.27))
  canvas.fill(band, figure.colours[2], 0.7)
  for y in (-0.58, -0.68):
    canvas.crease(smooth([(-0.36, y), (0, y + 0.06), (0.36, y)], False), STRAW, 0.4)


def _baseball_cap(canvas, figure):
  colour = figure.colours[1]
  dome = blob((-0.51, -0.2), (-0.49, -0.48), (-0.3, -0.7), (0, -0.76), (0.3, -0.7), (0.49, -0.48),
              (0.51, -0.2), (0, -0.3))
  shaded(canvas, dome, colour)
  canvas.crease(smooth([(-0.2, -0.7), (-0.24, -0.5), (-0.22, -0.3)], False), colour)
  canvas.crease(smooth([(0.2, -0.7), (0.24, -0.5), (0.22, -0.3)], False), colour)
  canvas.fill(ellipse(0, -0.5, 0.12), palette.WHITE, 0.6)
  visor = blob((-0.5, -0.24), (0, -0.36), (0.5, -0.24), (0.5, -0.1), (0.26, -0.13), (0, -0.15),
               (-0.26, -0.13), (-0.5, -0.1))
  shaded(canvas, visor, palette.darker(colour, 0.2), (0, -0.05))
  canvas.fill(ellipse(0, -0.765, 0.05, 0.03), colour, 0.7)


def _witch_hat(canvas, figure):
  colour = palette.mix(FELT, figure.colours[2], 0.15)
  cone = blob((-0.48, -0.38), (-0.34, -0.72), (-0.18, -1.0), (0.06, -1.2), (0.36, -1.26),
              (0.22, -1.1), (0.28, -0.9), (0.38, -0.66), (0.48, -0.38), (0, -0.3))
  shaded(canvas, ellipse(0, -0.34, 0.94, 0.16, -4), colour, (0, -0.05))
  shaded(canvas, cone, colour)
  band = blob((-0.475, -0.4), (-0.43, -0.54), (0, -0.45), (0.43, -0.54), (0.475, -0.4), (0, -0.29))
  canvas.fill(band, figure.colours[2], 0.7)
  canvas.stroke(np.array([(-0.07, -0.43), (0.07, -0.43), (0.07, -0.32), (-0.07, -0.32)]),
                (250, 210, 90), 0.03, closed=True)


def _beanie(canvas, figure):
  colour = figure.colours[1]
  canvas.fill(ellipse(0, -0.82, 0.13), palette.lighter(colour, 0.5))
  dome = blob((-0.5, -0.26), (-0.47, -0.54), (-0.28, -0.74), (0, -0.8), (0.28, -0.74),
              (0.47, -0.54), (0.5, -0.26), (0, -0.34))
  shaded(canvas, dome, colour)
  rim = blob((-0.53, -0.16), (-0.52, -0.32), (0, -0.42), (0.52, -0.32), (0.53, -0.16), (0, -0.25))
  canvas.fill(rim, palette.lighter(colour, 0.25))
  for x in np.linspace(-0.42, 0.42, 7):
    canvas.crease([(x, -0.37 + 0.12 * x * x), (x, -0.25 + 0.12 * x * x)], colour, 0.4)


def _ribbon(canvas, figure):
  colour = figure.colours[2]
  with canvas.local(0.34, -0.5, 24, 1.15):
    for side in (1, -1):
      loop = mirrored(blob((0.03, 0), (0.16, -0.13), (0.29, -0.12), (0.3, 0.1), (0.18, 0.12)), side)
      shaded(canvas, loop, colour, strength=0.3)
      canvas.fill(mirrored(np.array([(0.02, 0.02), (0.14, 0.2), (0.2, 0.12)]), side), colour)
    canvas.fill(ellipse(0, 0, 0.06, 0.07), palette.lighter(colour, 0.15))


def _flower(canvas, figure):
  colour = palette.lighter(figure.colours[2], 0.25)
  with canvas.local(0.38, -0.34):
    petals = [ellipse(0.1 * np.cos(a), 0.1 * np.sin(a), 0.075) for a in np.arange(5) * 1.2566]
    canvas.group(petals, colour, 0.8)
    canvas.fill(ellipse(0, 0, 0.05), (252, 208, 70), 0.5)


def _hairband(canvas, figure):
  top = smooth([(-0.5, -0.16), (-0.43, -0.42), (-0.24, -0.6), (0, -0.66), (0.24, -0.6),
                (0.43, -0.42), (0.5, -0.16)], False)
  low = smooth([(0.43, -0.2), (0.35, -0.38), (0.2, -0.5), (0, -0.545), (-0.2, -0.5),
                (-0.35, -0.38), (-0.43, -0.2)], False)
  canvas.fill(np.concatenate([top, low]), figure.colours[2], 0.8)


HATS = {'straw_hat': _straw_hat, 'baseball_cap': _baseball_cap, 'witch_hat': _witch_hat,
        'beanie': _beanie}
ORNAMENTS = {'hair_ribbon': _ribbon, 'hair_flower': _flower, 'hairband': _hairband}
