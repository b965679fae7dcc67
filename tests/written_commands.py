"""The commands that a page of Markdown tells a person to type, and whether they can be typed."""

import importlib
import pathlib
import re
import shlex
from typing import NamedTuple

from absl import flags

import main  # noqa: F401  (it defines the flags)
from configs import base
from jobs import JOBS

ROOT = pathlib.Path(__file__).parent.parent


class Block(NamedTuple):
  """Commands of a page that are run together."""

  line: int  # of the page, where they begin
  text: str


def find_blocks(page: str) -> list[Block]:
  """The fenced blocks ```bash of a page: what a person types, in this order."""
  return [Block(page[:found.start()].count('\n') + 2, found[1])
          for found in re.finditer(r'^```bash\n(.*?)^```$', page, re.DOTALL | re.MULTILINE)]


def find_commands(page: str) -> list[str]:
  """Every `python main.py ...` of a page's blocks, on one line."""
  joined = '\n'.join(block.text for block in find_blocks(page)).replace('\\\n', ' ')
  found = re.findall(r'python main\.py [^|&;<>\n]*', joined)
  return [' '.join(command.split()) for command in found]


def find_pictures(page: str) -> list[str]:
  """Paths of the pictures that a page shows, as they stand there."""
  return re.findall(r'!\[[^\]]*\]\(([^)]+)\)', page)


def find_links(page: str) -> list[str]:
  """Paths of the files that a page links to or shows, as they stand there."""
  return re.findall(r'\]\(([^)#:]+)\)', page)


def check_command(command: str) -> None:
  """Raises AssertionError where a flag, page, preset, job, key or value does not exist."""
  given = {}
  for word in shlex.split(command)[2:]:
    assert word.startswith('--'), f'{word} is no flag'
    name, _, value = word[2:].partition('=')
    given[name] = value
  assert 'config' in given or 'workdir' in given, 'neither --config nor --workdir'
  assert given.get('job') is None or given['job'] in JOBS, f"no job {given['job']}"
  config = _config_of(given['config']) if 'config' in given else base.get_config()
  for name, value in given.items():
    if '.' in name:
      _check_key(config, name, value)
    else:
      assert name in flags.FLAGS, f'no flag --{name}'


def check_keys(text: str) -> None:
  """Raises AssertionError where a text names --config.a.b and there is no such key."""
  for path in re.findall(r'--(?:no)?config\.([a-z_.]*[a-z_])', text):
    _value_of(base.get_config(), path)


def _config_of(page):
  path, _, preset = page.partition(':')
  assert (ROOT / path).is_file(), f'no page {path}'
  module = path.removesuffix('.py').replace('/', '.')
  return importlib.import_module(module).get_config(preset)  # UserError: no such preset


def _check_key(config, name, value):
  root, _, path = name.partition('.')
  assert root in ('config', 'noconfig'), f'no flag --{name}'
  now = _value_of(config, path)
  kind = type(now)
  if kind is bool or root == 'noconfig':
    assert kind is bool and value in ('', 'true', 'false'), f'--{name}={value}: {path} is {now}'
  elif kind is tuple:
    assert value.startswith('(') and value.endswith(')'), f'--{name}={value} is no tuple'
  else:
    kind(value)                                    # ValueError: it is no such number


def _value_of(config, path):
  for part in path.split('.'):
    assert part in config, f'no key config.{path}'
    config = config[part]
  return config
