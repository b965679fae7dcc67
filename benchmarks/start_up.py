"""How long from the command to the first finished training step: first start, and later ones.

    python -m benchmarks.start_up
    python -m benchmarks.start_up --config=configs/tagger.py:smoke --turns=5

The first start compiles everything: its folder of compiled programs is empty. The second is another
run of the same command, with the programs that the first has kept. A run before them, which does
not count, draws the pictures; every run begins a fresh workdir. The clock runs from the command to
the row of the first step in metrics.jsonl, the second start of Python for the allocator included;
then the run is ended, as it is where this program is stopped.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import command
from benchmarks.beside.machine import ROOT

LATEST_SEC = 600.0                # for a first step


def main(argv=None) -> None:
  """Reads the flags, starts the runs, prints a line for each kind of start."""
  flags = read_flags(argv)
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    say('data are made ready')
    time_to_first_step(flags, folder / 'drawn', folder / 'programs-drawn')
    seconds = {'first start': [], 'second start': []}
    for turn in range(flags.turns):
      programs = folder / f'programs-{turn}'
      for kind in seconds:
        workdir = folder / f'{turn} {kind}'
        seconds[kind].append(time_to_first_step(flags, workdir, programs))
        say(f'{kind}: {seconds[kind][-1]:.1f} s')
  for kind, times in seconds.items():
    print(f'{kind} of {flags.config}: {statistics.median(times):.1f} s to the first step '
          f'({min(times):.1f} to {max(times):.1f}, {len(times)} turns)')


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--config', default='configs/tagger.py:demo')
  parser.add_argument('--turns', type=command.number(1), default=3)
  return parser.parse_args(argv)


def say(line: str) -> None:
  print(line, file=sys.stderr, flush=True)


def train_command(flags, workdir, programs) -> list[str]:
  """What a user would start, with a row of metrics for every step."""
  return [sys.executable, 'main.py', f'--config={flags.config}', f'--workdir={workdir}',
          f'--config.runtime.cache_dir={programs}', '--config.runtime.log_every_steps=1']


def time_to_first_step(flags, workdir, programs) -> float:
  """Seconds from the command until the row of its first step is written; the run is ended then.

  Raises:
    Failed: the run ended before, with what it said.
  """
  log, started = workdir.parent / f'{workdir.name}.log', time.monotonic()
  with open(log, 'w') as file:
    process = subprocess.Popen(train_command(flags, workdir, programs), cwd=ROOT, stdout=file,
                               stderr=file)
    try:
      while not has_row(workdir / 'metrics.jsonl'):
        if process.poll() is not None or time.monotonic() - started > LATEST_SEC:
          raise command.Failed(f'no first step: {log.read_text().strip()}')
        time.sleep(0.02)
      return time.monotonic() - started
    finally:
      process.kill()
      process.wait()


def has_row(path: pathlib.Path) -> bool:
  """Whether a whole line was written."""
  return path.exists() and '\n' in path.read_text()


if __name__ == '__main__':
  command.run(main)
