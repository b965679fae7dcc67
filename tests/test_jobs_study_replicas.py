"""The study job over learning rates on real replicas of a small net: repeatable, and NaN told."""

import csv
import io
import json

import pytest

import jobs
from configs import base
from tests import small_replicas

WILD = 1e25                       # times the learning rate: nothing is finite after some steps


def make_config(folder):
  config = small_replicas.small_config(folder)
  config.job = 'study'
  config.train.ema_decay = 0.0
  config.runtime.cache_dir = 'off'
  config.study = base.get_config().study
  config.study.rows = (('SAM', ('optimizer.learning_rate', 0.01), ('optimizer.sam_rho', 0.05)),)
  config.study.rate_factors = (0.1, 1.0, WILD)
  config.study.num_seeds = 2
  config.study.evaluations = 2
  config.study.sharpness_steps = 2
  config.lock()
  return config


def study(folder, name):
  jobs.get_job('study')(make_config(folder / 'data'), str(folder / name), config_path='page',
                        input='', output='')
  return list(csv.DictReader(io.StringIO((folder / name / 'cells.csv').read_text())))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('study')


@pytest.fixture(scope='module')
def studies(folder):
  with pytest.MonkeyPatch.context() as patch:
    small_replicas.use_small_net(patch)
    return [study(folder, name) for name in ('one', 'two')]


def test_the_same_command_twice_gives_the_same_cells(studies):
  one, two = studies
  assert len(one) == 3 * 2
  for row in (*one, *two):
    row.pop('step_sec')
  assert one == two


def test_a_wild_learning_rate_diverges_and_the_others_do_not(studies):
  for row in studies[0]:
    assert bool(row['diverged']) == (float(row['learning_rate']) > 1)
    assert bool(row['valid/macro_f1_tuned']) == bool(row['test/loss']) == (not row['diverged'])


def test_a_record_holds_every_step_and_the_sharpness(folder, studies):
  path = folder / 'one' / 'cells' / 'sam' / 'lr-0.01-seed-1.json'
  record = json.loads(path.read_text())
  assert record['train']['step'] == [1, 2, 3, 4, 5] and record['curve']['step'] == [3, 5]
  assert all(value > 0 for name in ('loss', 'gradient_norm', 'update_ratio')
             for value in record['train'][name])
  assert len(record['curve']['sharpness']) == 2 and record['way'] == 'one'


def test_the_report_tells_what_diverged(folder, studies):
  text = (folder / 'one' / 'report.md').read_text()
  assert 'SAM: 2 of 6 runs diverged, at 1e+23; the first: seed 0 at 1e+23, the loss of' in text
