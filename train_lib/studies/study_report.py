"""What a tuned study leaves behind: report.md with table and pictures, and CSV of every cell."""

import math
import statistics
from collections.abc import Sequence

from train_lib.drawing import plots
from train_lib.reporting import counted, spelt_command
from train_lib.storage import records, remote
from train_lib.studies import study_plots, test_functions
from train_lib.studies.rate_grid import Metric
from train_lib.studies.study import mean_text, to_csv, to_markdown
from train_lib.studies.tuned_study import LEVELS, WITHIN, Summary, difference

PICTURES = 'pictures'
FEW_SEEDS = 2                     # of which no interval says much
UNLIKE = ('data.', 'loss.', 'train.')  # axes that change what a step or a figure is


def write_report(folder, config, cells: dict[str, list[dict]], summaries: Sequence[Summary],
                 metric: Metric, target: float | None, paths: dict[str, dict], start: dict) -> None:
  """Writes report.md, table.csv, cells.csv, curves.csv, test_functions.csv and the pictures.

  Args:
    folder: of the study.
    config: of the study.
    cells: the records of each row.
    summaries: of the rows, in the order of the page.
    metric, target: what the study goes by.
    paths: function -> row -> what `test_functions.run` gave.
    start: of `workdir.describe_start`.
  """
  remote.make_folder(folder / PICTURES)
  for name, figure in {
      'learning_curves': study_plots.learning_curves(summaries, metric),
      'learning_rates': study_plots.rate_sensitivity(summaries, cells, metric),
      'time_to_target': study_plots.time_to_target(summaries, metric, target),
      'performance_profiles': study_plots.performance_profiles(summaries, metric),
      'along_the_way': study_plots.along_the_way(summaries),
      **{_file(name): study_plots.trajectories(name, rows) for name, rows in paths.items()},
  }.items():
    plots.save(figure, folder / PICTURES / f'{name}.png')
  records.write_text(folder / 'table.csv', to_csv(table(summaries, metric)))
  records.write_text(folder / 'cells.csv', to_csv(cell_rows(cells)))
  records.write_text(folder / 'curves.csv', to_csv(curve_rows(cells)))
  if paths:
    records.write_text(folder / 'test_functions.csv', to_csv(path_rows(paths)))
  records.write_text(folder / 'report.md', format_report(
      config, cells, summaries, metric, target, paths, start))


def table(summaries: Sequence[Summary], metric: Metric) -> list[dict]:
  """A row of text for each row of the study; the columns of time stand last."""
  rows = []
  for summary in summaries:
    rows.append({
        'row': summary.row,
        'learning rate': f'{summary.chosen:g}' if summary.chosen else 'none: all diverged',
        **{f'test {metric.named(name).title}': mean_text(summary.test.get(name))
           for name in dict.fromkeys((metric.name, 'map', 'loss'))},
        f'{metric.title}, less {summaries[0].row}': (
            mean_text(difference(summary, summaries[0], metric), '+')
            if summary is not summaries[0] else ''),
        f'valid {metric.title}': mean_text(summary.valid.get(metric.name)),
        f'rates within {WITHIN:.0%} of the best row: factor': _range(summary),
        'grid': f'{len(summary.rates)} rates, {summary.rates[0]:.3g} to {summary.rates[-1]:.3g}'
                + (f' ({summary.grown} grown)' if summary.grown else ''),
        'diverged': f'{summary.diverged} of {summary.total}',
        'steps to target': _times(summary.steps_to),
        'seconds to target': _times([steps * summary.step_sec for steps in summary.steps_to]),
        'ms a step': _milliseconds(summary)})
  return rows


def cell_rows(cells: dict[str, list[dict]]) -> list[dict]:
  """A row for each cell: its last figures on the validation split and those of the test split."""
  return [{'row': name, 'learning_rate': cell['learning_rate'], 'seed': cell['seed'],
           'diverged': cell['diverged'], 'step_diverged': cell['step_diverged'],
           'together': cell['together'], 'step_sec': cell['step_sec'],
           **{f'valid/{key}': value for key, value in cell['final'].items()},
           **{f'test/{key}': value for key, value in cell['test'].items()}}
          for name, row in cells.items() for cell in row]


def curve_rows(cells: dict[str, list[dict]]) -> list[dict]:
  """A row for each evaluation of each cell on the validation split."""
  return [{'row': name, 'learning_rate': cell['learning_rate'], 'seed': cell['seed'],
           **{key: values[place] for key, values in cell['curve'].items()}}
          for name, row in cells.items() for cell in row
          for place in range(len(cell['curve']['step']))]


