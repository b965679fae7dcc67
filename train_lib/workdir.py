"""The folder of one run: its config, its record, its log of metrics and its lock.

Paths may be local or anything that `etils.epath` opens (gs:// and the like); what is written in
place of an older file is written whole or not at all.
"""

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import socket
import subprocess
import sys

import ml_collections
from etils import epath

from errors import UserError
from train_lib import exported
from train_lib.records import absolute, read_fields, read_json, write_json, write_text
from train_lib.remote import make_folder

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'opencv-python-headless',
            'tensorflow-datasets')
# What cannot change what a run learns: how it is run, and the sections of the jobs that come later.
FREE = ('job', 'runtime', 'checkpoint', 'predict', 'crop', 'synthesize', 'cluster', 'neighbours',
        'export', 'serve', 'audit', 'study')
OURS = ('lock.json', 'run.json', 'logs')  # may stand in a workdir before its config does

_log = logging.getLogger(__name__)


# Config -----------------------------------------------------------------------------------------


def save_config(path, config) -> None:
  """Writes a ConfigDict as JSON (tuples as lists)."""
  write_text(path, json.dumps(_config_json(config), indent=2, allow_nan=False) + '\n')


def load_config(path) -> ml_collections.ConfigDict:
  """Reads a config written by `save_config`, or that of an exported folder; lists come back as
  tuples."""
  values = read_json(path)
  if not isinstance(values, dict):
    raise UserError(f'{path} holds no config: a JSON object of sections was expected.')
  if exported.SECTION in values:
    values = exported.check_about(path, values)['config']
  return exported.to_config(values)


def config_digest(config) -> str:
  """SHA-256 (hex) of everything in a config that can change what is learned."""
  values = {key: value for key, value in _config_json(config).items() if key not in FREE}
  text = json.dumps(values, sort_keys=True, separators=(',', ':'), allow_nan=False)
  return hashlib.sha256(text.encode()).hexdigest()


def diff_configs(old, new) -> list[str]:
  """Returns one line for each key that differs, such as `optimizer.lr: 0.001 -> 0.01`."""
  old, new = _flat(_config_json(old)), _flat(_config_json(new))
  lines = []
  for path in sorted(old.keys() | new.keys()):
    if path not in new:
      lines.append(f'{path}: {old[path]} -> (no such key)')
    elif path not in old:
      lines.append(f'{path}: (no such key) -> {new[path]}')
    elif old[path] != new[path]:
      lines.append(f'{path}: {old[path]} -> {new[path]}')
  return lines


# The workdir ------------------------------------------------------------------------------------


def open_workdir(path, config, named=None) -> epath.Path:
  """Creates the folder of a run, or opens it to go on; writes nothing into it.

  Args:
    path: the folder, local or remote.
    config: the resolved config of this command.
    named: the folder that the person named, where this is a folder in it.

  Returns:
    The folder, as an absolute path.

  Raises:
    UserError: when the folder belongs to a run with another config (outside `FREE`) or to
      something else. Until a checkpoint is saved, nothing can be mixed and any config may follow.
  """
  path = absolute(path)
  saved = path / 'config.json'
  check_is_run(path)
  if path.exists() and not path.is_dir():
    raise UserError(f'--workdir={path} is a file; name a folder.')
  if saved.exists():
    if any((path / 'checkpoints').glob('*')):
      _check_config(path, load_config(saved), config, named or path)
  elif path.exists() and any(entry.name not in OURS and not entry.name.startswith('.')
                             for entry in path.iterdir()):
    raise UserError(
      f'{path} holds other files and no config.json, so it is not the folder of a run; name a new '
      f'or an empty one, such as --workdir={free_name(path)}.')
  else:
    make_folder(path)
  return path


def begin_run(path, config, *, config_name: str) -> None:
  """Writes config.json and this start's description into run.json; call it with the lock held.

  Args:
    path: of `open_workdir`.
    config: the resolved config of this command.
    config_name: what the config is called.
  """
  save_config(path / 'config.json', config)
  before = read_run(path)
  fresh = not any((path / 'checkpoints').glob('*'))
  update_run(path, config_name=config_name, starts=[*before.get('starts', []), describe_start()],
             fingerprint=None if fresh else before.get('fingerprint'))


