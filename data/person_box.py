"""From a person's box to the part of the picture that a net sees, and the matrices between them.

Pixel coordinates count from the centre of the top left pixel, which is (0, 0).
"""

import numpy as np

LEAST_PX = 1.0  # height of a region, so that a box without any extent has one


def region_of_box(box_px: np.ndarray, aspect: float, widen: float = 1.25
                  ) -> tuple[np.ndarray, np.ndarray]:
  """The region around a box that has the shape of a crop.

  The shorter side is lengthened until the shape fits, then both are.

  Args:
    box_px: [4], x px, y px of the upper left corner, width px, height px.
    aspect: width over height of the crop.
    widen: by which both sides are multiplied in the end.

  Returns:
    Centre (x px, y px) and size (width px, height px), float64 [2] each.

  Source: Xiao, Wu and Wei, "Simple Baselines for Human Pose Estimation and Tracking", 2018,
    arXiv 1804.06208, whose published code this follows.
  """
  x, y, width, height = np.asarray(box_px, float)
  tall = max(height, width / aspect, LEAST_PX)
  return np.array([x + width / 2, y + height / 2]), widen * np.array([aspect * tall, tall])


def region_matrix(centre: np.ndarray, size: np.ndarray, rotation_deg: float,
                  output_size: tuple[int, int], mirrored: bool = False) -> np.ndarray:
  """The matrix from the picture to the crop that shows a region.

  The centre goes to (W / 2, H / 2), and W / width is the zoom along both axes.

  Args:
    centre, size: of `region_of_box`.
    rotation_deg: by which the region is turned clockwise, so that the picture in it turns the other
      way; of the mirrored picture, where it is mirrored.
    output_size: (W, H) of the crop, px.
    mirrored: whether left and right change places, about the centre.

  Returns:
    float64 [2, 3]: source px -> crop px.
  """
  zoom, turn = output_size[0] / size[0], np.deg2rad(rotation_deg)
  cos, sin, sign = zoom * np.cos(turn), zoom * np.sin(turn), -1 if mirrored else 1
  linear = np.array([[sign * cos, sin], [-sign * sin, cos]])
  return np.column_stack([linear, np.array(output_size) / 2 - linear @ np.asarray(centre, float)])


def invert(matrix: np.ndarray) -> np.ndarray:
  """The matrix that undoes another. Args: matrix: [2, 3]. Returns: float64 [2, 3]."""
  back = np.linalg.inv(np.asarray(matrix, float)[:, :2])
  return np.column_stack([back, -back @ matrix[:, 2]])


def compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
  """The matrix that does one after another. Args: both [2, 3]. Returns: float64 [2, 3]."""
  return np.column_stack([second[:, :2] @ first[:, :2],
                          second[:, :2] @ first[:, 2] + second[:, 2]])
