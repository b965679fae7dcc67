"""Looking at pictures with a trained net, batch by batch: what it gave for each, or why nothing.

Every look has `see(source, rows, poll)`, which yields lists of `Sight`, in the order of the source,
each picture once; `rows` is the batch size.
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from train_lib import build_data, build_inputs, build_sources
from train_lib.evaluation import Evaluator, Untold
from train_lib.poses import coco_keypoints, people_finder
from train_lib.poses.people_finder import PeopleFinder

PICTURES_AT_ONCE = 256            # that a pose net looks at twice before their joints are told


class Sight(NamedTuple):
  """A picture that was looked at.

  Attributes:
    index: its place in the source.
    values: what the net gave, numpy, without the axis of the batch; None: it cannot be read.
    reason: why it cannot be read.
  """
  index: int
  values: dict | None
  reason: str = ''


class _Look:
  """Args: config: of the run; trained: of `open_trained`."""

  def __init__(self, config, trained):
    self._config, self._trained = config, trained
    self._evaluator = Evaluator(Untold(trained.task), trained.mesh)

  def run_blank(self, rows: int) -> None:
    """A batch of black pictures goes through the net."""
    images = build_data.blank_pictures(self._config, rows)
    self._evaluator.run(self._trained.variables, {'image': images,
                                                  'mask': np.ones(rows, np.float32)})


class WholeLook(_Look):
  """Of taggers and classifiers: 'image' as the net saw it, 'probabilities'."""

  def see(self, source, rows: int, poll: Callable[[], None]) -> Iterator[list[Sight]]:
    """Yields a list for each batch."""
    loader = build_inputs.build_picture_loader(self._config, self.cut(source, poll), rows)
    start = 0
    for batch, predicted, _ in self._evaluator.predictions(self._trained.variables, loader, poll):
      yield [_sight(batch, predicted, row, start + row, source, loader.bad_images)
             for row in range(min(rows, len(source) - start))]
      start += rows

  @functools.cached_property
  def cutter(self) -> people_finder.PeopleFinder:
    """What finds the persons that are cut out, where `data.persons.cut` is 'pose'."""
    return people_finder.open_cutter(self._config)

  def cut(self, source, poll: Callable[[], None]):
    """The pictures with the boxes of their persons, where the net learned from these."""
    if self._config.data.persons.cut != 'pose':
      return build_sources.cut_pictures(self._config, source, poll)
    return self.cutter.cut(source, poll)


class PeopleLook:
  """Of pose nets: 'people', a list of {'keypoints' [17, 3]: x px, y px, score; 'score'; 'box_px'},
  the best first.

  Args: config: of the run; folder: its workdir.
  """

  def __init__(self, config, folder):
    self._config = config
    self.finder = PeopleFinder(config, folder)

  def run_blank(self, rows: int) -> None:
    """A batch of black crops goes through the net."""
    self.finder.run_blank(rows)

  def see(self, source, rows: int, poll: Callable[[], None], boxes=None) -> Iterator[list[Sight]]:
    """Yields lists of many pictures.

    Args: boxes: (int [D] places in the source in rising order, float32 [D, 4], [D] scores) of the
      people; None: one person is looked for in each picture.
    """
    self.finder.rows = rows
    step = max(rows, PICTURES_AT_ONCE)
    for first in range(0, len(source), step):
      part = source.take(range(first, min(first + step, len(source))))
      yield [sight._replace(index=first + sight.index)
             for sight in self._see_part(part, poll, _within(boxes, first, len(part)))]

  def _see_part(self, part, poll, boxes) -> list[Sight]:
    if boxes is None:
      pictures, scores = np.arange(len(part)), np.ones(len(part))
      found, crops = self.finder.find(part, poll), None
    else:
      pictures, crops, scores = boxes
      if not len(pictures):
        return [Sight(index, {'people': []}) for index in range(len(part))]
      found = self.finder.look(build_data.with_boxes(part, crops, pictures), poll)
    people = coco_keypoints.Detections(
        image=pictures, keypoints=found.keypoints,
        score=coco_keypoints.rescore(scores, found.keypoints))
    kept = found.readable & coco_keypoints.suppress(people, areas=found.crop_area_px2)
    reasons = dict(found.unreadable)
    bad = {int(picture): reasons.get(part.names[picture], 'changed while it was read')
           for picture in pictures[~found.readable]}
    crops = self.finder.boxes(found) if crops is None else crops
    sights = []
    for index in range(len(part)):
      mine = np.flatnonzero((pictures == index) & kept)
      mine = mine[np.argsort(-people.score[mine], kind='stable')]
      sights.append(Sight(index, None, bad[index]) if index in bad else Sight(index, {'people': [
          {'keypoints': people.keypoints[row], 'score': float(people.score[row]),
           'box_px': crops[row]} for row in mine]}))
    return sights


class ScanLook(_Look):
  """Of autoencoders, one slice each: 'image' float32 [S, S, 1] in 0..1, 'reconstruction' like it,
  'mean' and 'logvar' [D]; 'slice' [h, w] as it came."""

  def see(self, source, rows: int, poll: Callable[[], None]) -> Iterator[list[Sight]]:
    """Yields a list for each batch of the middle slices of a `data.given.Given`."""
    for first in range(0, len(source), rows):
      poll()
      batch = {'image': build_data.blank_pictures(self._config, rows),
               'mask': np.zeros(rows, np.float32)}
      slices, reasons = [], []
      for row, index in enumerate(range(first, min(first + rows, len(source)))):
        picture, reason = build_inputs.read_middle_slice(self._config, source, index)
        slices.append(picture)
        reasons.append(reason)
        if picture is not None:
          batch['image'][row] = build_inputs.fit_scan(picture, batch['image'].shape[1])
          batch['mask'][row] = 1
      predicted, _ = self._evaluator.run(self._trained.variables, batch)
      yield [Sight(first + row, None, reasons[row]) if slices[row] is None else
             Sight(first + row, {'image': batch['image'][row], 'slice': slices[row],
                                 **{key: value[row] for key, value in predicted.items()}})
             for row in range(len(slices))]


def _sight(batch, predicted, row: int, index: int, source, bad_images) -> Sight:
  if batch['mask'][row] > 0:
    return Sight(index, {'image': batch['image'][row],
                         **{key: value[row] for key, value in predicted.items()}})
  reasons = bad_images.reasons()
  return Sight(index, None, reasons.get(source.names[index]) or reasons.get(f'row {index}')
               or 'changed while it was read')


def _within(boxes, first: int, count: int):
  """The boxes of the pictures first, ..., first + count - 1, with places counted from there."""
  if boxes is None:
    return None
  start, stop = np.searchsorted(boxes[0], (first, first + count))
  return boxes[0][start:stop] - first, *(column[start:stop] for column in boxes[1:])
