"""Replicas one by one, by lax.map and by vmap: which way trains most pictures a second here?

    python -m benchmarks.replicas
    python -m benchmarks.replicas --replicas=15 --net=se_resnet18 --size_px=64 --batch=128
    NPROC=8 python -m benchmarks.replicas --cpu_devices=2

The first row, `steps`, is what a loop of one's own does: a program for one step, one replica after
another. The others are `train_lib/studies/replicas.py` as `--job=study` has it, its ways side by
side: many steps in one program, pictures on the device. All take turns, so that a noisy moment of
the machine does not fall on one of them; each is compiled before. Pictures are random, which
changes nothing of the speed. `ratio` is to the first row, of medians; `best` is of the best turn,
and where others use the machine too it is nearer to the truth. A study with `study.together` 'auto'
goes by what came out here; on a backend that was never measured it tries the ways at its start.
"""

import argparse
import statistics
import time

import cv2
import jax
import numpy as np

import data
from benchmarks import command
from benchmarks.beside.turns import table
from benchmarks.command import number, one_of, several
from configs import optimizers as page
from train_lib import parallel
from train_lib.studies import replicas
from train_lib.studies.side_by_side import WAYS
from train_lib.training import build_training

COLUMNS = ('way', 'at once', 'compile s', 'steps/s', 'best', 'pictures/s', 'ratio')
NUM_TRAIN, NUM_TAGS, TAGS_EACH, RATE = 1024, 104, 30, 1e-3


def main() -> None:
  """Reads the flags, measures, prints the table."""
  flags = read_flags()
  if flags.cpu_devices:
    jax.config.update('jax_platforms', 'cpu')
    jax.config.update('jax_num_cpu_devices', flags.cpu_devices)
  cases = [Steps('steps', flags), *(Together(way, flags) for way in flags.ways)]
  for _ in range(flags.repeats):
    for case in cases:
      case.run_once()
  print(f'{flags.replicas} replicas of {flags.net}, {flags.optimizer}, {flags.batch} pictures of '
        f'{flags.size_px} px, {flags.steps} steps a turn, on {jax.device_count()} x '
        f'{jax.devices()[0].device_kind}; median of {flags.repeats} turns')
  print(table(COLUMNS, [case.row(cases[0]) for case in cases]))


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--net', default='se_resnet_tiny', help='a variant of nets.NETS')
  parser.add_argument('--optimizer', default='adam', help='of train_lib.optimizers.OPTIMIZERS')
  parser.add_argument('--replicas', type=number(1), default=4)
  parser.add_argument('--batch', type=number(1), default=32, help='pictures of a step')
  parser.add_argument('--size_px', type=number(1), default=32, help='side of the pictures')
  parser.add_argument('--steps', type=number(1), default=20, help='of a turn, for each replica')
  parser.add_argument('--repeats', type=number(1), default=7)
  parser.add_argument('--ways', default=WAYS[::-1], type=several(one_of(WAYS)),
                      help='of config.study.together')
  parser.add_argument('--cpu_devices', type=number(0), default=0,
                      help='virtual devices; 0: as it comes')
  return parser.parse_args(argv)


class RandomPictures:
  """A source of noise, as long as a small split."""

  tag_names = tuple(str(number) for number in range(NUM_TAGS))
  tag_categories = ('general',) * NUM_TAGS
  max_tags, max_ignored, truth_keys = TAGS_EACH, 0, ('tags',)
  fingerprint = description = 'noise'

  def __init__(self, config_data, split, poll=None):
    self._side, self._size = config_data.image_size_px, config_data[f'num_{split}']

  def __len__(self):
    return self._size

  def tags_of(self, index):
    return np.random.default_rng(index).choice(NUM_TAGS, TAGS_EACH, replace=False).astype(np.int32)

  def __getitem__(self, index):
    image = np.random.default_rng(index).integers(0, 256, (self._side, self._side, 3), np.uint8)
    return {'id': str(index), 'image_bytes': cv2.imencode('.png', image)[1].tobytes(),
            'tags': self.tags_of(index)}


