"""Where weights come from, a run's folder or a file, and what that says of them."""

import contextlib
from collections.abc import Iterator

from errors import UserError
from train_lib import data_record, workdir
from train_lib.export import exported
from train_lib.storage import records, remote
from train_lib.storage.checkpoints import Checkpoints
from train_lib.tasks import get_task
from train_lib.trees import flatten_names
from train_lib.weights import weight_files
from train_lib.weights.weight_files import StoredArray, StoredWeights

RUN = 'oko'                       # the library of a run's own names
CHECKPOINTS = ('latest', 'best')


def is_run(source) -> bool:
  """Whether a source is the folder of a run or of an export; '' is not.

  Nor is a folder as timm and the hubs write it, with model.safetensors and without a config of
  ours. One that has neither counts as a run, which then says what it lacks.

  Raises:
    UserError: when it lies where this machine cannot look.
  """
  if not source or str(source).startswith(weight_files.HUB):
    return False
  try:
    folder = records.absolute(source)
    return folder.is_dir() and not _is_of_hub(folder)
  except Exception as error:  # every library of a remote place raises its own
    raise UserError(f'{source} cannot be looked at ({error}); fetch the file and name the path '
                    'that it has here.') from error


def _is_of_hub(folder) -> bool:
  """Whether a folder holds weights in a file, and no run and no export."""
  if not (folder / exported.WEIGHTS).exists() or exported.is_exported(folder):
    return False
  try:
    workdir.existing_workdir(folder)
  except UserError:
    return not (folder / 'checkpoints').exists()
  return False


def check_checkpoint(key: str, checkpoint: str) -> None:
  """Raises UserError for another checkpoint than those of CHECKPOINTS. Args: key: of the config."""
  if checkpoint not in CHECKPOINTS:
    raise UserError(f"{key} is '{checkpoint}'; choices: {', '.join(CHECKPOINTS)}")


def open_checkpoints(folder, task: str) -> Checkpoints:
  """What a run has saved, to be read alone. Args: folder: the workdir; task: of the run."""
  return Checkpoints(folder / 'checkpoints', keep_last=1, config_digest='',
                     keep_best_metric=get_task(task).best_metric)


@contextlib.contextmanager
def open_source(source, checkpoint: str) -> Iterator[StoredWeights]:
  """Opens a source of weights.

  Args:
    source: a path or name of `weight_files.open_weights`, or the folder of a run, of an export or
      of timm and the hubs, whose model.safetensors is taken.
    checkpoint: of a run, 'latest' or 'best'.

  Raises:
    UserError: when it cannot be read.
  """
  check_checkpoint('net.init_checkpoint', checkpoint)
  if not is_run(source):
    if (not str(source).startswith(weight_files.HUB)
        and (folder := records.absolute(source)).is_dir()):
      with _open_file_in(folder) as stored:
        yield stored
      return
    with weight_files.open_weights(source) as stored:
      yield stored
    return
  try:
    folder = workdir.existing_workdir(source)
  except UserError as error:
    raise UserError(f'{error} A folder that is no run may hold weights as '
                    f'{exported.WEIGHTS}; this one has none.') from error
  if exported.is_exported(folder):
    with _open_file_in(folder) as stored:
      yield stored
    return
  config = workdir.load_config(folder / 'config.json')
  if not ('task' in config and 'net' in config and 'name' in config.net):
    raise UserError(f'{folder}/config.json lacks task or net.name; restore it or train again.')
  variables, _ = open_checkpoints(folder, config.task).restore_variables(checkpoint)
  tags = folder / 'tags.json'
  yield StoredWeights(
      RUN, {name: StoredArray(leaf.shape, str(leaf.dtype), lambda leaf=leaf: leaf)
            for name, leaf in flatten_names(variables).items()},
      net=config.net.name,
      outputs=tuple(data_record.read_tags(folder)['names']) if tags.exists() else ())


@contextlib.contextmanager
def _open_file_in(folder) -> Iterator[StoredWeights]:
  with (remote.local_file(folder / exported.WEIGHTS) as path,
        weight_files.open_weights(path) as stored):
    yield stored
