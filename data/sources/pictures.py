"""Picture files as they lie in a folder: found, digested, and read without any tag."""

import copy
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from errors import UserError

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff')

_digests = {}  # (path, size, time of change) -> digest, for as long as the program runs


class PictureFiles:
  """A source of every picture below a folder, or of one picture; examples have no tags.

  An example's id is its path relative to the folder, with '/' between the parts.

  Args:
    path: a folder, walked recursively, or a picture file.
    by_content: the fingerprint is of what is in the files; else of their names, sizes and times of
      change, for which none has to be read.

  Raises:
    UserError: there is no such folder or file, or no picture in it.
  """

  tag_names = ()
  tag_categories = ()
  max_tags = max_ignored = 0
  truth_keys = ()

  def __init__(self, path: Path | str, by_content: bool = True):
    path = Path(path).expanduser()
    self._witness = content_digest if by_content else _stamp
    self._paths = [path] if path.is_file() else list_pictures(path)
    self._folder = path.parent if path.is_file() else path
    if not self._paths:
      raise UserError(f"the folder '{path}' holds no picture ({', '.join(EXTENSIONS)}).")
    self.description = f"{len(self._paths):,} pictures of '{path}'"

  @property
  def fingerprint(self) -> str:
    return digest_of(word for path in self._paths
                     for word in (relative_name(path, self._folder), self._witness(path)))

  @functools.cached_property
  def names(self) -> list[str]:
    """The ids of all pictures."""
    return [relative_name(path, self._folder) for path in self._paths]

  @property
  def folder(self) -> Path:
    """That the ids are paths in."""
    return self._folder

  def take(self, indices) -> 'PictureFiles':
    """A source of these pictures alone, in this order. Args: indices: of pictures, at least one."""
    part = copy.copy(self)
    part.__dict__.pop('names', None)
    part._paths = [self._paths[index] for index in indices]
    part.description = f"{len(part._paths):,} pictures of '{self._folder}'"
    return part

  def state(self, index: int) -> list[int]:
    """What changes with a file: its size and the time of its last change; [] where it is gone."""
    try:
      status = self._paths[index].stat()
    except OSError:
      return []
    return [status.st_size, status.st_mtime_ns]

  def __len__(self) -> int:
    return len(self._paths)

  def tags_of(self, index: int) -> np.ndarray:
    del index
    return np.zeros(0, np.int32)

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    del poll
    return np.zeros(0, np.int64)

  def __getitem__(self, index: int) -> dict:
    path = self._paths[index]
    return {'id': relative_name(path, self._folder), 'image_bytes': read_file(path),
            'tags': np.zeros(0, np.int32)}


def build_pictures(config_data, split: str, poll=lambda: None) -> PictureFiles:
  """The pictures of the folder `config.data.path`, of which nothing is known: no tags, no splits.

  Args:
    config_data: the section `config.data`.
    split, poll: not of this source; all pictures are in each split.

  Raises:
    UserError: as `PictureFiles`.
  """
  del split, poll
  return open_pictures(config_data.path)


def open_pictures(path: str) -> PictureFiles:
  """Pictures of which there may be many: none is read to tell whether they have changed."""
  if not path:
    raise UserError('no pictures are named; name their folder with --config.data.path=')
  return PictureFiles(path, by_content=False)


def _stamp(path):
  status = path.stat()
  return f'{status.st_size} {status.st_mtime_ns}'


def other_files(path: Path | str) -> list[tuple[str, Path]]:
  """(path relative to the folder, path) of the files below it that are not named as pictures.

  Hidden ones are skipped. Args: path: as that of `PictureFiles`; beside one picture there are none.
  """
  folder = Path(path).expanduser()
  if folder.is_file():
    return []
  others = (Path(where, name) for where, _, names in walk_folders(folder) for name in names
            if not name.lower().endswith(EXTENSIONS))
  return sorted((relative_name(other, folder), other) for other in others)


def relative_name(path: Path, folder: Path) -> str:
  """Returns the path relative to the folder, with '/' between its parts."""
  return path.relative_to(folder).as_posix()


def list_pictures(folder: Path | str) -> list[Path]:
  """Returns the pictures below a folder, sorted by their path relative to it.

  Pictures are told by their extension, in either case. Hidden files and folders are skipped. Linked
  folders are followed, but a folder that was walked already is not walked again.

  Raises:
    UserError: the folder does not exist or is no folder.
  """
  folder = check_folder(folder)
  pictures = [Path(where, name) for where, _, names in walk_folders(folder) for name in names
              if name.lower().endswith(EXTENSIONS)]
  return sorted(pictures, key=lambda path: relative_name(path, folder))


def check_folder(folder: Path | str, of: str = 'pictures') -> Path:
  """Returns the path with '~' resolved; UserError unless a folder is there. Args: of: what."""
  folder = Path(folder).expanduser()
  if not folder.exists():
    raise UserError(f"the folder '{folder}' does not exist; name one that holds {of}.")
  if not folder.is_dir():
    raise UserError(f"'{folder}' is not a folder; name one that holds {of} (an archive has to "
                    'be unpacked first).')
  return folder


def walk_folders(top: Path | str) -> Iterator[tuple[str, int, list[str]]]:
  """Yields each folder from `top` on: its path, its time of change in ns, its sorted file names.

  The time is taken before the folder is listed, so that a later change never hides behind it.
  Hidden files and folders are skipped. Linked folders are followed last, so that a file keeps its
  true path where it has one; no folder is walked twice.
  """
  walked, waiting, links = set(), [os.fspath(top)], []
  while waiting or links:
    if not waiting:
      waiting, links = sorted(links, reverse=True), []
    where = waiting.pop()
    real = os.path.realpath(where)
    if real in walked:
      continue
    walked.add(real)
    folders, files, changed_ns = _list_folder(where)
    yield where, changed_ns, sorted(files)
    for path, is_link in sorted(folders, reverse=True):
      (links if is_link else waiting).append(path)


def _list_folder(where):
  """([(path, is a link) of its folders], its file names, its time of change in ns)."""
  folders, files, changed_ns = [], [], -1
  try:
    changed_ns = os.stat(where).st_mtime_ns
    with os.scandir(where) as entries:
      for entry in entries:
        if entry.name.startswith('.'):
          continue
        if entry.is_dir():
          folders.append((entry.path, entry.is_symlink()))
        elif entry.is_file():
          files.append(entry.name)
  except OSError:  # not ours to read, or gone meanwhile: as if it were empty
    return [], [], changed_ns
  return folders, files, changed_ns


def read_file(path: Path | str | bytes) -> bytes:
  """All that is in a file, with the fewest calls of the system: half the time of `open`."""
  descriptor = os.open(path, os.O_RDONLY)
  try:
    size = os.fstat(descriptor).st_size
    data = os.read(descriptor, size + 1)
  finally:
    os.close(descriptor)
  if len(data) == size:
    return data
  with open(path, 'rb') as file:  # it grows, or comes in parts
    return file.read()


def content_digest(path: Path) -> str:
  """Returns the hex digest of a file's content; remembered until the file changes."""
  status = path.stat()
  key = (str(path), status.st_size, status.st_mtime_ns)
  if key not in _digests:
    _digests[key] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
  return _digests[key]


def digest_of(words) -> str:
  """Returns one hex digest of a sequence of strings."""
  digest = hashlib.blake2b(digest_size=16)
  for word in words:
    digest.update(word.encode(errors='surrogateescape') + b'\0')
  return digest.hexdigest()
