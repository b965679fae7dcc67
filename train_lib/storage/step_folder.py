"""The folder of a run's checkpoints: which steps are whole, which are kept, which are set aside.

A step is a folder `<step>/` whose manifest.json fits its files. Everything is read from disk each
time; nothing is believed because it was true a moment ago. last.json tells which step was finished
last, so that lost steps are not mistaken for a run that never began.

A store cannot rename a folder. There the manifest is the last object of a step that comes and the
first that goes, what is set aside is copied, and to be read a step is copied to this machine.
"""

import contextlib
import datetime
import logging
import pathlib
import re
import tempfile
from collections.abc import Iterator

from etils import epath

from errors import UserError, shortened
from train_lib.storage import records, remote
from train_lib.storage.manifest import NAME as MANIFEST
from train_lib.storage.manifest import OF_CHECKPOINTS, Damaged, list_files, read_manifest, verify

LEFTOVER = re.compile(r'\d+\.(orbax-checkpoint-tmp.*|deleting)')
NONE = -1  # no step was ever finished here
BEST = {'step': int, 'metric': str, 'value': (float, None)}  # form of best.json

_log = logging.getLogger(__name__)


class StepFolder:
  """Args: as those of `Checkpoints`, which describes them."""

  def __init__(self, path, *, keep_last: int, best_metric: str, keep_every: int):
    if keep_last < 1:
      raise UserError(f'keep_last is {keep_last}; at least 1 checkpoint must be kept.')
    self.path = records.absolute(path)
    self._keep_last = keep_last
    self._keep_every = keep_every
    self._metric = best_metric
    self._unusable = set()  # damaged steps that could not be renamed
    self._remote = remote.is_remote(self.path)
    self._copy = None       # (step, temporary folder) of a remote step that was verified

  def __truediv__(self, step: int) -> epath.Path:
    return self.path / str(step)

  def finished(self) -> list[int]:
    """Returns the steps that have a manifest, ascending."""
    return [step for step in self.numbers() if (self / step / MANIFEST).exists()]

  def numbers(self) -> list[int]:
    """Returns the steps that have a folder, finished or not, ascending."""
    names = (entry.name for entry in self._entries())
    return sorted({int(name) for name in names if name.isdecimal()} - self._unusable)

  def best(self) -> int | None:
    """Returns the step with the best finite metric (the later of equals), or None."""
    scores = {}
    for step in self.finished() if self._metric else ():
      try:
        value = read_manifest(self / step)['metrics'].get(self._metric)
      except Damaged:
        continue
      if value is not None:  # a manifest holds null for what is not finite
        scores[step] = (value, step)
    return max(scores, key=scores.get) if scores else None

  # Choosing

  @contextlib.contextmanager
  def local(self, step: int) -> Iterator[pathlib.Path]:
    """The folder of a step to read arrays from: of a remote one a copy, which is verified.

    Raises:
      UserError: when that is damaged, or what is read of it is not there.
    """
    try:
      if self._remote and (self._copy is None or self._copy[0] != step):
        self._verify(step)
      yield pathlib.Path(self._copy[1].name) if self._remote else self / step
    except Damaged as error:
      raise UserError(f'checkpoint {step} of {self.path} is damaged: {error}.') from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
      reason = shortened(' '.join(str(error).split()))
      raise UserError(f'checkpoint {step} of {self.path} does not hold the arrays that its '
                      f'{MANIFEST} tells of: {reason}.') from error
    finally:
      self.drop_copy()

  def drop_copy(self) -> None:
    """Removes the copy of a remote step, if there is one."""
    if self._copy is not None:
      self._copy[1].cleanup()
      self._copy = None

  def _verify(self, step):
    if not self._remote:
      _check_fields(verify(self / step))
      return
    self.drop_copy()
    scratch = tempfile.TemporaryDirectory(prefix='oko-checkpoint-')
    try:
      _check_fields(verify(self / step, pathlib.Path(scratch.name)))
    except BaseException:
      scratch.cleanup()
      raise
    self._copy = (step, scratch)

  def find(self, step) -> int:
    """Returns the number of a finished, verified step ('latest', 'best' or a number).

    Raises:
      UserError: when there is none such or it is damaged. Nothing on disk is changed.
    """
    steps = self.finished()
    if not steps:
      raise UserError(f'{self.path} holds no finished checkpoint; train first.')
    found = steps[-1] if step == 'latest' else self._find_best() if step == 'best' else int(step)
    if found not in steps:
      raise UserError(f'{self.path} has no checkpoint {step}; it has {steps}.')
    try:
      self._verify(found)
    except Damaged as error:
      raise UserError(f'checkpoint {found} of {self.path} is damaged: {error}; use another of '
                      f'{steps}.') from error
    return found

  def find_newest_whole(self) -> int:
    """Returns the newest verified step to go on from, or NONE; sets damaged newer ones aside.

    Raises:
      UserError: when steps were saved here and none of them can be used.
    """
    last = self._last_finished()
    self.remove_leftovers()
    if self._remote:
      self._finish_deletions(last)
    refused = []
    for step in reversed(self.numbers()):
      try:
        self._verify(step)
      except Damaged as error:
        if step > last and not (self / step / MANIFEST).exists():
          self.delete(step)  # its save was killed before the end
          continue
        self.set_aside(step, 'corrupt', str(error))
        refused.append(f'{step} ({error})')
        continue
      if step < last:
        _log.warning('%s: going on from step %d, although %d was saved', self.path, step, last)
      return step
    if last == NONE and not refused:
      return NONE
    raise UserError(
      f'no checkpoint under {self.path} can be used, although step {max(last, 0)} was saved; '
      f'damaged: {", ".join(refused) or ", ".join(self._corrupt_names()) or "none is left"}. '
      f'Bring good copies back, or delete {self.path} to start from step 0.')

  def _find_best(self):
    if not self._metric:  # a reader that was not told the metric asks what the run noted
      note = self.path.parent / 'best.json'
      best = records.read_fields(note, BEST, ['step'])['step'] if note.exists() else None
    else:
      best = self.best()
    if best is None:
      raise UserError(f'{self.path} has no best checkpoint: none was saved with a finite metric; '
                      f"ask for 'latest' (--config.checkpoint=latest) or one of {self.finished()}.")
    return best

  def _last_finished(self):
    note = self.path / 'last.json'
    if not note.exists():
      return max(self.finished(), default=NONE)
    try:
      return records.read_fields(note, {'step': int}, ['step'])['step']
    except UserError:
      return 0  # unreadable, but there was one

  def _corrupt_names(self):
    return sorted(entry.name for entry in self._entries() if '.corrupt-' in entry.name)

  def _entries(self):
    return list(self.path.iterdir()) if self.path.is_dir() else []

  # Changing

  def settle(self, newest: int) -> None:
    """Notes a step that has just been finished, and deletes the steps that no rule keeps."""
    records.write_json(self.path / 'last.json', {'step': newest})
    steps, best = self.finished(), self.best()
    if best is not None:
      records.write_json(self.path.parent / 'best.json', {
        'step': best, 'metric': self._metric,
        'value': read_manifest(self / best)['metrics'][self._metric]})
    keep = {newest, best, *steps[-self._keep_last:]}
    if self._keep_every:
      keep |= {step for step in steps if step % self._keep_every == 0}
    for step in steps:
      if step not in keep:
        self.delete(step)

  def set_aside(self, step: int, kind: str, reason: str) -> None:
    """Renames a step to `<step>.<kind>-<time>`, with the reason in its reason.txt."""
    time = datetime.datetime.now(datetime.UTC).strftime('%Y%m%dT%H%M%S%f')
    aside = self.path / f'{step}.{kind}-{time}'
    _log.warning('%s: checkpoint %d is set aside as %s: %s', self.path, step, aside.name, reason)
    try:
      if self._remote:
        names = list_files(self / step)
        remote.copy_folder(self / step, aside, names + [MANIFEST] * (
            self / step / MANIFEST).exists())
        remote.delete_folder(self / step, MANIFEST)
      else:
        (self / step).rename(aside)
      records.write_text(aside / 'reason.txt', reason + '\n')
    except OSError as error:
      _log.warning('%s: checkpoint %d could not be set aside: %s', self.path, step, error)
      self._unusable.add(step)

  def delete(self, step: int) -> None:
    """Deletes a step; killed half way, it is a leftover and does not look damaged."""
    folder = self / step
    if self._remote:
      remote.delete_folder(folder, MANIFEST)
      return
    folder.rename(self.path / f'{step}.deleting').rmtree(missing_ok=True)

  def remove_leftovers(self, step: int | None = None) -> bool:
    """Deletes what killed saves and deletions left behind, of one step or of all; if any was."""
    found = [entry for entry in self._entries() if LEFTOVER.fullmatch(entry.name)
             and step in (None, int(entry.name.split('.')[0]))]
    for entry in found:
      entry.rmtree(missing_ok=True)
    return bool(found)

  def _finish_deletions(self, last):
    for step in self.numbers():
      if step < last and not (self / step / MANIFEST).exists():
        self.delete(step)

  def remove_unfinished(self, step: int) -> bool:
    """Deletes everything of a step whose save failed; whether there was anything."""
    found = self.remove_leftovers(step)
    if (self / step).exists() and not (self / step / MANIFEST).exists():
      self.delete(step)
      found = True
    return found


def _check_fields(manifest):
  lacking = [name for name in OF_CHECKPOINTS if name not in manifest]
  if lacking:
    raise Damaged(f'{MANIFEST} lacks {", ".join(lacking)}')
