"""A face: outline, eyes, brows, mouth, cheeks and glasses, in head units."""

import numpy as np

from data.toon import palette
from data.toon.canvas import ellipse, smooth
from data.toon.shading import blob, both_sides, mirrored

FACE = both_sides((0, -0.52), (0.22, -0.5), (0.39, -0.32), (0.43, -0.08), (0.4, 0.14),
                  (0.29, 0.34), (0.13, 0.46), (0, 0.495))
NECK_SHADE = blob((-0.14, 0.42), (0, 0.5), (0.14, 0.42), (0.15, 0.56), (0, 0.64), (-0.15, 0.56))
SCLERA = blob((-0.1, 0.0), (-0.075, -0.085), (0.0, -0.115), (0.075, -0.08), (0.1, 0.01),
              (0.06, 0.09), (0.0, 0.105), (-0.065, 0.09))
LASH = blob((-0.125, 0.0), (-0.085, -0.1), (0.0, -0.14), (0.09, -0.105), (0.135, -0.03),
            (0.1, -0.045), (0.06, -0.085), (0.0, -0.105), (-0.07, -0.075))
FLICK = np.array([(0.08, -0.09), (0.165, -0.075), (0.12, -0.01)])
EYE_X, EYE_Y = 0.205, 0.1
PINK, TEAR, TONGUE, MOUTH = (246, 112, 120), (120, 190, 250), (240, 120, 126), (132, 34, 48)


def draw_head(canvas, figure):
  """Ears and the blank face."""
  for side in (1, -1):
    canvas.fill(ellipse(side * 0.425, 0.14, 0.07, 0.1), figure.skin_rgb, 0.8)
  canvas.fill(FACE, figure.skin_rgb)


def draw_features(canvas, figure, fighting):
  """Everything on the face; `fighting` adds the plasters of a comic scuffle."""
  with canvas.local(0.07 * figure.turn, 0.0):
    if figure.blush:
      _blush(canvas, figure)
    for side in (1, -1):
      narrow = 1 - 0.16 * max(0.0, figure.turn * side)
      with canvas.local(side * EYE_X, EYE_Y, 0, canvas.style.eye):
        _eye(canvas, figure, side, narrow)
      _brow(canvas, figure, side)
    skin_line = palette.mix(palette.darker(figure.skin_rgb, 0.45), (180, 60, 50), 0.3)
    canvas.stroke([(0.02 * figure.turn, 0.2), (0.03 * figure.turn + 0.012, 0.235)], skin_line,
                  0.018)
    _mouth(canvas, figure)
    if figure.tears:
      _tears(canvas)
    if fighting:
      _plaster(canvas, 0.24, 0.28, 24)
      _plaster(canvas, -0.05, -0.02, -20)
    if figure.glasses:
      _glasses(canvas, figure)


def _eye(canvas, figure, side, narrow):
  dark = palette.mix(palette.darker(figure.hair_rgb, 0.7), palette.INK, 0.6)
  if figure.eyes_closed:
    bend = 0.06 if figure.mouth in ('smile', 'open_smile') else -0.05
    arc = [(-0.11, 0.03), (-0.06, 0.03 - 0.8 * bend), (0, 0.03 - bend), (0.06, 0.03 - 0.8 * bend),
           (0.11, 0.03)]
    canvas.stroke(smooth(arc, False), dark, 0.034)
    return
  eye = mirrored(SCLERA, side) * (narrow, 1)
  iris = palette.EYES[figure.eye_colour]
  canvas.fill(eye, (252, 250, 250), 0)
  if canvas.px_per_unit < 100 * canvas.side / 512:
    canvas.fill(ellipse(0, 0.0, 0.072, 0.1), iris, 0)
    canvas.fill(ellipse(0, -0.03, 0.058, 0.066), palette.darker(iris, 0.55), 0)
    canvas.fill(ellipse(-0.028, -0.045, 0.026, 0.03), palette.WHITE, 0)
    canvas.fill(mirrored(LASH, side) * (narrow, 1), dark, 0)
    return
  with canvas.inside(eye):
    canvas.fill(ellipse(0, 0.0, 0.074, 0.104), palette.darker(iris, 0.5), 0)
    canvas.fill(ellipse(0, 0.012, 0.062, 0.09), iris, 0)
    canvas.fill(ellipse(0, -0.05, 0.066, 0.06), palette.darker(iris, 0.38), 0)
    canvas.fill(ellipse(0, 0.06, 0.04, 0.03), palette.lighter(iris, 0.5), 0)
    canvas.fill(ellipse(0, 0.0, 0.03, 0.046), palette.darker(iris, 0.75), 0)
  canvas.fill(ellipse(-0.028, -0.045, 0.026, 0.03), palette.WHITE, 0)
  canvas.fill(ellipse(0.034, 0.04, 0.012), palette.WHITE, 0)
  canvas.fill(mirrored(LASH, side) * (narrow, 1), dark, 0)
  if figure.gender == 'girl':
    canvas.fill(mirrored(FLICK, side) * (narrow, 1), dark, 0)


