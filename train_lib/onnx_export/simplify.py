"""Makes a graph smaller without changing what it computes, but for rounding.

A convolution or dense layer takes up the additions and multiplications by constants that follow it
(its bias, a BatchNorm in inference, a layer scale): `(W x + b) * s + t = (s W) x + (s b + t)`, in
float64. Nothing that stands before a convolution is taken up, as its padding is zero.
"""

import collections

import numpy as np

from train_lib.onnx_export.graph import Node

_AFFINE = ('Add', 'Sub', 'Mul', 'Div')


def simplify(graph, outputs) -> None:
  """Changes the graph in place. Args: outputs: names of its results, each made by an Identity."""
  _fold_affine(graph)
  _merge_scales(graph)
  _name_means(graph)
  _drop_identities(graph, outputs)
  _drop_unread(graph, outputs)


def _fold_affine(graph):
  readers = _readers(graph)
  for node in list(graph.nodes):
    if node.op not in ('Conv', 'Gemm') or node.inputs[1] not in graph.constants:
      continue
    scale, shift, last = 1.0, 0.0, node
    while (follower := _sole(readers, last)) and follower.op in _AFFINE:
      step = _affine_step(graph, follower, last.output, node.op)
      if step is None:
        break
      scale, shift, last = scale * step[0], shift * step[0] + step[1], follower
    if last is not node:
      _take_up(graph, node, last, scale, shift)
      readers = _readers(graph)


def _affine_step(graph, node, name, kind):
  """Returns (scale, shift), float64 scalars or [channels], of what a node does to `name`."""
  side = node.inputs.index(name)
  other = graph.constants.get(node.inputs[1 - side])
  if other is None or (node.op == 'Div' and side == 1):
    return None
  other = _per_channel(other.astype(np.float64), kind)
  if other is None:
    return None
  if node.op == 'Add':
    return 1.0, other
  if node.op == 'Sub':
    return (1.0, -other) if side == 0 else (-1.0, other)
  return (other if node.op == 'Mul' else 1 / other), 0.0


def _per_channel(array, kind):
  """A constant as a scalar or [channels]; None where it varies from place to place."""
  if array.size == 1:
    return array.reshape(())
  channel = 1 if kind == 'Conv' else array.ndim - 1
  if array.ndim <= channel or array.size != array.shape[channel]:
    return None
  if kind == 'Conv' and array.ndim < 3:
    return None
  return array.reshape(-1)


def _take_up(graph, node, last, scale, shift):
  """Lets `node` compute what the nodes up to `last` did."""
  scope, graph.scope = graph.scope, node.output.rpartition('/')[0]
  kernel = graph.constants[node.inputs[1]]
  channels = kernel.shape[0] if node.op == 'Conv' else kernel.shape[1]
  scale, shift = (np.broadcast_to(one, (channels,)) for one in (scale, shift))
  wide = scale.reshape(-1, *(1,) * (kernel.ndim - 1)) if node.op == 'Conv' else scale
  bias = graph.constants[node.inputs[2]] * scale if len(node.inputs) > 2 else 0.0
  node.inputs = (node.inputs[0], graph.constant((kernel * wide).astype(kernel.dtype)),
                 graph.constant((bias + shift).astype(kernel.dtype)))
  graph.scope = scope
  _replace(graph, last.output, node.output)


def _merge_scales(graph):
  """Two multiplications by constants in a row become one, or none."""
  readers = _readers(graph)
  makers = {node.output: node for node in graph.nodes}
  for node in graph.nodes:
    x, scale = _scaled(graph, node)
    inner = makers.get(x)
    if scale is None or inner is None or _sole(readers, inner) is not node:
      continue
    x, first = _scaled(graph, inner)
    if first is None:
      continue
    product = first.astype(np.float64) * scale
    if np.ptp(product) < 1e-7 * abs(product).max():  # the same everywhere, but for rounding
      product = np.array(product.flat[0])
    node.inputs = (x, graph.constant(product.astype(scale.dtype)))
    if product.ndim == 0 and abs(product - 1) < 1e-7:
      node.op, node.inputs = 'Identity', (x,)


def _scaled(graph, node):
  """Returns (x, constant) of a multiplication of float32 by a constant, else ('', None)."""
  if node.op == 'Mul':
    for x, other in (node.inputs, node.inputs[::-1]):
      if other in graph.constants and graph.constants[other].dtype == np.float32:
        return x, graph.constants[other]
  return '', None


def _name_means(graph):
  """A sum over axes that is divided by how many numbers it has is a mean."""
  readers = _readers(graph)
  for node in graph.nodes:
    follower = _sole(readers, node)
    if node.op != 'ReduceSum' or not node.count or follower is None or follower.op != 'Div':
      continue
    divisor = graph.constants.get(follower.inputs[1])
    if divisor is None or divisor.size != 1 or divisor.item() != node.count:
      continue
    axes = graph.constants[node.inputs[1]]
    follower.op, follower.inputs = 'ReduceMean', node.inputs[:1]
    follower.attributes = {'axes': axes.tolist(), 'keepdims': 1}


def _drop_identities(graph, outputs):
  """Lets what a node gives bear the name of the output that it is."""
  makers = {node.output: node for node in graph.nodes}
  for node in list(graph.nodes):
    if node.op != 'Identity':
      continue
    source = node.inputs[0]
    if node.output not in outputs:
      _replace(graph, node.output, source)
    elif source in makers and source not in outputs:
      makers[source].output = node.output
      _replace(graph, source, node.output)
      graph.nodes.remove(node)
      makers[node.output] = makers.pop(source)


def _drop_unread(graph, outputs):
  """Keeps the nodes and constants that the outputs need."""
  needed, kept = set(outputs), []
  for node in reversed(graph.nodes):
    if node.output in needed:
      needed.update(node.inputs)
      kept.append(node)
  graph.nodes = kept[::-1]
  graph.constants = {name: one for name, one in graph.constants.items() if name in needed}


def _readers(graph) -> dict[str, list[Node]]:
  readers = collections.defaultdict(list)
  for node in graph.nodes:
    for name in node.inputs:
      readers[name].append(node)
  return readers


def _sole(readers, node):
  """The one node that reads another's result, once; None where there are more or none."""
  found = readers[node.output]
  return found[0] if len(found) == 1 else None


def _replace(graph, old, new):
  for node in graph.nodes:
    node.inputs = tuple(new if name == old else name for name in node.inputs)
