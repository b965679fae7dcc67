"""`python -m tests.readme_commands [--only=WORDS]`: runs the commands of README and docs.

Each runs in its small form (tests/readme/forms.py): the command as it is written, and behind it
what makes nets, pictures and steps few. All run in a copy of the checkout in a temporary folder,
with a home of their own, where data are drawn and programs compiled once; `python` is the one that
runs this. Commands that train come first, since others use their runs. `--folder` names a folder
that stays: there `--only` finds the runs of an earlier go. tests/readme/elsewhere.py has the
commands that do not run here. The walks of docs/walks are run by tests/walk.py.
"""

import argparse
import concurrent.futures
import importlib.metadata
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from tests.readme import folders
from tests.readme.elsewhere import ELSEWHERE
from tests.readme.forms import Form, list_stages
from tests.readme.found import ROOT, SNIPPETS, find_commands

LIMIT_SEC = 600
TIMED_OUT = 124
LAST_LINES = 25
NOT_COPIED = ('.git', '.venv', 'runs', 'shared', 'build', '__pycache__', '*.egg-info', '.*_cache')
# as in tests/conftest.py: programs run once or twice, so they are hardly optimised; all are kept
QUICK = {'XLA_FLAGS': '--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1',
         'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0', 'JAX_TRACEBACK_IN_LOCATIONS_LIMIT': '0'}
if tuple(map(int, importlib.metadata.version('jaxlib').split('.')[:2])) < (0, 11):
  QUICK['XLA_FLAGS'] += ' --xla_cpu_use_fusion_emitters=false'


class Outcome(NamedTuple):
  """How a form went."""

  form: Form
  code: int
  seconds: float
  output: str


def main(argv: list[str]) -> int:
  """Returns 0 when every command that was chosen ended well."""
  parser = argparse.ArgumentParser(prog='python -m tests.readme_commands', description=__doc__)
  parser.add_argument('--only', action='append', default=[], metavar='WORDS',
                      help='the commands that hold these words; may be given again; none: all')
  parser.add_argument('--jobs', type=int, default=2, help='commands at a time')
  parser.add_argument('--folder', default='', help='where they run; none: a temporary one')
  options = parser.parse_args(argv)
  began = time.monotonic()
  stages = [[form for form in stage if _is_chosen(form, options.only)] for stage in list_stages()]
  if not any(stages):
    parser.error(f'no command holds {" or ".join(options.only)}')
  top = pathlib.Path(options.folder or tempfile.mkdtemp(prefix='oko-readme-')).absolute()
  try:
    outcomes = run_all(stages, top, options.jobs)
  finally:
    if not options.folder:
      shutil.rmtree(top, ignore_errors=True)
  return report(outcomes, time.monotonic() - began, whole=not options.only)


def run_all(stages: list[list[Form]], top: pathlib.Path, jobs: int) -> list[Outcome]:
  """Runs the stages one after another, of each so many forms at a time. Args: top: the folder."""
  checkout = top / 'oko'
  if not (checkout / 'photo.jpg').exists():
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
    folders.write_all(checkout)
    write_snippets(checkout / 'snippets')
  outcomes, live = [], set()
  for stage in stages:
    with concurrent.futures.ThreadPoolExecutor(jobs) as threads:
      futures = [threads.submit(run_form, form, checkout, top / 'home', live) for form in stage]
      try:
        for done in concurrent.futures.as_completed(futures):
          outcomes.append(done.result())
          show(outcomes[-1])
      except BaseException:                # Ctrl-C above all, which they do not get
        threads.shutdown(wait=False, cancel_futures=True)
        for process in tuple(live):
          end(process)
        raise
  return outcomes


def run_form(form: Form, checkout: pathlib.Path, home: pathlib.Path, live: set) -> Outcome:
  """Runs a form in the copy of the checkout; ends it, and all that it started, past the limit.

  Args: live: processes that now run; this one is among them for as long.
  """
  began = time.monotonic()
  with subprocess.Popen(
      ['bash', '-euo', 'pipefail', '-c', form.command], cwd=checkout, env=environment(home),
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
      errors='replace', start_new_session=True) as process:
    live.add(process)
    try:
      output, _ = process.communicate(timeout=LIMIT_SEC)
      code = process.returncode
    except subprocess.TimeoutExpired:
      end(process)
      output, code = process.communicate()[0], TIMED_OUT
  end(process)                             # what a failed command left behind
  live.discard(process)
  return Outcome(form, code, time.monotonic() - began, output)


def end(process: subprocess.Popen) -> None:
  """Ends a process and all that it started, where they still are."""
  try:
    os.killpg(process.pid, signal.SIGKILL)
  except ProcessLookupError:
    pass


def environment(home: pathlib.Path) -> dict[str, str]:
  """What a command finds: this Python as `python`, a home of its own, a free port."""
  programs = pathlib.Path(sys.executable).parent
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
  home.mkdir(exist_ok=True)
  return {**os.environ, **QUICK, 'PATH': f'{programs}:{os.environ["PATH"]}', 'PORT': str(port),
          'VENV': str(programs.parent), 'HOME': str(home), 'XDG_CACHE_HOME': str(home / '.cache')}


def write_snippets(folder: pathlib.Path) -> None:
  """Writes the pieces of Python of the pages as files, named by their first line."""
  folder.mkdir(exist_ok=True)
  for text, found in find_commands().items():
    if text.startswith(SNIPPETS):
      (folder / (re.sub(r'\W+', '_', text) + '.py')).write_text(found.lines)


def show(outcome: Outcome) -> None:
  """A line for each of the commands that a form stands for."""
  for written in outcome.form.written:
    print(f'{"ok  " if outcome.code == 0 else "FAIL"} {outcome.seconds:5.0f} s  code '
          f'{outcome.code:<4} {written}', flush=True)


def report(outcomes: list[Outcome], seconds: float, whole: bool) -> int:
  """Prints what failed, with its last lines, and the sum. Returns: the exit code."""
  failed = [outcome for outcome in outcomes if outcome.code]
  for outcome in failed:
    print(f'\n== code {outcome.code}: {outcome.form.command}')
    print('\n'.join(f'   {line}' for line in outcome.output.splitlines()[-LAST_LINES:]))
  elsewhere = f', {len(ELSEWHERE)} rows stand elsewhere' if whole else ''
  used = resource.getrusage(resource.RUSAGE_CHILDREN)
  print(f'\n{len(outcomes) - len(failed)} of {len(outcomes)} forms ran to their end, for '
        f'{sum(len(outcome.form.written) for outcome in outcomes)} rows{elsewhere}; '
        f'{seconds / 60:.1f} minutes, {(used.ru_utime + used.ru_stime) / 60:.1f} of one processor, '
        f'Python {sys.version.split()[0]}')
  return 1 if failed else 0


def _is_chosen(form, words):
  return not words or any(word in text for word in words
                          for text in (form.command, *form.written))


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
