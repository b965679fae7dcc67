"""The only knot: a config's names become a net, a task, sources and loaders."""

import copy
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import data
import nets
from data import duplicates
from data.balance import oversample
from data.batch import Source
from data.classes import Classes
from data.loader import Loader
from data.operations import build_pipeline
from data.sources.pictures import PictureFiles
from data.subset import Subset, part_rows
from errors import UserError
from losses import ELEMENT_WISE, LOSSES
from nets import weight_names
from train_lib import parallel
from train_lib.split_statistics import even_sample
from train_lib.tasks import get_task, missing_tags

PIXEL_SAMPLE = 10_000             # pictures that mean and deviation are measured on, at most
# Of losses.LOSSES, what a task can be trained with.
TASK_LOSSES = {
    'tagging': ELEMENT_WISE,
    'classification': ('softmax_cross_entropy', 'multiclass_hinge', 'squared_error'),
}
# Keys of the `data` section that change nothing of what evaluation reads of given data.
TRAINING_ALONE = (
    'augment', 'rotation_deg', 'scale_frac', 'translate_frac', 'cutout_frac', 'colour_frac',
    'crop_least_frac', 'crop_aspect', 'randaugment_count', 'randaugment_magnitude', 'oversample',
    'pixels', 'path', 'dir', 'table')


def build_source(config, split: str, poll: Callable[[], None] = lambda: None) -> Source:
  """The split ('train', 'valid' or 'test') of the config's dataset; of classes, its tags as labels.

  Args: poll: called often while data are prepared; may raise to stop.
  """
  name = config.data.source
  if name not in data.SOURCES:
    raise UserError(f"data.source '{name}' is unknown; choices: {', '.join(data.SOURCES)}")
  source = data.SOURCES[name](config.data, split, poll=poll)
  return Classes(source, poll) if config.task == 'classification' else source


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


def build_task(config, categories: tuple[str, ...], *, head_bias=0.0, weights=1.0,
               pixels: tuple = ()):
  """The task around its net.

  Args:
    config: the whole config.
    categories: of the tags or classes, one each. Of tags, every category but 'rating' is scored.
    head_bias: logits that the head starts from, one number or one per output.
    weights: of the tags or classes in the training loss, one number or one per output.
    pixels: (mean, std) in 0..255 that were measured; () are those of `pixel_constants`.
  """
  make = get_task(config.task)
  mean, std = pixels or pixel_constants(config.net)
  fields = dict(
      net=build_net(config, len(categories), head_bias=head_bias), mean=mean, deviation=std,
      loss_function=build_loss(config.loss, config.task), mixup_alpha=config.train.mixup_alpha,
      cutmix_alpha=config.train.cutmix_alpha, auxiliary_weight=config.loss.auxiliary_weight)
  if config.task == 'classification':
    return make(**fields, num_classes=len(categories), class_weights=weights,
                label_smoothing=config.loss.label_smoothing)
  return make(**fields, **_fields_of_tags(config, categories, head_bias), tag_weights=weights)


