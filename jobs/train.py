"""--job=train: from a config to a trained workdir, or on from where a run was stopped."""

import shlex
import time

from train_lib import devices, loop, report, report_files
from train_lib import run as run_lib
from train_lib.preemption import Preemption
from train_lib.reporting import human_time, say


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
  started = time.monotonic()
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    record = run_lib.train(config, workdir, preemption, config_path=config_path,
                           finish=lambda finished: _report(finished, preemption))
  if record['was_finished']:
    say(f'{workdir} is trained to its last step; its test table:')
    say(report.format_table(record['test']))
    return
  say(f'done in {human_time(time.monotonic() - started)}; everything is in {workdir}. '
      f'To tag pictures:\n'
      f'  python main.py --job=predict --workdir={shlex.quote(workdir)} --input=FOLDER')


def _report(finished, preemption) -> dict:
  """Measures the test split and writes what training leaves of it; the fields of run.json."""
  source, test_loader = finished.source, finished.loaders['test']
  result = report.report_on_test(
      finished.evaluator, finished.variables, source, finished.loaders,
      with_baselines=finished.config.eval.baselines, poll=preemption.check)
  loop.note_bad_images(finished.folder, test_loader)
  report_files.write_report(finished.folder, result, source, test_loader, preemption.check)
  return {'test': result.rows, 'thresholds': result.thresholds}
