"""What cannot be trained, told from the config alone, before data are touched."""

import functools
import math

import jax
import jax.numpy as jnp

from errors import UserError
from train_lib import build, build_data, build_sources, divergence, freezing, optimizers, parallel
from train_lib.poses import heatmaps, people_finder
from train_lib.tasks import get_task, missing_tags
from train_lib.trees import flatten_names
from train_lib.weights import weights
from train_lib.weights.weight_sources import check_checkpoint

PIXELS = ('net', 'train')
DRAWN_LABELS = {'toon': 'identity or garment', 'phantom': 'finding'}


def check_config(config) -> None:
  """Raises UserError for what cannot be trained, as far as the config alone can tell."""
  get_task(config.task)
  _check_numbers(config)
  check_shrink(config)
  _check_classes(config)
  _check_persons(config)
  _check_autoencoder(config)
  _check_pixels(config)
  check_net(config)
  build.check_loss(config.loss)
  build.build_loss(config.loss, config.task)
  if config.task == 'tagging':
    missing_tags.check_missing(config.loss)
  parallel.check_choice(config.train.parallel)
  divergence.check_policy(config.train.on_divergence)
  if config.runtime.on_failed_save not in ('fail', 'continue'):
    raise UserError(f"runtime.on_failed_save is '{config.runtime.on_failed_save}'; choices: fail, "
                    'continue')
  optimizers.build_optimizer(config.optimizer, num_steps=1)
  _check_optimizer(config.optimizer)
  build_data.build_pipeline(config, train=True)
  check_checkpoint('checkpoint', config.checkpoint)
  if config.loss.over_tags not in ('sum', 'mean'):
    raise UserError(f"loss.over_tags is '{config.loss.over_tags}'; choices: sum, mean")
  if config.data.flipped_share and config.data.source != 'toon':
    raise UserError("data.flipped_share turns labels of drawn pictures round; data.source is "
                    f"'{config.data.source}', not toon")


def _check_classes(config) -> None:
  """Raises UserError for what goes with tags alone, or with classes alone."""
  data, loss = config.data, config.loss
  if config.task != 'classification':
    if data.oversample:
      raise UserError(f'data.oversample is {data.oversample}: it evens out classes, of which a '
                      "picture has one; leave it at 0, or set task to 'classification'")
    return
  if data.source in DRAWN_LABELS and data.labels == 'tags':
    raise UserError("a drawn picture has many tags and task is 'classification'; choose classes "
                    f'with --config.data.labels={DRAWN_LABELS[data.source]}')
  if data.implications != 'listed':
    raise UserError(f"data.implications is '{data.implications}', but a class entails no other; "
                    "leave it at 'listed'")
  if loss.label_smoothing and build.takes_classes(loss.name):
    raise UserError(f'loss.label_smoothing is {loss.label_smoothing}, which {loss.name} has '
                    'no use for; set it to 0, or loss.name to softmax_cross_entropy')


def _check_persons(config) -> None:
  """Raises UserError for what goes with poses alone, or not with them."""
  persons, pose = config.data.persons, config.pose
  if config.task != 'pose':
    if config.data.source == 'coco':
      raise UserError(f"data.source is 'coco', which tells of people's joints, and task is "
                      f"'{config.task}'; train on it with --config=configs/pose.py:coco")
    if persons.cut not in build_sources.CUTS:
      raise UserError(f"data.persons.cut is '{persons.cut}'; choices: "
                      f"{', '.join(build_sources.CUTS)}")
    if persons.cut == 'pose' and not persons.cut_by:
      raise UserError("data.persons.cut is 'pose' and data.persons.cut_by is empty; name the "
                      'folder of a run of configs/pose.py, such as runs/pose-small')
    return
  if persons.cut != 'none':
    raise UserError(f"data.persons.cut is '{persons.cut}', which is for other tasks: a pose net "
                    'cuts every person out by a box')
  if config.data.implications != 'listed':
    raise UserError(f"data.implications is '{config.data.implications}', which is about tags, and "
                    "a pose net learns joints; leave it at 'listed'")
  if pose.refine not in heatmaps.REFINEMENTS:
    raise UserError(f"pose.refine is '{pose.refine}'; choices: {', '.join(heatmaps.REFINEMENTS)}")
  _check_off(config, 'a pose net')


