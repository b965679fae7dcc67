"""The branching of a lung: vessels that fork from its root, dots where they are cut, bronchi."""

import math

import numpy as np

LEAST_WIDTH_CM = 0.09
MOST_LINES = 130  # of a lung


def draw_vessels(canvas, dice, chest, height, lungs) -> None:
  """Draws the vessels of both lungs. Args: lungs: alpha of the space they stay in."""
  lines, dots = [], []
  rich = 1.0 - 0.45 * max(0.0, height - 0.6) / 0.4
  for side in (-1, 1):
    root = side * chest.cage_width * 0.22, 0.4 + 0.8 * (0.5 - height)
    for place in range(7):
      direction = math.pi * (-0.42 + 0.84 * (place + dice.between(-0.3, 0.3)) / 6)
      width = chest.vessel * dice.between(0.22, 0.58) * rich
      _fork(dice, lines, dots, root, direction, width, side, MOST_LINES * (2 if side > 0 else 1))
  canvas.paint(lungs * canvas.quads(lines), 'vessel')
  for _ in range(44):
    side = -1 if dice.chance(0.5) else 1
    away, turn = dice.between(0.15, 0.98), dice.between(-1.4, 1.4)
    place = (side * chest.cage_width * (0.25 + 0.68 * away * math.cos(turn)),
             chest.cage_depth * 0.85 * away * math.sin(turn))
    dots.append((place, dice.between(0.10, 0.30) * (1.15 - 0.7 * away)))
  for place, size in dots:
    alpha, where = canvas.ellipse(place, (size, size), 0, 0.1)
    canvas.paint((alpha * lungs[where], where), 'vessel', 0.95)


def _fork(dice, lines, dots, start, direction, width, side, most):
  """One vessel and all that leaves it. Args: direction: 0 is outwards, in radians."""
  length = (0.9 + 2.0 * width) * dice.between(0.7, 1.4)
  bend = direction + dice.between(-0.4, 0.4)
  end = start[0] + side * length * math.cos(bend), start[1] + length * math.sin(bend)
  thin = width * dice.between(0.72, 0.9)
  if len(lines) >= most:
    return
  if dice.chance(0.72):  # else it runs above or below the plane for a while
    lines.append((start, end, width, thin))
  if thin < LEAST_WIDTH_CM:
    return
  if dice.chance(0.22):  # it leaves the plane
    dots.append((end, thin * 0.62))
    return
  spread = dice.between(0.3, 0.75)
  share = dice.between(0.55, 0.85)
  _fork(dice, lines, dots, end, bend + spread * (1 - share), thin * share, side, most)
  _fork(dice, lines, dots, end, bend - spread * share, thin * (1.28 - share), side, most)


def draw_airways(canvas, dice, height) -> None:
  """The trachea above its fork, the two main bronchi below, smaller ones with bright walls."""
  if height > 0.66:
    canvas.paint(canvas.ellipse((0.1, 0.2), (1.15, 1.05)), 'muscle')
    canvas.paint(canvas.ellipse((0.1, 0.2), (0.92, 0.84), dice.between(-20, 20)), 'air')
    return
  if height < 0.5:
    return
  down = (0.66 - height) / 0.2
  for side in (-1, 1):
    near = side * (0.3 + 1.8 * down), 0.6 + 0.5 * down
    far = side * (1.9 + 2.4 * down), 1.0 + 0.9 * down
    size = 0.72 - 0.22 * down
    canvas.paint(canvas.capsule(near, far, size + 0.17), 'muscle')
    canvas.paint(canvas.capsule(near, far, size), 'air')


def branch_air(canvas, dice, place, size, toward) -> np.ndarray:
  """Alpha of the air-filled branches inside a patch of solid lung."""
  lines = []
  for _ in range(3):
    start = place[0] - toward * size * 0.8, place[1] + dice.between(-0.5, 0.5) * size
    turn = dice.between(-0.5, 0.5)
    width = dice.between(0.12, 0.22)
    for _ in range(3):
      long = size * dice.between(0.4, 0.7)
      end = start[0] + toward * long * math.cos(turn), start[1] + long * math.sin(turn)
      lines.append((start, end, width, width * 0.75))
      start, turn, width = end, turn + dice.between(-0.5, 0.5), width * 0.75
  return canvas.quads(lines)
