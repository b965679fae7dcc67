"""Pictures within the page: as they are where they are small, else shrunk, all together bounded."""

import base64
import io
from collections.abc import Iterable
from typing import NamedTuple

from PIL import Image

AS_IS_BYTES = 300_000             # a file that is no larger is taken as it is
MOST_BYTES = 13_000_000           # of all pictures together: base64 makes a third more of it
LEVELS = ((1600, 86), (1200, 80), (800, 72))  # width in px, JPEG's quality; the first that fits
TALLEST = 4                       # height of a shrunk picture, in widths
KINDS = {b'\x89PNG': 'png', b'\xff\xd8\xff': 'jpeg', b'RIFF': 'webp'}


class Embedded(NamedTuple):
  """A picture as the page holds it; uri is '' where it is left out, and `reason` says why."""
  uri: str
  width_px: int = 0
  height_px: int = 0
  reason: str = ''


def embed(paths: Iterable) -> dict:
  """path -> Embedded of each of the files (PNG, JPEG, WebP).

  All are shrunk alike until they fit together in MOST_BYTES; those that do not fit even so, the
  last ones, are left out, and so is what cannot be read.
  """
  contents = {path: _read(path) for path in dict.fromkeys(paths)}
  for width_px, quality in LEVELS:
    encoded = {path: _encode(content, width_px, quality) for path, content in contents.items()}
    if sum(map(_size, encoded.values())) <= MOST_BYTES:
      break
  found, left = {}, MOST_BYTES
  for path, picture in encoded.items():
    if _size(picture) > left:
      picture = 'the page would be too large with it'
    left -= _size(picture)
    found[path] = _as_uri(picture)
  return found


def _read(path):
  """The bytes of a file, or the reason in words."""
  try:
    return path.read_bytes()
  except OSError as error:
    return error.strerror or str(error)


def _encode(content, width_px, quality):
  """(bytes, kind, width, height), or the reason in words."""
  if isinstance(content, str):
    return content
  try:
    with Image.open(io.BytesIO(content)) as image:
      size, kind = image.size, KINDS.get(content[:4]) or KINDS.get(content[:3])
      scale = min(1, width_px / size[0], TALLEST * width_px / size[1])
      if kind and scale == 1 and len(content) <= AS_IS_BYTES:
        return content, kind, *size
      return _shrink(image, scale, quality)
  except (OSError, ValueError, Image.DecompressionBombError) as error:
    return f'it cannot be read ({error})'


def _shrink(image, scale, quality):
  size = [max(1, round(side * scale)) for side in image.size]
  if image.mode in ('RGBA', 'LA', 'P'):
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    image = Image.alpha_composite(white, image)
  image = image.convert('RGB')
  if scale < 1:
    image = image.resize(size, Image.Resampling.LANCZOS)
  with io.BytesIO() as file:
    image.save(file, format='JPEG', quality=quality, optimize=True, progressive=True)
    return file.getvalue(), 'jpeg', *size


def _size(picture):
  return 0 if isinstance(picture, str) else len(picture[0])


def _as_uri(picture):
  if isinstance(picture, str):
    return Embedded('', reason=picture)
  content, kind, width_px, height_px = picture
  text = base64.b64encode(content).decode()
  return Embedded(f'data:image/{kind};base64,{text}', width_px, height_px)
