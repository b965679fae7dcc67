"""Arrays of the traced function, and the tensors that hold them.

A tensor need not look like its array: its axes may stand in another order, and where an array
repeats itself along a dimension the tensor has size 1 or no axis at all. So what only moves
dimensions about (transpose, squeeze, broadcast, most reshapes) costs no operator, pictures stay
[B, C, H, W] between convolutions, and an operator that cares about the order asks for it with
`arrange`.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from train_lib.onnx_export.graph import Missing

FREE = -1  # an axis of size 1 that holds no dimension


@dataclasses.dataclass(frozen=True)
class Value:
  """An array and the tensor that holds it.

  Attributes:
    shape: of the array; numbers, or a multiple of the batch's symbol.
    dtype: numpy's.
    axes: for each axis of the tensor the dimension of the array that it holds, or FREE.
    sizes: of each axis of the tensor: that of its dimension, or 1 where the array repeats itself.
    name: of the tensor in the graph; '' for a constant.
    array: the tensor's values if they are known, else None.
  """

  shape: tuple
  dtype: Any
  axes: tuple[int, ...]
  sizes: tuple
  name: str = ''
  array: np.ndarray | None = None

  @property
  def is_constant(self):
    return self.array is not None

  @property
  def held(self):
    """The dimensions along which the array does not repeat itself, as the tensor has them."""
    return tuple(dim for dim, size in zip(self.axes, self.sizes, strict=True) if size != 1)

  def axis(self, dim):
    return self.axes.index(dim)


def make_constant(array, shape=None, axes=None) -> Value:
  """Returns the Value of a numpy array; `shape` and `axes` if the array is not as it stands."""
  array = np.asarray(array)
  axes = tuple(range(array.ndim)) if axes is None else tuple(axes)
  return Value(array.shape if shape is None else tuple(shape), array.dtype, axes, array.shape,
               array=array)


def relabel(value, dims, shape) -> Value:
  """Returns another array held by the same tensor.

  Args:
    dims: {dimension now: dimension of the new array}; one that is left out has size 1.
    shape: of the new array.
  """
  axes = tuple(dims.get(dim, FREE) for dim in value.axes)
  return dataclasses.replace(value, shape=tuple(shape), axes=axes)


def tensor(graph, value) -> str:
  """Returns the name of the tensor as it stands."""
  return graph.constant(value.array) if value.is_constant else value.name


def arrange(graph, value, order, *, full=()) -> Value:
  """Returns the array held by a tensor whose axes are `order`.

  Args:
    order: dimensions, or FREE; it has every dimension that `value.held` has.
    full: dimensions of `order` that get their whole size, though the array repeats itself there.
  """
  order = tuple(order)
  wanted = tuple(dim for dim in order if dim in value.held)
  if value.held != wanted:
    known = [value.axis(dim) for dim in order if dim != FREE and dim in value.axes]
    value = _transpose(graph, value, known + [axis for axis in range(len(value.axes))
                                              if axis not in known])
  sizes = tuple(value.sizes[value.axis(dim)] if dim in value.held else 1 for dim in order)
  value = dataclasses.replace(reshape_tensor(graph, value, sizes), axes=order)
  sizes = tuple(value.shape[dim] if dim in full else size
                for dim, size in zip(order, value.sizes, strict=True))
  return _expand(graph, value, sizes)


def reshape_tensor(graph, value, sizes) -> Value:
  """Returns the Value with a tensor of other sizes; its axes are the caller's to set."""
  sizes = tuple(sizes)
  if sizes == value.sizes:
    return value
  if value.is_constant:
    array = value.array.reshape(sizes)
    return dataclasses.replace(value, sizes=sizes, axes=(FREE,) * len(sizes), array=array)
  wanted = [_wanted_size(axis, size, value.sizes) for axis, size in enumerate(sizes)]
  if wanted.count(-1) > 1:
    raise Missing(f'the batch size appears twice in the shape {sizes}')
  name = graph.add('Reshape', value.name, np.array(wanted, np.int64))
  return dataclasses.replace(value, sizes=sizes, axes=(FREE,) * len(sizes), name=name)


def full_order(value) -> tuple[int, ...]:
  """Returns all dimensions of the array, in the order in which the tensor has them."""
  order = [dim for dim in value.axes if dim != FREE]
  for dim in range(len(value.shape)):
    if dim not in order:
      later = [place for place, other in enumerate(order) if other > dim]
      order.insert(later[0] if later else len(order), dim)
  return tuple(order)


def common_order(values) -> tuple[int, ...]:
  """Returns axes that hold each of several arrays of one shape, as the fullest of them has them.

  Constants move for nothing, so another array decides where there is one.
  """
  lead = max([one for one in values if not one.is_constant] or values,
             key=lambda one: len(one.held))
  order = list(lead.axes)
  for dim in sorted({dim for one in values for dim in one.held} - set(order)):
    if FREE in order:
      order[order.index(FREE)] = dim
    else:
      later = [place for place, other in enumerate(order) if other > dim]
      order.insert(later[0] if later else len(order), dim)
  return tuple(order)


def to_array(value) -> np.ndarray:
  """Returns a constant as the traced function sees it."""
  order = range(len(value.shape))
  return arrange(None, value, order, full=order).array


def number(value):
  """Returns the one number that a constant is made of, or None."""
  if value.is_constant and math.prod(value.sizes) == 1:
    return value.array.reshape(()).item()
  return None


def _wanted_size(axis, size, before):
  """What Reshape is told: a number, 0 for 'as before', or -1 for 'what is left'."""
  if isinstance(size, int):
    return size
  return 0 if axis < len(before) and before[axis] == size else -1


def _transpose(graph, value, perm):
  moved = dict(axes=tuple(value.axes[axis] for axis in perm),
               sizes=tuple(value.sizes[axis] for axis in perm))
  if value.is_constant:
    return dataclasses.replace(value, array=value.array.transpose(perm), **moved)
  return dataclasses.replace(value, name=graph.add('Transpose', value.name, perm=perm), **moved)


def _expand(graph, value, sizes):
  if sizes == value.sizes:
    return value
  grown = [size if size != before else 1 for size, before in zip(sizes, value.sizes, strict=True)]
  if value.is_constant and all(isinstance(size, int) for size in sizes):
    return dataclasses.replace(value, sizes=sizes, array=np.broadcast_to(value.array, sizes))
  name = graph.add('Expand', tensor(graph, value), _shape_vector(graph, grown))
  return dataclasses.replace(value, sizes=sizes, name=name, array=None)


def _shape_vector(graph, sizes):
  """The sizes as int64 [n]: a constant, or made from the batch size when the graph runs."""
  if all(isinstance(size, int) for size in sizes):
    return np.array(sizes, np.int64)
  if any(not isinstance(size, int) and size != graph.batch for size in sizes):
    raise Missing(f'the shape {tuple(sizes)} depends on the batch size in another way than by '
                  'having it as a dimension')
  parts = [np.array([size], np.int64) if isinstance(size, int) else graph.batch_size()
           for size in sizes]
  return graph.add('Concat', *parts, axis=0)
