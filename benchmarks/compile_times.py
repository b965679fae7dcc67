"""Prints how long XLA takes to compile each net's forward pass and training step.

    python benchmarks/compile_times.py [--all] [--batch=8] [--cpus=2] [NAME ...]

from the root of the checkout; without names one net of each size class, with --all every net. Each
is compiled for pictures of its own size and 100 outputs. Nothing is computed, the persistent cache
is off, and every program is compiled once. Seconds of the processors stand beside those of the
clock, for machines that others use as well. `trace` is Python's share, and `slow folds` counts
XLA's own complaints of constants that take it seconds.
"""

import contextlib
import functools
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks import command

NETS = (
  'se_resnet_tagger', 'se_resnet50', 'legacy_se_resnet50', 'inception_v3', 'inception_v3_keras',
  'efficientnet_b1', 'hrnet_w18_small', 'hrnet_w32', 'convnext_tiny', 'vit_small_patch16')
COMPLAINT = b'Constant folding an instruction is taking'


@contextlib.contextmanager
def captured_stderr():
  """Yields a function that returns what was written to stderr so far, by XLA too."""
  with tempfile.TemporaryFile() as file:
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
      yield lambda: os.pread(file.fileno(), 1 << 20, 0)
    finally:
      os.dup2(kept, 2)
      os.close(kept)


def time_compilation(function, *args):
  """Returns seconds of tracing, of compiling, of processors compiling, and XLA's complaints."""
  import jax
  with captured_stderr() as read:
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    traced, busy = time.perf_counter(), time.process_time()
    lowered.compile()
    return (traced - start, time.perf_counter() - traced, time.process_time() - busy,
            read().count(COMPLAINT))


def programs(name, batch):
  """Returns {program: (function, abstract arguments)} of one net."""
  import jax

  import nets
  net, size = nets.build_net(name, 100), nets.get_variant(name).input_size_px
  image = jax.ShapeDtypeStruct((batch, size, size, 3), 'float32')
  variables = jax.eval_shape(
    functools.partial(net.init, train=False), jax.random.key(0), image)

  def forward(variables, image):
    return net.apply(variables, image, train=False)[0]

  def step(variables, image):
    def loss(params):
      (output, _), after = net.apply(
        {**variables, 'params': params}, image, train=True, mutable=['batch_stats'],
        rngs={'dropout': jax.random.key(0)})
      return (output ** 2).mean(), after
    (_, after), gradients = jax.value_and_grad(loss, has_aux=True)(variables['params'])
    params = jax.tree.map(lambda old, gradient: old - 0.1 * gradient,
                          variables['params'], gradients)
    return params, after

  return {'forward': (forward, variables, image), 'step': (step, variables, image)}


def main():
  """Prints a row for each net and program."""
  parser = command.Parser(__doc__)
  parser.add_argument('names', nargs='*')
  parser.add_argument('--all', action='store_true')
  parser.add_argument('--batch', type=command.number(1), default=8)
  parser.add_argument('--cpus', type=command.number(1), default=2)
  args = parser.parse_args()
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:args.cpus])
  import nets
  names = args.names or (nets.list_nets() if args.all else NETS)
  print(f'{"net":<24} {"program":<8} {"trace s":>8} {"compile s":>10} {"cpu s":>8} '
        f'{"slow folds":>11}')
  for name in names:
    for program, (function, *shapes) in programs(name, args.batch).items():
      traced, compiled, busy, folds = time_compilation(function, *shapes)
      print(f'{name:<24} {program:<8} {traced:8.1f} {compiled:10.1f} {busy:8.1f} {folds:11d}',
            flush=True)


if __name__ == '__main__':
  command.run(main)
