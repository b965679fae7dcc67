"""Convolutions and pools, on [B, C, H, W] as ONNX has them."""

import math

import numpy as np

from train_lib.onnx_export.graph import Missing
from train_lib.onnx_export.values import Value, arrange, full_order, tensor


def conv_general_dilated(graph, values, params, out):
  """A convolution; dimensions may be laid out in any way, and stay so for what reads the result."""
  x, kernel = values
  x_order, kernel_order, out_order = params['dimension_numbers']
  if any(one != 1 for one in params['lhs_dilation']):
    raise Missing('it is transposed: its input is dilated')
  if params['batch_group_count'] != 1:
    raise Missing('it groups the batch')
  x = arrange(graph, x, x_order, full=x_order)
  kernel = arrange(graph, kernel, kernel_order, full=kernel_order)
  name = graph.add(
    'Conv', tensor(graph, x), tensor(graph, kernel), kernel_shape=list(kernel.sizes[2:]),
    strides=_whole(params['window_strides']), pads=_pads(params['padding']),
    dilations=_whole(params['rhs_dilation']), group=int(params['feature_group_count']))
  return _value(out, x.dtype, out_order, name)


def reduce_window_max(graph, values, params, out):
  x, order, spatial, options = _pool(graph, values[0], params)
  return _value(out, x.dtype, order, graph.add('MaxPool', tensor(graph, x), **options, **spatial))


def reduce_window_sum(graph, values, params, out):
  """A mean over windows in which the padding counts, times their size."""
  x, order, spatial, options = _pool(graph, values[0], params)
  if any(one != 1 for one in spatial['dilations']):
    raise Missing('its windows are dilated')
  mean = graph.add('AveragePool', tensor(graph, x), count_include_pad=1, **options)
  size = np.array(math.prod(options['kernel_shape']), x.dtype)
  return _value(out, x.dtype, order, graph.add('Mul', mean, size))


def _pool(graph, x, params):
  """The picture as [B, C, ...], its axes, and the windows along those that follow."""
  windows, strides = params['window_dimensions'], params['window_strides']
  moving = [dim for dim, one in enumerate(zip(windows, strides, params['padding'], strict=True))
            if one != (1, 1, (0, 0))]
  still = [dim for dim in full_order(x) if dim not in moving]
  if any(one != 1 for one in params['base_dilation']) or len(still) < 2 or x.dtype != np.float32:
    raise Missing('it is over other windows than those of pictures in float32')
  places = still[2:] + moving
  order = (*still[:2], *sorted(places))
  options = {
    'kernel_shape': _whole(windows[dim] for dim in order[2:]),
    'strides': _whole(strides[dim] for dim in order[2:]),
    'pads': _pads([params['padding'][dim] for dim in order[2:]])}
  dilations = {'dilations': _whole(params['window_dilation'][dim] for dim in order[2:])}
  return arrange(graph, x, order, full=order), order, dilations, options


def _whole(values):
  return [int(value) for value in values]


def _pads(pairs):
  """Widths at the beginning of each axis, then at the end."""
  pads = [int(pair[side]) for side in (0, 1) for pair in pairs]
  if min(pads, default=0) < 0:
    raise Missing('its padding is negative')
  return pads


def _value(out, dtype, order, name):
  return Value(tuple(out.shape), dtype, tuple(order), tuple(out.shape[dim] for dim in order), name)


WINDOWS = {
  'conv_general_dilated': conv_general_dilated, 'reduce_window_max': reduce_window_max,
  'reduce_window_sum': reduce_window_sum,
}
