"""`python -m tests.faults [F1 F2 ...] [--short]`: does each fault and prints what came of it.

The times of a table are worth something with --jobs=1 alone, and nothing else running.
"""

import argparse
import concurrent.futures
import pathlib
import shutil
import sys
import tempfile
import textwrap
import time
import traceback

from tests.faults.runs import SHORTER, TINY, Runs
from tests.faults.scenarios import SCENARIOS

WIDTH = 100


def main(argv: list[str]) -> int:
  """Returns 0 when every scenario came out as it must."""
  parser = argparse.ArgumentParser(prog='python -m tests.faults', description=__doc__)
  parser.add_argument('names', nargs='*', metavar='F1', help='scenarios; none: all')
  parser.add_argument('--short', action='store_true', help='the quick ones, with fewer repetitions')
  parser.add_argument('--folder', default='', help='where the runs are kept; none: a temporary one')
  parser.add_argument('--jobs', type=int, default=1, help='scenarios at a time')
  options = parser.parse_args(argv)
  unknown = set(options.names) - set(SCENARIOS)
  if unknown:
    parser.error(f'there is no {", ".join(sorted(unknown))}; choices: {", ".join(SCENARIOS)}')
  chosen = options.names or [name for name, scenario in SCENARIOS.items()
                             if scenario.short or not options.short]
  folder = pathlib.Path(options.folder or tempfile.mkdtemp(prefix='faults-')).absolute()
  began, failed = time.monotonic(), []
  try:
    runs = Runs(folder, (*TINY, *SHORTER) if options.short else TINY)
    if any(SCENARIOS[name].compares for name in chosen):
      print(f'reference: {runs.undisturbed["seconds"]:.0f} s without any fault', flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as threads:
      passed = threads.map(lambda name: show(name, SCENARIOS[name], runs, options.short), chosen)
      failed = [name for name, good in zip(chosen, passed, strict=True) if not good]
  finally:
    if not options.folder and not failed:
      shutil.rmtree(folder, ignore_errors=True)
  print(f'\n{len(chosen) - len(failed)} of {len(chosen)} scenarios passed in '
        f'{time.monotonic() - began:.0f} s')
  if failed:
    print(f'failed: {", ".join(failed)}; what the runs left is in {folder}')
  return 1 if failed else 0


def show(name, scenario, runs, short) -> bool:
  """Runs a scenario and prints its row; whether it passed."""
  began = time.monotonic()
  try:
    outcome, passed = scenario.function(runs, short), True
  except Exception as error:  # whatever it is, the other scenarios are run too
    outcome, passed = f'{type(error).__name__}: {error}', False
    traceback.print_exc()
  seconds = time.monotonic() - began
  row = f'{name:4} {"pass" if passed else "FAIL"} {seconds:5.0f} s  {scenario.fault}\n'
  print(row + textwrap.fill(outcome, WIDTH, initial_indent=' ' * 18, subsequent_indent=' ' * 18),
        flush=True)
  return passed


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
