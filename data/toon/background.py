"""What is behind and in front of the figures; units are shares of the frame's side."""

import cv2
import numpy as np

from data.toon import mishaps, palette, patterns, places
from data.toon.canvas import Canvas, ellipse
from data.toon.shading import blob

NIGHT, SUNSET = (92, 104, 190), (255, 186, 140)


def draw_background(canvas, dice, scene):
  """Fills the canvas; drawn at half its resolution, which sets the figures off a little."""
  behind = Canvas(canvas.side // 2, scene.style)
  behind.sketch, behind.line_scale = canvas.sketch, canvas.line_scale * 0.4
  light = scene.time != 'day' and scene.background != 'room'
  if light:
    night = scene.time == 'night'
    behind.set_light(NIGHT if night else SUNSET, 0.85 if night else 0.6)
  tilted = np.deg2rad(scene.tilt_deg)
  turn = np.array([[np.cos(tilted), -np.sin(tilted)], [np.sin(tilted), np.cos(tilted)]])
  zoom = 1.0 + 0.9 * abs(np.sin(tilted))
  if dice.chance(0.5):
    turn = turn @ np.diag([-1, 1])
  middle = np.array([0.5, 0.5])
  behind.place(turn * behind.side * zoom, (middle - turn * zoom @ middle) * behind.side)
  places.PLACES[scene.background](behind, dice, scene)
  if scene.mood == 'explosion':
    mishaps.explosion(behind, dice, scene)
  elif scene.mood == 'fight':
    mishaps.dust(behind, dice, scene)
  cv2.resize(behind.image, (canvas.side, canvas.side), dst=canvas.image,
             interpolation=cv2.INTER_LINEAR)


def draw_foreground(canvas, dice, scene):
  """Ghosts, snow, drifting things, and now and then something that hides a corner."""
  canvas.line_scale *= 0.7
  if scene.mood == 'ghost':
    mishaps.ghosts(canvas, dice, scene)
  hidden = canvas.mask
  if dice.chance(0.22) and scene.mood != 'ghost':
    OCCLUDERS[dice.count(0, len(OCCLUDERS) - 1)](canvas, dice, scene)
  canvas.mask = None
  if scene.snow:
    for _ in range(34):
      canvas.fill(ellipse(dice.between(0, 1), dice.between(0, 1), dice.between(0.004, 0.014)),
                  palette.WHITE, 0)
  elif dice.chance(0.3):
    _drift(canvas, dice, scene)
  canvas.mask = hidden


def _drift(canvas, dice, scene):
  """Sparkles, hearts, petals or bubbles in the air; they tell nothing."""
  colour = palette.lighter(dice.one_of(scene.palette), 0.4)
  kind = dice.one_of((patterns.STAR, patterns.HEART, ellipse(0, 0, 1, 0.5, 40), ellipse(0, 0, 0.8)))
  for _ in range(dice.count(5, 12)):
    x, y = dice.between(0, 1), dice.between(0, 1)
    x = x * 0.3 if x < 0.5 else 1 - (1 - x) * 0.3
    canvas.fill(kind * dice.between(0.012, 0.03) + (x, y), colour, 0.5)


def _bush(canvas, dice, scene):
  x, colour = dice.one_of((0.05, 0.95)), dice.one_of(((92, 158, 88), (70, 132, 84)))
  leaves = [ellipse(x + dx, 1.0 + dy, r) for dx, dy, r in (
      (-0.14, 0.0, 0.12), (0.0, -0.07, 0.15), (0.14, -0.01, 0.12))]
  canvas.group(leaves, colour)
  for _ in range(5):
    canvas.fill(ellipse(x + dice.between(-0.18, 0.18), dice.between(0.9, 1.0), 0.02),
                dice.one_of(scene.palette), 0.5)


def _plush(canvas, dice, scene):
  x, colour = dice.one_of((0.1, 0.9)), dice.one_of(tuple(palette.HAIR.values()))
  canvas.group((ellipse(x - 0.07, 0.83, 0.04), ellipse(x + 0.07, 0.83, 0.04),
                ellipse(x, 0.9, 0.11, 0.09), ellipse(x, 1.02, 0.13, 0.1)), colour)
  canvas.fill(ellipse(x, 0.93, 0.045, 0.03), palette.lighter(colour, 0.6), 0)
  for side in (-1, 1):
    canvas.fill(ellipse(x + side * 0.04, 0.885, 0.012), palette.INK, 0)
  canvas.fill(ellipse(x, 0.92, 0.012, 0.008), palette.INK, 0)


def _table(canvas, dice, scene):
  colour = dice.one_of(scene.palette)
  top = 0.93
  canvas.fill(np.array([(-0.1, top), (1.1, top), (1.1, 1.1), (-0.1, 1.1)]), colour)
  for _ in range(3):
    x, tint = dice.between(0.05, 0.95), dice.one_of(scene.palette)
    canvas.fill(blob((x - 0.035, top - 0.07), (x + 0.035, top - 0.07), (x + 0.03, top + 0.01),
                     (x - 0.03, top + 0.01)), palette.lighter(tint, 0.3))


def _leaves(canvas, dice, scene):
  for _ in range(6):
    x = dice.between(0, 1)
    blade = blob((x - 0.02, 1.05), (x + dice.between(-0.05, 0.05), dice.between(0.8, 0.92)),
                 (x + 0.03, 1.05))
    canvas.fill(blade, dice.one_of(((96, 168, 90), (64, 130, 82))))


OCCLUDERS = (_bush, _plush, _table, _leaves)
