"""The study job over learning rates: its report, its second start, stops and mistakes."""

import csv
import io
import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

import jobs
from configs import optimizers
from errors import UserError
from tests.fake_replicas import BEST, TOO_HIGH, fake_builder
from train_lib.drawing import plots
from train_lib.preemption import Preempted
from train_lib.studies import replicas, test_functions

pytestmark = pytest.mark.usefixtures('small_net')


def make_config(folder):
  config = optimizers.get_config('smoke')
  config.data.dir = str(folder / 'data')
  config.data.num_train, config.data.num_valid, config.data.num_test = 8, 8, 8
  config.train.num_steps = 12
  config.study.rows = optimizers.SIX[:2]
  config.study.rate_factors = (1 / 3, 1.0, 3.0)
  config.runtime.cache_dir = 'off'
  config.lock()
  return config


def run(config, workdir):
  jobs.get_job('study')(config, str(workdir), config_path='configs/optimizers.py:smoke', input='',
                        output='')


def read_rows(path):
  return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('tuned')


@pytest.fixture
def engine(monkeypatch):
  """Replaces the nets; returns the list of the rows' configs that were built."""
  calls = []
  monkeypatch.setattr(replicas, 'build_replicas', fake_builder(4, calls))
  return calls


@pytest.fixture
def undrawn(monkeypatch):
  """Leaves the pictures of a report out, for tests of its words and tables."""
  monkeypatch.setattr(plots, 'save', lambda *_: None)


@pytest.fixture(scope='module')
def studied(folder):
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(replicas, 'build_replicas', fake_builder(4))
    run(make_config(folder), folder / 'run')
  return folder / 'run'


def test_a_study_leaves_a_report_whose_pictures_are_there(studied):
  text = (studied / 'report.md').read_text()
  assert '| SGD | 0.3 |' in text and '| momentum | 0.03 |' in text and '±' in text
  shown = [line.partition('](')[2][:-1] for line in text.splitlines() if line.startswith('![')]
  assert len(shown) == 6
  for name in shown:
    assert np.asarray(Image.open(studied / name).convert('RGB')).std() > 5, name
  for name in ('cells.csv', 'curves.csv'):
    assert f']({name})' in text and read_rows(studied / name)


def test_every_cell_has_a_record_and_a_row(studied):
  rows = read_rows(studied / 'cells.csv')
  assert len(rows) == 2 * 3 * 2
  for row in rows:
    path = studied / 'cells' / row['row'].lower() / (
        f"lr-{float(row['learning_rate']):g}-seed-{row['seed']}.json")
    record = json.loads(path.read_text())
    assert float(row['valid/macro_f1_tuned']) == record['final']['macro_f1_tuned']
  assert len(read_rows(studied / 'curves.csv')) == 3 * len(rows)


def without_times(rows):
  return [{key: value for key, value in row.items()
           if not any(word in key for word in ('sec', 'ms a step'))} for row in rows]


@pytest.mark.usefixtures('undrawn')
def test_the_same_command_twice_gives_the_same_table(studied, folder, engine):
  run(make_config(folder), folder / 'again')
  for name in ('table.csv', 'cells.csv', 'curves.csv', 'test_functions.csv'):
    assert without_times(read_rows(studied / name)) == without_times(
        read_rows(folder / 'again' / name)), name


@pytest.mark.usefixtures('undrawn')
def test_a_finished_study_trains_nothing_again(studied, folder, engine, monkeypatch):
  monkeypatch.setattr(test_functions, 'run', lambda *_: pytest.fail('ran again'))
  before = (studied / 'table.csv').read_text()
  run(make_config(folder), studied)
  assert engine == [] and (studied / 'table.csv').read_text() == before


