"""What is ill: drawn over the anatomy, with the outline that a box is made of."""

import math

import numpy as np

from data.phantom import bronchi, chest


def draw_lesion(canvas, scene, room) -> np.ndarray:
  """Draws the finding of a slice and returns its alpha, float32 [side, side].

  Args: room: alpha of where it may be: the brain, or the lungs.
  """
  return _DRAWERS[scene.finding](canvas, scene, room)


def _whole(canvas, shape):
  alpha = canvas.blank()
  alpha[shape[1]] = shape[0]
  return alpha


def _blob(canvas, place, radii, turn_deg, rough_cm, edge_cm=0.0):
  """Alpha of an uneven ellipse, and the field that makes it so."""
  rough = rough_cm * (0.7 * canvas.field(1.6) + 0.5 * canvas.field(0.8))
  return _whole(canvas, canvas.ellipse(place, radii, turn_deg, edge_cm, rough)), rough


def _brain_place(scene, dice):
  """A place within the outline of the brain, which shrinks upwards."""
  side = -1 if dice.chance(0.5) else 1
  out, along = dice.between(1.9, 4.6), dice.between(-4.6, 4.6)
  shrink = 1 - 0.45 * max(0.0, scene.height - 0.55) / 0.45
  return side * out * shrink, along * shrink


def _tumour(canvas, scene, room):
  """A core with a rim, and a halo of swelling that keeps to the brain."""
  dice = scene.patient.dice('lesion')
  size = dice.between(0.95, 2.0) * scene.lesion_share
  place = _brain_place(scene, dice)
  turn, long = dice.between(0, 180), dice.between(1.0, 1.35)
  halo = size + dice.between(0.5, 1.5)
  around, _ = _blob(canvas, place, (halo * long, halo), turn, 0.8, 0.5)
  canvas.paint(around * room, 'oedema', 0.9)
  rough = 0.14 * canvas.field(1.2)

  def part(radius, edge=0.1):
    return _whole(canvas, canvas.ellipse(place, (radius * long, radius), turn, edge, rough))

  mass = part(size)
  canvas.paint(mass * room, 'rim' if dice.chance(0.75) else 'tumour')
  if size > 0.6:
    canvas.paint(part(size - 0.28 - 0.12 * size) * room, 'tumour')
  if dice.chance(0.6) and size > 0.7:
    canvas.paint(part(size * dice.between(0.4, 0.62)) * room, 'necrosis')
  return mass * room


def _stroke(canvas, scene, room):
  """A patch of a vessel's territory that reaches the surface."""
  dice = scene.patient.dice('lesion')
  size = dice.between(1.3, 2.8) * scene.lesion_share
  x, y = _brain_place(scene, dice)
  place = 1.15 * x, y
  alpha, _ = _blob(canvas, place, (size * dice.between(0.75, 1.1), size * dice.between(1.0, 1.5)),
                   math.degrees(math.atan2(y, x)), 0.55, 0.25)
  alpha = alpha * room
  canvas.paint(alpha, 'infarct', dice.between(0.72, 0.95))
  return alpha


def _haemorrhage(canvas, scene, room):
  """A clot, stained at its edge, with a little swelling around."""
  dice = scene.patient.dice('lesion')
  size = dice.between(0.8, 2.0) * scene.lesion_share
  place = _brain_place(scene, dice)
  radii = size * dice.between(1.0, 1.4), size
  turn = dice.between(0, 180)
  halo, _ = _blob(canvas, place, (radii[0] + 0.45, radii[1] + 0.45), turn, 0.2, 0.4)
  canvas.paint(halo * room, 'oedema', 0.75)
  rough = 0.25 * canvas.field(1.0)
  mass = _whole(canvas, canvas.ellipse(place, radii, turn, 0.08, rough)) * room
  canvas.paint(mass, 'stain')
  inner = tuple(max(0.1, radius - 0.16) for radius in radii)
  canvas.paint((_whole(canvas, canvas.ellipse(place, inner, turn, 0.12, rough)) * room), 'clot')
  return mass


