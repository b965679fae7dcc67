"""The operation that cuts one person out of a picture, for nets that find her joints."""

from dataclasses import dataclass

import cv2
import numpy as np

from data.decode import DecodeError
from data.geometry import move, move_points
from data.joints import JOINT_NAMES, UPPER_BODY
from data.person_box import compose, invert, region_matrix, region_of_box

ROTATED_SHARE = 0.6               # of training crops, where there is rotation
HALF_BODY_JOINTS = 8              # more have to be labelled for half a body to be shown alone
UPPER_SHARE = 0.6915              # of half bodies: the normal distribution's share below a half
HALF_BODY_WIDEN = 1.5
# Below this zoom bilinear sampling skips pixels; COCO's pictures stay above it.
LEAST_ZOOM = 0.2
_IS_UPPER = np.isin(np.arange(len(JOINT_NAMES)), UPPER_BODY)


@dataclass(frozen=True)
class CropPerson:
  """`image` and `box_px` -> `image` [height_px, width_px, 3], the person with what is around her.

  The box is lengthened to the crop's shape and widened; what lies outside the picture is black. An
  example without a box is cropped to all of the picture, which is not widened. `keypoints`
  [17, 3], where they are known, become crop px, invisible outside the crop. New are
  `crop_to_source` float32 [2, 3] (crop px -> source px, so that joints find their way back out of a
  mirror too) and `source_size_px` float32 [2] (width, height); `box_px` stays in source px.

  In training, by the example's own `rng`:
    mirror_prob: left and right change places, of the joints too.
    rotation_deg: deviation of a normal angle, cut at twice that, for six crops of ten.
    scale_frac: deviation of a normal factor around 1 of the region, cut at 1 +- scale_frac.
    half_body_prob: of a person with more than eight labelled joints, the region is that of the
      upper or of the lower ones, around their mean.
    whole_frac: of the main persons (`is_main`), the share that is shown as one without a box is.

  Raises:
    DecodeError: the picture is of another size than `source_size_px` says beforehand, so the joints
      would be elsewhere.

  Source: Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation",
    2019, arXiv 1902.09212, section 4.1 and the published code; half bodies are from Wang et al.,
    "Mscoco keypoints challenge 2018". Differs by one warp for mirror and crop, and by averaging
    pixels where pictures become five times smaller and more.
  """

  height_px: int
  width_px: int
  widen: float = 1.25
  mirror_prob: float = 0.0
  rotation_deg: float = 0.0
  scale_frac: float = 0.0
  half_body_prob: float = 0.0
  whole_frac: float = 0.0

  needs = ('box_px', 'keypoints', 'is_main', 'source_size_px')  # besides the picture

  def __call__(self, example):
    image = example['image']
    size_px = np.array(image.shape[1::-1], np.float32)
    _check_size(example, size_px)
    matrix, mirrored = self._draw_matrix(example, size_px)
    crop = warp(image, matrix, (self.width_px, self.height_px))
    inside = {'keypoints': example['keypoints']} if 'keypoints' in example else {}
    return {**example, **move(inside, crop, matrix, mirrored), 'source_size_px': size_px,
            'crop_to_source': invert(matrix).astype(np.float32)}

  def _draw_matrix(self, example, size_px):
    """The matrix from the picture to the crop, and whether it mirrors."""
    chances, (scale, turn) = np.ones(5), np.zeros(2)
    if (self.mirror_prob or self.rotation_deg or self.scale_frac or self.half_body_prob
        or self.whole_frac):
      chances, (scale, turn) = example['rng'].random(5), example['rng'].standard_normal(2)
    centre, size = self._region(example, size_px, chances[:3])
    size = size * (1 + self.scale_frac * np.clip(scale, -1, 1))
    rotated, mirrored = chances[3] < ROTATED_SHARE, bool(chances[4] < self.mirror_prob)
    turn_deg = self.rotation_deg * np.clip(turn, -2, 2) if rotated else 0.0
    output_size = self.width_px, self.height_px
    return region_matrix(centre, size, turn_deg, output_size, mirrored), mirrored

  def _region(self, example, size_px, chances):
    """Centre and size of what is shown. Args: chances: [3], of whole picture, half body, upper."""
    aspect = self.width_px / self.height_px
    if 'box_px' not in example or (example.get('is_main') and chances[0] < self.whole_frac):
      return region_of_box((0, 0, *size_px), aspect, 1.0)
    if 'keypoints' in example and chances[1] < self.half_body_prob:
      labelled = example['keypoints'][:, 2] > 0
      if labelled.sum() > HALF_BODY_JOINTS:
        return half_body_region(example['keypoints'], aspect, chances[2] < UPPER_SHARE)
    return region_of_box(example['box_px'], aspect, self.widen)


