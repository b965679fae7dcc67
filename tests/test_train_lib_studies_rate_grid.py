"""The grid of a tuned study: rows with axes, learning rates, and where a grid grows."""

import math

import pytest

from configs import base, optimizers
from errors import UserError
from train_lib.studies import rate_grid
from train_lib.studies.rate_grid import Metric

F1, LOSS = Metric('macro_f1_tuned'), Metric('loss')


def make_config(*rows, **settings):
  config = base.get_config()
  config.study.rows = rows or (('adam', ('optimizer.name', 'adam')),)
  config.study.rate_factors = (1 / 3, 1.0, 3.0)
  config.study.update(settings)
  config.lock()
  return config


def test_every_row_is_taken_with_every_combination_of_the_axes():
  axes = (('train.batch_size', (16, 32)), ('loss.name', ('focal', 'sigmoid_cross_entropy')))
  rows = rate_grid.row_configs(make_config(
      ('sgd', ('optimizer.name', 'sgd')), ('adam', ('optimizer.name', 'adam')), axes=axes))
  assert list(rows) == [
      f'{name}, batch size {batch}, {loss}' for name in ('sgd', 'adam') for batch in (16, 32)
      for loss in ('focal', 'sigmoid_cross_entropy')]
  one = rows['adam, batch size 16, focal']
  assert (one.optimizer.name, one.train.batch_size, one.loss.name) == ('adam', 16, 'focal')


def test_without_axes_the_rows_are_those_of_the_page():
  assert list(rate_grid.row_configs(make_config(('a',), ('b',)))) == ['a', 'b']


def test_the_grid_is_the_rows_own_rate_times_the_factors_rising():
  config = make_config(('adam', ('optimizer.learning_rate', 0.01)), rate_factors=(3.0, 1 / 3, 1.0))
  row, = rate_grid.row_configs(config).values()
  assert rate_grid.first_rates(row) == [0.00333333, 0.01, 0.03]


@pytest.mark.parametrize('means, wanted', [
    ([0.5, 0.4, 0.3], 1e-4), ([0.3, 0.4, 0.5], 1.0), ([0.3, 0.5, 0.4], None),
    ([0.0, 0.0, 0.0], 1e-4), ([0.3, 0.5, 0.5], None),
    ([0.2, 0.2, 0.2], None)])
def test_a_grid_grows_beyond_the_edge_that_is_best_by_its_last_ratio(means, wanted):
  assert rate_grid.next_rate([1e-3, 1e-2, 1e-1], means, [0, 0, 0], F1) == wanted


def test_where_all_runs_break_a_loss_too_grows_downwards():
  assert rate_grid.next_rate([0.1, 0.2], [math.inf, math.inf], [1, 2], LOSS) == 0.05
  assert rate_grid.next_rate([0.1, 0.2], [3.0, 1.0], [0, 0], LOSS) == 0.4


def test_the_worst_value_loses_against_every_other():
  assert F1.is_better(0.01, F1.worst) and LOSS.is_better(1e9, LOSS.worst)
  recovered = Metric('recovered', 'autoencoding')
  assert recovered.is_better(-2.0, recovered.worst) and recovered.best([-2.0, recovered.worst]) == 0


def test_of_equally_good_rates_the_one_in_the_middle_is_best():
  assert LOSS.best([2.0, 1.0, LOSS.worst]) == 1 and F1.best([0.1, 0.3, 0.3]) == 1
  assert F1.best([0.3] * 5) == 2 and F1.best([0.3, 0.1, 0.3]) == 0


def test_of_equally_bad_rates_the_one_that_lost_the_fewest_runs_is_best():
  assert LOSS.best([math.inf] * 3, [1, 3, 2]) == 0


@pytest.mark.parametrize('settings, words', [
    (dict(rate_factors=(1.0,)), 'two or more different numbers'),
    (dict(rate_factors=(1.0, 1.0)), 'two or more different numbers'),
    (dict(rate_factors=(0.0, 1.0)), 'above 0'),
    (dict(rate_factors=('a', 'b')), 'two or more different numbers'),
    (dict(rate_factors=(1.0, math.inf)), 'two or more different numbers'),
    (dict(rate_factors=(1.0, 1.0000001)), 'not all different to 6 digits'),
    (dict(axes=(('optimizer.name', ('sgd', 'adam')),)), "set by its row 'adam' too"),
    (dict(most_grown=-1), 'study.most_grown is -1'),
    (dict(evaluations=0), 'study.evaluations is 0'),
    (dict(sharpness_steps=-1), 'study.sharpness_steps is -1'),
    (dict(axes=('train.batch_size', 16)), 'is no axis of a study'),
    (dict(axes=(('train.batch_size', ()),)), 'is no axis of a study'),
    (dict(axes=(('train.batch', (16,)),)), 'sets train.batch, which is no key'),
    (dict(rows=()), 'study.rows is empty'),
    (dict(rows=(1,)), 'is no row of a study'),
])
def test_a_study_that_makes_no_sense_is_refused(settings, words):
  with pytest.raises(UserError, match=words):
    rate_grid.row_configs(make_config(**settings))


def test_a_rate_of_zero_has_no_grid():
  with pytest.raises(UserError, match="row 'adam' has optimizer.learning_rate 0.0"):
    rate_grid.row_configs(make_config(('adam', ('optimizer.learning_rate', 0.0))))


def test_the_metric_is_the_tasks_own_unless_the_page_names_one():
  assert rate_grid.metric_of(make_config()).name == 'macro_f1_tuned'
  assert rate_grid.metric_of(make_config(metric='loss')) == LOSS


@pytest.mark.parametrize('name', ['macro_f2', 'sharpness', 'examples', 'macro_threshold'])
def test_what_is_neither_good_nor_bad_cannot_decide(name):
  with pytest.raises(UserError, match=f"study.metric '{name}' cannot decide .*choices: macro_f1_t"):
    rate_grid.metric_of(make_config(metric=name))


@pytest.mark.parametrize('preset', ['', *optimizers.PRESETS])
def test_every_preset_of_the_page_is_a_study_of_the_six_and_more(preset):
  config = optimizers.get_config(preset)
  config.lock()
  rows = rate_grid.row_configs(config)
  assert {row.optimizer.name for row in rows.values()} >= {
      'sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam'}
  assert config.job == 'study' and config.data.augment == ()


def test_the_bare_page_tunes_over_five_rates_and_three_seeds():
  config = optimizers.get_config()
  assert len(config.study.rate_factors) >= 5 and config.study.num_seeds >= 3
  assert config.study.most_grown > 0
