"""From a config's names to a net, its task and its loss."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

import nets
from errors import UserError
from losses import ELEMENT_WISE, LOSSES, TASK_LOSSES, gaussian_kl, hyper_parameters, takes
from nets import layers, weight_names
from train_lib import parallel
from train_lib.tasks import get_task, missing_tags

# What a task makes of logits for a loss that compares outputs, in the unit of the truth.
OUTPUTS = {'tagging': jax.nn.sigmoid, 'classification': jax.nn.softmax,
           'pose': lambda heatmaps: heatmaps, 'autoencoding': jax.nn.sigmoid}


def build_task(config, categories: tuple[str, ...], *, head_bias=0.0, weights=1.0,
               pixels: tuple = (), num_steps: int = 0):
  """The task around its net.

  Args:
    config: the whole config.
    categories: of the tags or classes, one each. Of tags, every category but 'rating' is scored.
    head_bias: logits that the head starts from, one number or one per output.
    weights: of the tags or classes in the training loss, one number or one per output.
    pixels: (mean, std) in 0..255 that were measured; () are those of `pixel_constants`.
    num_steps: of the run that trains it.
  """
  if config.task == 'autoencoding':
    return _build_autoencoder(config, num_steps)
  make = get_task(config.task)
  mean, std = pixels or pixel_constants(config.net)
  fields = dict(
      net=build_net(config, len(categories), head_bias=head_bias), mean=mean, deviation=std,
      loss_function=build_loss(config.loss, config.task))
  if config.task == 'pose':
    return make(**fields, sigma=config.pose.sigma, rounded=config.pose.rounded,
                flip_test=config.pose.flip_test, refine=config.pose.refine)
  fields.update(mixup_alpha=config.train.mixup_alpha, cutmix_alpha=config.train.cutmix_alpha,
                auxiliary_weight=config.loss.auxiliary_weight)
  if config.task == 'classification':
    return make(**fields, num_classes=len(categories), class_weights=weights,
                label_smoothing=config.loss.label_smoothing)
  return make(**fields, **_fields_of_tags(config, categories, head_bias), tag_weights=weights)


def _build_autoencoder(config, num_steps: int):
  settings = config.autoencoder
  mean, std = pixel_constants(config.net)
  return get_task('autoencoding')(
      net=build_net(config, settings.channels), mean=mean, deviation=std,
      loss_function=build_loss(config.loss, 'autoencoding'), kl_function=gaussian_kl,
      weight=settings.reconstruction_weight, beta=settings.beta,
      warmup_steps=round(settings.warmup_frac * num_steps), free_bits=settings.free_bits,
      gaussian=config.loss.name == 'squared_error')


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
  """(mean, std) of the pixels that the net takes, in 0..255, or of scans, one number in 0..1.

  Args: config: the `net` section.
  """
  variant = nets.get_variant(config.name)
  mean, std = tuple(config.mean) or variant.mean, tuple(config.std) or variant.std
  for key, values, least in (('mean', mean, -1e6), ('std', std, 1e-6)):
    channels = len(variant.mean)
    if len(values) != channels or not all(
        isinstance(value, (int, float)) and least <= value <= 1e6 for value in values):
      wanted = 'one number in 0..1' if channels == 1 else ('three numbers in 0..255, of red, green '
                                                           'and blue')
      raise UserError(f'net.{key} is {values}; expected {wanted}, or () for those of the net')
  return mean, std


def is_autoencoder(config) -> bool:
  """Whether a net has a latent vector. Args: config: the `net` section."""
  return hasattr(nets.get_variant(config.name), 'latent_size')


def build_weight_names(config) -> dict:
  """What other libraries call the weights of the config's net, as `nets.weight_names` gives it."""
  return weight_names.get_weight_names(config.net.name)


