"""70,000 tags: what saving and restoring the state of a run costs.

Part of `python -m benchmarks.scale_parts`. The state is that of configs/tagger.py:board (AdamW,
averaged weights), filled with noise, since zeros are stored in no space. It is saved as the loop
saves it: training waits while arrays are copied, then files are written and digested beside it.
"""

import pathlib
import tempfile
import time

import jax
import numpy as np

from benchmarks.scale_figures import duration, figure
from benchmarks.scale_tags import board_task
from train_lib import optimizers
from train_lib.state import create_state
from train_lib.storage.checkpoints import Checkpoints


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: tags, net, size_px, saves, folder."""
  state = _noisy_state(flags)
  size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
  waited, beside, restored = [], [], []
  with tempfile.TemporaryDirectory(dir=flags.folder) as scratch:
    folder = pathlib.Path(scratch) / 'checkpoints'
    with Checkpoints(folder, config_digest='', keep_last=1) as checkpoints:
      for step in range(1, flags.saves + 1):
        started = time.perf_counter()
        checkpoints.save(step, state)
        waited.append(time.perf_counter() - started)
        checkpoints.wait()
        beside.append(time.perf_counter() - started - waited[-1])
      on_disk = sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
    abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)
    for _ in range(flags.saves):
      started = time.perf_counter()
      with Checkpoints(folder, config_digest='', keep_last=1) as checkpoints:
        jax.block_until_ready(checkpoints.restore_latest(abstract)[0])
      restored.append(time.perf_counter() - started)
  return {'state': figure(size / 1e6, 'MB'), 'on disk': figure(on_disk / 1e6, 'MB'),
          'training waits for a save': duration(waited, 's'),
          'writing, beside training': duration(beside, 's'),
          'reading it back, digests checked': duration(restored, 's')}


def _noisy_state(flags):
  task, config = board_task(flags)
  optimizer, _ = optimizers.build_optimizer(config.optimizer, num_steps=1_000)
  picture = {'image': jax.ShapeDtypeStruct((1, flags.size_px, flags.size_px, 3), np.uint8)}
  abstract = jax.eval_shape(lambda key, batch: create_state(
      task.init(key, batch), optimizer, use_ema=config.train.ema_decay > 0),
      jax.random.key(0), picture)
  rng = np.random.default_rng(0)

  def noise(leaf):
    if leaf.dtype != np.float32:
      return np.ones(leaf.shape, leaf.dtype)
    return rng.standard_normal(leaf.shape, np.float32)

  return jax.device_put(jax.tree.map(noise, abstract))
