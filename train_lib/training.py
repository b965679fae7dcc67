"""A run up to its first step: all that a config decides, and the compiled steps."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train_lib import (
  build,
  build_data,
  build_sources,
  check,
  freezing,
  optimizers,
  parallel,
  split_statistics,
  step,
)
from train_lib.evaluation import Evaluator
from train_lib.feature_loader import FeatureLoader, training_rows
from train_lib.features import load_features
from train_lib.reporting import say
from train_lib.state import TrainState, create_state
from train_lib.trees import flatten_names
from train_lib.weights import weights


@dataclasses.dataclass(frozen=True)
class HeadSteps:
  """The first steps of a run, where they train the head alone on features that are kept on disk.

  Attributes:
    last: the last of them.
    steps: first part of the run or not -> what computes a step, as `Training.steps`.
    loader, valid_loader: of features, for training and in evaluation order.
    evaluator: for the latter.
  """
  last: int
  steps: dict
  loader: FeatureLoader
  valid_loader: FeatureLoader
  evaluator: Evaluator


@dataclasses.dataclass(frozen=True)
class Training:
  """Everything that a run needs and that a config decides."""
  config: Any
  mesh: jax.sharding.Mesh
  task: Any
  train_source: Any               # data.batch.Source: every picture of the training split once
  places: np.ndarray              # int64: where the loader's examples stand in it
  loader: Any
  num_steps: int
  abstract_state: TrainState      # shapes and shardings, for a restore
  key: jax.Array                  # of all random numbers of the steps
  init_state: Any                 # (key) -> TrainState on the devices
  small_steps: int                # of them, the first, on shrunk pictures
  start_from: Any                 # (variables) -> TrainState with them on the devices
  plan: freezing.Plan
  steps: dict                     # (small, first part) -> (state, batch, key) -> (state, metrics)
  build_step: Callable            # (task, first part[, accumulate_steps]) -> such a step
  head: HeadSteps | None = None   # of `with_features`

  def on_features(self, step: int) -> bool:
    """Whether a step, counted from 1, reads features in place of pictures."""
    return self.head is not None and step <= self.head.last

  def step_kind(self, step: int) -> tuple[bool, bool]:
    """The key in `steps` of a step, counted from 1; another one is another compiled program."""
    return step <= self.small_steps, self.plan.is_first(step)

  def step_function(self, step: int):
    """What computes a step, counted from 1."""
    if self.on_features(step):
      return self.head.steps[self.plan.is_first(step)]
    return self.steps[self.step_kind(step)]

  def batches(self, start: int, stop: int):
    """Yields the batches of the steps start + 1, ..., stop."""
    turn = min(max(start, self.head.last), stop) if self.head else start
    if start < turn:
      yield from self.head.loader.batches(start, turn)
    if turn < stop:
      yield from self.loader.batches(turn, stop)

  def train_rows(self, first: int, count: int, seed: int | None = None) -> np.ndarray:
    """`Loader.train_rows` of the loader, as rows of `train_source`: int64 [count, batch_size]."""
    return self.places[self.loader.train_rows(first, count, seed)]

  def last_alike(self, step: int) -> int:
    """The last step whose time can be told from that of this one: of its part, by its pixels."""
    return self.head.last if self.on_features(step) else self.num_steps

  def cost_left(self, done: int, timed: int) -> float:
    """The steps after `done` up to `last_alike(timed)`, in units of the cost of the step `timed`,
    by pixels."""
    if self.on_features(timed):
      return float(self.head.last - done)
    full = float(self.config.train.shrink ** 2)                   # a small one costs 1
    small_left = max(0, self.small_steps - done)
    cost = small_left + full * (self.num_steps - done - small_left)
    return cost / (1.0 if timed <= self.small_steps else full)

  @property
  def head_steps(self) -> int:
    """How many steps may read features, as the config has it."""
    if not self.config.train.cache_features:
      return 0
    return self.plan.head_steps(flatten_names(self.abstract_state.params), self.num_steps)


def build_training(config, poll: Callable[[], None] = lambda: None, source: Any = None,
                   pixels: tuple = (), devices: list | None = None) -> Training:
  """Prepares everything up to the compiled step.

  Args:
    config: the whole config, one that `check.check_config` takes.
    poll: called often while data are prepared; may raise to stop.
    source: what to train on; None: the training split that the config names.
    pixels: (mean, std) that were measured when the run began; () measures where the config says so.
    devices: None: all of them.
  """
  mesh = parallel.make_mesh(devices)
  parallel.check_batch_size('train.batch_size', config.train.batch_size, mesh,
                            config.train.accumulate_steps)
  source = source or build_sources.build_source(config, 'train', poll)
  learned, places = build_data.build_learned_source(config, source, poll)
  num_steps = config.train.num_steps or math.ceil(
      config.train.num_epochs * len(source) / config.train.batch_size)
  task = _build_task(config, source, learned, pixels, num_steps, poll)
  loader = build_data.build_loader(config, learned, train=True, batch_size=config.train.batch_size,
                                   keys=('image', *_training_keys(config, task)))
  picture = {'image': jnp.asarray(build_data.blank_pictures(config))}
  init = jax.jit(task.init)       # so that the net is traced once for all that asks
  key = parallel.put_whole(mesh, jax.random.key(config.seed))
  plan = freezing.plan_of_config(
      config, num_steps, jax.eval_shape(lambda key: init(key, picture), key)['params'])

  def build_optimizer(first: bool):
    return optimizers.build_optimizer(
        config.optimizer, num_steps, functools.partial(plan.optimizer, first=first))

  def compiled_step(task, first: bool, accumulate_steps=config.train.accumulate_steps):
    function = step.make_train_step(
        dataclasses.replace(task, net=plan.net(task.net, first=first)), *build_optimizer(first),
        accumulate_steps=accumulate_steps, ema_decay=config.train.ema_decay,
        drop_diverged=config.train.on_divergence == 'skip')
    return parallel.compile_step(function, mesh, parallel=config.train.parallel,
                                 batch_norm_sync=config.net.batch_norm_sync)

  def start_from(variables) -> TrainState:
    return create_state(variables, build_optimizer(False)[0], use_ema=config.train.ema_decay > 0)

  def create(key) -> TrainState:
    return start_from(init(key, picture))

  shrunk = dataclasses.replace(task, shrink=check.check_shrink(config))
  return Training(
      config=config, mesh=mesh, task=task, train_source=source, places=places, loader=loader,
      num_steps=num_steps, key=key, abstract_state=parallel.abstract_whole(mesh, create, key),
      init_state=parallel.compile_once(mesh, create),
      start_from=parallel.compile_once(mesh, start_from), plan=plan,
      small_steps=round(config.train.shrink_frac * num_steps), build_step=compiled_step,
      steps={(small, first): compiled_step(shrunk if small else task, first)
             for small in (False, True) for first in (False, True)})


def _build_task(config, source, learned, pixels, num_steps, poll):
  """The task, with what is measured of the training split (`source`, read as `learned`)."""
  exclusive = config.task == 'classification'
  if config.data.pixels == 'train' and not pixels:
    loader = build_data.build_pixel_loader(config, source)
    mean, std = pixels = split_statistics.measure_pixels(loader, poll)
    say(f'pixels of {loader.num_examples:,} training pictures: mean '
        f'{", ".join(f"{value:.1f}" for value in mean)}, deviation '
        f'{", ".join(f"{value:.1f}" for value in std)}')
  if config.task in ('pose', 'autoencoding'):
    return build.build_task(config, source.tag_categories, pixels=pixels, num_steps=num_steps)
  return build.build_task(
      config, source.tag_categories, pixels=pixels,
      head_bias=split_statistics.prior_logits(learned, poll, exclusive=exclusive),
      weights=split_statistics.weigh_tags(source, config.loss.tag_weight_power, poll,
                                          exclusive=exclusive))


def _training_keys(config, task):
  """The keys of a training batch besides the picture."""
  return *task.batch_keys, *['ignored_tags'] * (config.data.implications == 'ignored')


def load_initial(training: Training, state: TrainState):
  """Returns (the state of step 0 with the weights that the config names, their account)."""
  config = training.config
  net = config.net
  variables, account = weights.load_weights(
      net.init_from, jax.device_get({'params': state.params, 'batch_stats': state.batch_stats}),
      names=build.build_weight_names(config), head=net.init_head, partial=net.init_partial,
      checkpoint=net.init_checkpoint, net=net.name, pixels=check.expected_pixels(config),
      outputs=tuple(training.train_source.tag_names))
  return training.start_from(parallel.put_whole(training.mesh, variables)), account


def with_features(training: Training, state: TrainState, valid_loader,
                  poll: Callable[[], None]) -> Training:
  """The same training, its first steps on features where the config says so and some are left.

  Pictures are read as evaluation reads them: those steps neither augment nor mix pictures.

  Args:
    training: of `build_training`.
    state: that the run goes on from.
    valid_loader: of the validation split, in evaluation order.
    poll: called for each batch of pictures; may raise to stop.
  """
  last, config, task = training.head_steps, training.config, training.task
  if int(state.step) >= last:
    return training
  say(f'the head alone learns for {last} steps, from features of the pictures as they are: without '
      'augmentation or mixing')
  variables = {'params': state.params, 'batch_stats': state.batch_stats}

  def load(loader, split):
    return load_features(config.runtime.features_dir, task, training.mesh, variables, loader,
                         build_data.describe_reading(config, loader.source, split), poll)

  train_loader = build_data.build_evaluation_loader(
      config, training.train_source, ('image', *_training_keys(config, task)))
  learned, judged = load(train_loader, 'train'), load(valid_loader, 'valid')
  rows = training_rows(training.loader, training.places, learned['mask'] > 0)
  head = dataclasses.replace(task, net=build.build_head(task.net), mean=(0.0,), deviation=(1.0,),
                             mixup_alpha=0.0, cutmix_alpha=0.0)
  return dataclasses.replace(training, head=HeadSteps(
      last=last, steps={first: training.build_step(head, first) for first in (False, True)},
      evaluator=Evaluator(head, training.mesh),
      loader=FeatureLoader(
          learned, config.train.batch_size, train_loader.bad_images,
          pick_rows=lambda k, count: rows[training.loader.train_rows(k, count)]),
      valid_loader=FeatureLoader(judged, config.eval.batch_size, valid_loader.bad_images)))
