"""--job=evaluate: the test tables again, from a workdir alone."""

from train_lib import build_data, devices, records, reports
from train_lib import workdir as workdir_lib
from train_lib.evaluation import Evaluator
from train_lib.preemption import Preemption
from train_lib.reporting import say
from train_lib.trained import check_tags, open_trained


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Measures a trained run on its test split, and says and writes what training leaves of it.

  Writes `evaluation.json`, `evaluation/` with the figures of tags or classes, and `pictures/`; see
  the task's `write_report`. In the workdir they replace what training wrote.

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
    trained = open_trained(config, workdir, config.checkpoint)
    folder = records.absolute(output or workdir)
    source = build_data.build_source(config, 'train', poll=preemption.check)
    check_tags(trained, source)
    source = build_data.build_listed_source(config, source, preemption.check)
    loaders = build_data.build_evaluation_loaders(config, source, poll=preemption.check)
    folder.mkdir(parents=True, exist_ok=True)
    of_task = reports.of(config.task)
    result = of_task.report_on_test(
        Evaluator(trained.task, trained.mesh), trained.variables, source, loaders,
        with_baselines=config.eval.baselines, poll=preemption.check)
    say(f'the net of step {trained.step}:')
    of_task.write_report(folder, result, source, loaders['test'], preemption.check)
    of_task.write_curves(config, workdir, folder, trained.step, len(source))
    records.write_json(folder / 'evaluation.json', {
        'step': trained.step, 'checkpoint': config.checkpoint,
        'thresholds': result.thresholds, 'valid': result.valid, 'test': result.rows})
    say(f'the figures of the tables in {folder}/evaluation.json')
