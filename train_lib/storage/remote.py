"""Objects of a store such as gs://, under any path with '://': whole, checked, tried again.

A store puts, gets, lists and deletes whole objects. It renames nothing, appends to nothing, has no
folders but the beginnings of names, and its connection may break off at any moment.
"""

import contextlib
import errno
import hashlib
import importlib.util
import logging
import os
import pathlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from etils import epath

from errors import UserError

WAITS_SEC = (0.5, 2.0, 8.0)       # before another try
REST_SEC = 20.0                   # between two writes of a text that grows line by line
PACKAGES = {'gs': 'gcsfs', 's3': 's3fs', 'az': 'adlfs', 'hf': 'huggingface_hub'}
LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_CHUNK_BYTES = 1 << 22

_log = logging.getLogger(__name__)


def is_remote(path) -> bool:
  """Whether a path names an object, and no file of this machine."""
  return '://' in os.fspath(path)


def make_folder(path) -> None:
  """Makes a folder of this machine. A store has none, and might make a bucket of a slip."""
  if not is_remote(path):
    epath.Path(path).mkdir(parents=True, exist_ok=True)


def check_path(text: str) -> None:
  """Raises UserError for a remote path that nothing here can open; looks at no object."""
  import fsspec

  scheme = text.partition('://')[0]
  if scheme not in PACKAGES:
    raise UserError(f"'{text}' begins with {scheme}://, which is no kind of store that is known; "
                    f'choices: {", ".join(f"{name}://" for name in PACKAGES)}, or a folder.')
  # what other hosts have written since must be seen
  for name in {'gs': ('gs', 'gcs')}.get(scheme, (scheme,)):
    fsspec.config.conf.setdefault(name, {}).setdefault('use_listings_cache', False)
  logging.getLogger('gcsfs').setLevel(logging.WARNING)  # it tells of every object that is read
  if importlib.util.find_spec('tensorflow'):    # etils then reads and writes through it
    return
  try:
    fsspec.get_filesystem_class('gcs' if scheme == 'gs' else scheme)
  except ImportError as error:
    extra = "pip install -e '.[gcs]'" if scheme == 'gs' else f'pip install {PACKAGES[scheme]}'
    raise UserError(f"'{text}' needs the package {PACKAGES[scheme]}, which is not installed: "
                    f'{extra}') from error


def with_tries(action: Callable, path):
  """Returns what action() returns; tries again, for some seconds, after failures that may pass.

  Raises:
    OSError: it kept failing, with the last reason; or there is no such object, at once.
  """
  for wait_sec in (*WAITS_SEC, None):
    try:
      return action()
    except LASTING as error:
      if error.filename is not None:
        raise
      raise type(error)(error.errno or errno.ENOENT, _reason(error), os.fspath(path)) from error
    except Exception as error:                  # each kind of store raises kinds of its own
      reason = _reason(error)
      if wait_sec is None:
        raise OSError(errno.EIO, f'the store failed ({reason})', os.fspath(path)) from error
      _log.info('%s: %s; trying again in %g s', path, reason, wait_sec)
      time.sleep(wait_sec)


def put(path, content: bytes) -> None:
  """Writes an object; OSError where it could not be stored whole."""
  path = epath.Path(path)

  def action():
    with path.open('wb') as file:
      file.write(content)
    _check_size(path, len(content))
  with _in_bucket(path):
    with_tries(action, path)


def put_file(source: pathlib.Path, path) -> dict:
  """Copies a local file to an object. Returns: {'bytes', 'blake2b'} of what was read."""
  path = epath.Path(path)

  def action():
    with open(source, 'rb') as reader, path.open('wb') as writer:
      entry = measure(reader, writer)
    _check_size(path, entry['bytes'])
    return entry
  with _in_bucket(path):
    return with_tries(action, path)


def get(path, count: int = -1) -> bytes:
  """Returns the first bytes of an object; FileNotFoundError where there is none.

  Args: count: of them; -1: all.
  """
  def action():
    with epath.Path(path).open('rb') as file:
      return file.read(count)
  return with_tries(action, path)


