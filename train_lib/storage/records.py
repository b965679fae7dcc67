"""JSON, JSON Lines and CSV files that a crash cannot leave half written.

Paths may be local or anything that `etils.epath` opens (gs:// and the like). Where a lock is held
on a folder, nothing more is written into it once another run has taken it.
"""

import contextlib
import csv
import io
import json
import logging
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Callable

from etils import epath

from errors import UserError, shortened
from train_lib.storage import remote
from train_lib.storage.forms import find_misfit, plain

MOST_JSON_BYTES = 1 << 28         # of a JSON file: the names of some million pictures

_log = logging.getLogger(__name__)
_guards = {}                      # folder -> what raises when it must not be written into
_growing = {}                     # remote path -> remote.Growing


def absolute(path) -> epath.Path:
  """A path that means the same from every folder: '~' and relative ones resolved, gs:// left.

  Raises:
    UserError: it is of a store that nothing here can open.
  """
  text = os.fspath(path)
  if '://' not in text:
    return epath.Path(os.path.abspath(os.path.expanduser(text)))
  remote.check_path(text)
  return epath.Path(text)


def local_folder(path, what: str, flag: str = '--output=') -> pathlib.Path:
  """A folder of this machine, absolute; UserError: it is in a store.

  Args: what: that is written there or read; flag: names it.
  """
  if remote.is_remote(path):
    raise UserError(f"{what} need a folder of this machine, and '{os.fspath(path)}' is in a store; "
                    f'name one with {flag}')
  return pathlib.Path(absolute(path))


def guard(folder, check: Callable[[], None] | None) -> None:
  """Has check() called before anything is written into a folder; it may raise.

  Args: check: None: no more; rows that `append_jsonl` keeps back are then forgotten.
  """
  folder = os.fspath(absolute(folder))
  if check is not None:
    _guards[folder] = check
    return
  _guards.pop(folder, None)
  for name in _kept_back(folder):
    del _growing[name]


def check_held(path) -> None:
  """Raises UserError where a run that held the folder of this path has lost it to another."""
  for folder, check in list(_guards.items()):
    if f'{os.fspath(absolute(path))}/'.startswith(f'{folder}/'):
      check()


def check_outside(folder, input: str) -> None:
  """Raises UserError where what is written would lie among what is read, or the other way round.

  Args: folder: that pictures are written into; input: a folder that is read, or one file.
  """
  top, written = os.path.realpath(os.path.expanduser(input)), os.path.realpath(folder)
  if os.path.isdir(top) and os.path.commonpath([top, written]) == top:
    raise UserError(f"the output '{folder}' lies inside of the input '{input}', whose next reading "
                    'would find its pictures too; name a folder outside with --output=')
  if os.path.commonpath([top, written]) == written:
    raise UserError(f"the input '{input}' lies in '{folder}', which is written into, so that it "
                    'could be lost; name another folder with --output=')


def write_text(path, text: str, *, to_disk: bool = True) -> None:
  """Writes a text file whole or not at all (an older one survives a crash or a full disk).

  Args: to_disk: False where there are very many and a power cut may take the latest ones.
  """
  write_bytes(path, text.encode(errors='surrogateescape'), to_disk=to_disk)  # names: any bytes


def write_bytes(path, content: bytes, *, to_disk: bool = True) -> None:
  """Writes a file as `write_text` does."""
  with whole_file(path, to_disk=to_disk) as file:
    file.write(content)


@contextlib.contextmanager
def whole_file(path, *, to_disk: bool = True):
  """A file that is open for writing bytes, and stands at its path once all are written.

  Args: to_disk: as that of `write_text`.
  """
  check_held(path)
  with unguarded_file(path, to_disk=to_disk) as file:
    yield file


@contextlib.contextmanager
def unguarded_file(path, *, to_disk: bool = True):
  """A file as that of `whole_file`, written without asking whether the folder is still held."""
  path = epath.Path(path)
  is_remote = remote.is_remote(path)
  if not is_remote:
    path.parent.mkdir(parents=True, exist_ok=True)
  handle, temporary = tempfile.mkstemp() if is_remote else _open_beside(path)
  try:
    with os.fdopen(handle, 'wb') as file:
      yield file
      if to_disk and not is_remote:
        file.flush()
        os.fsync(file.fileno())
    if is_remote:
      remote.put_file(temporary, path)
      _growing.pop(os.fspath(path), None)
    else:
      os.replace(temporary, os.fspath(path))
  finally:
    with contextlib.suppress(OSError):
      os.remove(temporary)


def write_json(path, obj) -> None:
  """Writes strict JSON, whole or not at all; numbers that are not finite become null."""
  write_text(path, json.dumps(plain(obj), indent=2, allow_nan=False) + '\n')


