"""An axial slice of a chest, from the dome of the liver to the tops of the lungs: wall and lungs.

Only CT is drawn. Heights are 0 (lowest) to 1.
"""

import dataclasses
import math

import numpy as np

from data.phantom import bronchi, mediastinum

LIVER_BELOW, SCAPULA_OVER, HEART_BELOW, ARCH = 0.2, 0.5, 0.56, (0.72, 0.83)
SHOULDER_OVER = 0.88
ROUND_FRAC = 0.2  # of patients whose slices have nothing outside of a circle


@dataclasses.dataclass(frozen=True)
class Chest:
  """What does not change from slice to slice of a patient; lengths in cm."""

  half_width: float
  half_depth: float
  square: float
  fat: float
  muscle: float
  cage_width: float   # half of the space inside the ribs
  cage_depth: float
  ribs: int           # cut through on each side
  breast: float       # 0: none
  heart: float        # size, of the usual one
  heart_turn: float   # degrees that its long axis is turned by
  heart_long: float   # length over the usual one
  vessel: float
  emphysema: float    # 0 none ... 1
  calcium: bool       # in the wall of the aorta
  table: str          # '' | 'flat' | 'curved'
  round: bool         # the machine shows nothing outside of a circle

  def cage_depth_at(self, height: float) -> float:
    """The cage's depth, which shrinks towards the tops of the lungs."""
    return self.cage_depth * (1 - 0.42 * max(0.0, height - 0.62) / 0.38)


def sample_chest(patient) -> Chest:
  """The chest of a patient."""
  dice = patient.dice('chest')
  size = dice.between(0.92, 1.08) * (0.94 if patient.woman else 1.0)
  fat = dice.between(0.5, 1.6) ** 2 * (1.15 if patient.woman else 0.9)
  muscle = dice.between(0.6, 1.3) * (0.8 if patient.woman else 1.1)
  cage_width, cage_depth = 13.4 * size, 8.7 * size * dice.between(0.9, 1.12)
  return Chest(
      half_width=cage_width + 1.1 + fat * 1.05 + muscle * 1.2,
      half_depth=cage_depth + 1.8 + fat * 0.8 + muscle * 0.8,
      square=dice.between(0.03, 0.07), fat=fat, muscle=muscle, cage_width=cage_width,
      cage_depth=cage_depth, ribs=dice.count(6, 8),
      breast=dice.between(0.75, 1.3) if patient.woman else 0.0,
      heart=dice.between(0.82, 1.05) + 0.15 * patient.age,
      heart_turn=dice.between(22, 48), heart_long=dice.between(0.92, 1.1),
      vessel=dice.between(0.85, 1.15),
      emphysema=max(0.0, patient.age - 0.5) * 2 * dice.chance(0.4),
      calcium=patient.age > 0.55 and dice.chance(0.6),
      table=dice.weighted({'curved': 6, 'flat': 2, '': 2}),
      round=dice.chance(ROUND_FRAC))


def field_of_view(chest, dice) -> float:
  """Side of the picture in cm."""
  return 2 * chest.half_width * dice.between(0.97, 1.14)


def draw_below(canvas, scene, chest: Chest):
  """Draws wall and lungs. Returns: alpha of the lungs, where a lesion may be."""
  dice, height = scene.dice('chest'), scene.height
  canvas.paint(np.ones_like(canvas.x), 'air')
  _table(canvas, chest)
  depth = _wall(canvas, chest, height)
  cage, ring, cage_angle = _cage(canvas, chest, height)
  _muscles(canvas, dice, chest, height, depth, ring)
  canvas.paint(canvas.soft(ring + 1.0, 0.1), 'muscle')
  canvas.paint(canvas.soft(ring + 0.1, 0.1), 'fat', 0.6)
  _ribs(canvas, dice, chest, height, ring, cage_angle)
  if height > SCAPULA_OVER:
    _scapulae(canvas, dice, chest, height)
  if height > SHOULDER_OVER:
    _shoulders(canvas, dice, chest)
  lungs = canvas.soft(cage)
  canvas.paint(lungs, 'lung')
  _lung_texture(canvas, dice, chest, lungs, height)
  bronchi.draw_vessels(canvas, dice, chest, height, lungs)
  return lungs