def make_engine(way: str, flags: argparse.Namespace) -> replicas.Replicas:
  """The engine of the page, at the flags' size, on noise."""
  config = page.get_config()
  config.data.image_size_px = flags.size_px
  config.data.num_train, config.data.num_valid, config.data.num_test = NUM_TRAIN, 32, 32
  config.net.name, config.optimizer.name = flags.net, flags.optimizer
  config.optimizer.learning_rate = RATE
  config.train.batch_size, config.train.num_steps = flags.batch, 100_000
  config.eval.batch_size, config.study.together = 32, way
  data.SOURCES['noise'] = RandomPictures
  config.data.source = 'noise'
  return replicas.build_replicas(config)


class Case:
  """One way to train all replicas, and how long its turns took."""

  def __init__(self, name: str, flags: argparse.Namespace):
    self.name, self.flags, self.seconds, self.done = name, flags, [], 0
    self.engine = make_engine('one' if name == 'steps' else name, flags)
    started = time.perf_counter()
    self.compile()
    self.compile_sec = time.perf_counter() - started
    self.start()
    self.train()                                                # a warm-up, not timed

  def run_once(self) -> None:
    """A turn, timed."""
    started = time.perf_counter()
    self.train()
    self.seconds.append(time.perf_counter() - started)

  def row(self, first: 'Case') -> tuple[str, ...]:
    """The cells of the table. Args: first: the case that the ratio is to."""
    steps = self.flags.replicas * self.flags.steps
    median, base = statistics.median(self.seconds), statistics.median(first.seconds)
    return (self.name, str(self.at_once()), f'{self.compile_sec:.1f}', f'{steps / median:.1f}',
            f'{steps / min(self.seconds):.1f}', f'{self.flags.batch * steps / median:,.0f}',
            f'{base / median:.2f}')


class Together(Case):
  """All replicas by the engine, in one of its ways."""

  def compile(self) -> None:
    """The program of many steps."""
    self.at_once()

  def start(self) -> None:
    """Fresh replicas."""
    self.states = self.engine.initial(range(self.flags.replicas))

  def train(self) -> None:
    """Some steps of all."""
    self.states, _ = self.engine.advance(
        self.states, [RATE] * self.flags.replicas, range(self.flags.replicas), self.done,
        self.flags.steps)
    self.done += self.flags.steps

  def at_once(self) -> int:
    """How many share a program."""
    return self.engine.at_once(self.flags.replicas)


class Steps(Case):
  """One replica after another, step by step, by the step function of --job=train."""

  def compile(self) -> None:
    """The program of one step."""
    self.training = build_training(self.engine.config)
    self.step = self.training.step_function(1).lower(
        self.training.abstract_state, self.batch(0), self.training.key).compile()

  def start(self) -> None:
    """Fresh replicas."""
    self.states = [self.training.init_state(jax.random.key(seed))
                   for seed in range(self.flags.replicas)]

  def train(self) -> None:
    """Some steps of each."""
    for place, state in enumerate(self.states):
      for k in range(self.done, self.done + self.flags.steps):
        state, metrics = self.step(state, self.batch(k), self.training.key)
        if self.training.mesh.size > 1:
          jax.block_until_ready(metrics)                        # virtual devices deadlock otherwise
      self.states[place] = jax.block_until_ready(state)
    self.done += self.flags.steps

  def batch(self, k: int) -> dict:
    """Batch k, taken from memory: nothing is decoded."""
    split, rows = self.engine.splits['train'], self.training.loader.train_rows(k, 1)[0]
    return parallel.put_batch(self.training.mesh, {
        key: split.batch[key][rows] for key in split.arrays})

  def at_once(self) -> int:
    """How many share a program."""
    return 1


if __name__ == '__main__':
  command.run(main)
