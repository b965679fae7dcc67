"""What can be done to a run on purpose: functions that change the program before it starts.

Each is a kind of fault that $OKO_FAULTS may name, with its arguments; see injected.py.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import time
import types

from tests import full_disk as disk

FOREVER_SEC = 1000.0
MOST_FILE_BYTES = 200_000          # logs are smaller, and the parameters of a checkpoint larger


def watch(log: str) -> None:
  """Notes the ids of every training batch as it is made: a line {"batch", "ids"} each."""
  from data.loader import Loader
  batches = Loader.batches

  def watched(self, start, stop):
    for k, batch in enumerate(batches(self, start, stop), start):
      if self._maker.train:
        with open(log, 'a') as file:
          file.write(json.dumps({'batch': k, 'ids': list(batch['id'])}) + '\n')
      yield batch

  Loader.batches = watched


def no_pictures() -> None:
  """No fault: a finished run draws no plots and sheets, which takes most of its last seconds."""
  from train_lib.tags import report_files
  report_files._write_plots = report_files._write_sheet = lambda *_: None
  from train_lib.reports import Reports
  Reports.write_curves = lambda *_: None


def cache_of_all() -> None:
  """No fault: every process of a group keeps its compiled programs, which saves a minute a start.

  JAX lets the first one alone do so, and on CPUs the programs of the others have other names.
  """
  from jax._src import compiler
  write = compiler._cache_write

  def as_the_first(*args):
    state = compiler.distributed
    compiler.distributed = types.SimpleNamespace(
        global_state=types.SimpleNamespace(process_id=0))
    try:
      write(*args)
    finally:
      compiler.distributed = state

  compiler._cache_write = as_the_first


def pause_in_save(moment: str, step: int, flag: str) -> None:
  """Stops for good at a moment of saving a step, and touches `flag` there."""
  from train_lib.storage import checkpoints, manifest
  from train_lib.storage.step_folder import StepFolder

  def pause(*_, **__):
    pathlib.Path(flag).touch()
    time.sleep(FOREVER_SEC)

  def only_at(function, wanted=str(step)):
    """`pause` in place of a function whose first argument is the folder of the step."""
    return lambda folder, *args, **options: (
        pause if pathlib.Path(folder).name == wanted else function)(folder, *args, **options)

  if moment == 'folder made':
    from orbax.checkpoint import PyTreeCheckpointHandler
    save = PyTreeCheckpointHandler.save

    def save_or_pause(self, directory, *args, **options):
      if pathlib.Path(directory).name.split('.')[0] == str(step):
        pause()
      save(self, directory, *args, **options)
    PyTreeCheckpointHandler.save = save_or_pause
  elif moment == 'data written':
    rename = os.rename
    os.rename = lambda source, target, **options: (
        pause if str(target).rstrip('/').endswith(f'checkpoints/{step}') else rename)(
            source, target, **options)
  elif moment == 'renamed':
    checkpoints.write_manifest = only_at(checkpoints.write_manifest)
  elif moment == 'manifest half written':
    write = manifest.records.write_json

    def tear(path, content):
      if pathlib.Path(path).parent.name == str(step):
        (pathlib.Path(path).parent / '.manifest.json.tmp-torn').write_text('{"step": ')
        pause()
      write(path, content)
    manifest.records.write_json = tear
  elif moment == 'manifest written':
    settle = StepFolder.settle
    StepFolder.settle = lambda self, newest: pause() if newest == step else settle(self, newest)
  else:
    raise ValueError(moment)


def slow_save(flag: str, sec: float) -> None:
  """Every save takes so much longer, and touches `flag` when it begins."""
  from train_lib.storage.checkpoints import Checkpoints
  write = Checkpoints._write

  def slowed(self, *args):
    pathlib.Path(flag).touch()
    time.sleep(sec)
    write(self, *args)

  Checkpoints._write = slowed


def full_disk(step: int) -> None:
  """While this step is saved no file can grow as large as one of a checkpoint."""
  from train_lib.storage.checkpoints import Checkpoints
  write = Checkpoints._write
  signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

  def limited(self, saved, *args):
    if saved != step:
      return write(self, saved, *args)
    with disk.full_disk(MOST_FILE_BYTES):
      return write(self, saved, *args)

  Checkpoints._write = limited


def not_a_number(step: int) -> None:
  """The loss of a step, counted from 1, and so its gradient, is NaN whenever it is computed."""
  import jax.numpy as jnp

  from train_lib.tasks.tagging import Tagging
  loss = Tagging.loss

  def poisoned(self, variables, batch, rngs, at=0):
    value, statistics = loss(self, variables, batch, rngs, at)
    return jnp.where(at == step - 1, jnp.nan, 1.0) * value, statistics

  Tagging.loss = poisoned


def no_update(step: int) -> None:
  """The reference for a step that is passed over: its number moves on, and nothing else does."""
  from train_lib.training import Training
  step_function = Training.step_function

  def passed_over(self, number):
    if number != step:
      return step_function(self, number)

    def run(state, batch, key):
      return state.replace(step=state.step + 1), {}
    return run

  Training.step_function = passed_over


def worse_from(step: int) -> None:
  """The validation's figures fall from one evaluation to the next, and from a step on are NaN."""
  from train_lib import loop
  evaluate = loop.Loop._evaluate

  def changed(self, state, at, *others):
    metrics = evaluate(self, state, at, *others)
    return {name: float('nan') if at >= step else 1.0 / at for name in metrics}

  loop.Loop._evaluate = changed


