"""What is kept of a pose net's split while it streams by: the joints of every row."""

import dataclasses
from typing import Any

import numpy as np

from train_lib.evaluation import check_numbers
from train_lib.poses import coco_keypoints

_COLUMNS = {'keypoints': (np.float32, (17, 3)), 'truth': (np.float32, (17, 3)),
            'box_px': (np.float32, (4,)), 'area_px2': (np.float32, ()),
            'picture': (np.int64, ()), 'box_score': (np.float32, ()),
            'crop_area_px2': (np.float32, ()), 'indices': (np.int64, ())}


@dataclasses.dataclass(frozen=True)
class Collected:
  """A split, once all of its rows were seen. N rows.

  Attributes:
    people: everybody annotated in the pictures of the split, as `data.people.People`.
    detections: the rows as people who were found, with the score of box and joints together,
      without those who were found twice.
    keypoints: float32 [N, 17, 3], predicted: x px, y px in the picture, score.
    truth: float32 [N, 17, 3], x px, y px, visibility; 0 of a joint outside the crop, and of all
      joints of a box that a detector found.
    box_px: float32 [N, 4], x px, y px of the upper left corner, width px, height px.
    area_px2: float32 [N], of the person.
    picture: int64 [N], number of the picture, as in people.image.
    box_score: float32 [N], of the detector; 1 for true boxes.
    crop_area_px2: float32 [N], of the crop in the picture.
    indices: int64 [N], places in the split.
    ids: [N] names of the rows.
  """
  people: Any
  detections: coco_keypoints.Detections
  keypoints: np.ndarray
  truth: np.ndarray
  box_px: np.ndarray
  area_px2: np.ndarray
  picture: np.ndarray
  box_score: np.ndarray
  crop_area_px2: np.ndarray
  indices: np.ndarray
  ids: list[str]


class PoseCollector:
  """Gathers real rows batch by batch; `finish` gives what they come to.

  Args:
    num_rows: rows that will come, at most.
    people: everybody annotated in the pictures of the split.
  """

  adds_up = False                 # rows are kept

  def __init__(self, num_rows: int, people: Any):
    self._people, self._ids = people, []
    self._columns = {name: np.empty((num_rows, *shape), dtype)
                     for name, (dtype, shape) in _COLUMNS.items()}

  def add(self, predictions: dict, truths: dict, ids: list[str], indices: np.ndarray) -> None:
    """Takes the rows of a batch.

    Args:
      predictions: {'keypoints': float32 [n, 17, 3]}, x px, y px in the picture, score.
      truths: of the task's `truth`. Where 'crop_area_px2' is not known, the area of the box around
        the predicted joints stands for it.
      ids: of the rows; indices: int [n], their places in the split.

    Raises:
      Diverged: a coordinate or a score is not a number.
    """
    keypoints = predictions['keypoints']
    check_numbers(keypoints)
    values = {'crop_area_px2': coco_keypoints.joints_areas(keypoints), **truths,
              'keypoints': keypoints, 'truth': truths['keypoints'], 'indices': indices}
    first = len(self._ids)
    for name, column in self._columns.items():
      column[first:first + len(ids)] = values[name]
    self._ids.extend(ids)

  def finish(self) -> Collected:
    """What was added, by rows in their order."""
    columns = {name: column[:len(self._ids)] for name, column in self._columns.items()}
    found = coco_keypoints.Detections(
        columns['picture'], columns['keypoints'],
        coco_keypoints.rescore(columns['box_score'], columns['keypoints']))
    stays = coco_keypoints.suppress(found, areas=columns['crop_area_px2'])
    detections = coco_keypoints.Detections(*(field[stays] for field in found))
    return Collected(people=self._people, detections=detections, ids=self._ids, **columns)