def _wall(canvas, chest, height):
  """Skin, fat and the breasts; depth below the skin."""
  top = max(0.0, height - 0.8) / 0.2
  wide, deep = chest.half_width * (1 + 0.06 * top), chest.half_depth * (1 - 0.22 * top)
  depth, _, _ = canvas.rounded(0, wide, deep, chest.square)
  if chest.breast and 0.15 < height < 0.75:
    grown = chest.breast * math.sqrt(max(0.05, 1 - ((height - 0.42) / 0.36)**2))
    for side in (-1, 1):
      place = side * chest.half_width * 0.46, -chest.half_depth * 0.62
      radii = 7.0 * grown, 4.9 * grown
      k = np.hypot((canvas.x - place[0]) / radii[0], (canvas.y - place[1]) / radii[1])
      mound = (1 - k) * min(radii)
      near = np.clip(1 - np.abs(mound - depth) / 2.0, 0, 1)  # a smooth union
      depth = np.maximum(depth, mound) + 0.5 * near * near
  canvas.paint(canvas.soft(depth), 'skin')
  canvas.paint(canvas.soft(depth - 0.2), 'fat')
  if chest.breast and 0.25 < height < 0.62:
    for side in (-1, 1):
      place = side * chest.half_width * 0.54, -chest.half_depth * 0.94
      alpha, where = canvas.ellipse(place, (3.2 * chest.breast, 1.7 * chest.breast), 0, 0.8,
                                    1.1 * canvas.field(1.8))
      canvas.paint((alpha * canvas.soft(depth[where] - 0.6, 0.4), where), 'gland', 0.8)
  strands = canvas.soft(0.05 - np.abs(canvas.field(2.6)) * 0.35, 0.1)
  canvas.paint((canvas.soft(depth - 0.4) * strands).astype(np.float32), 'muscle', 0.22)
  return depth


def _cage(canvas, chest, height):
  """Depth inside the lungs' space, inside the ribs' ring, and the angle from the front."""
  narrow = 1 - 0.48 * (max(0.0, height - 0.66) / 0.34) ** 1.7
  wide = chest.cage_width * narrow
  deep = chest.cage_depth_at(height)
  ring, angle, _ = canvas.rounded(-0.1, wide, deep, 0.045, 0.06)
  spine = np.hypot(canvas.x / 3.1, (canvas.y - deep * 0.94) / 4.3)
  cage = np.minimum(ring - 0.1, (spine - 1) * 3.0)
  return cage, ring, angle


def _muscles(canvas, dice, chest, height, depth, ring):
  """The layer of muscles under the fat, with fat between its sheets, and those of the back."""
  uneven = np.clip(1 + 0.35 * canvas.field(9), 0.4, 1.7)
  behind = np.clip(canvas.y / chest.half_depth, -1, 1)
  under = depth - chest.fat * uneven * (0.85 + 0.35 * behind)
  canvas.paint(canvas.soft(under, 0.1), 'muscle')
  planes = np.abs(canvas.field(4.5) + 0.35 * (under - 1))  # of fat, between muscles
  thin = 0.05 + 0.12 * np.clip(canvas.field(3), 0, 1)
  canvas.paint(canvas.soft(under - 0.3) * canvas.soft(thin - 1.1 * planes, 0.1), 'fat', 0.85)
  back = chest.half_depth - chest.fat
  for side in (-1, 1):
    place = side * 3.4, min(chest.cage_depth * 0.98, back - 1.6)
    canvas.paint(canvas.ellipse(place, (2.9, 1.9), side * 12, 0.1, 0.2 * canvas.field(2)), 'muscle')
    if height > 0.35:  # of the chest, in front
      place = side * chest.half_width * 0.5, -chest.half_depth + chest.fat + 1.5
      thick = 0.5 + 0.5 * chest.muscle * min(1, (height - 0.3) / 0.4)
      alpha, where = canvas.ellipse(place, (5.2, thick), side * 16, 0.1)
      inside = canvas.soft(depth[where] - 0.2 - 0.5 * chest.fat, 0.2)
      canvas.paint((alpha * inside, where), 'muscle')


def _ribs(canvas, dice, chest, height, ring, angle):
  """Ribs cut at a slant: short bows in the wall, with bright shells."""
  across = ring + 0.55
  radius = np.hypot(canvas.x, canvas.y)
  for facing in (canvas.x < 0, canvas.x >= 0):
    number = chest.ribs + 1
    place = np.abs(angle) / math.pi * number + dice.between(0, 1)
    cell = np.floor(place)
    offsets = np.array([dice.between(-0.16, 0.16) for _ in range(number + 3)], np.float32)
    lengths = np.array([dice.between(0.8, 1.9) for _ in range(number + 3)], np.float32)
    index = np.clip(cell.astype(np.int32), 0, number + 2)
    along = (place - cell - 0.5 - offsets[index]) * math.pi * radius / number
    shape = np.hypot(along / lengths[index], across / 0.5)
    inside = (1 - shape) * 0.5 * facing - (1 - facing) + 0.05 * canvas.grain
    inside = np.where(np.abs(angle) > 0.5, inside, -1)
    canvas.paint(canvas.soft(inside), 'cortical')
    canvas.paint(canvas.soft(inside - 0.17), 'spongy')
  front = -chest.cage_depth - 0.45
  if height > 0.25:
    canvas.paint(canvas.ellipse((0, front), (1.9, 0.62), 0, 0, 0.06 * canvas.grain), 'cortical')
    canvas.paint(canvas.ellipse((0, front), (1.65, 0.4)), 'spongy', 0.9)


