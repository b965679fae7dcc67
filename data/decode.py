"""One function from the bytes of a picture file to its pixels, used wherever a picture is read.

OpenCV decodes what it is both fast and right at (colour and grey JPEG, plain 8-bit RGB PNG);
Pillow decodes everything else, and reads the headers, but of plain JPEG. All ways give the same
picture: turned as its EXIF orientation says, transparency laid on white, RGB.
"""

import io
import math
import re

import cv2
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from data.jpeg_header import JpegHeader, read_plain_header
from errors import printable

# The first bytes of a file decide its format, never its name. A format's reader is called directly,
# so no other reader of Pillow (EPS starts Ghostscript) can be reached from a hostile file.
PNG_START, TIFF_STARTS = b'\x89PNG\r\n\x1a\n', (b'II*\0', b'MM\0*')
_READERS = (
    (b'\xff\xd8\xff', JpegImageFile),
    (PNG_START, PngImageFile),
    (b'RIFF', WebPImageFile),
    (b'GIF87a', GifImageFile),
    (b'GIF89a', GifImageFile),
    (b'BM', BmpImageFile),
    *((start, TiffImageFile) for start in TIFF_STARTS),
)
# Chunks that make a PNG more than plain pixels: orientation, transparency, animation, colour key.
_PNG_EXTRAS = (b'eXIf', b'Raw profile type', b'xmp', b'acTL', b'tRNS')
_ORIENTATION_TAG = 0x0112
_OPENCV_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_JPEG_MARK = re.compile(rb'\xff+[^\x00\xff\xd0-\xd7]')  # of a segment, behind a scan's pixels
MOST_SCANS = 100         # of a JPEG file; of photographs a dozen
_MOST_HEADER_READS = 100_000  # of a file's header; whole photographs take a few hundred
LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue in grey: ITU-R BT.601


class DecodeError(ValueError):
  """The bytes are no picture that can be read; the message is the reason in words."""

  def __str__(self) -> str:
    return printable(super().__str__(), kept='')  # it may quote what stands in the file


def decode_image(data: bytes, *, max_pixels: int, upright: bool = True) -> np.ndarray:
  """Decodes a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF picture.

  The EXIF orientation is applied, transparency is composited on white, and palette, grey, CMYK
  and 16-bit pictures (scaled to 8 bits) become RGB. The size is checked in the header, before
  anything is decoded.

  Args:
    data: the whole file.
    max_pixels: largest allowed width * height, px.
    upright: False leaves out the EXIF orientation: the picture as it is stored.

  Returns:
    uint8 [h, w, 3], RGB, an array of its own.

  Raises:
    DecodeError: the file is empty, cut off, broken, of another format, or too large.
  """
  plain = read_plain_header(data)
  if plain is not None:
    _check_size(plain.width_px, plain.height_px, max_pixels)
    image = _decode_jpeg(data, plain)
    if image is not None:         # else Pillow tells what is wrong
      return image
  header = _read_header(data, max_pixels)
  image = _decode_fast(data, header)
  if image is not None:  # of a PNG, the fast way takes none with an orientation
    return image if header.format == 'PNG' or not upright else _turn_upright(image, header)
  try:
    header.load()
    image = _to_rgb(header)
  except DecodeError:
    raise
  except Exception as error:  # Pillow raises a dozen kinds for broken files
    raise DecodeError(f'the {header.format} file is broken: {error}') from error
  return _turn_upright(image, header) if upright else image


def _read_header(data, max_pixels):
  """Returns the file as Pillow has opened it, with its size known and no pixel decoded."""
  if not data:
    raise DecodeError('the file is empty')
  reader = next((reader for magic, reader in _READERS if data.startswith(magic)), None)
  if reader is None:
    raise DecodeError('the file is no JPEG, PNG, WebP, GIF, BMP or TIFF picture')
  if reader is WebPImageFile:  # Pillow makes room for its pixels on opening
    _check_size(*_webp_size(data), max_pixels)
  file = _Counted(data)
  try:
    header = reader(file)
  except Exception as error:  # as above
    raise DecodeError(f'the header of the {reader.format} file is broken: {error}') from error
  file.reads_left = math.inf
  _check_size(*header.size, max_pixels)
  return header


class _Counted(io.BytesIO):
  """A file whose header must be found in few reads: Pillow looks for a JPEG's byte by byte."""

  reads_left = _MOST_HEADER_READS

  def read(self, *size):
    self.reads_left -= 1
    if self.reads_left < 0:
      raise ValueError('it has no end')
    return super().read(*size)


def _check_size(width_px, height_px, max_pixels):
  if width_px * height_px > max_pixels:
    raise DecodeError(f'the picture is {width_px} x {height_px} pixels, more than max_pixels = '
                      f'{max_pixels:,} in all')


