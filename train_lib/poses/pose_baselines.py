"""What a pose net must beat: the mean pose, which looks at no picture."""

import numpy as np

from train_lib.poses.pose_collector import Collected

NUMBERS = 34                      # that the mean pose learned: x and y of each joint
CHUNK = 1_024                     # rows that are handed over at once


def mean_pose(people) -> np.ndarray:
  """Where each joint is in a person's box in the mean: float64 [17, 2].

  (0, 0) is the upper left corner of a box and (1, 1) the lower right. The mean of a joint is over
  the persons that have it labelled; a joint that nobody has is in the middle. Crowds do not count.

  Args: people: of the training split, with fields as `data.people.People`.
  """
  sizes = people.box_px[:, None, 2:].astype(float)
  real = ~people.crowd & (sizes > 0).all(axis=(1, 2))
  labelled = (people.keypoints[..., 2] > 0) & real[:, None]
  places = (people.keypoints[..., :2] - people.box_px[:, None, :2]) / np.where(sizes > 0, sizes, 1)
  counts = labelled.sum(axis=0)[:, None]
  sums = np.where(labelled[..., None], places, 0).sum(axis=0)
  return np.where(counts > 0, sums / np.maximum(counts, 1), 0.5)


def place(pose: np.ndarray, boxes: np.ndarray) -> np.ndarray:
  """The pose in each box: float32 [N, 17, 3], x px, y px and a score of 1.

  Args: pose: [17, 2], of `mean_pose`; boxes: [N, 4], x, y, width, height in px.
  """
  points = boxes[:, None, :2] + pose * boxes[:, None, 2:]
  return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1).astype(np.float32)


def collect(task, pose: np.ndarray, loader, collected: Collected) -> Collected:
  """What a pose in every box comes to, as the task collects it, worked out without any picture.

  Args: task: makes the collector; pose: of `mean_pose`; loader: of the split; collected: of any
  predictor on it, from which boxes and truths are taken.
  """
  collector = task.collector(loader)
  truths = {'keypoints': collected.truth,
            **{key: getattr(collected, key) for key in (
                'box_px', 'area_px2', 'picture', 'box_score', 'crop_area_px2')}}
  for start in range(0, len(collected.ids), CHUNK):
    rows = slice(start, start + CHUNK)
    collector.add({'keypoints': place(pose, collected.box_px[rows])},
                  {key: value[rows] for key, value in truths.items()},
                  collected.ids[rows], collected.indices[rows])
  return collector.finish()