def _scapulae(canvas, dice, chest, height):
  grown = min(1.0, (height - SCAPULA_OVER) / 0.25)
  for side in (-1, 1):
    inner = side * chest.cage_width * 0.55, chest.cage_depth * 0.93 + 0.7
    outer = (side * (chest.cage_width * (0.72 + 0.2 * grown) + 0.8),
             chest.cage_depth * (0.75 - 0.45 * grown))
    middle = (inner[0] + outer[0]) / 2, (inner[1] + outer[1]) / 2
    turn = math.degrees(math.atan2(outer[1] - inner[1], outer[0] - inner[0]))
    long = math.hypot(outer[0] - inner[0], outer[1] - inner[1]) / 2
    canvas.paint(canvas.ellipse(middle, (long + 1.2, 1.6), turn, 0.2), 'muscle')
    canvas.paint(canvas.capsule(inner, outer, 0.28), 'cortical')
    canvas.paint(canvas.ellipse(outer, (0.9, 0.75), turn), 'cortical')
    canvas.paint(canvas.ellipse(outer, (0.65, 0.5), turn), 'spongy')
    if height > 0.78:
      spine = middle[0] + side * 0.6, middle[1] + 2.0
      canvas.paint(canvas.capsule(middle, spine, 0.22), 'cortical')


def _shoulders(canvas, dice, chest):
  """The heads of the upper arms, and the collarbones in front."""
  for side in (-1, 1):
    x, y = side * chest.half_width * dice.between(0.74, 0.8), dice.between(-1.5, 0.5)
    canvas.paint(canvas.ellipse((x, y), (2.4, 2.3), 0, 0, 0.05 * canvas.grain), 'cortical')
    canvas.paint(canvas.ellipse((x, y), (2.2, 2.1), 0, 0.1), 'spongy', 0.9)
    start = side * 2.2, -chest.cage_depth * 0.72
    end = side * chest.half_width * 0.55, -chest.cage_depth * dice.between(0.45, 0.6)
    canvas.paint(canvas.capsule(start, end, 0.55), 'cortical')
    canvas.paint(canvas.capsule(start, end, 0.32, 0.1), 'spongy')


def _lung_texture(canvas, dice, chest, lungs, height):
  """Denser behind, patchy, with holes in old lungs, and the line between two lobes."""
  shade = 55 * np.clip(canvas.y / chest.cage_depth, -1, 1) + 22 * canvas.field(4)
  if chest.emphysema:
    shade -= 75 * chest.emphysema * canvas.soft(canvas.field(1.5) - 0.4, 0.4)
  for side in (-1, 1):
    tilt = dice.between(-0.5, 0.3)
    line = np.abs(canvas.y - 2.2 + 9 * (height - 0.4) - tilt * (side * canvas.x - 6)
                  + 0.5 * canvas.field(5))
    shade += 420 * canvas.stroke(line, 0.035) * (side * canvas.x > 0)
  canvas.value += lungs * shade


def _table(canvas, chest):
  if not chest.table:
    return
  across, down = canvas.flat_places()
  line = down - chest.half_depth - 1.0 + (0.011 * across**2 if chest.table == 'curved' else 0)
  wide = canvas.soft(19.0 - np.abs(across), 0.3)
  canvas.paint(wide * canvas.stroke(np.abs(line), 0.16), 'table')
  canvas.paint(wide * canvas.stroke(np.abs(line - 2.4), 0.1), 'table', 0.6)


def draw_above(canvas, scene, chest: Chest) -> None:
  """What is drawn over a lesion: heart, vessels and spine, and the organs below the diaphragm."""
  mediastinum.draw_mediastinum(canvas, scene.dice('middle'), chest, scene.height)
  mediastinum.draw_spine(canvas, scene.dice('spine'), chest, scene.height)
  if chest.round:
    x, y = canvas.flat_places()
    canvas.paint(canvas.soft(np.hypot(x, y) - 0.5 * canvas.fov_cm), 'nothing')


def tags_of(scene, chest: Chest) -> set:
  """What of a chest's anatomy the slice shows."""
  low, high = ARCH
  shown = {'heart': scene.height < HEART_BELOW, 'aortic_arch': low < scene.height < high,
           'liver': scene.height < LIVER_BELOW, 'scapula': scene.height > SCAPULA_OVER + 0.04,
           'breast': chest.breast > 0 and 0.2 < scene.height < 0.7}
  return {name for name, seen in shown.items() if seen}
