"""--job=study: the rows of a page side by side: whole runs, or cells tuned over learning rates."""

import copy
import math

import jax
import numpy as np

from errors import Diverged, UserError
from train_lib import (
    build,
    cells,
    check,
    device_data,
    devices,
    plots,
    rate_grid,
    records,
    replicas,
    reports,
    side_by_side,
    study,
    study_report,
    test_functions,
    tuned_study,
)
from train_lib import run as run_lib
from train_lib import workdir as workdir_lib
from train_lib.lock import Lock
from train_lib.preemption import Preemption
from train_lib.reporting import say


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Trains every row of `config.study.rows` with every seed, and compares them.

  Without `study.rate_factors` each run has a folder of its own, `<workdir>/<row>/<seed>`, and is a
  run like any other: after a stop the same command goes on with the one that was under way.
  Thresholds are tuned for each run on its validation split; the figures are of the test split.
  `study.json` and `study.csv` hold all runs, `study.md` the table of means with 95 % intervals,
  `study.png` its picture; they are written again after each run.

  With them every row is tuned over as many learning rates, and its runs train together on data that
  lie on the device. Each leaves one record, `<workdir>/cells/<row>/*.json`, and no weights; after a
  stop the same command trains the cells that are missing. `report.md` has the tables and pictures,
  `cells.csv` and `curves.csv` what they were made from.

  Args:
    config: of a page that lists rows, such as configs/tagger_ladder.py or configs/optimizers.py.
    workdir: folder of the study.
    config_path: the page, for run.json.
    input, output: not of this job.

  Raises:
    UserError: rows that make no sense, or a mistake in the config or the data.
    Preempted: a signal came; finished cells, or the run under way, are saved.
  """
  del input, output
  with Preemption() as preemption:
    if config.study.rate_factors:
      _run_tuned(config, workdir, preemption)
    else:
      _run_whole(config, workdir, config_path, preemption)


# Whole runs -------------------------------------------------------------------------------------


def _run_whole(config, workdir, config_path, preemption):
  configs = study.row_configs(config)
  devices.set_up_jax(config.runtime.cache_dir)
  folder = workdir_lib.open_workdir(workdir, config)
  with Lock(folder):
    runs = [_Run(name, config.seed + number, config_of_row, folder)
            for number in range(config.study.num_seeds)
            for name, config_of_row in configs.items()]
    results = _finished_results(runs, folder)
    workdir_lib.save_config(folder / 'config.json', config)
    for number, one in enumerate(runs, 1):
      if str(one.seed) not in results[one.name]:
        say(f'--- run {number} of {len(runs)}: {one.name}, seed {one.seed}')
        results[one.name][str(one.seed)] = _train(one, folder, config_path, preemption)
        _write(folder, results, config.task)
        jax.clear_caches()                # each run compiles anew, from the programs kept on disk
  say(study.format_study(study.summarise(results, config.task), config.task))
  say(f'the table, every run and the picture are in {folder}/study.md, study.csv and study.png')


class _Run:
  """One row with one seed: its config and its workdir."""

  def __init__(self, name, seed, config, folder):
    self.name, self.seed, self.config = name, seed, copy.deepcopy(config)
    self.config.seed = seed
    self.workdir = folder / study.folder_name(name) / str(seed)


def _finished_results(runs, folder) -> dict:
  """{row: {seed: figures}} of the runs that are done; nothing is written before all are checked.

  Raises:
    UserError: a row's values make no sense, a run was begun with other values, or on other data.
  """
  results, fingerprints = {one.name: {} for one in runs}, {}
  for one in runs:
    try:
      check.check_config(one.config)
      if not one.workdir.exists():
        check.check_start(one.config)
        continue
    except UserError as error:
      raise UserError(f"the study's row '{one.name}': {error}") from None
    workdir_lib.open_workdir(one.workdir, one.config, named=folder)
    record = workdir_lib.read_run(one.workdir)
    if record.get('finished'):
      data = str(one.config.data)
      if fingerprints.setdefault(data, record['fingerprint']) != record['fingerprint']:
        raise UserError(f'{one.workdir} was trained on other data than the runs before it, though '
                        'its config is the same: the data changed in between; start afresh with '
                        f'--workdir={workdir_lib.free_name(folder)}')
      results[one.name][str(one.seed)] = record['test']['net']
  return results


def _train(one, folder, config_path, preemption) -> dict:
  """The test figures of one run, or {'diverged': why}."""

  def finish(finished):
    result = reports.of(one.config.task).report_on_test(
        finished.evaluator, finished.variables, finished.source, finished.loaders,
        with_baselines=False, poll=preemption.check)
    return {'test': result.rows, 'thresholds': result.thresholds}

  try:
    record = run_lib.train(one.config, one.workdir, preemption, config_path=config_path,
                           finish=finish, named=folder)
  except Diverged as error:
    say(f'{one.name}, seed {one.seed}: {error}')
    return {'diverged': str(error)}
  return record['test']['net']


def _write(folder, results, task) -> None:
  records.write_json(folder / 'study.json', results)
  records.write_text(folder / 'study.csv', study.study_csv(results))
  table = study.format_study(study.summarise(results, task), task)
  records.write_text(folder / 'study.md', f'{table}\n')
  plots.save(study.study_figure(results, task), folder / 'study.png')


# Tuned cells ------------------------------------------------------------------------------------


def _run_tuned(config, workdir, preemption):
  rows, metric = rate_grid.row_configs(config), rate_grid.metric_of(config)
  test_functions.check_functions(config.study.functions)
  side_by_side.check_choice(config.study.together)
  for row in rows.values():
    check.check_config(row)
    device_data.check_repeatable(row)
  devices.set_up_jax(config.runtime.cache_dir)
  folder = workdir_lib.open_workdir(workdir, config)
  with Lock(folder):
    start, fingerprints = workdir_lib.describe_start(), _fingerprints(rows, preemption.check)
    done = {name: cells.read_cells(_cell_folder(folder, name), name, row, fingerprints[name],
                                   folder) for name, row in rows.items()}
    workdir_lib.save_config(folder / 'config.json', config)
    engines = _Engines(preemption.check)
    for number, (name, row) in enumerate(rows.items(), 1):
      say(f'--- row {number} of {len(rows)}: {name}')
      done[name] = _tune(name, row, _cell_folder(folder, name), done[name], fingerprints[name],
                         metric, engines)
    paths = _test_functions(config, folder, preemption.check)
    target = config.study.target or tuned_study.pick_target(done, metric)
    summaries = [tuned_study.summarise(name, done[name], metric, target,
                                       len(config.study.rate_factors)) for name in rows]
    study_report.write_report(folder, config, done, summaries, metric, target, paths, start)
  say(study_report.to_markdown(study_report.table(summaries, metric)))
  say(f'the report, with its pictures, is {folder}/report.md; every run is in {folder}/cells.csv')


def _cell_folder(folder, name):
  return folder / 'cells' / study.folder_name(name)


def _fingerprints(rows, poll):
  """Of the training data of each row; the same data are opened once."""
  known = {}
  for row in rows.values():
    if str(row.data) not in known:
      known[str(row.data)] = build.build_source(row, 'train', poll).fingerprint
  return {name: known[str(row.data)] for name, row in rows.items()}


class _Engines:
  """Replicas of one row after the other; a row takes the pictures over from the one before."""

  def __init__(self, poll):
    self.poll, self._row, self._engine = poll, None, None

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
    if len(rates) - len(first) >= row.study.most_grown:
      return done
    rate = rate_grid.next_rate(*tuned_study.mean_by_rate(done, metric), metric)
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
          'row': name, **cell, 'way': engine.way, 'fingerprint': fingerprint,
          'digest': cells.cell_digest(cells.with_rate(row, rate, seed))}))
      outcome = _outcome(found[-1], row)
      records.write_json(cells.cell_path(folder, rate, seed), found[-1])
      say(f'{name}, learning rate {rate:g}, seed {seed}: {outcome}')
  return found


def _outcome(cell, row):
  if cell['diverged']:
    return f'diverged, {cell["diverged"]}'
  metric = rate_grid.metric_of(row)
  if metric.name not in cell['final']:
    raise UserError(f"study.metric '{metric.name}' is no figure of the validation split; choices: "
                    f"{', '.join(cell['final'])}")
  return f'{metric.title} {cell["final"][metric.name]:.4f} on the validation split'


def _test_functions(config, folder, poll):
  """{function: {row: path}}; rows that differ in nothing but what no path sees are run once."""
  sections = {}
  for name, row in study.row_configs(config).items():
    section = copy.deepcopy(row.optimizer)
    section.learning_rate = 1.0
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
