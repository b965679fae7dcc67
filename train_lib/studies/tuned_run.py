"""A tuned study from its config to its report: grids, cells, what a stop leaves, what is told."""

import math
import time

import jax
import numpy as np

from errors import UserError
from train_lib import build_sources, check, device_data, devices
from train_lib import workdir as workdir_lib
from train_lib.preemption import Preempted
from train_lib.reporting import human_time, say
from train_lib.storage import records
from train_lib.storage.lock import Lock
from train_lib.studies import (
  cells,
  rate_grid,
  replicas,
  side_by_side,
  study,
  study_report,
  test_functions,
  tuned_study,
)


def run_tuned(config, workdir: str, preemption) -> None:
  """Trains the cells that the folder lacks, and writes the report.

  Args:
    config: of a page whose `study.rate_factors` is not empty.
    workdir: folder of the study.
    preemption: of the running job.

  Raises:
    UserError: rows, numbers or data that make no sense, or a folder of something else.
    Preempted: a signal came; finished cells are kept.
  """
  devices.set_up_jax(config.runtime.cache_dir)
  rows, metric = rate_grid.row_configs(config), rate_grid.metric_of(config)
  test_functions.check_functions(config.study.functions)
  side_by_side.check_choice(config.study.together)
  for row in rows.values():
    check.check_config(row)
    device_data.check_repeatable(row)
  folder = study.open_folder(workdir, config)
  with Lock(folder):
    start, fingerprints = workdir_lib.describe_start(), _fingerprints(rows, preemption.check)
    changes = _changes(folder, config)
    done = {name: cells.read_cells(_cell_folder(folder, name), name, row, fingerprints[name],
                                   folder, changes) for name, row in rows.items()}
    workdir_lib.save_config(folder / 'config.json', config)
    try:
      _tune_rows(rows, done, folder, fingerprints, metric, _Engines(preemption.check, start))
      paths = _test_functions(config, folder, preemption.check)
    except Preempted:
      kept = sum(1 for _ in (folder / 'cells').glob('*/*.json'))
      say(f'stopped; {kept} cells are trained and kept in {folder}/cells, and the same command '
          'goes on with the others')
      raise
    bar = tuned_study.place_bar(done, metric)
    target = config.study.target or bar
    summaries = [tuned_study.summarise(name, done[name], metric, bar, target,
                                       len(config.study.rate_factors)) for name in rows]
    study_report.write_report(folder, config, done, summaries, metric, target, paths, start)
  say(study.to_markdown(study_report.table(summaries, metric)))
  say(f'the report, with its pictures, is {folder}/report.md; every run is in {folder}/cells.csv')


def _changes(folder, config):
  """What differs from the config of the study's last start, a line each."""
  saved = folder / 'config.json'
  return workdir_lib.diff_configs(workdir_lib.load_config(saved), config) if saved.exists() else []


def _tune_rows(rows, done, folder, fingerprints, metric, engines):
  """Trains what is missing of every row; `done` takes the records."""
  small_page = next(iter(rows.values())).small_page
  if small_page and jax.default_backend() == 'cpu':
    say(f'this page is made for TPUs and GPUs; --config={small_page} takes minutes here')
  for number, (name, row) in enumerate(rows.items(), 1):
    say(f'--- row {number} of {len(rows)}: {name}')
    started, had = time.monotonic(), len(done[name])
    done[name] = _tune(name, row, _cell_folder(folder, name), done[name], fingerprints[name],
                       metric, engines)
    seconds = time.monotonic() - started
    if not had and number < len(rows):
      say(f'{name} took {human_time(seconds)}; expect {human_time(seconds * (len(rows) - number))} '
          f'more, rows left: {len(rows) - number}')


def _cell_folder(folder, name):
  return folder / 'cells' / study.folder_name(name)


def _fingerprints(rows, poll):
  """Of the training data of each row; the same data are opened once."""
  known = {}
  for row in rows.values():
    if str(row.data) not in known:
      known[str(row.data)] = build_sources.build_source(row, 'train', poll).fingerprint
  return {name: known[str(row.data)] for name, row in rows.items()}


