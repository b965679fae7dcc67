"""What cells come to: the chosen rate, intervals, sensitivity, time to a target, profiles."""

import math

import pytest

from train_lib.studies import study, tuned_study
from train_lib.studies.rate_grid import Metric

F1, LOSS = Metric('macro_f1_tuned'), Metric('loss')
INF = math.inf


def make_cell(rate, seed, values, *, diverged='', steps=(10, 20, 30), sec=0.5):
  """A record whose curve has these values of macro F1, and ten minus ten times them as loss."""
  steps = list(steps[:len(values)])
  losses = [10 - 10 * value for value in values]
  final = {} if diverged else {'macro_f1_tuned': values[-1], 'loss': losses[-1]}
  return {'learning_rate': rate, 'seed': seed, 'diverged': diverged, 'step_sec': sec,
          'curve': {'step': steps, 'seconds': [sec * step for step in steps],
                    'macro_f1_tuned': list(values), 'loss': losses},
          'final': final, 'test': {name: value - 0.1 for name, value in final.items()}}


def make_row(ends, *, broken=(), rates=(0.01, 0.1, 1.0)):
  """Cells of two seeds a rate; `ends`: macro F1 at each rate, `broken`: (rate, seed)."""
  return [make_cell(rate, seed, [end / 2, end], diverged='nan' if (rate, seed) in broken else '')
          for rate, end in zip(rates, ends, strict=True) for seed in (0, 1)]


def summarise(cells, metric=F1, target=None):
  return tuned_study.summarise('row', cells, metric, tuned_study.place_bar({'row': cells}, metric),
                               target, 3)


def test_the_rate_with_the_best_mean_on_validation_is_chosen_and_told_of_on_test():
  summary = summarise(make_row([0.2, 0.5, 0.4]))
  assert summary.chosen == 0.1 and summary.edge == '' and summary.grown == 0
  assert summary.means == pytest.approx([0.2, 0.5, 0.4])
  assert summary.test['macro_f1_tuned'].mean == pytest.approx(0.4)
  assert summary.valid['loss'].mean == pytest.approx(5.0)
  assert {cell['learning_rate'] for cell in summary.cells} == {0.1}


def test_a_loss_is_best_where_it_is_lowest():
  assert summarise(make_row([0.2, 0.5, 0.4]), LOSS).chosen == 0.1


@pytest.mark.parametrize('metric', [F1, LOSS])
def test_a_seed_that_diverged_counts_with_the_worst_value_and_is_counted(metric):
  summary = summarise(make_row([0.2, 0.4, 0.5], broken={(1.0, 1)}), metric)
  assert summary.chosen == 0.1                       # 0.5 with one of two seeds is worth less
  assert (summary.diverged, summary.total) == (1, 6)


def test_a_chosen_rate_with_a_diverged_seed_carries_it_into_its_means():
  summary = summarise(make_row([0.1, 0.8, 0.1], broken={(0.1, 0)}))
  assert summary.chosen == 0.1
  assert summary.valid['macro_f1_tuned'].mean == pytest.approx(0.4)
  assert summary.test['loss'] == study.Interval(INF, INF, INF)
  assert summary.steps_to[0] == INF


def test_a_row_that_always_diverged_has_no_rate_and_stays():
  cells = make_row([0.1, 0.1, 0.1], broken={(rate, seed) for rate in (0.01, 0.1, 1.0)
                                            for seed in (0, 1)})
  summary = summarise(cells, target=0.05)
  assert summary.chosen is None and summary.sensitivity is None and summary.test == {}
  assert (summary.diverged, summary.total, summary.edge) == (6, 6, '')
  assert tuned_study.place_bar({'row': cells}, F1) is None


@pytest.mark.parametrize('ends, edge', [([0.5, 0.4, 0.3], 'lowest'), ([0.3, 0.4, 0.5], 'highest')])
def test_a_best_rate_at_the_edge_is_told(ends, edge):
  assert summarise(make_row(ends)).edge == edge


