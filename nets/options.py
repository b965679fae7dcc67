"""What every net is built with and what every row of VARIANTS holds."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from errors import UserError

IMAGENET_MEAN = (123.675, 116.28, 103.53)  # red, green, blue in 0..255
IMAGENET_STD = (58.395, 57.12, 57.375)
HALF_RANGE = (127.5, 127.5, 127.5)  # as mean and as deviation: pixels become -1..1
ACTIVATIONS = {'relu': nn.relu, 'leaky_relu': nn.leaky_relu, 'sigmoid': nn.sigmoid, 'tanh': nn.tanh}
OF_THE_ROW = ('batch_norm_momentum', 'batch_norm_epsilon', 'dropout_rate', 'drop_path_rate')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """What a row of VARIANTS says in every family; a family's own `Variant` adds its sizes.

  The rates and the BatchNorm settings are those the variant was published with; options of
  `NetOptions` that are negative leave them as they are.
  """

  input_size_px: int = 224
  mean: tuple[float, ...] = IMAGENET_MEAN  # of the pixels the net takes, in 0..255; scans: 0..1
  std: tuple[float, ...] = IMAGENET_STD
  dropout_rate: float = 0.0
  drop_path_rate: float = 0.0
  batch_norm_momentum: float = 0.9
  batch_norm_epsilon: float = 1e-5
  stages: tuple[str, ...] = ('stage1', 'stage2', 'stage3', 'stage4')  # whose blocks remat names


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetOptions:
  """The keywords of `nets.build_net(name, num_outputs, **options)`.

  A family ignores what it has no use for: BatchNorm's settings in a net of LayerNorms, drop paths
  in a net without residual branches.

  Args:
    dtype: what blocks compute in; statistics, softmax and heads are float32 whatever it is.
    param_dtype: what parameters are stored in.
    batch_norm_axis: the mapped axis over which `pmap` or `shard_map` averages statistics, or None:
      under `jit` with sharded arrays the batch is whole already.
    batch_norm_momentum: share of the old running statistic that each step keeps; negative takes
      the row's own, as for the three below.
    batch_norm_epsilon: added to the variance.
    dropout_rate: of the features before the head.
    drop_path_rate: share of pictures for which the last block's residual branch is left out;
      earlier blocks have less, see `layers.drop_path_rates`.
    head_bias_init: logits that the head starts at: one number, or [num_outputs], for instance
      log(p / (1 - p)) of the share p of pictures that carry each tag.
    remat: stages (of the row's) of whose blocks only the inputs are kept for the backward pass,
      which computes the rest again: less memory, more time.
    activation: of ACTIVATIONS (leaky_relu has a slope of 0.01), in place of the family's own,
      wherever that stands between layers; '' is the family's own. Gates keep their sigmoid, and
      initial weights stay those of the family.
  """

  dtype: Any = jnp.float32
  param_dtype: Any = jnp.float32
  batch_norm_axis: str | None = None
  batch_norm_momentum: float = -1.0
  batch_norm_epsilon: float = -1.0
  dropout_rate: float = -1.0
  drop_path_rate: float = -1.0
  head_bias_init: float | tuple[float, ...] = 0.0
  remat: tuple[str, ...] = ()
  activation: str = ''

  @property
  def dtypes(self):
    """The two types, as keywords of a layer."""
    return dict(dtype=self.dtype, param_dtype=self.param_dtype)


def resolve_options(name, row, num_outputs, **options):
  """Returns the NetOptions of one net, with the row's own values where an option is negative.

  Args:
    name: of the variant, for messages.
    row: its Row.
    num_outputs: size of the head; 0 is none.
    **options: fields of NetOptions.

  Raises:
    UserError: when head_bias_init is neither one number nor one for each output, remat names a
      stage that the row does not have, or there is no such activation.
  """
  bias = np.asarray(options.pop('head_bias_init', 0.0), np.float64)
  if bias.shape not in ((), (num_outputs,)):
    raise UserError(
      f'head_bias_init of {name} has shape {bias.shape}, expected one number or '
      f'({num_outputs},), one for each output.')
  resolved = NetOptions(
    head_bias_init=tuple(bias.tolist()) if bias.shape else float(bias), **options)
  unknown = [stage for stage in resolved.remat if stage not in row.stages]
  if unknown:
    raise UserError(f'remat names {unknown[0]!r}, which is no stage of {name}; its stages are '
                    f'{", ".join(row.stages)}.')
  if resolved.activation and resolved.activation not in ACTIVATIONS:
    raise UserError(f'There is no activation {resolved.activation!r}; choose one of '
                    f"{', '.join(ACTIVATIONS)}, or '' for the net's own.")
  own = {key: getattr(row, key) for key in OF_THE_ROW if getattr(resolved, key) < 0}
  return dataclasses.replace(resolved, **own)
