"""--job=evaluate: the test tables again, from a workdir alone."""

from train_lib import build_sources, devices, reports
from train_lib import workdir as workdir_lib
from train_lib.evaluation import Evaluator
from train_lib.multihost import group, processes
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.storage import records, remote
from train_lib.trained import check_tags, open_trained


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Measures a trained run on its test split, and says and writes what training leaves of it.

  Writes `evaluation.json`, and what `write_report` of the task's row in `reports.REPORTS` says:
  `evaluation/` with the figures of tags or classes, and `pictures/`. In the workdir they replace
  what training wrote.

  Args:
    config: of the workdir; `checkpoint` picks latest or best, `data` may name other data
      with the same tags or classes.
    workdir: of the run.
    config_path, input: not of this job.
    output: a folder; '' is the workdir.

  Raises:
    UserError: no such run, or the data's tags or classes are not those of the checkpoint.
  """
  del config_path, input
  with Preemption() as preemption:
    workdir_lib.check_is_run(workdir)
    devices.set_up_jax(config.runtime.cache_dir)
    group.check(config, workdir, output)
    trained = open_trained(config, workdir, config.checkpoint)
    folder = records.absolute(output or workdir)
    source, loaders = processes.in_turn(lambda: _open_data(config, trained, preemption.check))
    processes.check_alike('the training data', source.fingerprint)
    of_task = reports.of(config.task)

    def write(result, test_loader):
      remote.make_folder(folder)
      say(f'the net of step {trained.step}:')
      of_task.write_report(folder, result, source, test_loader, preemption.check)
      of_task.write_curves(config, workdir, folder, trained.step, len(source))
      records.write_json(folder / 'evaluation.json', {
          'step': trained.step, 'checkpoint': config.checkpoint,
          'thresholds': result.thresholds, 'valid': result.valid, 'test': result.rows})
      say(f'the figures of the tables in {folder}/evaluation.json')

    group.report_on_test(
        of_task, Evaluator(trained.task, trained.mesh), trained.variables, source, loaders, write,
        with_baselines=config.eval.baselines, poll=preemption.check,
        poll_together=preemption.check_together)


def _open_data(config, trained, poll):
  """(the training split, its tags as listed; the loaders of all splits)."""
  source = build_sources.build_source(config, 'train', poll=poll)
  check_tags(trained, source)
  source = build_sources.build_listed_source(config, source, poll)
  return source, build_sources.build_evaluation_loaders(config, source, poll=poll)
