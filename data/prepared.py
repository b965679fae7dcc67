"""What is prepared once and kept on disk: where it lies, who may write it, what a person sees."""

import contextlib
import fcntl
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

from errors import UserError

DEFAULT_DIR = '~/.cache/oko/data'
_TELL_SEC = 10.0


def prepared_folder(directory: str, name: str) -> pathlib.Path:
  """The folder for one kind of prepared data. Args: directory: config.data.dir, '' the default."""
  return pathlib.Path(directory or DEFAULT_DIR).expanduser().absolute() / name


@contextlib.contextmanager
def lock(folder: pathlib.Path, name: str, poll: Callable[[], None]) -> Iterator[None]:
  """One process at a time prepares what is called `name`; others wait here, and then find it.

  Raises:
    UserError: the folder cannot be written.
  """
  try:
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / f'{name}.lock', 'w')
  except OSError as error:
    raise UserError(f'cannot write to {folder} ({error.strerror}); choose another folder with '
                    '--config.data.dir=FOLDER') from error
  with file:
    while True:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
      except BlockingIOError:
        poll()
        time.sleep(0.2)
    yield


@contextlib.contextmanager
def progress(doing: str, things: str, total: int = 0) -> Iterator[Callable[[int], None]]:
  """A function to call with how many were just done: a bar on a terminal, else lines now and then.

  Args: doing: such as 'reading the archive'; things: what is counted, such as 'records'; total:
    how many there are, 0 where nobody knows.
  """
  if sys.stderr.isatty():
    from tqdm import tqdm
    with tqdm(desc=doing, unit=f' {things}', unit_scale=True, total=total or None) as bar:
      yield bar.update
    return
  done, told = 0, time.monotonic()
  print(doing, file=sys.stderr, flush=True)

  def show(count):
    nonlocal done, told
    done += count
    if time.monotonic() - told > _TELL_SEC:
      told = time.monotonic()
      of_all = f' of {total:,}' if total else ''
      print(f'{done:,}{of_all} {things}', file=sys.stderr, flush=True)

  yield show
