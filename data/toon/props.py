"""What figures hold, and the marks of a comic scuffle; in head units."""

import numpy as np

from data.toon import palette, patterns, skeleton
from data.toon.canvas import capsule, ellipse, smooth
from data.toon.shading import blob, mirrored, shaded

STEEL, WOOD, WAFER, YELLOW = (206, 214, 228), (142, 96, 60), (226, 170, 100), (252, 214, 84)
GRIP = 0.07  # from the wrist to the middle of a closed hand


def holding_sides(figure):
  """The sides whose hands hold something."""
  return (1, -1) if figure.hold == 'book' else (1,)


def draw_seat(canvas, figure, joints):
  """What a sitting figure sits on: a chair with a broad back."""
  top, low = joints['hip', 1][1] + 0.12, joints['ankle', 1][1] + 0.1
  for side in (1, -1):
    canvas.fill(capsule((side * 0.72, top - 0.95), (side * 0.62, low), 0.055, 0.05), WOOD)
  back = blob((-0.74, top - 0.95), (0, top - 1.05), (0.74, top - 0.95), (0.72, top - 0.55),
              (0, top - 0.6), (-0.72, top - 0.55))
  shaded(canvas, back, figure.colours[2])
  shaded(canvas, ellipse(0, top + 0.06, 0.72, 0.17), figure.colours[2], (0, -0.06))


def draw_behind(canvas, figure, joints):
  """The part of a held thing that is behind the head: the canopy of an umbrella."""
  if figure.hold != 'umbrella':
    return
  x, y = skeleton.hand_of(joints, 1, GRIP)
  with canvas.local(x, y, -12):
    canvas.fill(np.array([(-0.025, 0.2), (0.025, 0.2), (0.025, -1.5), (-0.025, -1.5)]), WOOD)
    rim = np.array([(1.1, -0.95), (0.74, -1.03), (0.37, -0.95), (0, -1.03), (-0.37, -0.95),
                    (-0.74, -1.03), (-1.1, -0.95)])
    dome = smooth([(-1.1, -0.95), (-0.9, -1.35), (-0.5, -1.62), (0, -1.72), (0.5, -1.62),
                   (0.9, -1.35), (1.1, -0.95)], False)
    shaded(canvas, np.concatenate([dome, rim]), figure.colours[2], (-0.15, -0.1))
    for edge in (-0.37, 0.37):
      canvas.crease(smooth([(0, -1.72), (edge * 0.7, -1.4), (edge, -0.97)], False),
                    figure.colours[2])


def draw_held(canvas, figure, joints):
  """The held thing in front of the body; the hand is closed over it afterwards."""
  if figure.hold in HELD:
    x, y = skeleton.hand_of(joints, 1, GRIP)
    HELD[figure.hold](canvas, figure, x, y)


def _umbrella(canvas, figure, x, y):
  with canvas.local(x, y, -12):
    canvas.fill(capsule((0, -0.3), (0, 0.35), 0.028, 0.028), WOOD, 0.7)


def _book(canvas, figure, x, y):
  colour = figure.colours[1]
  with canvas.local(0.0, y - 0.06):
    for side in (1, -1):
      cover = np.array([(0.0, -0.2), (0.4, -0.28), (0.42, 0.26), (0.0, 0.34)])
      shaded(canvas, mirrored(cover, side), colour)
      canvas.fill(mirrored(np.array([(0.0, -0.24), (0.37, -0.31), (0.37, -0.27), (0, -0.19)]),
                           side), palette.WHITE, 0.6)
    canvas.crease([(0, -0.2), (0, 0.34)], colour)
    canvas.fill(patterns.STAR * 0.09 + (0.21, 0.0), YELLOW, 0.4)


def _sword(canvas, figure, x, y):
  with canvas.local(x, y, 18, 1.1):
    blade = np.array([(-0.06, -0.2), (-0.06, -1.15), (0.0, -1.32), (0.06, -1.15), (0.06, -0.2)])
    canvas.fill(blade, STEEL)
    canvas.fill(np.array([(0.0, -0.2), (0.0, -1.28), (0.055, -1.14), (0.055, -0.2)]),
                palette.darker(STEEL, 0.3), 0)
    canvas.fill(capsule((0, -0.14), (0, 0.2), 0.04, 0.04), WOOD, 0.8)
    canvas.fill(capsule((-0.2, -0.17), (0.2, -0.17), 0.045, 0.045), YELLOW, 0.8)


def _wand(canvas, figure, x, y):
  with canvas.local(x, y, 14):
    canvas.fill(capsule((0, 0.15), (0, -0.6), 0.028, 0.028), palette.lighter(figure.colours[1]))
    canvas.fill(patterns.STAR * 0.22 + (0, -0.72), YELLOW)


def _balloon(canvas, figure, x, y):
  canvas.stroke(smooth([(x, y), (x + 0.06, y - 0.3), (x + 0.02, y - 0.6)], False), palette.INK,
                0.016)
  shaded(canvas, ellipse(x + 0.02, y - 0.92, 0.28, 0.34), figure.colours[2], (-0.06, -0.06))
  canvas.fill(ellipse(x - 0.08, y - 1.04, 0.05, 0.09, 20), palette.lighter(figure.colours[2], 0.6),
              0)


def _flower(canvas, figure, x, y):
  with canvas.local(x, y, 10):
    canvas.fill(capsule((0, 0.25), (0, -0.3), 0.022, 0.022), (84, 150, 80), 0.7)
    canvas.group([ellipse(0.1 * np.cos(a), -0.4 + 0.1 * np.sin(a), 0.085)
                  for a in np.arange(6) * 1.0472], palette.lighter(figure.colours[2], 0.15), 0.8)
    canvas.fill(ellipse(0, -0.4, 0.06), YELLOW, 0.5)


def _ice_cream(canvas, figure, x, y):
  with canvas.local(x, y, 6):
    shaded(canvas, np.array([(-0.14, -0.14), (0.14, -0.14), (0.0, 0.28)]), WAFER)
    shaded(canvas, ellipse(0, -0.24, 0.17, 0.15), palette.lighter(figure.colours[2], 0.3))
    shaded(canvas, ellipse(0, -0.43, 0.13, 0.12), palette.lighter(figure.colours[1], 0.3))


def _cup(canvas, figure, x, y):
  with canvas.local(x, y):
    canvas.stroke(ellipse(0.15, -0.1, 0.08, 0.1), figure.colours[2], 0.035, closed=True)
    shaded(canvas, blob((-0.14, -0.25), (0.14, -0.25), (0.12, 0.1), (-0.12, 0.1)),
           figure.colours[2])
    canvas.fill(ellipse(0, -0.25, 0.14, 0.04), palette.WHITE, 0.6)


HELD = {'umbrella': _umbrella, 'book': _book, 'sword': _sword, 'wand': _wand, 'balloon': _balloon,
        'flower': _flower, 'ice_cream': _ice_cream, 'cup': _cup}


def draw_scuffle(canvas, dice):
  """Stars that circle a dazed head."""
  for step in range(4):
    x = -0.6 + 0.4 * step + dice.between(-0.06, 0.06)
    y = -0.66 + 0.5 * (x * x) + dice.between(-0.04, 0.04)
    canvas.fill(patterns.STAR * 0.12 + (x, y), YELLOW)
