"""What a person does with a config or a trained run; `main.py --job=NAME` looks here."""

import importlib

from errors import UserError

# name -> its module, which is imported when it is asked for: predicting needs no optimizer
JOBS = {name: f'jobs.{name}' for name in (
    'train', 'evaluate', 'predict', 'serve', 'inspect', 'audit', 'crop', 'study', 'synthesize',
    'cluster', 'neighbours', 'export')}


def get_job(name: str):
  """Looks up a job's `run`; UserError lists the choices."""
  if name not in JOBS:
    raise UserError(f"--job '{name}' is unknown; choices: {', '.join(JOBS)}")
  return importlib.import_module(JOBS[name]).run
