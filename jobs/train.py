"""--job=train: from a config to a trained workdir, or on from where a run was stopped."""

import shlex
import time

import jax

from errors import UserError
from train_lib import build, devices, evaluation, loop, records, report
from train_lib import workdir as workdir_lib
from train_lib.checkpoints import Checkpoints, state_digest
from train_lib.lock import Lock
from train_lib.pictures import tag_sheet
from train_lib.preemption import Preemption
from train_lib.reporting import human_time, say

SHEET_PICTURES = 20


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Trains until the config's last step, then measures the test split and draws predictions.

  Args:
    config: the whole config.
    workdir: folder of the run; made when absent, continued when it holds the same config.
    config_path: the page, for run.json.
    input, output: not of this job.

  Raises:
    UserError: a mistake in the config or the data, told in a sentence.
    Preempted: a signal came; the current step is saved.
  """
  del input, output
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    if jax.process_count() > 1:
      raise UserError(f'training over {jax.process_count()} processes is not supported yet; start '
                      'it on one host')
    folder = workdir_lib.open_workdir(workdir, config)
    with Lock(folder):
      finished = workdir_lib.read_run(folder)
      if finished.get('finished'):
        say(f'{folder} is trained to its last step; its test table:')
        say(report.format_table(finished['test']))
        return
      workdir_lib.begin_run(folder, config, config_name=config_path)
      _train(config, folder, preemption)


def _train(config, folder, preemption) -> None:
  started = time.monotonic()
  training = build.build_training(config, poll=preemption.check)
  source = training.train_source
  say(source.description)
  workdir_lib.check_fingerprint(folder, source.fingerprint)
  records.write_json(folder / 'tags.json', {
      'names': source.tag_names, 'categories': source.tag_categories})
  checkpoints = Checkpoints(
      folder / 'checkpoints', config_digest=workdir_lib.config_digest(config),
      keep_last=config.runtime.keep_last, keep_best_metric=training.task.best_metric,
      keep_every_steps=config.runtime.keep_every_steps, on_failure=config.runtime.on_failed_save)
  evaluator = evaluation.Evaluator(training.task, training.mesh)
  loaders = build.build_evaluation_loaders(config, source, poll=preemption.check)
  with checkpoints:
    state = _first_or_saved_state(training, checkpoints)
    run = loop.Loop(training, evaluator, loaders['valid'], checkpoints, preemption, folder)
    try:
      state = run.run(state)
    finally:
      _add_goodput(folder, run.productive_sec, time.monotonic() - started)
  workdir_lib.update_run(folder, step=int(state.step), **state_digest(state))
  _report(config, folder, evaluator, state.variables, loaders, source, preemption)
  workdir_lib.update_run(folder, end=workdir_lib.now(), finished=True)
  say(f'done in {human_time(time.monotonic() - started)}; everything is in {folder}. '
      f'To tag pictures:\n'
      f'  python main.py --job=predict --workdir={shlex.quote(str(folder))} --input=FOLDER')


def _add_goodput(folder, productive_sec: float, total_sec: float) -> None:
  """Adds this start's time in steps, and in all until training stopped, to run.json."""
  before = workdir_lib.read_run(folder).get('goodput', {'productive_sec': 0.0, 'total_sec': 0.0})
  workdir_lib.update_run(folder, goodput={
      'productive_sec': round(before['productive_sec'] + productive_sec, 1),
      'total_sec': round(before['total_sec'] + total_sec, 1)})


def _first_or_saved_state(training, checkpoints):
  """The newest whole checkpoint, or a fresh state where there has never been one."""
  abstract = training.abstract_state
  restored = checkpoints.restore_latest(abstract)
  if restored is None:
    count = sum(leaf.size for leaf in jax.tree.leaves(abstract.params))
    say(f'{training.config.net.name}: {count / 1e6:.2f} M parameters, '
        f'{training.num_steps} steps; compiling')
    return training.init_state()
  state, step = restored
  if step > training.num_steps:
    raise UserError(f'the newest checkpoint is step {step}, beyond the last of this config, '
                    f'{training.num_steps}')
  say(f'going on from step {step} of {training.num_steps}')
  return state


def _report(config, folder, evaluator, variables, loaders, source, preemption) -> None:
  result = report.report_on_test(evaluator, variables, loaders,
                                 with_baselines=config.eval.baselines, poll=preemption.check)
  workdir_lib.update_run(folder, test=result.rows, thresholds=result.thresholds)
  say(f'test split, {len(result.outcome.ids)} pictures, {evaluator.task.scored.sum()} tags')
  say(report.format_table(result.rows))
  pictures = folder / 'pictures'
  pictures.mkdir(parents=True, exist_ok=True)
  loop.note_bad_images(folder, loaders['test'])
  batch = loaders['test'].make_batch(0)
  first = batch['image'][batch['mask'] > 0][:SHEET_PICTURES]
  sheet = tag_sheet(first, result.outcome.predictions['probabilities'][:len(first)],
                    result.outcome.truths['labels'][:len(first)],
                    result.outcome.truths.get('drawn_labels'), source.tag_names,
                    result.thresholds['micro'])
  with (pictures / 'predictions.png').open('wb') as file:
    sheet.save(file, format='PNG')
