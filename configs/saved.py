"""The config that a workdir was trained with: `configs/saved.py:runs/tagger`.

`main.py` names this page by itself when a job is given a workdir and no config. Keys that are newer
than the workdir have their default.
"""

import json
import os

from etils import epath

from configs import base
from errors import UserError


def get_config(arg: str):
  """Reads `<arg>/config.json` over the defaults. Args: arg: path of the workdir."""
  path = epath.Path(os.path.expanduser(arg)) / 'config.json'
  try:
    saved = json.loads(path.read_text())
  except (FileNotFoundError, NotADirectoryError):
    raise UserError(f"no trained workdir at '{arg}': {path} does not exist; "
                    'train first, or name the folder with --workdir') from None
  except ValueError as error:
    raise UserError(f'{path} is not JSON ({error}); restore it or train again') from None
  if not isinstance(saved, dict):
    raise UserError(f'{path} holds no config, a JSON object of sections; restore it or train again')
  config = base.get_config()
  config.update(_tuples(saved))
  return config


def _tuples(value):
  """JSON has lists only; a config holds tuples."""
  if isinstance(value, dict):
    return {key: _tuples(item) for key, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
