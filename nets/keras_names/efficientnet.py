"""Keras' names of EfficientNet, and the constants of pixels that its files hold.

A net of keras.applications takes pixels of 0..255 and normalises them itself; ours takes them
normalised. The layer that does it, `normalization`, has weights of its own in a file: they belong
to no variable of ours and say what pixels the net was trained on; see `get_pixel_constants`.
"""

import re
import string

import numpy as np

from nets.keras_names.layout import LEAVES
from nets.options import IMAGENET_STD

KERAS_NAMES = {f'tf_efficientnet_b{size}': f'EfficientNetB{size}' for size in range(8)}

_ENDS = {'stem_conv': 'stem_conv', 'stem_norm': 'stem_bn', 'top_conv': 'top_conv',
         'top_norm': 'top_bn', 'head': 'predictions'}
_INNER = {
  'expand_conv': 'expand_conv', 'expand_norm': 'expand_bn', 'depthwise_conv': 'dwconv',
  'depthwise_norm': 'bn', 'squeeze_excite/reduce': 'se_reduce',
  'squeeze_excite/expand': 'se_expand', 'project_conv': 'project_conv',
  'project_norm': 'project_bn'}


def to_keras(variant, path):
  """Returns Keras' key of a variable, such as 'block2a_dwconv/kernel'.

  Args:
    variant: a net of the family.
    path: names without the collection, such as ('group2_block1', 'depthwise_conv', 'kernel').
  """
  del variant
  *modules, leaf = path
  if block := re.fullmatch(r'group(\d)_block(\d+)', modules[0]):
    letter = string.ascii_lowercase[int(block[2]) - 1]
    layer = f'block{block[1]}{letter}_{_INNER["/".join(modules[1:])]}'
  else:
    layer = _ENDS[modules[0]]
  if leaf == 'bias' and not layer.endswith('bn'):
    return f'{layer}/bias'
  return f'{layer}/{LEAVES[leaf]}'


def get_pixel_constants(mean, variance):
  """Returns the (mean, std) of pixels in 0..255 that a Keras EfficientNet was trained with.

  The net divides by 255, subtracts `mean` and divides by the root of `variance`. In the files that
  Keras publishes `variance` holds deviations by mistake, so their net divides by the root of the
  deviation a second time; together that is the deviation.

  Args:
    mean: [3], the file's 'normalization/mean'.
    variance: [3], the file's 'normalization/variance'.
  """
  mean, variance = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
  std = variance if np.allclose(255 * variance, IMAGENET_STD) else np.sqrt(variance)
  return tuple((255 * mean).tolist()), tuple((255 * std).tolist())
