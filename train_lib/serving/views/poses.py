"""Where the joints of the person in a picture are."""

import numpy as np

from train_lib.poses.pose_pictures import LIMBS
from train_lib.reporting import counted
from train_lib.serving.calls import Call
from train_lib.serving.uploads import Upload, answer_each


class PoseView:
  """A pose net. Args: config: `crop.least_score` is where the page starts; predictor."""

  task, together, options = 'pose', 1, ()   # pictures keep their own size while looked at

  def __init__(self, config, predictor):
    self._predictor, self._least_score = predictor, config.crop.least_score
    self._names, self.step = predictor.trained.tag_names, predictor.trained.step

  def words(self) -> str:
    """'17 joints'."""
    return counted(len(self._names), 'joint')

  def about(self) -> dict:
    """'limbs': pairs of joints, by their places among the names."""
    return {'names': self._names, 'limbs': LIMBS, 'least_score': self._least_score}

  def answer(self, uploads: list[Upload], options: dict) -> list[dict]:
    """'people' as predictions.jsonl has them, each with 'box_px' too, x, y, width, height around
    the joints that the net is sure of, null where there are too few; 'size_px': [width, height] of
    the picture, upright."""
    del options
    return answer_each(uploads, self._predictor, self._describe)

  def _describe(self, values):
    height, width = values['image'].shape[:2]
    people = self._predictor.answers.describe(values)['people']
    for person, found in zip(people, values['people'], strict=True):
      person['box_px'] = _rounded(np.asarray(found['box_px'], float))
    return {'people': people, 'size_px': [width, height]}

  def calls(self) -> dict[str, Call]:
    """None."""
    return {}

  def warm_up(self) -> None:
    """Answers once."""
    self._predictor.values([np.zeros((64, 64, 3), np.uint8)])


def _rounded(box_px):
  return [round(float(side), 2) for side in box_px] if np.isfinite(box_px).all() else None
