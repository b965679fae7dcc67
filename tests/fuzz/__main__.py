"""`python -m tests.fuzz [READER ...] --inputs=100000`: fuzzes readers and prints what came of it.

Each runs in a process of its own, which is ended where it hangs and started again where it died.
Inputs that are findings are kept in `--folder`, and given again to a reader by --replay=FILE. Ends
with 1 where there was a finding.
"""

import argparse
import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.worker import HEADER_BYTES, WRITE_SEC

ROOT = Path(__file__).parents[2]
HANG_SEC = 60.0                   # by the clock, with one input
MOST_DEATHS = 20                  # of the processes of a reader
COLUMNS = ('reader', 'inputs', 'edges', 'refused', 'slowest s', 'jump MiB', 'growth MiB',
           'findings', 'minutes')
_COVERED = re.compile(r'\bcov: (\d+)')


def fuzz(name: str, folder: Path, count: int, seed: int, hang_sec: float = HANG_SEC,
         most_deaths: int = MOST_DEATHS) -> dict:
  """Tries so many inputs on a reader.

  Args:
    folder: for the findings.
    hang_sec: after which a process with one input is ended.
    most_deaths: of its processes, after which it is given up.

  Returns: what a row of the table tells, and 'findings': {what: {count, file, details}}.
  """
  total = {'reader': name, 'inputs': 0, 'edges': 0, 'refused': 0, 'slowest_sec': 0.0,
           'jump_mib': 0.0, 'growth_mib': 0.0, 'findings': {}}
  start, deaths = time.monotonic(), 0
  while total['inputs'] < count and deaths < most_deaths:
    with tempfile.TemporaryDirectory(prefix='oko-fuzz-') as own:
      own = Path(own)
      end = _run_worker(name, own, count - total['inputs'], seed + deaths, hang_sec)
      _add(total, own, folder, end)
    deaths += 1
    if end and not total['inputs']:
      break
  return {**total, 'minutes': (time.monotonic() - start) / 60}


def _run_worker(name, own, count, seed, hang_sec):
  """'' where it came to its end, else how it died."""
  words = [sys.executable, '-m', 'tests.fuzz.worker', name, str(own), str(count), str(seed)]
  with open(own / 'log.txt', 'w') as log:
    process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
    try:
      number, since_sec = -1, time.monotonic()
      while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
          code = process.wait(WRITE_SEC)
          return _words_of(code)
        now = _current(own)[0]
        if now != number:
          number, since_sec = now, time.monotonic()
        if time.monotonic() - since_sec > hang_sec * (1 if number else 10):  # imports take long
          process.send_signal(signal.SIGABRT)  # for its stack
          with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
          return f'hangs for {hang_sec:.0f} s'
    finally:
      process.kill()
      process.wait()


def _words_of(code):
  if code < 0:
    return f'dies of {signal.Signals(-code).name}'
  return f'ends with {code}' if code else ''


def _current(own):
  """(number, content) of the input that is tried."""
  try:
    data = (own / 'current').read_bytes()
  except OSError:
    return 0, b''
  number, length = (int.from_bytes(data[k:k + 8], 'little') for k in (0, 8))
  return number, data[HEADER_BYTES:HEADER_BYTES + length]


def _add(total, own, folder, end):
  """Adds what a process has told, and what it died of; its inputs are copied to `folder`."""
  number, content = _current(own)
  status = {'refused': 0, 'slowest_sec': 0.0, 'jump_mib': 0.0, 'growth_mib': 0.0, 'findings': {}}
  with contextlib.suppress(OSError):
    status = json.loads((own / 'status.json').read_text())
  if end:
    stack = (own / 'stacks.txt').read_text() if (own / 'stacks.txt').exists() else ''
    log = (own / 'log.txt').read_text(errors='replace')
    place = re.search(r'File ".*/(\S+)", line (\d+) in (\w+)', stack)
    kind = f'{end} in {":".join(place.groups())}' if place else end
    (own / 'death').write_bytes(content)
    status['findings'][kind] = {'count': 1, 'file': 'death',
                                'details': (stack or log[-3000:])[:5000]}
  total['inputs'] += number
  total['refused'] += status['refused']
  for key in ('slowest_sec', 'jump_mib', 'growth_mib'):
    total[key] = max(total[key], status[key])
  covered = _COVERED.findall((own / 'log.txt').read_text(errors='replace'))
  total['edges'] = max([total['edges'], *map(int, covered)])
  for kind, found in status['findings'].items():
    known = total['findings'].setdefault(kind, {**found, 'count': 0})
    if not known['count']:
      known['file'] = f"{total['reader']}-{len(total['findings'])}"
      folder.mkdir(parents=True, exist_ok=True)
      (folder / known['file']).write_bytes((own / found['file']).read_bytes())
      (folder / f"{known['file']}.txt").write_text(f"{kind}\n\n{found['details']}")
    known['count'] += found['count']


def _row(total):
  return (total['reader'], f"{total['inputs']:,}", f"{total['edges']:,}" if total['edges'] else '-',
          f"{total['refused']:,}", f"{total['slowest_sec']:.2f}", f"{total['jump_mib']:.0f}",
          f"{total['growth_mib']:+.0f}", str(len(total['findings'])), f"{total['minutes']:.1f}")


def print_table(totals: list[dict], folder: Path) -> None:
  """A row for each reader, and what was found behind it."""
  rows = [COLUMNS, *map(_row, totals)]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  for row in rows:
    print('  '.join(cell.ljust(width) if place == 0 else cell.rjust(width)
                    for place, (cell, width) in enumerate(zip(row, widths, strict=True))))
  for total in totals:
    for kind, found in total['findings'].items():
      print(f"{total['reader']}: {kind} ({found['count']:,} times): {folder / found['file']}")


def _replay(name, path):
  """Gives an input to a reader in this process, whatever comes of it."""
  from tests.fuzz.readers import READERS
  data, reader = path.read_bytes(), READERS[name]
  with tempfile.TemporaryDirectory() as folder:
    variant = data[0] % len(reader.names)
    target = Path(folder, reader.names[variant])
    target.write_bytes(data[1:])
    reader.read(target, variant)


def main() -> int:
  """Reads the command line. Returns: the exit code."""
  from tests.fuzz.readers import READERS
  parser = argparse.ArgumentParser(prog='python -m tests.fuzz', description=__doc__)
  parser.add_argument('readers', nargs='*', metavar='READER', help=f"of {', '.join(READERS)}")
  parser.add_argument('--inputs', type=int, default=100_000, help='for each reader')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--folder', type=Path, default=Path(tempfile.gettempdir(), 'oko-fuzz'),
                      help='for inputs that are findings')
  parser.add_argument('--replay', type=Path, help='an input for one reader')
  flags = parser.parse_args()
  unknown = set(flags.readers) - READERS.keys()
  if unknown or flags.replay and len(flags.readers) != 1:
    parser.error(f"no reader {', '.join(unknown)}; choices: {', '.join(READERS)}" if unknown else
                 'name one reader for --replay')
  if flags.replay:
    _replay(flags.readers[0], flags.replay)
    return 0
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # with its worker
  totals = []
  for name in flags.readers or READERS:
    totals.append(fuzz(name, flags.folder, flags.inputs, flags.seed))
    print(f"{name}: {totals[-1]['inputs']:,} inputs, {len(totals[-1]['findings'])} findings",
          file=sys.stderr, flush=True)
  print_table(totals, flags.folder)
  return int(any(total['findings'] or total['inputs'] < flags.inputs for total in totals))


if __name__ == '__main__':
  sys.exit(main())
