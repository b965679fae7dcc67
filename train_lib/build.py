"""The only knot: a config's names become a net, a task, sources and loaders."""

import copy
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import data
from data.batch import Source
from data.loader import Loader
from data.operations import build_pipeline
from data.sources.pictures import PictureFiles
from data.subset import Subset, part_rows
from errors import UserError
from losses import LOSSES
from nets import build_net, get_variant
from train_lib import optimizers, parallel, step
from train_lib.state import TrainState, create_state
from train_lib.tasks import get_task, missing_tags

FREQUENCY_SAMPLE = 4096           # examples that the head's first biases are read from


@dataclasses.dataclass(frozen=True)
class Training:
  """Everything that a run needs and that a config decides."""
  config: Any
  mesh: jax.sharding.Mesh
  task: Any
  train_source: Source
  loader: Loader
  num_steps: int
  abstract_state: TrainState      # shapes and shardings, for a restore
  key: jax.Array                  # of all random numbers of the steps
  init_state: Any                 # (key) -> TrainState on the devices
  small_steps: int                # of them, the first, on shrunk pictures
  small_step: Any                 # (state, batch, key) -> (state, metrics)
  full_step: Any                  # the same

  def step_function(self, step: int):
    """What computes a step, counted from 1."""
    return self.small_step if step <= self.small_steps else self.full_step

  def cost_left(self, step: int) -> float:
    """The steps after this one, in units of this one's cost, by the number of pixels."""
    small, full = 1.0, float(self.config.train.shrink ** 2)
    small_left = max(0, self.small_steps - step)
    cost = small * small_left + full * (self.num_steps - step - small_left)
    return cost / (small if step <= self.small_steps else full)


def build_source(config, split: str, poll: Callable[[], None] = lambda: None) -> Source:
  """The split ('train', 'valid' or 'test') of the config's dataset.

  Args: poll: called often while data are prepared; may raise to stop.
  """
  name = config.data.source
  if name not in data.SOURCES:
    raise UserError(f"data.source '{name}' is unknown; choices: {', '.join(data.SOURCES)}")
  return data.SOURCES[name](config.data, split, poll=poll)


def build_listed_source(config, source: Source, poll: Callable[[], None]) -> Source:
  """The training split, its tags as listed: what the baselines learn from.

  Args: source: the training split with what training makes of missing tags. It is given back where
    it is the same, and where its tags were chosen and counted with the implied ones, as a board's.
  """
  if config.data.implications == 'listed' or config.data.source != 'toon':
    return source
  listed = copy.deepcopy(config)
  listed.data.implications = 'listed'
  return build_source(listed, 'train', poll)


def build_task(config, categories: tuple[str, ...], *, head_bias=0.0, tag_weights=1.0):
  """The task around its net.

  Args:
    config: the whole config.
    categories: of the tags, one each; every category but 'rating' is scored.
    head_bias: logits that the head starts from, one number or one per tag.
    tag_weights: of the tags in the training loss, one number or one per tag.
  """
  variant = get_variant(config.net.name)
  net = build_net(
      config.net.name, len(categories), dtype=compute_dtype(config.net.dtype),
      dropout_rate=config.net.dropout_rate, head_bias_init=head_bias,
      batch_norm_axis=parallel.batch_norm_axis(config.train.parallel, config.net.batch_norm_sync))
  scored = np.array([category != 'rating' for category in categories])
  if not scored.any():
    raise UserError('every tag is a rating; name at least one other tag to learn')
  treatment = functools.partial(
      missing_tags.treat_missing, complete=~scored, smoothing=config.loss.negative_smoothing,
      missing=config.loss.missing,
      bar=missing_tags.place_bar(config.loss.missing_threshold, head_bias))
  return get_task(config.task)(
      net=net, loss_function=build_loss(config.loss), mean=variant.mean, deviation=variant.std,
      num_tags=len(categories), over_tags=config.loss.over_tags, scored=scored,
      treatment=treatment, tag_weights=tag_weights, mixup_alpha=config.train.mixup_alpha)


def build_loss(config):
  """(logits, labels) -> element-wise loss, with its hyper-parameters from the `loss` section."""
  settings = {
      'sigmoid_cross_entropy': {},
      'focal': dict(alpha=config.focal_alpha, gamma=config.focal_gamma),
      'asymmetric': dict(gamma_positive=config.gamma_positive,
                         gamma_negative=config.gamma_negative, clip=config.clip),
  }
  if config.name not in LOSSES:
    raise UserError(f"loss.name '{config.name}' is unknown; choices: {', '.join(LOSSES)}")
  return functools.partial(LOSSES[config.name], **settings[config.name])


