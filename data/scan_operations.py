"""What is done to a slice of a scan on the host: decode, resize, and damage it for a net to mend.

Operations as those of data/operations.py, of pictures float32 [h, w, 1] in 0 (black) to 1.
"""

import dataclasses
import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from data.geometry import resize
from data.scans.pictures import decode_grey
from errors import UserError


@dataclass(frozen=True)
class DecodeScan:
  """`scan`, float32 [h, w, 1], or the `image_bytes` of a picture -> `image` float32 [h, w, 1].

  Raises:
    DecodeError: the picture cannot be read or has more than max_pixels pixels.
  """

  max_pixels: int

  needs = ('scan',)               # keys of an example, besides the picture

  def __call__(self, example):
    example = dict(example)
    image_bytes, image = example.pop('image_bytes', None), example.pop('scan', None)
    if image is None:
      image = decode_grey(image_bytes, self.max_pixels)[..., None]
    return {**example, 'image': image}


@dataclass(frozen=True)
class ResizeScan:
  """`image` -> [size_px, size_px, 1], its shape kept, black on both sides where it is filled up.

  Shrinking averages areas, enlarging is cubic.
  """

  size_px: int

  def __call__(self, example):
    image = example['image']
    if image.shape == (self.size_px, self.size_px, 1):
      return example
    top, left, height_px, width_px = place_in_square(image.shape[:2], self.size_px)
    canvas = np.zeros((self.size_px, self.size_px, 1), np.float32)
    canvas[top:top + height_px, left:left + width_px, 0] = _resize(
        image[..., 0], height_px, width_px)
    return {**example, 'image': canvas}


def place_in_square(shape: tuple[int, int], size_px: int) -> tuple[int, int, int, int]:
  """(top, left, height, width) in px of a picture, (height, width), that `ResizeScan` has shrunk
  or enlarged into a square."""
  zoom = size_px / max(shape)
  height_px, width_px = (max(1, round(side * zoom)) for side in shape)
  return (size_px - height_px) // 2, (size_px - width_px) // 2, height_px, width_px


def undo_resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """float32 [h, w] in the size before `ResizeScan`.

  Args: image: float32 [S, S, 1] or [S, S], as it left a net; shape: (h, w).
  """
  image = np.asarray(image, np.float32).reshape(image.shape[:2])
  top, left, height_px, width_px = place_in_square(shape, len(image))
  return _resize(image[top:top + height_px, left:left + width_px], *shape)


def _resize(image, height_px, width_px):
  """float32 [height_px, width_px] in 0 to 1, of float32 [h, w]."""
  if image.shape == (height_px, width_px):
    return image
  return np.clip(resize(np.ascontiguousarray(image), width_px, height_px), 0, 1)


@dataclass(frozen=True)
class Corrupt:
  """`target` is the picture as it came, `image` the damaged one, `known` where it was not lost.

  All are float32 [h, w, 1]; what is lost is 0 in `image` and in `known`. The kinds follow each
  other in their order, each within 0 to 1:
    blur: a Gaussian of deviation blur_px;
    gaussian: normal noise of deviation noise_deviation is added;
    rician: the size of a complex number whose parts have such noise, as that of MRI;
    keep: each pixel is lost but with probability keep_frac, of a training picture with one that is
      drawn between keep_frac and keep_most_frac, where that is larger;
    lines: a share of missing_lines_frac of the rows is lost.
  Training draws from `example['rng']`; else the `id` decides, so that a picture is always damaged
  alike.

  Source: of rician, Gudbjartsson and Patz, "The Rician distribution of noisy MRI data", Magnetic
    Resonance in Medicine 34, 1995, equation 1.
  """

  kinds: tuple[str, ...]
  keep_frac: float
  noise_deviation: float
  blur_px: float
  missing_lines_frac: float
  keep_most_frac: float = 0.0

  def __call__(self, example):
    target = example['image']
    rng = example.get('rng')
    settings = self if rng is None else self._drawn(rng)
    rng = _rng_of(example['id']) if rng is None else rng
    image, known = target, np.ones_like(target)
    for kind in self.kinds:
      image, known = KINDS[kind](settings, image, known, rng)
    return {**example, 'target': target, 'image': image * known, 'known': known}

  def _drawn(self, rng):
    """The same for one training picture."""
    if self.keep_most_frac <= self.keep_frac:
      return self
    return dataclasses.replace(self, keep_frac=rng.uniform(self.keep_frac, self.keep_most_frac))

  def _blur(self, image, known, rng):
    blurred = cv2.GaussianBlur(image[..., 0], (0, 0), self.blur_px, borderType=cv2.BORDER_REPLICATE)
    return np.clip(blurred, 0, 1)[..., None], known

  def _add_gaussian(self, image, known, rng):
    return np.clip(image + self._noise(image, rng), 0, 1), known

  def _add_rician(self, image, known, rng):
    size = np.hypot(image + self._noise(image, rng), self._noise(image, rng))
    return np.clip(size, 0, 1), known

  def _keep(self, image, known, rng):
    return image, known * (rng.random(image.shape, np.float32) < self.keep_frac)

  def _drop_lines(self, image, known, rng):
    height_px = len(image)
    rows = rng.choice(height_px, round(self.missing_lines_frac * height_px), replace=False)
    known = known.copy()
    known[rows] = 0
    return image, known

  def _noise(self, image, rng):
    return self.noise_deviation * rng.standard_normal(image.shape, np.float32)


KINDS = {'blur': Corrupt._blur, 'gaussian': Corrupt._add_gaussian, 'rician': Corrupt._add_rician,
         'keep': Corrupt._keep, 'lines': Corrupt._drop_lines}


def _rng_of(id):
  digest = hashlib.blake2b(str(id).encode(errors='surrogateescape'), digest_size=8).digest()
  return np.random.default_rng(int.from_bytes(digest, 'little'))


def check_numbers(config_data, names: tuple, limits: tuple) -> None:
  """Raises UserError for a number of an operation in use that makes no sense.

  Args: names: of these operations; limits: (name of an operation, key of its number, least, most).
  """
  for name, key, least, most in limits:
    if name in names and not least <= getattr(config_data, key) <= most:
      raise UserError(f'config.data.{key} is {getattr(config_data, key)}; expected {least} to '
                      f'{most}.')


def build_corruption(config_data, corrupt: bool) -> Corrupt:
  """The damage of `config.data`; of no kind where corrupt is False.

  Raises:
    UserError: a kind that is none, or a number that makes no sense.
  """
  kinds = tuple(config_data.corrupt) if corrupt else ()
  for kind in kinds:
    if kind not in KINDS:
      raise UserError(f"config.data.corrupt has '{kind}'; choose among {', '.join(KINDS)}.")
  check_numbers(config_data, kinds, (
      ('keep', 'keep_frac', 0.001, 1), ('keep', 'keep_most_frac', 0, 1),
      ('gaussian', 'noise_deviation', 0, 10), ('rician', 'noise_deviation', 0, 10),
      ('blur', 'blur_px', 0.1, 100), ('lines', 'missing_lines_frac', 0, 0.999)))
  return Corrupt(kinds, config_data.keep_frac, config_data.noise_deviation, config_data.blur_px,
                 config_data.missing_lines_frac, config_data.keep_most_frac)