def check_is_run(path) -> None:
  """Raises UserError for a folder that --job=export wrote: it has a net, and no run."""
  if exported.is_exported(path):
    raise UserError(f'{path} is an exported net, without the run and the data that it comes from, '
                    'which this job needs; name the --workdir that --job=train wrote.')


def existing_workdir(path) -> epath.Path:
  """Returns the folder of a run that was begun, or of an exported net; UserError when there is
  none."""
  path = absolute(path)
  if not (path / 'config.json').exists():
    raise UserError(f'{path} is not the folder of a run: it has no config.json; name the --workdir '
                    'that --job=train wrote.')
  return path


def free_name(path) -> str:
  """Returns the first of `<path>-2`, `<path>-3`, ... that does not exist."""
  path = epath.Path(path)
  number = 2
  while (path.parent / f'{path.name}-{number}').exists():
    number += 1
  return str(path.parent / f'{path.name}-{number}')


def read_run(workdir) -> dict:
  """Returns run.json as a dict; empty when there is none yet."""
  path = epath.Path(workdir) / 'run.json'
  return read_fields(path) if path.exists() else {}


def update_run(workdir, **fields) -> None:
  """Sets top-level fields of run.json and leaves the others."""
  write_json(epath.Path(workdir) / 'run.json', {**read_run(workdir), **fields})


def describe_start() -> dict:
  """Returns what run.json says about a start: time, code, versions, machine, devices, flags.

  Touches the devices: with several hosts, call it after `jax.distributed.initialize`.
  """
  import jax

  devices = jax.devices()
  return {
    'time': now(),
    'commit': _commit(),
    'command': sys.argv,
    'host': socket.gethostname(),
    'platform': platform.platform(),
    'cpus': os.cpu_count(),
    'processes': jax.process_count(),
    'devices': {'kind': devices[0].device_kind, 'platform': devices[0].platform,
                'count': len(devices)},
    'xla_flags': os.environ.get('XLA_FLAGS', ''),
    'versions': versions(),
  }


def versions() -> dict[str, str]:
  """Returns the versions of Python and of the packages that can change results."""
  found = {'python': platform.python_version()}
  for name in PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[name] = importlib.metadata.version(name)
  return found


def now() -> str:
  """Returns the time as ISO 8601, UTC, whole seconds."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


def _check_config(path, old, new, named):
  results, free = [], []
  for line in diff_configs(old, new):
    (free if re.split('[.:]', line)[0] in FREE else results).append(line)
  if results:
    raise UserError(
      f'{path} was begun with another config, and going on would mix the two:\n  '
      + '\n  '.join(results)
      + f'\nTake these changes back to go on, or start afresh with --workdir={free_name(named)}.')
  for line in free:
    _log.info('%s: changed since the last start: %s', path, line)


def _commit():
  root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
  try:
    git = [subprocess.run(['git', '-C', root, *args], capture_output=True, text=True, timeout=10)
           for args in (('rev-parse', 'HEAD'), ('status', '--porcelain'))]
  except (OSError, subprocess.TimeoutExpired):
    return ''
  if git[0].returncode:
    return ''
  return git[0].stdout.strip() + (' + changes' if git[1].stdout.strip() else '')


def _config_json(config):
  """A config as plain dicts and lists, exactly as a JSON round trip gives it."""
  values = config.to_dict() if isinstance(config, ml_collections.ConfigDict) else dict(config)
  try:
    return json.loads(json.dumps(values, allow_nan=False))
  except (TypeError, ValueError) as error:
    raise UserError(f'the config cannot be stored as JSON: {error}; use numbers, strings, booleans '
                    'and tuples of them.') from error


def _flat(values, prefix=''):
  flat = {}
  for key, value in values.items():
    if isinstance(value, dict) and value:
      flat.update(_flat(value, f'{prefix}{key}.'))
    else:
      flat[f'{prefix}{key}'] = json.dumps(value)
  return flat
