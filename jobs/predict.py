"""--job=predict: tags, class or people's joints of every picture of a folder; or scans restored."""

import json
import os

import numpy as np

from errors import UserError
from train_lib import build_inputs, devices, parallel, pose_prediction, records, restoration
from train_lib.evaluation import Evaluator, Untold
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.trained import open_trained

TOP = 5                           # most probable classes that are written
MOST_SAID = 10                    # pictures; the classes of no more are said on the terminal


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Predicts every picture under a folder; what cannot be read is skipped and listed.

  Writes `predictions.jsonl`, `predictions.csv` (the same for a spreadsheet) and, if need be,
  `unreadable.jsonl`. Each appears whole, at the end. A row of a tagger is path, rating and the tags
  with their probabilities, most probable first; of a classifier path, label, probability and 'top',
  [class, probability] of the most probable classes. A pose net leaves what
  `pose_prediction.predict_people` says, an autoencoder what `restoration.restore_scans` says.

  Args:
    config: of the workdir; the `predict` section is this job's.
    workdir: of the run.
    config_path: not of this job.
    input: a folder, walked recursively, or one picture.
    output: a folder; '' is `<workdir>/predict`.

  Raises:
    UserError: no such run or input, no picture in it, a threshold for a classifier, or boxes for
      other nets than those of poses.
  """
  del config_path
  with Preemption() as preemption:
    if not input:
      raise UserError('nothing to predict: name a picture or a folder of pictures with --input=')
    devices.set_up_jax(config.runtime.cache_dir)
    if config.task == 'pose':
      return pose_prediction.predict_people(config, workdir, input, output, preemption)
    if config.task == 'autoencoding':
      return restoration.restore_scans(config, workdir, input, output, preemption)
    if config.predict.boxes:
      raise UserError('predict.boxes says where people are whose joints are looked for, and '
                      f"{workdir} is a run of the task '{config.task}'; leave it empty")
    trained = open_trained(config, workdir, config.checkpoint)
    parallel.check_batch_size('predict.batch_size', config.predict.batch_size, trained.mesh)
    words = WORDS[config.task](trained, config.predict.threshold)
    loader = build_inputs.build_picture_loader(config, input, preemption.check)
    folder = records.absolute(output or os.path.join(workdir, 'predict'))
    say(f'{words.doing} {loader.num_examples} pictures with step {trained.step}{words.how}')
    rows = _predicted_rows(trained, loader, words, preemption)
    unreadable = loader.bad_images.drain()
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, rows, words, unreadable)
    words.say_some(rows)
    say(f'{len(rows)} pictures are {words.done} in {folder}/predictions.jsonl and predictions.csv')
    if unreadable:
      say(f'{len(unreadable)} could not be read; {folder}/unreadable.jsonl says why')


class TagWords:
  """What a tagger says of a picture. Args: trained: of `open_trained`; threshold: of the config,
  negative: the one tuned on the validation split."""

  doing, done = 'tagging', 'tagged'
  columns = ('path', 'rating', 'tags')

  def __init__(self, trained, threshold: float):
    self._trained, self._threshold = trained, _threshold(threshold, trained)
    self.how = f' at threshold {self._threshold:.3f}'

  def describe(self, probabilities: np.ndarray) -> dict:
    """{'rating', 'tags': {name: probability}}: the most probable rating ('' where the net has none)
    and the tags above the threshold, most probable first. Args: probabilities: [T]."""
    scored, names = self._trained.task.scored, self._trained.tag_names   # all but the ratings
    given = np.flatnonzero(scored & (probabilities > self._threshold))
    given = given[np.argsort(-probabilities[given], kind='stable')]
    ratings = np.flatnonzero(~scored)
    return {'rating': names[ratings[probabilities[ratings].argmax()]] if len(ratings) else '',
            'tags': {names[tag]: round(float(probabilities[tag]), 4) for tag in given}}

  def cells(self, row: dict) -> list:
    """The cells of a picture in the spreadsheet."""
    return [row['path'], row['rating'], ', '.join(row['tags'])]

  def say_some(self, rows: list[dict]) -> None:
    """Tags are too many for a terminal."""


class ClassWords:
  """What a classifier says of a picture. Args: as those of `TagWords`; it has no threshold."""

  doing, done = 'classifying', 'classified'
  columns = ('path', 'label', 'probability')
  how = ''

  def __init__(self, trained, threshold: float):
    self._names = trained.tag_names
    if threshold >= 0:
      raise UserError(f'predict.threshold is {threshold:g}, which is for tags: a classifier says '
                      'the most probable class; leave it negative')

  def describe(self, probabilities: np.ndarray) -> dict:
    """{'label', 'probability', 'top': [[class, probability], ...]}. Args: probabilities: [K]."""
    order = np.argsort(-probabilities, kind='stable')[:TOP]
    top = [[self._names[k], round(float(probabilities[k]), 4)] for k in order]
    return {'label': top[0][0], 'probability': top[0][1], 'top': top}

  def cells(self, row: dict) -> list:
    """The cells of a picture in the spreadsheet."""
    return [row[name] for name in self.columns]

  def say_some(self, rows: list[dict]) -> None:
    """Says the class of each of a few pictures."""
    for row in rows if len(rows) <= MOST_SAID else ():
      say(f'{row["path"]}: {row["label"]}, {100 * row["probability"]:.1f} %')


WORDS = {'tagging': TagWords, 'classification': ClassWords}


def _predicted_rows(trained, loader, words, preemption) -> list[dict]:
  rows = []
  evaluator = Evaluator(Untold(trained.task), trained.mesh)
  batches = evaluator.predictions(trained.variables, loader, preemption.check)
  for batch, predicted, _ in batches:
    for path, real, probabilities in zip(
        batch['id'], batch['mask'], predicted['probabilities'], strict=True):
      if real:
        rows.append({'path': path, **words.describe(probabilities)})
  return rows


def _threshold(wanted: float, trained) -> float:
  if wanted >= 0:
    return wanted
  if 'micro' not in trained.thresholds:
    raise UserError(f'step {trained.step} was not measured on the validation split, so it has no '
                    'tuned threshold; finish the training or give --config.predict.threshold=0.5')
  return trained.thresholds['micro']


def _write(folder, rows, words, unreadable) -> None:
  records.write_text(folder / 'predictions.jsonl', _json_lines(rows))
  records.write_csv(folder / 'predictions.csv', words.columns, map(words.cells, rows))
  if unreadable:
    records.write_text(folder / 'unreadable.jsonl', _json_lines(unreadable))
  else:
    (folder / 'unreadable.jsonl').unlink(missing_ok=True)


def _json_lines(rows: list[dict]) -> str:
  return ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
