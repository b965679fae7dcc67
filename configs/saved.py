"""The config that a workdir was trained with: `configs/saved.py:runs/tagger`.

`main.py` names this page by itself when a job is given a workdir and no config. Keys that are newer
than the workdir have their default. An exported folder, which may come from anyone, decides what
its net is and how pictures are read, and nothing of how and where this program runs.
"""

import json
import os

from etils import epath

from configs import base
from errors import UserError, shortened

EXPORTED = 'oko'                  # section of an exported folder's config.json
OF_THE_NET = ('seed', 'task', 'checkpoint', 'data', 'net', 'loss', 'pose', 'autoencoder',
              'optimizer', 'train', 'eval', 'crop')


def get_config(arg: str):
  """Reads `<arg>/config.json` over the defaults. Args: arg: path of the workdir."""
  path = epath.Path(os.path.expanduser(arg)) / 'config.json'
  try:
    saved = json.loads(path.read_text())
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(f"no trained workdir at '{arg}': {path} does not exist; "
                    'train first, or name the folder with --workdir') from None
  except OSError as error:
    raise UserError(f'{path} cannot be read ({error.strerror or error}); restore it or train again'
                    ) from None
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path} is not JSON ({error}); restore it or train again') from None
  except Exception as error:                                  # noqa: BLE001
    if '://' not in arg:
      raise
    reason = shortened(' '.join(str(error).split()) or type(error).__name__)
    raise UserError(f'{path} cannot be read: {reason}') from None  # each kind of store has its own
  if not isinstance(saved, dict):
    raise UserError(f'{path} holds no config, a JSON object of sections; restore it or train again')
  if EXPORTED in saved:
    saved = _of_exported(path, saved[EXPORTED])
  config = base.get_config()
  try:
    config.update(_tuples(saved))
  except (TypeError, ValueError, AttributeError, KeyError, OverflowError,
          RecursionError) as error:
    reason = shortened(' '.join(str(error).split()))
    raise UserError(f'{path} holds no config that this program knows ({reason}); restore it, train '
                    'or export again') from error
  return config


def _of_exported(path, about):
  inner = about.get('config') if isinstance(about, dict) else None
  if not isinstance(inner, dict):
    raise UserError(f'{path} is damaged: it lacks the config that --job=export writes; export '
                    'again')
  return {key: value for key, value in inner.items() if key in OF_THE_NET}


def _tuples(value):
  """JSON has lists only; a config holds tuples."""
  if isinstance(value, dict):
    return {key: _tuples(item) for key, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
