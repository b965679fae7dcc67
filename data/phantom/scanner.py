"""How a machine sees the slice: window or gain, blur, shading, noise, and now and then a fault."""

import cv2
import numpy as np

WINDOWS = {  # HU of black and of white
    'brain_window': (-5, 85), 'soft_window': (-160, 240), 'lung_window': (-1350, 150),
    'bone_window': (-500, 1500),
}
NOISE = 0.008, 0.026  # least and most deviation, of the range from black to white
STRIPPED_GAIN = {'mri_t1': 1.3, 'mri_t2': 1.0, 'mri_pd': 1.0}  # without the bright fat
MOTION_FRAC, RINGS_FRAC, STREAKS_FRAC = 0.05, 0.05, 0.2


def sample_faults(scene) -> set:
  """Which of the tags 'motion', 'rings' and 'streaks' the slice has."""
  dice = scene.dice('faults')
  moved, rings, streaks = (dice.chance(share) for share in (MOTION_FRAC, RINGS_FRAC, STREAKS_FRAC))
  if scene.patient.modality != 'ct':
    return {'motion'} if moved else set()
  bony = scene.patient.part == 'chest' and scene.height > 0.85 or (
      scene.patient.part == 'head' and scene.height < 0.25)
  return ({'rings'} if rings else set()) | ({'streaks'} if streaks and bony else set())


def scan(canvas, scene, size_px: int, noise, faults: set) -> np.ndarray:
  """The finished slice, uint16 [size_px, size_px].

  Args:
    canvas: what was drawn: signal in 0..1, or HU.
    noise: a stream of its own, as the number of numbers taken from it grows with the size.
  """
  dice = scene.dice('scanner')
  if scene.patient.modality == 'ct':
    picture = _scan_ct(canvas, scene, size_px, dice, noise, faults)
  else:
    picture = _scan_mri(canvas, scene, size_px, dice, noise, faults)
  return np.round(np.clip(picture, 0, 1) * 65535).astype(np.uint16)


def _shrink(image, size_px):
  return cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)


def _scan_mri(canvas, scene, size_px, dice, noise, faults):
  """Coil shading, blur of the sampled frequencies, and the noise of a magnitude (Rician)."""
  shading = scene.patient.dice('coil')
  lean = shading.between(-0.12, 0.12), shading.between(-0.15, 0.15)
  half = canvas.fov_cm / 2
  coil = 1 + lean[0] * canvas.x / half + lean[1] * canvas.y / half + 0.045 * canvas.field(9)
  image = canvas.value * coil.astype(np.float32)
  blur = dice.between(0.02, 0.075) / canvas.px_cm
  if blur > 0.3:
    image = cv2.GaussianBlur(image, (0, 0), blur)
  if 'motion' in faults:
    image = _ghosts(image, dice, canvas)
  gain = scene.patient.dice('gain').between(0.82, 1.0)
  gain *= STRIPPED_GAIN[scene.patient.modality] if scene.patient.stripped else 1
  image = _shrink(image, size_px) * gain
  deviation = scene.patient.dice('noise').between(*NOISE)
  real, imaginary = noise.normals(2, size_px, size_px) * deviation
  image = np.hypot(image + real, imaginary)
  return image if canvas.kept is None else image * _shrink(canvas.kept, size_px)


def _ghosts(image, dice, canvas):
  """Faint copies along one axis, as of a head that moved between two lines of a scan."""
  rows = dice.chance(0.5)
  total = image.copy()
  for step in (1, -1, 2):
    shift = step * dice.between(0.06, 0.16) * canvas.side
    matrix = np.float32([[1, 0, 0 if rows else shift], [0, 1, shift if rows else 0]])
    total += dice.between(0.05, 0.13) * cv2.warpAffine(image, matrix, (canvas.side,) * 2)
  return total * 0.92


def _scan_ct(canvas, scene, size_px, dice, noise, faults):
  """Streaks and rings, noise with the grain of the reconstruction kernel, and the window."""
  image = canvas.value
  if 'streaks' in faults:
    image = image + _streaks(image, dice)
  if 'rings' in faults:
    image = image + _rings(canvas, dice)
  blur = dice.between(0.02, 0.06) / canvas.px_cm
  if blur > 0.3:
    image = cv2.GaussianBlur(image, (0, 0), blur)
  low, high = WINDOWS[scene.patient.window]
  level = scene.patient.dice('window').between(-0.06, 0.06) * (high - low)
  wide = (high - low) * scene.patient.dice('width').between(0.9, 1.15)
  image = (_shrink(image, size_px) - low - level) / wide
  grain = noise.normals(size_px, size_px)
  kernel = scene.patient.dice('kernel').between(0.35, 0.75)
  grain = cv2.GaussianBlur(grain, (0, 0), kernel)
  grain /= grain.std()
  deviation = scene.patient.dice('noise').between(*NOISE)
  return image + deviation * grain


def _streaks(image, dice):
  """Dark and bright bands between dense bones: bone smeared along a few directions."""
  bone = np.clip(image - 300, 0, 900)
  side = image.shape[0]
  small = cv2.resize(bone, (64, 64), interpolation=cv2.INTER_AREA)
  total = np.zeros_like(small)
  for _ in range(3):
    turn = dice.between(-35, 35)
    kernel = np.zeros((63, 63), np.float32)
    reach = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))]) * 31
    start, end = np.round(31 - reach).astype(int), np.round(31 + reach).astype(int)
    cv2.line(kernel, tuple(map(int, start)), tuple(map(int, end)), 1.0, 1, cv2.LINE_AA)
    smear = cv2.filter2D(small, -1, kernel / kernel.sum(), borderType=cv2.BORDER_CONSTANT)
    total -= smear - 0.85 * cv2.GaussianBlur(smear, (0, 0), 3)
  return cv2.resize(total, (side, side), interpolation=cv2.INTER_CUBIC) * 0.25


def _rings(canvas, dice):
  """Thin circles around the middle of the machine."""
  half = canvas.fov_cm / 2
  radius = np.hypot(*canvas.flat_places())
  total = np.zeros_like(radius)
  for _ in range(dice.count(2, 5)):
    middle, wide = dice.between(0.08, 0.6) * half, canvas.fov_cm * 0.006
    strength = dice.between(8, 28) * (1 if dice.chance(0.5) else -1)
    total += strength * np.exp(-((radius - middle) / wide)**2)
  return total * (canvas.value > -900)
