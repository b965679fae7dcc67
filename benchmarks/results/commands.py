"""Runs the commands of a part, one after another, and notes what each took.

What is done already is kept in a file beside the runs, so that a second start goes on with the
command that was stopped; `main.py` itself goes on with the run that it finds.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import time

from benchmarks.command import Failed, end_session
from benchmarks.results import checkout
from train_lib import launch
from train_lib.storage import records

TAIL = 12                         # lines of a command that failed
# What main.py starts itself again with; for programs that do not do so themselves.
TUNED = {'GLIBC_TUNABLES': launch.MALLOC, 'XLA_FLAGS': launch.XLA}


def run_all(name: str, commands: list[str], folder: pathlib.Path, settings: dict) -> dict:
  """Runs what is not done yet, in the checkout.

  Args:
    name: of the part.
    commands: as they are typed, `python` for this interpreter.
    folder: of all runs; what a command prints is in `logs/<name>-<number>.log` there.
    settings: of the environment, added.

  Returns: {'machine': at the first start, 'seconds': of each command, over all its starts,
    'starts': how many each took}.

  Raises: Failed: one ended with another code than 0.
  """
  path = folder / 'logs' / f'{name}.json'
  path.parent.mkdir(parents=True, exist_ok=True)
  state = records.read_json(path) if path.exists() else {}
  if state.get('commands') != commands:
    state = {'commands': commands, 'machine': checkout.machine(), 'done': [],
             'seconds': [0.0] * len(commands), 'starts': [0] * len(commands)}
  for number, command in enumerate(commands):
    if number in state['done']:
      continue
    print(f'{name}, {number + 1} of {len(commands)}: {command}', flush=True)
    began = time.monotonic()
    state['starts'][number] += 1
    try:
      _run(command, log_path(folder, name, number), settings)
      state['done'].append(number)
    finally:
      state['seconds'][number] = round(state['seconds'][number] + time.monotonic() - began, 2)
      records.write_json(path, state)
  return {key: state[key] for key in ('machine', 'seconds', 'starts')}


def log_path(folder: pathlib.Path, name: str, number: int) -> pathlib.Path:
  """Where a command's output lies. Args: number: of the command, from 0."""
  return folder / 'logs' / f'{name}-{number + 1}.log'


def is_done(folder: pathlib.Path, name: str) -> bool:
  """Whether all commands of a part have ended well in this folder."""
  path = folder / 'logs' / f'{name}.json'
  if not path.exists():
    return False
  state = records.read_json(path)
  return len(state['done']) == len(state['commands'])


def _run(command, log, settings):
  words = shlex.split(command)
  words[0] = sys.executable if words[0] == 'python' else words[0]
  with open(log, 'w') as file:
    process = subprocess.Popen(
        words, cwd=checkout.ROOT, env={**os.environ, **settings}, stdin=subprocess.DEVNULL,
        stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
      code = process.wait()
    except BaseException:
      end_session(process)
      raise
  if code:
    lines = log.read_text(errors='replace').splitlines()[-TAIL:]
    raise Failed(f'{command}\nended with code {code}; the last lines of {log}:\n  '
                 + '\n  '.join(lines))
