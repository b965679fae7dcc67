"""Tags of pictures: all that are at all likely, for a page that moves the thresholds itself."""

import numpy as np

from train_lib.predicting.answers import CATEGORIES
from train_lib.reporting import counted
from train_lib.serving.calls import Call
from train_lib.serving.uploads import Upload, answer_each
from train_lib.tags.captions import SHORT

LEAST = 0.01                      # probability of a tag that is told
RATING = 'rating'


class TagView:
  """A tagger. Args: config: its section `predict` counts; predictor: with `answers`."""

  task, together, options = 'tagging', 8, ()

  def __init__(self, config, predictor):
    self._predictor, self._settings = predictor, config.predict
    self._names, self.step = predictor.trained.tag_names, predictor.trained.step
    self._kinds = np.array(predictor.trained.tag_categories)
    known = [kind for kind in (RATING, *CATEGORIES) if (self._kinds == kind).any()]
    self._categories = known + sorted(set(self._kinds.tolist()) - set(known))

  def words(self) -> str:
    """'100 tags'."""
    return counted(len(self._names), 'tag')

  def about(self) -> dict:
    """'thresholds' by category, none for ratings, of which the most probable is said; 'order' of
    the categories; 'caption': how one is written."""
    thresholds = {kind: round(float(self._predictor.answers.thresholds[self._kinds == kind][0]), 4)
                  for kind in self._categories if kind != RATING}
    settings = self._settings
    return {'names': self._names, 'categories': self._kinds.tolist(), 'thresholds': thresholds,
            'least_probability': LEAST, 'order': self._categories,
            'caption': {'spaces': settings.caption_spaces, 'short': SHORT,
                        'first': settings.caption_first, 'without': settings.caption_without}}

  def answer(self, uploads: list[Upload], options: dict) -> list[dict]:
    """'rating', 'tags' as predictions.jsonl has them; 'scores': category -> [[tag, probability],
    ...], falling, those of LEAST or more and all ratings."""
    del options
    return answer_each(uploads, self._predictor, self._describe)

  def _describe(self, values):
    probabilities = values['probabilities']
    return {**self._predictor.answers.describe(values),
            'scores': {kind: self._scores(probabilities, kind) for kind in self._categories}}

  def _scores(self, probabilities, kind):
    least = 0 if kind == RATING else LEAST
    places = np.flatnonzero((self._kinds == kind) & (probabilities >= least))
    places = places[np.argsort(-probabilities[places], kind='stable')]
    return [[self._names[place], round(float(probabilities[place]), 4)] for place in places]

  def calls(self) -> dict[str, Call]:
    """None."""
    return {}

  def warm_up(self) -> None:
    """Answers once."""
    self._predictor.values([np.zeros((32, 32, 3), np.uint8)])
