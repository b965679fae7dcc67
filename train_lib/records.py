"""JSON, JSON Lines and CSV files that a crash cannot leave half written.

Paths may be local or anything that `etils.epath` opens (gs:// and the like).
"""

import contextlib
import csv
import io
import json
import logging
import math
import os
import tempfile

import numpy as np
from etils import epath

from errors import UserError

_log = logging.getLogger(__name__)


def absolute(path) -> epath.Path:
  """A path that means the same from every folder: '~' and relative ones resolved, gs:// left."""
  text = os.fspath(path)
  return epath.Path(text if '://' in text else os.path.abspath(os.path.expanduser(text)))


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
  path = epath.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  remote = _is_remote(path)
  folder = None if remote else os.fspath(path.parent)
  handle, temporary = tempfile.mkstemp(prefix=f'.{path.name[:100]}.tmp-', dir=folder)
  try:
    with os.fdopen(handle, 'wb') as file:
      yield file
      if to_disk:
        file.flush()
        os.fsync(file.fileno())
    if remote:
      epath.Path(temporary).copy(path, overwrite=True)  # object stores replace a whole object
    else:
      os.chmod(temporary, 0o666 & ~_umask())
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


def read_json(path):
  """Returns the content of a JSON file; UserError when it is missing or is no JSON."""
  try:
    return json.loads(epath.Path(path).read_text())
  except FileNotFoundError as error:
    raise UserError(f'{path} does not exist.') from error
  except ValueError as error:
    raise UserError(f'{path} is not valid JSON ({error}).') from error


def append_jsonl(path, rows) -> None:
  """Appends rows (dicts) to a JSON Lines file; a torn last line is closed first."""
  path = epath.Path(path)
  text = ''.join(json.dumps(plain(row), allow_nan=False) + '\n' for row in rows)
  if not text:
    return
  if _is_remote(path):
    write_text(path, (path.read_text() if path.exists() else '') + text)
    return
  path.parent.mkdir(parents=True, exist_ok=True)
  with open(os.fspath(path), 'a+b') as file:
    end = file.seek(0, os.SEEK_END)
    if end:
      file.seek(end - 1)
      if file.read(1) != b'\n':
        text = '\n' + text
    file.write(text.encode())


def read_jsonl(path) -> list[dict]:
  """Returns the rows of a JSON Lines file; lines torn by a crash are left out with a warning."""
  path = epath.Path(path)
  if not path.exists():
    return []
  rows, torn = [], 0
  for line in path.read_bytes().split(b'\n'):
    if not line.strip():
      continue
    try:
      row = json.loads(line)
    except ValueError:
      row = None
    if isinstance(row, dict):
      rows.append(row)
    else:
      torn += 1
  if torn:
    _log.warning('%s: left out %d unreadable line(s), torn by an earlier crash', path, torn)
  return rows


def drop_rows_after(path, step: int) -> int:
  """Rewrites a JSON Lines file without the rows whose `step` is beyond `step`.

  A run that goes on from `step` writes those rows again; no step may stand twice.

  Returns:
    How many rows were dropped.
  """
  rows = read_jsonl(path)
  kept = [row for row in rows if row.get('step', step) <= step]
  if epath.Path(path).exists():
    write_text(path, ''.join(json.dumps(row, allow_nan=False) + '\n' for row in kept))
  return len(rows) - len(kept)


def _is_remote(path):
  return '://' in os.fspath(path)


def _umask():
  mask = os.umask(0)
  os.umask(mask)
  return mask


def plain(value):
  """Returns what strict JSON can hold: numbers that are not finite become None, arrays lists."""
  if isinstance(value, dict):
    return {str(key): plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(item) for item in value]
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if value is None or isinstance(value, (str, bool, int)):
    return value
  if isinstance(value, float):
    return float(value) if math.isfinite(value) else None
  return plain(np.asarray(value).tolist())
