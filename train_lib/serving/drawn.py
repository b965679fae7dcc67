"""Pixels to the bytes of a picture file, and to text that a page shows without asking again."""

import base64

import numpy as np

from train_lib import build_inputs


def png(image: np.ndarray) -> bytes:
  """A PNG file. Args: image: uint8 [h, w, 3], or a scan, float32 [h, w, 1] in 0..1."""
  return build_inputs.encode_picture(build_inputs.to_colours(image), '.png')


def png_text(image: np.ndarray) -> str:
  """The same as a data: address."""
  return 'data:image/png;base64,' + base64.b64encode(png(image)).decode()
