"""The list of a checkpoint's files and their hashes, without which a folder is no checkpoint.

Orbax notices a missing or a shortened file, but not a flipped bit: it restores wrong weights
without a word. The manifest is written last, so its presence also says that a save came to its end.
"""

import hashlib
import json

from etils import epath

from train_lib import records

NAME = 'manifest.json'
_CHUNK_BYTES = 1 << 22


class Damaged(Exception):
  """A checkpoint's files are not what was written; the message is the reason."""


def write_manifest(folder, fields: dict) -> None:
  """Hashes every file under `folder` and writes its manifest.json atomically.

  Args:
    folder: a finished checkpoint.
    fields: what else the manifest tells (step, metrics, ...), JSON values.
  """
  folder = epath.Path(folder)
  files = {name: _hash(folder / name) for name in _list_files(folder)}
  records.write_json(folder / NAME, _sealed({**fields, 'files': files}))


def change_manifest(folder, **fields) -> None:
  """Replaces fields of an existing manifest; the hashes stay."""
  manifest = read_manifest(folder)
  records.write_json(epath.Path(folder) / NAME, _sealed({**manifest, **fields}))


def read_manifest(folder) -> dict:
  """Returns the manifest; Damaged when it is missing, torn or was changed."""
  path = epath.Path(folder) / NAME
  try:
    manifest = json.loads(path.read_bytes())
  except FileNotFoundError as error:
    raise Damaged(f'{NAME} is missing') from error
  except ValueError as error:
    raise Damaged(f'{NAME} is not readable') from error
  if not isinstance(manifest, dict) or manifest.get('seal') != _seal(manifest):
    raise Damaged(f'{NAME} was changed')
  return manifest


def verify(folder) -> dict:
  """Returns the manifest after comparing every file with it; Damaged names the first difference."""
  folder = epath.Path(folder)
  manifest = read_manifest(folder)
  wanted, found = manifest['files'], set(_list_files(folder))
  for name in sorted(wanted.keys() - found):
    raise Damaged(f'{name} is missing')
  for name in sorted(found - wanted.keys()):
    raise Damaged(f'{name} does not belong to it')
  for name, entry in wanted.items():
    size = (folder / name).stat().length
    if size != entry['bytes']:
      raise Damaged(f'{name} has {size} bytes instead of {entry["bytes"]}')
    if _hash(folder / name) != entry:
      raise Damaged(f'{name} differs from what was written')
  return manifest


def _list_files(folder, prefix=''):
  names = []
  for entry in folder.iterdir():
    if entry.is_dir():
      names += _list_files(entry, f'{prefix}{entry.name}/')
    elif prefix or not entry.name.removeprefix('.').startswith(NAME):
      names.append(prefix + entry.name)
  return sorted(names)


def _hash(path):
  digest, size = hashlib.blake2b(digest_size=32), 0
  with path.open('rb') as file:
    while chunk := file.read(_CHUNK_BYTES):
      digest.update(chunk)
      size += len(chunk)
  return {'bytes': size, 'blake2b': digest.hexdigest()}


def _sealed(manifest):
  manifest = records.plain(manifest)
  return {**manifest, 'seal': _seal(manifest)}


def _seal(manifest):
  fields = {key: value for key, value in manifest.items() if key != 'seal'}
  text = json.dumps(fields, sort_keys=True, separators=(',', ':'))
  return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
