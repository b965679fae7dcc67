"""Folders of arrays that are computed once: named by what decides them, whole, checked, aged out.

A folder appears whole or not at all, and its files are compared with its manifest whenever it is
read. While it is filled, what is done lies beside it under a name of its own, so that a run that
was stopped goes on from there; a lock lets one run at a time fill it, and the others wait.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import time
from collections.abc import Callable

from errors import UserError
from train_lib.reporting import say
from train_lib.storage import manifest

UNUSED_DAYS = 30                  # after which a folder that no run has read is removed
_OURS = re.compile(r'[0-9a-f]{32}|\.filling-[0-9a-f]{32}')
_WAIT_SEC = 0.5                   # between two looks at a folder that another run fills


def open_kept(parent: pathlib.Path, about: dict, fill: Callable[[pathlib.Path, pathlib.Path], dict],
              *, what: str, key: str, poll: Callable[[], None] = lambda: None
              ) -> tuple[pathlib.Path, dict]:
  """Finds the folder of something, or has it made.

  Args:
    parent: holds such folders.
    about: all that decides the arrays, JSON values.
    fill: (arrays, parts) -> fields of the manifest. Writes the files into the folder `arrays`,
      which is empty or as an earlier call that was stopped left it; what it wants to find again
      after a stop goes into the folder `parts`.
    what: the arrays, in a word, for the log.
    key: of the config, that names `parent`, for the message.
    poll: called often while another run fills the folder; may raise to stop.

  Returns:
    (the folder, its manifest: `fill`'s fields and 'about').

  Raises:
    UserError: the folder cannot be written.
  """
  text = json.dumps(about, sort_keys=True, default=str)
  name = hashlib.sha256(text.encode()).hexdigest()[:32]
  folder, filling = parent / name, parent / f'.filling-{name}'
  found = _read(folder, what)
  if found is not None:
    return folder, found
  try:
    parent.mkdir(parents=True, exist_ok=True)
    _remove_unused(parent, what)
    lock = _take_turns(filling, poll)
  except OSError as error:
    raise UserError(f'{parent} cannot be written ({error.strerror}); name another folder with '
                    f'--config.{key}=') from error
  with lock:
    found = _read(folder, what)                 # another run may have been quicker
    if found is None:
      arrays, parts = filling / 'arrays', filling / 'parts'
      arrays.mkdir(exist_ok=True)
      parts.mkdir(exist_ok=True)
      fields = fill(arrays, parts)
      manifest.write_manifest(arrays, {**fields, 'about': json.loads(text)})
      arrays.rename(folder)
      found = manifest.read_manifest(folder)
    shutil.rmtree(filling, ignore_errors=True)
  return folder, found


def touch(path: pathlib.Path) -> None:
  """Notes that a folder is in use. It may be another person's, who lets us read it."""
  with contextlib.suppress(OSError):
    os.utime(path)


def _read(folder, what) -> dict | None:
  """The manifest of a whole folder; None where there is none, and a damaged one is removed."""
  if not folder.exists():
    return None
  try:
    found = manifest.verify(folder)
  except (manifest.Damaged, OSError) as error:
    say(f'the {what} in {folder} are damaged ({error}) and computed again')
    shutil.rmtree(folder, ignore_errors=True)
    return None
  touch(folder)
  return found


def _take_turns(filling, poll):
  """An open file in the folder that is being filled, locked: no other run fills it meanwhile."""
  told = False
  while True:
    filling.mkdir(exist_ok=True)
    try:
      file = open(filling / 'lock', 'w')  # noqa: SIM115 the lock lives as long as the file is open
    except FileNotFoundError:                   # the other run has just come to its end
      continue
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      file.close()
      if not told:
        say(f'another run is filling {filling}; waiting for it')
        told = True
      time.sleep(_WAIT_SEC)
      poll()
      continue
    with contextlib.suppress(FileNotFoundError):
      if os.path.samestat(os.fstat(file.fileno()), os.stat(filling / 'lock')):
        return file
    file.close()                                # of a folder that was removed meanwhile


def _remove_unused(parent, what):
  """Removes folders that were not read for UNUSED_DAYS, and what stopped runs left of some."""
  oldest, removed = time.time() - UNUSED_DAYS * 86_400, 0
  for path in parent.iterdir():
    with contextlib.suppress(OSError):          # another run removed it, or it is another person's
      if _OURS.fullmatch(path.name) and path.is_dir() and path.stat().st_mtime < oldest:
        shutil.rmtree(path)
        removed += 1
  if removed:
    say(f'removed {removed:,} {what} from {parent} that no run has read for {UNUSED_DAYS} days')
