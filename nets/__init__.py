"""Nets: image -> (output, taps), Flax Linen modules that are pure functions of their variables.

One file is one family: docstring, blocks, net, VARIANTS (a row for each net, a `Variant` that
extends `options.Row`) and NET, the module's class. The options are the same in every family, the
fields of `options.NetOptions`.

A net's fields are `row`, `num_outputs` and `options`. Its call makes the constructors of its layers
once (`layers.make_constructors(self.options, train=train)`) and hands them to its blocks, whose
classes pass through `layers.rematerialise`; the head is `layers.apply_head`, named `head`. The
number of input channels is that of the picture. Names of parameters are given, never counted:
`stage1_block1/conv1/kernel`. Weights written elsewhere are found by them, where a family has these:

    nets/timm_names/<family>.py    TIMM_NAMES {variant: timm's name}, to_timm(variant, path) -> key
    nets/keras_names/<family>.py   KERAS_NAMES {variant: its name}, to_keras(variant, path) -> key;
                                   PARTS, variants that are the front of one that Keras has

where `path` is that of a variable without its collection, ('stage1_block1', 'conv1', 'kernel'), or
('stem_norm', 'mean') for a statistic. The arrays' layouts follow from the kind of layer, which a
path tells ('squeeze_excite', 'depthwise' in a layer's name); see `to_timm_array` and
`to_keras_array` in the two folders' `layout.py`.

An autoencoder (`vae_*`) is a net of another kind. Its pictures have one channel and exactly the
row's size, and the row's constants are of pixels in 0..1. Its output is a picture, [B, H, W,
num_outputs] logits of pixels; they come from `decoder/pixels`, and there is no module `head`. Its
taps have `mean`, `logvar` and `latent` [B, row.latent_size] besides. Training samples the latent
(rng 'latent'). `net.apply(variables, image, method='encode')` and `method='decode'` are its halves.
"""

from errors import UserError
from nets import (
  convnext,
  efficientnet,
  hrnet,
  inception,
  layers,
  se_resnet,
  vae,
  vit,
)
from nets.options import resolve_options

# File name -> its module, which holds VARIANTS (a row for each net) and NET.
NETS = {
  'se_resnet': se_resnet,
  'inception': inception,
  'efficientnet': efficientnet,
  'hrnet': hrnet,
  'convnext': convnext,
  'vit': vit,
  'vae': vae,
}


def list_nets():
  """Returns the names of all nets, in the order of the table."""
  return [name for module in NETS.values() for name in module.VARIANTS]


def get_variant(name):
  """Returns the row of a net.

  Args:
    name: a variant's name, for instance 'se_resnet_tagger'.

  Returns:
    An `options.Row`; among others input_size_px, mean and std: a net takes (pixels - mean) / std,
    all three in 0..255, those of an autoencoder in 0..1.

  Raises:
    UserError: when there is no such net.
  """
  return _find_module(name).VARIANTS[name]


def build_net(name, num_outputs, **options):
  """Builds a net from its variant's name.

  Args:
    name: a variant's name, for instance 'se_resnet_tagger'.
    num_outputs: size of the output's last axis; 0 builds no head.
    **options: fields of `options.NetOptions` (dtype, batch_norm_axis, ...).

  Returns:
    A Linen module, `net(image, train=...) -> (output, taps)`.

  Raises:
    UserError: when there is no such net, or an option does not fit it.
  """
  module = _find_module(name)
  row = module.VARIANTS[name]
  return module.NET(row=row, num_outputs=num_outputs,
                    options=resolve_options(name, row, num_outputs, **options))


def build_head(net):
  """The head of a net by itself, see `layers.HeadOnFeatures`. Args: net: of `build_net`."""
  return layers.HeadOnFeatures(net.num_outputs, net.options)


def _find_module(name):
  for module in NETS.values():
    if name in module.VARIANTS:
      return module
  raise UserError(f'There is no net {name!r}; choose one of {", ".join(list_nets())}.')