class _Engines:
  """Replicas of one row after the other; a row takes the pictures over from the one before."""

  def __init__(self, poll, start):
    self.poll, self._row, self._engine = poll, None, None
    self.made = {'commit': start['commit'], 'platform': start['platform'], **start['devices']}

  def of(self, row):
    """The replicas of a row's config, built where they are not those that were asked for last."""
    if row is not self._row:
      jax.clear_caches()
      self._row, self._engine = row, replicas.build_replicas(row, self.poll, self._engine)
    return self._engine


def _tune(name, row, folder, done, fingerprint, metric, engines):
  """The records of a row's cells, over a grid that has grown as far as it may."""
  first = rates = rate_grid.first_rates(row)
  seeds = [row.seed + number for number in range(row.study.num_seeds)]
  while True:
    known = {(cell['learning_rate'], cell['seed']): cell for cell in done}
    wanted = [(rate, seed) for rate in rates for seed in seeds]
    if missing := [pair for pair in wanted if pair not in known]:
      done = done + _train_missing(name, row, folder, missing, fingerprint, engines)
      continue
    done = [known[pair] for pair in wanted]
    _check_metric(done, metric)
    if len(rates) - len(first) >= row.study.most_grown:
      return done
    rate = rate_grid.next_rate(*tuned_study.by_rate(done, metric), metric)
    if rate is None:
      return done
    say(f'{name}: the best learning rate is at the edge of {rates[0]:g} to {rates[-1]:g}; the grid '
        f'grows by {rate:g}')
    rates = sorted([*rates, rate])


def _train_missing(name, row, folder, missing, fingerprint, engines):
  """The records of cells that were not trained yet, each written when its group is done."""
  engine, found = engines.of(row), []
  num_groups = math.ceil(len(missing) / engine.at_once(len(missing)))
  for numbers in np.array_split(np.arange(len(missing)), num_groups):
    group = [missing[number] for number in numbers]
    for cell in cells.train_cells(engine, group, num_steps=engine.num_steps, poll=engines.poll,
                                  evaluations=row.study.evaluations,
                                  sharpness=row.study.sharpness_steps > 0):
      rate, seed = cell['learning_rate'], cell['seed']
      found.append(records.plain({
          'row': name, **cell, 'way': engine.way, 'fingerprint': fingerprint, 'made': engines.made,
          'digest': cells.cell_digest(cells.with_rate(row, rate, seed))}))
      records.write_json(cells.cell_path(folder, rate, seed), found[-1])
      say(f'{name}, learning rate {rate:g}, seed {seed}: {_outcome(found[-1], row)}')
  return found


def _outcome(cell, row):
  if cell['diverged']:
    return f'diverged, {cell["diverged"]}'
  metric = rate_grid.metric_of(row)
  _check_metric([cell], metric)
  return f'{metric.title} {cell["final"][metric.name]:.4f} on the validation split'


def _check_metric(done, metric):
  """Raises UserError where cells lack the figure, such as what was drawn of photographs."""
  for cell in done:
    if not cell['diverged'] and metric.name not in cell['final']:
      there = [name for name in rate_grid.titles(metric.task) if name in cell['final']]
      raise UserError(f"study.metric '{metric.name}' is not measured on these data; choices: "
                      f"{', '.join(there)}")


def _test_functions(config, folder, poll):
  """{function: {row: path}}; rows that differ in nothing but what no path sees are run once."""
  sections = {}
  if not config.study.functions:
    return {}
  for name, row in study.row_configs(config).items():
    section = test_functions.plain_section(row.optimizer)
    if section.name not in test_functions.NOT_OF_VECTORS:
      sections.setdefault(str(section), (name, section))
  wanted = {'functions': config.study.functions, 'optimizers': list(sections)}
  path = folder / 'test_functions.json'
  kept = records.read_json(path) if path.exists() else {}
  if kept.get('of') != records.plain(wanted):
    paths = {}
    for function in config.study.functions:
      say(f'test function {function}')
      paths[function] = {}
      for name, section in sections.values():
        poll()
        paths[function][name] = test_functions.run(function, section)
    kept = records.plain({'of': wanted, 'paths': paths})
    records.write_json(path, kept)
  return kept['paths']