def _webp_size(data):
  """Width and height in px from the first chunk of a WebP file (RFC 9649, section 2)."""
  kind = data[12:16]
  if data[8:12] != b'WEBP' or len(data) < 30 or kind not in (b'VP8 ', b'VP8L', b'VP8X'):
    raise DecodeError('the header of the WEBP file is broken')
  if kind == b'VP8X':
    return 1 + int.from_bytes(data[24:27], 'little'), 1 + int.from_bytes(data[27:30], 'little')
  if kind == b'VP8L':
    bits = int.from_bytes(data[21:25], 'little')
    return 1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)
  return (int.from_bytes(data[26:28], 'little') & 0x3fff,
          int.from_bytes(data[28:30], 'little') & 0x3fff)


def _decode_fast(data, header):
  """The pixels by OpenCV, or None where Pillow has to decode, or to tell what is wrong."""
  if header.format == 'JPEG':
    return _decode_jpeg(data, JpegHeader(*header.size, header.layers,
                                         bool(header.info.get('progressive')), header.fp.tell()))
  if header.format != 'PNG':
    return None
  plain = header.tile and header.tile[0].args == 'RGB'  # the mode 'RGB' also holds 16 bits
  whole = b'IEND' in data[-64:]  # else OpenCV prints a warning of its own
  if not plain or not whole or not chunks_fit(data) or any(mark in data for mark in _PNG_EXTRAS):
    return None
  return _decode_by_opencv(data)


def _decode_jpeg(data, header):
  """As `_decode_fast`. Args: header: a JpegHeader."""
  _check_scans(data, header)
  if header.layers not in (1, 3):
    return None
  # A file that was cut off may lack only its end mark. A thumbnail in its header has one too, so
  # the search starts where the header ended.
  if data.rfind(b'\xff\xd9', header.pixels_at) < 0:
    raise DecodeError('the JPEG file is cut off: its end is missing')
  return _decode_by_opencv(data)


def _decode_by_opencv(data):
  try:
    return cv2.imdecode(np.frombuffer(data, np.uint8), _OPENCV_FLAGS)
  except cv2.error:
    return None


def chunks_fit(data: bytes) -> bool:
  """Whether the chunks of a PNG are as long as they say: OpenCV makes room for them unseen."""
  place = len(PNG_START)
  while place + 12 <= len(data) and data[place + 4:place + 8] != b'IEND':
    place += 12 + int.from_bytes(data[place:place + 4], 'big')
  return place + 12 <= len(data)


def _check_scans(data, header):
  """Raises DecodeError where each of thousands of tiny scans goes through all pixels again.

  Behind the picture there may be others, or a film, in which the marks of scans mean nothing.
  """
  count, place = 1, header.pixels_at
  scan = data.rfind(b'\xff\xda', 0, place)
  whole = data[scan + 4:scan + 5] == bytes([header.layers])    # all colours at once, and only once
  if whole and not header.progressive or data.count(b'\xff\xda', place) < MOST_SCANS:
    return
  while count <= MOST_SCANS:
    mark = _JPEG_MARK.search(data, place)
    if not mark or mark[0][-1:] == b'\xd9':                     # the end of the picture
      return
    count += mark[0][-1:] == b'\xda'
    place = mark.end() + int.from_bytes(data[mark.end():mark.end() + 2], 'big')
  raise DecodeError(f'the JPEG file has more than {MOST_SCANS} scans')


def _to_rgb(image):
  """uint8 [h, w, 3] of a loaded Pillow image of any mode."""
  if image.mode.startswith('I;16'):
    deep = np.asarray(image)
    grey = (deep >> 8).astype(np.uint8)  # the high byte, as Pillow takes of 16-bit colour
    if 'transparency' in image.info:
      grey[deep == image.info['transparency']] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)
  if image.mode in ('I', 'F'):
    raise DecodeError('the picture has 32 bits a pixel and no stated range: save it with 8 or 16')
  if image.has_transparency_data:
    image = image.convert('RGBA')
    image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
  return np.array(image.convert('RGB'))


def _turn_upright(image, header):
  """Applies the EXIF orientation; one that cannot be read counts as upright."""
  try:
    orientation = header.getexif().get(_ORIENTATION_TAG, 1)
  except Exception:  # broken EXIF data is no reason to lose a sound picture
    return image
  if orientation in (5, 6, 7, 8):
    image = image.transpose(1, 0, 2)
  if orientation in (2, 3, 6, 7):
    image = image[:, ::-1]
  if orientation in (3, 4, 7, 8):
    image = image[::-1]
  return np.ascontiguousarray(image)
