"""Nets: image -> (output, taps), Flax Linen modules that are pure functions of their variables."""

from errors import UserError
from nets import se_resnet

# File name -> its module, which holds VARIANTS (a row for each net) and build.
NETS = {
  'se_resnet': se_resnet,
}


def list_nets():
  """Returns the names of all nets, in the order of the table."""
  return [name for module in NETS.values() for name in module.VARIANTS]


def get_variant(name):
  """Returns the row of a net.

  Args:
    name: a variant's name, for instance 'se_resnet_tagger'.

  Returns:
    A frozen dataclass with at least input_size_px, mean and std: a net takes
    (pixels - mean) / std, all three in 0..255.

  Raises:
    UserError: when there is no such net.
  """
  return _find_module(name).VARIANTS[name]


def build_net(name, num_outputs, **options):
  """Builds a net from its variant's name.

  Args:
    name: a variant's name, for instance 'se_resnet_tagger'.
    num_outputs: size of the output's last axis; 0 builds no head.
    **options: what `build` of the net's file takes (dtype, batch_norm_axis, ...).

  Returns:
    A Linen module, `net(image, train=...) -> (output, taps)`.

  Raises:
    UserError: when there is no such net.
  """
  return _find_module(name).build(name, num_outputs, **options)


def _find_module(name):
  for module in NETS.values():
    if name in module.VARIANTS:
      return module
  raise UserError(f'There is no net {name!r}; choose one of {", ".join(list_nets())}.')
