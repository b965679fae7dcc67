"""Scene -> finished picture, and the truth about the figures in it."""

import cv2
import numpy as np

from data.dice import Dice
from data.toon import background, effects, figure, tagging
from data.toon.canvas import MASK_SHIFT, Canvas
from data.toon.scene import sample_scene

JPEG_QUALITY = 92


def draw_example(settings, split: str, index: int) -> dict:
  """Picture `index` of a split with everything known about it.

  Args:
    settings: gives data_seed, image_size_px and dropped_share.
    split: 'train', 'valid' or 'test'.
    index: 0 ..., of any size: a picture does not depend on how many there are.
  Returns:
    {'id', 'image' (JPEG bytes), 'tags', 'drawn_tags' (lists of tag indices), 'label', 'garment'
    (names; of the main figure), 'figures': per figure {'identity', 'box_px' (x, y, w, h),
    'area_px2', 'keypoints' float32 [17, 3] (x px, y px, COCO visibility)}}.
  """
  scene = sample_scene(settings.data_seed, split, index)
  drawn_tags = tagging.scene_tags(scene)
  image, figures = draw_scene(scene, settings.image_size_px)
  _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
  main = scene.figures[0]
  return {
      'id': f'{split}_{index:07d}', 'image': data.tobytes(),
      'tags': list(tagging.forget_tags(scene, drawn_tags, settings.dropped_share)),
      'drawn_tags': list(drawn_tags), 'label': main.identity, 'garment': main.garment,
      'figures': figures,
  }


def draw_scene(scene, size_px: int):
  """(RGB uint8 [size_px, size_px, 3], truths of the figures in the scene's order)."""
  factor = 2 if size_px > 128 else 3 if size_px > 96 else 4
  canvas = Canvas(size_px * factor, scene.style)
  canvas.line_scale = canvas.side / 512
  canvas.sketch = scene.medium == 'sketch'
  dice = Dice(scene.name, 'drawing')
  background.draw_background(canvas, dice, scene)
  _light(canvas, scene, 0.4)
  masks = [None] * len(scene.figures)
  points = [None] * len(scene.figures)
  for rank in sorted(range(len(masks)), key=lambda r: (r == 0, r)):
    canvas.mask = np.zeros((canvas.side >> MASK_SHIFT,) * 2, np.uint8)
    points[rank] = figure.draw_figure(canvas, dice, scene, scene.figures[rank])
    masks[rank] = canvas.mask
    for other in range(len(masks)):
      if other != rank and masks[other] is not None:
        masks[other][canvas.mask > 0] = 0
  canvas.mask = np.zeros_like(masks[0])
  background.draw_foreground(canvas, dice, scene)
  for mask in masks:
    mask[canvas.mask > 0] = 0
  image = cv2.resize(canvas.image, (size_px, size_px), interpolation=cv2.INTER_AREA)
  image = effects.finish(image, dice, scene)
  truths = [_truth(one, mask, joints / factor, size_px, factor)
            for one, mask, joints in zip(scene.figures, masks, points, strict=True)]
  return image, truths


def _light(canvas, scene, share):
  if scene.background == 'room' or scene.time == 'day':
    canvas.set_light((255, 255, 255), 0.0)
  else:
    canvas.set_light(background.NIGHT if scene.time == 'night' else background.SUNSET,
                     share * (1 if scene.time == 'night' else 0.7))


def _truth(one, mask, joints, size_px, factor):
  """COCO's view of a figure: what is in the frame and not hidden by another figure."""
  px_per_cell = (1 << MASK_SHIFT) / factor
  x, y, w, h = cv2.boundingRect(mask)
  keypoints = np.zeros((17, 3), np.float32)
  for row, (jx, jy) in enumerate(joints):
    if not (0 <= jx < size_px and 0 <= jy < size_px):
      continue
    # of an odd size the mask lacks the last half cell
    row_of, column_of = (min(int(at / px_per_cell), len(mask) - 1) for at in (jy, jx))
    cell = mask[row_of, column_of]
    keypoints[row] = jx, jy, 2 if cell else 1
  return {
      'identity': one.identity,
      'box_px': np.array([x, y, w, h], np.float32) * np.float32(px_per_cell),
      'area_px2': float(cv2.countNonZero(mask) * px_per_cell**2), 'keypoints': keypoints,
  }
