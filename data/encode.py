"""Pixels to the bytes of a picture file, by the ending of its name."""

import io

import numpy as np
from PIL import Image

# What Pillow is told for each ending; pictures are read again, so losses are kept small.
_FORMATS = {
    **dict.fromkeys(('.jpg', '.jpeg'), ('JPEG', {'quality': 95, 'subsampling': 0})),
    '.png': ('PNG', {}), '.webp': ('WEBP', {'quality': 95}), '.gif': ('GIF', {}),
    '.bmp': ('BMP', {}), '.tif': ('TIFF', {}), '.tiff': ('TIFF', {})}


def encode_image(image: np.ndarray, ending: str) -> bytes:
  """A whole picture file.

  Args:
    image: uint8 [h, w, 3], RGB.
    ending: of the file's name, such as '.jpg', in either case; one that is read here. JPEG and
      WebP lose a little, a GIF all but 256 colours.
  """
  name, options = _FORMATS[ending.lower()]
  with io.BytesIO() as file:
    Image.fromarray(image).save(file, format=name, **options)
    return file.getvalue()
