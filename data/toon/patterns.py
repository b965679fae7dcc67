"""Stripes, blossoms, emblems and bows on clothes, in head units."""

import numpy as np

from data.toon import palette
from data.toon.canvas import CIRCLE, ellipse
from data.toon.shading import blob, mirrored, shaded

_ANGLES = np.arange(10) * np.pi / 5 - np.pi / 2
STAR = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1) * np.where(np.arange(10) % 2, 0.45, 1.0)[
    :, None]
_T = np.arange(20) * np.pi / 10
HEART = np.stack([16 * np.sin(_T)**3, -(13 * np.cos(_T) - 5 * np.cos(2 * _T) - 2 * np.cos(3 * _T)
                                        - np.cos(4 * _T))], 1) / 17


def stripes(canvas, top, bottom, colour, ground):
  """Broad bars across; their colour is moved away from a ground that is too alike."""
  if palette.distance(colour, ground) < 110:
    colour = palette.WHITE if palette.brightness(ground) < 150 else palette.darker(ground, 0.6)
  for y in np.arange(top, bottom, 0.22):
    canvas.fill(np.array([(-0.7, y), (0.7, y), (0.7, y + 0.1), (-0.7, y + 0.1)]), colour, 0)


def blossoms(canvas, top, bottom, colour):
  """Scattered flowers."""
  for number, y in enumerate(np.arange(top, bottom, 0.24)):
    x = (0.24, -0.2, 0.06, -0.32)[number % 4]
    for angle in np.arange(5) * 1.2566:
      canvas.fill(ellipse(x + 0.055 * np.cos(angle), y + 0.055 * np.sin(angle), 0.045),
                  palette.lighter(colour, 0.3), 0)


def emblem(canvas, colour, x, y):
  """A star on the chest."""
  canvas.fill(STAR * 0.14 + (x, y), colour, 0.6)


def bow(canvas, colour, x, y, scale):
  """A tied ribbon with two ends."""
  with canvas.local(x, y, 0, scale):
    for side in (1, -1):
      canvas.fill(mirrored(np.array([(0.0, 0.02), (0.16, 0.26), (0.05, 0.28)]), side), colour, 0.8)
      shaded(canvas, mirrored(blob((0.02, 0), (0.15, -0.1), (0.22, 0), (0.15, 0.1)), side), colour,
             line=0.8)
    canvas.fill(CIRCLE * 0.05, palette.lighter(colour, 0.15), 0.7)
