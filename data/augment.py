"""Augmentations: random operations that make another picture of a training picture.

Each draws from `example['rng']` alone and moves joints and boxes along; see data/operations.py.
"""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from data.decode import LUMA
from data.geometry import has_places, move, resize

WHITE, BLACK = 255, 0
IDENTITY = np.eye(3)


@dataclass(frozen=True)
class Warp:
  """Mirror, rotation, scale and translation of the picture in one affine warp.

  The angle is uniform within +-rotation_deg, the zoom within 1 +- scale_frac, the shift within
  +-translate_frac of the picture's sides; 0 switches a part off. A mirror swaps the left and right
  COCO joints; joints that leave the picture become invisible. What comes in from outside has the
  value `fill` in every channel. Pictures are uint8 [h, w, 3], or of scans float32 [h, w, 1].
  """

  mirror_prob: float
  rotation_deg: float
  scale_frac: float
  translate_frac: float
  fill: int = WHITE

  def __call__(self, example):
    image, draws = example['image'], example['rng'].random(5).tolist()
    mirrored = draws[0] < self.mirror_prob
    warps = self.rotation_deg or self.scale_frac or self.translate_frac
    matrix = None
    if warps or has_places(example):
      matrix = self._matrix(mirrored, draws[1:], image.shape[1::-1])
    if warps:
      warped = cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR,
                              borderMode=cv2.BORDER_CONSTANT, borderValue=(self.fill,) * 3)
    elif mirrored:
      warped = cv2.flip(image, 1)
    else:
      return move(example, image, matrix)
    return move(example, warped.reshape(image.shape), matrix, mirrored)  # OpenCV drops one channel

  def _matrix(self, mirrored, draws, size_px):
    """float64 [2, 3], from the old coordinates to the new ones. Args: size_px: width, height."""
    turn, zoom, *shift = (2 * draw - 1 for draw in draws)
    turn, zoom = math.radians(self.rotation_deg) * turn, 1 + self.scale_frac * zoom
    cos, sin, sign = zoom * float(np.cos(turn)), zoom * float(np.sin(turn)), -1 if mirrored else 1
    linear, centre = [[sign * cos, -sin], [sign * sin, cos]], [(side - 1) / 2 for side in size_px]
    moved = (np.array(linear) @ np.array(centre)).tolist()
    return np.array([[*row, middle + self.translate_frac * (far * side) - place]
                     for row, middle, far, side, place in zip(linear, centre, shift, size_px, moved,
                                                              strict=True)])


@dataclass(frozen=True)
class Cutout:
  """Covers a grey square whose side is size_frac of the shorter side of `image`, uint8 [h, w, 3].

  Its centre lies anywhere in the picture, so that the edges may cut it. With `in_place` the pixels
  that it is given are changed: for a pipeline, whose first operation makes them.

  Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout", 2017, arXiv 1708.04552.
  """

  size_frac: float
  in_place: bool = field(default=False, repr=False, compare=False)

  def __call__(self, example):
    image = example['image'] if self.in_place else example['image'].copy()
    height_px, width_px = image.shape[:2]
    side_px = round(self.size_frac * min(height_px, width_px))
    top_px = int(example['rng'].integers(height_px)) - side_px // 2
    left_px = int(example['rng'].integers(width_px)) - side_px // 2
    image[max(0, top_px):max(0, top_px + side_px), max(0, left_px):max(0, left_px + side_px)] = 127
    return {**example, 'image': image}


@dataclass(frozen=True)
class Colour:
  """Changes brightness, contrast and saturation, each by a factor uniform in 1 +- its fraction.

  Pictures are uint8 [h, w, 3]: red, green, blue.
  Contrast is scaled about the picture's mean grey, saturation about each pixel's own grey
  (ITU-R BT.601 luma). The three are one linear map, so pixels are rounded once.
  """

  brightness_frac: float
  contrast_frac: float
  saturation_frac: float

  def __call__(self, example):
    image = example['image']
    fractions = (self.brightness_frac, self.contrast_frac, self.saturation_frac)
    brightness, contrast, saturation = (
        1 + frac * draw for frac, draw in zip(
            fractions, example['rng'].uniform(-1, 1, 3).tolist(), strict=True))
    mean_grey = LUMA @ cv2.mean(image)[:3]
    linear = saturation * IDENTITY + (1 - saturation) * LUMA
    matrix = np.empty((3, 4))
    matrix[:, :3] = brightness * contrast * linear
    matrix[:, 3] = brightness * (1 - contrast) * mean_grey
    return {**example, 'image': cv2.transform(image, matrix)}


@dataclass(frozen=True)
class RandomCrop:
  """A random part of what `Resize` would show, brought to [size_px, size_px, 3]; in its place.

  The part's area is uniform within least_frac to 1 of the whole, its width over its height uniform
  in the logarithm within 1 / aspect to aspect; sides longer than the whole's are cut. With
  pad='square' the whole is the picture with its white margins, with 'squish' the picture made
  square. The part lies anywhere, but along each axis within the picture, or around all of it where
  it is longer: no part is white alone.

  Source: of area and aspect, Szegedy et al., "Going Deeper with Convolutions", 2014,
    arXiv 1409.4842, section 6; differs by where sides that do not fit are cut, not drawn again.
  """

  size_px: int
  pad: str
  least_frac: float
  aspect: float

  def __call__(self, example):
    image = example['image']
    height_px, width_px = image.shape[:2]
    whole = np.array([width_px, height_px], float)             # x, y
    if self.pad == 'square':
      whole[:] = whole.max()
    draws = example['rng'].random(4)
    area = self.least_frac + (1 - self.least_frac) * draws[0]
    stretch = self.aspect ** (draws[1] - 0.5)                   # square root of the aspect
    sides = whole * np.minimum(1, np.sqrt(area) * np.array([stretch, 1 / stretch]))
    start = draws[2:] * ((width_px, height_px) - sides)
    left, top = np.minimum(np.rint(start).astype(int), (width_px - 1, height_px - 1))
    right, bottom = np.maximum(np.rint(start + sides).astype(int), (left + 1, top + 1))
    part = _cut_out(image, left, top, right, bottom)
    resized = resize(part, self.size_px, self.size_px)
    zoom_x, zoom_y = self.size_px / (right - left), self.size_px / (bottom - top)
    matrix = np.array([[zoom_x, 0, (0.5 - left) * zoom_x - 0.5],
                       [0, zoom_y, (0.5 - top) * zoom_y - 0.5]])
    return move(example, resized, matrix)


def _cut_out(image, left, top, right, bottom):
  """A part of a picture, white where it sticks out."""
  height_px, width_px = image.shape[:2]
  inner = image[max(0, top):bottom, max(0, left):right]
  if inner.shape[:2] == (bottom - top, right - left):
    return inner
  canvas = np.full((bottom - top, right - left, 3), WHITE, np.uint8)
  y, x = max(0, -top), max(0, -left)
  canvas[y:y + inner.shape[0], x:x + inner.shape[1]] = inner
  return canvas
