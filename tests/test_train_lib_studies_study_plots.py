"""Pictures of a study: nothing is cut off, nothing overlaps, and they show what they are given."""

import math

import numpy as np
import pytest
from PIL import Image

from train_lib.drawing import plots
from train_lib.studies import study_plots, test_functions, tuned_study
from train_lib.studies.rate_grid import Metric

F1, LOSS = Metric('macro_f1_tuned'), Metric('loss')
RATES = (0.001, 0.01, 0.1)


def make_cell(row, rate, seed, *, broken=False):
  """A record whose figures are a function of the numbers it is made from."""
  height = 0.5 - 0.1 * abs(math.log10(rate) + 2) + 0.02 * row + 0.01 * seed
  steps = [10, 20, 30, 40]
  values = [height * (1 - math.exp(-step / (10 + 5 * row))) for step in steps]
  if broken:
    steps, values = steps[:1], values[:1]
  numbers = np.arange(1, 41)
  final = {'macro_f1_tuned': values[-1], 'loss': 8 - 10 * values[-1]}
  return {'learning_rate': rate, 'seed': seed, 'diverged': 'nan' if broken else '',
          'step_diverged': 15 if broken else None, 'step_sec': 0.1,
          'curve': {'step': steps, 'seconds': [0.3 * step for step in steps],
                    'macro_f1_tuned': values, 'loss': [8 - 10 * value for value in values],
                    'sharpness': [2 / rate for _ in steps]},
          'train': {'step': numbers.tolist(), 'loss': (5 / numbers).tolist(),
                    'gradient_norm': (1 + row + numbers / 9).tolist(),
                    'update_ratio': (rate / numbers).tolist()},
          'final': {} if broken else final, 'test': {} if broken else final}


def make_study(number, *, all_broken=False, metric=F1):
  """(summaries, cells, target): the last row diverges at its highest rate, one seed of it."""
  names = [f'optimizer $ {row}' for row in range(number)]
  cells = {name: [make_cell(row, rate, seed, broken=all_broken or (
      row == number - 1 and rate == RATES[-1] and seed == 1)) for rate in RATES for seed in (0, 1)]
      for row, name in enumerate(names)}
  target = tuned_study.place_bar(cells, metric)
  return [tuned_study.summarise(name, row, metric, target, target, 3)
          for name, row in cells.items()], cells, target


def all_plots(number, **options):
  metric = options.get('metric', F1)
  summaries, cells, target = make_study(number, **options)
  paths = {summary.row: {'learning_rate': 0.1, 'end': 0.01, 'diverged': 2,
                         'path': [[-1.2, 1.0], [0.0, 0.5], [0.9, 0.9]]} for summary in summaries}
  paths[summaries[0].row] = {'learning_rate': None, 'end': None, 'diverged': 16, 'path': []}
  return {'curves': study_plots.learning_curves(summaries, metric),
          'rates': study_plots.rate_sensitivity(summaries, cells, metric),
          'time': study_plots.time_to_target(summaries, metric, target),
          'profiles': study_plots.performance_profiles(summaries, metric),
          'way': study_plots.along_the_way(summaries),
          'paths': study_plots.trajectories('rosenbrock', paths)}


@pytest.mark.parametrize('number, options', [
    (1, {}), (6, {}), (16, {}), (2, {'all_broken': True}), (6, {'metric': LOSS})])
def test_nothing_is_cut_off_and_the_legend_hides_nothing(number, options):
  for name, figure in all_plots(number, **options).items():
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, name
    for legend in figure.legends:
      assert not legend.get_window_extent().overlaps(figure._suptitle.get_window_extent()), name
      for axes in figure.axes:
        assert not legend.get_window_extent().overlaps(axes.get_tightbbox()), name


def test_files_are_pngs_with_something_in_them(tmp_path):
  for name, figure in all_plots(3).items():
    plots.save(figure, tmp_path / f'{name}.png')
    pixels = np.asarray(Image.open(tmp_path / f'{name}.png').convert('RGB'))
    assert pixels.shape[1] > 1000 and pixels.std() > 5, name


def lines(axes):
  return {line.get_label(): line.get_xydata() for line in axes.lines
          if not line.get_label().startswith('_')}


