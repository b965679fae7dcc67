"""Cells that train together: their records, their time, and those that diverge."""

import json

import numpy as np
import pytest

from configs import optimizers
from errors import UserError
from tests.fake_replicas import LAST_LOSS, FakeReplicas
from train_lib.storage import records
from train_lib.studies import cells, rate_grid


def make_row(**settings):
  config = optimizers.get_config('smoke')
  config.train.num_steps = 20
  config.study.update(settings)
  config.lock()
  return rate_grid.row_configs(config)['Adam']


def train(pairs, replicas=None, **options):
  options = {'num_steps': 20, 'evaluations': 4, 'sharpness': True, 'poll': lambda: None, **options}
  return cells.train_cells(replicas or FakeReplicas(make_row(), 100), pairs, **options)


def test_evaluations_lie_at_even_distances_and_at_the_end():
  assert cells.chunks_of(20, 4) == [(0, 5), (5, 5), (10, 5), (15, 5)]
  assert cells.chunks_of(10, 4) == [(0, 3), (3, 3), (6, 3), (9, 1)]
  assert cells.chunks_of(3, 10) == [(0, 1), (1, 1), (2, 1)]


def test_a_record_holds_its_curve_and_its_last_figures():
  cell, other = train([(0.003, 0), (0.01, 1)])
  assert (cell['learning_rate'], cell['seed'], cell['diverged']) == (0.003, 0, '')
  assert (other['learning_rate'], other['seed'], other['together']) == (0.01, 1, 2)
  assert cell['curve']['step'] == [5, 10, 15, 20] and cell['train']['step'] == list(range(1, 21))
  assert cell['final']['macro_f1_tuned'] == cell['curve']['macro_f1_tuned'][-1]
  assert cell['test']['macro_f1_tuned'] < cell['final']['macro_f1_tuned']
  assert cell['curve']['sharpness'] == [pytest.approx(2 / 0.003)] * 4
  assert cell['train']['update_ratio'] == pytest.approx(
      [0.003 * loss for loss in cell['train']['loss']])
  assert 'sharpness' not in train([(0.003, 0)], sharpness=False)[0]['curve']


def test_a_cell_that_diverges_says_when_and_the_others_go_on():
  broken, whole = train([(9.0, 0), (0.003, 0)], evaluations=20)
  assert broken['step_diverged'] == LAST_LOSS + 1
  assert broken['diverged'] == f'the loss of step {LAST_LOSS + 1} is nan'
  assert broken['curve']['step'] == broken['train']['step'] == list(range(1, LAST_LOSS + 1))
  assert broken['final'] == broken['test'] == {}
  assert whole['curve']['step'][-1] == 20 and not whole['diverged']


def test_a_net_that_is_not_finite_has_diverged_though_its_loss_was():
  class Quiet(FakeReplicas):
    def advance(self, states, rates, seeds, first, count):
      states, metrics = super().advance(states, rates, seeds, first, count)
      return states, {name: np.nan_to_num(values) for name, values in metrics.items()}

  cell, = train([(9.0, 0)], Quiet(make_row(), 100))
  assert (cell['step_diverged'], cell['final']) == (5, {})
  assert cell['diverged'] == 'the net gives values that are not numbers'


def test_a_group_of_which_all_diverged_is_trained_no_further():
  class Counting(FakeReplicas):
    advanced = 0

    def advance(self, *values):
      self.advanced += 1
      return super().advance(*values)

  replicas = Counting(make_row(), 100)
  train([(9.0, 0), (9.0, 1)], replicas)
  assert replicas.advanced == 1


def test_long_runs_are_thinned_but_keep_their_ends():
  cell, = train([(0.003, 0)], num_steps=1000)
  assert len(cell['train']['step']) == cells.MOST_POINTS
  assert (cell['train']['step'][0], cell['train']['step'][-1]) == (1, 1000)


def test_seconds_leave_out_what_the_first_run_of_a_program_took_longer():
  assert cells.seconds_of([(10, 60.0), (10, 2.0), (10, 4.0), (10, 3.0)]) == [3, 5, 9, 12]
  assert cells.seconds_of([(10, 60.0), (10, 2.0), (5, 30.0)]) == [2, 4, 5]
  assert cells.seconds_of([(10, 1.0), (10, 2.0)]) == [1, 3]           # the first was the quicker
  assert cells.seconds_of([(10, 60.0)]) == [60]                       # nothing to compare it with


def test_a_stop_between_evaluations_is_heard():
  calls = []

  def poll():
    calls.append(1)
    if len(calls) == 3:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    train([(0.003, 0)], poll=poll)
  assert len(calls) == 3


def saved(folder, row, **changes):
  cell, = train([(0.003, 0)])
  digest = cells.cell_digest(cells.with_rate(row, 0.003, 0))
  cell = {'row': 'Adam', **cell, 'digest': digest, 'fingerprint': 'data', 'made': {}, **changes}
  records.write_json(cells.cell_path(folder, 0.003, 0), cell)
  return cell


def read(folder, row):
  return cells.read_cells(folder, 'Adam', row, 'data', folder.parent)


def test_records_come_back_as_they_were_written(tmp_path):
  row = make_row()
  assert read(tmp_path / 'adam', row) == []
  cell = saved(tmp_path / 'adam', row)
  assert read(tmp_path / 'adam', row) == [json.loads(json.dumps(cell))]


@pytest.mark.parametrize('settings', [dict(evaluations=5), dict(sharpness_steps=5)])
def test_a_record_made_with_other_settings_is_refused(tmp_path, settings):
  saved(tmp_path / 'adam', make_row())
  with pytest.raises(UserError, match='with other values of the config.*start afresh with'):
    read(tmp_path / 'adam', make_row(**settings))


def test_a_record_of_another_config_or_other_data_is_refused(tmp_path):
  row, other = make_row(), make_row()
  other.train.batch_size = 64
  saved(tmp_path / 'adam', row)
  with pytest.raises(UserError, match="of the row 'Adam', was trained with other values"):
    read(tmp_path / 'adam', other)
  saved(tmp_path / 'adam', row, fingerprint='older')
  with pytest.raises(UserError, match='was trained on other data'):
    read(tmp_path / 'adam', row)


@pytest.mark.parametrize('text', ['{"a": 1}', '[]', '{', None])
def test_what_holds_no_record_is_told(tmp_path, text):
  cell = saved(tmp_path / 'adam', make_row(), learning_rate='0.003')
  records.write_text(cells.cell_path(tmp_path / 'adam', 0.003, 0), text or json.dumps(cell))
  with pytest.raises(UserError, match='is no record of a cell; delete it'):
    read(tmp_path / 'adam', make_row())


def test_how_replicas_train_and_how_a_grid_grows_do_not_make_another_cell():
  row, other = make_row(), make_row(together='map', most_grown=5, target=0.5)
  other.runtime.workers = 0
  assert cells.cell_digest(row) == cells.cell_digest(other)
  assert cells.cell_digest(row) != cells.cell_digest(cells.with_rate(row, 0.5, 0))


def test_a_step_lasts_its_share_of_the_groups_time(monkeypatch):
  clock = iter(range(0, 1000, 8))                # every look at the clock is 8 s later
  monkeypatch.setattr(cells.time, 'monotonic', lambda: next(clock))
  for cell in train([(0.003, 0), (0.01, 0)]):
    assert cell['curve']['seconds'] == [4, 8, 12, 16]
    assert cell['step_sec'] == pytest.approx(16 / 20)
