"""Pixels to the bytes of a picture file, and to text that a page shows without asking again."""

import base64

import cv2
import numpy as np

from train_lib import build_inputs

JPEG_QUALITY = 88


def png(image: np.ndarray) -> bytes:
  """A PNG file. Args: image: uint8 [h, w, 3], or a scan, float32 [h, w, 1] in 0..1."""
  return build_inputs.encode_picture(build_inputs.to_colours(image), '.png')


def png_text(image: np.ndarray) -> str:
  """The same as a data: address."""
  return 'data:image/png;base64,' + base64.b64encode(png(image)).decode()


def thumbnail(image: np.ndarray, side_px: int) -> bytes:
  """A JPEG file whose longer side is at most `side_px`. Args: image: uint8 [h, w, 3]."""
  height, width = image.shape[:2]
  scale = side_px / max(height, width)
  if scale < 1:
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
  _, content = cv2.imencode('.jpg', np.ascontiguousarray(image[..., ::-1]),
                            [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
  return content.tobytes()