def test_rates_that_the_grid_grew_by_are_counted():
  assert summarise(make_row([0.1, 0.2, 0.3, 0.2], rates=(0.01, 0.1, 1.0, 10.0))).grown == 1


def test_of_rates_at_which_a_loss_is_infinite_the_one_that_lost_fewest_seeds_is_chosen():
  broken = {(0.01, 1), *[(rate, seed) for rate in (0.1, 1.0) for seed in (0, 1)]}
  cells = make_row([0.2, 0.3, 0.4], broken=broken)
  summary = summarise(cells, LOSS)
  assert summary.chosen == 0.01 and summary.sensitivity is None
  assert tuned_study.place_bar({'row': cells}, LOSS) is None


def test_the_bar_is_the_best_rows_best_mean_less_a_share():
  rows = {str(best): make_row([0.1, best, 0.1]) for best in (0.2, 0.6, 0.3)}
  assert tuned_study.place_bar(rows, F1) == pytest.approx(0.6 * (1 - tuned_study.WITHIN))
  assert tuned_study.place_bar(rows, LOSS) == pytest.approx(4.0 * (1 + tuned_study.WITHIN))
  below_zero = {'row': make_row([-0.9, -0.5, -0.8])}
  assert tuned_study.place_bar(below_zero, F1) == pytest.approx(-0.5 * (1 + tuned_study.WITHIN))


def test_sensitivity_is_the_width_where_straight_lines_cross_the_bar():
  found = tuned_study.sensitivity([0.01, 0.1, 1.0], [0.9, 1.0, 0.8], 1, F1, 0.95)
  assert found.low == pytest.approx(10 ** -1.5) and found.high == pytest.approx(10 ** -0.75)
  assert (found.open_low, found.open_high, found.inside) == (False, False, 1)
  assert found.factor == pytest.approx(10 ** 0.75)


def test_sensitivity_is_open_where_the_grid_ends_above_the_bar():
  found = tuned_study.sensitivity([0.01, 0.1, 1.0], [1.0, 0.99, 0.5], 0, F1, 0.95)
  assert found.low == 0.01 and found.open_low and not found.open_high and found.inside == 2


def test_a_row_that_does_not_reach_the_bar_has_no_sensitivity():
  assert tuned_study.sensitivity([0.01, 0.1, 1.0], [0.2, 0.2, 0.2], 1, F1, 0.3) is None
  assert tuned_study.sensitivity([0.01, 0.1, 1.0], [5.0, 4.0, 5.0], 1, LOSS, 3.9) is None


def test_sensitivity_of_a_loss_ends_before_a_rate_that_diverged():
  found = tuned_study.sensitivity([0.01, 0.1, 1.0], [1.02, 1.0, INF], 1, LOSS, 1.05)
  assert (found.low, found.high, found.open_low, found.open_high) == (0.01, 0.1, True, False)


def test_a_dip_below_the_bar_does_not_reach_beyond_a_worse_rate():
  found = tuned_study.sensitivity([1.0, 10.0, 100.0], [1.0, 0.5, 0.99], 0, F1, 0.95)
  assert found.high < 10 and found.inside == 1


def test_a_difference_is_paired_by_seed_and_of_the_test_split():
  def row(name, values):
    cells = [make_cell(0.1, seed, [value]) for seed, value in enumerate(values)]
    return tuned_study.summarise(name, cells, F1, None, None, 1)
  found = tuned_study.difference(row('b', [0.35, 0.55]), row('a', [0.3, 0.5]), F1)
  assert found.mean == pytest.approx(0.05) and found.high - found.low < 1e-9
  lost = tuned_study.summarise('c', [make_cell(0.1, 0, [0.3], diverged='nan')], F1, None, None, 1)
  assert tuned_study.difference(lost, row('a', [0.3]), F1) is None


