"""All commands of the README and of docs in the form that tests/readme_commands.py runs."""

import re
import shlex
from typing import NamedTuple

from tests.readme.elsewhere import ELSEWHERE
from tests.readme.forms_train import FIRST, PAGES
from tests.readme.forms_use import AFTER, BENCHMARKS, USE
from tests.readme.found import PAGE, find_commands, find_presets, load_page
from tests.readme.sizes import PLAIN

PLAIN_COMMAND = re.compile(rf'(?:python main\.py --config=)?({PAGE.pattern})'
                           r'( --config\.data\.path=\S+)?')
FLAG = re.compile(r'--[a-z][\w.]*')
CHOICE = re.compile(r'[a-z_]+')    # a value that is one of a few words


class Form(NamedTuple):
  """What is run for some commands."""

  command: str                    # for bash
  written: tuple[str, ...]        # the commands as the pages have them


def plain_forms(rows: dict[str, str]) -> dict[str, str]:
  """{key: form} of the commands and presets that train a page and do nothing else.

  What a person has of pictures is read from the folder that tests/small_sources.py writes.

  Args: rows: {key: form} of those that have a row, which are left out.
  """
  forms, covered = {}, {page for key, form in rows.items() for page in pages_of(expand(key, form))}
  for key in (*find_commands(), *find_presets()):
    found = PLAIN_COMMAND.fullmatch(key)
    if not found or key in rows or key in ELSEWHERE or (key == found[1] and key in covered):
      continue
    config = load_page(found[1])
    if config.job == 'train' and not config.study.rows:
      forms[key] = ('' if found[1].endswith(':smoke') else
                    f'--config.data.path=sources/{config.data.source} {PLAIN}')
      covered.add(found[1])
  return forms


def list_stages() -> list[list[Form]]:
  """The stages with every form once, whichever of the commands of its text it was told for."""
  stages = []
  for stage in STAGES:
    forms = {}
    for key, form in stage.items():
      forms.setdefault(expand(key, form), []).append(key)
    stages.append([Form(command, tuple(written)) for command, written in forms.items()])
  return stages


def expand(key: str, form: str) -> str:
  """The command of a row. Args: form: what follows the command of the key, or another command."""
  if form and not form.startswith('--'):
    return form
  return f'{"python main.py --config=" if PAGE.match(key) else ""}{key} {form}'.strip()


def flags_of(command: str) -> set[str]:
  """The names of all options that are given in a command."""
  return set(FLAG.findall(command))


def pages_of(command: str) -> set[str]:
  """The pages that it names, each with its preset."""
  return {found[0] for found in PAGE.finditer(command)}


def holds(command: str, part: str) -> bool:
  """Whether a command has every option of a part, and those that are one of a few words as told."""
  if PAGE.match(part):
    return pages_of(part) <= pages_of(command) and flags_of(part) <= flags_of(command)
  for word in shlex.split(part):
    name, equals, value = word.partition('=')
    exact = equals and (not name.startswith('-') or CHOICE.fullmatch(value))
    if not re.search(rf'(?<![\w-]){re.escape(word)}(?![\w.])' if exact else
                     rf'(?<![\w-]){re.escape(name)}(?![\w.])', command):
      return False
  return True


_ROWS = {**FIRST, **PAGES, **USE, **BENCHMARKS, **AFTER}
# one begins when that before it has ended
STAGES = (FIRST, {**PAGES, **plain_forms(_ROWS), **USE, **BENCHMARKS}, AFTER)
FORMS = {key: form for stage in STAGES for key, form in stage.items()}
