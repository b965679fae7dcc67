"""A whole figure, back to front."""

import math

import numpy as np

from data.joints import MIRRORED_JOINTS
from data.toon import body, clothes, face, hair, headwear, props, skeleton
from data.toon.canvas import ellipse


def draw_figure(canvas, dice, scene, figure) -> np.ndarray:
  """Draws one figure and tells where its 17 COCO joints are, [17, 2] in canvas px."""
  frame = canvas.matrix, canvas.offset, canvas.line_scale
  _place(canvas, scene, figure)
  canvas.line_scale *= 0.55 + 1.3 * figure.head_size
  length = scene.style.body
  joints = skeleton.make_skeleton(figure, length)
  if figure.depth > joints['ankle', 1][1]:
    _draw_ground_shadow(canvas, figure, joints)
  wear = clothes.Wear(canvas, figure, joints, length)
  if figure.sitting:
    props.draw_seat(canvas, figure, joints)
  if figure.hold:
    props.draw_behind(canvas, figure, joints)
  headwear.draw_behind(canvas, figure)
  hair.draw_back_hair(canvas, dice, figure)
  wear.draw_back()
  if figure.depth > joints['hip', 1][1] - 0.1:
    body.draw_legs(wear)
  behind = [side for which, side in enumerate((1, -1)) if figure.arms[which] in body.BEHIND]
  for side in behind:
    body.draw_arm(wear, side)
  body.draw_torso(wear)
  for side in (1, -1):
    if side not in behind:
      body.draw_arm(wear, side)
  wear.draw_neckwear()
  _draw_head(canvas, dice, scene, figure)
  hair.draw_braid(canvas, figure)
  if figure.hold:
    props.draw_held(canvas, figure, joints)
    body.draw_fingers(wear, props.holding_sides(figure))
  if scene.mood == 'fight':
    props.draw_scuffle(canvas, dice)
  points = skeleton.coco_points(joints, figure.turn) @ canvas.matrix.T + canvas.offset
  canvas.place(*frame[:2])
  canvas.line_scale = frame[2]
  return points[list(MIRRORED_JOINTS)] if figure.mirror else points


def _place(canvas, scene, figure):
  """Head units -> canvas px: lean, mirror, scale, and the tilt of the whole frame."""
  size = figure.head_size * canvas.side
  angle = math.radians(figure.lean_deg * (0.4 if scene.view == 'full_body' else 1))
  turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
  if figure.mirror:
    turn = turn @ np.diag([-1, 1])
  canvas.place(turn * size, (figure.head_x * canvas.side, figure.head_y * canvas.side))


def _draw_head(canvas, dice, scene, figure):
  face.draw_head(canvas, figure)
  face.draw_features(canvas, figure, scene.mood == 'fight')
  headwear.draw_ears(canvas, figure)
  hair.draw_front_hair(canvas, dice, figure)
  headwear.draw_hat(canvas, figure)


def _draw_ground_shadow(canvas, figure, joints):
  y = max(joints['ankle', 1][1], joints['ankle', -1][1]) + (0.3 if figure.jumping else 0.12)
  with canvas.inside(ellipse(0, y, 0.6, 0.1)):
    canvas.image[:] = canvas.image // 4 * 3
