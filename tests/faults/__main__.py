"""`python -m tests.faults [F1 F2 ...] [--short]`: does each fault and prints what came of it."""

import argparse
import pathlib
import shutil
import sys
import tempfile
import textwrap
import time
import traceback

from tests.faults.runs import Runs
from tests.faults.scenarios import SCENARIOS

WIDTH = 100


def main(argv: list[str]) -> int:
  """Returns 0 when every scenario came out as it must."""
  parser = argparse.ArgumentParser(prog='python -m tests.faults', description=__doc__)
  parser.add_argument('names', nargs='*', metavar='F1', help='scenarios; none: all')
  parser.add_argument('--short', action='store_true', help='the quick ones, with fewer repetitions')
  parser.add_argument('--folder', default='', help='where the runs are kept; none: a temporary one')
  options = parser.parse_args(argv)
  unknown = set(options.names) - set(SCENARIOS)
  if unknown:
    parser.error(f'there is no {", ".join(sorted(unknown))}; choices: {", ".join(SCENARIOS)}')
  chosen = options.names or [name for name, scenario in SCENARIOS.items()
                             if scenario.short or not options.short]
  folder = pathlib.Path(options.folder or tempfile.mkdtemp(prefix='faults-')).absolute()
  began, failed = time.monotonic(), []
  try:
    runs = Runs(folder)
    if any(SCENARIOS[name].compares for name in chosen):
      print(f'reference: {runs.undisturbed["seconds"]:.0f} s without any fault', flush=True)
    for name in chosen:
      if not show(name, SCENARIOS[name], runs, options.short):
        failed.append(name)
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
  print(f'{name:4} {"pass" if passed else "FAIL"} {seconds:5.0f} s  {scenario.fault}')
  print(textwrap.fill(outcome, WIDTH, initial_indent=' ' * 18, subsequent_indent=' ' * 18),
        flush=True)
  return passed


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
