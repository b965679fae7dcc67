"""Saving and restoring the state of a run."""

import contextlib
import logging
import threading
import time

import jax

from errors import UserError
from train_lib import trees
from train_lib.code_versions import versions
from train_lib.goodput import Cost
from train_lib.multihost.processes import agree
from train_lib.storage import array_files, records, remote
from train_lib.storage.manifest import change_manifest, read_manifest, write_manifest
from train_lib.storage.step_folder import NONE, StepFolder
from train_lib.workdir import now

TRIES, TRY_AGAIN_SEC = 20, 0.1    # to clear away what a failed save has left

_log = logging.getLogger(__name__)


class SaveError(UserError):
  """A checkpoint could not be written: disk full, no permission and the like."""


class NonFiniteStateError(UserError):
  """The state holds NaN or infinite values and was not saved."""


class Checkpoints:
  """The checkpoints of one run; a context manager that closes itself.

  Args:
    directory: the folder of the steps, local or remote; best.json stands beside it.
    config_digest: of `workdir.config_digest`; a step saved under another is not resumed ('' resumes
      any).
    keep_last: how many of the newest steps are kept, at least 1.
    keep_best_metric: name of the metric whose largest finite value is kept too; '' is off.
    keep_every_steps: steps divisible by this are kept for ever; 0 is off.
    on_failure: 'fail' raises SaveError when a save failed; 'continue' says so in a warning and the
      run goes on with the steps it has.
  """

  def __init__(self, directory, *, config_digest: str, keep_last: int, keep_best_metric: str = '',
               keep_every_steps: int = 0, on_failure: str = 'fail'):
    if on_failure not in ('fail', 'continue'):
      raise UserError(f"on_failure is '{on_failure}'; choices: fail, continue.")
    self._folder = StepFolder(directory, keep_last=keep_last, best_metric=keep_best_metric,
                              keep_every=keep_every_steps)
    self._config_digest = config_digest
    self._on_failure = on_failure
    self._thread = None
    self._failure = None   # (step, exception) of the save, until it is told
    self.cost = Cost()     # of all saves so far
    self.last_failure = '' # why the newest save failed; '': it did not
    self._current = set()  # steps whose content is this run's: restored or saved by it

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()

  # Saving

  def save(self, step: int, state, *, metrics: dict[str, float] | None = None) -> None:
    """Starts to save a state and returns once its arrays are copied; they may then be donated.

    Waits for the save before it. A step that this run has saved or restored already holds the same
    state: nothing but `metrics` is added to it. A folder of that step from elsewhere is set aside
    first. With several processes the state is replicated: all of them call, process 0 writes.

    Raises:
      NonFiniteStateError: when the state holds NaN or, in its arrays, infinite values.
      SaveError: when the save before failed, unless `on_failure` is 'continue'.
    """
    self.wait()
    step, metrics = int(step), {name: float(value) for name, value in (metrics or {}).items()}
    with self.cost.blocking():
      host_state = trees.copy_to_host(state)
      _check_finite(step, host_state)
    if jax.process_index() != 0:
      self._current.add(step)
      return
    if step in self._current and step in self._folder.finished():
      if metrics:
        old = read_manifest(self._folder / step)['metrics']
        change_manifest(self._folder / step, metrics={**old, **metrics})
        self._folder.settle(step)
      return
    fields = {'step': step, 'time': now(), 'config_digest': self._config_digest,
              'metrics': metrics, 'versions': versions(), 'tree': trees.describe(host_state)}
    self._thread = threading.Thread(target=self._write, args=(step, host_state, fields),
                                    name='checkpoint')
    self._thread.start()

  def poll(self) -> None:
    """Tells that a save in the background failed, without waiting; for every log interval.

    Raises:
      SaveError: when it failed, unless `on_failure` is 'continue'.
    """
    if self._thread is not None and not self._thread.is_alive():
      self._thread = None
      self._tell_failure()

  def wait(self) -> None:
    """Waits until the save in the background has its manifest; raises as `poll` does."""
    if self._thread is None:
      return
    with self.cost.blocking():
      self._thread.join()
    self.poll()

  def close(self) -> None:
    """Waits, as at the end of a `with` block."""
    try:
      self.wait()
    finally:
      self._folder.drop_copy()

  # Restoring

  def restore_latest(self, abstract_state):
    """Restores the newest step whose files are whole; for a run that goes on.

    Removes what killed saves left behind. A damaged step is renamed to `<step>.corrupt-<time>`,
    with the reason in its reason.txt, and the one before it is used.

    Args:
      abstract_state: a tree of ShapeDtypeStructs (or arrays) of the wanted state; their shardings
        say where the arrays go.

    Returns:
      (state, step), or None when no step was ever finished here.

    Raises:
      UserError: when all steps are damaged, or the step is of another model or another config.
    """
    self.wait()
    step = agree(self._folder.find_newest_whole)
    if step == NONE:
      return None
    theirs = read_manifest(self._folder / step)['config_digest']
    if self._config_digest and theirs and theirs != self._config_digest:
      raise UserError(f'checkpoint {step} of {self._folder.path} was saved under another config '
                      f'({theirs[:12]}, now {self._config_digest[:12]}); use a fresh workdir.')
    return self._load(step, abstract_state), step

  def restore(self, step, abstract_state):
    """Restores one step or fails; changes nothing on disk.

    Args:
      step: a number, 'latest' or 'best'.
      abstract_state: as of `restore_latest`.

    Returns:
      (state, step).

    Raises:
      UserError: when there is no such step, it is damaged, or it is of another model.
    """
    step = self._find(step)
    return self._load(step, abstract_state), step

  def restore_variables(self, step):
    """Restores what a net needs to be applied, without knowing the optimizer.

    Args:
      step: a number, 'latest' or 'best'.

    Returns:
      ({'params', 'batch_stats'}, step), plain dicts of numpy arrays; the averaged weights where the
      checkpoint has them. `batch_stats` is {} for a net without.

    Raises:
      UserError: as `restore`.
    """
    step = self._find(step)
    tree = read_manifest(self._folder / step)['tree']
    prefix = 'ema/' if any(name.startswith('ema/') for name in tree) else ''
    stored = {name: entry for name, entry in tree.items()
              if name.startswith((f'{prefix}params/', f'{prefix}batch_stats/'))}
    with self._folder.local(step) as folder:
      leaves = array_files.read(folder, stored)
    leaves = {name.removeprefix(prefix): leaf for name, leaf in leaves.items()}
    return {'params': {}, 'batch_stats': {}, **trees.unflatten_names(leaves)}, step

  # What there is

  def steps(self) -> list[int]:
    """Returns the finished steps on disk, ascending."""
    return self._folder.finished()

  def best_step(self) -> int | None:
    """Returns the step with the best finite metric (the later of equals), or None."""
    return self._folder.best()

  def metrics(self, step: int) -> dict[str, float]:
    """Returns the metrics saved with a step (None where they were not finite)."""
    return read_manifest(self._folder / step)['metrics']

  # Inside

  def _write(self, step, state, fields):
    """In a thread: writes the arrays, then the manifest, then lets older steps go."""
    started = time.monotonic()
    try:
      folder = self._folder
      records.check_held(folder.path)
      remote.make_folder(folder.path)
      folder.remove_unfinished(step)
      if (folder / step).exists():
        folder.set_aside(step, 'replaced', 'the run came to this step again by another way')
      files = array_files.write(folder / step, state)
      records.flush(folder.path.parent)         # figures up to here must not come later
      write_manifest(folder / step, fields, files)
      array_files.to_disk(folder / step, folder.path, folder.path.parent)  # before any is deleted
      self._current.add(step)
      self.cost.newest, self.last_failure = step, ''
      folder.settle(step)
      self.cost.saves += 1
    except BaseException as error:  # Orbax raises bare exceptions too
      self._failure = (step, error)
    finally:
      self.cost.background_sec += time.monotonic() - started

  def _tell_failure(self):
    if self._failure is None:
      return
    (step, error), self._failure = self._failure, None
    for _ in range(TRIES):                       # Orbax may still be writing into the folder
      with contextlib.suppress(OSError):
        if not self._folder.remove_unfinished(step):
          break
      time.sleep(TRY_AGAIN_SEC)
    newest, self.last_failure = self.steps()[-1:] or ['none'], array_files.reason(error)
    message = (f'checkpoint {step} could not be saved in {self._folder.path}: {self.last_failure} '
               f'(newest good step: {newest[0]})')
    if self._on_failure == 'fail':
      raise SaveError(f'{message}; make room or mend the folder and start again.') from error
    _log.warning('%s; the run goes on', message)

  def _find(self, step):
    self.wait()
    return agree(lambda: self._folder.find(step))

  def _load(self, step, abstract_state):
    stored, wanted = read_manifest(self._folder / step)['tree'], trees.flatten_names(abstract_state)
    trees.check_fits(self._folder / step, stored, wanted)
    with self._folder.local(step) as folder:
      leaves = array_files.read(folder, stored, wanted)
    self._current = {known for known in self._current if known < step} | {step}
    self.cost.newest = step
    return jax.tree.unflatten(jax.tree.structure(abstract_state), leaves.values())


def _check_finite(step, state):
  bad = trees.find_non_finite(state)
  if bad:
    more = f' and {len(bad) - 5} more' if len(bad) > 5 else ''
    raise NonFiniteStateError(
      f'the state at step {step} holds NaN or infinite values in {", ".join(bad[:5])}{more} and '
      'was not saved; lower the learning rate or clip gradients.')
