"""The folder of one run: its config, its record, its log of metrics and its lock.

Paths may be local or anything that `etils.epath` opens (gs:// and the like); what is written in
place of an older file is written whole or not at all.
"""

import copy
import datetime
import hashlib
import json
import os
import platform
import socket
import sys

import ml_collections
from etils import epath

from configs import base, saved
from errors import UserError
from train_lib.code_versions import commit, versions
from train_lib.export import exported
from train_lib.reporting import say
from train_lib.storage.records import absolute, read_fields, read_json, write_json, write_text
from train_lib.storage.remote import make_folder

# What cannot change what a run learns: how it is run, and the sections of the jobs that come later.
FREE = ('job', 'runtime', 'checkpoint', 'predict', 'crop', 'synthesize', 'cluster', 'neighbours',
        'export', 'serve', 'audit', 'study', 'benchmark')
# Keys of `train` that may change too: what becomes of a step that diverges. Every start notes them;
# for the digest all of their values are these.
FREE_IN_TRAIN = {'on_divergence': 'abort', 'divergence_limit': 10}
FIGURES = {str: {str: (float, None)}}
RUN = {                           # form of run.json
    'config_name': str, 'step': (int, None), 'end': str, 'finished': bool,
    'fingerprint': (str, None), 'config_digests': [str], 'accepted_changes': [dict],
    'starts': [{'time': str, 'commit': str, 'command': [str], 'host': str, 'cpus': (int, None),
                'devices': {'kind': str, 'platform': str, 'count': int}, 'versions': {str: str}}],
    'goodput': {str: float}, 'checkpointing': {str: float}, 'diverged': {str: int},
    'chosen': {'checkpoint': str, 'step': int, 'epoch': float, 'metric': str,
               'value': (float, None)},
    'test': FIGURES, 'valid': {str: (float, None)}, 'thresholds': {str: (float, None)}}
OURS = ('lock.json', 'run.json', 'logs')  # may stand in a workdir before its config does
OTHERS = ('.', 'benchmark')       # how names of others begin that may: those of --job=benchmark


# Config -----------------------------------------------------------------------------------------


def save_config(path, config) -> None:
  """Writes a ConfigDict as JSON (tuples as lists)."""
  write_text(path, json.dumps(_config_json(config), indent=2, allow_nan=False) + '\n')


def load_config(path) -> ml_collections.ConfigDict:
  """Reads a config written by `save_config`, or that of an exported folder; lists come back as
  tuples. Raises: UserError: it is damaged, or a file of another program."""
  values = read_json(path)
  if not isinstance(values, dict):
    raise UserError(f'{path} holds no config: a JSON object of sections was expected.')
  if exported.SECTION in values:
    values = exported.check_about(path, values)['config']
  elif not any(name in values for name in saved.SECTIONS):
    raise UserError(f'{path} is no config of this program: it lacks '
                    f"{', '.join(saved.SECTIONS)}; name the --workdir that --job=train wrote, or a "
                    'new folder.')
  return exported.to_config(values)


def config_of_run(folder, config) -> ml_collections.ConfigDict:
  """A copy of a config with all that the run in a folder decides; the rest is as in `config`.

  Raises: UserError: it holds no run or exported net, or no config that this program knows.
  """
  path = existing_workdir(folder) / 'config.json'
  values, config = load_config(path), copy.deepcopy(config)
  with config.unlocked():
    saved.take(config, values.to_dict(), path)
  return config


def config_digest(config) -> str:
  """SHA-256 (hex) of everything in a config that cannot change within a run."""
  values = _config_json(config)
  if isinstance(values.get('train'), dict):
    values['train'] = {key: FREE_IN_TRAIN.get(key, value) for key, value in values['train'].items()}
  return _digest(values)


def _digest(values: dict) -> str:
  text = json.dumps({key: value for key, value in values.items() if key not in FREE},
                    sort_keys=True, separators=(',', ':'), allow_nan=False)
  return hashlib.sha256(text.encode()).hexdigest()


def run_digest(workdir, config) -> str:
  """The digest of the config that a run began with, if it goes on with this one; else this one's.

  They differ where keys are newer than the run and have their default; `begin_run` notes that.
  """
  digest, known = config_digest(config), read_run(workdir).get('config_digests', ())
  return known[0] if digest in known else digest


def _known_digests(before: dict, old: dict, digest: str) -> list[str]:
  """Digests of the configs of a run, which count as one; the first is of that which it began with.

  Args: before: run.json; old: config.json; digest: of the config that fits it.
  """
  known = before.get('config_digests') or [_digest(old)]
  is_own = _digest(old) in known or config_digest(old) in known  # else it was changed by hand
  return [*known, digest] if is_own and digest not in known else known


