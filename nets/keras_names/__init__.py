"""What Keras calls our variables; a file for each family."""

from errors import UserError
from nets.keras_names import efficientnet, inception

FAMILIES = {
  'inception': inception,
  'efficientnet': efficientnet,
}


def get_family(variant):
  """Returns the module whose `to_keras` names the variables of a variant.

  Raises:
    UserError: when keras.applications has no such net.
  """
  for module in FAMILIES.values():
    if variant in module.KERAS_NAMES:
      return module
  raise UserError(
    f'keras.applications has no net that equals {variant!r}, so its weights have no names there.')