@pytest.mark.usefixtures('undrawn')
def test_a_stopped_study_keeps_its_finished_groups_and_goes_on(studied, folder, monkeypatch):
  build = fake_builder(4)

  def stopping(config, poll, before):
    if config.optimizer.name == 'momentum':
      os.kill(os.getpid(), signal.SIGTERM)
      for _ in range(500):        # until the thread that hears signals has heard it
        poll()
        time.sleep(0.01)
    return build(config, poll, before)

  with monkeypatch.context() as patch, pytest.raises(Preempted):
    patch.setattr(replicas, 'build_replicas', stopping)
    run(make_config(folder), folder / 'stopped')
  kept = sorted(path.relative_to(folder / 'stopped')
                for path in (folder / 'stopped' / 'cells').rglob('*.json'))
  assert len(kept) == 6 and {path.parent.name for path in kept} == {'sgd'}
  calls = []
  monkeypatch.setattr(replicas, 'build_replicas', fake_builder(4, calls))
  run(make_config(folder), folder / 'stopped')
  assert [config.optimizer.name for config in calls] == ['momentum']
  assert without_times(read_rows(folder / 'stopped' / 'table.csv')) == without_times(
      read_rows(studied / 'table.csv'))


@pytest.mark.usefixtures('undrawn')
def test_a_damaged_record_is_told_with_what_to_do(studied, folder, engine):
  record = next((studied / 'cells').rglob('*.json'))
  before = record.read_text()
  for text in (before[:50], '{}', json.dumps({**json.loads(before), 'fingerprint': 'other'})):
    record.write_text(text)
    with pytest.raises(UserError, match='the cell is trained again|on other data'):
      run(make_config(folder), studied)
  record.write_text(before)


