"""--job=study: the rows of a page side by side: whole runs, or cells tuned over learning rates."""

import copy

import jax

from errors import Diverged, UserError
from train_lib import check, devices, reports
from train_lib import run as run_lib
from train_lib import workdir as workdir_lib
from train_lib.drawing import plots
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.storage import records
from train_lib.storage.lock import Lock
from train_lib.studies import study, tuned_run


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
  with Preemption('after this step') as preemption:
    if config.study.rate_factors:
      tuned_run.run_tuned(config, workdir, preemption)
    else:
      _run_whole(config, workdir, config_path, preemption)


def _run_whole(config, workdir, config_path, preemption):
  configs = study.row_configs(config)
  devices.set_up_jax(config.runtime.cache_dir)
  folder = study.open_folder(workdir, config)
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
      workdir_lib.check_judged(record, one.config, one.workdir)
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
        with_baselines=False, poll=finished.poll)
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