def _check_autoencoder(config) -> None:
  """Raises UserError for what goes with scans alone, or not with them."""
  settings = config.autoencoder
  if config.task != 'autoencoding':
    if config.data.corrupt:
      raise UserError(f'data.corrupt is {config.data.corrupt}, which damages scans that an '
                      f"autoencoder restores, and task is '{config.task}'; leave it at ()")
    if config.data.source == 'scans':
      raise UserError(f"data.source is 'scans', of which nothing is known, and task is "
                      f"'{config.task}'; train on them with --config=configs/vae.py:scans")
    return
  if not build.is_autoencoder(config.net):
    raise UserError(f"the net '{config.net.name}' is no autoencoder; choose a net of another kind, "
                    'such as vae_conv_64')
  if settings.channels not in (1, 3):
    raise UserError(f'autoencoder.channels is {settings.channels}; expected 1 or 3')
  for name, value, least, most in (
      ('beta', settings.beta, 0, 1e6), ('warmup_frac', settings.warmup_frac, 0, 1),
      ('free_bits', settings.free_bits, 0, 100),
      ('reconstruction_weight', settings.reconstruction_weight, 1e-6, 1e6)):
    if not least <= value <= most:
      raise UserError(f'autoencoder.{name} is {value}; expected {least:g} to {most:g}')
  if config.loss.name == 'sigmoid_cross_entropy' and settings.reconstruction_weight != 1:
    raise UserError(f'autoencoder.reconstruction_weight is {settings.reconstruction_weight}; with '
                    'loss.name sigmoid_cross_entropy, a likelihood as it is, expected 1')
  if config.data.pixels != 'net':
    raise UserError(f"data.pixels is '{config.data.pixels}', which is for pictures in colour: "
                    "scans are windowed already; leave it at 'net'")
  most = config.data.keep_most_frac
  if most and ('keep' not in config.data.corrupt or most < config.data.keep_frac):
    raise UserError(f"data.keep_most_frac is {most}; it needs 'keep' in data.corrupt, and at least "
                    f'data.keep_frac, {config.data.keep_frac}')
  _check_off(config, 'an autoencoder')
  for name, off, value in (('data.persons.cut', 'none', config.data.persons.cut),
                           ('loss.label_smoothing', 0.0, config.loss.label_smoothing)):
    if value != off:
      raise UserError(f'{name} is {value}, which an autoencoder has no use for; leave it at {off}')


def _check_off(config, what: str) -> None:
  """Raises UserError for settings that only what predicts tags or classes has a use for."""
  for name, value in (('train.mixup_alpha', config.train.mixup_alpha),
                      ('train.cutmix_alpha', config.train.cutmix_alpha),
                      ('train.shrink_frac', config.train.shrink_frac),
                      ('train.cache_features', config.train.cache_features),
                      ('loss.tag_weight_power', config.loss.tag_weight_power)):
    if value:
      raise UserError(f'{name} is {value}, which {what} has no use for; leave it off')


def _check_pixels(config) -> None:
  if config.data.pixels not in PIXELS:
    raise UserError(f"data.pixels is '{config.data.pixels}'; choices: {', '.join(PIXELS)}")
  if config.data.pixels == 'train' and (config.net.mean or config.net.std):
    raise UserError("data.pixels is 'train', which measures mean and deviation, and net.mean or "
                    'net.std gives them; leave one of the two out')


def _check_numbers(config) -> None:
  for name, value, least, most in (
      ('seed', config.seed, 0, 2 ** 63 - 1),
      ('data.image_size_px', config.data.image_size_px, 32, math.inf),
      ('train.num_steps', config.train.num_steps, 0, math.inf),
      ('train.accumulate_steps', config.train.accumulate_steps, 1, math.inf),
      ('train.mixup_alpha', config.train.mixup_alpha, 0, 100),
      ('train.cutmix_alpha', config.train.cutmix_alpha, 0, 100),
      ('data.oversample', config.data.oversample, 0, 1),
      ('train.freeze_first_frac', config.train.freeze_first_frac, 0, 1),
      ('data.drawn_size_px', config.data.drawn_size_px, 0, 4096),
      ('data.persons.widen', config.data.persons.widen, 1, 3),
      ('data.persons.whole_frac', config.data.persons.whole_frac, 0, 1),
      ('data.persons.least_box_score', config.data.persons.least_box_score, 0, 1),
      ('pose.sigma', config.pose.sigma, 0.5, 16),
      ('loss.auxiliary_weight', config.loss.auxiliary_weight, 0, 100),
      ('loss.tag_weight_power', config.loss.tag_weight_power, 0, 2),
      ('eval.every_steps', config.eval.every_steps, 0, math.inf),
      ('runtime.profile_steps', config.runtime.profile_steps, 0, math.inf),
      ('train.divergence_limit', config.train.divergence_limit, 0, math.inf),
      ('runtime.prefetch_batches', config.runtime.prefetch_batches, 0, 1000),
      ('runtime.stuck_sec', config.runtime.stuck_sec, 0, math.inf),
      ('runtime.keep_last', config.runtime.keep_last, 1, math.inf),
      ('runtime.keep_every_steps', config.runtime.keep_every_steps, 0, math.inf),
      ('runtime.workers', config.runtime.workers, 0, math.inf)):
    if not least <= value <= most:
      wanted = f'at least {least}' if most == math.inf else f'{least} to {most}'
      raise UserError(f'{name} is {value}; expected {wanted}')
  if not config.train.num_steps and config.train.num_epochs <= 0:
    raise UserError(f'train.num_epochs is {config.train.num_epochs} and train.num_steps 0; there '
                    'is nothing to train')
  for name, value in (('net.dropout_rate', config.net.dropout_rate),
                      ('net.drop_path_rate', config.net.drop_path_rate),
                      ('net.batch_norm_momentum', config.net.batch_norm_momentum),
                      ('train.ema_decay', config.train.ema_decay)):
    if not value < 1:
      raise UserError(f'{name} is {value}; expected below 1')
  if not 0 <= config.loss.label_smoothing < 1:
    raise UserError(f'loss.label_smoothing is {config.loss.label_smoothing}; expected a share of '
                    'at least 0 and below 1')


