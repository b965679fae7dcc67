"""What tens of thousands of tags cost: time and memory of a training step as the tags grow.

    python -m benchmarks.loss_over_tags
    python -m benchmarks.loss_over_tags --net=se_resnet_tiny --size_px=64 --repeats=3

For every number of tags it measures the whole training step; the loss alone, from the logits to
their gradient, multi-hot labels included; and the multi-hot labels alone. The repeats of all of
them take turns, so that a noisy moment of the machine does not fall on one of them. Memory is what
XLA plans: temporary buffers of the step and of the loss, and the step's arguments (weights, the
optimizer's moments and the batch). A net's body does not know of tags: only the head may grow.
"""

import argparse
import contextlib
import dataclasses
import time

import flax.linen as nn
import jax
import numpy as np

from benchmarks import command
from benchmarks.beside.turns import in_words, table
from benchmarks.command import number, several
from configs import base
from train_lib import build, optimizers, parallel
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.tasks.tagging import multi_hot

MIB = 2**20
COLUMNS = ('tags', 'body M', 'head M', 'compile s', 'step ms', 'loss ms', 'multi-hot ms',
           'arguments MiB', 'temp MiB', 'of the loss')


def main() -> None:
  """Reads the flags, measures, prints the table."""
  flags = read_flags()
  cases = [Case(num_tags, flags) for num_tags in flags.tags]
  for _ in range(1 + flags.repeats):
    for case in cases:
      case.run_once()
  print(f'{flags.net}, {flags.loss} loss, {flags.batch} pictures of {flags.size_px} px with '
        f'{flags.listed} tags each, on {jax.device_count()} x {jax.devices()[0].device_kind}; '
        f'median of {flags.repeats} (least to most); M: million parameters')
  print(table(COLUMNS, [case.row() for case in cases]))


def read_flags(argv: list[str] | None = None) -> argparse.Namespace:
  """The command line. Args: argv: in place of this program's own."""
  parser = command.Parser(__doc__)
  parser.add_argument('--net', default='se_resnet_tagger', help='a variant of nets.NETS')
  parser.add_argument('--tags', default='100,1000,10000,70000', help='numbers of tags',
                      type=several(number(1)))
  parser.add_argument('--batch', type=number(1), default=32, help='pictures of a step')
  parser.add_argument('--size_px', type=number(1), default=128, help='side of the pictures')
  parser.add_argument('--listed', type=number(1), default=32, help='tags of each picture')
  parser.add_argument('--repeats', type=number(1), default=7)
  parser.add_argument('--loss', default='focal', help='of losses.LOSSES')
  parser.add_argument('--missing', default='absent', help='absent, ignored or present')
  parser.add_argument('--mixup_alpha', type=number(0, float), default=0.0)
  parser.add_argument('--dtype', default='auto', help='what the net computes in')
  return parser.parse_args(argv)


class GivenLogits(nn.Module):
  """A net that is nothing but its answers [B, T], so that only the loss is left."""
  shape: tuple[int, int]

  @nn.compact
  def __call__(self, image, *, train):
    del image, train
    self.variable('batch_stats', 'unused', lambda: np.zeros(()))
    return self.param('logits', nn.initializers.normal(), self.shape), {}


class Case:
  """The programs for one number of tags, what they are run on, and how long each run took."""

  def __init__(self, num_tags: int, flags: argparse.Namespace):
    task, optimizer, schedule = make_parts(num_tags, flags)
    mesh = parallel.make_mesh()
    batch = make_batch(num_tags, flags)
    self.num_tags, self.key = num_tags, parallel.put_whole(mesh, jax.random.key(0))
    self.batch = parallel.put_batch(mesh, batch)
    self.state = parallel.compile_once(mesh, lambda key: create_state(
        task.init(key, batch), optimizer, use_ema=False))(self.key)
    step = make_train_step(task, optimizer, schedule, accumulate_steps=1, ema_decay=0.0)
    started = time.perf_counter()
    self.step = parallel.compile_step(step, mesh, parallel='jit', batch_norm_sync=True).lower(
        self.state, self.batch, self.key).compile()
    self.compile_sec = time.perf_counter() - started
    alone = dataclasses.replace(task, net=GivenLogits((flags.batch, num_tags)))
    self.small_batch = {**self.batch, 'image': self.batch['image'][:, :1, :1]}
    self.logits = jax.jit(alone.init)(self.key, self.small_batch)
    self.loss = jax.jit(jax.value_and_grad(lambda variables, batch, key: alone.loss(
        variables, batch, {'mixup': key})[0])).lower(
            self.logits, self.small_batch, self.key).compile()
    self.multi_hot = jax.jit(lambda tags: multi_hot(tags, num_tags))
    self.seconds = {'step': [], 'loss': [], 'multi-hot': []}

  def run_once(self) -> None:
    """Every program once, timed."""
    with self.timed('step'):
      self.state, metrics = jax.block_until_ready(self.step(self.state, self.batch, self.key))
    with self.timed('loss'):
      jax.block_until_ready(self.loss(self.logits, self.small_batch, self.key))
    with self.timed('multi-hot'):
      jax.block_until_ready(self.multi_hot(self.batch['tags']))

  @contextlib.contextmanager
  def timed(self, name: str):
    """Notes how long what is inside takes."""
    started = time.perf_counter()
    yield
    self.seconds[name].append(time.perf_counter() - started)

  def row(self) -> tuple[str, ...]:
    """The cells of the table; the first run of each program, its warm-up, does not count."""
    head = sum(leaf.size for leaf in jax.tree.leaves(self.state.params['head']))
    body = sum(leaf.size for leaf in jax.tree.leaves(self.state.params)) - head
    times = [in_words([1e3 * second for second in seconds[1:]])
             for seconds in self.seconds.values()]
    step, loss = self.step.memory_analysis(), self.loss.memory_analysis()
    memory = (step.argument_size_in_bytes, step.temp_size_in_bytes, loss.temp_size_in_bytes)
    return (f'{self.num_tags:,}', f'{body / 1e6:.2f}', f'{head / 1e6:.2f}',
            f'{self.compile_sec:.1f}', *times, *(f'{size / MIB:.0f}' for size in memory))


def make_parts(num_tags: int, flags: argparse.Namespace):
  """(task, optimizer, schedule), with a bias of its own for every tag, as in a real run."""
  config = base.get_config()
  config.net.name, config.net.dtype = flags.net, flags.dtype
  config.loss.name, config.loss.missing = flags.loss, flags.missing
  config.train.mixup_alpha = flags.mixup_alpha
  bias = np.linspace(-10, 0, num_tags)
  task = build.build_task(config, ('general',) * num_tags, head_bias=tuple(bias.tolist()))
  return task, *optimizers.build_optimizer(config.optimizer, num_steps=1_000)


def make_batch(num_tags: int, flags: argparse.Namespace) -> dict:
  """Random pictures and tags."""
  rng = np.random.default_rng(0)
  side = flags.size_px
  return {'image': rng.integers(0, 256, (flags.batch, side, side, 3)).astype(np.uint8),
          'tags': rng.integers(0, num_tags, (flags.batch, flags.listed)).astype(np.int32),
          'mask': np.ones(flags.batch, np.float32)}


if __name__ == '__main__':
  command.run(main)
