"""What does saving cost the training that goes on beside it?

    python -m benchmarks.checkpoint_cost
    python -m benchmarks.checkpoint_cost --page=configs/tagger.py:smoke --steps=50 --turns=2

Turns of so many steps of the main job, its pictures and programs, alternate: one begins with a
checkpoint, as the loop saves it (arrays copied, files written in the background, the manifest),
and ends when its steps and that save are done; the other is the same steps alone. Both kinds take
turns, so that a noisy moment of the machine does not fall on one of them. Printed is the median of
each (least to most), in seconds and in seconds of all processors, which a noisy machine changes
less; what a checkpoint every so many steps adds; and how long training stood still for a save. In a
process with main.py's settings (--notune: as it comes).
"""

import argparse
import importlib.util
import pathlib
import statistics
import sys
import tempfile
import time
from typing import Any

import jax

from benchmarks import command
from benchmarks.command import number
from benchmarks.scale_figures import duration, in_words
from train_lib import launch, loop
from train_lib.storage.checkpoints import Checkpoints
from train_lib.training import build_training


def main() -> None:
  """Reads the flags, measures, prints the lines."""
  flags = read_flags()
  if flags.tune:
    launch.restart_tuned(['-m', 'benchmarks.checkpoint_cost', *sys.argv[1:]])
  training = build_training(read_page(flags.page))
  with tempfile.TemporaryDirectory(dir=flags.folder) as folder:
    turns, cost = measure(training, pathlib.Path(folder), flags)
  report(training, turns, cost, flags)


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--page', default='configs/tagger.py:demo', help='a config')
  parser.add_argument('--first', type=number(1), default=1,
                      help='step of the run whose size is taken')
  parser.add_argument('--steps', type=number(1), default=100, help='of a turn')
  parser.add_argument('--turns', type=number(1), default=5, help='of each kind')
  parser.add_argument('--folder', default=None, help='on the disk to save on; none: the TMPDIR')
  parser.add_argument('--notune', dest='tune', action='store_false')
  return parser.parse_args(argv)


def read_page(name: str):
  """The config of `path.py[:preset]`."""
  path, _, preset = name.partition(':')
  spec = importlib.util.spec_from_file_location('page', path)
  page = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(page)
  return page.get_config(preset)


def measure(training, folder, flags) -> tuple[list, Any]:
  """(seconds, seconds of processors) of each turn, every second with a save; what saving cost."""
  state = training.init_state(training.key)
  program = training.step_function(flags.first)
  start = flags.first - 1
  batches = loop.device_batches(training, start, start + flags.steps * (2 * flags.turns + 1),
                                training.config.runtime.prefetch_batches)

  def train(state):
    for _ in range(flags.steps):
      state, metrics = program(state, next(batches)[1], training.key)
    return jax.block_until_ready(state), metrics

  state, _ = train(state)                               # compiles
  turns = []
  with Checkpoints(folder / 'checkpoints', config_digest='', keep_last=1) as checkpoints:
    for turn in range(2 * flags.turns):
      began, cpu_began = time.monotonic(), time.process_time()
      if turn % 2:
        checkpoints.save(int(state.step), state)
      state, _ = train(state)
      checkpoints.wait()
      turns.append((time.monotonic() - began, time.process_time() - cpu_began))
      print(f'{"saving" if turn % 2 else "alone "}  {turns[-1][0]:7.2f} s', file=sys.stderr,
            flush=True)
  return turns, checkpoints.cost


def report(training, turns, cost, flags) -> None:
  """Prints what came out."""
  params = sum(leaf.size for leaf in jax.tree.leaves(training.abstract_state.params))
  size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(training.abstract_state))
  print(f'{flags.page}, {params / 1e6:.1f} M parameters, {size / 1e6:.0f} MB a checkpoint; '
        f'{flags.steps} steps a turn, {flags.turns} turns of each kind, on {jax.device_count()} x '
        f'{jax.devices()[0].device_kind}')
  for name, part in (('time', 0), ('of processors', 1)):
    alone, saving = ([turn[part] for turn in turns[kind::2]] for kind in (0, 1))
    added = 100 * (statistics.median(saving) / statistics.median(alone) - 1)
    print(f'{name:14} alone {in_words(duration(alone, "s"))}, with a save '
          f'{in_words(duration(saving, "s"))}: {added:+.1f} %')
  waited_sec = cost.blocking_sec / cost.saves
  print(f'training stood still for {waited_sec:.2f} s a save, '
        f'{100 * waited_sec / statistics.median(turn[0] for turn in turns[::2]):.1f} % of a turn; '
        f'{cost.background_sec / cost.saves:.2f} s went on beside it')


if __name__ == '__main__':
  command.run(main)
