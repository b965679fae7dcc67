"""A graph under construction: nodes in the order they run, constants that equal ones share."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from errors import UserError

OPSET = 17                        # version of the operators
DTYPES = ('float32', 'float64', 'int32', 'int64', 'uint8', 'bool')  # that the operators here take
BYTES_LIMIT = 2**31 - 1  # of a protocol buffer


class Missing(UserError):
  """An operation has no counterpart here; the message says what about it."""


@dataclasses.dataclass
class Node:
  """One operator. Attributes: inputs: names of tensors, '' for one that is left out."""

  op: str
  inputs: tuple[str, ...]
  output: str
  attributes: dict[str, Any]
  count: int = 0  # of a ReduceSum: how many numbers go into each sum


class Graph:
  """Nodes and constants. `scope` is the part of the net that they are made for.

  Args of construction:
    batch: the symbol that stands for the batch size, or None.
    batch_of: (name, axis) of a graph input that has it, or None.
  """

  def __init__(self, batch, batch_of):
    self.batch, self.batch_of = batch, batch_of
    self.nodes: list[Node] = []
    self.constants: dict[str, np.ndarray] = {}
    self.scope = ''
    self._known = {}  # what makes a tensor -> its name, so that nothing is computed twice
    self._counts = {}

  def constant(self, array) -> str:
    """Returns the name of a constant tensor; equal arrays have one."""
    array = np.asarray(array)
    key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
    if key not in self._known:
      self._known[key] = self._name('constant')
      self.constants[self._known[key]] = array
    return self._known[key]

  def add(self, op, *inputs, count=0, **attributes) -> str:
    """Appends an operator, unless the same is there already, and returns its output's name.

    Args:
      op: of ONNX.
      *inputs: names of tensors, or arrays, which become constants.
      count: see `Node`.
      **attributes: of the operator.
    """
    names = tuple(one if isinstance(one, str) else self.constant(one) for one in inputs)
    key = (op, names, repr(sorted(attributes.items())))
    if key not in self._known:
      self._known[key] = self._name(op)
      self.nodes.append(Node(op, names, self._known[key], attributes, count))
    return self._known[key]

  def reduce(self, op, name, axes, *, count=0) -> str:
    """A reduction that keeps the axes, each with size 1."""
    if op == 'ReduceSum':                         # of this version it alone takes them so
      return self.add(op, name, np.array(axes, np.int64), count=count, keepdims=1)
    return self.add(op, name, axes=list(axes), keepdims=1)

  def batch_size(self) -> str:
    """Returns the name of int64 [1], the batch size of the pictures at hand."""
    name, axis = self.batch_of
    return self.add('Shape', name, start=axis, end=axis + 1)

  def _name(self, kind):
    name = f'{self.scope}/{kind}' if self.scope else kind
    self._counts[name] = self._counts.get(name, 0) + 1
    return name if self._counts[name] == 1 else f'{name}_{self._counts[name]}'


def import_onnx():
  """Returns the package onnx.

  Raises:
    UserError: when it is not installed.
  """
  try:
    import onnx
    import onnx.checker
    import onnx.helper
    import onnx.numpy_helper
  except ImportError as error:
    raise UserError("writing ONNX needs the package onnx: pip install -e '.[onnx]'") from error
  return onnx


def to_model(graph: Graph, inputs: dict, outputs: dict, about: dict[str, str]):
  """The graph as onnx.ModelProto, checked by onnx itself.

  Args:
    inputs, outputs: {name: shape and dtype}; a dimension that is no number is named as it prints.
    about: {key: text} of the model's metadata.

  Raises:
    UserError: onnx is not installed, or the model is larger than a file of this kind may be.
  """
  onnx = import_onnx()
  helper = onnx.helper

  def describe(name, like):
    shape = [size if isinstance(size, int) else str(size) for size in like.shape]
    return helper.make_tensor_value_info(
      name, helper.np_dtype_to_tensor_dtype(np.dtype(like.dtype)), shape)

  size = sum(array.nbytes for array in graph.constants.values())
  if size > BYTES_LIMIT:
    raise UserError(f'the constants of this net take {size / 2**30:.1f} GiB, and an ONNX file '
                    'holds 2; choose a smaller net.')
  nodes = [helper.make_node(node.op, node.inputs, [node.output], name=node.output,
                            **node.attributes) for node in graph.nodes]
  made = helper.make_graph(
    nodes, 'net', [describe(*one) for one in inputs.items()],
    [describe(*one) for one in outputs.items()],
    [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
     for name, array in graph.constants.items()])
  opset = helper.make_opsetid('', OPSET)
  model = helper.make_model(
    made, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]),
    producer_name='oko')
  helper.set_model_props(model, about)
  onnx.checker.check_model(model, full_check=True)
  return model
