"""The training loop around a task of one matrix, to test what it does when things go wrong."""

import time
import types

import jax
import jax.numpy as jnp
import numpy as np

from configs import base
from data.loader import BadImages
from tests.small_runs import open_checkpoints
from train_lib import loop, parallel
from train_lib import workdir as workdir_lib
from train_lib.goodput import Goodput
from train_lib.optimizers import build_optimizer
from train_lib.state import create_state
from train_lib.step import make_train_step
from train_lib.storage import records
from train_lib.watchdog import Watchdog

ROWS, WIDTH = 4, 3


class Linear:
  """Least squares, and a running mean of the inputs; the loss of the steps in `bad` is NaN."""

  def __init__(self, bad=()):
    self.bad = tuple(bad)

  def loss(self, variables, batch, rngs, step=0):
    """As a task's. Args: step: counted from 0, as `TrainState.step`."""
    del rngs
    error = batch['x'] @ variables['params']['kernel'] - 1
    spoilt = jnp.isin(step, jnp.asarray(self.bad, jnp.int32))
    mean = 0.9 * variables['batch_stats']['mean'] + 0.1 * batch['x'].mean(axis=0)
    return (error ** 2).mean() * jnp.where(spoilt, jnp.nan, 1.0), {'mean': mean}


def make_variables():
  return {'params': {'kernel': jnp.ones((WIDTH, 2))}, 'batch_stats': {'mean': jnp.zeros(WIDTH)}}


def make_batch(k):
  return {'x': np.random.default_rng(k).standard_normal((ROWS, WIDTH)).astype(np.float32),
          'id': [f'{k}-{row}' for row in range(ROWS)]}


def make_config(**train):
  """16 steps; a row of figures every 3, an evaluation every 8, a checkpoint every 4."""
  config = base.get_config()
  config.train.num_steps, config.train.batch_size, config.train.ema_decay = 16, ROWS, 0.9
  config.eval.every_steps = 8
  config.runtime.log_every_steps, config.runtime.checkpoint_every_steps = 3, 4
  config.runtime.tensorboard = False
  config.optimizer.learning_rate = 0.05
  config.train.update(train)
  return config


class Training:
  """What the loop asks of a `train_lib.training.Training`."""
  head, small_steps = None, 0

  def __init__(self, config, bad=()):
    self.config, self.num_steps = config, config.train.num_steps
    self.mesh = parallel.make_mesh(jax.devices()[:1])
    self.key = parallel.put_whole(self.mesh, jax.random.key(0))
    self.loader = types.SimpleNamespace(bad_images=BadImages(1, 1.0))
    self._optimizer, schedule = build_optimizer(config.optimizer, self.num_steps)
    self._step = parallel.compile_step(
        make_train_step(Linear(bad), self._optimizer, schedule,
                        accumulate_steps=config.train.accumulate_steps,
                        ema_decay=config.train.ema_decay,
                        drop_diverged=config.train.on_divergence == 'skip'),
        self.mesh, parallel=config.train.parallel, batch_norm_sync=True)

  def first_state(self):
    return parallel.put_whole(self.mesh, create_state(
        make_variables(), self._optimizer, use_ema=self.config.train.ema_decay > 0))

  def step_function(self, step):
    return self._step

  def on_features(self, step):
    return False

  def batches(self, start, stop):
    return map(make_batch, range(start, stop))

  def last_alike(self, step):
    return self.num_steps

  def cost_left(self, done, timed):
    return float(self.num_steps - done)


class Evaluator:
  """Measures nothing."""
  task = types.SimpleNamespace(summary=str)

  def evaluate(self, variables, loader, poll):
    return types.SimpleNamespace(metrics={'loss': 1.0})


class Preemption:
  """Told to stop when it is asked for the so-manieth time, once for each step; or never."""

  def __init__(self, at=None):
    self.requested, self._at, self._asked = False, at, 0

  def should_stop(self):
    self._asked += 1
    self.requested = self._asked == self._at
    return self.requested


def run_loop(folder, config, bad=(), *, stop_at=None, go_back=None):
  """A start of a run in a folder: on from its newest checkpoint; returns the final state.

  Args:
    bad: steps, counted from 0, whose loss is NaN.
    stop_at: the step, of those that this start takes, after which it is told to stop.
    go_back: what is done in place of going back.
  """
  training = Training(config, bad)
  folder = records.absolute(folder)
  folder.mkdir(parents=True, exist_ok=True)
  checkpoints = open_checkpoints(folder, config_digest=workdir_lib.config_digest(config),
                                 on_failure=config.runtime.on_failed_save)
  with Goodput(folder, checkpoints.cost, time.monotonic()) as goodput, checkpoints:

    def find_state():
      restored = checkpoints.restore_latest(jax.tree.map(
          lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding),
          training.first_state()))
      return restored[0] if restored else training.first_state()

    one = loop.Loop(training, Evaluator(), training.loader, checkpoints, Preemption(stop_at),
                    folder, Watchdog(folder, 0), goodput, go_back or find_state)
    return jax.device_get(one.run(find_state()))


def expected(config, bad=()):
  """The final state of the same program, in which the steps of `bad` are passed over."""
  training = Training(config, bad)
  state = training.first_state()
  for k in range(training.num_steps):
    if k in bad:
      state = state.replace(step=state.step + 1)
    else:
      batch = parallel.put_batch(training.mesh, make_batch(k))
      state, _ = training.step_function(k + 1)(state, batch, training.key)
  return jax.device_get(state)