def _check_optimizer(config) -> None:
  """Raises UserError for numbers of the `optimizer` section that make no sense."""
  for key in ('learning_rate', 'weight_decay', 'l2', 'l1', 'clip_norm', 'sam_rho', 'gsam_alpha'):
    if not 0 <= config[key] < math.inf:
      raise UserError(f'optimizer.{key} is {config[key]}; expected a number of at least 0')
  for key in ('momentum', 'beta1', 'beta2', 'decay'):
    if not (0 <= config[key] < 1 or (key == 'beta2' and config[key] < 0)):
      raise UserError(f'optimizer.{key} is {config[key]}; expected at least 0 and below 1')
  if not 0 < config.epsilon < math.inf:
    raise UserError(f'optimizer.epsilon is {config.epsilon}; expected above 0: gradients that are '
                    'zero are divided by it')
  if not config.sam_rho_min <= config.sam_rho:
    raise UserError(f'optimizer.sam_rho_min is {config.sam_rho_min}, above optimizer.sam_rho, '
                    f'{config.sam_rho}; the radius at the peak learning rate is the largest')
  if not config.sam_rho and config.gsam_alpha:
    raise UserError(f'optimizer.gsam_alpha is {config.gsam_alpha} and optimizer.sam_rho 0, without '
                    'which there is no GSAM; 0.05 is a usual radius')


def check_net(config) -> None:
  """Raises UserError for a net, a size of pictures or parts to freeze that there are not."""
  axes = get_task(config.task).output_axes
  shrink = check_shrink(config) if config.train.shrink_frac else 1
  # a net that takes shrunk pictures takes whole ones
  output, variables = _net_shapes(
      config, tuple(side_px // shrink for side_px in build_data.picture_shape(config)))
  if len(output.shape) != axes:
    raise UserError(f"the net '{config.net.name}' gives an output of {len(output.shape)} axes, and "
                    f"the task '{config.task}' wants {axes}; choose a net of another kind")
  build.pixel_constants(config.net)
  num_steps = config.train.num_steps or 1000
  plan = freezing.plan_of_config(config, num_steps, variables['params'])
  if config.train.cache_features:
    _check_features(config, plan.head_steps(flatten_names(variables['params']), num_steps))
  optimizers.check_patterns(config.optimizer.decayed, variables['params'])
  if not config.net.init_from and (config.net.init_head != 'auto' or config.net.init_partial):
    raise UserError('net.init_head or net.init_partial is set and net.init_from names no weights')


def _check_features(config, head_steps: int) -> None:
  if not head_steps:
    raise UserError('train.cache_features is set and in no step does the head alone learn; freeze '
                    "the rest with train.freeze=('*', '!head'), or at first with "
                    'train.freeze_first and freeze_first_frac, or leave it off')
  if config.train.shrink_frac:
    raise UserError(f'train.cache_features is set and train.shrink_frac is '
                    f'{config.train.shrink_frac}; features are kept of pictures of one size: set '
                    'one of the two to 0')


def expected_pixels(config) -> tuple:
  """(mean, std) that weights to start from should have been learned with; () for any.

  An autoencoder takes any: its first convolution makes of grey pixels those that its trunk knows.
  """
  if config.data.pixels != 'net' or config.task == 'autoencoding':
    return ()
  return build.pixel_constants(config.net)


def check_start(config) -> None:
  """Raises UserError when the weights or the pose net that a config names are not to be had.

  To be asked where there is no checkpoint to go on from: later the weights are of no use.
  """
  net = config.net
  if config.data.persons.cut == 'pose':
    people_finder.find_cutter(config.data.persons.cut_by)
  if net.init_from:
    weights.check_weights(
        net.init_from, _net_shapes(config, build_data.picture_shape(config))[1],
        names=build.build_weight_names(config), head=net.init_head, partial=net.init_partial,
        checkpoint=net.init_checkpoint, pixels=expected_pixels(config))


def _net_shapes(config, shape: tuple[int, int]):
  """Shapes of the net's output for one picture (height, width), and of its variables."""
  net = build.build_net(config, num_outputs=1)
  channels = build_data.blank_pictures(config).shape[-1]
  picture = jax.ShapeDtypeStruct((1, *shape, channels), jnp.float32)
  (output, _), variables = jax.eval_shape(
      functools.partial(net.init_with_output, train=False), jax.random.key(0), picture)
  return output, variables


def check_shrink(config) -> int:
  """The factor; UserError unless it divides the pictures' side."""
  shrink, side_px = config.train.shrink, config.data.image_size_px
  if shrink < 1 or side_px % shrink or not 0 <= config.train.shrink_frac <= 1:
    raise UserError(f'train.shrink is {shrink} and train.shrink_frac {config.train.shrink_frac}; '
                    f'expected a divisor of data.image_size_px, {side_px}, and a share of 0 to 1')
  return shrink