def path_rows(paths: dict[str, dict]) -> list[dict]:
  """A row for each test function and optimizer."""
  return [{'function': name, 'row': row, 'learning rate': found['learning_rate'],
           'ends at': found['end'], 'rates that diverged': found['diverged']}
          for name, rows in paths.items() for row, found in rows.items()]


def format_report(config, cells, summaries, metric, target, paths, start) -> str:
  """The text of report.md. Args: as those of `write_report`."""
  parts = ['# A study of optimizers', _what_was_done(config, cells, summaries, metric), '## Table',
           to_markdown(table(summaries, metric)), _columns(config, metric, target)]
  if notes := _notes(config, summaries, cells):
    parts += ['## To be told', '\n'.join(f'- {note}' for note in notes)]
  parts += ['## Pictures', *_shown(_captions(metric))]
  if paths:
    parts += ['## Test functions', _functions_text(), to_markdown(_by_function(paths)),
              *_shown({_file(name): f'Paths on the test function {name}' for name in paths})]
  parts += ['## How to make it again', _provenance(start)]
  return '\n\n'.join(parts) + '\n'


def _what_was_done(config, cells, summaries, metric):
  counts = _seeds(cells)
  seeds = ' to '.join([*map(str, counts[:-1]), counted(counts[-1], 'seed')])
  total = sum(map(len, cells.values()))
  return (
      f'{len(summaries)} rows, at least {len(config.study.rate_factors)} learning rates each, '
      f'{seeds}: {total} runs of {config.net.name} on {config.data.source} at '
      f'{config.data.image_size_px} px ({config.task}; loss {config.loss.name}; batch '
      f'{config.train.batch_size}; schedule {config.optimizer.schedule}), where a row does not say '
      'otherwise. Every row was tuned alike: its own learning rate times '
      f'{", ".join(f"{factor:.3g}" for factor in config.study.rate_factors)}, and '
      + (f'up to {config.study.most_grown} more beyond an edge that was best' if
         config.study.most_grown else 'no more')
      + f'. The learning rate was chosen by the mean of {metric.title} (`{metric.name}`) over the '
      'seeds on the validation split at the end of the runs; nothing else was tuned, and the test '
      f'split was not looked at for it. {_together(cells)}')


def _seeds(cells):
  """How many seeds rows have, each number once."""
  return sorted({len({cell['seed'] for cell in row}) for row in cells.values()})


def _together(cells):
  most, ways = max(cell['together'] for row in cells.values() for cell in row), sorted(
      {cell['way'] for row in cells.values() for cell in row})
  return ('Runs of a row share one compiled program and trained one after another.' if most == 1
          else f'Runs of a row share one compiled program, up to {most} at once '
               f'({" or ".join(ways)}).')


def _columns(config, metric, target):
  chosen = 'as `study.target` says' if config.study.target else (
      f"the best row's mean less {WITHIN:.0%}")
  goal = 'none, since no row has a rate at which all runs survived' if target is None else (
      f'{metric.title} of {target:.4g} on the validation split, {chosen}')
  return '\n'.join((
      '- **test**, **valid**: the mean over the seeds at the chosen learning rate, and half its '
      "95 % interval by Student's t. It covers what the seed changes, the first weights and the "
      'order of the pictures; pictures and splits are the same for all. **valid** is at the rate '
      'that was chosen by it and flatters a little. A run that diverged counts with the worst '
      'value: 0, or for a loss infinity.',
      '- **less ...**: the difference of **test** from the first row, paired by seed, and half '
      'its 95 % interval. Compare rows by this: paired intervals tell more than overlapping ones.',
      f'- **rates within {WITHIN:.0%} of the best row: factor**: of the learning rates whose mean '
      f'on the validation split lies within {WITHIN:.0%} of the best mean of any row, how many '
      'times the lowest is the highest, by straight lines between the rates that were run; how '
      'many of these rates lie inside stands behind. "At least" where the grid ends first.',
      '- **diverged**: runs whose loss or net was not finite, of all runs of the row.',
      '- **steps to target**, **seconds to target**: median over the seeds. The target is '
      f'{goal}; straight lines between evaluations. "Not reached" where half of the seeds or more '
      'do not reach it.',
      '- **ms a step**: median and range over the runs of the row; runs that trained together '
      'share their time evenly, compiling and measuring are left out. Seconds are steps times the '
      'median. What else the machine did meanwhile is in it: differences smaller than the range '
      'mean nothing. These two columns differ from one start to the next; the others do not on '
      'the same machine and versions, as long as `study.together` picks the same way.'))


