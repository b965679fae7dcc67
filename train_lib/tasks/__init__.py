"""What differs between the objectives; everything else of training is shared."""

from errors import UserError
from train_lib.tasks.autoencoding import Autoencoding
from train_lib.tasks.classification import Classification
from train_lib.tasks.pose import Pose
from train_lib.tasks.tagging import Tagging

TASKS = {'tagging': Tagging, 'classification': Classification, 'pose': Pose,
         'autoencoding': Autoencoding}


def get_task(name: str):
  """Looks up a task's class; UserError lists the choices."""
  if name not in TASKS:
    raise UserError(f"task '{name}' is unknown; choices: {', '.join(TASKS)}")
  return TASKS[name]
