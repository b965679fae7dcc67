"""The study job: rows and seeds side by side, stopped and gone on with."""

import csv
import io
import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

import jobs
from configs import tagger_ladder
from errors import Diverged, UserError
from train_lib import loop
from train_lib.preemption import Preempted

pytestmark = pytest.mark.usefixtures('small_net')


def make_config(folder):
  config = tagger_ladder.get_config('smoke')
  config.data.dir = str(folder / 'data')
  config.data.image_size_px = 32
  config.data.num_train, config.data.num_valid, config.data.num_test = 32, 8, 8
  config.train.batch_size, config.eval.batch_size = 8, 8
  config.runtime.cache_dir = str(folder / 'programs')
  config.lock()
  return config


def read_rows(workdir):
  return list(csv.DictReader(io.StringIO((workdir / 'study.csv').read_text())))


def run(config, workdir):
  jobs.get_job('study')(config, str(workdir), config_path='configs/tagger_ladder.py:smoke',
                        input='', output='')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('study')


@pytest.fixture(scope='module')
def studied(folder):
  run(make_config(folder), folder / 'run')
  return folder / 'run'


def test_a_study_leaves_its_runs_a_table_and_a_picture(studied):
  rows = read_rows(studied)
  assert [(row['row'], row['seed']) for row in rows] == [
      ('cross-entropy, sum', '0'), ('cross-entropy, sum', '1'),
      ('focal', '0'), ('focal', '1')]
  assert len({row['loss'] for row in rows}) == 4
  table = (studied / 'study.md').read_text()
  assert '| cross-entropy, sum |' in table and '±' in table
  assert np.asarray(Image.open(studied / 'study.png')).std() > 5
  record = json.loads((studied / 'focal' / '1' / 'run.json').read_text())
  assert record['finished'] and float(rows[3]['map']) == record['test']['net']['map']


def test_the_rows_differ_only_in_what_they_name(studied):
  one, other = (json.loads((studied / row / '0' / 'config.json').read_text())
                for row in ('cross-entropy-sum', 'focal'))
  assert one['loss'].pop('name') == 'sigmoid_cross_entropy'
  assert other['loss'].pop('name') == 'focal'
  assert one == other


def test_a_finished_study_trains_nothing_again(studied, folder, monkeypatch, capsys):
  monkeypatch.setattr(loop.Loop, 'run', lambda *_: pytest.fail('trained again'))
  before = (studied / 'study.csv').read_text()
  run(make_config(folder), studied)
  assert (studied / 'study.csv').read_text() == before
  assert '| cross-entropy, sum |' in capsys.readouterr().out


@pytest.mark.slow
def test_a_stopped_study_goes_on_to_the_same_end(studied, folder, monkeypatch):
  whole_run, calls = loop.Loop.run, []

  def stopped(self, state):
    calls.append(self.workdir)
    if len(calls) == 2:
      os.kill(os.getpid(), signal.SIGTERM)
    return whole_run(self, state)

  with monkeypatch.context() as patch, pytest.raises(Preempted):
    patch.setattr(loop.Loop, 'run', stopped)
    run(make_config(folder), folder / 'stopped')
  kept = len(read_rows(folder / 'stopped'))
  assert kept == 1
  run(make_config(folder), folder / 'stopped')

  def without_times(workdir):
    return [{key: value for key, value in row.items() if 'per_sec' not in key}
            for row in read_rows(workdir)]
  assert without_times(folder / 'stopped') == without_times(studied)


@pytest.mark.slow
def test_a_run_that_diverges_is_a_row_of_the_table(folder, monkeypatch):
  whole_run = loop.Loop.run

  def diverging(self, state):
    if self.training.config.loss.name == 'focal':
      raise Diverged('the loss of step 2 is nan')
    return whole_run(self, state)

  monkeypatch.setattr(loop.Loop, 'run', diverging)
  run(make_config(folder), folder / 'diverging')
  assert '0 (2 diverged)' in (folder / 'diverging' / 'study.md').read_text()


def files_of(studied):
  return {path.name: path.read_bytes() for path in studied.iterdir() if path.is_file()}


def test_a_row_changed_under_its_old_name_is_refused_and_nothing_is_touched(studied, folder):
  config, before = make_config(folder), files_of(studied)
  with config.unlocked():
    config.study.rows = (config.study.rows[0], ('focal', ('loss.name', 'asymmetric')))
  with pytest.raises(UserError, match=f'begun with another config[^$]*--workdir={studied}-2'):
    run(config, studied)
  assert files_of(studied) == before


def test_a_wrong_value_in_the_last_row_is_told_before_the_first_is_trained(folder, monkeypatch):
  monkeypatch.setattr(loop.Loop, 'run', lambda *_: pytest.fail('trained'))
  config = make_config(folder)
  with config.unlocked():
    config.study.rows = (*config.study.rows, ('wrong', ('loss.missing', 'ignore')))
  with pytest.raises(UserError, match="loss.missing is 'ignore'; choices"):
    run(config, folder / 'wrong')


def test_a_study_that_is_stopped_again_keeps_what_it_had(studied, folder, monkeypatch):
  config, before = make_config(folder), read_rows(studied)
  with config.unlocked():
    config.study.num_seeds = 3

  def stopped(self, state):
    os.kill(os.getpid(), signal.SIGTERM)
    return whole_run(self, state)

  whole_run = loop.Loop.run
  monkeypatch.setattr(loop.Loop, 'run', stopped)
  with pytest.raises(Preempted):
    run(config, studied)
  assert read_rows(studied) == before


def test_runs_on_other_data_are_not_compared(studied, folder):
  path = studied / 'focal' / '1' / 'run.json'
  before = path.read_text()
  path.write_text(json.dumps({**json.loads(before), 'fingerprint': 'another'}))
  with pytest.raises(UserError, match='the data changed in between'):
    run(make_config(folder), studied)
  path.write_text(before)


def test_the_folder_of_a_study_is_no_run(studied, folder):
  with pytest.raises(UserError, match='one run of a study'):
    jobs.get_job('evaluate')(make_config(folder), str(studied), config_path='', input='',
                             output='')
