"""Every figure of docs/results.md, measured again at one commit.

    python -m benchmarks.results --list
    python -m benchmarks.results --folder=runs/results --write
    python -m benchmarks.results --only=tagger,transfer --data clothing=photos/clothing \\
        --weights=inception_v3_to_mixed8.npz

Part after part its commands are run, as the page tells them, and what they leave is recorded in
docs/results.json: figures, seconds, commit, machine. A part that is recorded for the program as it
is now is kept; after a stop (Ctrl-C, SIGTERM) the same command goes on where it was. What a part
needs is told by --list, and a part whose needs are not there is skipped. --write puts all that is
recorded into docs/results.md, between `<!-- NAME -->` and `<!-- /NAME -->`, and the rows of the
README's summary; `--only= --write` does that alone.
"""

import argparse
import importlib.util
import pathlib
import shlex
import subprocess
import sys

from benchmarks import command
from benchmarks.results import checkout, commands, pages
from benchmarks.results.parts import DATA, PARTS, told
from errors import UserError
from train_lib.reporting import human_time
from train_lib.storage import records


def main(argv=None) -> None:
  """Measures what is missing, records it, and writes the pages."""
  flags = read_flags(argv)
  names = chosen(flags.only)
  inputs = read_inputs(flags)
  if flags.list:
    list_parts(names, inputs, flags)
    return
  failed = measure(names, inputs, flags) if names else []
  if flags.write:
    pages.write(read_records(flags.records), pathlib.Path(flags.page), pathlib.Path(flags.readme))
  if failed:
    raise command.Failed(f'failed: {", ".join(failed)}')


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.prog = 'results'
  parser.add_argument('--folder', default='runs/results', help='of the runs, a folder in it for '
                      'each state of the program')
  parser.add_argument('--only', default=None, metavar='PART,PART', help='these parts; none: all')
  parser.add_argument('--data', nargs='+', action='extend', default=[], metavar='NAME=FOLDER',
                      help='; '.join(f'{name}: {what}' for name, what in DATA.items()))
  parser.add_argument('--weights', default='', help="Keras' Inception v3 up to mixed8")
  parser.add_argument('--rival_python', default=sys.executable, help='that has torch and the like')
  parser.add_argument('--list', action='store_true', help='parts, the time they took, their needs')
  parser.add_argument('--dirty', action='store_true', help='measure what is not committed')
  parser.add_argument('--again', action='store_true', help='record what is recorded '
                      'once more, from the runs that are there; for new runs another --folder')
  parser.add_argument('--write', action='store_true', help='put all records into the pages')
  parser.add_argument('--records', default=str(checkout.ROOT / 'docs/results.json'))
  parser.add_argument('--page', default=str(checkout.ROOT / 'docs/results.md'))
  parser.add_argument('--readme', default=str(checkout.ROOT / 'README.md'))
  return parser.parse_args(argv)


def chosen(only: str | None) -> list[str]:
  """Names of parts, in the order of the table. Raises: UserError: there is no such part."""
  names = list(PARTS) if only is None else [name for name in only.split(',') if name]
  for name in names:
    if name not in PARTS:
      raise UserError(f"--only: there is no part '{name}'; the parts are {', '.join(PARTS)}")
  return [name for name in PARTS if name in names]


def read_inputs(flags) -> dict[str, str]:
  """{name of DATA or 'weights' or 'rivals': path} of what was given.

  Raises: UserError: an unknown name, or something that is not there.
  """
  inputs = {'rivals': flags.rival_python}
  for word in flags.data:
    name, _, path = word.partition('=')
    if name not in DATA or not path:
      raise UserError(f"--data {word}: expected NAME=FOLDER, NAME one of {', '.join(DATA)}")
    inputs[name] = path
  if flags.weights:
    inputs['weights'] = flags.weights
  for name, path in inputs.items():
    found = pathlib.Path(path).expanduser()
    if name != 'rivals' and not (found.is_file() if name == 'weights' else found.is_dir()):
      raise UserError(f"{path}, named as {name}, is no {'file' if name == 'weights' else 'folder'}")
    inputs[name] = str(found.absolute())
  return inputs