def touch_at(place: str, flag: str) -> None:
  """Touches `flag` where the run comes to a place: compile, evaluate, first batch."""
  touch = pathlib.Path(flag).touch
  if place == 'evaluate':
    from train_lib.evaluation import Evaluator
    _before(Evaluator, 'evaluate', touch)
  elif place == 'compile':
    from train_lib.training import Training
    _before(Training, 'step_function', touch)
  else:
    from data.loader import Loader
    _before(Loader, 'batches', touch)


def _before(owner, name, action):
  function = getattr(owner, name)

  def wrapped(*args, **options):
    action()
    return function(*args, **options)

  setattr(owner, name, wrapped)


@dataclasses.dataclass(frozen=True)
class Misfortune:
  """An operation of the pipeline at which something happens, once in all runs.

  Attributes:
    what: a signal, 'exit', 'loop' or 'sleep'.
    flag: a file that says it has happened.
    id: of the example at which it does.
  """
  what: str
  flag: str
  id: str

  def __call__(self, example):
    if example['id'] == self.id:
      with contextlib.suppress(FileExistsError):
        os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
        self._happen()
    return example

  def _happen(self):
    if self.what == 'exit':
      os._exit(0)
    if self.what == 'sleep':
      time.sleep(FOREVER_SEC)
    if self.what == 'loop':
      while True:
        pass
    os.kill(os.getpid(), getattr(signal, self.what))


def misfortune(what: str, flag: str, id: str) -> None:
  """Puts a `Misfortune` into the training pipeline."""
  from data import operations
  build = operations.build_pipeline

  def extended(*args, train, **options):
    pipeline = build(*args, train=train, **options)
    return (*pipeline, Misfortune(what, flag, id)) if train else pipeline

  operations.build_pipeline = extended


def failing_writer() -> None:
  """TensorBoard's writer fails at every figure."""
  from tensorboardX import SummaryWriter

  def fail(*_, **__):
    raise OSError('no space for events')

  SummaryWriter.add_scalar = fail


def no_events_folder() -> None:
  """TensorBoard's writer cannot make its folder."""
  import tensorboardX

  def refuse(*_, **__):
    raise PermissionError('the folder is read-only')

  tensorboardX.SummaryWriter = refuse