def build_loss(config, task: str):
  """The loss of a task, with its hyper-parameters from the `loss` section.

  Of tags: (logits, labels) -> loss, all [B, T]. Of classes: (logits [B, K], targets [B, K]) ->
  [B]; the task smooths the targets itself, and a loss of classes takes the largest for the class.
  A loss of outputs gets probabilities, since those are what is predicted. Of poses: (heatmaps,
  targets) -> loss, all [B, h, w, K]. Of scans: (logits of pixels, targets in 0..1, both
  [B, H, W, C]) -> [B], the sum over pixels and channels.

  Raises: UserError: no such loss, or none for this task.
  """
  name = config.name
  if name not in LOSSES:
    raise UserError(f"loss.name '{name}' is unknown; choices: {', '.join(LOSSES)}")
  if name not in TASK_LOSSES[task]:
    raise UserError(f"loss.name '{name}' is no loss that task '{task}' is trained with; choices: "
                    f"{', '.join(TASK_LOSSES[task])}")
  loss = functools.partial(LOSSES[name], **{key: config[key]
                                            for key in hyper_parameters(LOSSES[name])})
  if task == 'autoencoding':
    return _loss_of_pictures(name, loss)
  return _loss_of_classes(name, loss) if task == 'classification' else _of_outputs(name, loss, task)


def _of_outputs(name, loss, task):
  """The loss as a function of logits, whatever it compares."""
  if takes(LOSSES[name])[0] != 'outputs':
    return loss
  return lambda logits, targets: loss(OUTPUTS[task](logits), targets)


def _loss_of_classes(name, loss):
  """One number for each example, from a distribution over its classes."""
  given = _of_outputs(name, loss, 'classification')
  if takes_classes(name):
    return lambda logits, targets: given(logits, targets.argmax(axis=-1))
  if name in ELEMENT_WISE:
    return lambda logits, targets: given(logits, targets).sum(axis=-1)
  return given


def _loss_of_pictures(name, loss):
  """Summed over pixels and channels; a mean over them counts as often as there are any."""
  given = _of_outputs(name, loss, 'autoencoding')

  def total(logits, targets):
    values = given(logits, targets)
    return (values.sum(axis=(1, 2, 3)) if name in ELEMENT_WISE
            else values * math.prod(targets.shape[1:]))
  return total


def check_loss(config) -> None:
  """Raises UserError for a hyper-parameter out of the range that its loss tells, of any loss.

  Args: config: the `loss` section.
  """
  for loss in LOSSES.values():
    for key, (least, most) in hyper_parameters(loss).items():
      if not least <= config[key] <= most:
        wanted = (f'at least {least}' if most == math.inf else f'at most {most}'
                  if least == -math.inf else f'{least} to {most}')
        raise UserError(f'loss.{key} is {config[key]}; expected {wanted}')


def takes_classes(name: str) -> bool:
  """Whether a loss is told of each example its class alone. Args: name: of `losses.LOSSES`."""
  return name in LOSSES and takes(LOSSES[name])[1] == 'classes'


def input_size_px(net: str) -> int:
  """The side of the pictures that a net was made for. Args: net: a variant's name."""
  return nets.get_variant(net).input_size_px


def convolve(x, kernel, **options):
  """A convolution as the nets compute it; see `nets.conv.convolve`."""
  return layers.convolve(x, kernel, **options)


def plain_convolutions():
  """A context in which nets are traced with plain convolutions, whatever the backend."""
  return layers.conv_form('plain')


def build_head(net):
  """The head of a net by itself, on the net's features. Args: net: of `build_net`."""
  return nets.build_head(net)


def compute_dtype(name: str):
  """'auto' is bfloat16 on TPU and GPU and float32 on CPU, where bfloat16 is slower."""
  choices = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16,
             'auto': jnp.float32 if jax.default_backend() == 'cpu' else jnp.bfloat16}
  if name not in choices:
    raise UserError(f"net.dtype '{name}' is unknown; choices: {', '.join(choices)}")
  return choices[name]
