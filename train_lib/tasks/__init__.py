"""What differs between the objectives; everything else of training is shared.

A task is a frozen dataclass around a net. It knows no optimizer, device, checkpoint, file or plot.
A `batch` is that of `data.batch`, B rows of which some may be padding; `variables` are the net's.
The docstrings of a task say what it adds to this.

  compiled, on the devices
    init(key, batch)                fresh variables for pictures of the batch's size
    loss(variables, batch, rngs, step)
                                    in training: (mean over real rows, new 'batch_stats'); rngs: a
                                    key for each kind of chance; step: counted from 0
    tally(variables, batch)         sums over real rows: 'loss' as it is without what training adds
                                    (mixing, weights, penalties), 'examples', the number of rows
    predict(variables, batch)       finished values by name, [B, ...] each
  on the host, in numpy
    truth(batch)                    what predictions are compared with, by name, [B, ...] each
    collector(loader, thresholds)   what takes the rows of the loader's split as they come: see
                                    `train_lib.evaluation`
    tune(collected)                 the best thresholds on a split, of what its collector finished
                                    with; {} where there is none to tune
    measure(totals, collected, thresholds)
                                    the figures of a split, by name: 'loss' and 'examples' out of
                                    the added tallies, and those of `figures`
    figures(collected, thresholds)  those that need all rows at once, of anybody's predictions
    summary(metrics)                the ones that a person follows, in a line

and the attributes `best_metric`, `output_axes`, `batch_keys`, `exclusive`, told where they stand.
"""

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