def _lung_place(scene, dice, body):
  """A place in a lung that neither heart nor liver reaches."""
  side = -1 if dice.chance(0.5) else 1
  away = dice.between(0.0, 1.0)
  narrow = 1 - 0.5 * max(0.0, scene.height - 0.6) / 0.4
  x = body.cage_width * (0.52 + 0.2 * away) * narrow
  low, high = ((-0.3, 0.42) if side < 0 else (0.18, 0.45)) if scene.height < 0.6 else (-0.25, 0.35)
  return side * x, body.cage_depth * dice.between(low, high) * narrow, side


def _nodule(canvas, scene, room):
  """A round shadow, smooth or with spikes, at times a hole in it."""
  dice = scene.patient.dice('lesion')
  body = chest.sample_chest(scene.patient)
  x, y, _ = _lung_place(scene, dice, body)
  size = dice.between(0.7, 1.9) * max(0.6, scene.lesion_share)
  mass = _whole(canvas, canvas.ellipse((x, y), (size * dice.between(1.0, 1.2), size),
                                       dice.between(0, 180), 0.1, 0.16 * canvas.field(1.0)))
  if dice.chance(0.55):
    spikes = []
    for _ in range(dice.count(6, 11)):
      turn, long = dice.between(0, 2 * math.pi), size * dice.between(1.3, 1.9)
      end = x + long * math.cos(turn), y + long * math.sin(turn)
      spikes.append(((x, y), end, 0.35 * size, 0.05))
    canvas.paint(canvas.quads(spikes) * room, 'vessel', 0.7)
  mass = mass * room
  canvas.paint(mass, 'solid_lung')
  if dice.chance(0.15) and size > 1.1:
    canvas.paint(canvas.ellipse((x + 0.1, y), (size * 0.4, size * 0.36), 0, 0.1), 'air', 0.95)
  return mass


def _effusion(canvas, scene, room):
  """Fluid that has sunk to the back of one side, or both."""
  dice = scene.patient.dice('lesion')
  body = chest.sample_chest(scene.patient)
  first = -1 if dice.chance(0.5) else 1
  sides = (-1, 1) if dice.chance(0.3) else (first,)
  level = body.cage_depth * (0.92 - dice.between(0.35, 0.75) * scene.lesion_share)
  rim = 0.02 * canvas.x**2  # it climbs along the wall
  wet = canvas.blank()
  for side in sides:
    wet = np.maximum(wet, canvas.soft(canvas.y - level + rim - 1.2 + 0.2 * canvas.field(4), 0.15)
                     * (side * canvas.x > 0))
  wet = (wet * room).astype(np.float32)
  packed = canvas.soft(canvas.y - level + rim + 0.2 + 0.6 * canvas.field(2), 0.9) * room
  canvas.paint((packed * (wet.max() > 0) * np.isin(np.sign(canvas.x), sides)).astype(np.float32),
               'solid_lung', 0.55)
  canvas.paint(wet, 'effusion')
  return wet


def _consolidation(canvas, scene, room):
  """Lung full of fluid, ragged, with air left in its branches."""
  dice = scene.patient.dice('lesion')
  body = chest.sample_chest(scene.patient)
  x, y, side = _lung_place(scene, dice, body)
  size = dice.between(1.8, 3.6) * max(0.6, scene.lesion_share)
  veil, _ = _blob(canvas, (x, y), (size * 1.35, size * 1.2), 0, 1.3, 1.2)
  canvas.paint(veil * room, 'solid_lung', 0.4)
  alpha, _ = _blob(canvas, (x, y), (size, size * dice.between(0.7, 1.1)), dice.between(0, 180), 0.8,
                   0.5)
  alpha = alpha * room
  canvas.paint(alpha, 'solid_lung', 0.93)
  canvas.paint(alpha * bronchi.branch_air(canvas, dice, (x, y), size, side), 'lung', 0.6)
  return alpha


_DRAWERS = {'tumour': _tumour, 'stroke': _stroke, 'haemorrhage': _haemorrhage, 'nodule': _nodule,
            'effusion': _effusion, 'consolidation': _consolidation}
