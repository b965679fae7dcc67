"""Files of a workdir that hold what no run writes: told in a sentence, or left out, never more."""

import copy
import json
import time

import pytest

from configs import base, saved
from errors import UserError
from tests.small_workdirs import Given, make_record, write_run
from train_lib import data_record, trained, workdir
from train_lib.divergence import NAME as DIVERGED
from train_lib.divergence import Divergence
from train_lib.export.card_record import read_record
from train_lib.goodput import Cost, Goodput
from train_lib.inspection import run_figures, run_files, run_page, run_record
from train_lib.metrics_log import MetricsLog, read_metrics
from train_lib.storage import manifest, records
from train_lib.storage.step_folder import StepFolder

WRONG = (None, True, 10**30, 'x', [1], {'x': []}, float('inf'))
LACKING = object()
MOST_PLACES = 20


class Step:
  step = 30


def make_config():
  config = base.get_config()
  config.task, config.runtime.tensorboard = 'classification', False
  return config


def steps_of(folder):
  return StepFolder(folder / 'checkpoints', keep_last=1, best_metric='', keep_every=0)


def read_config(folder):
  saved.get_config(str(folder))
  workdir.open_workdir(folder, make_config())


def read_record_of_run(folder):
  workdir.check_judged(workdir.read_run(folder), make_config(), folder)
  read_record(make_config(), folder, Step)
  Goodput(folder, Cost(), time.monotonic() - 1).write()


def read_page(folder):
  run = run_page.open_run(str(folder))
  run_page.head_of(run)
  run_record.about_section(run.config, run.record, {})
  run_record.course_section(folder, run.record, run.rows)
  run_figures.test_section(run.record, run.config.task)
  run_files.checkpoints_section(folder, run.config, run.record)


def read_data(folder):
  data_record.check_data(folder, Given('other', ('a', 'b')), accept_changed=True)


def read_log(folder):
  assert all(type(row['step']) is int for row in read_metrics(folder))
  log = MetricsLog(folder, 20, make_config())
  log.has(10, 'valid/loss')
  log.close()


# File -> who reads it.
READERS = {
    'config.json': (read_config,),
    'run.json': (read_record_of_run, read_page, read_data),
    'tags.json': (trained.stored_pixels, read_data),
    'data.json': (read_data,),
    'best.json': (lambda folder: steps_of(folder).find('best'), read_page),
    'checkpoints/last.json': (lambda folder: steps_of(folder).find_newest_whole(),),
    'evaluation.json': (lambda folder: read_record(make_config(), folder, Step),),
    'metrics.jsonl': (read_log,),
    DIVERGED: (lambda folder: Divergence(folder, make_config(), 20).passes_over(5),)}


def write_workdir(folder):
  """A whole run, and the sound content of every file of READERS."""
  config = make_config()
  write_run(folder, config, names=('a', 'b'))
  records.write_json(folder / 'tags.json', {
      'names': ['a', 'b'], 'categories': ['general'] * 2,
      'pixels': {'mean': [1.0] * 3, 'std': [1.0] * 3}})
  data_record.check_data(folder, Given('abc', ('a', 'b')), accept_changed=True)
  workdir.update_run(folder, fingerprint='abc')
  records.write_json(folder / 'data.json', {'training_pictures': 8, 'pictures': None,
                                            'tags': ['a', 'b']})
  records.write_json(folder / 'checkpoints' / 'last.json', {'step': 30})
  run = make_record()
  records.write_json(folder / 'evaluation.json', {'step': 30, 'test': run['test'], 'valid': {},
                                                  'thresholds': {}, 'checkpoint': 'latest'})
  (folder / DIVERGED).write_text(json.dumps({
      'step': 5, 'policy': 'rollback', 'loss': 'nan', 'ids': [],
      'config': workdir.config_digest(config)[:12]}) + '\n')


def places(value, path=()):
  yield path
  items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(
      value, list) else ()
  for key, item in items:
    yield from places(item, (*path, key))


def changed(value, path, new):
  if not path:
    return new
  value = copy.deepcopy(value)
  section = value
  for key in path[:-1]:
    section = section[key]
  if new is LACKING:
    section.pop(path[-1])
  else:
    section[path[-1]] = new
  return value


def variants(text):
  """Values of a JSON text in turn replaced by such of other types, and taken out: the top ones, and
  of many others every so-manieth."""
  sound = json.loads(text)
  every = sorted(places(sound), key=len)
  for path in [*every[:MOST_PLACES], *every[MOST_PLACES::1 + len(every) // MOST_PLACES]]:
    for new in (*WRONG, *([LACKING] if path else ())):
      yield path, new, json.dumps(changed(sound, path, new))


@pytest.mark.parametrize('name', READERS)
def test_no_value_of_a_workdirs_files_ends_in_a_traceback(name, tmp_path, monkeypatch):
  monkeypatch.setattr(records.os, 'fsync', lambda handle: None)
  write_workdir(tmp_path)
  before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
  path, first = tmp_path / name, (tmp_path / name).read_text()
  *lines, first = first.splitlines() if name.endswith('l') else [first]
  refused = 0
  for place, new, text in variants(first):
    for read in READERS[name]:
      for other, content in before.items():
        other.write_bytes(content)
      path.write_text('\n'.join([*lines, text]) + '\n')
      try:
        read(tmp_path)
      except UserError as error:
        refused += 1
        assert str(error).replace('\n', '').isprintable() and len(str(error)) < 2000
      except Exception as error:
        raise AssertionError(f'{name}: {".".join(map(str, place))} = {new!r}') from error
  assert refused or name in ('checkpoints/last.json', 'metrics.jsonl', DIVERGED)


@pytest.mark.parametrize('change', [
    {'tree': LACKING}, {'config_digest': LACKING}, {'metrics': LACKING}, {'tree': 5},
    {'tree': {'a': 5}}, {'tree': {'a': ['float32']}}, {'tree': {'a': [[1], 'float32']}},
    {'tree': {'a': ['float32', ['x']]}}, {'config_digest': 5}, {'config_digest': None},
    {'step': 'x'}, {'metrics': {'a': 'x'}}, {'files': {'arrays': {'bytes': 1}}}])
def test_a_manifest_of_another_form_is_damage_whatever_its_seal_says(change, tmp_path):
  write_workdir(tmp_path)
  for step in (20, 30):
    folder = tmp_path / 'checkpoints' / str(step)
    fields = {**manifest.read_manifest(folder), **change}
    records.write_json(folder / 'manifest.json', manifest._sealed(
        {key: value for key, value in fields.items() if value is not LACKING and key != 'seal'}))
  with pytest.raises(UserError, match='checkpoint 30 of .* is damaged'):
    steps_of(tmp_path).find('latest')
  with pytest.raises(UserError, match='no checkpoint under .* can be used'):
    steps_of(tmp_path).find_newest_whole()


def test_arrays_that_are_not_there_are_told(tmp_path):
  write_workdir(tmp_path)
  with pytest.raises(UserError, match=r'does not hold the arrays that its manifest.json tells of'):
    with steps_of(tmp_path).local(30):
      raise KeyError('params/x')
