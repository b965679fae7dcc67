"""The list of a checkpoint's files and their hashes, without which a folder is no checkpoint.

Orbax notices a missing or a shortened file, but not a flipped bit: it restores wrong weights
without a word. The manifest is written last, so its presence also says that a save came to its end.
"""

import hashlib
import json
import pathlib

from etils import epath

from train_lib.storage import records, remote
from train_lib.storage.forms import find_misfit

NAME = 'manifest.json'
MOST_BYTES = 1 << 26
OF_CHECKPOINTS = ('step', 'config_digest', 'metrics', 'tree')  # fields that `Checkpoints` reads
_FORM = {'files': {str: {'bytes': int, 'blake2b': str}}, 'metrics': {str: (float, None)},
         'step': int, 'time': str, 'config_digest': str, 'versions': {str: str},
         'tree': {str: [(str, [int])]}}


class Damaged(Exception):
  """A checkpoint's files are not what was written; the message is the reason."""


def write_manifest(folder, fields: dict, files: dict | None = None) -> None:
  """Hashes every file under `folder` and writes its manifest.json atomically.

  Args:
    folder: a finished checkpoint.
    fields: what else the manifest tells (step, metrics, ...), JSON values.
    files: {name: {'bytes', 'blake2b'}} where that is known, as of `remote.put_folder`.
  """
  folder = epath.Path(folder)
  if files is None:
    files = {name: _hash(folder / name) for name in list_files(folder)}
  records.write_json(folder / NAME, _sealed({**fields, 'files': files}))


def change_manifest(folder, **fields) -> None:
  """Replaces fields of an existing manifest; the hashes stay."""
  manifest = read_manifest(folder)
  records.write_json(epath.Path(folder) / NAME, _sealed({**manifest, **fields}))


def read_manifest(folder) -> dict:
  """Returns the manifest; Damaged when it is missing, torn or was changed."""
  path = epath.Path(folder) / NAME
  try:
    manifest = json.loads(records.read_bytes(path, MOST_BYTES))
    sealed = isinstance(manifest, dict) and manifest.get('seal') == _seal(manifest)
  except FileNotFoundError as error:
    raise Damaged(f'{NAME} is missing') from error
  except (ValueError, RecursionError) as error:
    raise Damaged(f'{NAME} is not readable') from error
  if not sealed:
    raise Damaged(f'{NAME} was changed')
  _check_form(manifest)
  return manifest


def _check_form(manifest):
  """Raises Damaged where fields are not those of a manifest: its seal is no secret."""
  if (find_misfit(manifest, _FORM, ('files',)) is not None
      or any(entry.keys() != {'bytes', 'blake2b'} for entry in manifest['files'].values())
      or any(list(map(type, entry)) != [str, list] for entry in manifest.get('tree', {}).values())):
    raise Damaged(f'{NAME} has fields that no save writes')


def verify(folder, copy: pathlib.Path | None = None) -> dict:
  """Returns the manifest after comparing every file with it; Damaged names the first difference.

  Args:
    folder: of a checkpoint.
    copy: a local folder; every file of a remote checkpoint is read once, and copied into it.
  """
  folder = epath.Path(folder)
  manifest = read_manifest(folder)
  wanted, found = manifest['files'], set(list_files(folder))
  for name in sorted(wanted.keys() - found):
    raise Damaged(f'{name} is missing')
  for name in sorted(found - wanted.keys()):
    raise Damaged(f'{name} does not belong to it')
  for name, entry in wanted.items():
    size = (folder / name).stat().length
    if size != entry['bytes']:
      raise Damaged(f'{name} has {size} bytes instead of {entry["bytes"]}')
    if (_hash(folder / name) if copy is None else _fetch(folder, name, copy, entry)) != entry:
      raise Damaged(f'{name} differs from what was written')
  return manifest


def list_files(folder, prefix: str = '') -> list[str]:
  """Returns the names, with '/', of a checkpoint's files, without its manifest. Args: prefix: of
  the folder, where it lies in a checkpoint."""
  names = []
  for entry in folder.iterdir():
    if entry.is_dir():
      names += list_files(entry, f'{prefix}{entry.name}/')
    elif prefix or not entry.name.removeprefix('.').startswith(NAME):
      names.append(prefix + entry.name)
  return sorted(names)


def _fetch(folder, name, copy, wanted):
  target = copy / name
  if '..' in target.parts or not target.is_relative_to(copy):
    raise Damaged(f'{name!r} is no name of a file')
  target.parent.mkdir(parents=True, exist_ok=True)
  found = remote.get_file(folder / name, target)
  return found if found == wanted else remote.get_file(folder / name, target)  # lost on the way


def _hash(path):
  with path.open('rb') as file:
    return remote.measure(file)


def _sealed(manifest):
  manifest = records.plain(manifest)
  return {**manifest, 'seal': _seal(manifest)}


def _seal(manifest):
  fields = {key: value for key, value in manifest.items() if key != 'seal'}
  text = json.dumps(fields, sort_keys=True, separators=(',', ':'))
  return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