def list_parts(names, inputs, flags) -> None:
  """A line for each part: its name, how long it took when it was recorded, its needs, its state."""
  program, recorded = checkout.program_digest(), read_records(flags.records)
  for name in names:
    part = PARTS[name]
    lacks = missing(part, inputs, runs_folder(flags, program), ())
    state = ('recorded' if recorded.get(name, {}).get('program') == program else
             f'lacks {", ".join(lacks)}' if lacks else 'to be measured')
    took = human_time(sum(recorded[name]['seconds'])) if name in recorded else 'unknown'
    print(f'{name:<18}{took:>8}  '
          f'{", ".join((*part.needs, *part.packages)) or "-":<34}{state}')


def measure(names, inputs, flags) -> list[str]:
  """Measures and records every part that is not recorded yet. Returns: the names that failed."""
  commit, program = checkout.commit(flags.dirty), checkout.program_digest()
  folder, failed = runs_folder(flags, program), []
  for name in names:
    before = read_records(flags.records).get(name, {})
    lacks = missing(PARTS[name], inputs, folder, failed)
    if before.get('program') == program and not flags.again:
      print(f'{name}: recorded at {before["commit"][:7]}, kept', flush=True)
    elif lacks:
      print(f'{name}: skipped, as it needs {", ".join(lacks)}', flush=True)
    else:
      try:
        record = {'commit': commit, 'program': program, **measure_part(name, inputs, folder)}
        pages.blocks_of(name, record)
      except Exception as error:  # whatever it is, the other parts are measured too
        print(f'{name}: failed: {type(error).__name__}: {error}', flush=True)
        failed.append(name)
        continue
      if not flags.dirty and checkout.program_digest() != program:
        raise UserError(f'the program was changed while {name} was measured, which is then of no '
                        'commit; measure in a checkout of its own (git worktree add)')
      add_record(flags.records, name, record)
      print(f'{name}: recorded, {human_time(sum(record["seconds"]))}', flush=True)
  return failed


def runs_folder(flags, program: str) -> pathlib.Path:
  """Where the runs of this state of the program lie."""
  return pathlib.Path(flags.folder).expanduser().absolute() / program


def missing(part, inputs, folder, failed) -> list[str]:
  """What a part needs and does not have, in words."""
  lacks = [f'the package {name}' for name in part.packages if not importlib.util.find_spec(name)]
  for need in part.needs:
    if need in PARTS:
      if need in failed or not commands.is_done(folder, need):
        lacks.append(f'the run of {need} in {folder}')
    elif need == 'torch':
      look = 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'
      if subprocess.run([inputs['rivals'], '-c', look], check=False).returncode:
        lacks.append('torch (--rival_python=PATH)')
    elif need not in inputs:
      lacks.append('--weights=FILE' if need == 'weights' else f'--data {need}=FOLDER')
  return lacks


def measure_part(name: str, inputs: dict, folder: pathlib.Path) -> dict:
  """What is recorded of a part, but for the commit.

  Raises: Failed; Unreadable, and others like it: the commands left something else than expected.
  """
  part = PARTS[name]
  paths = {what: shlex.quote(str(path)) for what, path in {**inputs, 'runs': folder}.items()}
  typed = [line.format(**paths) for line in part.commands]
  spent = commands.run_all(name, typed, folder, part.settings)
  logs = [commands.log_path(folder, name, number).read_text(errors='replace')
          for number in range(len(typed))]
  return {'commands': list(map(told, part.commands)), **spent,
          'settings': [f'{key}={value}' for key, value in part.settings.items()],
          'figures': part.read(folder, logs)}


def read_records(path: str) -> dict:
  """{name: record} of the parts that are recorded; those of parts that are no more are left out."""
  path = pathlib.Path(path)
  if not path.exists():
    return {}
  found = records.read_json(path).get('parts', {})
  return {name: found[name] for name in PARTS if name in found}


def add_record(path: str, name: str, record: dict) -> None:
  """Adds the record of a part, or replaces it; the file is whole at any time."""
  parts = {**read_records(path), name: record}
  records.write_json(path, {'parts': {name: parts[name] for name in PARTS if name in parts}})


if __name__ == '__main__':
  command.run(main)
