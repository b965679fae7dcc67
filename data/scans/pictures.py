"""Grey PNG and TIFF files: 8 bits, 16 bits, or 32-bit numbers; of a TIFF every page is a slice.

Colour becomes its luminance (ITU-R BT.601), what is transparent black. Eight bits are shown as they
are: they were windowed by who made them.
"""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from data.decode import LUMA, PNG_START, TIFF_STARTS, DecodeError, chunks_fit, decode_image
from data.scans.scan import ScanError, Settings, check_size

GREY_MODES = ('L', 'I', 'F', 'I;16', 'I;16B', 'I;16L', 'I;16N')  # of Pillow, with one number each
PHOTOMETRIC, BITS, SAMPLE_FORMAT, SIGNED, WHITE_IS_ZERO = 262, 258, 339, 2, 0  # of TIFF 6.0
KEPT_TAGS = (270, 282, 283, 296)  # TIFF: description, resolution and its unit


def is_png(head: bytes) -> bool:
  """Whether a file begins as a PNG does."""
  return head.startswith(PNG_START)


def is_tiff(head: bytes) -> bool:
  """Whether a file begins as a TIFF does."""
  return head.startswith(TIFF_STARTS)


def read(path: Path, settings: Settings) -> 'PictureFile':
  """Reads a file. Raises: ScanError: it cannot be read."""
  return PictureFile(path, *_read(path.read_bytes(), settings.max_pixels))


def decode_grey(data: bytes, max_pixels: int) -> np.ndarray:
  """float32 [h, w] in 0 to 1 of any picture that `decode_image` reads, a TIFF's first page.

  Eight and sixteen bits are a share of 255 and 65,535; other numbers of their own range.

  Raises:
    DecodeError: it cannot be read or is too large.
  """
  if not (is_png(data) or is_tiff(data)):
    return (decode_image(data, max_pixels=max_pixels) @ LUMA / 255).astype(np.float32)
  pixels = _read(data, max_pixels)[0][0]
  if pixels.dtype in (np.uint8, np.uint16):
    return (pixels / np.iinfo(pixels.dtype).max).astype(np.float32)
  pixels = pixels.astype(np.float64)
  pixels[~np.isfinite(pixels)] = np.nan
  if np.isnan(pixels).all() or np.nanmin(pixels) == np.nanmax(pixels):
    return np.zeros(pixels.shape, np.float32)
  low, high = np.nanmin(pixels), np.nanmax(pixels)
  return np.nan_to_num((pixels - low) / (high - low)).astype(np.float32)


class PictureFile:
  """`data.scans.scan.Stored` of a PNG or TIFF."""

  patient = series = ''
  order, inverted = 0.0, False

  def __init__(self, path, pixels, kind, tags):
    self._pixels, self._kind, self._tags = pixels, kind, tags  # [N, h, w] as stored
    self.num_slices, self.num_bytes = len(pixels), pixels.nbytes
    self.window = (0.0, 255.0) if pixels.dtype == np.uint8 else None

  def values(self, k):
    return self._pixels[k].astype(np.float64)

  def save(self, path, slices):
    """Grey, also where it was colour."""
    pixels = self._pixels.copy()
    for k, values in enumerate(slices):
      new = np.isfinite(values)
      stored = values[new]
      if pixels.dtype.kind in 'ui':
        limits = np.iinfo(pixels.dtype)
        stored = np.clip(np.rint(stored), limits.min, limits.max)
      pixels[k][new] = stored.astype(pixels.dtype)
    options = {}
    if self._kind == 'TIFF':
      options['tiffinfo'] = dict(self._tags)
    if pixels.dtype == np.int16:  # Pillow writes such bits as those of numbers without a sign
      options['tiffinfo'][SAMPLE_FORMAT], pixels = SIGNED, pixels.view(np.uint16)
    first, *others = [Image.fromarray(page) for page in pixels]
    if others:
      options |= {'save_all': True, 'append_images': others}
    first.save(path, format=self._kind, **options)


def _read(data, max_pixels):
  """(stored pixels [N, h, w], 'PNG' or 'TIFF', {tag: value} of a TIFF)."""
  reader = PngImageFile if is_png(data) else TiffImageFile
  try:
    image = reader(io.BytesIO(data))
    num_pages = getattr(image, 'n_frames', 1) if reader is TiffImageFile else 1
    check_size(image.height, image.width, num_pages, max_pixels)
    if _is_deep_colour(data, image):
      return _decode_deep_colour(data, num_pages), image.format, _tags(image)
    pages = []
    for number in range(num_pages):
      image.seek(number)
      check_size(image.height, image.width, num_pages, max_pixels)
      pages.append(_grey(image))
      if pages[-1].shape != pages[0].shape or pages[-1].dtype != pages[0].dtype:
        raise ScanError('its pages differ in size or kind: save each in a file of its own')
    return np.stack(pages), image.format, _tags(image)
  except DecodeError:
    raise
  except Exception as error:  # Pillow raises a dozen kinds for broken files
    raise ScanError(f'the {reader.format} file is broken: {error}') from error


def _tags(image):
  """{tag: value} of a TIFF that a copy keeps."""
  stored = getattr(image, 'tag_v2', {})
  return {tag: stored[tag] for tag in KEPT_TAGS if tag in stored}


def _grey(image):
  """Stored pixels [h, w] of an opened picture."""
  image.load()
  if image.mode in GREY_MODES:
    pixels = np.asarray(image)
    stored = getattr(image, 'tag_v2', {})
    if image.mode != 'L' and stored.get(PHOTOMETRIC) == WHITE_IS_ZERO:
      raise ScanError('0 is white in it: save it with 0 as black')
    signed = stored.get(SAMPLE_FORMAT) == (SIGNED,) and stored.get(BITS) == (16,)
    return pixels.astype(np.int16) if signed else pixels.astype(pixels.dtype.newbyteorder('='))
  colour = np.asarray(image.convert('RGBA'), np.float64)
  return np.rint(colour[..., :3] @ LUMA * colour[..., 3] / 255).astype(np.uint8)


def _is_deep_colour(data, image):
  """Whether a picture has 16 bits of each colour, of which Pillow keeps 8."""
  if is_png(data):
    depth, colour = struct.unpack('BB', data[24:26])
    return depth == 16 and colour != 0
  bits = image.tag_v2.get(BITS, ())
  return len(bits) > 1 and max(bits) == 16


def _decode_deep_colour(data, num_pages):
  """uint16 [1, h, w]: the luminance of 16-bit colour."""
  if num_pages > 1:
    raise ScanError('it has pages of 16-bit colour: save them as grey')
  if is_png(data) and not chunks_fit(data):
    raise ScanError('the PNG file is cut off')
  pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
  if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
    raise ScanError('its 16-bit colours cannot be decoded: save it as grey')
  grey = pixels[..., 2::-1].astype(np.float64) @ LUMA
  if pixels.shape[2] == 4:
    grey *= pixels[..., 3] / 65_535
  return np.rint(grey).astype(np.uint16)[None]
