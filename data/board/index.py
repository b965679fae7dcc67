"""What was read of an archive, on disk: a folder of .npy and .json files, memory-mapped when used.

The folder is made under another name and put in place when it is whole, so a reading that is killed
leaves nothing half. It holds what the archive looked like, so that a change is noticed.
"""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

VERSION = 2  # of these files; other versions are read anew
ARRAYS = ('names', 'name_starts', 'tags', 'tag_starts', 'implied')
_META = 'index.json'
PROBLEMS = 'problems.jsonl'
_PIECE = 1 << 22


class Damaged(Exception):
  """The folder holds no whole index of this version."""


class Index:
  """An index opened from its folder; pictures are in the order train, valid, test.

  Attributes:
    meta: dict of 'tag_names', 'tag_categories', 'sizes' (pictures of each split), 'max_tags',
      'max_ignored', 'fingerprint', 'description', 'num_records', 'problems', 'examples', 'stamp',
      'num_seen' (tags but ratings that a training picture has).
    names: uint8, the pictures' paths end to end; name_starts: int64 [N + 1], where each begins.
    tags: int32, the tags of all pictures end to end; tag_starts: int64 [N + 1].
    implied: int32 [P, 2], of (tag, a tag that it entails).

  Args:
    folder: of the index.
    check: reads every file once and compares it with its checksum.

  Raises:
    Damaged: a file is missing, cut off or changed.
  """

  def __init__(self, folder: Path | str, *, check: bool):
    folder = Path(folder)
    try:
      self.meta = json.loads((folder / _META).read_text(encoding='utf-8'))
      checksums = self.meta['checksums'] if self.meta['version'] == VERSION else {}
      for name in ARRAYS:
        path = folder / f'{name}.npy'
        if check and _checksum(path) != checksums[name]:
          raise Damaged(f'{path} has changed')
        mode = 'r' if path.stat().st_size > _PIECE else None  # an empty array cannot be mapped
        setattr(self, name, np.load(path, mmap_mode=mode, allow_pickle=False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
      raise Damaged(f'{folder}: {error}') from error

  def tags_of(self, row: int) -> np.ndarray:
    """int32 [n], an array of its own."""
    return np.array(self.tags[self.tag_starts[row]:self.tag_starts[row + 1]])

  def name_of(self, row: int) -> bytes:
    """The path of a picture relative to the archive, as the file system writes it."""
    return self.names[self.name_starts[row]:self.name_starts[row + 1]].tobytes()


def save_index(folder: Path, meta: dict, arrays: dict[str, np.ndarray]) -> None:
  """Writes an index into a folder that is there; `index.json`, which makes it one, at the end."""
  checksums = {}
  for name in ARRAYS:
    np.save(folder / f'{name}.npy', arrays[name], allow_pickle=False)
    checksums[name] = _checksum(folder / f'{name}.npy')
  text = json.dumps(meta | {'version': VERSION, 'checksums': checksums})
  with open(folder / _META, 'w', encoding='utf-8') as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def put_in_place(made: Path, folder: Path) -> None:
  """Moves a finished folder to its place; what was there goes."""
  if folder.exists():
    old = made.with_name(f'{made.name}.old')
    os.rename(folder, old)
    os.rename(made, folder)
    shutil.rmtree(old, ignore_errors=True)
  else:
    os.rename(made, folder)


def fingerprint_of(meta: dict, arrays: Iterable[np.ndarray]) -> str:
  """Hex digest of what training sees. Args: meta: keys that matter, as JSON can hold them."""
  digest = hashlib.blake2b(json.dumps(meta, sort_keys=True).encode(), digest_size=16)
  for array in arrays:
    digest.update(f'{array.dtype.str} {array.shape}'.encode())
    digest.update(np.ascontiguousarray(array).data)
  return digest.hexdigest()


def _checksum(path):
  checksum = 0
  with open(path, 'rb') as file:
    while piece := file.read(_PIECE):
      checksum = zlib.crc32(piece, checksum)
  return checksum


# The archive as it was ---------------------------------------------------------------------------


def state_of(path: str) -> tuple[int, int]:
  """A file's size in bytes and time of change in ns; OSError where it is gone."""
  status = os.stat(path)
  return status.st_size, status.st_mtime_ns


def is_current(stamp: dict) -> bool:
  """Whether an archive is as it was when the stamp was made.

  Args:
    stamp: 'folders', (path, time of change in ns) of all that were walked; 'files', (path, size,
      time of change) of metadata and lists; 'contents', `digest_states` of the folders where every
      file in them was read, else ''.
  """
  try:
    return (all(os.stat(path).st_mtime_ns == changed_ns for path, changed_ns in stamp['folders'])
            and all(state_of(path) == (size, changed_ns) for path, size, changed_ns
                    in stamp['files'])
            and (not stamp['contents'] or stamp['contents'] == digest_states(
                path for path, _ in stamp['folders'])))
  except OSError:
    return False


def digest_states(folders: Iterable[str]) -> str:
  """Hex digest of the names, sizes and times of change of all files in the folders."""
  digest = hashlib.blake2b(digest_size=16)
  for folder in folders:
    with os.scandir(folder) as entries:
      for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.is_file():
          status = entry.stat()
          digest.update(f'{entry.path}\0{status.st_size}\0{status.st_mtime_ns}\0'.encode(
              errors='surrogateescape'))
  return digest.hexdigest()
