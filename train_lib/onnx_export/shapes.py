"""Operations that move numbers about: views, which cost nothing, and reshapes."""

import math

import numpy as np

from train_lib.onnx_export.graph import Missing
from train_lib.onnx_export.values import (
  Value,
  arrange,
  full_order,
  relabel,
  reshape_tensor,
  tensor,
)

_BATCH = 1_000_003  # a prime in place of the batch's symbol, where only products are compared


def transpose(graph, values, params, out):
  del graph
  return relabel(values[0], {dim: place for place, dim in enumerate(params['permutation'])},
                 out.shape)


def squeeze(graph, values, params, out):
  del graph
  kept = [dim for dim in range(len(values[0].shape)) if dim not in params['dimensions']]
  return relabel(values[0], {dim: place for place, dim in enumerate(kept)}, out.shape)


def broadcast_in_dim(graph, values, params, out):
  del graph
  if len(values) > 1:
    raise Missing('its shape is computed')
  return relabel(values[0], dict(enumerate(params['broadcast_dimensions'])), out.shape)


def reshape(graph, values, params, out):
  """Splits and merges dimensions; those that stay what they are may stay where they are.

  The dimensions before and after fall into groups of equal products, in the same order. The tensor
  keeps the order of the groups that it has; within one that splits or merges, dimensions stand as
  in the array.
  """
  x = values[0]
  if params.get('dimensions') is not None:
    raise Missing('it moves dimensions')
  groups = _groups(x.shape, out.shape, graph.batch)
  moved = {before[0]: after[0] for before, after in groups if len(before) == len(after) == 1}
  if len(moved) == len(groups):
    return relabel(x, moved, out.shape)
  places = {dim: place for place, dim in enumerate(full_order(x))}
  groups.sort(key=lambda group: places[group[0][0]])
  changed = [group for group in groups if group[0][0] not in moved]
  if _repeats(x, groups, changed):
    return _repeat(graph, x, groups, out)
  order = [dim for before, _ in groups for dim in before]
  x = arrange(graph, x, order, full={dim for before, _ in changed for dim in before})
  sizes = []
  for before, after in groups:
    whole = (before, after) in changed or before[0] in x.held
    sizes += [out.shape[dim] if whole else 1 for dim in after]
  made = reshape_tensor(graph, x, sizes)
  return Value(tuple(out.shape), x.dtype, tuple(dim for _, after in groups for dim in after),
               tuple(sizes), made.name, made.array)


def _groups(before, after, batch):
  """Pairs of the dimensions before and after that have equal products; those of size 1 in none."""
  before, after = ([(dim, _as_number(size, batch)) for dim, size in enumerate(shape) if size != 1]
                   for shape in (before, after))
  groups = []
  while before or after:
    old, new = [before.pop(0)], [after.pop(0)]
    while (left := math.prod(size for _, size in old)) != (
        right := math.prod(size for _, size in new)):
      if left < right:
        old.append(before.pop(0))
      else:
        new.append(after.pop(0))
    groups.append(([dim for dim, _ in old], [dim for dim, _ in new]))
  return groups


def _as_number(size, batch):
  if isinstance(size, int):
    return size
  times = size // batch
  if not isinstance(times, int) or times * batch != size:
    raise Missing(f'a dimension of it is {size}')
  return times * _BATCH


def _repeats(x, groups, changed):
  """Whether each pixel of maps [B, C, h, w] becomes a square of copies."""
  return (len(x.held) == len(groups) == 4 and not x.is_constant and x.dtype == 'float32'
          and all(len(after) == 1 and before[0] in x.held for before, after in changed)
          and not {dim for before, _ in changed for dim in before[1:]} & set(x.held)
          and all(before[0] in x.held for before, _ in groups))


def _repeat(graph, x, groups, out):
  scales = [math.prod(x.shape[dim] for dim in before[1:]) for before, _ in groups]
  x = arrange(graph, x, [before[0] for before, _ in groups])
  order = tuple(after[0] for _, after in groups)
  name = graph.add(
    'Resize', tensor(graph, x), '', np.array(scales, np.float32), mode='nearest',
    coordinate_transformation_mode='asymmetric', nearest_mode='floor')
  return Value(tuple(out.shape), x.dtype, order, tuple(out.shape[dim] for dim in order), name)


def concatenate(graph, values, params, out):
  """Arrays one after another along a dimension, in the order of the first that is no constant."""
  dim = params['dimension']
  lead = max([one for one in values if not one.is_constant] or values,
             key=lambda one: len(one.held))
  order = full_order(lead)
  names = [tensor(graph, arrange(graph, value, order, full=order)) for value in values]
  return Value(tuple(out.shape), values[0].dtype, order, tuple(out.shape[dim] for dim in order),
               graph.add('Concat', *names, axis=order.index(dim)))


def stack(graph, values, params, out):
  """Arrays side by side along a new dimension."""
  new = params['axis']
  shape = [1 if dim == new else size for dim, size in enumerate(out.shape)]
  moved = {dim: dim + (dim >= new) for dim in range(len(values[0].shape))}
  return concatenate(graph, [relabel(value, moved, shape) for value in values],
                     {'dimension': new}, out)


SHAPES = {
  'transpose': transpose, 'squeeze': squeeze, 'broadcast_in_dim': broadcast_in_dim,
  'reshape': reshape, 'concatenate': concatenate, 'stack': stack,
}
VIEWS = ('transpose', 'squeeze', 'broadcast_in_dim')  # of constants too, which stay small
