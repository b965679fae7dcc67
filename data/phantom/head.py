"""An axial slice of a head, from the base of the skull to its top: scalp, skull and what is inside.

Heights are in cm over the plane of the thalami: the base is at BASE_CM, the vertex near TOP_CM.
"""

import dataclasses

import numpy as np

from data.phantom import brain, skull_base

BASE_CM, TOP_CM = -4.4, 6.9
EYES_CM, CEREBELLUM_CM, NUCLEI_CM, VERTEX_CM = -2.5, -1.9, (-0.9, 1.6), 4.6
SOFT_TAGS = {'cerebellum', 'basal_ganglia', 'ventricles', 'atrophy'}  # not told apart beside bone


@dataclasses.dataclass(frozen=True)
class Head:
  """What does not change from slice to slice of a patient; lengths in cm."""

  half_width: float
  half_length: float
  egg: float      # how much narrower the forehead is
  square: float   # how much squarer than an ellipse
  scalp: float
  skull: float
  marrow: float   # share of the skull's thickness
  gap: float      # fluid between skull and brain
  atrophy: float  # 0 ... 1
  ventricle: float  # size, of the usual one
  folds: int      # sulci around a hemisphere's edge
  ribbon: float   # thickness of the cortex
  asymmetry: float


def sample_head(patient) -> Head:
  """The head of a patient."""
  dice = patient.dice('head')
  atrophy = max(0.0, patient.age - 0.3) / 0.7 * dice.between(0.4, 1.1)
  size = dice.between(0.95, 1.06) * (0.97 if patient.woman else 1.02)
  return Head(
      half_width=7.45 * size * dice.between(0.96, 1.04),
      half_length=9.3 * size * dice.between(0.96, 1.03),
      egg=dice.between(0.05, 0.13), square=dice.between(0.0, 0.035),
      scalp=dice.between(0.35, 0.75), skull=dice.between(0.42, 0.72),
      marrow=dice.between(0.3, 0.55), gap=dice.between(0.12, 0.28) + 0.28 * atrophy,
      atrophy=atrophy, ventricle=dice.between(0.72, 1.05) + 0.75 * atrophy,
      folds=dice.count(11, 14), ribbon=dice.between(0.28, 0.37) - 0.03 * atrophy,
      asymmetry=dice.between(-0.12, 0.12))


def height_cm(height: float) -> float:
  """0 ... 1 of a slice -> cm over the thalami."""
  return BASE_CM + (TOP_CM - BASE_CM) * height


def size_at(z: float) -> float:
  """Share of the largest width that the head has at a height in cm."""
  return brain.size_at(z) if z > 0.3 else 1 - 0.0045 * (z - 0.3)**2


def draw_below(canvas, scene, head: Head):
  """Draws the slice. Returns: alpha of the brain, where a lesion may be.

  Of a patient whose scans are stripped of the skull, what is no brain is cut away.
  """
  z = height_cm(scene.height)
  dice = scene.dice('head')
  depth, angle, radius = _depths(canvas, head, z)
  canvas.paint(np.ones_like(depth), 'air')
  _ears(canvas, dice, head, z)
  scalp = head.scalp * (1 + 0.14 * canvas.field(7)) * (1 + 0.25 * np.cos(angle))
  scalp += max(0.0, -z - 0.5) * 0.25 * np.abs(np.sin(angle))
  canvas.paint(canvas.soft(depth), 'skin')
  canvas.paint(canvas.soft(depth - 0.14), 'fat')
  _temporal_muscles(canvas, head, depth, scalp, z)
  slanted = 1 + 0.55 * max(0.0, (z - 3.5) / 3.4)  # a wall that is cut at a slant looks thicker
  skull = head.skull * slanted * (1 + 0.1 * canvas.field(4))
  canvas.paint(canvas.soft(depth - scalp), 'bone')
  middle = depth - scalp - skull / 2
  thick = skull * head.marrow / 2 * np.clip(0.75 + 0.5 * canvas.field(3), 0, 1.2)
  canvas.paint(canvas.soft(thick - np.abs(middle), 0.1), 'marrow')
  inside = depth - scalp - skull
  canvas.paint(canvas.soft(inside), 'dura')
  canvas.paint(canvas.soft(inside - 0.09), 'fluid')
  surface = inside - 0.1 - head.gap * np.clip(1 + 0.4 * canvas.field(3.5), 0.2, 1.8)
  kept = surface
  if z < skull_base.TOP_CM:
    surface, kept = skull_base.draw_base(canvas, dice, head, z, depth, surface, inside)
  brain.draw_brain(canvas, dice, head, z, surface, angle, radius)
  _sinuses(canvas, head, z)
  if scene.patient.stripped:
    canvas.kept = canvas.soft(kept + 0.1, 0.15)
    canvas.value *= canvas.kept
  return canvas.soft(surface)


def draw_above(canvas, scene, head: Head) -> None:
  """What is drawn over a lesion: nothing."""


def _depths(canvas, head, z):
  """Below the skin in cm, the angle from the front and the distance from the middle."""
  size = size_at(z)
  long, narrow = head.half_length * size, head.egg + 0.05 * max(0.0, -z - 1)
  depth, angle, radius = canvas.rounded(0, head.half_width * size, long, head.square, narrow)
  if z < -2.2:  # the nose
    grown = min(1.0, (-2.2 - z) / 1.5)
    nose = np.hypot(canvas.x / 1.6, (canvas.y + long - 0.4) / (1.5 * grown + 0.1))
    depth = np.maximum(depth, (1 - nose) * 1.3)
  return depth, angle, radius


def _ears(canvas, dice, head, z):
  if z > -1.4:
    return
  for side in (-1, 1):
    x = side * (head.half_width * size_at(z) + 0.15)
    y = dice.between(1.2, 2.2)
    canvas.paint(canvas.ellipse((x, y), (0.45, 1.7), side * dice.between(8, 24)), 'skin')
    canvas.paint(canvas.ellipse((x, y + 0.2), (0.14, 0.9), side * 14), 'air', 0.6)


def _temporal_muscles(canvas, head, depth, scalp, z):
  if z > 2.6:
    return
  thick = 0.25 + 0.85 * min(1.0, (2.6 - z) / 4)
  for side in (-1, 1):
    place = side * head.half_width * 0.93, -head.half_length * 0.36
    alpha, where = canvas.ellipse(place, (thick + 0.35, 2.3), -side * 12, 0.1)
    canvas.paint((alpha * canvas.soft(depth[where] - 0.4), where), 'muscle')


def _sinuses(canvas, head, z):
  """The large veins at both ends of the midline."""
  if z < skull_base.TOP_CM - 0.6:
    return
  deep = (head.scalp + head.skull) * 1.05 + 0.25
  back = head.half_length * size_at(z) - deep
  canvas.paint(canvas.ellipse((0.1 * head.asymmetry, back), (0.42, 0.5), 0, 0.1), 'vein')
  if z > 1:
    canvas.paint(canvas.ellipse((0, -back), (0.22, 0.28), 0, 0.1), 'vein')


def tags_of(scene, head: Head) -> set:
  """What of a head's anatomy the slice shows."""
  z = height_cm(scene.height)
  low, high = NUCLEI_CM
  shown = {'eyes': z < EYES_CM, 'cerebellum': z < CEREBELLUM_CM, 'basal_ganglia': low < z < high,
           'ventricles': -0.6 < z < 3.2, 'vertex': z > VERTEX_CM, 'atrophy': head.atrophy > 0.45}
  return {name for name, seen in shown.items() if seen}
