"""How much drawn scans look like real ones: Frechet distances of a net's features."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from errors import UserError
from train_lib import build_data, parallel
from train_lib import workdir as workdir_lib
from train_lib.scans.feature_distance import frechet_distance
from train_lib.split_statistics import even_sample
from train_lib.tasks.pixels import normalise
from train_lib.trained import Trained, open_trained

JUDGES = ('autoencoding', 'classification', 'tagging')    # whose nets have features of a picture
MOST_JUDGED = 2_000               # scans on each side, evenly from all
FEWEST_JUDGED = 2                 # of one there is no covariance
BLUR_FRAC = 1 / 40                # of the side: deviation of the blur of scans that are to be bad


class Quality(NamedTuple):
  """Frechet distances to the test split, of as many scans each.

  Attributes:
    drawn: of the drawn scans; train: of scans of the training split, the floor; blurred: of these
      scans blurred, which are bad.
    scans: how many of each there are, by name, with 'test'.
    features: F, how many a scan has.
  """
  drawn: float
  train: float
  blurred: float
  scans: dict[str, int]
  features: int


class Judge:
  """A net whose features of scans are compared: those of its last map, as a mean over places.

  Args:
    name: for people.
    config: of its run; its task is one of JUDGES.
    trained: of `open_trained`.
    rows: scans that are computed at once.
  """

  def __init__(self, name: str, config: Any, trained: Trained, rows: int):
    self.name = name
    self._shape, self._scans = build_data.picture_shape(config), config.task == 'autoencoding'
    self._trained, self.rows = trained, rows
    task = trained.task

    def features(variables, batch):
      image = normalise(batch['image'], task.mean, task.deviation)
      return task.net.apply(variables, image, train=False)[1]['features'], {}

    self._run = parallel.compile_rows_and_sums(features, trained.mesh)

  def features(self, pictures: np.ndarray) -> np.ndarray:
    """float32 [n, F]. Args: pictures: [n, h, w, 1] in 0..1; an autoencoder takes grey scans, any
    other net the same as a picture in colour."""
    parts = []
    for first in range(0, len(pictures), self.rows):
      part = np.stack([self._fitted(picture[..., 0])
                       for picture in pictures[first:first + self.rows]])
      batch = {'image': np.concatenate([part, np.repeat(part[-1:], self.rows - len(part), axis=0)])}
      batch = parallel.put_batch(self._trained.mesh, batch)
      found, _ = self._run(self._trained.variables, batch)
      parts.append(parallel.to_host(found)[:len(part)].astype(np.float32))
    return np.concatenate(parts)

  def _fitted(self, plane):
    import cv2
    height, width = self._shape
    if plane.shape != (height, width):
      shrinks = height * width < plane.size
      plane = cv2.resize(plane, (width, height),
                         interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    plane = np.clip(plane, 0, 1)
    if self._scans:
      return plane[..., None].astype(np.float32)
    return np.repeat(np.rint(255 * plane).astype(np.uint8)[..., None], 3, axis=-1)


def open_judge(config, trained: Trained) -> Judge:
  """The judge that the config names, the autoencoder itself where it names none.

  Args: config: of an autoencoder's run, whose section `synthesize` is read; trained: its net.
  Raises: UserError: no such run, or one whose net has no features of a scan.
  """
  folder, rows = config.synthesize.judge, config.synthesize.batch_size
  if not folder:
    return Judge("the autoencoder's own encoder", config, trained, rows)
  config = workdir_lib.config_of_run(folder, config)
  if config.task not in JUDGES:
    raise UserError(f"synthesize.judge: '{folder}' is a run of the task '{config.task}'; name one "
                    f'of {", ".join(JUDGES)}')
  return Judge(f"the net of '{folder}'", config, open_trained(config, folder, config.checkpoint),
               rows)


def judge_drawn(judge: Judge, drawn: np.ndarray, loaders: dict,
                poll: Callable[[], None]) -> Quality:
  """How far drawn scans are from those of the test split, beside what is near and what is far.

  Distances grow where there are few scans, so that all three are those of as many.

  Args:
    judge: whose features they are.
    drawn: [n, F], features of drawn scans, n at least FEWEST_JUDGED.
    loaders: 'train' and 'test', in evaluation order, with clean scans as 'target'.
    poll: called often; may raise to stop.
  """
  test = _features(judge, _targets(loaders['test'], MOST_JUDGED, poll))
  scans = list(_targets(loaders['train'], min(len(drawn), MOST_JUDGED), poll))
  train, blurred = _features(judge, scans), _features(judge, map(blur, scans))
  number = min(len(drawn), len(train))
  if min(number, len(test)) < FEWEST_JUDGED:
    raise UserError(f'quality is measured on {FEWEST_JUDGED} scans or more of each split, and of '
                    f'the training split {len(train)} can be read, of the test split {len(test)}; '
                    "set --config.synthesize.judge='none'")
  sets = {name: rows[even_sample(len(rows), number)]
          for name, rows in (('drawn', drawn), ('train', train), ('blurred', blurred))}
  return Quality(**{name: frechet_distance(rows, test) for name, rows in sets.items()},
                 scans={**dict.fromkeys(sets, number), 'test': len(test)},
                 features=test.shape[1])


def clean_scans(loader, most: int, poll: Callable[[], None]) -> Iterator[tuple[int, dict]]:
  """Yields (index, example) of scans that can be read, evenly from a whole split.

  Args: loader: in evaluation order; most: so many at most; poll: called often; may raise to stop.
  """
  for index in even_sample(loader.num_examples, most):
    poll()
    example = loader.example(int(index))
    if example is not None:
      yield int(index), example


def blur(picture: np.ndarray) -> np.ndarray:
  """[h, w, 1]: blurred so that fine detail is gone. Args: picture: [h, w, 1]."""
  import cv2
  return cv2.GaussianBlur(picture[..., 0], (0, 0), BLUR_FRAC * max(picture.shape))[..., None]


def _targets(loader, most, poll):
  """Yields clean scans, float32 [h, w, 1], evenly from a split."""
  for _, example in clean_scans(loader, most, poll):
    yield np.asarray(example['target'], np.float32)


def _features(judge, scans):
  """float32 [n, F], a batch at a time. Args: scans: [h, w, 1] each, one after another."""
  found, scans = [], iter(scans)
  while batch := list(itertools.islice(scans, judge.rows)):
    found.append(judge.features(np.stack(batch)))
  return np.concatenate(found) if found else np.zeros((0, 1), np.float32)