def build_loader(config, source: Source, *, train: bool, batch_size: int,
                 keys: tuple[str, ...] = ('image', 'tags'), **options) -> Loader:
  """A loader of this process's share of each batch. Args: keys: of the batch; options: Loader's."""
  return Loader(
      source, build_pipeline(config.data, train=train), batch_size=batch_size, train=train,
      keys=keys, **options,
      seed=config.seed, workers=config.runtime.workers,
      processes=config.runtime.worker_processes,
      deadline_sec=config.runtime.loader_deadline_sec,
      shard_index=jax.process_index(), shard_count=jax.process_count())


def build_picture_loader(config, path: str) -> Loader:
  """Every picture under a folder, or one file, once; examples have no tags."""
  source = PictureFiles(path)
  return build_loader(config, source, train=False, batch_size=config.predict.batch_size,
                      bad_limit_frac=1.0)


def build_evaluation_loaders(config, train_source: Source,
                             poll: Callable[[], None] = lambda: None) -> dict[str, Loader]:
  """'train', 'valid' and 'test', as `build_evaluation_loader` reads them."""
  sources = {'train': train_source,
             **{split: build_source(config, split, poll) for split in ('valid', 'test')}}
  return {split: build_evaluation_loader(config, source) for split, source in sources.items()}


def build_evaluation_loader(config, source: Source) -> Loader:
  """Every example of a source once, as it is, and what the source knows of it."""
  parallel.check_batch_size('eval.batch_size', config.eval.batch_size, parallel.make_mesh())
  return build_loader(config, source, train=False, batch_size=config.eval.batch_size,
                      keys=('image', *source.truth_keys))


def build_folds(source: Source, num_folds: int, poll: Callable[[], None]
                ) -> list[tuple[Source, Source]]:
  """(what to train on, what to judge) of each fold: every example is judged in one of them.

  Args: num_folds: at least 2; poll: called often while the pictures are read; may raise to stop.
  """
  parts = part_rows(source, num_folds, poll)
  every = np.arange(len(source))
  return [(Subset(source, np.setdiff1d(every, rows), f'all but part {number} of {num_folds}'),
           Subset(source, rows, f'part {number} of {num_folds}'))
          for number, rows in enumerate(parts, 1)]


def check_config(config) -> None:
  """Raises UserError for what cannot be trained, as far as the config alone can tell."""
  _check_numbers(config)
  check_shrink(config)
  get_task(config.task)
  get_variant(config.net.name)
  compute_dtype(config.net.dtype)
  build_loss(config.loss)
  missing_tags.check_missing(config.loss)
  parallel.check_choice(config.train.parallel)
  optimizers.build_optimizer(config.optimizer, num_steps=1)
  build_pipeline(config.data, train=True)
  if config.loss.over_tags not in ('sum', 'mean'):
    raise UserError(f"loss.over_tags is '{config.loss.over_tags}'; choices: sum, mean")
  if config.data.flipped_share and config.data.source != 'toon':
    raise UserError("data.flipped_share turns labels of drawn pictures round; data.source is "
                    f"'{config.data.source}', not toon")


def _check_numbers(config) -> None:
  for name, value, least, most in (
      ('seed', config.seed, 0, math.inf),
      ('data.image_size_px', config.data.image_size_px, 32, math.inf),
      ('train.num_steps', config.train.num_steps, 0, math.inf),
      ('train.accumulate_steps', config.train.accumulate_steps, 1, math.inf),
      ('train.mixup_alpha', config.train.mixup_alpha, 0, 100),
      ('loss.tag_weight_power', config.loss.tag_weight_power, 0, 2),
      ('eval.every_steps', config.eval.every_steps, 0, math.inf),
      ('runtime.workers', config.runtime.workers, 0, math.inf)):
    if not least <= value <= most:
      wanted = f'at least {least}' if most == math.inf else f'{least} to {most}'
      raise UserError(f'{name} is {value}; expected {wanted}')
  if not config.train.num_steps and config.train.num_epochs <= 0:
    raise UserError(f'train.num_epochs is {config.train.num_epochs} and train.num_steps 0; there '
                    'is nothing to train')
  for name, value in (('net.dropout_rate', config.net.dropout_rate),
                      ('train.ema_decay', config.train.ema_decay)):
    if value >= 1:
      raise UserError(f'{name} is {value}; expected below 1')


