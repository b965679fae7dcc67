"""Figures of single joints: how far the predicted ones lie from the labelled ones."""

from typing import NamedTuple

import numpy as np

from train_lib.poses import coco_keypoints
from train_lib.poses.pose_collector import Collected

PCK_FRACS = (0.05, 0.2)           # of the longer side of a person's box: as near is a correct joint
LEAST_OVERLAP = 0.5               # of a detection's box and a person's, that it is compared with


class Compared(NamedTuple):
  """Predicted persons beside the annotated ones that they are compared with, N rows.

  Attributes:
    rows: int [N], their places among the collected rows.
    keypoints: [N, 17, 3], predicted: x px, y px, score.
    truth: [N, 17, 3]: x px, y px, COCO's visibility, 0 is not labelled; each has a labelled joint.
    box_px: [N, 4]; area_px2: [N], of the annotated person.
  """
  rows: np.ndarray
  keypoints: np.ndarray
  truth: np.ndarray
  box_px: np.ndarray
  area_px2: np.ndarray


class JointTable(NamedTuple):
  """Figures of each joint over the compared persons, [17] each; NaN where none has it labelled.

  Attributes:
    labelled: int, persons with the joint labelled.
    mean_px, median_px: distance of the predicted joint from the labelled one.
    mean_frac, median_frac: the same as a share of the longer side of the person's box.
    pck: [2, 17], the share of joints that are at most PCK_FRACS of that side away.
    oks: mean of the joint's term of the object keypoint similarity.
  """
  labelled: np.ndarray
  mean_px: np.ndarray
  median_px: np.ndarray
  mean_frac: np.ndarray
  median_frac: np.ndarray
  pck: np.ndarray
  oks: np.ndarray


def compare(collected: Collected) -> Compared:
  """Each row beside its own person, and where it has none, beside the one in its box.

  That is the person of the picture whose box overlaps most with the row's, with a labelled joint
  and no crowd; a row without one is left out. So are the rows of a detector's boxes compared.
  Joints outside of the crop that the net saw of her count as not labelled of a row's own person.
  """
  own = (collected.truth[..., 2] > 0).any(axis=1)
  truth, boxes = collected.truth.copy(), collected.box_px.copy()
  areas, known = collected.area_px2.copy(), own.copy()
  for row in np.flatnonzero(~own):
    person = _person_in(collected.people, collected.picture[row], collected.box_px[row])
    if person is not None:
      truth[row], boxes[row] = collected.people.keypoints[person], collected.people.box_px[person]
      areas[row], known[row] = collected.people.area_px2[person], True
  return Compared(np.flatnonzero(known), collected.keypoints[known], truth[known], boxes[known],
                  areas[known])


def _person_in(people, picture, box):
  """The place of a person among the people, or None."""
  there = np.flatnonzero((people.image == picture) & ~people.crowd
                         & (people.keypoints[..., 2] > 0).any(axis=1))
  shares = overlaps(box, people.box_px[there])
  if not len(there) or shares.max() < LEAST_OVERLAP:
    return None
  return there[shares.argmax()]


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
  """Intersection over union, [n]. Args: box: [4], x, y, width, height; boxes: [n, 4]."""
  low = np.maximum(box[:2], boxes[:, :2])
  high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
  both = np.prod(np.maximum(high - low, 0), axis=1)
  return both / np.maximum(box[2] * box[3] + boxes[:, 2] * boxes[:, 3] - both, 1e-12)


def oks_terms(compared: Compared) -> np.ndarray:
  """`coco_keypoints.oks_terms` of each joint, [N, 17], NaN where it is not labelled."""
  return coco_keypoints.oks_terms(_distances(compared) ** 2, np.asarray(compared.area_px2, float))


def person_oks(compared: Compared) -> np.ndarray:
  """The object keypoint similarity of each person, [N]."""
  return np.nanmean(oks_terms(compared), axis=1)


def joint_table(compared: Compared) -> JointTable:
  """The figures of each joint.

  PCK is the percentage of correct keypoints, here from 0 to 1.

  Source: Yang and Ramanan, Articulated Human Detection with Flexible Mixtures of Parts, 2013, which
  measures nearness by the longer side of the person's box.
  """
  far_px = _distances(compared)
  far_frac = far_px / np.maximum(compared.box_px[:, 2:].max(axis=1), 1e-12)[:, None]
  labelled = (compared.truth[..., 2] > 0).sum(axis=0)

  def over_persons(reduce, values):
    """By joint: of those that are labelled."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return np.array([reduce(column) if len(column) else np.nan for column in columns])

  near = [np.where(np.isnan(far_frac), np.nan, far_frac <= frac) for frac in PCK_FRACS]
  return JointTable(
      labelled, over_persons(np.mean, far_px), over_persons(np.median, far_px),
      over_persons(np.mean, far_frac), over_persons(np.median, far_frac),
      np.stack([over_persons(np.mean, share) for share in near]),
      over_persons(np.mean, oks_terms(compared)))


def _distances(compared):
  """px, [N, 17]; NaN where the joint is not labelled."""
  far = np.linalg.norm(np.asarray(compared.keypoints, float)[..., :2] - compared.truth[..., :2],
                       axis=-1)
  return np.where(compared.truth[..., 2] > 0, far, np.nan)
