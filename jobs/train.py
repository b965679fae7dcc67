"""--job=train: from a config to a trained workdir, or on from where a run was stopped."""

import shlex
import time

from train_lib import devices, dry_run, loop, reports, wandb_run
from train_lib import run as run_lib
from train_lib import workdir as workdir_lib
from train_lib.multihost import group, processes
from train_lib.preemption import Preemption
from train_lib.reporting import human_time, say

PURPOSES = {'tagging': 'tag pictures', 'classification': 'classify pictures',
            'pose': 'find the joints of people', 'autoencoding': 'restore scans'}


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Trains until the config's last step, then measures the test split and draws predictions.

  With `runtime.dry_run` it only says what that would take.

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
  started = time.monotonic()
  with Preemption('after this step') as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    if config.runtime.dry_run:
      group.check(config, workdir)
      dry_run.run(config, preemption.check)
      return
    if config.runtime.wandb:
      processes.agree(wandb_run.check)
    record = run_lib.train(config, workdir, preemption, config_path=config_path,
                           finish=_report)
  if record['was_finished']:
    workdir_lib.check_judged(record, config, workdir)
    say(f'{workdir} is trained to its last step; its test table:')
    say(reports.of(config.task).format_table(record.get('test', {})))
    return
  say(f'done in {human_time(time.monotonic() - started)}; everything is in {workdir}. '
      f'To {PURPOSES[config.task]}:\n'
      f'  python main.py --job=predict --workdir={shlex.quote(workdir)} --input=FOLDER')


def _report(finished) -> dict:
  """Measures the test split and writes what training leaves of it; the fields of run.json."""
  config, folder, source = finished.config, finished.folder, finished.source
  of_task = reports.of(config.task)

  def write(result, test_loader):
    loop.note_bad_images(folder, test_loader)
    of_task.write_report(folder, result, source, test_loader, finished.poll)
    of_task.write_curves(config, folder, folder, finished.step, len(source))
    wandb_run.send_results(config, folder, result.rows)
    return {'test': result.rows, 'valid': result.valid, 'thresholds': result.thresholds}

  fields = group.report_on_test(
      of_task, finished.evaluator, finished.variables, source, finished.loaders, write,
      with_baselines=config.eval.baselines, poll=finished.poll,
      poll_together=finished.poll_together)
  loop.note_bad_images(folder, finished.loaders['test'])
  return fields
