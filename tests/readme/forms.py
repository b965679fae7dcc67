"""All commands of the README and of docs in the form that tests/readme_commands.py runs."""

import re
import shlex
from typing import NamedTuple

from tests.readme.forms_train import FIRST, PAGES
from tests.readme.forms_use import AFTER, BENCHMARKS, USE
from tests.readme.found import PAGE

STAGES = (FIRST, {**PAGES, **USE, **BENCHMARKS}, AFTER)   # one begins when that before it has ended
FORMS = {key: form for stage in STAGES for key, form in stage.items()}
FLAG = re.compile(r'--[a-z][\w.]*')
CHOICE = re.compile(r'[a-z_]+')    # a value that is one of a few words


class Form(NamedTuple):
  """What is run for some commands."""

  command: str                    # for bash
  written: tuple[str, ...]        # the commands as the pages have them


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
