"""What one replica computes: its first state, many steps, predictions of a split, curvature.

Each is a function of one replica's own tree and of what all share, for `SideBySide` to compile.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from train_lib import build_data, freezing, optimizers
from train_lib.state import TrainState, create_state
from train_lib.step import make_train_step
from train_lib.studies import curvature
from train_lib.training import Training


def fresh_variables(training: Training, key: jax.Array) -> dict:
  """The net's variables as --job=train draws them. Args: key: of the run."""
  return training.task.init(key, {'image': jnp.asarray(build_data.blank_pictures(training.config))})


def first_state(training: Training, variables: dict) -> TrainState:
  """The state of step 0."""
  config = training.config
  optimizer, _ = _build_optimizer(training, False, config.optimizer.learning_rate)
  return create_state(variables, optimizer, use_ema=config.train.ema_decay > 0)


def train_program(training: Training, step: int, most: int, *, stops: bool) -> Callable:
  """Many steps of one kind.

  Args:
    training: of `build_training`.
    step: one of them, counted from 1; it decides which parts learn and how large pictures are.
    most: steps of one call.
    stops: end as soon as an update is not finite; what is kept of the steps to come is NaN.

  Returns:
    ((state, rate, key, rows [most, batch size]), (arrays of the split, count)) -> (state, metrics
    [most]), with NaN beyond the count. Count is no constant: fewer steps are the same program.
  """
  small, first = training.step_kind(step)
  config = training.config
  task = dataclasses.replace(training.task, shrink=config.train.shrink if small else 1,
                             net=training.plan.net(training.task.net, first=first))

  def train(each, shared):
    state, rate, key, rows = each
    arrays, count = shared
    one_step = make_train_step(
        task, *_build_optimizer(training, first, rate),
        accumulate_steps=config.train.accumulate_steps, ema_decay=config.train.ema_decay)

    def take_step(state, place):
      return one_step(state, {name: value[rows[place]] for name, value in arrays.items()}, key)

    def goes_on(carry):
      place, finite, *_ = carry
      return (place < count) & finite if stops else place < count

    def body(carry):
      place, _, state, kept = carry
      state, metrics = take_step(state, place)
      kept = jax.tree.map(lambda values, value: values.at[place].set(value), kept, metrics)
      return place + 1, jnp.isfinite(metrics['update_ratio']), state, kept

    kept = jax.tree.map(lambda value: jnp.full((most, *value.shape), jnp.nan, value.dtype),
                        jax.eval_shape(take_step, state, 0)[1])
    *_, state, kept = jax.lax.while_loop(goes_on, body, (0, True, state, kept))
    return state, kept

  return train


def predict_program(training: Training) -> Callable:
  """(variables, arrays of a split) -> (its predictions, the sums over it), batch by batch."""
  task, batch_size = training.task, training.config.eval.batch_size

  def predict(variables, arrays):
    batches = jax.tree.map(lambda x: x.reshape(-1, batch_size, *x.shape[1:]), arrays)
    predicted, sums = jax.lax.map(
        lambda batch: (task.predict(variables, batch), task.tally(variables, batch)), batches)
    return (jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), predicted),
            jax.tree.map(lambda x: x.sum(axis=0), sums))

  return predict


def curvature_program(training: Training) -> Callable:
  """((params, batch_stats), batch) -> `curvature.tridiagonal` of the training loss."""
  net = training.plan.net(training.task.net, first=False)
  task = dataclasses.replace(training.task, net=_in_float32(net))
  rngs = {name: jax.random.key(number)
          for number, name in enumerate(('dropout', 'mixup', 'latent'))}

  def measure(variables, batch):
    params, batch_stats = variables

    def loss(params):
      return task.loss({'params': params, 'batch_stats': batch_stats}, batch, rngs,
                       training.num_steps)[0]

    return curvature.tridiagonal(loss, params, jax.random.key(0),
                                 steps=training.config.study.sharpness_steps)

  return measure


def _build_optimizer(training, first, rate):
  return optimizers.build_optimizer(
      training.config.optimizer, training.num_steps,
      functools.partial(training.plan.optimizer, first=first), learning_rate=rate)


def _in_float32(net):
  """The net, computing in float32: what bfloat16 rounds away is more than a second derivative."""
  if isinstance(net, freezing.FrozenNet):
    return dataclasses.replace(net, net=_in_float32(net.net))
  return net.clone(options=dataclasses.replace(net.options, dtype=jnp.float32))
