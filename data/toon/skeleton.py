"""Poses: the joints of a figure in head units.

Head units: origin at the middle of the head, 1 = height of the head from chin to top, x to the
right of the picture, y down, before mirroring. The side of the picture that is to the right
holds the figure's left arm, as the figure looks at us.
"""

import math

import numpy as np

SHOULDER_Y = 0.76

# Angles in degrees from straight down, outwards positive: (upper arm, fore-arm).
ARMS = {
    'down': (13, 5), 'relaxed': (20, -8), 'hip': (46, -58), 'behind': (26, -42), 'up': (152, 168),
    'wave': (62, 172), 'front': (16, -112), 'chest': (22, -138), 'out': (74, 64),
    'raise': (48, 148),
}
# (thigh, shin, share of the thigh seen): sitting shows the thighs from their end.
LEGS = {
    'stand': (3, 2, 1.0), 'wide': (15, 9, 1.0), 'step': (18, -16, 0.94), 'kick': (38, -20, 0.9),
    'sit': (32, 4, 0.42),
}


def torso_length(body):
  """Shoulders to hips, in heads."""
  return 1.08 * body


def figure_height(body, sitting):
  """Middle of the head to the soles, in heads."""
  legs = 0.92 * body * (0.42 if sitting else 1.0) + 0.94 * body
  return SHOULDER_Y + torso_length(body) + legs + 0.14


def _limb(start, angles, lengths, side):
  points = [start]
  for angle, length in zip(angles, lengths, strict=True):
    x, y = points[-1]
    radians = math.radians(angle)
    points.append((x + side * length * math.sin(radians), y + length * math.cos(radians)))
  return points


def make_skeleton(figure, body) -> dict:
  """Points (x, y) in head units: shoulder, elbow, wrist, hip, knee, ankle per side.

  Args:
    figure: gives gender, arms and legs (names of poses, picture-right side first) and pose_jitter
      (four angles in degrees).
    body: length of the body against the head.
  Returns:
    {(part, side): (x, y)} with side +1 at the right of the picture and -1 at its left.
  """
  shoulder = 0.42 if figure.gender == 'girl' else 0.5
  hip = 0.24
  hip_y = SHOULDER_Y + torso_length(body)
  joints = {}
  for which, side in enumerate((1, -1)):
    upper, fore = ARMS[figure.arms[which]]
    upper, fore = upper + figure.pose_jitter[which], fore + 1.5 * figure.pose_jitter[which]
    arm = _limb((side * shoulder, SHOULDER_Y), (upper, fore), (0.6 * body, 0.56 * body), side)
    thigh, shin, seen = LEGS[figure.legs[which]]
    turn = figure.pose_jitter[2 + which] / 3
    leg = _limb((side * hip, hip_y), (thigh + turn, shin + turn),
                (0.92 * body * seen, 0.94 * body), side)
    names = ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
    joints.update({(name, side): point for name, point in zip(names, arm + leg, strict=True)})
  return joints


def hand_of(joints, side, beyond) -> np.ndarray:
  """The middle of a hand, so far beyond the wrist."""
  elbow, wrist = np.array(joints['elbow', side]), np.array(joints['wrist', side])
  return wrist + (wrist - elbow) / np.linalg.norm(wrist - elbow) * beyond


def coco_points(joints, turn) -> np.ndarray:
  """The 17 COCO joints [17, 2] in head units, for a figure that is not mirrored.

  Args:
    joints: what `make_skeleton` gives.
    turn: -1..1, how far the face looks to a side.
  """
  face = 0.07 * turn
  head = [(face * 1.5, 0.24), (0.2 + face, 0.1), (-0.2 + face, 0.1), (0.42 - face / 2, 0.14),
          (-0.42 - face / 2, 0.14)]
  rest = [joints[part, side] for part in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
          for side in (1, -1)]
  return np.array(head + rest)
