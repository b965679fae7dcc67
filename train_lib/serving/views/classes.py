"""The class of a picture, and where in the picture the net saw it."""

import copy

import numpy as np

from train_lib import build_inputs
from train_lib.classes import class_pictures
from train_lib.classes.activation_map import ActivationMaps
from train_lib.reporting import counted
from train_lib.serving import drawn
from train_lib.serving.calls import Call
from train_lib.serving.guard import Refused
from train_lib.serving.uploads import Upload, answer_each

MOST = 20                         # classes that a page shows
SHOWN_PX = 512                    # side of the picture under a map, at least
NO_MAP = ('this net has no map of where it looked: its head does not stand on the mean of a map '
          'of the picture')


class ClassView:
  """A classifier. Args: config: of the run; predictor: with `answers`."""

  task, together, options = 'classification', 8, ()

  def __init__(self, config, predictor):
    self._config, self._predictor = config, predictor
    self._names, self.step = predictor.trained.tag_names, predictor.trained.step
    self._maps = ActivationMaps(predictor.trained.task, predictor.trained.variables)
    self._has_map = True

  def words(self) -> str:
    """'10 classes'."""
    return counted(len(self._names), 'class')

  def about(self) -> dict:
    """'map': whether `call_map` has one; else why there is none."""
    return {'names': self._names, 'map': self._has_map,
            'no_map': '' if self._has_map else NO_MAP}

  def answer(self, uploads: list[Upload], options: dict) -> list[dict]:
    """'label', 'probability', 'top' as predictions.jsonl has them, and 'scores': [[class,
    probability], ...], MOST at most."""
    del options
    return answer_each(uploads, self._predictor, self._describe)

  def _describe(self, values):
    probabilities = values['probabilities']
    order = np.argsort(-probabilities, kind='stable')[:MOST]
    return {**self._predictor.answers.describe(values),
            'scores': [[self._names[k], round(float(probabilities[k]), 4)] for k in order]}

  def calls(self) -> dict[str, Call]:
    """/api/map."""
    return {'/api/map': Call('POST', 'uploads', self.call_map, options=('class',))}

  def call_map(self, uploads: list[Upload], options: dict) -> bytes:
    """A PNG of the first picture, as the net saw it, with what spoke for a class in colour.

    Args: options: 'class', a name; without it the most probable one.
    Raises: Refused: 404 no such class, 422 no map or no picture.
    """
    name = options.get('class', '')
    if name and name not in self._names:
      raise Refused(404, 'the net has no class of that name; /api/model lists them')
    values = self._predictor.values([uploads[0].content])[0]
    if 'error' in values:
      raise Refused(422, values['error'])
    place = self._names.index(name) if name else int(values['probabilities'].argmax())
    maps = self._maps.of(values['image'][None], [place])
    if maps is None:
      raise Refused(422, NO_MAP)
    return drawn.png(class_pictures.overlay(self._look_closer(uploads[0].content), maps[0]))

  def _look_closer(self, content):
    """uint8 [H, W, 3]: the picture as the net saw it, but sharper, for people."""
    closer = copy.deepcopy(self._config)
    closer.data.image_size_px = max(SHOWN_PX, closer.data.image_size_px)
    source = self._predictor.cut(build_inputs.build_given_source([content]))
    return build_inputs.build_picture_loader(closer, source, 1).example(0)['image']

  def warm_up(self) -> None:
    """Answers once, and finds out whether there is a map."""
    blank = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    values = self._predictor.values([blank])[0]
    self._has_map = self._maps.of(values['image'][None], [0]) is not None
