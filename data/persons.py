"""A source whose rows are persons, around one whose rows are pictures with people in them."""

import hashlib

import numpy as np

from data.batch import Source, contents_of
from data.classes import name_few
from data.detections import Detections
from data.joints import JOINT_NAMES
from data.people import read_people
from errors import UserError

PASSED_ON = ('source_size_px', 'as_stored')  # of a picture's example, to those of its persons


class Persons:
  """Every person of a source's pictures as an example of her own, with her box and her joints.

  Rows are the people who have a labelled joint and a box with an area, and are no crowd; or every
  box that a detector has found in the pictures, whose joints nobody knows.

  An example: {'id': '<id of the picture>/<number of the row in it>', 'image_bytes', 'keypoints'
  float32 [17, 3] (x px, y px, COCO visibility; zeros of a detection), 'box_px' float32 [4],
  'area_px2' float32 (of a detection, its box's), 'picture' int32, the picture's number in the
  split, 'box_score' float32 (1 for true boxes), 'is_main': whether no row of its picture has a
  larger box} and, where the source tells it, 'source_size_px'.

  Args:
    source: of pictures, as `data.people.read_people` reads it, once. Where ids are not what its
      pictures are known by elsewhere, it has `picture_ids`.
    poll: called for every picture; may raise to stop.
    detections: what a detector has found; None: the boxes of the annotations.

  Attributes:
    people: everybody annotated, the crowds and those without a joint too.
    picture_ids: list, number of a picture -> what it is known by (COCO's image_id).
    box_source: whose boxes the rows are, in words.

  Raises:
    UserError: the source tells of no people, or there is no row.
  """

  tag_names = JOINT_NAMES
  tag_categories = ('general',) * len(JOINT_NAMES)
  max_tags, max_ignored = len(JOINT_NAMES), 0
  truth_keys = ('keypoints', 'box_px', 'area_px2', 'picture', 'box_score')

  def __init__(self, source: Source, poll=lambda: None, detections: Detections | None = None):
    self._source = source
    self.people, ids = read_people(source, poll)
    self.picture_ids = list(getattr(source, 'picture_ids', ids))
    told = self._take_people() if detections is None else self._take_boxes(detections)
    if not len(self):
      raise UserError(f'there are no {told} ({source.description})')
    count = len(np.unique(self._picture))
    self.description = (f'{len(self):,} {told} in {count:,} of {len(source):,} pictures, by '
                        f'{self.box_source}; {source.description}')
    words = source.fingerprint.encode() + self.box_source.encode()
    for rows in (self._picture, self._figure, self._boxes, self._scores):
      words += rows.tobytes()
    self.fingerprint = hashlib.sha256(words).hexdigest()[:32]
    starts = np.searchsorted(self._picture, self._picture)
    self._numbers = np.arange(len(self)) - starts
    self._main = np.zeros(len(self), bool)
    areas = self._boxes[:, 2].astype(float) * self._boxes[:, 3]
    largest_first = np.lexsort((-areas, self._picture))
    self._main[largest_first[self._numbers == 0]] = True

  def _take_people(self):
    """Fills the rows with annotated people; says what they are."""
    people = self.people
    sound = ~people.crowd & people.labelled.any(axis=1) & (people.box_px[:, 2:] > 0).all(axis=1)
    self._figure = np.flatnonzero(sound)
    self._picture, self._boxes = people.image[sound], people.box_px[sound]
    self._scores = np.ones(len(self._figure), np.float32)
    self.box_source = 'ground-truth boxes'
    return 'persons with joints'

  def _take_boxes(self, detections):
    """Fills the rows with what was detected; says what they are."""
    number_of = {id: number for number, id in enumerate(self.picture_ids)}
    pictures = np.array([number_of.get(id, -1) for id in detections.image_ids], np.int64)
    rows = np.argsort(pictures, kind='stable')
    unknown = int((pictures < 0).sum())
    rows = rows[unknown:]
    self._picture, self._boxes = pictures[rows], detections.box_px[rows]
    self._scores, self._figure = detections.scores[rows], np.full(len(rows), -1)
    self.box_source = f"boxes of '{detections.name}'"
    notes = [*detections.notes, *([f'{unknown:,} in other pictures'] if unknown else [])]
    if not len(rows):
      theirs, ours = (name_few([repr(id) for id in ids], most=3)
                      for ids in (detections.image_ids, self.picture_ids))
      raise UserError(
          f"none of the {len(pictures):,} boxes of '{detections.name}' is in a picture of this "
          f'split: they are of image_id {theirs}, and its pictures have {ours}')
    return 'detected persons' + (f' (left out: {", ".join(notes)})' if notes else '')

  def __len__(self) -> int:
    return len(self._picture)

  def tags_of(self, index: int) -> np.ndarray:
    """int32 [n]: which joints are labelled."""
    figure = self._figure[index]
    return np.flatnonzero(figure >= 0 and self.people.labelled[figure]).astype(np.int32)

  def contents(self):
    """As `data.batch.contents_of`."""
    return contents_of(self._source)

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    poll()
    return self.people.labelled[self._figure[self._figure >= 0]].sum(axis=0).astype(np.int64)

  def __getitem__(self, index: int) -> dict:
    picture, figure = int(self._picture[index]), int(self._figure[index])
    whole, box_px = self._source[picture], self._boxes[index]
    known = figure >= 0
    example = {
        'id': f'{whole["id"]}/{self._numbers[index]}', 'image_bytes': whole['image_bytes'],
        'tags': self.tags_of(index),
        'keypoints': (self.people.keypoints[figure] if known else
                      np.zeros((len(JOINT_NAMES), 3), np.float32)),
        'box_px': box_px,
        'area_px2': self.people.area_px2[figure] if known else box_px[2] * box_px[3],
        'picture': np.int32(picture), 'box_score': self._scores[index],
        'is_main': bool(self._main[index]),
    }
    return example | {key: whole[key] for key in PASSED_ON if key in whole}
