"""Pictures of a tuned study: curves, learning rates, time to a target, profiles, the way there."""

import math
from collections.abc import Sequence

import numpy as np

from train_lib.drawing.panels import (
  GREY,
  key,
  legend,
  new_figure,
  plain_numbers,
  small_multiples,
  styled,
  title,
)
from train_lib.drawing.plots import PALE
from train_lib.studies import test_functions
from train_lib.studies.rate_grid import Metric
from train_lib.studies.tuned_study import WITHIN, Summary, profile

SMOOTHED = 11                     # points of a record that a line along the way is the mean of
AXES = {'step': 'optimizer steps', 'seconds': 'seconds of training'}
WAY = {'loss': 'training loss', 'gradient_norm': 'norm of the gradient',
       'update_ratio': 'norm of the update / norm of the weights',
       'sharpness': 'largest eigenvalue of the Hessian'}


def learning_curves(summaries: Sequence[Summary], metric: Metric):
  """Metric and loss on the validation split over steps and over seconds, at the chosen rates.

  A line is the mean over the seeds, its band the range from the lowest to the highest seed; runs
  that diverged are left out and counted in the legend. Returns: a matplotlib Figure.
  """
  names = list(dict.fromkeys((metric.name, 'loss')))
  figure, panels = new_figure(len(names), 2, 11.5, 4.0 * len(names))
  for line, name in zip(panels, names, strict=True):
    for axes, axis in zip(line, AXES, strict=True):
      for style, summary in styled(summaries):
        _draw_curve(axes, summary, axis, name, style)
      axes.set_xlabel(AXES[axis])
      axes.set_xlim(left=0)
    line[0].set_ylabel(f'{metric.named(name).title} on the validation split')
    if name == 'loss':
      _loss_axis(line, summaries)
  legend(panels[0][0], 'optimizer, learning rate')
  title(figure, 'Learning curves at the chosen learning rates: mean over the seeds, and their '
        'range')
  return figure


def _draw_curve(axes, summary, axis, name, style):
  cells = [cell for cell in summary.cells if not cell['diverged'] and name in cell['curve']]
  lost = len(summary.cells) - len(cells)
  label = summary.row + (f', {summary.chosen:.3g}' if summary.chosen else ': all diverged')
  label += f' ({lost} diverged)' if lost else ''
  if not cells:
    axes.plot([], [], label=label, **style)
    return
  places = summary.units(axis) * np.array(cells[0]['curve']['step'])
  values = np.array([cell['curve'][name] for cell in cells], float)
  axes.fill_between(places, values.min(axis=0), values.max(axis=0), color=style['color'],
                    alpha=0.15, linewidth=0)
  axes.plot(places, values.mean(axis=0), label=label, markersize=4, **style)


def _loss_axis(line, summaries):
  """A run that fails late does not flatten all others: its loss leaves the picture at the top."""
  losses = np.concatenate([np.ravel(cell['curve']['loss']) for summary in summaries
                           for cell in summary.cells if cell['curve'].get('loss')] or [[1.0]])
  losses = losses.astype(float)
  low, middle = np.nanmin(losses), np.nanmedian(losses)
  top = middle + 3 * (middle - low)
  drawn = [_losses_of(summary) for summary in summaries]
  highest = max((np.nanmax(values) for values in drawn if values.size), default=low)
  if low < top < highest:
    lines = any((values.mean(axis=0) > top).any() for values in drawn if values.size)
    for axes in line:
      axes.set_ylim(low - 0.05 * (top - low), top)
      axes.set_title(
          'lines and ranges go on above the top' if lines else
          'ranges go on above the top; no line does', color=GREY, fontsize=9, loc='right')


def _losses_of(summary):
  """float64 [seeds, evaluations]: what lines and bands are of; [0, 0] without any."""
  return np.array([cell['curve']['loss'] for cell in summary.cells
                   if not cell['diverged'] and cell['curve'].get('loss')] or [[]], float)


def rate_sensitivity(summaries: Sequence[Summary], cells: dict[str, list[dict]], metric: Metric):
  """A panel a row: the validation metric at the end over the learning rate.

  Args: cells: all records, by row. Returns: a matplotlib Figure.
  """
  figure, panels = small_multiples(len(summaries), 2.6)
  shown = [cell['final'][metric.name] for row in cells.values() for cell in row
           if not cell['diverged']]
  low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
  if metric.lower_is_better:                    # a few bad rates shall not flatten all others
    high = min(high, low + 4 * (float(np.median(shown)) - low)) if shown else high
  margin = 0.08 * ((high - low) or 1.0)
  broken = high + margin if metric.lower_is_better else low - margin
  for axes, (style, summary) in zip(panels, styled(summaries), strict=True):
    _draw_rates(axes, summary, cells[summary.row], metric, style['color'], broken)
    axes.set_ylim(low - 2 * margin, high + 2 * margin)
  keys = [dict(color=GREY, marker='o', label='mean over the seeds'),
          dict(color=GREY, marker='.', linestyle='', label='a seed'),
          dict(color=GREY, marker='x', linestyle='', label='a seed that diverged'),
          dict(color='black', marker='*', linestyle='', markersize=12, label='the chosen rate'),
          dict(color=PALE, linewidth=8, label=f'within {WITHIN:.0%} of the best row')]
  figure.legend(handles=[key(**style) for style in keys], loc='outside lower center', ncols=5,
                frameon=False)
  title(figure, f'{metric.title} on the validation split at the end, over the learning rate; grey: '
        'rates that do nearly as well as the best of all rows')
  return figure


