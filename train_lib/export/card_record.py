"""What the record of a run says of one step: figures, how they were taken, the data, the code."""

import csv
import dataclasses
import io
import math
import os

from train_lib import workdir as workdir_lib
from train_lib.export.card_text import DRAWN
from train_lib.storage import records

NET = 'net'                       # of the rows of a test table, the one of the net itself


@dataclasses.dataclass(frozen=True)
class Record:
  """What is known of a step; empty where nobody measured it.

  Attributes:
    page: what the config was called, without folders.
    test: {row: {figure: value}} on the test split, the net and what it is compared with.
    valid: {figure: value} of the net on the validation split.
    counts: tag -> training pictures that have it.
    own_thresholds: tag -> the threshold of its best F1 on the validation split.
    pictures: split -> number of its pictures; of the training split 'about' where it is derived.
    commit: of the code that the figures are from.
    versions: of packages.
    device: that it was trained on.
    epoch: of the step; 0 where it is not known.
  """
  page: str = ''
  test: dict = dataclasses.field(default_factory=dict)
  valid: dict = dataclasses.field(default_factory=dict)
  counts: dict = dataclasses.field(default_factory=dict)
  own_thresholds: dict = dataclasses.field(default_factory=dict)
  pictures: dict = dataclasses.field(default_factory=dict)
  commit: str = ''
  versions: dict = dataclasses.field(default_factory=dict)
  device: str = ''
  epoch: float = 0.0


def read_record(config, workdir, trained) -> Record:
  """What a workdir tells of the step that was opened.

  Figures of another step are left out: those of training are of the step that it chose, those of
  --job=evaluate of the one that it was asked for.

  Args: config: of the run; workdir: its folder; trained: of `trained.open_trained`.
  """
  folder = records.absolute(workdir)
  run = workdir_lib.read_run(folder)
  evaluation = _read(folder / 'evaluation.json')
  chosen, step = run.get('chosen', {}), trained.step
  measured = [source for source, of_step in (
      (evaluation, evaluation.get('step')), (run, chosen.get('step'))) if of_step == step]
  found = measured[0] if measured else {}
  table_step = evaluation.get('step', chosen.get('step'))  # of evaluation/, written last
  counts, own_thresholds = _read_tags(folder / 'evaluation' / 'tags.csv')
  start = (run.get('starts') or [{}])[-1]
  test, valid = found.get('test', {}), found.get('valid', {})
  return Record(
      page=_page(run.get('config_name', '')), test=test, valid=valid,
      counts=counts, own_thresholds=own_thresholds if table_step == step else {},
      pictures=_count_pictures(config, run, test, valid), commit=start.get('commit', ''),
      versions=start.get('versions', {}), device=start.get('devices', {}).get('kind', ''),
      epoch=chosen.get('epoch', 0.0) if chosen.get('step') == step else 0.0)


def _page(config_name: str) -> str:
  """'somewhere/tagger.py:demo' -> 'tagger.py:demo'; '' of a config that was read from a folder."""
  page, _, preset = config_name.partition(':')
  if os.path.basename(page) == 'saved.py' or '/' in preset or os.sep in preset:
    return ''
  return os.path.basename(page) + (f':{preset}' if preset else '')


def _read(path) -> dict:
  return records.read_fields(path, workdir_lib.RUN) if path.exists() else {}


def _read_tags(path) -> tuple[dict[str, int], dict[str, float]]:
  """(Training pictures, own threshold) by tag, of evaluation/tags.csv; nothing where there is none
  yet, of other tasks, and where another program has changed it."""
  if not path.exists():
    return {}, {}
  try:
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding='utf-8'))))
    own = {row['tag']: float(row['own_threshold']) for row in rows if row.get('own_threshold')}
    return ({row['tag']: int(row['train_pictures']) for row in rows},
            {tag: value for tag, value in own.items() if math.isfinite(value)})
  except (csv.Error, KeyError, TypeError, ValueError):
    return {}, {}


def _count_pictures(config, run, test, valid) -> dict:
  """Of drawn data the config tells; else the splits' figures, and the epoch of the step."""
  counts = {split: int(figures['examples']) for split, figures in (
      ('validation', valid), ('test', test.get(NET, {}))) if figures.get('examples')}
  chosen = run.get('chosen', {})
  if config.data.source in DRAWN and config.task != 'pose':
    return {'training': config.data.num_train, **counts}
  if chosen.get('epoch') and 'step' in chosen:
    rows = chosen['step'] * config.train.batch_size / chosen['epoch']
    digits = 10 ** max(0, math.floor(math.log10(max(rows, 1))) - 2)
    return {'training': f'about {round(rows / digits) * digits:,}', **counts}
  return counts
