"""What a person does with a config or a trained run; `main.py --job=NAME` looks here."""

from errors import UserError
from jobs import (
    audit,
    cluster,
    crop,
    evaluate,
    export,
    inspect,
    neighbours,
    predict,
    study,
    synthesize,
    train,
)

JOBS = {
    'train': train.run,
    'evaluate': evaluate.run,
    'predict': predict.run,
    'inspect': inspect.run,
    'audit': audit.run,
    'crop': crop.run,
    'study': study.run,
    'synthesize': synthesize.run,
    'cluster': cluster.run,
    'neighbours': neighbours.run,
    'export': export.run,
}


def get_job(name: str):
  """Looks up a job; UserError lists the choices."""
  if name not in JOBS:
    raise UserError(f"--job '{name}' is unknown; choices: {', '.join(JOBS)}")
  return JOBS[name]