def build_training(config, poll: Callable[[], None] = lambda: None,
                   source: Source | None = None) -> Training:
  """Prepares everything up to the compiled step.

  Args:
    config: the whole config.
    poll: called often while data are prepared; may raise to stop.
    source: what to train on; None: the training split that the config names.
  """
  check_config(config)
  mesh = parallel.make_mesh()
  parallel.check_batch_size('train.batch_size', config.train.batch_size, mesh,
                            config.train.accumulate_steps)
  source = source or build_source(config, 'train', poll)
  task = build_task(config, source.tag_categories, head_bias=prior_logits(source, poll),
                    tag_weights=weigh_tags(source, config.loss.tag_weight_power, poll))
  keys = ('image', 'tags', *['ignored_tags'] * (config.data.implications == 'ignored'))
  loader = build_loader(config, source, train=True, batch_size=config.train.batch_size, keys=keys)
  num_steps = config.train.num_steps or math.ceil(
      config.train.num_epochs * len(source) / config.train.batch_size)
  optimizer, schedule = optimizers.build_optimizer(config.optimizer, num_steps)

  def compiled_step(shrink: int):
    function = step.make_train_step(
        dataclasses.replace(task, shrink=shrink), optimizer, schedule,
        accumulate_steps=config.train.accumulate_steps, ema_decay=config.train.ema_decay)
    return parallel.compile_step(function, mesh, parallel=config.train.parallel,
                                 batch_norm_sync=config.net.batch_norm_sync)

  def create(key) -> TrainState:
    size = config.data.image_size_px
    picture = {'image': jnp.zeros((1, size, size, 3), jnp.uint8)}
    return create_state(task.init(key, picture), optimizer,
                        use_ema=config.train.ema_decay > 0)

  key = parallel.put_whole(mesh, jax.random.key(config.seed))
  return Training(
      config=config, mesh=mesh, task=task, train_source=source, loader=loader,
      num_steps=num_steps, key=key, abstract_state=parallel.abstract_whole(mesh, create, key),
      init_state=parallel.compile_once(mesh, create),
      small_steps=round(config.train.shrink_frac * num_steps),
      small_step=compiled_step(check_shrink(config)), full_step=compiled_step(1))


def check_shrink(config) -> int:
  """The factor; UserError unless it divides the pictures' side."""
  shrink, side_px = config.train.shrink, config.data.image_size_px
  if shrink < 1 or side_px % shrink or not 0 <= config.train.shrink_frac <= 1:
    raise UserError(f'train.shrink is {shrink} and train.shrink_frac {config.train.shrink_frac}; '
                    f'expected a divisor of data.image_size_px, {side_px}, and a share of 0 to 1')
  return shrink


def compute_dtype(name: str):
  """'auto' is bfloat16 on TPU and GPU and float32 on CPU, where bfloat16 is slower."""
  choices = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16,
             'auto': jnp.float32 if jax.default_backend() == 'cpu' else jnp.bfloat16}
  if name not in choices:
    raise UserError(f"net.dtype '{name}' is unknown; choices: {', '.join(choices)}")
  return choices[name]


def prior_logits(source: Source, poll: Callable[[], None]) -> tuple[float, ...]:
  """log(p / (1 - p)) of every tag's frequency p in an even sample of the source."""
  rows = np.linspace(0, len(source) - 1, min(len(source), FREQUENCY_SAMPLE)).astype(int)
  counts = np.zeros(len(source.tag_names))
  for row in rows:
    poll()
    counts[source.tags_of(int(row))] += 1
  share = (counts + 0.5) / (len(rows) + 1)
  return tuple(np.log(share / (1 - share)).tolist())


def weigh_tags(source: Source, power: float, poll: Callable[[], None]):
  """(1 / share of the pictures) ** power of every tag, over their mean: float32 [T].

  Half a picture is added to a tag's count and one to all pictures, so that a tag that no picture
  has weighs something. A power of 0 weighs all tags alike and counts nothing: 1.0.
  """
  if not power:
    return 1.0
  rarity = -np.log((source.count_tags(poll) + 0.5) / (len(source) + 1))
  weights = np.exp(power * (rarity - rarity.max()))               # no power overflows
  return (weights / weights.mean()).astype(np.float32)
