"""The one training step: gradients, the optimizer's update, statistics, averaged weights.

The gradient comes from one place, `gradients_at`: an optimizer that wants it elsewhere says where
(`gradient_point`), and one that wants a second, as SAM does, is handed the function. Statistics are
those of the first pass, so they move once a step.

A step whose loss, gradient or update is not finite has diverged; `drop_diverged` leaves it out.

It is written against a named data axis. Under `jit` over sharded arrays there is no axis and every
mean is already global; under `pmap` and `shard_map` the axis is 'data', and `mean_over` joins the
devices.
"""

import jax
import jax.numpy as jnp
import optax

from train_lib.optimizers import gradient_point
from train_lib.state import TrainState

JUDGED = ('loss', 'gradient_norm', 'update_ratio')  # a step diverged when one is not finite


def make_train_step(task, optimizer, schedule, *, accumulate_steps: int, ema_decay: float,
                    drop_diverged: bool = False):
  """Returns step(state, batch, key, *, axis) -> (state, metrics).

  The random numbers of a step are a function of (key, step, part, device); the key is handed in, so
  that every seed runs the same compiled program.

  Args:
    task: a task of `train_lib.tasks`.
    optimizer, schedule: of `build_optimizer`.
    accumulate_steps: parts of the batch computed one after another; divides the batch.
    ema_decay: of the averaged weights, 0 is off.
    drop_diverged: a step that diverged changes nothing but the number of steps.

  Returns:
    The step. Its metrics are of the whole batch: 'loss' of the task, without penalties;
    'gradient_norm' of its gradient, before clipping, and of SAM the first; 'update_ratio', the norm
    of the update over that of the parameters; 'learning_rate'.
  """
  optimizer = optax.with_extra_args_support(optimizer)
  compute = make_gradients(task, accumulate_steps)

  def step(state: TrainState, batch, key, *, axis: str | None = None):
    key = jax.random.fold_in(key, state.step)
    if axis:
      key = jax.random.fold_in(key, jax.lax.axis_index(axis))
    point = gradient_point(state.params, state.opt_state)

    def gradients_at(params):
      return compute(params, state.batch_stats, batch, key, axis, state.step)

    loss, batch_stats, grads = gradients_at(point)
    updates, opt_state = optimizer.update(
        grads, state.opt_state, state.params,
        gradient_at_offset=lambda offset: gradients_at(optax.apply_updates(point, offset))[2])
    params = optax.apply_updates(state.params, updates)
    metrics = {'loss': loss, 'gradient_norm': optax.tree.norm(grads),
               'update_ratio': _ratio(optax.tree.norm(updates), optax.tree.norm(state.params)),
               'learning_rate': schedule(state.step)}
    ema = jax.tree.map(lambda old, new: ema_decay * old + (1 - ema_decay) * new,
                       state.ema, _averaged(state.ema, params, batch_stats))
    after = TrainState(step=state.step + 1, params=params, batch_stats=batch_stats,
                       opt_state=opt_state, ema=ema)
    return keep_finite(state, after, metrics) if drop_diverged else after, metrics

  return step


def make_gradients(task, accumulate_steps: int):
  """Returns gradients(params, batch_stats, batch, key, axis, step) -> (loss, batch_stats, grads).

  All are means over the batch, of all devices. Args: as those of `make_train_step`.
  """
  def gradients(params, batch_stats, batch, key, axis, step):
    def loss_of(params):
      variables = {'params': params, 'batch_stats': batch_stats}
      rngs = {'dropout': key, 'mixup': jax.random.fold_in(key, 1),
              'latent': jax.random.fold_in(key, 2)}
      return task.loss(variables, batch, rngs, step)
    (loss, batch_stats), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
    return mean_over(axis, (loss, batch_stats, grads))

  def accumulated(params, batch_stats, batch, key, axis, step):
    def part(carry, inputs):
      batch_stats, loss_sum, grads_sum = carry
      index, batch = inputs
      loss, batch_stats, grads = gradients(
          params, batch_stats, batch, jax.random.fold_in(key, index), axis, step)
      return (batch_stats, loss_sum + loss, jax.tree.map(jnp.add, grads_sum, grads)), None
    # row i goes to part i % accumulate_steps, so that every device keeps its own rows
    parts = jax.tree.map(
        lambda x: x.reshape(-1, accumulate_steps, *x.shape[1:]).swapaxes(0, 1), batch)
    zeros = jax.tree.map(jnp.zeros_like, params)
    (batch_stats, loss, grads), _ = jax.lax.scan(
        part, (batch_stats, jnp.zeros(()), zeros), (jnp.arange(accumulate_steps), parts))
    loss, grads = jax.tree.map(lambda x: x / accumulate_steps, (loss, grads))
    return loss, batch_stats, grads

  return gradients if accumulate_steps == 1 else accumulated


def keep_finite(before: TrainState, after: TrainState, metrics: dict) -> TrainState:
  """The state after a step, or, where the step diverged, the one before with its number."""
  finite = jnp.isfinite(jnp.stack([metrics[key] for key in JUDGED])).all()
  kept = jax.tree.map(lambda old, new: jnp.where(finite, new, old), before, after)
  return kept.replace(step=after.step)


def mean_over(axis: str | None, tree):
  """The mean over devices of a named axis; without one the values are global already."""
  return jax.lax.pmean(tree, axis) if axis else tree


def _ratio(one, other):
  return one / jnp.maximum(other, jnp.finfo(other.dtype).tiny)


def _averaged(ema, params, batch_stats):
  return {'params': params, 'batch_stats': batch_stats} if ema else {}