def _brow(canvas, figure, side):
  colour = palette.darker(figure.hair_rgb, 0.45)
  inner, outer = {'frown': (-0.09, -0.15), 'open': (-0.2, -0.17)}.get(figure.mouth,
                                                                     (-0.14, -0.12))
  arc = [(side * 0.1, inner), (side * 0.2, min(inner, outer) - 0.025), (side * 0.3, outer)]
  canvas.stroke(smooth(arc, False), colour, 0.024 if figure.gender == 'girl' else 0.034)


def _mouth(canvas, figure):
  line = palette.mix(MOUTH, palette.INK, 0.3)
  y = 0.325
  if figure.mouth == 'open_smile':
    shape = blob((-0.1, y - 0.02), (0, y), (0.1, y - 0.02), (0.07, y + 0.07), (0, y + 0.1),
                 (-0.07, y + 0.07))
    canvas.fill(shape, MOUTH, 0.6)
    with canvas.inside(shape):
      canvas.fill(ellipse(0, y + 0.1, 0.06, 0.05), TONGUE, 0)
      canvas.fill(ellipse(0, y - 0.025, 0.075, 0.035), palette.WHITE, 0)
  elif figure.mouth == 'open':
    canvas.fill(ellipse(0, y + 0.02, 0.045, 0.06), MOUTH, 0.6)
    canvas.fill(ellipse(0, y + 0.05, 0.028, 0.022), TONGUE, 0)
  else:
    bend, half = {'smile': (0.055, 0.1), 'frown': (-0.045, 0.07)}.get(figure.mouth, (0.004, 0.05))
    arc = [(-half, y - bend / 2), (-half / 2, y + bend / 3), (0, y + bend / 2),
           (half / 2, y + bend / 3), (half, y - bend / 2)]
    canvas.stroke(smooth(arc, False), line, 0.026)


def _blush(canvas, figure):
  colour = palette.mix(figure.skin_rgb, PINK, 0.5)
  for side in (1, -1):
    canvas.fill(ellipse(side * 0.27, 0.255, 0.1, 0.055), palette.mix(figure.skin_rgb, PINK, 0.25),
                0)
    canvas.fill(ellipse(side * 0.27, 0.255, 0.075, 0.038), colour, 0)
    for step in (-0.035, 0.0, 0.035):
      x = side * 0.27 + step
      canvas.stroke([(x + 0.012, 0.235), (x - 0.012, 0.275)], PINK, 0.012)


def _tears(canvas):
  for side in (1, -1):
    x = side * 0.23
    drop = blob((x, 0.2), (x + 0.035, 0.28), (x + 0.03, 0.345), (x, 0.37), (x - 0.03, 0.345),
                (x - 0.035, 0.28))
    canvas.fill(drop, TEAR, 0.6)
    canvas.fill(ellipse(x - 0.01, 0.31, 0.01, 0.02), palette.WHITE, 0)


def _plaster(canvas, x, y, angle_deg):
  with canvas.local(x, y, angle_deg):
    strip = blob((-0.11, -0.035), (0.11, -0.035), (0.125, 0), (0.11, 0.035), (-0.11, 0.035),
                 (-0.125, 0))
    canvas.fill(strip, (236, 188, 130), 0.7)
    canvas.fill(ellipse(0, 0, 0.035), (250, 222, 184), 0)


def _glasses(canvas, figure):
  colour = figure.colours[2] if palette.brightness(figure.colours[2]) < 130 else palette.INK
  for side in (1, -1):
    x = side * EYE_X
    rim = blob((x - 0.14, 0.0), (x, -0.05), (x + 0.14, 0.0), (x + 0.145, 0.14), (x, 0.24),
               (x - 0.145, 0.14))
    canvas.stroke(rim, colour, 0.026, closed=True)
    canvas.stroke([(x - 0.05, 0.02), (x - 0.09, 0.1)], palette.WHITE, 0.016)
  canvas.stroke([(-0.065, 0.07), (0, 0.05), (0.065, 0.07)], colour, 0.024)