def diff_configs(old, new, defaults=None) -> list[str]:
  """Returns one line for each key that differs, such as `optimizer.lr: 0.001 -> 0.01`.

  Args: defaults: a config; keys of it that `old` lacks count as having the value that it has.
  """
  defaults = _flat(_config_json(defaults or {}))
  old, new = _flat(_config_json(old)), _flat(_config_json(new))
  lines = []
  for path in sorted(old.keys() | new.keys()):
    before, after = (values.get(path, '(no such key)') for values in (old, new))
    if path not in old and path in defaults:
      before = after if after == defaults[path] else f'absent (default {defaults[path]})'
    if before != after:
      lines.append(f'{path}: {before} -> {after}')
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
    UserError: when the folder belongs to a run with another config (outside of what is free) or to
      something else. Until a checkpoint is saved, nothing can be mixed and any config may follow.
  """
  path = absolute(path)
  check_is_run(path)
  check_is_ours(path)
  if path.exists() and not path.is_dir():
    raise UserError(f'--workdir={path} is a file; name a folder.')
  if (path / 'config.json').exists():
    if any((path / 'checkpoints').glob('*')):
      _check_config(path, load_config(path / 'config.json'), config, named or path)
  elif path.exists() and any(entry.name not in OURS and not entry.name.startswith(OTHERS)
                             for entry in path.iterdir()):
    raise UserError(
      f'{path} holds other files and no config.json, so it is not the folder of a run; name a new '
      f'or an empty one, such as --workdir={free_name(path)}.')
  else:
    make_folder(path)
  return path


def keep_config(path, config, *, renew: bool = False) -> None:
  """Writes config.json into a workdir without one, so that later jobs need the workdir alone.

  Args: renew: also where there is one, unless it is that of a trained run; the others, and
    Raises: as those of `open_workdir`.
  """
  folder = absolute(path)
  check_is_ours(folder)
  if not (folder / 'config.json').exists() or renew and not (folder / 'tags.json').exists():
    save_config(open_workdir(path, config) / 'config.json', config)


def begin_run(path, config, *, config_name: str) -> None:
  """Writes config.json and this start's description into run.json; call it with the lock held.

  Args:
    path: of `open_workdir`.
    config: the resolved config of this command.
    config_name: what the config is called.
  """
  before = read_run(path)
  fresh = not any((path / 'checkpoints').glob('*'))
  digest = config_digest(config)
  digests = [digest] if fresh else _known_digests(
      before, _config_json(load_config(path / 'config.json')), digest)
  start = {**describe_start(), 'train': {key: config.train[key] for key in FREE_IN_TRAIN}}
  update_run(path, config_name=config_name, starts=[*before.get('starts', []), start],
             fingerprint=None if fresh else before.get('fingerprint'), config_digests=digests)
  save_config(path / 'config.json', config)


def check_is_run(path) -> None:
  """Raises UserError for a folder that --job=export wrote: it has a net, and no run."""
  if exported.is_exported(path):
    raise UserError(f'{path} is an exported net, without the run and the data that it comes from, '
                    'which this job needs; name the --workdir that --job=train wrote.')


def check_is_ours(path) -> None:
  """Raises UserError for a folder whose config.json another program wrote, or that is damaged."""
  file = absolute(path) / 'config.json'
  if file.exists():
    load_config(file)


def existing_workdir(path) -> epath.Path:
  """Returns the folder of a run, or of an exported net; UserError when it is none."""
  path = absolute(path)
  if not (path / 'config.json').exists():
    raise UserError(f'{path} is not the folder of a run: it has no config.json; name the --workdir '
                    'that --job=train wrote.')
  check_is_ours(path)
  return path


def free_name(path) -> str:
  """Returns the first of `<path>-2`, `<path>-3`, ... that does not exist."""
  path = epath.Path(path)
  number = 2
  while (path.parent / f'{path.name}-{number}').exists():
    number += 1
  return str(path.parent / f'{path.name}-{number}')


def read_run(workdir) -> dict:
  """Returns run.json as a dict; empty when there is none yet. Raises: UserError: see RUN."""
  path = epath.Path(workdir) / 'run.json'
  return read_fields(path, RUN) if path.exists() else {}


def check_judged(record: dict, config, workdir) -> None:
  """Raises UserError where a finished run was judged by another checkpoint than is asked for.

  Args: record: run.json of that run.
  """
  judged = record.get('chosen', {}).get('checkpoint', config.checkpoint)
  if judged != config.checkpoint:
    raise UserError(
        f"{workdir} is trained to its last step, and its test table is that of the checkpoint "
        f"'{judged}'; to measure '{config.checkpoint}' too: python main.py --job=evaluate "
        f'--workdir={workdir} --config.checkpoint={config.checkpoint}')


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
    'commit': commit(),
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


def now() -> str:
  """Returns the time as ISO 8601, UTC, whole seconds."""
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')


def _check_config(path, old, new, named):
  results, free = [], []
  for line in diff_configs(old, new, base.get_config()):
    section, _, key = line.partition(':')[0].partition('.')
    is_free = section in FREE or (section == 'train' and key in FREE_IN_TRAIN)
    (free if is_free else results).append(line)
  if results:
    raise UserError(
      f'{path} was begun with another config, and going on would mix the two:\n  '
      + '\n  '.join(results)
      + f'\nTake these changes back to go on, or start afresh with --workdir={free_name(named)}.')
  for line in free:
    say(f'changed since the last start of {path}: {line}')


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