@pytest.mark.parametrize('target, steps', [(0.2, 10), (0.1, 10), (0.3, 15), (0.4, 20), (0.5, INF)])
def test_a_target_is_reached_between_two_evaluations(target, steps):
  cell = make_cell(0.1, 0, [0.2, 0.4, 0.3])
  assert tuned_study.reach(cell, F1, target) == pytest.approx(steps)
  assert tuned_study.reach(cell, LOSS, 10 - 10 * target) == pytest.approx(steps)


def test_a_diverged_cell_reaches_nothing():
  cell = make_cell(0.1, 0, [0.2, 0.4], diverged='the loss of step 25 is nan')
  assert tuned_study.reach(cell, F1, 0.1) == INF


def test_a_step_lasts_the_median_of_the_rows_cells():
  cells = [make_cell(rate, 0, [0.1], sec=sec)
           for rate, sec in ((0.1, 1.0), (0.2, 2.0), (0.3, 90.0))]
  summary = summarise(cells)
  assert summary.units('seconds') == summary.step_sec == 2.0 and summary.units('step') == 1


def profiled(*rows, metric=F1):
  """Summaries of rows (name, {seed: values}, seconds of a step), each of one rate."""
  return [tuned_study.summarise(name, [make_cell(0.1, seed, values, sec=sec)
                                       for seed, values in curves.items()], metric, None, None, 1)
          for name, curves, sec in rows]


def test_a_profile_is_the_ratio_to_the_fastest_on_each_level_and_seed():
  fast = ('fast', {0: [0.0, 0.4, 0.4], 1: [0.0, 0.4, 0.4]}, 1.0)
  slow = {0: [0.0, 0.0, 0.2], 1: [0.0, 0.0, 0.4]}
  ratios = tuned_study.profile(profiled(fast, ('slow', slow, 1.0)), 'step', F1)
  levels = tuned_study.LEVELS
  assert ratios['fast'] == [1.0] * 2 * levels
  assert len(ratios['slow']) == 2 * levels
  assert ratios['slow'].count(INF) == levels // 2       # the upper half, with the seed 0
  # to a share k of its height: (20 + 20 k) / (10 + 10 k) with seed 0, half of that k with seed 1
  shares = [part / levels for part in range(1, levels + 1)]
  wanted = [2.0 for k in shares if k <= 0.5] + [(20 + 10 * k) / (10 + 10 * k) for k in shares]
  assert ratios['slow'][:3 * levels // 2] == pytest.approx(sorted(wanted))
  cheap = profiled(fast, ('slow', slow, 0.25))
  assert tuned_study.profile(cheap, 'step', F1) == ratios
  assert tuned_study.profile(cheap, 'seconds', F1)['slow'][:3 * levels // 2] == [
      1.0] * (3 * levels // 2)


def test_a_profile_counts_goals_that_nobody_reaches():
  rows = profiled(('a', {0: [0.0, 0.4], 1: [0.0, 0.2]}, 1.0),    # the mean at the end is 0.3
                  ('b', {0: [0.0, 0.1], 1: [0.0, 0.1]}, 1.0))
  ratios = tuned_study.profile(rows, 'step', F1)
  levels = tuned_study.LEVELS
  assert len(ratios['a']) == len(ratios['b']) == 2 * levels
  assert ratios['a'].count(INF) == sum(0.3 * part / levels > 0.2 + 1e-9
                                       for part in range(1, levels + 1))


def test_the_levels_of_a_loss_go_from_the_median_start_down_to_the_best_end():
  rows = profiled(('a', {0: [0.0, 0.4], 1: [0.1, 0.4], 2: [0.2, 0.4]}, 1.0),
                  ('b', {0: [0.1, 0.2], 1: [0.1, 0.2], 2: [0.1, 0.2]}, 1.0), metric=LOSS)
  ratios = tuned_study.profile(rows, 'step', LOSS)
  # from a loss of 9 (macro F1 0.1) to 6 (0.4): b ends at 8, a third of the way
  assert ratios['b'].count(INF) == 3 * sum(part / tuned_study.LEVELS > 1 / 3
                                           for part in range(1, tuned_study.LEVELS + 1))
  assert INF not in ratios['a']
