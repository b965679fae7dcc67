"""The picture files of an archive, found by number, md5 or path, however they are laid out.

One rule over the file's name without its ending, cut at '_', '-' and blanks: a part of 32
hexadecimal digits is the md5; one part of digits is the number of the post, where the other parts
are words. So `512px/0123/456123.jpg`, `images/ab/<md5>.png` and `danbooru_123_<md5>.jpg` all tell.

A million files take some 100 MB: names are bytes end to end, keys are sorted arrays.
"""

import hashlib
import os
import re
from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from data.sources.pictures import EXTENSIONS, walk_folders

MD5_DTYPE = 'S16'  # all are 16 bytes long, so that numpy's cutting of zeros does no harm
SIDECAR_ENDINGS = ('.txt', '.json')
_METADATA_FOLDER = 'metadata'
_CUT = re.compile(r'[_\-\s]+')
_POLL_EVERY = 1000  # files


class Key(NamedTuple):
  """What a file's name tells of its post."""

  id: int  # -1: nothing
  md5: bytes  # empty: nothing


def parse_stem(stem: str) -> Key:
  """The number and the md5 in a file's name without its ending."""
  if stem.isascii() and stem.isdigit():
    return Key(int(stem) if len(stem) <= 18 else -1, _md5_of(stem))
  id, md5 = -1, b''
  for part in _CUT.split(stem):
    found = _md5_of(part)
    if found:
      md5 = found
    elif part.isascii() and part.isdigit() and len(part) <= 18 and id < 0:
      id = int(part)
    elif part and not part.isalpha():
      return Key(-1, md5 or _last_md5(stem))
  return Key(id, md5)


def _md5_of(part):
  if len(part) != 32:
    return b''
  try:
    md5 = bytes.fromhex(part)
  except ValueError:
    return b''
  return md5 if len(md5) == 16 else b''


def _last_md5(stem):
  return next((md5 for part in reversed(_CUT.split(stem)) if (md5 := _md5_of(part))), b'')


