"""Pictures of another size, and what lies in a picture and moves with it: joints and boxes."""

import cv2
import numpy as np

from data.joints import MIRRORED_JOINTS


def resize(image: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
  """[height_px, width_px, ...] of a picture [h, w, ...]: areas averaged to shrink, else cubic."""
  shrinks = width_px * height_px < image.shape[0] * image.shape[1]
  return cv2.resize(image, (width_px, height_px),
                    interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def move_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
  """Points [..., 2] (x px, y px) moved by a matrix [2, 3]."""
  return points @ matrix[:, :2].T + matrix[:, 2]


def has_places(example) -> bool:
  """Whether anything lies in the picture that `move` would have to move."""
  return 'keypoints' in example or 'box_px' in example


def move(example, image, matrix, mirrored=False):
  """The example with a moved picture, its points and boxes moved by matrix.

  Joints that leave the picture become invisible; a box becomes the one around its moved corners,
  cut at the picture's edges.

  Args:
    example: may have `keypoints` [..., K, 3] and `box_px` [..., 4].
    image: uint8 [h, w, 3], the moved picture.
    matrix: [2, 3], from the old coordinates to the new ones (px, from the centre of the top left
      pixel); not read without `has_places`.
    mirrored: whether left and right joints change places; knows the 17 of COCO.
  """
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
  points = move_points(keypoints[..., :2], matrix)
  height_px, width_px = image.shape[:2]
  inside = ((points >= -0.5) & (points < (width_px - 0.5, height_px - 0.5))).all(-1)
  visible = np.where(inside, keypoints[..., 2], 0)
  return np.concatenate([points, visible[..., None]], -1).astype(np.float32)


def _move_boxes(boxes, image, matrix):
  """Boxes [..., 4] around the moved corners of the old ones, cut at the edges of the picture."""
  start, size = boxes[..., None, :2], boxes[..., None, 2:]
  corners = start + size * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])  # [..., 4, 2]
  corners = move_points(corners, matrix).clip(-0.5, (image.shape[1] - 0.5, image.shape[0] - 0.5))
  start = corners.min(-2)
  return np.concatenate([start, corners.max(-2) - start], -1).astype(np.float32)
