"""The only knot: a config's names become a net, a task, sources and loaders."""

import copy
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import data
import nets
from data.batch import Source
from data.loader import Loader
from data.operations import build_pipeline
from data.sources.pictures import PictureFiles
from data.subset import Subset, part_rows
from errors import UserError
from losses import ELEMENT_WISE, LOSSES
from nets import weight_names
from train_lib import parallel
from train_lib.tasks import get_task, missing_tags

FREQUENCY_SAMPLE = 4096           # examples that the head's first biases are read from
TASK_LOSSES = {'tagging': ELEMENT_WISE}  # of losses.LOSSES, what a task can be trained with


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
  mean, std = pixel_constants(config.net)
  net = build_net(config, len(categories), head_bias=head_bias)
  scored = np.array([category != 'rating' for category in categories])
  if not scored.any():
    raise UserError('every tag is a rating; name at least one other tag to learn')
  treatment = functools.partial(
      missing_tags.treat_missing, complete=~scored, smoothing=config.loss.negative_smoothing,
      missing=config.loss.missing,
      bar=missing_tags.place_bar(config.loss.missing_threshold, head_bias))
  return get_task(config.task)(
      net=net, loss_function=build_loss(config.loss, config.task), mean=mean, deviation=std,
      num_tags=len(categories), over_tags=config.loss.over_tags, scored=scored,
      treatment=treatment, tag_weights=tag_weights, mixup_alpha=config.train.mixup_alpha,
      auxiliary_weight=config.loss.auxiliary_weight)


def build_net(config, num_outputs: int, head_bias=0.0):
  """The net of the `net` section. Args: head_bias: as that of `build_task`."""
  return nets.build_net(
      config.net.name, num_outputs, dtype=compute_dtype(config.net.dtype),
      dropout_rate=config.net.dropout_rate, drop_path_rate=config.net.drop_path_rate,
      batch_norm_momentum=config.net.batch_norm_momentum, remat=tuple(config.net.remat),
      head_bias_init=head_bias, activation=config.net.activation,
      batch_norm_axis=parallel.batch_norm_axis(config.train.parallel, config.net.batch_norm_sync))


def pixel_constants(config) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """(mean, std) of the pixels that the net takes, in 0..255. Args: config: the `net` section."""
  variant = nets.get_variant(config.name)
  mean, std = tuple(config.mean) or variant.mean, tuple(config.std) or variant.std
  for key, values, least in (('mean', mean, -1e6), ('std', std, 1e-6)):
    if len(values) != 3 or not all(isinstance(value, (int, float)) and least <= value <= 1e6
                                   for value in values):
      raise UserError(f'net.{key} is {values}; expected three numbers in 0..255, of red, green and '
                      'blue, or () for those of the net')
  return mean, std


def build_weight_names(config) -> dict:
  """What other libraries call the weights of the config's net, as `nets.weight_names` gives it."""
  return weight_names.get_weight_names(config.net.name)


def build_loss(config, task: str):
  """(logits, labels) -> loss, with its hyper-parameters from the `loss` section.

  Of tags, squared_error is that of their probabilities, since those are what a tagger predicts.

  Raises: UserError: no such loss, or none for this task.
  """
  settings = {
      'sigmoid_cross_entropy': {},
      'focal': dict(alpha=config.focal_alpha, gamma=config.focal_gamma),
      'asymmetric': dict(gamma_positive=config.gamma_positive,
                         gamma_negative=config.gamma_negative, clip=config.clip),
      'squared_error': {},
      'softmax_cross_entropy': dict(label_smoothing=config.label_smoothing),
      'multiclass_hinge': dict(margin=config.hinge_margin),
      'root_squared_error': {},
  }
  if config.name not in LOSSES:
    raise UserError(f"loss.name '{config.name}' is unknown; choices: {', '.join(LOSSES)}")
  if config.name not in TASK_LOSSES[task]:
    raise UserError(f"loss.name '{config.name}' gives one number for a whole example, which task "
                    f"'{task}' cannot use; it takes {', '.join(TASK_LOSSES[task])}")
  loss = functools.partial(LOSSES[config.name], **settings[config.name])
  if config.name == 'squared_error' and task == 'tagging':
    return lambda logits, labels: loss(jax.nn.sigmoid(logits), labels)
  return loss


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
