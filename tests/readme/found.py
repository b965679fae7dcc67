"""What the README and the pages of docs tell a person to type.

Commands stand in code that is indented by four spaces or between backticks. Beside them stand parts
of commands: options (`--input=-`), settings of the environment (`ACCELERATOR=tpu`) and pages
(`configs/vae.py:small`). The walks are left out: tests/walk.py runs them.
"""

import importlib
import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGES = ('README.md', *sorted(f'docs/{path.name}' for path in (ROOT / 'docs').glob('*.md')))
PROGRAMS = ('python ', 'make ', 'pip ', 'curl ', 'cat ', 'find ', 'gcloud ', 'srun ', 'xprof ',
            'wandb ', 'timm.', 'jax.export.', 'pandas.')
SNIPPETS = ('from ', 'import ', '#!')          # of several lines, and known by the first
BLOCK = re.compile(r'(?:^ {4}.*\n)+', re.MULTILINE)
INLINE = re.compile(r'`([^`]+)`')
DEFAULTS = ('configs/base.py', 'configs/saved.py')   # pages that nobody runs by themselves
EXTRA = re.compile(r"pip install -e '?\.(?:\[(\w+)\])?'?")
PAGE = re.compile(r'configs/(\w+)\.py(?::\w+)?')
PART = re.compile(rf'--[a-z]|[A-Z_]{{5,}}=|{PAGE.pattern}')
SETTING = re.compile(r'[A-Z_]+=\S+ ')          # before a command


class Found(NamedTuple):
  """A command, or a part of one."""

  page: str
  text: str                       # on one line, with single spaces; of a snippet its first line
  lines: str                      # as it stands there


def find_commands() -> dict[str, Found]:
  """{text: where it stands first} of every command."""
  return _by_text(found for found in _find_all() if _is_command(found.text))


def find_parts() -> dict[str, Found]:
  """{text: where it stands first} of options, settings and pages that stand by themselves."""
  return _by_text(found for found in _find_all()
                  if PART.match(found.text) and not _is_command(found.text)
                  and not found.text.startswith(DEFAULTS))


def find_presets() -> list[str]:
  """Every page of configs with every preset that it has: 'configs/vae.py', 'configs/vae.py:small'.

  The defaults, and what a workdir has saved, are left out.
  """
  paths = sorted(f'configs/{path.name}' for path in (ROOT / 'configs').glob('[!_]*.py'))
  pages = {path: importlib.import_module(path.removesuffix('.py').replace('/', '.'))
           for path in paths if path not in DEFAULTS}
  return [f'{path}{preset}' for path, page in pages.items()
          for preset in ('', *(f':{preset}' for preset in getattr(page, 'PRESETS', ())))]


def load_page(preset: str):
  """The config of a page, such as 'configs/vae.py:small'."""
  path, _, name = preset.partition(':')
  return importlib.import_module(path.removesuffix('.py').replace('/', '.')).get_config(name)


def find_in(page: str, text: str) -> list[Found]:
  """All code of one page. Args: page: its name; text: what it holds."""
  blocks = [line for block in BLOCK.findall(text) for line in _lines_of(block)]
  inline = INLINE.findall(BLOCK.sub('\n', text).partition('\n## The tree')[0])
  return [Found(page, ' '.join(_without_comment(code.partition('\n')[0] if _is_snippet(code)
                                                else code).split()), code)
          for code in (*blocks, *inline)]


def _find_all():
  return [found for page in PAGES for found in find_in(page, (ROOT / page).read_text())]


def _by_text(all_found):
  first = {}
  for found in all_found:
    first.setdefault(found.text, found)
  return first


def _lines_of(block):
  block = re.sub(r'^ {4}', '', block, flags=re.MULTILINE)
  return [block] if _is_snippet(block) else block.replace('\\\n', ' ').splitlines()


def _is_snippet(code):
  return code.startswith(SNIPPETS)


def _without_comment(line):
  return re.sub(r'\s+# .*', '', line)


def _is_command(text):
  return SETTING.sub('', text).startswith(PROGRAMS) or _is_snippet(text)
