"""Neck, torso, arms, hands, legs and shoes; what covers them comes from clothes."""

import numpy as np

from data.toon import face, palette, props, skeleton
from data.toon.canvas import capsule, ellipse
from data.toon.shading import blob, both_sides, shaded

BEHIND = ('behind', 'up', 'raise')
SHOES = (78, 66, 82)


def torso_shape(figure, joints):
  """The outline of the trunk, shoulders to hips."""
  shoulder = joints['shoulder', 1]
  hip_y = joints['hip', 1][1]
  wide = shoulder[0]
  waist_y = shoulder[1] + 0.62 * (hip_y - shoulder[1])
  waist, hip = (0.28, 0.35) if figure.gender == 'girl' else (0.36, 0.35)
  return both_sides((0, 0.63), (0.15, 0.64), (wide - 0.06, 0.7), (wide + 0.03, 0.8),
                    (wide - 0.04, 1.0), (waist, waist_y), (hip, hip_y), (0.2, hip_y + 0.12),
                    (0, hip_y + 0.14))


def draw_torso(wear):
  """Neck, trunk and the garment on it."""
  canvas, figure = wear.canvas, wear.figure
  neck = capsule((0, 0.4), (0, 0.74), 0.13, 0.16)
  shape = torso_shape(figure, wear.joints)
  canvas.fill(neck, figure.skin_rgb)
  wear.draw_trunk(shape)
  canvas.fill(capsule((0, 0.42), (0, 0.66), 0.115, 0.125), figure.skin_rgb, 0)
  canvas.fill(face.NECK_SHADE * (0.82, 1), palette.darker(figure.skin_rgb, 0.24), 0)
  wear.draw_front(shape)


def draw_arm(wear, side):
  """Arm with sleeve and hand; side +1 is the right of the picture."""
  canvas, figure = wear.canvas, wear.figure
  shoulder, elbow, wrist = (np.array(wear.joints[part, side])
                            for part in ('shoulder', 'elbow', 'wrist'))
  shoulder = shoulder * (0.93, 1) + (0, 0.08)
  slim = 0.0 if figure.gender == 'girl' else 0.018
  upper = capsule(shoulder, elbow, 0.115 + slim, 0.095 + slim)
  fore = capsule(elbow, wrist, 0.095 + slim, 0.075 + slim)
  hand = skeleton.hand_of(wear.joints, side, 0.09)
  canvas.group((upper, fore, ellipse(*hand, 0.105, 0.11)), figure.skin_rgb)
  wear.draw_sleeve(side, shoulder, elbow, wrist)


def draw_fingers(wear, sides):
  """The fingers of a hand closed around what it holds."""
  for side in sides:
    hand = skeleton.hand_of(wear.joints, side, props.GRIP)
    wear.canvas.fill(ellipse(*hand, 0.1, 0.085), wear.figure.skin_rgb)
    for step in (-0.035, 0.01, 0.05):
      wear.canvas.crease([hand + (0.02, step), hand + (0.09, step)], wear.figure.skin_rgb, 0.5)


def draw_legs(wear):
  """Legs, what covers them, and shoes."""
  canvas, figure = wear.canvas, wear.figure
  for side in (-1, 1):
    hip, knee, ankle = (np.array(wear.joints[part, side]) for part in ('hip', 'knee', 'ankle'))
    hip = hip * (0.8, 1)
    thigh, shin = capsule(hip, knee, 0.2, 0.145), capsule(knee, ankle, 0.14, 0.09)
    _shoe(canvas, figure, ankle, side, wear.barefoot)
    canvas.group((thigh, shin), figure.skin_rgb)
    if canvas.style.shading in ('cel', 'soft') and not canvas.sketch:
      canvas.fill(capsule(hip + (0, 0.25), knee, 0.1, 0.05) + (side * 0.07, 0),
                  palette.darker(figure.skin_rgb, 0.12), 0)
    wear.draw_leg(side, hip, knee, ankle)


def _shoe(canvas, figure, ankle, side, bare):
  x, y = ankle
  shape = blob((x - 0.1, y - 0.06), (x + 0.1, y - 0.06), (x + 0.12 + 0.05 * side, y + 0.1),
               (x + 0.08 * side + 0.1, y + 0.16), (x + 0.08 * side - 0.1, y + 0.16),
               (x - 0.12 + 0.05 * side, y + 0.1))
  shaded(canvas, shape, figure.skin_rgb if bare else palette.mix(SHOES, figure.colours[1], 0.5))
