"""--job=predict: the tags of a folder of pictures."""

import json
import os

import numpy as np

from errors import UserError
from train_lib import build, devices, parallel, records
from train_lib.evaluation import Evaluator
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.trained import open_trained


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Tags every picture under a folder; what cannot be read is skipped and listed.

  Writes `predictions.jsonl` (path, rating, tags with their probabilities, most probable first),
  `predictions.csv` (the same for a spreadsheet) and, if need be, `unreadable.jsonl`. Each appears
  whole, at the end.

  Args:
    config: of the workdir; the `predict` section is this job's.
    workdir: of the run.
    config_path: not of this job.
    input: a folder, walked recursively, or one picture.
    output: a folder; '' is `<workdir>/predict`.

  Raises:
    UserError: no such run or input, or no picture in it.
  """
  del config_path
  with Preemption() as preemption:
    if not input:
      raise UserError('nothing to tag: name a picture or a folder of pictures with --input=')
    devices.set_up_jax(config.runtime.cache_dir)
    trained = open_trained(config, workdir, config.checkpoint)
    parallel.check_batch_size('predict.batch_size', config.predict.batch_size, trained.mesh)
    loader = build.build_picture_loader(config, input)
    folder = records.absolute(output or os.path.join(workdir, 'predict'))
    threshold = _threshold(config.predict.threshold, trained)
    say(f'tagging {loader.num_examples} pictures with step {trained.step} at threshold '
        f'{threshold:.3f}')
    rows = _predicted_rows(trained, loader, threshold, preemption)
    unreadable = loader.bad_images.drain()
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, rows, unreadable)
    say(f'{len(rows)} pictures are tagged in {folder}/predictions.jsonl and predictions.csv')
    if unreadable:
      say(f'{len(unreadable)} could not be read; {folder}/unreadable.jsonl says why')


def _predicted_rows(trained, loader, threshold, preemption) -> list[dict]:
  rows = []
  evaluator = Evaluator(trained.task, trained.mesh)
  batches = evaluator.predictions(trained.variables, loader, preemption.check)
  for batch, predicted, _ in batches:
    for path, real, probabilities in zip(
        batch['id'], batch['mask'], predicted['probabilities'], strict=True):
      if real:
        rows.append({'path': path, **describe_tags(probabilities, trained, threshold)})
  return rows


def describe_tags(probabilities, trained, threshold: float) -> dict:
  """{'rating', 'tags': {name: probability}}: the most probable rating ('' where the net has none)
  and the tags above the threshold, most probable first. Args: probabilities: [T]."""
  scored = trained.task.scored                              # all but the ratings
  given = np.flatnonzero(scored & (probabilities > threshold))
  given = given[np.argsort(-probabilities[given], kind='stable')]
  ratings = np.flatnonzero(~scored)
  return {'rating': trained.tag_names[ratings[probabilities[ratings].argmax()]]
                    if len(ratings) else '',
          'tags': {trained.tag_names[tag]: round(float(probabilities[tag]), 4) for tag in given}}


def _threshold(wanted: float, trained) -> float:
  if wanted >= 0:
    return wanted
  if 'micro' not in trained.thresholds:
    raise UserError(f'step {trained.step} was not measured on the validation split, so it has no '
                    'tuned threshold; finish the training or give --config.predict.threshold=0.5')
  return trained.thresholds['micro']


def _write(folder, rows, unreadable) -> None:
  records.write_text(folder / 'predictions.jsonl', _json_lines(rows))
  records.write_csv(folder / 'predictions.csv', ['path', 'rating', 'tags'],
                    ([row['path'], row['rating'], ', '.join(row['tags'])] for row in rows))
  if unreadable:
    records.write_text(folder / 'unreadable.jsonl', _json_lines(unreadable))
  else:
    (folder / 'unreadable.jsonl').unlink(missing_ok=True)


def _json_lines(rows: list[dict]) -> str:
  return ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