def _draw_rates(axes, summary, cells, metric, colour, broken):
  axes.set_xscale('log')
  axes.set_title(summary.row, fontsize=10, parse_math=False)
  if summary.sensitivity:
    axes.axvspan(summary.sensitivity.low, summary.sensitivity.high, color=PALE, alpha=0.55,
                 linewidth=0)
  means = [mean if mean != metric.worst else math.nan for mean in summary.means]
  axes.plot(summary.rates, means, color=colour, marker='o', markersize=4)
  for cell in cells:
    if cell['diverged']:
      axes.plot(cell['learning_rate'], broken, 'x', color=colour, markersize=7, clip_on=False)
    else:
      axes.plot(cell['learning_rate'], cell['final'][metric.name], '.', color=colour, alpha=0.5)
  if summary.chosen:
    axes.plot(summary.chosen, summary.valid[metric.name].mean, '*', color='black', markersize=13,
              zorder=5)
  axes.margins(x=0.08)
  axes.set_xlabel('learning rate')


def time_to_target(summaries: Sequence[Summary], metric: Metric, target: float | None):
  """Bars of the steps and seconds until the chosen runs reach the target: the median over seeds.

  Args: target: of the metric. Returns: a matplotlib Figure.
  """
  figure, panels = new_figure(1, 2, 11.5, 1.9 + 0.42 * len(summaries))
  places = np.arange(len(summaries))[::-1]
  for axes, axis in zip(panels[0], AXES, strict=True):
    times = [[steps * summary.units(axis) for steps in summary.steps_to] for summary in summaries]
    most = max([time for row in times for time in row if time < math.inf], default=1.0)
    for place, row, (style, _) in zip(places, times, styled(summaries), strict=True):
      _draw_bar(axes, place, row, most, style['color'])
    axes.set_yticks(places, [summary.row for summary in summaries], parse_math=False)
    axes.set_ylim(-0.6, len(summaries) - 0.4)
    axes.set_xlim(0, 1.45 * most)
    axes.grid(axis='y', visible=False)
    axes.set_xlabel(AXES[axis])
  panels[0][1].set_yticklabels([])
  goal = 'no run was left to set a target' if target is None else (
      f'until {metric.title} on the validation split is {target:.4g}')
  title(figure, f'Time to the target, {goal}: median over the seeds (bar), each seed (dot)')
  return figure


def _draw_bar(axes, place, times, most, colour):
  reached = [time for time in times if time < math.inf]
  middle = float(np.median(times)) if times else math.inf
  if middle < math.inf:
    axes.barh(place, middle, height=0.62, color=colour, alpha=0.75)
  axes.plot(reached, [place] * len(reached), 'o', color='black', markersize=4,
            markeredgecolor='white')
  short = len(reached) < len(times) or not times
  text = [f'{middle:.3g}'] * (middle < math.inf) + (
      [f'reached by {len(reached)} of {len(times)} seeds'] * (short and bool(reached)))
  text = ', '.join(text) or 'not reached'
  axes.annotate(text, (max([middle if middle < math.inf else 0.0, *reached]), place), (6, 0),
                textcoords='offset points', va='center', fontsize=9,
                color='black' if reached else GREY)


def performance_profiles(summaries: Sequence[Summary], metric: Metric):
  """Share of the problems that a row solves within so many times the fastest row's time.

  Returns: a matplotlib Figure.
  """
  figure, panels = new_figure(1, 2, 11.5, 4.4)
  for axes, axis in zip(panels[0], AXES, strict=True):
    ratios = profile(summaries, axis, metric)
    most = 1.15 * max([ratio for row in ratios.values() for ratio in row if ratio < math.inf],
                      default=2.0)
    least = most ** -0.02                       # room for the rise of those that are fastest
    for style, summary in styled(summaries):
      values = ratios[summary.row]
      solved = [ratio for ratio in values if ratio < math.inf]
      shares = np.arange(len(solved) + 1) / max(1, len(values))
      axes.step([least, *solved, most], [*shares, shares[-1]], where='post', label=summary.row,
                color=style['color'], linestyle=style['linestyle'], linewidth=1.8)
    axes.set_xscale('log')
    axes.set_xlim(least, most)
    plain_numbers(axes.xaxis)
    axes.set_ylim(-0.02, 1.03)
    axes.set_xlabel(f'{AXES[axis]}, times those of the fastest')
  panels[0][0].set_ylabel('share of the goals reached within that')
  legend(panels[0][0], 'optimizer')
  title(figure, f'Performance profiles over levels of {metric.title} and seeds: higher is better')
  return figure


