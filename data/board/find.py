"""Which of the formats a folder holds, and in which files."""

import contextlib
import itertools
import os
from typing import NamedTuple

import numpy as np

from data.board import FORMATS, captions, danbooru2021, posts, sqlite
from data.board.files import ArchiveFiles
from data.board.rows import Broken, read_rows
from data.board.sidecars import read_text
from errors import UserError

_ENDINGS = ('', '.json', '.jsonl', '.ndjson', '.csv', '.sqlite', '.sqlite3', '.db')
_PACKED = ('.gz', '.xz', '.bz2', '.zst', '.zip', '.7z', '.tar', '.tgz', '.parquet', '.tsv')
_FIRST_ROWS = 200  # of a file, from which its format is told
_SOME_SIDECARS = 200  # of which half have a #hashtag where they are captions


class Found(NamedTuple):
  """Where an archive's records are."""

  format: str  # of FORMATS
  files: tuple  # paths of metadata files; empty: they are beside the pictures
  words: str  # for people: the format and its files


def find_metadata(settings, pictures: ArchiveFiles) -> Found:
  """Finds the metadata of an archive.

  Args:
    settings: the section `config.data.board`: metadata, format.
    pictures: the archive's files.

  Raises:
    UserError: no metadata, metadata in more than one format, or not in the format named.
  """
  if settings.format != 'auto' and settings.format not in FORMATS:
    raise UserError(f"config.data.board.format is '{settings.format}'; choose one of auto, "
                    f'{", ".join(FORMATS)}.')
  if settings.metadata:
    paths = _named_files(settings.metadata, pictures.folder)
    found = _tell_files(paths)
  else:
    paths = [os.path.join(pictures.folder, name) for name in pictures.others
             if os.path.splitext(name)[1].lower() in _ENDINGS]
    found = _tell_files(paths) | _tell_sidecars(pictures, settings.format)
  if settings.format != 'auto':
    found = {name: files for name, files in found.items() if name == settings.format}
  if len(found) > 1:
    choices = ' or '.join(f"'{name}' ({_describe(name, files, pictures)})"
                          for name, files in found.items())
    raise UserError(f"the archive '{pictures.folder}' can be read as {choices}; name one with "
                    '--config.data.board.format=')
  if not found:
    raise UserError(_nothing_found(settings, pictures))
  (name, files), = found.items()
  return Found(name, tuple(files), _describe(name, files, pictures))


def _named_files(metadata, folder):
  """The file that was named, or the files of the folder that was named."""
  path = os.path.join(folder, os.path.expanduser(metadata))
  if os.path.isfile(path):
    return [path]
  if not os.path.isdir(path):
    raise UserError(f"config.data.board.metadata is '{metadata}', but there is no '{path}'; it is "
                    'a file or a folder, relative to config.data.path.')
  names = sorted(name for name in os.listdir(path) if not name.startswith('.'))
  return [os.path.join(path, name) for name in names if os.path.isfile(os.path.join(path, name))
          and os.path.splitext(name)[1].lower() in _ENDINGS]


def _tell_files(paths):
  """{format: its files}, of the files whose format can be told."""
  found = {}
  for path in paths:
    name = _tell_file(path)
    if name:
      found.setdefault(name, []).append(path)
  return found


def _tell_file(path):
  if sqlite.is_database(path):
    return 'sqlite'
  rows = []
  with contextlib.suppress(UserError):  # an array that breaks off is told when it is read
    for _, row in itertools.islice(read_rows(path), _FIRST_ROWS):
      if not isinstance(row, Broken):
        rows.append(row)
  for name, module in (('danbooru2021', danbooru2021), ('captions', captions), ('posts', posts)):
    if module.fits(rows):
      return name
  return ''


def _tell_sidecars(pictures, wanted):
  """{format: ()} of the files beside the pictures: half of them at least, if none is wanted."""
  found = {}
  for ending, flags in pictures.beside.items():
    rows = np.flatnonzero(flags)
    if not len(rows) or (wanted == 'auto' and 2 * len(rows) < len(pictures)):
      continue
    if ending == '.json':
      found |= {'post_files': ()} if _is_post(pictures, rows) else {}
    elif wanted in ('sidecars', 'captions'):
      found[wanted] = ()
    else:
      found['captions' if _are_captions(pictures, rows) else 'sidecars'] = ()
  return found


def _some(rows):
  return rows[np.linspace(0, len(rows) - 1, min(len(rows), _SOME_SIDECARS)).astype(int)].tolist()


def _is_post(pictures, rows):
  return any(not isinstance(posts.read_beside(pictures.sidecars(row, '.json')[0]), Broken)
             for row in _some(rows))


def _are_captions(pictures, rows):
  texts = [read_text(pictures.sidecars(row, '.txt')[0]) for row in _some(rows)]
  texts = [text for text in texts if isinstance(text, str) and text.strip()]
  return 2 * sum(bool(captions.find_hashtags(text)) for text in texts) >= max(1, len(texts))


def _describe(name, files, pictures):
  """'posts of the API since 2022: posts.json' and the like."""
  if not files:
    return FORMATS[name].words
  names = [os.path.relpath(path, pictures.folder) for path in files]
  more = f' and {len(names) - 2} more' if len(names) > 3 else ''
  return f'{FORMATS[name].words}: {", ".join(names[:2] if more else names)}{more}'


def _nothing_found(settings, pictures):
  """The sentence that tells what was looked for, and what lies there instead."""
  where = (f"'{os.path.join(pictures.folder, settings.metadata)}'" if settings.metadata else
           f"the folder '{pictures.folder}' or its folder 'metadata'")
  packed = [name for name in pictures.others if name.lower().endswith(_PACKED)]
  if packed and not settings.metadata:
    return (f"no metadata was found in {where}, but '{packed[0]}': unpack it, or write it as CSV "
            'or JSON Lines.')
  if settings.format != 'auto':
    wanted = FORMATS[settings.format]
    beside = f', nor as {wanted.ending} files beside the pictures' if wanted.ending else ''
    return (f"nothing of the format '{settings.format}' ({wanted.words}) was found in {where}"
            f'{beside}; name the file or folder with --config.data.board.metadata=, or another '
            'format with --config.data.board.format=')
  choices = ', '.join(f'{name} ({row.words})' for name, row in FORMATS.items())
  few = next((f' most of the {len(pictures):,} pictures ({np.count_nonzero(flags):,} have a '
              f'{ending} file)' for ending, flags in pictures.beside.items() if flags.any()),
             ' the pictures')
  return (f'no metadata was found in {where}, nor beside{few}; the formats are {choices}. '
          'Name the file or folder with --config.data.board.metadata=, or read pictures with a '
          'table of paths and tags, or in class folders, with --config.data.source=folder')
