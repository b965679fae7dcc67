"""What Keras calls our variables; a file for each family."""

from nets.keras_names import efficientnet, inception

FAMILIES = {
  'inception': inception,
  'efficientnet': efficientnet,
}