def write_csv(path, titles, rows) -> None:
  """Writes a CSV file, whole or not at all; None is written as nothing.

  Args:
    titles: of the columns.
    rows: sequences of as many values, taken one by one.
  """
  with whole_file(path) as file:
    text = io.TextIOWrapper(file, encoding='utf-8', errors='surrogateescape', newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(titles)
    writer.writerows(rows)
    text.flush()
    text.detach()


def copy_file(source, path) -> None:
  """Copies a local file to a path, whole or not at all."""
  with open(source, 'rb') as reader, whole_file(path, to_disk=False) as writer:
    shutil.copyfileobj(reader, writer)


def read_bytes(path, most: int = 0) -> bytes:
  """Returns the content of a file; of a store, after a broken connection it is tried again.

  Args: most: of bytes; ValueError where there are more. 0: as many as there are.
  """
  count = most + 1 if most else -1
  if remote.is_remote(path):
    content = remote.get(path, count)
  else:
    with open(os.fspath(path), 'rb') as file:
      content = file.read(count)
  if 0 < most < len(content):
    raise ValueError(f'it has more than {most >> 20} MiB')
  return content


def read_json(path):
  """Returns the content of a JSON file; UserError when it is missing, too large or no JSON."""
  try:
    return json.loads(read_bytes(path, MOST_JSON_BYTES))
  except FileNotFoundError as error:
    raise UserError(f'{path} does not exist.') from error
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path} is damaged: it is not valid JSON ({error}); bring the file back as it '
                    'was.') from error


def read_fields(path, form=dict, needs=()) -> dict:
  """Returns a JSON object; UserError, with what is wrong, when it is none or of another form.

  Args: form: of `forms`; needs: keys that must be there.
  """
  values = read_json(path)
  wrong = find_misfit(values, form, needs)
  if wrong is not None:
    raise UserError(f'{path} is damaged: ' + (
        f'{shortened(wrong)} is missing or not what this program writes' if wrong else
        'expected a JSON object') + '; bring the file back as it was.')
  return values


def append_jsonl(path, rows) -> None:
  """Appends rows (dicts) to a JSON Lines file, all or, where it fails, none of them.

  A torn last line is closed first. Those of a store may be kept back for some seconds; `flush`
  writes them.
  """
  path = epath.Path(path)
  text = ''.join(json.dumps(plain(row), allow_nan=False) + '\n' for row in rows)
  if not text:
    return
  check_held(path)
  if remote.is_remote(path):
    name = os.fspath(path)
    if name not in _growing:
      _growing[name] = remote.Growing(path)
    _growing[name].add(text)
    return
  path.parent.mkdir(parents=True, exist_ok=True)
  with open(os.fspath(path), 'a+b', buffering=0) as file:
    end = file.seek(0, os.SEEK_END)
    if end:
      file.seek(end - 1)
      if file.read(1) != b'\n':
        text = '\n' + text
    left = memoryview(text.encode())
    try:
      while left:
        left = left[file.write(left):]
    except OSError:
      file.truncate(end)
      raise


def flush(path) -> None:
  """Writes the rows that were kept back, of a JSON Lines file or of all in a folder."""
  for name in _kept_back(path):
    check_held(name)
    _growing[name].flush()


def read_jsonl(path, form=dict, needs=()) -> list[dict]:
  """Returns the rows of a JSON Lines file, but for lines torn by a crash or of another form.

  Args: as those of `read_fields`.
  """
  path = epath.Path(path)
  flush(path)
  if not path.exists():
    return []
  rows, left_out = [], 0
  for line in read_bytes(path).split(b'\n'):
    if not line.strip():
      continue
    row = None
    with contextlib.suppress(ValueError, RecursionError):
      row = json.loads(line)
    if find_misfit(row, form, needs) is None:
      rows.append(row)
    else:
      left_out += 1
  if left_out:
    _log.warning('%s: left out %d unreadable line(s), torn by an earlier crash', path, left_out)
  return rows


def drop_rows_after(path, step: int) -> int:
  """Rewrites a JSON Lines file without the rows whose `step` is beyond `step`; how many these were.

  A run that goes on from `step` writes those rows again; no step may stand twice.
  """
  rows = read_jsonl(path)
  kept = [row for row in rows if not _is_after(row, step)]
  if epath.Path(path).exists():
    write_text(path, ''.join(json.dumps(plain(row), allow_nan=False) + '\n' for row in kept))
  return len(rows) - len(kept)


def _is_after(row, step):
  found = row.get('step', step)
  return isinstance(found, (int, float)) and found > step


def _kept_back(path):
  return [name for name in list(_growing) if f'{name}/'.startswith(f'{os.fspath(path)}/')]


def _open_beside(path):
  """(descriptor, path) of a new file in the same folder, with the rights that files have there."""
  temporary = os.fspath(path.parent / f'.{path.name[:100]}.tmp-{secrets.token_hex(6)}')
  return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), temporary
