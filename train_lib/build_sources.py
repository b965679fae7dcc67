"""From a config's names to the sources of its splits, with the person cut out where it says so."""

import copy
from collections.abc import Callable

import numpy as np

import data
from data.batch import Source
from data.boxed import Boxed
from data.classes import Classes
from data.detections import read_detections
from data.loader import Loader
from data.persons import Persons
from data.subset import Subset
from errors import UserError
from train_lib import build_data
from train_lib.poses import people_finder

DRAWN_SAMPLE = 64                 # pictures that stand for all of a drawn dataset
CUTS = ('none', 'truth', 'pose')  # what data.persons.cut may be


def build_source(config, split: str, poll: Callable[[], None] = lambda: None) -> Source:
  """The split ('train', 'valid' or 'test') of the config's dataset, as the task reads it.

  Of classes, its tags as labels; of poses, a row for each person.

  Args: poll: called often while data are prepared; may raise to stop.
  """
  name = config.data.source
  if name not in data.SOURCES:
    raise UserError(f"data.source '{name}' is unknown; choices: {', '.join(data.SOURCES)}")
  source = data.SOURCES[name](config.data, split, poll=poll)
  if config.task == 'pose':
    return _persons(config.data, source, split, poll)
  source = cut_pictures(config, source, poll)
  return Classes(source, poll) if config.task == 'classification' else source


def _persons(config_data, source, split, poll):
  persons = config_data.persons
  detections = None
  if persons.boxes and split == 'test':
    detections = read_detections(persons.boxes, persons.least_box_score, poll)
  return Persons(source, poll, detections=detections)


def cut_pictures(config, source, poll):
  """The source with the box of the person in each picture, where the config cuts her out."""
  persons = config.data.persons
  if persons.cut == 'none':
    return source
  if persons.cut == 'truth':
    return Boxed(source, None)
  return Boxed(source, people_finder.found_boxes(config, source, poll))


def build_sample(config, folder: str, poll: Callable[[], None]) -> Source:
  """As many examples as the training split of a drawn dataset has, of DRAWN_SAMPLE pictures.

  Args: folder: that these are drawn into; poll: as that of `build_source`.
  """
  small, count = copy.deepcopy(config), min(config.data.num_train, DRAWN_SAMPLE)
  small.data.dir, small.data.num_train = folder, count
  small.data.num_valid, small.data.num_test = (
      min(number, 1) for number in (config.data.num_valid, config.data.num_test))
  sample = build_source(small, 'train', poll)
  rows = np.arange(len(sample) * config.data.num_train // count) % len(sample)
  return Subset(sample, rows, 'a sample again and again')


def build_listed_source(config, source: Source, poll: Callable[[], None]) -> Source:
  """The training split, its tags as listed: what the baselines learn from.

  Args: source: the training split with what training makes of missing tags. It is given back where
    it is the same, and where its tags were chosen and counted with the implied ones, as a board's.
  """
  if config.data.implications == 'listed' or config.data.source != 'toon':
    return source
  listed = copy.deepcopy(config)
  listed.data.implications = 'listed'
  return build_source(listed, 'train', poll)


def build_evaluation_loaders(config, train_source: Source,
                             poll: Callable[[], None] = lambda: None) -> dict[str, Loader]:
  """'train', 'valid' and 'test', as `build_evaluation_loader` reads them."""
  sources = {'train': train_source,
             **{split: build_source(config, split, poll) for split in ('valid', 'test')}}
  return {split: build_data.build_evaluation_loader(config, source)
          for split, source in sources.items()}
