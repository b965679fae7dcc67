"""The files of an export: all of one step, whatever stops the program.

What is new is written into a folder of its own inside, and checked there. Only then do the files of
an older export go, config.json first, and the new ones come, config.json last. So a folder never
holds files of two steps, and where it has no config.json it is no export.
"""

import contextlib
import tempfile
from collections.abc import Iterator

from etils import epath

from errors import UserError
from train_lib.export import exported
from train_lib.storage import records, remote
from train_lib.storage.lock import Lock

STAGING = '.exporting'
CARD, LABELS, TAGS = 'README.md', 'labels.txt', 'tags.csv'
MODEL, STABLEHLO, TAGGER = 'model.onnx', 'model.stablehlo', 'tagger'
# Every file that an export may hold; `model.json` is one that former versions wrote.
FILES = (exported.ABOUT, exported.WEIGHTS, CARD, LABELS, TAGS, MODEL, STABLEHLO, 'model.json',
         *(f'{where}/{name}' for where in (TAGGER, f'{TAGGER}/own_size')
           for name in (MODEL, 'selected_tags.csv')))


@contextlib.contextmanager
def replaced(folder) -> Iterator[epath.Path]:
  """A folder to write FILES into, which take the place of those in `folder` when the block ends.

  Files of others stay where they are. If the block fails, the older export stays as it was.

  Args:
    folder: made where there is none. Of a store the new files are written on this machine, and
      put there when all of them are checked.

  Raises:
    UserError: it holds a file of one of these names that --job=export did not write, or another
      export into it is under way.
  """
  folder = records.absolute(folder)
  _check(folder)
  if remote.is_remote(folder):
    with Lock(folder / STAGING), tempfile.TemporaryDirectory(prefix='oko-export-') as scratch:
      files = epath.Path(scratch)
      yield files
      mark = folder / STAGING / 'begun'
      records.write_text(mark, 'files of two exports may lie here until this one is gone\n')
      _take_over(files, folder)
      mark.unlink()
    return
  was_there, staging = folder.exists(), folder / STAGING
  staging.mkdir(parents=True, exist_ok=True)
  with Lock(staging):
    files = staging / 'files'
    files.rmtree(missing_ok=True)               # what a killed export has left
    files.mkdir()
    try:
      yield files
    except BaseException:
      (staging if was_there else folder).rmtree(missing_ok=True)
      raise
    _take_over(files, folder)
    staging.rmtree()


def _check(folder):
  if folder.exists() and not folder.is_dir():
    raise UserError(f'--output={folder} is a file; name a folder')
  former = all((folder / name).exists() for name in ('model.json', exported.WEIGHTS))
  if exported.is_exported(folder) or former or (folder / STAGING).exists():
    return
  strange = [name for name in FILES if (folder / name).exists()]
  if strange:
    raise UserError(f'{folder} holds {strange[0]}, which --job=export did not write and would '
                    'replace; name a new or an empty folder with --output=')


def _take_over(files, folder):
  """A stop in here leaves STAGING, by which the next export knows the folder."""
  for name in FILES:                            # config.json is the first of them
    (folder / name).unlink(missing_ok=True)
  for name in reversed(FILES):                  # ... and the last
    if (files / name).exists():
      if remote.is_remote(folder):
        records.copy_file(files / name, folder / name)
        continue
      (folder / name).parent.mkdir(parents=True, exist_ok=True)
      (files / name).replace(folder / name)
  for inner in (folder / TAGGER / 'own_size', folder / TAGGER):
    if inner.exists() and not any(inner.iterdir()):
      inner.rmdir()