def half_body_region(keypoints: np.ndarray, aspect: float, upper: bool
                     ) -> tuple[np.ndarray, np.ndarray]:
  """The region of the labelled joints of one half of the body, around their mean.

  It is the upper half's where fewer than three of the lower are labelled, and the other way round.

  Args:
    keypoints: [17, 3], x px, y px, visible.
    aspect: width over height of the crop.
    upper: whether the upper half is wanted.

  Returns:
    Centre and size as those of `region_of_box`.
  """
  labelled = keypoints[:, 2] > 0
  halves = {True: labelled & _IS_UPPER, False: labelled & ~_IS_UPPER}
  chosen = upper if halves[upper].sum() > 2 else not upper
  points = keypoints[halves[chosen], :2].astype(float)
  start = points.min(axis=0)
  box = np.concatenate([start, points.max(axis=0) - start])
  return points.mean(axis=0), region_of_box(box, aspect, HALF_BODY_WIDEN)[1]


def warp(image: np.ndarray, matrix: np.ndarray, output_size: tuple[int, int]) -> np.ndarray:
  """The part of a picture that a matrix brings into a crop, bilinear, black outside the picture.

  Of large pictures only that part is read, and where it becomes much smaller it is averaged first.

  Args:
    image: uint8 [h, w, 3].
    matrix: [2, 3], picture px -> crop px.
    output_size: (W, H) of the crop, px.

  Returns:
    uint8 [H, W, 3].
  """
  (width_px, height_px), limits = output_size, image.shape[1::-1]
  corners = np.array([[0, 0], [width_px, 0], [0, height_px], [width_px, height_px]], float) - 0.5
  corners = move_points(corners, invert(matrix))
  left, top = np.clip(np.floor(corners.min(axis=0)) - 1, 0, limits).astype(int)
  right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 2, 0, limits).astype(int)
  if left >= right or top >= bottom:
    return np.zeros((height_px, width_px, 3), np.uint8)
  part = image[top:bottom, left:right]
  matrix = compose(matrix, np.array([[1.0, 0, left], [0, 1, top]]))
  zoom = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
  if zoom < LEAST_ZOOM:
    part, back = _shrink(part, 2 * zoom)
    matrix = compose(matrix, back)
  return cv2.warpAffine(part, matrix, output_size, flags=cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0))


def _shrink(image, zoom):
  """A picture made smaller by averaging, and the matrix from its pixels to those it had."""
  height_px, width_px = image.shape[:2]
  size = max(1, round(width_px * zoom)), max(1, round(height_px * zoom))
  back_x, back_y = width_px / size[0], height_px / size[1]
  back = np.array([[back_x, 0, 0.5 * back_x - 0.5], [0, back_y, 0.5 * back_y - 0.5]])
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA), back


def _check_size(example, size_px):
  """Raises DecodeError where a picture has not the size that its joints are told for."""
  told = example.get('source_size_px')
  if told is not None and not np.array_equal(told, size_px):
    raise DecodeError('the picture is {:.0f} x {:.0f} pixels, and its joints are those of one of '
                      '{:.0f} x {:.0f}'.format(*size_px, *told))
