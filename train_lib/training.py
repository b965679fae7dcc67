"""A run up to its first step: all that a config decides, and the compiled steps."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from train_lib import build, check, freezing, optimizers, parallel, step, weights
from train_lib.state import TrainState, create_state


@dataclasses.dataclass(frozen=True)
class Training:
  """Everything that a run needs and that a config decides."""
  config: Any
  mesh: jax.sharding.Mesh
  task: Any
  train_source: Any               # data.batch.Source
  loader: Any
  num_steps: int
  abstract_state: TrainState      # shapes and shardings, for a restore
  key: jax.Array                  # of all random numbers of the steps
  init_state: Any                 # (key) -> TrainState on the devices
  small_steps: int                # of them, the first, on shrunk pictures
  start_from: Any                 # (variables) -> TrainState with them on the devices
  plan: freezing.Plan
  steps: dict                     # (small, first part) -> (state, batch, key) -> (state, metrics)

  def step_kind(self, step: int) -> tuple[bool, bool]:
    """The key in `steps` of a step, counted from 1; another one is another compiled program."""
    return step <= self.small_steps, self.plan.is_first(step)

  def step_function(self, step: int):
    """What computes a step, counted from 1."""
    return self.steps[self.step_kind(step)]

  def cost_left(self, step: int) -> float:
    """The steps after this one, in units of this one's cost, by the number of pixels."""
    small, full = 1.0, float(self.config.train.shrink ** 2)
    small_left = max(0, self.small_steps - step)
    cost = small * small_left + full * (self.num_steps - step - small_left)
    return cost / (small if step <= self.small_steps else full)


def build_training(config, poll: Callable[[], None] = lambda: None,
                   source: Any = None) -> Training:
  """Prepares everything up to the compiled step.

  Args:
    config: the whole config.
    poll: called often while data are prepared; may raise to stop.
    source: what to train on; None: the training split that the config names.
  """
  check.check_config(config)
  mesh = parallel.make_mesh()
  parallel.check_batch_size('train.batch_size', config.train.batch_size, mesh,
                            config.train.accumulate_steps)
  source = source or build.build_source(config, 'train', poll)
  task = build.build_task(config, source.tag_categories, head_bias=build.prior_logits(source, poll),
                    tag_weights=build.weigh_tags(source, config.loss.tag_weight_power, poll))
  keys = ('image', 'tags', *['ignored_tags'] * (config.data.implications == 'ignored'))
  loader = build.build_loader(
      config, source, train=True, batch_size=config.train.batch_size, keys=keys)
  num_steps = config.train.num_steps or math.ceil(
      config.train.num_epochs * len(source) / config.train.batch_size)
  size = config.data.image_size_px
  picture = {'image': jnp.zeros((1, size, size, 3), jnp.uint8)}
  plan = freezing.plan_of_config(
      config, num_steps, jax.eval_shape(task.init, jax.random.key(0), picture)['params'])

  def build_optimizer(first: bool):
    return optimizers.build_optimizer(
        config.optimizer, num_steps, functools.partial(plan.optimizer, first=first))

  def compiled_step(shrink: int, first: bool):
    function = step.make_train_step(
        dataclasses.replace(task, shrink=shrink, net=plan.net(task.net, first=first)),
        *build_optimizer(first),
        accumulate_steps=config.train.accumulate_steps, ema_decay=config.train.ema_decay)
    return parallel.compile_step(function, mesh, parallel=config.train.parallel,
                                 batch_norm_sync=config.net.batch_norm_sync)

  def start_from(variables) -> TrainState:
    return create_state(variables, build_optimizer(False)[0], use_ema=config.train.ema_decay > 0)

  def create(key) -> TrainState:
    return start_from(task.init(key, picture))

  key = parallel.put_whole(mesh, jax.random.key(config.seed))
  return Training(
      config=config, mesh=mesh, task=task, train_source=source, loader=loader,
      num_steps=num_steps, key=key, abstract_state=parallel.abstract_whole(mesh, create, key),
      init_state=parallel.compile_once(mesh, create),
      start_from=parallel.compile_once(mesh, start_from), plan=plan,
      small_steps=round(config.train.shrink_frac * num_steps),
      steps={(small, first): compiled_step(check.check_shrink(config) if small else 1, first)
             for small in (False, True) for first in (False, True)})


def load_initial(training: Training, state: TrainState):
  """Returns (the state of step 0 with the weights that the config names, their account)."""
  net = training.config.net
  variables, account = weights.load_weights(
      net.init_from, jax.device_get({'params': state.params, 'batch_stats': state.batch_stats}),
      names=build.build_weight_names(training.config), head=net.init_head,
      partial=net.init_partial, checkpoint=net.init_checkpoint, net=net.name,
      pixels=build.pixel_constants(net), outputs=tuple(training.train_source.tag_names))
  return training.start_from(parallel.put_whole(training.mesh, variables)), account
