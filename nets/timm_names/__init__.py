"""What timm calls our variables; a file for each family."""

from errors import UserError
from nets.timm_names import convnext, efficientnet, hrnet, inception, se_resnet, vit

FAMILIES = {
  'se_resnet': se_resnet,
  'inception': inception,
  'efficientnet': efficientnet,
  'hrnet': hrnet,
  'convnext': convnext,
  'vit': vit,
}


def get_family(variant):
  """Returns the module whose `to_timm` names the variables of a variant.

  Raises:
    UserError: when timm has no such net.
  """
  for module in FAMILIES.values():
    if variant in module.TIMM_NAMES:
      return module
  raise UserError(f'timm has no net that equals {variant!r}, so its weights have no names there.')
