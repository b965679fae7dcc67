"""timm's names of the trunk of an autoencoder, whose other parts only we have."""

from nets.timm_names import efficientnet
from nets.timm_names.layout import to_own_key

TIMM_NAMES = {}  # timm has no autoencoder


def to_timm(variant, path):
  """Returns timm's key of a trunk's variable, such as 'blocks.1.0.conv_dw.weight'.

  All others are named as ours are, with dots; no net of timm has such keys, so that its files fill
  the trunk and nothing else.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('encoder', 'stem_conv', 'kernel').
  """
  if variant.startswith('vae_efficientnet') and path[0] == 'encoder':
    return efficientnet.to_timm(variant, path[1:])
  return to_own_key(path)