def test_curves_are_means_over_the_seeds_of_the_chosen_rate():
  summaries, cells, _ = make_study(2)
  figure = study_plots.learning_curves(summaries, F1)
  drawn = lines(figure.axes[0])['optimizer $ 0, 0.01']
  chosen = [cell for cell in cells['optimizer $ 0'] if cell['learning_rate'] == 0.01]
  np.testing.assert_allclose(drawn[:, 0], [10, 20, 30, 40])
  np.testing.assert_allclose(
      drawn[:, 1], np.mean([cell['curve']['macro_f1_tuned'] for cell in chosen], axis=0))
  np.testing.assert_allclose(lines(figure.axes[1])['optimizer $ 0, 0.01'][:, 0], [1, 2, 3, 4])


def test_a_diverged_seed_is_a_cross_and_not_a_point():
  summaries, cells, _ = make_study(2)
  *_, last = [axes for axes in study_plots.rate_sensitivity(summaries, cells, F1).axes
              if axes.get_title()]
  crosses = [line for line in last.lines if line.get_marker() == 'x']
  dots = [line for line in last.lines if line.get_marker() == '.']
  assert [line.get_xdata()[0] for line in crosses] == [0.1] and len(dots) == 5


def test_no_two_of_many_rows_look_alike():
  looks = [str(look) for look, _ in study_plots.styled(range(28))]
  assert len(set(looks)) == 28


def texts(figure):
  return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_target_that_is_not_reached_has_no_bar_but_a_word():
  summaries, _, _ = make_study(2)

  def drawn(target):
    return study_plots.time_to_target(
        [tuned_study.summarise(summary.row, summary.cells, F1, None, target, 1)
         for summary in summaries], F1, target)

  figure = drawn(0.99)
  assert texts(figure) == ['not reached'] * 4
  assert not any(axes.patches for axes in figure.axes)
  assert [len(axes.patches) for axes in drawn(0.3).axes] == [2, 2]


def test_a_profile_rises_to_the_share_that_is_solved():
  summaries, _, _ = make_study(3)
  ratios = tuned_study.profile(summaries, 'step', F1)
  drawn = lines(study_plots.performance_profiles(summaries, F1).axes[0])
  for row, values in ratios.items():
    assert drawn[row][-1, 1] == pytest.approx(np.isfinite(values).mean())


def test_the_running_mean_is_of_the_neighbours_and_of_fewer_at_the_ends():
  values = np.arange(30.0)
  found = study_plots.running_mean(values)
  np.testing.assert_allclose(found[5:-5], values[5:-5])
  assert found[0] == values[:6].mean() and found[-1] == values[-6:].mean()


def test_a_path_ends_where_it_ended():
  figure = all_plots(2)['paths']
  panel = figure.axes[1]
  end, = [line for line in panel.lines if line.get_marker() == 'X']
  assert end.get_xydata().tolist() == [[0.9, 0.9]]
  assert figure.axes[0].get_title() == 'optimizer $ 0: diverged at every rate'
  assert test_functions.FUNCTIONS['rosenbrock'].box[0] == panel.get_xlim()


def losses_of(rows):
  """The title of the panel of losses. Args: rows: the losses of each seed of each row."""
  summaries = []
  for number, row in enumerate(rows):
    cells = [make_cell(number, 0.01, seed) for seed in range(len(row))]
    for cell, values in zip(cells, row, strict=True):
      cell['curve']['loss'] = values
    summaries.append(tuned_study.summarise(f'row {number}', cells, F1, None, None, 1))
  figure = study_plots.learning_curves(summaries, F1)
  return next(axes.get_title(loc='right') for axes in figure.axes
              if axes.get_ylabel().startswith('loss'))


def test_it_is_told_whether_lines_or_only_ranges_leave_the_picture():
  good = [[4.0, 3.0, 2.0, 2.0]] * 3
  assert losses_of([good, good]) == ''
  assert losses_of([good, [*good[:2], [4.0, 3.0, 2.0, 7.0]]]) == (
      'ranges go on above the top; no line does')
  assert losses_of([good, [[4.0, 3.0, 2.0, 90.0]] * 3]) == 'lines and ranges go on above the top'


def test_what_is_not_drawn_is_not_cut_off_either():
  cells = [make_cell(0, 0.01, 0), make_cell(0, 0.01, 1, broken=True)]
  cells[1]['curve']['loss'] = [900.0]
  summary = tuned_study.summarise('row', cells, F1, None, None, 1)
  figure = study_plots.learning_curves([summary], F1)
  assert not any(axes.get_title(loc='right') for axes in figure.axes)
