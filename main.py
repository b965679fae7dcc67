"""Runs a job: `python main.py --config=configs/tagger.py` trains; `--job=...` does the rest."""

import sys

from absl import app, flags
from ml_collections import config_flags

from configs import base
from errors import UserError
from train_lib import launch

JOB = flags.DEFINE_string('job', '', "what to do: a name in jobs.JOBS; '': what the page is for")
WORKDIR = flags.DEFINE_string('workdir', '', "a run's folder; '': runs/<config>[-<preset>]")
INPUT = flags.DEFINE_string('input', '', 'a picture or a folder, of jobs that look at one')
OUTPUT = flags.DEFINE_string('output', '', "a folder for what the job writes; '': in the workdir")
TUNE = flags.DEFINE_bool('tune', True, 'on a CPU: start again with faster allocator settings')
CONFIG = config_flags.DEFINE_config_file('config', None, 'a page: configs/NAME.py[:PRESET]',
                                         lock_config=True)


def main(argv: list[str]) -> None:
  """Looks up the job and hands it the flags."""
  if TUNE.value:
    launch.restart_tuned(sys.argv)
  from jobs import get_job  # not before: jax reads its settings at import
  if len(argv) > 1:
    raise UserError(f"'{argv[1]}' is not a flag; flags look like --config=configs/tagger.py")
  config = CONFIG.value
  name = JOB.value or config.job
  job = get_job(name)
  if config.runtime.dry_run and name != 'train':
    raise UserError(f'runtime.dry_run is of --job=train, and this is --job={name}')
  config_path = config_flags.get_config_filename(flags.FLAGS['config'])
  workdir = WORKDIR.value or launch.default_workdir(config_path)
  job(config, workdir, config_path=config_path, input=INPUT.value, output=OUTPUT.value)


if __name__ == '__main__':
  launch.run_and_exit(
      lambda: app.run(main, argv=launch.complete_arguments(sys.argv, base.get_config())))
