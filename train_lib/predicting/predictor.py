"""Predictions from Python: a trained net, opened once, that answers for any number of pictures.

    from train_lib.predicting.predictor import open_predictor
    predictor = open_predictor('runs/tagger-demo')
    predictor.predict(['photo.jpg', open('other.png', 'rb').read()])
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from configs import saved
from errors import UserError
from train_lib import batch_sizes, build_inputs
from train_lib.predicting import looks
from train_lib.predicting.answers import ClassAnswers, PoseAnswers, TagAnswers
from train_lib.scans.scan_coder import Coder
from train_lib.trained import open_trained
from train_lib.trees import params_digest

MOST_AT_ONCE = 32                 # pictures of a program's own that go through the net at once
ANSWERS = {'tagging': TagAnswers, 'classification': ClassAnswers, 'pose': PoseAnswers}


def open_predictor(folder: str, checkpoint: str = '', *, threshold: float | None = None,
                   category_thresholds: Sequence[tuple[str, float]] = ()) -> 'Predictor':
  """Opens a trained net.

  Args:
    folder: the workdir of a run, or the folder that `--job=export` wrote.
    checkpoint: latest or best; '': as the run's config says. An exported folder has one.
    threshold, category_thresholds: of tags, as the keys of the section `predict`.

  Raises:
    UserError: there is no such folder, or it holds no trained net.
  """
  config = saved.get_config(str(folder))
  config.checkpoint = checkpoint or config.checkpoint
  if threshold is not None:
    config.predict.threshold = float(threshold)
  config.predict.category_thresholds = tuple(category_thresholds)
  return Predictor(config, str(folder))


class Predictor:
  """A trained net that answers. Several threads may call it; it serves one at a time.

  Args: config: of the folder, its section `predict` as wanted; folder: as of `open_predictor`.

  Attributes:
    config: the config; task: its task; trained: of `trained.open_trained`.
    answers: of `train_lib.predicting.answers`; None of an autoencoder.
  """

  def __init__(self, config, folder: str):
    self.config, self.task, self._lock, self._coders = config, config.task, threading.Lock(), {}
    if self.task == 'pose':
      self._look = looks.PeopleLook(config, folder)
      self.trained = self._look.finder.trained
    else:
      self.trained = open_trained(config, folder, config.checkpoint)
      look = looks.ScanLook if self.task == 'autoencoding' else looks.WholeLook
      self._look = look(config, self.trained)
    make = ANSWERS.get(self.task)
    self.answers = make(self.trained, config.predict) if make else None

  def predict(self, pictures: Sequence) -> list[dict]:
    """The answer for each picture, as in a row of `predictions.jsonl` but for its path.

    Of a tagger {'rating', 'tags': {name: probability}}; of a classifier {'label', 'probability',
    'top'}; of a pose net {'people': [{'score', 'keypoints'}]}; of an autoencoder {'restored':
    float32 [h, w] in 0..1}, of the middle slice. {'error': why} where a picture cannot be read.

    Args: pictures: each a path, the bytes of a file, or RGB as uint8 [H, W, 3].
    """
    found = self.values(pictures)
    if self.answers is None:
      return [value if 'error' in value else {'restored': build_inputs.unfit_scan(
          value['reconstruction'], value['slice'].shape)} for value in found]
    return [value if 'error' in value else self.answers.describe(value) for value in found]

  def values(self, pictures: Sequence) -> list[dict]:
    """What the net gave for each picture, numpy; {'error': why} where it cannot be read.

    Args: pictures: as those of `predict`.

    Returns:
      Of taggers and classifiers 'image', uint8 [S, S, 3] as the net saw it, and 'probabilities',
      float32 [T]. Of pose nets 'image', uint8 [H, W, 3], the whole picture, and 'people', see
      `looks.PeopleLook`. Of autoencoders what `looks.ScanLook` says.
    """
    if isinstance(pictures, (str, bytes, os.PathLike, np.ndarray)):
      raise UserError('one picture was given in place of a list; write predict([picture])')
    pictures = list(pictures)
    source, found = build_inputs.build_given_source(pictures), [{} for _ in pictures]
    if not pictures:
      return found
    rows = batch_sizes.round_up(min(len(pictures), MOST_AT_ONCE), self.trained.mesh)
    with self._lock:
      for sights in self._look.see(source, rows, lambda: None):
        for index, values, reason in sights:
          found[index] = {'error': reason} if values is None else values
    if self.task == 'pose':
      loader = build_inputs.build_whole_loader(self.config, source)
      for index, values in enumerate(found):
        if 'error' not in values:
          values['image'] = loader.example(index)['image']
    return found

  def stream(self, source, rows: int, poll: Callable[[], None], **options
             ) -> Iterator[list[looks.Sight]]:
    """Yields what the net gave for the pictures of a source, many at a time; see `looks`.

    Args: rows: of a batch; poll: called often, may raise to stop; options: of the task's look.
    """
    return self._look.see(source, rows, poll, **options)

  def find_batch_size(self, number: int) -> tuple[int, float]:
    """What `batch_sizes.find` finds for so many pictures; `predict.batch_size` where it is set."""
    mesh, told = self.trained.mesh, self.config.predict.batch_size
    if told:
      return batch_sizes.resolve('predict.batch_size', told, mesh), 0.0
    return batch_sizes.find(self._look.run_blank, number, mesh)

  def cut(self, source):
    """The pictures of a source as a tagger or classifier takes them, with their persons' boxes."""
    with self._lock:
      return self._look.cut(source, lambda: None)

  def cutter_digest(self) -> str:
    """Of the weights of the net that cuts persons out for this one; '' where none does."""
    cutter = self._look.cutter if self.config.data.persons.cut == 'pose' else None
    return params_digest(cutter.trained.variables) if cutter else ''

  def decode(self, latents: np.ndarray) -> np.ndarray:
    """Of an autoencoder: float32 [n, S, S, 1] in 0..1. Args: latents: [n, D]."""
    if self.task != 'autoencoding':
      raise UserError(f"only an autoencoder decodes, and this is a net of the task '{self.task}'")
    rows = batch_sizes.round_up(min(len(latents), MOST_AT_ONCE), self.trained.mesh)
    with self._lock:
      if rows not in self._coders:
        self._coders[rows] = Coder(self.trained, 'rows', rows)
      return self._coders[rows].decode(latents)
