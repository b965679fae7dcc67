"""Slice -> finished 16-bit picture, and what is known about it."""

import cv2
import numpy as np

from data.phantom import chest, head, lesions, scanner, vocabulary
from data.phantom.canvas import Canvas, Noise
from data.phantom.patient import sample_slice
from data.phantom.tissues import tissue_table


def draw_example(settings, split: str, index: int) -> dict:
  """Slice `index` of a split with everything known about it.

  Args:
    settings: gives data_seed and image_size_px.
    split: 'train', 'valid' or 'test'.
    index: 0 ..., of any size: a slice does not depend on how many there are.
  Returns:
    {'id', 'image' (16-bit PNG bytes), 'patient' (a number), 'tags' (list of tag indices),
    'finding' (a name), 'lesion_box_px' float32 [4] (x, y, w, h; zeros where the slice is clear),
    'lesion_area_px2'}.
  """
  scene = sample_slice(settings.data_seed, split, index)
  image, tags, lesion = draw_slice(scene, settings.image_size_px)
  _, data = cv2.imencode('.png', image)
  return {
      'id': f'{split}_{index:07d}', 'image': data.tobytes(), 'patient': scene.patient.number,
      'tags': sorted(vocabulary.INDEX[tag] for tag in tags), 'finding': scene.finding,
      **_truth(lesion, settings.image_size_px),
  }


def draw_slice(scene, size_px: int) -> tuple:
  """(uint16 [size_px, size_px], set of tags, alpha of the lesion [s, s] or None)."""
  patient = scene.patient
  canvas, body = _lay_down(scene, size_px)
  part = head if patient.part == 'head' else chest
  room = part.draw_below(canvas, scene, body)
  lesion = lesions.draw_lesion(canvas, scene, room) if scene.finding != 'clear' else None
  part.draw_above(canvas, scene, body)
  faults = scanner.sample_faults(scene)
  image = scanner.scan(canvas, scene, size_px, Noise(f'{scene.name}/{size_px}'), faults)
  return image, _tags(scene, body) | faults, lesion


def _lay_down(scene, size_px):
  """An empty canvas with the patient on it, and the patient's body."""
  patient = scene.patient
  dice = patient.dice('lying')
  noise = Noise(scene.name)
  turn = dice.between(-1, 1) ** 3 * (9 if patient.part == 'head' else 4)
  shift = dice.between(-0.6, 0.6), dice.between(-0.6, 0.6)
  if patient.part == 'head':
    body = head.sample_head(patient)
    fov_cm = 2 * body.half_length * dice.between(1.03, 1.24) * (0.88 if patient.stripped else 1)
    canvas = Canvas(size_px, fov_cm, noise, turn, shift, 0.09)
  else:
    body = chest.sample_chest(patient)
    canvas = Canvas(size_px, chest.field_of_view(body, dice), noise, turn, shift, 0.3)
  canvas.tissues = tissue_table(patient.modality, patient.dice('tissue'), patient.contrast)
  return canvas, body


def _tags(scene, body):
  """What the slice shows of vocabulary.TAG_NAMES, faults left out."""
  patient = scene.patient
  part = head if patient.part == 'head' else chest
  names = {patient.part, patient.modality} | part.tags_of(scene, body)
  names |= {patient.window} if patient.window else set()
  names |= {'contrast'} if patient.contrast else set()
  if patient.part == 'head' and patient.window == 'bone_window':
    names -= head.SOFT_TAGS
  names = (names - {'eyes'}) | {'skull_stripped'} if patient.stripped else names
  return names | ({scene.finding} if scene.finding != 'clear' else set())


def _truth(alpha, size_px):
  """COCO's view of a lesion."""
  if alpha is None:
    return {'lesion_box_px': np.zeros(4, np.float32), 'lesion_area_px2': 0.0}
  scale = size_px / alpha.shape[0]
  box = cv2.boundingRect((alpha > 0.5).astype(np.uint8))
  return {'lesion_box_px': np.array(box, np.float32) * np.float32(scale),
          'lesion_area_px2': float(alpha.sum() * scale**2)}
