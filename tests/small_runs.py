"""A state of a few numbers and a folder of its checkpoints, for the tests of both."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from train_lib.state import TrainState
from train_lib.storage.checkpoints import Checkpoints
from train_lib.trees import state_digest

OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))


def make_state(step, *, ema=True, wide=3, fill=None):
  values = np.random.default_rng(step).standard_normal((wide, 4), dtype=np.float32)
  if fill is not None:
    values[0, 0] = fill
  params = {'conv': {'kernel': jnp.asarray(values)},
            'head': {'bias': jnp.asarray(values[0], jnp.bfloat16)}}
  batch_stats = {'norm': {'mean': jnp.full((4,), step, jnp.float32)}}
  averaged = jax.tree.map(lambda x: x + 1, {'params': params, 'batch_stats': batch_stats})
  return TrainState(step=jnp.int32(step), params=params, batch_stats=batch_stats,
                    opt_state=OPTIMIZER.init(params), ema=averaged if ema else {})


def abstract_state(**options):
  return jax.eval_shape(lambda: make_state(0, **options))


def open_checkpoints(tmp_path, **options):
  options = {'config_digest': 'digest', 'keep_last': 3, **options}
  return Checkpoints(tmp_path / 'checkpoints', **options)


def save_steps(tmp_path, steps, **options):
  with open_checkpoints(tmp_path, **options) as checkpoints:
    for step in steps:
      checkpoints.save(step, make_state(step))


def assert_same(restored, step):
  wanted = make_state(step)
  assert jax.tree.structure(restored) == jax.tree.structure(wanted)
  assert state_digest(restored) == state_digest(wanted)


def newest_payload(folder):
  files = [path for path in folder.rglob('*') if path.is_file() and '/d/' in str(path)]
  return max(files, key=lambda path: path.stat().st_size)