def along_the_way(summaries: Sequence[Summary]):
  """What the chosen runs went through: loss, gradient, update and sharpness, medians over seeds.

  Returns: a matplotlib Figure.
  """
  names = [name for name in WAY if any(_way(cell, name)[0] for summary in summaries
                                       for cell in summary.cells)]
  lines = max(1, math.ceil(len(names) / 2))
  figure, panels = new_figure(lines, 2, 11.5, 3.9 * lines)
  for axes, name in zip(panels.flat, names, strict=False):
    for style, summary in styled(summaries):
      _draw_way(axes, summary, name, style)
    if name != 'loss':
      axes.set_yscale('log')
      plain_numbers(axes.yaxis)
    axes.set_ylabel(WAY[name])
    axes.set_xlabel(AXES['step'])
    axes.set_xlim(left=0)
  for axes in list(panels.flat)[len(names):]:
    axes.set_axis_off()
  if names:
    legend(panels[0][0], 'optimizer')
  title(figure, 'Along the way, at the chosen learning rates: medians over the seeds, smoothed')
  return figure


def _way(cell, name):
  """(steps, values) of a figure: of the steps, or for the sharpness of the evaluations."""
  part = cell['curve'] if name == 'sharpness' else cell['train']
  return part.get('step', []), part.get(name, [])


def _draw_way(axes, summary, name, style):
  curves = [_way(cell, name) for cell in summary.cells if not cell['diverged']]
  curves = [curve for curve in curves if len(curve[1])]
  marker = style['marker'] if name == 'sharpness' else None
  style = {**style, 'marker': marker, 'markersize': 4, 'label': summary.row}
  if not curves:
    axes.plot([], [], **style)
    return
  middle = np.median(np.array([values for _, values in curves], float), axis=0)
  if name != 'sharpness':
    middle = running_mean(middle)
  axes.plot(curves[0][0], np.where(middle > 0, middle, np.nan), **style)


def running_mean(values: np.ndarray) -> np.ndarray:
  """The mean of SMOOTHED neighbours, [n] -> [n]; fewer at the ends."""
  half = SMOOTHED // 2
  return np.array([np.mean(values[max(0, place - half):place + half + 1])
                   for place in range(len(values))])


def trajectories(name: str, paths: dict[str, dict]):
  """A panel for each optimizer: its path over the lines of equal height of a test function.

  Args:
    name: of `test_functions.FUNCTIONS`.
    paths: row -> what `test_functions.run` gave.

  Returns:
    A matplotlib Figure.
  """
  function = test_functions.FUNCTIONS[name]
  figure, panels = small_multiples(len(paths), 3.0, sharex=True, sharey=True)
  grid = [np.linspace(low, high, 161) for low, high in function.box]
  heights = function.value(np.stack(np.meshgrid(*grid)))
  heights = heights - min(heights.min(), *(function.value(np.array(p)) for p in function.minima))
  for axes, (style, row) in zip(panels, styled(list(paths)), strict=True):
    axes.contourf(*grid, np.log10(heights + 1e-3 * heights.max()), 24, cmap='Greys', alpha=0.55)
    _draw_path(axes, paths[row], function, style['color'])
    axes.set_title(_path_title(row, paths[row]), fontsize=10, parse_math=False)
    axes.grid(visible=False)
    axes.set_xlim(function.box[0])
    axes.set_ylim(function.box[1])
  keys = [dict(color='black', marker='o', linestyle='', markerfacecolor='white', label='start'),
          dict(color='black', marker='*', linestyle='', markersize=12, label='lowest point'),
          dict(color=GREY, marker='.', label='path of the optimizer'),
          dict(color=GREY, marker='X', linestyle='', markersize=9, label='its end')]
  figure.legend(handles=[key(**style) for style in keys], loc='outside lower center', ncols=4,
                frameon=False)
  title(figure, f'{name}: {test_functions.NUM_STEPS} steps at the best constant learning rate '
        '(darker ground is higher)')
  return figure


def _draw_path(axes, found, function, colour):
  for point in function.minima:
    axes.plot(*point, '*', color='black', markersize=13, markeredgecolor='white')
  if found['path']:
    path = np.array(found['path'])
    axes.plot(*path.T, '.-', color=colour, linewidth=1.6, markersize=5)
    axes.plot(*path[-1], 'X', color=colour, markersize=10, markeredgecolor='white', zorder=4)
  axes.plot(*function.start, 'o', color='black', markerfacecolor='white', markersize=7, zorder=5)


def _path_title(row, found):
  if found['learning_rate'] is None:
    return f'{row}: diverged at every rate'
  return f"{row}, rate {found['learning_rate']:g}: ends at {found['end']:.2g}"