def test_seconds_to_the_target_are_steps_times_seconds_a_step(studied):
  records = {path: json.loads(path.read_text()) for path in (studied / 'cells').rglob('*.json')}
  for row in read_rows(studied / 'table.csv'):
    times = sorted(record['step_sec'] for record in records.values() if record['row'] == row['row'])
    middle = (times[len(times) // 2] + times[(len(times) - 1) // 2]) / 2
    assert float(row['seconds to target']) == pytest.approx(
        float(row['steps to target']) * middle, rel=0.02)


def off_centre(folder, factor, most_grown):
  """A study of one row whose own rate is so many times the best."""
  config = make_config(folder)
  with config.unlocked():
    config.study.rows = (('Adam', ('optimizer.name', 'adam'),
                          ('optimizer.learning_rate', factor * BEST['adam'])),)
    config.study.most_grown = most_grown
    config.study.functions = ()
  return config


@pytest.mark.usefixtures('undrawn')
@pytest.mark.parametrize('factor', [1 / 9, 9.0])
def test_a_grid_grows_until_the_best_rate_lies_inside(folder, engine, factor):
  workdir = folder / f'grown-{factor:.2f}'
  run(off_centre(folder, factor, 3), workdir)
  row, = read_rows(workdir / 'table.csv')
  assert float(row['learning rate']) == pytest.approx(BEST['adam'], rel=1e-4)
  assert '5 rates' in row['grid'] and '(2 grown)' in row['grid']
  assert 'a better one may lie beyond' not in (workdir / 'report.md').read_text()


@pytest.mark.usefixtures('undrawn')
def test_a_best_rate_at_the_edge_of_a_grid_that_may_not_grow_is_told(folder, engine):
  run(off_centre(folder, 1 / 9, 1), folder / 'edge')
  text = (folder / 'edge' / 'report.md').read_text()
  assert 'is the highest of its grid, though it has grown by 1; a better one may lie' in text


def test_a_learning_rate_that_diverges_is_told_and_the_others_are_compared(folder, engine):
  config = off_centre(folder, 1.0, 0)
  with config.unlocked():
    config.study.rate_factors = (1 / 3, 1.0, 2 * TOO_HIGH)
  run(config, folder / 'diverging')
  row, = read_rows(folder / 'diverging' / 'table.csv')
  assert (row['learning rate'], row['diverged']) == ('0.003', '2 of 6')
  text = (folder / 'diverging' / 'report.md').read_text()
  assert 'Adam: 2 of 6 runs diverged, at 0.18; the first: seed 0 at 0.18, the loss of step' in text


def test_a_study_of_which_everything_diverged_still_has_its_report(folder, engine):
  config = off_centre(folder, 1e4, 1)
  run(config, folder / 'all-diverged')
  row, = read_rows(folder / 'all-diverged' / 'table.csv')
  assert row['learning rate'] == 'none: all diverged' and row['diverged'] == '8 of 8'
  text = (folder / 'all-diverged' / 'report.md').read_text()
  assert 'none, since no row has a rate at which' in text


def test_an_unknown_optimizer_is_told_before_anything_starts(folder, engine):
  config = make_config(folder)
  with config.unlocked():
    config.study.rows = (*config.study.rows, ('last', ('optimizer.name', 'adm')))
  with pytest.raises(UserError, match="optimizer.name 'adm' is unknown; choices: .*adam"):
    run(config, folder / 'unknown')
  assert engine == [] and not (folder / 'unknown').exists()


def test_an_unknown_test_function_is_told_before_anything_starts(folder, engine):
  config = make_config(folder)
  with config.unlocked():
    config.study.functions = ('rosenbrok',)
  with pytest.raises(UserError, match="study.functions names 'rosenbrok'; choices"):
    run(config, folder / 'unknown')
  assert engine == [] and not (folder / 'unknown').exists()


@pytest.mark.parametrize('path, value, words', [
    ('study.together', 'at once', "study.together is 'at once'"),
    ('data.augment', ('mirror',), 'data.augment is .*mirror.*set data.augment to'),
])
def test_what_replicas_cannot_do_is_told_before_anything_starts(folder, engine, path, value, words):
  config = make_config(folder)
  with config.unlocked():
    config.update_from_flattened_dict({path: value})
  with pytest.raises(UserError, match=words):
    run(config, folder / 'unknown')
  assert engine == [] and not (folder / 'unknown').exists()


def test_a_metric_that_the_data_do_not_give_is_told_and_the_cells_stay(folder, engine):
  config = make_config(folder)
  with config.unlocked():
    config.study.metric = 'drawn_map'
  for _ in range(2):
    with pytest.raises(UserError, match="'drawn_map' is not measured .*: macro_f1_tuned, map, los"):
      run(config, folder / 'metric')
  assert list((folder / 'metric').rglob('lr-*.json'))


@pytest.mark.parametrize('sign, words', [('run.json', 'a training run'),
                                         ('study.json', 'a study of whole runs')])
def test_the_folder_of_something_else_is_left_alone(folder, engine, sign, words):
  other = folder / f'other-{sign}'
  other.mkdir()
  for name in ('config.json', sign):
    (other / name).write_text('{"task": "tagging"}')
  with pytest.raises(UserError, match=f'{words}; name another one, such as --workdir={other}-2'):
    run(make_config(folder), other)
  assert sorted(path.name for path in other.iterdir()) == sorted(['config.json', sign])


def test_cells_of_another_config_are_not_mixed_in(studied, folder, engine):
  config, before = make_config(folder), (studied / 'config.json').read_text()
  with config.unlocked():
    config.train.batch_size = 8
  wanted = (f'with other values of the config.*--workdir={studied}-2\n'
            '  train.batch_size: 16 -> 8')
  with pytest.raises(UserError, match=wanted):
    run(config, studied)
  assert engine == [] and (studied / 'config.json').read_text() == before


@pytest.mark.usefixtures('undrawn')
def test_more_seeds_and_another_target_keep_the_cells_that_are_done(folder, engine):
  config, workdir = off_centre(folder, 1.0, 0), folder / 'more'
  run(config, workdir)
  with config.unlocked():
    config.study.num_seeds, config.study.target = 3, 0.3
  run(config, workdir)
  assert len(engine) == 2 and len(read_rows(workdir / 'cells.csv')) == 9
  assert 'The target is macro F1 of 0.3 on the validation split, as `study.target` says' in (
      workdir / 'report.md').read_text()
