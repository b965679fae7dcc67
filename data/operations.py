"""What is done to one example on the host: decode, resize, and in training augment.

An operation is a frozen dataclass, `__call__(example) -> example`, that changes nothing it is
given. Random ones draw from `example['rng']`, which only training examples have. `keypoints`
[..., K, 3] (x px, y px, visible) and `box_px` [..., 4] (x, y, width, height) move with the picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from data.augment import Colour, Cutout, RandomCrop, Warp
from data.decode import decode_image
from data.geometry import move
from data.rand_augment import RandAugment
from errors import UserError

AUGMENTATIONS = ('mirror', 'rotation', 'scale', 'translation', 'crop', 'randaugment', 'cutout',
                 'colour')
FORMER = {'warp': ('rotation', 'scale', 'translation')}  # names of old, and what they became
PADS = ('square', 'squish')


@dataclass(frozen=True)
class Decode:
  """`image_bytes` -> `image`, uint8 [h, w, 3] RGB.

  Raises:
    DecodeError: the picture cannot be read or has more than max_pixels pixels.
  """

  max_pixels: int

  def __call__(self, example):
    example = dict(example)
    image_bytes = example.pop('image_bytes')
    return {**example, 'image': decode_image(image_bytes, max_pixels=self.max_pixels)}


@dataclass(frozen=True)
class Resize:
  """`image` -> [size_px, size_px, 3]; a picture of that size passes as it is.

  pad='square' keeps the picture's shape and fills up with white on both sides; 'squish' stretches
  it. Shrinking averages areas, enlarging is cubic.
  """

  size_px: int
  pad: str

  def __call__(self, example):
    image = example['image']
    height_px, width_px = image.shape[:2]
    if (height_px, width_px) == (self.size_px, self.size_px):
      return example
    new_height_px = new_width_px = self.size_px
    if self.pad == 'square':
      zoom = self.size_px / max(height_px, width_px)
      new_height_px, new_width_px = max(1, round(height_px * zoom)), max(1, round(width_px * zoom))
    shrinks = new_height_px * new_width_px < height_px * width_px
    resized = cv2.resize(image, (new_width_px, new_height_px),
                         interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    top_px, left_px = (self.size_px - new_height_px) // 2, (self.size_px - new_width_px) // 2
    if resized.shape != (self.size_px, self.size_px, 3):
      canvas = np.full((self.size_px, self.size_px, 3), 255, np.uint8)
      canvas[top_px:top_px + new_height_px, left_px:left_px + new_width_px] = resized
      resized = canvas
    zoom_x, zoom_y = new_width_px / width_px, new_height_px / height_px
    # Half a pixel more and less: coordinates count from pixel centres, sizes from pixel edges.
    matrix = np.array([[zoom_x, 0, left_px + 0.5 * zoom_x - 0.5],
                       [0, zoom_y, top_px + 0.5 * zoom_y - 0.5]])
    return move(example, resized, matrix)


def build_pipeline(config_data, *, train: bool) -> tuple:
  """Returns the operations of `config.data`, with its augmentations where train is true.

  'mirror', 'rotation', 'scale' and 'translation' are one operation, a single warp; 'crop' takes the
  place of resizing. What cuts a part out by its content (the person in the picture), in training
  and in evaluation alike, belongs between decoding and these.

  Raises:
    UserError: `config.data.pad` or, in training, `config.data.augment` has a name that is none of
      the choices, or the number of an augmentation makes no sense.
  """
  if config_data.pad not in PADS:
    raise UserError(f"config.data.pad is '{config_data.pad}'; choose one of {', '.join(PADS)}.")
  size = config_data.image_size_px, config_data.pad
  if not train:
    return Decode(config_data.max_pixels), Resize(*size)
  names = tuple(config_data.augment)
  _check_augmentations(config_data, names)
  resize = (RandomCrop(*size, config_data.crop_least_frac, config_data.crop_aspect)
            if 'crop' in names else Resize(*size))
  pipeline = [Decode(config_data.max_pixels), resize]
  extents = [extent if name in names else 0.0 for name, extent in (
      ('rotation', config_data.rotation_deg), ('scale', config_data.scale_frac),
      ('translation', config_data.translate_frac))]
  if 'mirror' in names or any(extents):
    pipeline.append(Warp(0.5 if 'mirror' in names else 0.0, *extents))
  if 'randaugment' in names:
    pipeline.append(RandAugment(config_data.randaugment_count, config_data.randaugment_magnitude))
  if 'cutout' in names:
    pipeline.append(Cutout(config_data.cutout_frac))
  if 'colour' in names:
    pipeline.append(Colour(*(config_data.colour_frac,) * 3))
  return tuple(pipeline)


def _check_augmentations(config_data, names):
  """Raises UserError for a name that is none of the choices, and for numbers that make no sense."""
  for name in names:
    if name in FORMER:
      raise UserError(f"config.data.augment has '{name}', which became three: write "
                      f"{', '.join(map(repr, FORMER[name]))} in its place.")
    if name not in AUGMENTATIONS:
      raise UserError(f"config.data.augment has '{name}'; choose among {', '.join(AUGMENTATIONS)}.")
  for name, key, least, most in (
      ('scale', 'scale_frac', 0, 0.9), ('crop', 'crop_least_frac', 0.01, 1),
      ('crop', 'crop_aspect', 1, 10), ('randaugment', 'randaugment_count', 1, 14),
      ('randaugment', 'randaugment_magnitude', 0, 10)):
    if name in names and not least <= getattr(config_data, key) <= most:
      raise UserError(f'config.data.{key} is {getattr(config_data, key)}; expected {least} to '
                      f'{most}.')
