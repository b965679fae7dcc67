"""Matrix products and reductions."""

import math

import numpy as np

from train_lib.onnx_export.graph import Missing
from train_lib.onnx_export.values import (
  FREE,
  Value,
  arrange,
  full_order,
  relabel,
  reshape_tensor,
  tensor,
  to_array,
)

_FEW = 16  # columns, below which a product of matrices is mostly overhead


def dot_general(graph, values, params, out):
  """Sums of products over some dimensions of two arrays, for each place along others."""
  (contract, batch) = params['dimension_numbers']
  for mine in (1, 0):
    kernel, x = values[mine], values[1 - mine]
    if (kernel.is_constant and len(kernel.shape) == 2 and len(contract[mine]) == 1
        and not batch[mine]):
      dim, rows = contract[1 - mine][0], contract[mine][0]
      kernel = to_array(kernel)
      free = [place for place in range(len(x.shape)) if place != dim]
      new = dict(zip(free, range(1 - mine, len(out.shape)), strict=False))
      new[dim] = 0 if mine == 0 else len(out.shape) - 1
      return relabel(_dense(graph, x, dim, kernel if rows == 0 else kernel.T), new, out.shape)
  return _batched(graph, values, contract, batch, out)


def _dense(graph, x, dim, kernel):
  """Sums over one dimension with a matrix [before, after]; the dimension keeps its place.

  Along the channels of maps it is a convolution of one pixel.
  """
  order = tuple(one for one in full_order(x) if one == dim or one in x.held)
  place, last = order.index(dim), len(order) - 1
  channels, columns = place == 1 and last > 2, x.shape[order[-1]]
  thin = isinstance(columns, int) and columns < _FEW
  if not channels and (place != last - 1 or last < 2 or thin):
    order = tuple(one for one in order if one != dim) + (dim,)
  if len(order) == 1:
    order = (FREE, dim)
  x = arrange(graph, x, order, full=(dim,))
  name = tensor(graph, x)
  if channels:
    matrix = kernel.T.reshape(*kernel.T.shape, *(1,) * (last - 1))
    made = graph.add('Conv', name, matrix, kernel_shape=[1] * (last - 1))
  elif order[-1] != dim:
    made = graph.add('MatMul', kernel.T, name)
  else:
    made = graph.add('Gemm' if len(order) == 2 else 'MatMul', name, kernel)
  sizes = tuple(kernel.shape[1] if one == dim else size
                for one, size in zip(order, x.sizes, strict=True))
  shape = tuple(kernel.shape[1] if one == dim else size for one, size in enumerate(x.shape))
  return Value(shape, x.dtype, order, sizes, made)


def _batched(graph, values, contract, batch, out):
  """Products of matrices, one for each place along the dimensions that both arrays have."""
  free = [[dim for dim in full_order(value) if dim not in (*contract[side], *batch[side])]
          for side, value in enumerate(values)]
  matrices = []
  for side, value in enumerate(values):
    order = [free[side], list(contract[side])]
    order = [*batch[side], *(dim for part in (order if side == 0 else order[::-1]) for dim in part)]
    value = arrange(graph, value, order, full=order)
    ends = [math.prod(value.shape[dim] for dim in part) for part in (free[side], contract[side])]
    sizes = [*(value.shape[dim] for dim in batch[side]), *(ends if side == 0 else ends[::-1])]
    matrices.append(reshape_tensor(graph, value, sizes))
  name = graph.add('MatMul', *(tensor(graph, one) for one in matrices))
  made = Value(tuple(out.shape), values[0].dtype, (FREE,) * len(matrices[0].sizes),
               (*matrices[0].sizes[:-1], matrices[1].sizes[-1]), name)
  # as JAX has it: shared dimensions, those of the left array, those of the right one
  places = [*range(len(batch[0]))]
  for side, first in ((0, len(batch[0])), (1, len(batch[0]) + len(free[0]))):
    places += [first + sorted(free[side]).index(dim) for dim in free[side]]
  made = reshape_tensor(graph, made, [out.shape[dim] for dim in places])
  return Value(made.shape, made.dtype, tuple(places), made.sizes, made.name)


def _reduction(op):
  """Args: op: ONNX's."""
  def make(graph, values, params, out):
    x, axes = _whole_along(graph, values[0], params['axes'])
    counts = [x.sizes[axis] for axis in axes]
    known = op == 'ReduceSum' and all(isinstance(count, int) for count in counts)
    name = graph.reduce(op, tensor(graph, x), axes, count=math.prod(counts) if known else 0)
    return _reduced(x, params['axes'], out, name)
  return make


def _truth(op):
  """Args: op: of numbers, which gives the same on 0 and 1."""
  def make(graph, values, params, out):
    x, axes = _whole_along(graph, values[0], params['axes'])
    if x.dtype != np.bool_:
      raise Missing(f'it is on the bits of {x.dtype}')
    name = graph.reduce(op, graph.add('Cast', tensor(graph, x), to=6), axes)
    return _reduced(x, params['axes'], out, graph.add('Cast', name, to=9))
  return make


def _place(op):
  """Args: op: ArgMax or ArgMin; the first place wins in both."""
  def make(graph, values, params, out):
    if len(params['axes']) != 1:
      raise Missing('it is over several dimensions')
    x, (axis,) = _whole_along(graph, values[0], params['axes'])
    name = graph.add(op, tensor(graph, x), axis=axis, keepdims=1)
    return _reduced(x, params['axes'], out, graph.add(
      'Cast', name, to={'int32': 6, 'int64': 7}[np.dtype(out.dtype).name]))
  return make


def cumsum(graph, values, params, out):
  x, (axis,) = _whole_along(graph, values[0], [params['axis']])
  name = graph.add('CumSum', tensor(graph, x), np.array(axis, np.int64),
                   reverse=int(params['reverse']))
  return Value(tuple(out.shape), x.dtype, x.axes, x.sizes, name)


def _whole_along(graph, x, dims):
  """The array whole along some dimensions, and the axes that hold them."""
  if any(dim not in x.axes or x.sizes[x.axis(dim)] != x.shape[dim] for dim in dims):
    x = arrange(graph, x, [dim for dim in full_order(x) if dim in x.held or dim in dims],
                full=dims)
  return x, [x.axis(dim) for dim in dims]


def _reduced(x, dims, out, name):
  kept = [dim for dim in range(len(x.shape)) if dim not in dims]
  sizes = tuple(1 if dim in dims else size for dim, size in zip(x.axes, x.sizes, strict=True))
  whole = Value(x.shape, np.dtype(out.dtype), x.axes, sizes, name)
  return relabel(whole, {dim: place for place, dim in enumerate(kept)}, out.shape)


SUMS = {
  'dot_general': dot_general, 'reduce_sum': _reduction('ReduceSum'),
  'reduce_max': _reduction('ReduceMax'), 'reduce_min': _reduction('ReduceMin'),
  'reduce_prod': _reduction('ReduceProd'), 'reduce_and': _truth('ReduceMin'),
  'reduce_or': _truth('ReduceMax'), 'argmax': _place('ArgMax'), 'argmin': _place('ArgMin'),
  'cumsum': cumsum,
}
