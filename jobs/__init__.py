"""What a person does with a config or a trained run; `main.py --job=NAME` looks here."""

import importlib

from errors import UserError
from train_lib.multihost import distributed

# name -> its module, which is imported when it is asked for: predicting needs no optimizer
JOBS = {name: f'jobs.{name}' for name in (
    'train', 'evaluate', 'predict', 'serve', 'inspect', 'audit', 'crop', 'study', 'synthesize',
    'cluster', 'neighbours', 'export', 'benchmark')}
IN_GROUPS = ('train', 'evaluate')  # jobs that several processes can do together


def get_job(name: str):
  """Looks up a job's `run`; UserError lists the choices."""
  if name not in JOBS:
    raise UserError(f"--job '{name}' is unknown; choices: {', '.join(JOBS)}")
  if distributed.size() > 1 and name not in IN_GROUPS:
    raise UserError(f'--job={name} is done by one process, and {distributed.size()} were started; '
                    f'several can do {" and ".join(IN_GROUPS)}')
  return importlib.import_module(JOBS[name]).run
