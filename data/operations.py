"""What is done to one example on the host: decode, resize, warp, cut out, change colours.

An operation is a frozen dataclass, `__call__(example) -> example`, that changes nothing it is
given. Random ones draw from `example['rng']`, which only training examples have. `keypoints`
[..., K, 3] (x px, y px, visible) and `box_px` [..., 4] (x, y, width, height) move with the picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from data.decode import decode_image
from errors import UserError

AUGMENTATIONS = ('mirror', 'warp', 'cutout', 'colour')
PADS = ('square', 'squish')
WHITE = (255, 255, 255)
# Where each of the 17 COCO joints goes in a mirror: left and right change places.
MIRRORED_JOINTS = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


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
    return _with_image(example, resized, matrix)


@dataclass(frozen=True)
class Warp:
  """Mirror, rotation, scale and translation of the picture in one affine warp.

  The angle is uniform within +-rotation_deg, the zoom within 1 +- scale_frac, the shift within
  +-translate_frac of the picture's sides; 0 switches a part off. A mirror swaps the left and right
  COCO joints; joints that leave the picture become invisible. What comes in from
  outside is white.
  """

  mirror_prob: float
  rotation_deg: float
  scale_frac: float
  translate_frac: float

  def __call__(self, example):
    image = example['image']
    height_px, width_px = image.shape[:2]
    draws = example['rng'].random(5)
    mirrored = draws[0] < self.mirror_prob
    turn, zoom, shift_x, shift_y = 2 * draws[1:] - 1
    turn, zoom = np.deg2rad(self.rotation_deg) * turn, 1 + self.scale_frac * zoom
    cos, sin, sign = zoom * np.cos(turn), zoom * np.sin(turn), -1 if mirrored else 1
    centre = np.array([width_px - 1, height_px - 1]) / 2
    linear = np.array([[sign * cos, -sin], [sign * sin, cos]])
    shift = self.translate_frac * np.array([shift_x * width_px, shift_y * height_px])
    matrix = np.column_stack([linear, centre + shift - linear @ centre])
    if self.rotation_deg == self.scale_frac == self.translate_frac == 0:
      warped = cv2.flip(image, 1) if mirrored else image
    else:
      warped = cv2.warpAffine(image, matrix, (width_px, height_px), flags=cv2.INTER_LINEAR,
                              borderMode=cv2.BORDER_CONSTANT, borderValue=WHITE)
    return _with_image(example, warped, matrix, mirrored)


@dataclass(frozen=True)
class Cutout:
  """Covers a grey square whose side is size_frac of the picture's shorter side.

  Its centre lies anywhere in the picture, so that the edges may cut it.

  Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout", 2017, arXiv 1708.04552.
  """

  size_frac: float

  def __call__(self, example):
    image = example['image'].copy()
    height_px, width_px = image.shape[:2]
    side_px = round(self.size_frac * min(height_px, width_px))
    top_px = int(example['rng'].integers(height_px)) - side_px // 2
    left_px = int(example['rng'].integers(width_px)) - side_px // 2
    image[max(0, top_px):max(0, top_px + side_px), max(0, left_px):max(0, left_px + side_px)] = 127
    return {**example, 'image': image}


@dataclass(frozen=True)
class Colour:
  """Changes brightness, contrast and saturation, each by a factor uniform in 1 +- its fraction.

  Contrast is scaled about the picture's mean grey, saturation about each pixel's own grey
  (ITU-R BT.601 luma). The three are one linear map, so pixels are rounded once.
  """

  brightness_frac: float
  contrast_frac: float
  saturation_frac: float

  def __call__(self, example):
    image = example['image']
    fractions = (self.brightness_frac, self.contrast_frac, self.saturation_frac)
    brightness, contrast, saturation = 1 + np.array(fractions) * example['rng'].uniform(-1, 1, 3)
    luma = np.array([0.299, 0.587, 0.114])
    mean_grey = luma @ cv2.mean(image)[:3]
    linear = saturation * np.eye(3) + (1 - saturation) * luma
    matrix = np.column_stack([brightness * contrast * linear,
                              np.full(3, brightness * (1 - contrast) * mean_grey)])
    return {**example, 'image': cv2.transform(image, matrix)}


def build_pipeline(config_data, *, train: bool) -> tuple:
  """Returns the operations of `config.data`, with its augmentations where train is true.

  'mirror' and 'warp' are one operation.

  Raises:
    UserError: `config.data.augment` or `config.data.pad` has a name that is none of the choices.
  """
  if config_data.pad not in PADS:
    raise UserError(f"config.data.pad is '{config_data.pad}'; choose one of {', '.join(PADS)}.")
  names = tuple(config_data.augment)
  for name in names:
    if name not in AUGMENTATIONS:
      raise UserError(f"config.data.augment has '{name}'; choose among {', '.join(AUGMENTATIONS)}.")
  pipeline = [Decode(config_data.max_pixels), Resize(config_data.image_size_px, config_data.pad)]
  if not train:
    return tuple(pipeline)
  if 'mirror' in names or 'warp' in names:
    mirror_prob = 0.5 if 'mirror' in names else 0.0
    extents = (config_data.rotation_deg, config_data.scale_frac, config_data.translate_frac)
    pipeline.append(Warp(mirror_prob, *(extents if 'warp' in names else (0.0, 0.0, 0.0))))
  if 'cutout' in names:
    pipeline.append(Cutout(config_data.cutout_frac))
  if 'colour' in names:
    pipeline.append(Colour(*(config_data.colour_frac,) * 3))
  return tuple(pipeline)


def _with_image(example, image, matrix, mirrored=False):
  """The example with a moved picture, and its points moved by matrix [2, 3] (from old to new)."""
  example = {**example, 'image': image}
  if 'keypoints' in example:
    example['keypoints'] = _move_keypoints(example['keypoints'], image, matrix, mirrored)
  if 'box_px' in example:
    example['box_px'] = _move_boxes(example['box_px'], image, matrix)
  return example


def _move_keypoints(keypoints, image, matrix, mirrored):
  """Keypoints [..., K, 3] moved by matrix; those outside the picture become invisible."""
  if mirrored:
    if keypoints.shape[-2] != len(MIRRORED_JOINTS):
      raise ValueError(f'a mirror knows the left and right of {len(MIRRORED_JOINTS)} COCO joints; '
                       f'the keypoints have shape {list(keypoints.shape)}')
    keypoints = keypoints[..., MIRRORED_JOINTS, :]
  points = keypoints[..., :2] @ matrix[:, :2].T + matrix[:, 2]
  height_px, width_px = image.shape[:2]
  inside = ((points >= -0.5) & (points < (width_px - 0.5, height_px - 0.5))).all(-1)
  visible = np.where(inside, keypoints[..., 2], 0)
  return np.concatenate([points, visible[..., None]], -1).astype(np.float32)


def _move_boxes(boxes, image, matrix):
  """Boxes [..., 4] around the moved corners of the old ones, cut at the edges of the picture."""
  start, size = boxes[..., None, :2], boxes[..., None, 2:]
  corners = start + size * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])  # [..., 4, 2]
  corners = corners @ matrix[:, :2].T + matrix[:, 2]
  corners = corners.clip(-0.5, (image.shape[1] - 0.5, image.shape[0] - 0.5))
  start = corners.min(-2)
  return np.concatenate([start, corners.max(-2) - start], -1).astype(np.float32)