def _notes(config, summaries, cells):
  """What a reader must not overlook."""
  notes = []
  fewest = _seeds(cells)[0]
  if fewest <= FEW_SEEDS:
    notes.append('a row with one seed has no spread: what chance does to its figures is not known; '
                 'take three seeds or more (`study.num_seeds`).' if fewest == 1 else
                 'a spread over two seeds says little: half of the 95 % interval is more than six '
                 'times what lies between the two, and may still be too small where they happen to '
                 'agree; take three seeds or more (`study.num_seeds`).')
  unlike = [key for key, _ in config.study.axes if key.startswith(UNLIKE)]
  if unlike:
    notes.append(f'the rows differ in {" and ".join(unlike)}: their steps, losses and times to a '
                 'target are not of one kind.')
  made = {str(cell['made']) for row in cells.values() for cell in row}
  if len(made) > 1:
    notes.append(f'the runs were made by {len(made)} different commits or machines; times do not '
                 'compare, and rounding may differ: ' + '; '.join(sorted(made)) + '.')
  for summary in summaries:
    if summary.edge:
      notes.append(f'{summary.row}: the best learning rate, {summary.chosen:g}, is the '
                   f'{summary.edge} of its grid' + (f', though it has grown by {summary.grown}'
                                                    if summary.grown else '')
                   + '; a better one may lie beyond.')
    lost = [cell for cell in cells[summary.row] if cell['diverged']]
    if lost:
      rates = sorted({cell['learning_rate'] for cell in lost})
      notes.append(f'{summary.row}: {len(lost)} of {summary.total} runs diverged, at '
                   f'{", ".join(f"{rate:g}" for rate in rates)}; the first: '
                   f'seed {lost[0]["seed"]} at {lost[0]["learning_rate"]:g}, '
                   f'{lost[0]["diverged"]}.')
  return notes


def _shown(captions):
  return [f'![{caption}]({PICTURES}/{name}.png)\n\n{caption}.'
          for name, caption in captions.items()]


def _captions(metric):
  return {
      'learning_curves': 'Learning curves on the validation split over steps and over seconds, at '
                         'the chosen learning rates',
      'learning_rates': 'The end of every run over its learning rate',
      'time_to_target': 'Steps and seconds until the target',
      'performance_profiles': (
          f'Performance profiles (Dolan and Moré, 2002): the goals are {LEVELS} even levels of '
          f'{metric.title} from the median of the first evaluations to the best row\'s end, with '
          'each seed, reached or not; the height at the left end is how often a row is the '
          'fastest, that at the right end how many of them it reaches at all'),
      'along_the_way': 'Loss, gradient and update at each step, and the sharpness where it was '
                       'measured'}


def _functions_text():
  rates = test_functions.RATES
  return (f'{test_functions.NUM_STEPS} steps from one start, at the best of {len(rates)} constant '
          f'learning rates from {rates[0]:g} to {rates[-1]:g}, without decay and penalties; '
          'optimizers of matrices (Muon) have no path here. The table has the value at the end '
          f'(mean of the last {test_functions.LAST_STEPS} steps) and the learning rate; the lowest '
          'value there is is 0, and -0.25 of the saddle.')


def _by_function(paths):
  rows = dict.fromkeys(row for found in paths.values() for row in found)
  return [{'row': row, **{name: _path_cell(found[row]) for name, found in paths.items()}}
          for row in rows]


def _path_cell(found):
  if found['learning_rate'] is None:
    return 'diverged at every rate'
  return f"{found['end']:.2g} at {found['learning_rate']:g}"


def _provenance(start):
  command = spelt_command(['python', *start['command']])
  versions = ', '.join(f'{name} {version}' for name, version in start['versions'].items())
  devices = start['devices']
  return (f'    {command}\n\n'
          f"Commit {start['commit'] or 'unknown'}; {start['time']}; {start['platform']}, "
          f"{start['cpus']} processors, {devices['count']} x {devices['kind']} "
          f"({devices['platform']}). {versions}.\n\n"
          'Every run: [cells.csv](cells.csv); every evaluation: [curves.csv](curves.csv); all that '
          'was recorded: `cells/`.')


def _milliseconds(summary):
  if not math.isfinite(summary.step_sec):
    return ''
  low, high = summary.step_sec_range
  return f'{1000 * summary.step_sec:.3g} ({1000 * low:.3g} to {1000 * high:.3g})'


def _range(summary):
  found = summary.sensitivity
  if found is None:
    return 'none'
  least = 'at least ' if found.open_low or found.open_high else ''
  return (f'{least}{found.factor:.3g} ({found.low:.2g} to {found.high:.2g}; '
          f'{counted(found.inside, "rate")} inside)')


def _times(times):
  middle = statistics.median(times) if times else math.inf
  short = sum(time == math.inf for time in times)
  lost = f' ({len(times) - short} of {len(times)} seeds)' if short and short < len(times) else ''
  return (f'{middle:.3g}' if middle < math.inf else 'not reached') + lost


def _file(name):
  return f'path_{name.replace(" ", "_")}'
