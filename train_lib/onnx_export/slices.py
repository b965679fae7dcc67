"""Operations that take parts of arrays, at places that are known when the graph is made."""

import dataclasses

import numpy as np

from train_lib.onnx_export.graph import Missing
from train_lib.onnx_export.values import arrange, full_order, number, relabel, tensor, to_array


def cut(graph, x, parts, shape):
  """Takes evenly spaced places along some dimensions.

  Args:
    x: a Value.
    parts: {dimension: (first, count, step)}; a negative step goes backward.
    shape: of the result.
  """
  parts = {dim: part for dim, part in parts.items()
           if dim in x.held and part != (0, x.shape[dim], 1)}
  axes = [x.axis(dim) for dim in parts]
  sizes = tuple(parts[dim][1] if dim in parts else size
                for dim, size in zip(x.axes, x.sizes, strict=True))
  if not parts:
    return dataclasses.replace(x, shape=tuple(shape))
  if x.is_constant:
    array = x.array
    for axis, (first, count, step) in zip(axes, parts.values(), strict=True):
      array = array.take(first + step * np.arange(count), axis)
    return dataclasses.replace(x, shape=tuple(shape), sizes=sizes, array=array)
  if any(not isinstance(one, int) for part in parts.values() for one in part):
    raise Missing('it takes a part of the batch')
  ends = [first + step * count for first, count, step in parts.values()]
  columns = ([part[0] for part in parts.values()], [end if end >= 0 else -2**31 for end in ends],
             axes, [part[2] for part in parts.values()])
  name = graph.add('Slice', x.name, *(np.array(column, np.int64) for column in columns))
  return dataclasses.replace(x, shape=tuple(shape), sizes=sizes, name=name)


def slice_(graph, values, params, out):
  steps = params['strides'] or (1,) * len(out.shape)
  starts = params['start_indices']
  return cut(graph, values[0], {dim: (starts[dim], out.shape[dim], steps[dim])
                                for dim in range(len(out.shape))}, out.shape)


def rev(graph, values, params, out):
  x = values[0]
  if any(not isinstance(x.shape[dim], int) for dim in params['dimensions']):
    raise Missing('it turns the batch around')
  return cut(graph, x, {dim: (x.shape[dim] - 1, x.shape[dim], -1) for dim in params['dimensions']},
             out.shape)


def split(graph, values, params, outs):
  parts, first = [], 0
  for out in outs:
    size = out.shape[params['axis']]
    parts.append(cut(graph, values[0], {params['axis']: (first, size, 1)}, out.shape))
    first += size
  return parts


def dynamic_slice(graph, values, params, out):
  del params
  x, *starts = values
  parts = {}
  for dim, (start, count) in enumerate(zip(starts, out.shape, strict=True)):
    if count == x.shape[dim]:
      continue
    if number(start) is None:
      raise Missing('where it begins is computed')
    first = min(max(0, number(start) + (x.shape[dim] if number(start) < 0 else 0)),
                x.shape[dim] - count)
    parts[dim] = (first, count, 1)
  return cut(graph, x, parts, out.shape)


def gather(graph, values, params, out):
  """Takes slices at constant places: along each dimension one, and along one of them several."""
  x, indices = values
  numbers = params['dimension_numbers']
  if not indices.is_constant or numbers.operand_batching_dims:
    raise Missing('where it reads is computed')
  places = to_array(indices).reshape(-1, len(numbers.start_index_map))
  new_dims = [dim for dim in range(len(out.shape)) if dim not in numbers.offset_dims]
  kept = [dim for dim in range(len(x.shape)) if dim not in numbers.collapsed_slice_dims]
  moved, shape = dict(zip(kept, numbers.offset_dims, strict=True)), list(x.shape)
  for dim, starts in zip(numbers.start_index_map, places.T, strict=True):
    count = params['slice_sizes'][dim]
    if count == x.shape[dim]:
      continue
    if starts.min() < 0 or starts.max() + count > x.shape[dim]:
      raise Missing('it reads outside of the array')
    if (starts == starts[0]).all():
      shape[dim] = count
      x = cut(graph, x, {dim: (int(starts[0]), count, 1)}, shape)
      continue
    wide = [new for new in new_dims if out.shape[new] != 1]
    if count != 1 or dim in moved or len(wide) != 1 or wide[0] in moved.values():
      raise Missing('it reads along more than one dimension')
    shape[dim], moved[dim] = len(starts), wide[0]
    x = _take(graph, x, dim, starts, shape)
  return relabel(x, moved, out.shape)


def _take(graph, x, dim, places, shape):
  """The given places along one dimension."""
  steps = np.unique(np.diff(places))
  if len(steps) == 1 and steps[0] != 0:
    return cut(graph, x, {dim: (int(places[0]), len(places), int(steps[0]))}, shape)
  if dim not in x.held:
    return dataclasses.replace(x, shape=tuple(shape))
  name = graph.add('Gather', tensor(graph, x), places.astype(np.int64), axis=x.axis(dim))
  sizes = [len(places) if held == dim else size
           for held, size in zip(x.axes, x.sizes, strict=True)]
  return dataclasses.replace(x, shape=tuple(shape), sizes=tuple(sizes), name=name, array=None)


def pad(graph, values, params, out):
  """Adds a border of one number; a negative width cuts."""
  x, fill = values
  widths = [tuple(int(width) for width in one) for one in params['padding_config']]
  if any(inner for _, _, inner in widths):
    raise Missing('it pads between numbers')
  if number(fill) is None:
    raise Missing('what it pads with is computed')
  dims = [dim for dim, width in enumerate(widths) if any(width)]
  order = full_order(x)
  x = arrange(graph, x, [dim for dim in order if dim in x.held or dim in dims], full=dims)
  borders = [widths[dim][side] if dim in dims else 0 for side in (0, 1) for dim in x.axes]
  name = graph.add('Pad', tensor(graph, x), np.array(borders, np.int64),
                   fill.array.reshape(()).astype(x.dtype))
  sizes = tuple(out.shape[dim] if dim in dims else size
                for dim, size in zip(x.axes, x.sizes, strict=True))
  return dataclasses.replace(x, shape=tuple(out.shape), sizes=sizes, name=name, array=None)


SLICES = {
  'slice': slice_, 'rev': rev, 'split': split, 'dynamic_slice': dynamic_slice, 'gather': gather,
  'pad': pad,
}
