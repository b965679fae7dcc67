"""Which of an archive's pictures are used, and each for what."""

import hashlib
from collections.abc import Callable

import numpy as np

from data import prepared
from data.board.files import MD5_DTYPE, ArchiveFiles
from data.board.problems import Problems
from data.board.reading import Archive
from data.content_splits import check_shares
from errors import UserError


def check_splits(config_data) -> None:
  """Raises UserError unless the splits' shares and the rule of splitting make sense."""
  check_shares(config_data.valid_frac, config_data.test_frac)
  if config_data.board.split not in ('content', 'id'):
    raise UserError(f"config.data.board.split is '{config_data.board.split}'; choose content or "
                    'id.')


def first_of_each(archive: Archive, pictures: ArchiveFiles, problems: Problems) -> np.ndarray:
  """Rows of the archive, each post's number and each picture once: the first record counts."""
  first = np.zeros(len(archive.ids), bool)
  told = np.flatnonzero(archive.ids >= 0)
  first[told[np.unique(archive.ids[told], return_index=True)[1]]] = True
  first[archive.ids < 0] = True
  rows = np.flatnonzero(first)
  rows = np.sort(rows[np.unique(archive.pictures[rows], return_index=True)[1]])
  later = np.delete(np.arange(len(first)), rows)
  problems.add_all('duplicate', len(later), (
      (pictures.text(archive.pictures[row]), f'post {archive.ids[row]}' if archive.ids[row] >= 0
       else '') for row in later.tolist()))
  return rows


def md5s_of(archive: Archive, rows: np.ndarray, pictures: ArchiveFiles, problems: Problems,
            poll: Callable[[], None]) -> tuple[np.ndarray, np.ndarray, bool]:
  """The md5 of each picture: as the metadata tell, else as its file's name does, else digested.

  Args: rows: of the archive.

  Returns:
    rows, without pictures that cannot be read; S16 for each; whether any file was digested.
  """
  md5s, readable = archive.md5s[rows], np.ones(len(rows), bool)
  untold = []
  for place in np.flatnonzero(md5s == b'').tolist():
    md5s[place] = pictures.key(archive.pictures[rows[place]]).md5
    if not md5s[place]:
      untold.append(place)
  if untold:
    with prepared.progress('reading pictures whose md5 is not told, once', 'pictures') as show:
      for place in untold:
        poll()
        picture = archive.pictures[rows[place]]
        try:
          md5s[place] = _digest(pictures.path(picture))
        except OSError as error:
          readable[place] = False
          problems.add('absent', pictures.text(picture), f'it cannot be read ({error.strerror})')
        show(1)
  return rows[readable], md5s[readable], bool(untold)


def _digest(path):
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def sample(md5s: np.ndarray, count: int) -> np.ndarray:
  """Indices of so many pictures, rising; those with the smallest hashes, so that pictures that come
  or go change little. Args: md5s: S16 [N]; count: 0 for all."""
  if not count or count >= len(md5s):
    return np.arange(len(md5s))
  return np.sort(np.argsort(_numbers(md5s)[:, 1], kind='stable')[:count])


def split(config_data, ids: np.ndarray, md5s: np.ndarray) -> np.ndarray:
  """Which split each picture falls into.

  By content, its md5 is its place between 0 and 1; by id, the last three digits are, as of a
  thousand. The highest places are for test, those below them for validation. Pictures of one
  content go with the one of the lowest number, whatever the rule.

  Args:
    config_data: the section config.data: valid_frac, test_frac, board.split.
    ids: int64 [N].
    md5s: S16 [N].

  Returns:
    int8 [N], indices of SPLITS.

  Raises:
    UserError: the split is by id, and there are pictures without one.
  """
  if config_data.board.split == 'id':
    if (ids < 0).any():
      raise UserError(f'config.data.board.split is id, but {np.count_nonzero(ids < 0):,} of '
                      f'{len(ids):,} pictures have no number, in the metadata or as the name of '
                      'their file; split them by content.')
    order = np.argsort(ids, kind='stable')
    _, first, same = np.unique(md5s[order], return_index=True, return_inverse=True)
    lowest = np.empty_like(ids)
    lowest[order] = ids[order][first][same]
    places = lowest % 1000 / 1000
  else:
    places = _numbers(md5s)[:, 0] / 2.0**64
  test_from = 1 - config_data.test_frac - 1e-9  # shares are rarely exact in binary
  valid_from = test_from - config_data.valid_frac
  return (places >= valid_from).astype(np.int8) + (places >= test_from)


def _numbers(md5s):
  """Two numbers from each md5, uint64 [N, 2]; they know nothing of each other."""
  return np.ascontiguousarray(md5s, MD5_DTYPE).view('>u8').reshape(-1, 2)
