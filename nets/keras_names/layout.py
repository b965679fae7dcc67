"""Leaves of Keras' keys, and the layout of its arrays, for every family."""

import numpy as np

LEAVES = {'kernel': 'kernel', 'scale': 'gamma', 'bias': 'beta',  # the bias of a BatchNorm
          'mean': 'moving_mean', 'var': 'moving_variance'}


def to_keras_array(path, value):
  """Turns a variable of ours into Keras' layout.

  Args:
    path: names, the variable's own last.
    value: ours: kernels [height, width, in, out], depthwise [height, width, 1, C], or [in, out].

  Returns:
    The same values; depthwise kernels as [height, width, C, 1] and those of a squeeze-excite, which
    Keras writes as 1x1 convolutions, as [1, 1, in, out].
  """
  if path[-1] == 'kernel' and 'squeeze_excite' in path:
    return value[None, None]
  return _swap_depthwise(path, value)


def from_keras_array(path, value):
  """Turns an array of Keras' into our layout: the inverse of `to_keras_array`."""
  if path[-1] == 'kernel' and 'squeeze_excite' in path:
    return value.reshape(value.shape[-2:])
  return _swap_depthwise(path, value)


def _swap_depthwise(path, value):
  if path[-1] == 'kernel' and any('depthwise' in name for name in path):
    return np.swapaxes(value, 2, 3)
  return value