class ArchiveFiles:
  """The pictures below a folder, sorted by folder and name; what lies beside them; and keys.

  Attributes:
    folder: as a string.
    folders: [(path, time of change in ns)] of all that were walked.
    others: names, relative to the folder, that may be metadata: the files of the folder itself and
      of its folder `metadata` that are neither pictures nor beside one.
    beside: {'.txt': uint8 [N], '.json': uint8 [N]}: 1 for `name.txt`, 2 for `name.jpg.txt`, 3 both.
    spare: bool [N], a picture of which an earlier file is another size or copy, by its name.
  """

  def __init__(self, folder: str, poll: Callable[[], None]):
    self.folder = os.fspath(folder)
    self.folders, self.others = [], []
    self._names, starts = bytearray(), array('q', [0])
    self._beside = {ending: bytearray() for ending in SIDECAR_ENDINGS}
    for where, changed_ns, names in walk_folders(self.folder):
      poll()
      self.folders.append((where, changed_ns))
      self._add_folder(os.path.relpath(where, self.folder), names, starts, poll)
    self._starts = np.frombuffer(starts, np.int64)
    self.beside = {ending: np.frombuffer(flags, np.uint8) for ending, flags in self._beside.items()}
    self._index_keys(poll)

  def __len__(self):
    return len(self._starts) - 1

  def _add_folder(self, where, names, starts, poll):
    pictures = [name for name in names if name.lower().endswith(EXTENSIONS)]
    rest = set(names).difference(pictures)
    used = set()
    prefix = '' if where == '.' else where + os.sep
    for number, name in enumerate(pictures):
      if number % _POLL_EVERY == 0:
        poll()
      self._names += os.fsencode(prefix + name)
      starts.append(len(self._names))
      stem = os.path.splitext(name)[0]
      for ending, flags in self._beside.items():
        short, full = stem + ending, name + ending
        flags.append((short in rest) + 2 * (full in rest))
        used.update((short, full))
    if where in ('.', _METADATA_FOLDER):
      self.others += sorted(prefix + name for name in rest - used)

  def name(self, index: int) -> bytes:
    """The path of a picture relative to the folder, as the file system writes it."""
    return bytes(self._names[self._starts[index]:self._starts[index + 1]])

  def text(self, index: int) -> str:
    """The same for people: '/' between parts, bytes that are no UTF-8 written out."""
    return self.name(index).decode('utf-8', 'backslashreplace').replace(os.sep, '/')

  def path(self, index: int) -> str:
    """The whole path of a picture."""
    return os.path.join(self.folder, os.fsdecode(self.name(index)))

  def sidecars(self, index: int, ending: str) -> list[str]:
    """Paths of the files with this ending beside a picture: none, one or two."""
    path, flags = self.path(index), self.beside[ending][index]
    return ([os.path.splitext(path)[0] + ending] if flags & 1 else []) + (
        [path + ending] if flags & 2 else [])

  def key(self, index: int) -> Key:
    """What the name of a picture tells."""
    return parse_stem(os.path.splitext(os.path.basename(os.fsdecode(self.name(index))))[0])

  def names_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The names of many pictures end to end, uint8, and where each starts, int64 [n + 1]."""
    names = [self.name(row) for row in rows.tolist()]
    starts = np.zeros(len(names) + 1, np.int64)
    starts[1:] = np.cumsum([len(name) for name in names])
    return np.frombuffer(b''.join(names), np.uint8), starts

  def _index_keys(self, poll):
    ids, id_rows, md5s, md5_rows = array('q'), array('i'), bytearray(), array('i')
    for row in range(len(self)):
      if row % _POLL_EVERY == 0:
        poll()
      key = self.key(row)
      if key.id >= 0:
        ids.append(key.id)
        id_rows.append(row)
      if key.md5:
        md5s += key.md5
        md5_rows.append(row)
    self.spare = np.zeros(len(self), bool)
    keyed = np.zeros(len(self), bool)  # the first of a key
    self._by_id = _Lookup(np.frombuffer(ids, np.int64), id_rows)
    self._by_md5 = _Lookup(np.frombuffer(md5s, MD5_DTYPE), md5_rows)
    self._by_path = None
    for lookup in (self._by_id, self._by_md5):
      self.spare[lookup.later] = True
      keyed[lookup.rows] = True
    self.spare &= ~keyed

  def find(self, ids: np.ndarray, md5s: np.ndarray, paths: list[str]) -> np.ndarray:
    """The picture of each record, by its path, else its md5, else its number.

    Args:
      ids: int64 [n], -1: not told.
      md5s: S16 [n], empty: not told.
      paths: n, '' not told; normal paths relative to the folder.

    Returns:
      int32 [n], -1 where there is none.
    """
    found = np.full(len(ids), -1, np.int32)
    told = np.array([bool(path) for path in paths], bool)
    if told.any():
      digests = b''.join(_path_digest(os.fsencode(path)) for path in paths if path)
      found[told] = self._paths().find(np.frombuffer(digests, MD5_DTYPE))
    for lookup, keys, told in ((self._by_md5, md5s, md5s != b''), (self._by_id, ids, ids >= 0)):
      open_rows = np.flatnonzero((found < 0) & told)
      found[open_rows] = lookup.find(keys[open_rows])
    return found

  def _paths(self):
    if self._by_path is None:
      digests = b''.join(_path_digest(self.name(row)) for row in range(len(self)))
      self._by_path = _Lookup(np.frombuffer(digests, MD5_DTYPE), range(len(self)))
    return self._by_path


def _path_digest(path):
  return hashlib.blake2b(path, digest_size=16).digest()


class _Lookup:
  """Sorted keys and the rows of the files they belong to; of equal keys the first row counts."""

  def __init__(self, keys, rows):
    rows = np.asarray(rows, np.int32)
    self.keys, first = np.unique(keys, return_index=True)
    self.rows = rows[first]
    self.later = np.delete(rows, first)  # rows whose key came before

  def find(self, keys):
    """int32 [n]: the row of each key, or -1."""
    if not len(self.keys):
      return np.full(len(keys), -1, np.int32)
    places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
    return np.where(self.keys[places] == keys, self.rows[places], -1).astype(np.int32)
