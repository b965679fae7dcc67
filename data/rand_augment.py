"""RandAugment: a few operations, drawn from a fixed list, one after another at one magnitude.

Source: Cubuk, Zoph, Shlens, Le, "RandAugment: Practical automated data augmentation with a reduced
  search space", 2019, arXiv 1909.13719: the list of 14 and the two numbers; the extents at 10 are
  those of AutoAugment (Cubuk et al., 2018, arXiv 1805.09501, table 6 of the appendix). Differs by
  white in place of grey where nothing is, and by a sharpness whose smooth picture is a Gaussian of
  3 px.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from data.decode import LUMA
from data.geometry import move

# At magnitude 10.
MOST_TURN_DEG = 30.0
MOST_SHEAR = 0.3
MOST_SHIFT_FRAC = 0.45            # of the picture's side: 150 of 331 px
MOST_FACTOR = 0.9                 # colour, contrast, brightness, sharpness: 1 +- this
MOST_BITS_LOST = 4


@dataclass(frozen=True)
class RandAugment:
  """`count` operations of OPERATIONS, each drawn anew, at `magnitude` of 0 to 10.

  Pictures are uint8 [h, w, 3] and keep their size.
  Those with a direction (rotate, shear, translate, and more or less colour, contrast, brightness,
  sharpness) draw its sign. Rotating, shearing and translating move joints and boxes along; the
  others change no place. At 0 only autocontrast, equalize and rounding change anything.
  """

  count: int
  magnitude: float

  def __call__(self, example):
    rng = example['rng']
    names = tuple(OPERATIONS)
    for _ in range(self.count):
      name = names[int(rng.integers(len(names)))]
      sign = 1 if rng.random() < 0.5 else -1
      example = apply(name, example, self.magnitude / 10, sign)
    return example


def apply(name: str, example: dict, extent: float, sign: int) -> dict:
  """An example with the picture that one operation makes of its `image`, uint8 [h, w, 3].

  Args: name: of OPERATIONS; extent: 0 to 1; sign: 1 or -1, where it has a direction.
  """
  operation = OPERATIONS[name]
  if name not in GEOMETRIC:
    return {**example, 'image': operation(example['image'], extent, sign)}
  image = example['image']
  height_px, width_px = image.shape[:2]
  linear, shift = operation(extent * sign)
  centre = np.array([width_px - 1, height_px - 1]) / 2
  shift = np.array(shift) * (width_px, height_px)
  matrix = np.column_stack([linear, centre + shift - np.array(linear) @ centre])
  moved = cv2.warpAffine(image, matrix, (width_px, height_px), flags=cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_CONSTANT, borderValue=(255, 255, 255))
  return move(example, moved, matrix)


def _rotate(extent):
  turn = np.deg2rad(MOST_TURN_DEG * extent)
  return [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], (0, 0)


def _shear_x(extent):
  return [[1, MOST_SHEAR * extent], [0, 1]], (0, 0)


def _shear_y(extent):
  return [[1, 0], [MOST_SHEAR * extent, 1]], (0, 0)


def _translate_x(extent):
  return np.eye(2), (MOST_SHIFT_FRAC * extent, 0)


def _translate_y(extent):
  return np.eye(2), (0, MOST_SHIFT_FRAC * extent)


def _identity(image, extent, sign):
  return image


def _autocontrast(image, extent, sign):
  """Each channel's darkest and lightest value become 0 and 255."""
  flat = image.reshape(-1, 3)
  low, high = flat.min(0).astype(float), flat.max(0).astype(float)
  zoom = np.where(high > low, 255 / np.maximum(high - low, 1), 1)
  return _linear(image, np.diag(zoom), np.where(high > low, -low * zoom, 0))


def _equalize(image, extent, sign):
  """Each channel's values become about equally frequent."""
  return cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(image)])


def _solarize(image, extent, sign):
  """Values from a threshold on, 256 at extent 0 and 0 at 1, are inverted."""
  threshold = 256 * (1 - extent)
  values = np.arange(256)
  return cv2.LUT(image, np.where(values >= threshold, 255 - values, values).astype(np.uint8))


def _posterize(image, extent, sign):
  """The lowest bits become 0."""
  return image & np.uint8(256 - 2 ** round(MOST_BITS_LOST * extent))


def _colour(image, extent, sign):
  factor = 1 + sign * MOST_FACTOR * extent
  return _linear(image, factor * np.eye(3) + (1 - factor) * LUMA, np.zeros(3))


def _contrast(image, extent, sign):
  factor = 1 + sign * MOST_FACTOR * extent
  return _linear(image, factor * np.eye(3),
                 np.full(3, (1 - factor) * LUMA @ cv2.mean(image)[:3]))


def _brightness(image, extent, sign):
  return _linear(image, (1 + sign * MOST_FACTOR * extent) * np.eye(3), np.zeros(3))


def _sharpness(image, extent, sign):
  """More or less of what a picture has beside its smooth form."""
  share = sign * MOST_FACTOR * extent
  return cv2.addWeighted(image, 1 + share, cv2.GaussianBlur(image, (3, 3), 0), -share, 0)


def _linear(image, matrix, shift):
  return cv2.transform(image, np.column_stack([matrix, shift]))


GEOMETRIC = ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y')
OPERATIONS = {
    'identity': _identity, 'autocontrast': _autocontrast, 'equalize': _equalize,
    'rotate': _rotate, 'solarize': _solarize, 'colour': _colour, 'posterize': _posterize,
    'contrast': _contrast, 'brightness': _brightness, 'sharpness': _sharpness,
    'shear_x': _shear_x, 'shear_y': _shear_y, 'translate_x': _translate_x,
    'translate_y': _translate_y,
}
