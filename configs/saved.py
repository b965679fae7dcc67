"""The config that a workdir was trained with: `configs/saved.py:runs/tagger`.

`main.py` names this page by itself when a job is given a workdir and no config. A workdir or an
exported folder may come from anyone. It decides what it is: its net, how pictures are read, how it
trains, what is grouped or compared in it, and how training in it goes on (GOING_ON). All else, how
and where this program runs and what it does with the net (caches, hosts, ports, workers, where
figures are sent, captions), comes from configs/base.py and the flags of the command alone. So do
keys that are newer than the workdir, and data.dir, unless data were prepared in that folder before.
"""

import json
import os

from etils import epath

from configs import base
from errors import UserError, shortened

EXPORTED = 'oko'                  # section of an exported folder's config.json
SECTIONS = ('task', 'data', 'net')  # of every config; one of another program has none of them
MOST_BYTES = 1 << 26
BELIEVED = ('seed', 'job', 'task', 'small_page', 'checkpoint', 'data', 'net', 'loss', 'pose',
            'autoencoder', 'optimizer', 'train', 'eval', 'crop', 'cluster', 'neighbours', 'audit',
            'study')
PREPARED = ('toon', 'phantom', 'boards', 'tfds_index')  # folders in data.dir, by what is in them
# Keys of `runtime` that only training in the workdir reads, and that name no place or machine.
GOING_ON = ('log_every_steps', 'checkpoint_every_steps', 'keep_last', 'keep_every_steps',
            'on_failed_save', 'tensorboard', 'stuck_sec')


def get_config(arg: str):
  """Reads `<arg>/config.json` over the defaults. Args: arg: path of the workdir."""
  path = epath.Path(os.path.expanduser(arg)) / 'config.json'
  text = _read(path, arg)
  if len(text) > MOST_BYTES:
    raise UserError(f'{path} has more than {MOST_BYTES:,} bytes, which no config has')
  try:
    saved = json.loads(text)
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path} is not JSON ({error}); restore it or train again') from None
  if not isinstance(saved, dict):
    raise UserError(f'{path} holds no config, a JSON object of sections; restore it or train again')
  if EXPORTED in saved:
    saved = _of_exported(path, saved[EXPORTED])
  if not any(name in saved for name in SECTIONS):
    raise UserError(f"{path} is no config of this program: it lacks {', '.join(SECTIONS)}; name "
                    'the workdir that --job=train wrote')
  config = base.get_config()
  take(config, saved, path)
  return config


def _read(path, arg):
  """At most one byte more of a file than a config may have."""
  try:
    with path.open('rb') as file:
      return file.read(MOST_BYTES + 1)
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(f"no trained workdir at '{arg}': {path} does not exist; "
                    'train first, or name the folder with --workdir') from None
  except (OSError, ValueError) as error:  # the latter of a zero byte in the path
    reason = getattr(error, 'strerror', None) or error
    raise UserError(f'{path} cannot be read ({reason}); restore it or train again') from None
  except Exception as error:      # each kind of store has its own
    if '://' not in arg:
      raise
    reason = shortened(' '.join(str(error).split()) or type(error).__name__)
    raise UserError(f'{path} cannot be read: {reason}') from None


def take(config, saved: dict, path) -> None:
  """Sets what a saved config decides in a config that has every key, and leaves the rest.

  Args: saved: nested dicts, with lists or tuples; path: of its file, for the message.

  Raises: UserError: no config of this program is so.
  """
  given_dir = config.data.dir
  try:
    believed = {key: saved[key] for key in BELIEVED if key in saved}
    believed['runtime'] = {key: value for key, value in saved.get('runtime', {}).items()
                           if key in GOING_ON}
    config.update(_tuples(believed))
    if not any(os.path.isdir(os.path.join(os.path.expanduser(config.data.dir), name))
               for name in PREPARED):
      config.data.dir = given_dir
  except (TypeError, ValueError, AttributeError, KeyError, OverflowError,
          RecursionError) as error:
    reason = shortened(' '.join(str(error).split()))
    raise UserError(f'{path} holds no config that this program knows ({reason}); restore it, train '
                    'or export again') from error


def _of_exported(path, about):
  inner = about.get('config') if isinstance(about, dict) else None
  if not isinstance(inner, dict):
    raise UserError(f'{path} is damaged: it lacks the config that --job=export writes; export '
                    'again')
  return inner


def _tuples(value):
  """JSON has lists only; a config holds tuples, and nothing that is null."""
  if value is None:
    raise TypeError('null is no value of a config')
  if isinstance(value, dict):
    return {key: _tuples(item) for key, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
