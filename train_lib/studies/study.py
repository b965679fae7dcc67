"""Runs side by side: the rows of a study, what their seeds gave, and the intervals around it."""

import copy
import csv
import dataclasses
import io
import math
import re
import statistics
from collections.abc import Sequence

from errors import UserError
from train_lib import workdir as workdir_lib
from train_lib.drawing import plots

CONFIDENCE = 0.95
# By task, the figures of a table, the first of which rows are compared by: name -> title.
FIGURES = {
    'tagging': {
        'macro_f1_tuned': 'macro F1', 'micro_f1_tuned': 'micro F1', 'map': 'mAP',
        'drawn_macro_f1_tuned': 'macro F1, as drawn', 'drawn_map': 'mAP, as drawn'},
    'classification': {
        'accuracy': 'accuracy', 'macro_f1': 'macro F1', 'nll': 'NLL, nats',
        'calibration_error': 'calibration error', 'drawn_accuracy': 'accuracy, as drawn',
        'drawn_macro_f1': 'macro F1, as drawn'},
    'pose': {'ap': 'AP', 'ap50': 'AP .5', 'ap75': 'AP .75', 'ar': 'AR'},
    'autoencoding': {'psnr': 'PSNR, dB', 'ssim': 'SSIM', 'recovered': 'recovered',
                     'kl': 'KL, nats', 'active_units': 'active units'},
}
# Of what a key of the config takes, in words; anything else is a section.
KINDS = {bool: 'True or False', int: 'a whole number', float: 'a number', str: 'a text',
         tuple: 'a tuple'}
MEANS = {'macro_threshold': ('threshold', 1, '.2f'),           # title, unit, digits: no interval
         'parameters': ('M parameters', 1e6, '.2f'), 'file_bytes': ('MB', 1e6, '.1f'),
         'pictures_per_sec': ('pictures/s', 1, '.0f')}


@dataclasses.dataclass(frozen=True)
class Interval:
  """A mean over seeds; low and high bound it at 95 % by Student's t, or equal it for one seed."""
  mean: float
  low: float
  high: float


def interval(values: Sequence[float]) -> Interval:
  """The interval of a mean, of one or more values."""
  mean = statistics.fmean(values)
  if len(values) < 2:
    return Interval(mean, mean, mean)
  from scipy import stats
  half = (stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
          * statistics.stdev(values) / len(values) ** 0.5)
  return Interval(mean, mean - half, mean + half)


def open_folder(workdir, config):
  """Opens the folder of a study as `workdir.open_workdir` does.

  Raises: UserError: it belongs to a run, to a study of the other kind, or to something else.
  """
  folder = workdir_lib.open_workdir(workdir, config)
  whole = 'a study of whole runs', folder / 'study.json'
  tuned = 'a tuned study', folder / 'cells'
  for what, sign in (('a training run', folder / 'run.json'),
                     whole if config.study.rate_factors else tuned):
    if sign.exists():
      raise UserError(f'{folder} is the folder of {what}; name another one, such as '
                      f'--workdir={workdir_lib.free_name(folder)}')
  return folder


def row_configs(config) -> dict[str, object]:
  """{name: config} of the rows of `config.study.rows`, each with its own values.

  Raises:
    UserError: no rows, a row of another form, two rows of one name, a key that does not exist, a
      value of another type.
  """
  if not config.study.rows:
    raise UserError('study.rows is empty: a study needs a page that lists its rows, such as '
                    '--config=configs/tagger_ladder.py')
  if config.study.num_seeds < 1:
    raise UserError(f'study.num_seeds is {config.study.num_seeds}; expected 1 or more')
  configs, folders = {}, {}
  for row in config.study.rows:
    if not _is_row(row):
      raise UserError(f"{row!r} is no row of a study; expected (name, ('section.key', value), ...) "
                      'with a letter or a digit in the name')
    name, *values = row
    other = folders.setdefault(folder_name(name), name)
    if name in configs or other != name:
      raise UserError(f"the study's rows '{other}' and '{name}' have the same folder; rename one")
    configs[name] = _with_values(config, name, dict(values))
  return configs


def _is_row(row) -> bool:
  return (isinstance(row, tuple) and len(row) > 0 and isinstance(row[0], str)
          and bool(folder_name(row[0]))
          and all(isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)
                  for value in row[1:]))


def folder_name(name: str) -> str:
  """'BCE, summed' -> 'bce-summed'."""
  return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')


