"""The comic events behind the ratings: a dust-up, a bang, a ghost; units of the frame."""

import numpy as np

from data.toon import palette
from data.toon.canvas import ellipse, smooth
from data.toon.scenery import own_light
from data.toon.shading import shaded

GHOST, FLAME = (240, 244, 255), ((250, 92, 60), (255, 176, 56), (255, 244, 170))


def _burst(dice, x, y, radius, spikes):
  angles = np.arange(2 * spikes) * np.pi / spikes
  radii = np.where(np.arange(2 * spikes) % 2, 0.58, 1.0)
  radii = radii * np.array([dice.between(0.85, 1.12) for _ in angles]) * radius
  return np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], 1)


def _sides(scene):
  """A place beside the main figure: left or right."""
  return 0.1 if scene.figures[0].head_x > 0.5 else 0.9


def explosion(canvas, dice, scene):
  """A cartoon bang behind the figures: jagged flames and round smoke."""
  x, y = dice.between(0.4, 0.6), dice.between(0.4, 0.55)
  for dx, dy, r in ((-0.4, 0.1, 0.16), (0.4, 0.05, 0.17), (-0.3, -0.3, 0.15), (0.32, -0.3, 0.16),
                    (0.0, -0.42, 0.15)):
    canvas.fill(ellipse(x + dx, y + dy, r), (112, 104, 118), 0.8)
  with own_light(canvas):
    for colour, radius in zip(FLAME, (0.62, 0.47, 0.33), strict=True):
      canvas.fill(_burst(dice, x, y, radius, 13), colour)


def dust(canvas, dice, scene):
  """A cloud of dust and a POW-like burst beside the figure."""
  x, y = _sides(scene), dice.between(0.2, 0.42)
  canvas.fill(_burst(dice, x, y, 0.24, 9), FLAME[1])
  canvas.fill(_burst(dice, x, y, 0.14, 9), FLAME[2], 0.7)
  puffs = [ellipse(dice.between(0, 1), dice.between(0.9, 1.0), dice.between(0.05, 0.1))
           for _ in range(6)]
  canvas.group(puffs, (226, 210, 186), 0.9)


def ghosts(canvas, dice, scene):
  """Sheet ghosts who stick out their tongues."""
  for n in range(dice.count(1, 2)):
    x = _sides(scene) + dice.between(-0.02, 0.02)
    x = x if n == 0 else 1 - x
    y, size = dice.between(0.2, 0.5), dice.between(0.13, 0.17)
    with canvas.local(x, y, dice.between(-14, 14), size):
      body = smooth([(-0.9, 1.1), (-0.85, 0.0), (-0.5, -0.8), (0, -1.0), (0.5, -0.8), (0.85, 0.0),
                     (0.9, 1.1), (0.55, 0.85), (0.25, 1.2), (0.0, 0.9), (-0.3, 1.2),
                     (-0.6, 0.85)])
      shaded(canvas, body, GHOST, (-0.15, -0.05), strength=0.16)
      for side in (-1, 1):
        canvas.fill(ellipse(side * 0.32, -0.25, 0.12, 0.2), palette.INK, 0)
        canvas.fill(ellipse(side * 0.3, -0.33, 0.04, 0.06), palette.WHITE, 0)
      canvas.fill(ellipse(0, 0.22, 0.3, 0.2), palette.INK, 0)
      canvas.fill(ellipse(0.04, 0.38, 0.15, 0.2), (240, 110, 130), 0.6)
