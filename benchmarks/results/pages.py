"""Puts what was recorded into docs/results.md and into the README's summary; prose stays."""

import pathlib
import re
import textwrap

from benchmarks.results.commands import TUNED
from benchmarks.results.parts import PARTS
from benchmarks.results.tables import human
from benchmarks.scale_costs import put_in, short_commit
from errors import UserError
from train_lib.storage import records

WIDTH = 105                       # of a line of the page
SUMMARY = 'summary'               # the README's place


def write(parts: dict, page: pathlib.Path, readme: pathlib.Path) -> None:
  """Writes both, or neither.

  Args: parts: {name of a part: its record}; page: of the tables; readme: of the summary.

  Raises: UserError: one is not there, or has no place for a table.
  """
  new = [(path, make(_text(path), path)) for path, make in (
      (page, lambda text, path: _with_tables(text, parts, path)),
      (readme, lambda text, path: _with_summary(text, parts, path)))]
  for path, text in new:
    records.write_text(path, text)


def _text(path):
  if not path.is_file():
    raise UserError(f'--write puts tables into {path}, which does not exist')
  return path.read_text()


def _with_tables(text, parts, path):
  blocks = {place: block for name, record in parts.items()
            for place, block in blocks_of(name, record)[0].items()}
  try:
    return put_in(text, blocks)
  except UserError as error:
    raise UserError(f'{path}: {error}') from None


def _with_summary(text, parts, path):
  """The rows of the parts that were recorded take the place of those that say the same."""
  found = re.search(rf'<!-- {SUMMARY} -->\n(.*?)<!-- /{SUMMARY} -->', text, re.DOTALL)
  if not found:
    raise UserError(f'{path} has no place for the summary: <!-- {SUMMARY} --> and '
                    f'<!-- /{SUMMARY} -->')
  rows = {_first_cell(line): line for line in found[1].strip().splitlines()}
  for name, record in parts.items():
    if row := blocks_of(name, record)[1]:
      rows[_first_cell(row)] = row
  return text[:found.start(1)] + '\n'.join(rows.values()) + '\n' + text[found.end(1):]


def blocks_of(name: str, record: dict) -> tuple[dict[str, str], str]:
  """({name of a place: what stands there}, the summary's row or '') of a part's record.

  Raises: UserError: the figures are not those that tables are made of.
  """
  part, figures = PARTS[name], record['figures']
  try:
    blocks = {place: f'{head(record)}\n\n{lines}' for place, lines in part.tables(figures).items()}
    if not part.summary:
      return blocks, ''
    cells = part.summary(figures)
  except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
    raise UserError(f'what is recorded of {name} is not what its table is made of '
                    f'({type(error).__name__}: {error}); record it once more with --only={name} '
                    '--again') from error
  cells = (*cells, human(record['seconds'][0]), f'`{record["commands"][0]}`',
           f'{short_commit(record["commit"])}, {record["machine"]["processor"]}')
  return blocks, f'| {" | ".join(cells)} |'


def _first_cell(line):
  return line.strip().strip('|').partition('|')[0].strip()


def head(record: dict) -> str:
  """The line over a table: commands, commit, machine, time. Args: record: of a part."""
  commands = ', then '.join(
      f'`{command}` ({human(seconds)}{f" in {starts} starts" * (starts > 1)})' for
      command, seconds, starts in zip(record['commands'], record['seconds'], record['starts'],
                                      strict=True))
  machine, settings = record['machine'], record['settings']
  versions = ', '.join(f'{name.capitalize() if name == "python" else name} {number}' for
                       name, number in machine['versions'].items() if name in ('python', 'jax'))
  as_main = [f'{name}={value}' for name, value in TUNED.items()]
  with_them = (', with the settings that `main.py` starts itself with' if settings == as_main else
               f', with {" ".join(f"`{one}`" for one in settings)}' if settings else '')
  return textwrap.fill(
      f'{commands}{with_them}; commit {short_commit(record["commit"])}; {machine["processors"]} '
      f'processors of {machine["processor"]}, {machine["memory_gib"]} GiB, load '
      f'{machine["load_before"]:g} before; {versions}.',
      WIDTH, break_long_words=False, break_on_hyphens=False)