def _with_values(config, name, values):
  """A copy of the config with a row's values, and without the study itself."""
  row = copy.deepcopy(config)
  for path, value in values.items():
    if path == 'seed' or path.startswith('study.'):
      raise UserError(f"the study's row '{name}' sets {path}, which is the study's own to set")
    if path.startswith(('runtime.', 'serve.')):
      raise UserError(f"the study's row '{name}' sets {path}, which changes no result: give it as "
                      f'a flag, --config.{path}=')
    section, *parents, key = row, *path.split('.')
    for parent in parents:
      section = section[parent] if hasattr(section, 'keys') and parent in section else {}
    if not hasattr(section, 'keys') or key not in section:
      raise UserError(f"the study's row '{name}' sets {path}, which is no key of the config")
    try:
      section[key] = value
    except TypeError:
      kind = KINDS.get(type(section[key]), 'a key inside of it, since it is a section')
      raise UserError(f"the study's row '{name}' sets {path} to {value!r}; expected {kind}"
                      ) from None
  row.study.rows = ()
  return row


def summarise(results: dict[str, dict[str, dict]], task: str) -> list[dict]:
  """A row of intervals for each row of the study, with its distance from the first.

  Args:
    results: {row: {seed: figures}} with 'diverged' in place of the figures of a run that broke.
    task: of FIGURES.

  Returns:
    [{'row', 'seeds', 'diverged', figure: Interval, 'difference': Interval}] with the figures of
    the task and of MEANS that every run has; the difference is that of the first of them from the
    first row's, over the seeds that both finished, and None where there is none.
  """
  names = [*FIGURES[task], *MEANS]
  reference = next(iter(results.values()), {})
  table = []
  for name, seeds in results.items():
    whole = {seed: values for seed, values in seeds.items() if 'diverged' not in values}
    row = {'row': name, 'seeds': len(whole), 'diverged': len(seeds) - len(whole)}
    row.update({figure: interval([values[figure] for values in whole.values()])
                for figure in names
                if whole and all(figure in values for values in whole.values())})
    pairs = [values[names[0]] - reference[seed][names[0]] for seed, values in whole.items()
             if names[0] in reference.get(seed, {})]
    row['difference'] = interval(pairs) if pairs and seeds is not reference else None
    table.append(row)
  return table


def format_study(table: list[dict], task: str) -> str:
  """A Markdown table of `summarise`: the mean of each figure and half the width of its interval."""
  titles = FIGURES[task]
  figures = {name: title for name, title in titles.items() if any(name in row for row in table)}
  means = {name: form for name, form in MEANS.items() if any(name in row for row in table)}
  first = next(iter(titles.values()))
  return to_markdown([{
      '': row['row'],
      **{title: mean_text(row.get(figure)) for figure, title in figures.items()},
      f'{first}: difference from the first row': mean_text(row['difference'], '+'),
      **{title: f'{row[name].mean / unit:{digits}}' if name in row else ''
         for name, (title, unit, digits) in means.items()},
      'seeds': f"{row['seeds']}" + (f" ({row['diverged']} diverged)" if row['diverged'] else '')}
      for row in table])


def study_figure(results: dict[str, dict[str, dict]], task: str):
  """A plot of the first figure: each row's seeds, mean and interval. Returns: a Figure."""
  (figure, title), rows = next(iter(FIGURES[task].items())), []
  for name, seeds in results.items():
    values = [run[figure] for run in seeds.values() if figure in run]
    if values:
      mean, low, high = dataclasses.astuple(interval(values))
      rows.append(plots.Interval(name, mean, low, high, values))
  return plots.intervals(
      rows, f'{title} on the test split{", threshold tuned" * (task == "tagging")}: seeds, mean, '
      '95 % interval',
      reference=next(iter(results)))


def study_csv(results: dict[str, dict[str, dict]]) -> str:
  """Every run of a study as a row of CSV: row, seed, and all its figures."""
  return to_csv([{'row': name, 'seed': seed, **values}
                 for name, seeds in results.items() for seed, values in seeds.items()])


def to_csv(rows: Sequence[dict]) -> str:
  """Rows as CSV with the columns of all of them; '' where one has no value."""
  text = io.StringIO()
  writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)),
                          lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  return text.getvalue()


def to_markdown(rows: Sequence[dict]) -> str:
  """Rows of the same columns, one or more, as a Markdown table."""
  lines = ['| ' + ' | '.join(rows[0]) + ' |', '|---' * len(rows[0]) + '|']
  lines += ['| ' + ' | '.join(str(value).replace('|', '\\|') for value in row.values()) + ' |'
            for row in rows]
  return '\n'.join(lines)


def mean_text(value: Interval | None, sign: str = '') -> str:
  """'0.4100 ± 0.0120', half the width of the interval; without it for one seed, '' for None."""
  if value is None:
    return ''
  if math.isinf(value.mean):
    return '∞' if value.mean > 0 else '-∞'
  half = f' ± {value.high - value.mean:.4f}' if value.high > value.low else ''
  return f'{value.mean:{sign}.4f}{half}'