def _fields_of_tags(config, categories, head_bias) -> dict:
  scored = np.array([category != 'rating' for category in categories])
  if not scored.any():
    raise UserError('every tag is a rating; name at least one other tag to learn')
  treatment = functools.partial(
      missing_tags.treat_missing, complete=~scored, smoothing=config.loss.negative_smoothing,
      missing=config.loss.missing,
      bar=missing_tags.place_bar(config.loss.missing_threshold, head_bias))
  return dict(num_tags=len(categories), over_tags=config.loss.over_tags, scored=scored,
              treatment=treatment)


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
  """The loss of a task, with its hyper-parameters from the `loss` section.

  Of tags: (logits, labels) -> loss, all [B, T]. Of classes: (logits [B, K], targets [B, K]) ->
  [B]; the task smooths the targets itself, and the hinge loss takes the largest for the class.
  squared_error is that of the probabilities, since those are what is predicted.

  Raises: UserError: no such loss, or none for this task.
  """
  name = config.name
  settings = {
      'focal': dict(alpha=config.focal_alpha, gamma=config.focal_gamma),
      'asymmetric': dict(gamma_positive=config.gamma_positive,
                         gamma_negative=config.gamma_negative, clip=config.clip),
      'softmax_cross_entropy': dict(label_smoothing=0.0),
      'multiclass_hinge': dict(margin=config.hinge_margin),
  }
  if name not in LOSSES:
    raise UserError(f"loss.name '{name}' is unknown; choices: {', '.join(LOSSES)}")
  if name not in TASK_LOSSES[task]:
    what = 'output' if name in ELEMENT_WISE else 'whole example'
    raise UserError(f"loss.name '{name}' gives one number for {'an' if what == 'output' else 'a'} "
                    f"{what}, which task '{task}' cannot use; it takes "
                    f"{', '.join(TASK_LOSSES[task])}")
  loss = functools.partial(LOSSES[name], **settings.get(name, {}))
  if name == 'squared_error' and task == 'tagging':
    return lambda logits, labels: loss(jax.nn.sigmoid(logits), labels)
  if name == 'squared_error':
    return lambda logits, targets: loss(jax.nn.softmax(logits), targets).sum(axis=-1)
  if name == 'multiclass_hinge':
    return lambda logits, targets: loss(logits, targets.argmax(axis=-1))
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


def build_learned_source(config, source: Source, poll: Callable[[], None]
                         ) -> tuple[Source, np.ndarray]:
  """(what training reads, int64: the place in the training split of each of its examples).

  They differ where rare classes are read more often than they are there; of the pictures of such a
  class that come once more than others, every run reads the same.
  """
  learned = oversample(source, config.data.oversample, 0, poll)
  return learned, np.arange(len(source)) if learned is source else learned.rows


def build_pixel_loader(config, source: Source) -> Loader:
  """An even sample of the training split as evaluation reads it, pictures alone."""
  sample = Subset(source, even_sample(len(source), PIXEL_SAMPLE), 'a sample')
  return build_loader(config, sample, train=False, keys=('image',), bad_limit_frac=1.0,
                      batch_size=config.eval.batch_size)


def describe_reading(config, source: Source, split: str) -> dict:
  """All that decides which pixels evaluation reads of a split, and in which order; JSON values."""
  section = {key: value for key, value in config.data.to_dict().items()
             if key not in TRAINING_ALONE}
  return {'data': source.fingerprint, 'split': split, 'examples': len(source), 'section': section,
          'task': config.task, 'pipeline': repr(build_pipeline(config.data, train=False))}


def build_head(net):
  """The head of a net by itself, on the net's features. Args: net: of `build_net`."""
  return nets.build_head(net)


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


def build_evaluation_loader(config, source: Source, keys: tuple[str, ...] = ()) -> Loader:
  """Every example of a source once, as it is. Args: keys: of the batch; () all that is known."""
  parallel.check_batch_size('eval.batch_size', config.eval.batch_size, parallel.make_mesh())
  return build_loader(config, source, train=False, batch_size=config.eval.batch_size,
                      keys=keys or ('image', *source.truth_keys))


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


def read_pictures(config, source: Source, what: str,
                  poll: Callable[[], None]) -> duplicates.Pictures:
  """Every picture of a split, read and hashed once. Args: what: which they are, in words."""
  return duplicates.read_pictures(source, max_pixels=config.data.max_pixels,
                                  workers=config.runtime.workers, what=what, poll=poll)


def find_duplicates(splits: list[duplicates.Pictures]) -> duplicates.Pairs:
  """Pairs of alike pictures among all splits. Args: splits: of `read_pictures`, train first."""
  return duplicates.find_pairs(splits)


def compute_dtype(name: str):
  """'auto' is bfloat16 on TPU and GPU and float32 on CPU, where bfloat16 is slower."""
  choices = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16,
             'auto': jnp.float32 if jax.default_backend() == 'cpu' else jnp.bfloat16}
  if name not in choices:
    raise UserError(f"net.dtype '{name}' is unknown; choices: {', '.join(choices)}")
  return choices[name]
