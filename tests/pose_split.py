"""A split of drawn people as a pose net's loader gives it, for the tests of its report."""

import functools

import jax
import numpy as np

from data.encode import encode_image
from data.loader import Loader
from data.operations import Decode
from data.person_crop import CropPerson
from data.persons import Persons
from tests import small_people
from train_lib import parallel
from train_lib.evaluation import Evaluator

VARIABLES = {'params': {'unused': np.zeros(1, np.float32)}}       # of the net of small_people
KEYS = ('image', 'crop_to_source', *Persons.truth_keys)


class Pictures:
  """One person a picture, each elsewhere in a box too large; ids are numbers. Args: rows; seed."""

  tag_names, truth_keys, max_tags, max_ignored = (), (), 0, 0
  description = 'drawn people'

  def __init__(self, rows, seed):
    rng = np.random.default_rng(seed)
    self.fingerprint = f'{rows} {seed}'
    self.picture_ids = list(range(100, 100 + rows))
    self._pictures = []
    for number in range(rows):
      image = small_people.blank(160, 120)
      box = np.array([*rng.integers(0, 40, 2), *rng.integers(60, 80, 2)], np.float32)
      aside = rng.uniform(0, 0.4, 2)
      joints = small_people.draw_person(image, [*(box[:2] + aside * box[2:]), *(0.6 * box[2:])])
      keypoints = np.column_stack([joints, np.full(17, 2)]).astype(np.float32)
      keypoints[number % 17, 2] = 0
      self._pictures.append({
          'id': str(self.picture_ids[number]), 'image_bytes': encode_image(image, '.png'),
          'keypoints': keypoints[None], 'box_px': box[None],
          'area_px2': np.array([box[2] * box[3]], np.float32)})

  def __len__(self):
    return len(self._pictures)

  def __getitem__(self, index):
    return self._pictures[index]


def PoseSplit(rows: int, seed: int, detections=None) -> Loader:
  """The loader, in evaluation order."""
  persons = Persons(Pictures(rows, seed), detections=detections)
  return Loader(persons, (Decode(10 ** 6), CropPerson(128, 96)), batch_size=4, train=False,
                keys=KEYS)


@functools.cache
def make_evaluator() -> Evaluator:
  """Of the net of `small_people`, compiled once."""
  return Evaluator(small_people.make_trained().task, parallel.make_mesh(jax.devices()[:1]))
