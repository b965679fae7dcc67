"""Leaves of timm's keys, and the layout of its arrays, for every family."""

import numpy as np

LEAVES = {'kernel': 'weight', 'scale': 'weight', 'bias': 'bias',
          'mean': 'running_mean', 'var': 'running_var'}


def to_own_key(path):
  """Returns our name of a variable as a key: 'block1.conv.weight' of ('block1', 'conv', 'kernel').

  Args:
    path: names without the collection, the variable's own last.
  """
  *modules, leaf = path
  return '.'.join((*modules, LEAVES.get(leaf, leaf)))


def to_timm_array(path, value):
  """Turns a variable of ours into timm's layout.

  Args:
    path: names, the variable's own last.
    value: ours: kernels [height, width, in, out] or [in, out].

  Returns:
    The same values as [out, in, height, width] or [out, in]; those of a squeeze-excite, which timm
    writes as 1x1 convolutions, as [out, in, 1, 1]; anything but a kernel as it is.
  """
  if path[-1] != 'kernel':
    return value
  if value.ndim == 2:
    return value.T[..., None, None] if 'squeeze_excite' in path else value.T
  return np.transpose(value, (3, 2, 0, 1))


def from_timm_array(path, value):
  """Turns an array of timm's into our layout: the inverse of `to_timm_array`."""
  if path[-1] != 'kernel':
    return value
  if value.ndim == 2 or 'squeeze_excite' in path:
    return value.reshape(value.shape[:2]).T
  return np.transpose(value, (2, 3, 1, 0))
