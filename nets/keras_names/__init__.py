"""What Keras calls our variables; a file for each family that it has."""

from nets.keras_names import efficientnet, inception

FAMILIES = {
  'inception': inception,
  'efficientnet': efficientnet,
}
