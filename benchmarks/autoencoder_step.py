"""What an autoencoder costs: time and memory of a training step, and of restoring one picture.

    python -m benchmarks.autoencoder_step
    python -m benchmarks.autoencoder_step --net=vae_conv_64 --batch=64

It compiles a step (squared error summed over pixels and channels, plus KL; Adam) and the
restoration of a single picture, runs them in turns on noise, and prints the median of each, least
to most. Time of the processors stands beside that of the clock, for machines that others use as
well: a step that keeps two cores busy takes twice its time of them. XLA plans the memory of the
step: its arguments (weights, moments and the batch) and its temporary buffers. The peak is what
this process has held, the compiler's share included.
"""

import argparse
import contextlib
import functools
import resource
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import nets
from benchmarks import command
from benchmarks.command import number
from losses import gaussian_kl, squared_error

MIB = 2**20


def main() -> None:
  """Reads the flags, measures, prints the lines."""
  flags = read_flags()
  case = Case(flags)
  for _ in range(1 + flags.repeats):
    case.run_once()
  print(f'{flags.net}, batch of {flags.batch}, {flags.channels} channels out, on '
        f'{jax.device_count()} x {jax.devices()[0].device_kind}')
  for line in case.lines():
    print(line)


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--net', default='vae_efficientnet_b1', choices=nets.vae.VARIANTS)
  parser.add_argument('--batch', type=number(1), default=8, help='pictures of a step')
  parser.add_argument('--channels', type=number(1), default=3, help='of the output')
  parser.add_argument('--dtype', default='float32', choices=('float32', 'bfloat16'),
                      help='what the net computes in')
  parser.add_argument('--repeats', type=number(1), default=7)
  return parser.parse_args(argv)


class Case:
  """The two programs, what they are run on, and how long each run took."""

  def __init__(self, flags: argparse.Namespace):
    self.net = nets.build_net(flags.net, flags.channels, dtype=jnp.dtype(flags.dtype))
    side = self.net.row.input_size_px
    self.image = jnp.asarray(np.random.default_rng(0).random((flags.batch, side, side, 1)),
                             jnp.float32)
    self.key, self.optimizer = jax.random.key(0), optax.adam(1e-4)
    variables = jax.jit(functools.partial(self.net.init, train=False))(self.key, self.image[:1])
    self.state = (variables, self.optimizer.init(variables['params']))
    started = time.perf_counter()
    self.step = jax.jit(self._step, donate_argnums=0).lower(
        self.state, self.image, self.key).compile()
    self.compile_sec = time.perf_counter() - started
    self.restore = jax.jit(self._restore).lower(variables, self.image[:1]).compile()
    self.seconds = {'step': [], 'one picture': []}
    self.busy = {'step': [], 'one picture': []}
    self.loss = float('nan')

  def _step(self, state, image, key):
    variables, moments = state
    def loss(params):
      (logits, taps), changed = self.net.apply(
          {**variables, 'params': params}, self._normalise(image), train=True,
          rngs={'latent': key}, mutable=['batch_stats'])
      errors = squared_error(jax.nn.sigmoid(logits), jnp.broadcast_to(image, logits.shape))
      divergence = gaussian_kl(taps['mean'], taps['logvar'])
      return (errors.sum() + divergence.sum()) / len(image), changed['batch_stats']
    (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(variables['params'])
    updates, moments = self.optimizer.update(gradients, moments)
    params = optax.apply_updates(variables['params'], updates)
    return ({'params': params, 'batch_stats': statistics}, moments), value

  def _restore(self, variables, image):
    logits, _ = self.net.apply(variables, self._normalise(image), train=False)
    return jax.nn.sigmoid(logits).mean(axis=-1, keepdims=True)

  def _normalise(self, image):
    return (image - self.net.row.mean[0]) / self.net.row.std[0]

  def run_once(self) -> None:
    """Both programs once, timed."""
    with self.timed('step'):
      self.state, self.loss = jax.block_until_ready(self.step(self.state, self.image, self.key))
    with self.timed('one picture'):
      jax.block_until_ready(self.restore(self.state[0], self.image[:1]))

  @contextlib.contextmanager
  def timed(self, name: str):
    """Notes how long what is inside takes."""
    started, busy = time.perf_counter(), time.process_time()
    yield
    self.seconds[name].append(time.perf_counter() - started)
    self.busy[name].append(time.process_time() - busy)

  def lines(self) -> list[str]:
    """What is printed; the first run of each program, its warm-up, does not count."""
    params = self.state[0]['params']
    parts = {name: sum(leaf.size for leaf in jax.tree.leaves(part))
             for name, part in params.items()}
    rate = len(self.image) / statistics.median(self.seconds['step'][1:])
    plan = self.step.memory_analysis()
    return [
        f'parameters: {sum(parts.values()):,} ('
        + ', '.join(f'{name} {size:,}' for name, size in sorted(parts.items())) + ')',
        f'compilation of the step: {self.compile_sec:.1f} s',
        f'training step: {self._times("step")}, {rate:,.1f} pictures/s',
        f'restoring one picture: {self._times("one picture")}',
        f'memory that XLA plans for the step: arguments '
        f'{plan.argument_size_in_bytes / MIB:,.0f} MiB, temporary '
        f'{plan.temp_size_in_bytes / MIB:,.0f} MiB',
        f'peak of the process: '
        f'{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MiB']

  def _times(self, name):
    clock, busy = (sorted(1e3 * second for second in seconds[name][1:])
                   for seconds in (self.seconds, self.busy))
    return (f'{statistics.median(clock):.1f} ms ({clock[0]:.1f} to {clock[-1]:.1f}; of the '
            f'processors {statistics.median(busy):.1f})')


if __name__ == '__main__':
  command.run(main)
