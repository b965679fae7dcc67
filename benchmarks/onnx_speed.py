"""Is an exported net as fast in onnxruntime as in JAX, and does it give the same?

    python -m benchmarks.onnx_speed
    python -m benchmarks.onnx_speed --nets=se_resnet_tiny,vae_conv_64 --repeats=5
    python -m benchmarks.onnx_speed --repeats=0                     the differences alone

Each net has pictures of its own size, 100 outputs and drawn weights. JAX runs what prediction runs:
the compiled net in its form for a CPU, in a process with main.py's settings (--notune: as it
comes). onnxruntime runs the exported graph on as many threads as there are processors. Both take
turns, so that a noisy moment of the machine does not fall on one of them. Printed is the median of
a call (least to most), how many times longer JAX takes, and the largest difference of the outputs
over batches of 1, 3 and 8, as a share of the largest output.
"""

import argparse
import functools
import os
import statistics
import sys
import time

import jax
import numpy as np

import nets
from benchmarks import command
from benchmarks.beside.turns import in_words, table
from benchmarks.command import number, one_of, several
from nets import layers
from train_lib import launch
from train_lib.onnx_export.build import build_model, make_inputs
from train_lib.onnx_export.check import compare

NETS = ('se_resnet_tagger', 'inception_v3', 'efficientnet_b0', 'hrnet_w18_small',
        'hrnet_w18_small_pose', 'convnext_tiny', 'vit_tiny_patch16', 'vae_efficientnet_b1')
COMPARED = (1, 3, 8)              # batches
OUTPUTS = 100
COLUMNS = ('net', 'M params', 'px', 'batch', 'JAX ms', 'onnxruntime ms', 'JAX / ORT', 'difference')


def main() -> None:
  """Reads the flags, measures one net after another, prints the table."""
  flags = read_flags()
  if flags.tune:
    launch.restart_tuned(['-m', 'benchmarks.onnx_speed', *sys.argv[1:]])
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:flags.cpus])
  rows = []
  for name in flags.nets:
    case = Case(name, flags)
    for _ in range(flags.repeats):
      case.run_once()
    rows += case.rows()
    print(f'{name}: done', file=sys.stderr, flush=True)
    jax.clear_caches()
  print(f'{flags.cpus} processors, {"tuned" if flags.tune else "as it comes"}; median of '
        f'{flags.repeats} calls (least to most)')
  print(table(COLUMNS, rows))


def read_flags(argv=None) -> argparse.Namespace:
  """The command line."""
  parser = command.Parser(__doc__)
  parser.add_argument('--nets', default=NETS, type=several(one_of(nets.list_nets())),
                      help='variants of nets.NETS')
  parser.add_argument('--batches', default=(1, 8), help='pictures of a call',
                      type=several(number(1)))
  parser.add_argument('--repeats', type=number(0), default=15, help='calls that are timed')
  parser.add_argument('--cpus', type=number(1), default=2)
  parser.add_argument('--size_px', type=number(0), default=0,
                      help='side of the pictures; 0: its own')
  parser.add_argument('--notune', dest='tune', action='store_false')
  return parser.parse_args(argv)


class Case:
  """A net in both programs, and how long each call of each batch took."""

  def __init__(self, name: str, flags: argparse.Namespace):
    row = nets.get_variant(name)
    self.name, self.side_px = name, flags.size_px or row.input_size_px
    self.net, self.channels = nets.build_net(name, OUTPUTS), len(row.mean)
    self.variables = draw_variables(self.net, self.image(1))
    self.parameters = sum(leaf.size for leaf in jax.tree.leaves(self.variables['params']))
    self.jax = jax.jit(lambda variables, image: self.net.apply(variables, image, train=False)[0])
    self.session = self._open_session(flags.cpus)
    self.difference = max(compare(self._in_onnx(image), self._in_jax(image))
                          for image in map(self.image, COMPARED))
    self.seconds = {(batch, run): [] for batch in flags.batches
                    for run in (self._in_jax, self._in_onnx)}
    for batch, run in self.seconds:
      run(self.image(batch))      # compiles, and makes room

  def image(self, batch: int) -> np.ndarray:
    """Normalised pictures of noise, float32 [batch, side, side, C]."""
    shape = (batch, self.side_px, self.side_px, self.channels)
    return np.random.default_rng(batch).normal(size=shape).astype(np.float32)

  def run_once(self) -> None:
    """Every program once on every batch."""
    for (batch, run), seconds in self.seconds.items():
      image = self.image(batch)
      started = time.perf_counter()
      run(image)
      seconds.append(time.perf_counter() - started)

  def rows(self) -> list[tuple[str, ...]]:
    """A row for each batch; the first has the difference, which is of all."""
    rows = []
    for batch in dict.fromkeys(batch for batch, _ in self.seconds):
      ours, theirs = (self.seconds[batch, run] for run in (self._in_jax, self._in_onnx))
      ratio = statistics.median(ours) / statistics.median(theirs) if ours else float('nan')
      rows.append((self.name, f'{self.parameters / 1e6:.2f}', str(self.side_px), str(batch),
                   in_ms(ours), in_ms(theirs), f'{ratio:.2f}', f'{self.difference:.1e}'))
    return rows

  def _in_jax(self, image):
    return np.asarray(self.jax(self.variables, image))

  def _in_onnx(self, image):
    return self.session.run(None, {'image': image})[0]

  def _open_session(self, threads):
    import onnxruntime

    def plain(image):
      with layers.conv_form('plain'):
        return self.net.apply(self.variables, image, train=False)[0]
    made = build_model(plain, make_inputs(image=self.image(1).shape[1:]), ('logits',))
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, threads
    return onnxruntime.InferenceSession(made.SerializeToString(), options,
                                        providers=['CPUExecutionProvider'])


def draw_variables(net, image) -> dict:
  """Variables with which every layer does something, as after training."""
  rng = np.random.default_rng(0)

  def draw(path, leaf):
    name, noise = path[-1].key, rng.normal(size=leaf.shape).astype(np.float32)
    if name == 'kernel':
      return noise * np.float32((1.6 / np.prod(leaf.shape[:-1])) ** 0.5)
    return 1 + 0.2 * np.abs(noise) if name in ('var', 'scale') else 0.1 * noise

  shapes = jax.eval_shape(functools.partial(net.init, train=False), jax.random.key(0), image)
  return jax.device_put(jax.tree_util.tree_map_with_path(draw, shapes))


def in_ms(seconds: list[float]) -> str:
  """'12.3 (12.0 to 13.1)' of seconds; '-' of none."""
  return in_words([1e3 * one for one in seconds]) if seconds else '-'


if __name__ == '__main__':
  command.run(main)