def get_file(path, target: pathlib.Path) -> dict:
  """Copies an object to a local file. Returns: {'bytes', 'blake2b'} of what was read."""
  def action():
    with epath.Path(path).open('rb') as reader, open(target, 'wb') as writer:
      return measure(reader, writer)
  return with_tries(action, path)


@contextlib.contextmanager
def local_file(path) -> Iterator[pathlib.Path]:
  """A file of this machine: the one that a path names, or of an object a copy of the same name."""
  if not is_remote(path):
    yield pathlib.Path(path)
    return
  with tempfile.TemporaryDirectory(prefix='oko-copy-') as scratch:
    target = pathlib.Path(scratch) / epath.Path(path).name
    get_file(path, target)
    yield target


def put_folder(source: pathlib.Path, folder) -> dict:
  """Copies every file below a local folder, one after another.

  Returns:
    {name with '/': {'bytes', 'blake2b'}}.
  """
  files = sorted(path for path in source.rglob('*') if path.is_file())
  names = [path.relative_to(source).as_posix() for path in files]
  return {name: put_file(path, epath.Path(folder) / name)
          for name, path in zip(names, files, strict=True)}


def copy_folder(folder, target, names: list[str]) -> None:
  """Copies objects of one folder to another of a store, through this machine's memory."""
  for name in names:
    put(epath.Path(target) / name, get(epath.Path(folder) / name))


def delete_folder(folder, first: str) -> None:
  """Deletes all objects of a folder, that named `first` before the others."""
  folder = epath.Path(folder)
  with_tries(lambda: (folder / first).unlink(missing_ok=True), folder)
  with_tries(lambda: folder.rmtree(missing_ok=True), folder)


def measure(reader, writer=None) -> dict:
  """{'bytes', 'blake2b'} of what is left in a file. Args: writer: a file that it is copied into."""
  digest, size = hashlib.blake2b(digest_size=32), 0
  while chunk := reader.read(_CHUNK_BYTES):
    digest.update(chunk)
    size += len(chunk)
    if writer is not None:
      writer.write(chunk)
  return {'bytes': size, 'blake2b': digest.hexdigest()}


class Growing:
  """A text that lines are added to, as an object that is written anew each time.

  A store bears about one write a second of one object, and each is of all of it: lines are kept
  back for REST_SEC, until `flush`.
  """

  def __init__(self, path):
    self._path, self._turn = epath.Path(path), threading.RLock()
    self._text, self._sent_at, self._kept_back = self._read(), -REST_SEC, False

  def add(self, text: str) -> None:
    """Adds whole lines, or where it fails none; a torn last line is closed first."""
    with self._turn:
      before = self._text, self._kept_back
      if self._text and not self._text.endswith('\n'):
        self._text += '\n'
      self._text, self._kept_back = self._text + text, True
      if time.monotonic() - self._sent_at >= REST_SEC:
        try:
          self.flush()
        except OSError:
          self._text, self._kept_back = before
          raise

  def flush(self) -> None:
    """Writes what was kept back."""
    with self._turn:
      if self._kept_back:
        put(self._path, self._text.encode(errors='surrogateescape'))
        self._sent_at, self._kept_back = time.monotonic(), False

  def _read(self):
    try:
      return get(self._path).decode(errors='surrogateescape')
    except FileNotFoundError:
      return ''


@contextlib.contextmanager
def _in_bucket(path):
  """What is written is never missing: its bucket is."""
  try:
    yield
  except FileNotFoundError as error:
    raise OSError(errno.ENOENT, 'the store has no such bucket', os.fspath(path)) from error


def _reason(error):
  return str(error).strip().partition('\n')[0] or type(error).__name__


def _check_size(path, size):
  stored = path.stat().length
  if stored != size:
    raise OSError(errno.EIO, f'{stored} of {size} bytes were stored')
