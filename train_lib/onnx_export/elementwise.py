"""Operations on each number by itself. JAX's name -> what makes the node from tensors."""

import numpy as np

from train_lib.onnx_export.graph import Missing
from train_lib.onnx_export.values import (
  Value,
  arrange,
  common_order,
  make_constant,
  number,
  tensor,
)


def convert(name, graph, values, params, out) -> Value:
  """Makes the nodes of one elementwise operation.

  Args:
    name: JAX's, of ELEMENTWISE.
    values: its operands, Values of one shape or of shape ().
    params: of the operation.
    out: shape and dtype of its result.

  Raises:
    Missing: there is no counterpart.
  """
  order, values, sizes = align(graph, values, out.shape)
  names = [_tensor(graph, value) for value in values]
  if name == 'max' and any(number(value) == 0 for value in values) and out.dtype == np.float32:
    made = graph.add('Relu', names[0] if number(values[1]) == 0 else names[1])
  else:
    made = ELEMENTWISE[name](graph, names, params, values[0].dtype, out.dtype)
  return Value(tuple(out.shape), np.dtype(out.dtype), order, sizes, made)


def align(graph, values, shape):
  """Brings operands to the same axes.

  Returns:
    The axes, the Values in them, and the sizes that their combination has.
  """
  lifted = [value if value.shape else
            (Value(tuple(shape), value.dtype, (), (), value.name, value.array)
             if not value.axes else arrange(graph, value, ())) for value in values]
  order = common_order(lifted)
  values = [arrange(graph, value, order) if value.axes else value for value in lifted]
  sizes = [1] * len(order)
  for value in values:
    for axis, size in enumerate(value.sizes):
      sizes[axis] = size if size != 1 else sizes[axis]
  return order, values, tuple(sizes)


def fold(primitive, values, params, out) -> Value:
  """The result of an elementwise operation on constants, as small as they are."""
  order, values, sizes = align(None, values, out.shape)
  arrays = [np.broadcast_to(value.array, sizes) for value in values]
  if primitive.name in _NUMPY and all(array.dtype.kind in 'fb' for array in arrays):
    with np.errstate(all='ignore'):
      made = np.asarray(_NUMPY[primitive.name](*arrays), out.dtype)
  else:
    made = np.asarray(primitive.bind(*arrays, **params))
  return make_constant(made, out.shape, order)


def _tensor(graph, value):
  """The tensor of an operand; what is one number everywhere has no axes."""
  if number(value) is not None:
    return graph.constant(value.array.reshape(()))
  return tensor(graph, value)


def _plain(op):
  """An operator of the same meaning; Args: op: ONNX's."""
  def make(graph, names, params, dtype, out_dtype):
    del params, dtype, out_dtype
    return graph.add(op, *names)
  return make


def _logical(op):
  """As `_plain`, for truth values alone."""
  def make(graph, names, params, dtype, out_dtype):
    del params, out_dtype
    if dtype != np.bool_:
      raise Missing(f'it is on the bits of {dtype}')
    return graph.add(op, *names)
  return make


def _chain(*ops):
  """Operators one after another; one that is a pair has a number as its other operand.

  Args:
    *ops: ONNX's name, (name, number) for x op number, or (number, name) for number op x.
  """
  def make(graph, names, params, dtype, out_dtype):
    del params, out_dtype
    for op in ops:
      if isinstance(op, str):
        names = [graph.add(op, *names)]
      elif isinstance(op[0], str):
        names = [graph.add(op[0], *names, np.array(op[1], dtype))]
      else:
        names = [graph.add(op[1], np.array(op[0], dtype), *names)]
    return names[0]
  return make


def _same(graph, names, params, dtype, out_dtype):
  del graph, params, dtype, out_dtype
  return names[0]


def _square(graph, names, params, dtype, out_dtype):
  del params, dtype, out_dtype
  return graph.add('Mul', names[0], names[0])


def _integer_pow(graph, names, params, dtype, out_dtype):
  if params['y'] == 2:
    return _square(graph, names, params, dtype, out_dtype)
  return graph.add('Pow', names[0], np.array(params['y'], dtype))


def _remainder(graph, names, params, dtype, out_dtype):
  del params, dtype, out_dtype
  return graph.add('Mod', *names, fmod=1)


def _round(graph, names, params, dtype, out_dtype):
  if int(params['rounding_method']) == 1:  # to the nearest even number
    return graph.add('Round', names[0])
  return graph.add('Mul', graph.add('Sign', names[0]), _chain('Abs', ('Add', 0.5), 'Floor')(
    graph, names, params, dtype, out_dtype))


def _clamp(graph, names, params, dtype, out_dtype):
  del params, dtype, out_dtype
  low, x, high = names
  return graph.add('Min', graph.add('Max', x, low), high)


def _select(graph, names, params, dtype, out_dtype):
  del params, out_dtype
  if dtype != np.bool_:
    raise Missing('it selects by a number')
  which, false, true = names
  return graph.add('Where', which, true, false)


def _cast(graph, names, params, dtype, out_dtype):
  del params
  if dtype == out_dtype:
    return names[0]
  return graph.add('Cast', names[0], to=_ONNX_TYPES[np.dtype(out_dtype).name])


# fixed by the standard (TensorProto.DataType)
_ONNX_TYPES = {'float32': 1, 'uint8': 2, 'int32': 6, 'int64': 7, 'bool': 9, 'float64': 11}

# What folding meets most; JAX would compile each for every shape.
_NUMPY = {
  'add': np.add, 'sub': np.subtract, 'mul': np.multiply, 'div': np.divide, 'max': np.maximum,
  'min': np.minimum, 'neg': np.negative, 'abs': np.abs, 'square': np.square, 'sqrt': np.sqrt,
  'rsqrt': lambda x: np.reciprocal(np.sqrt(x)), 'eq': np.equal, 'ne': np.not_equal, 'lt': np.less,
  'le': np.less_equal, 'gt': np.greater, 'ge': np.greater_equal,
  'select_n': lambda which, false, true: np.where(which, true, false),
}

ELEMENTWISE = {
  **{name: _plain(op) for name, op in {
    'add': 'Add', 'add_any': 'Add', 'sub': 'Sub', 'mul': 'Mul', 'div': 'Div', 'max': 'Max',
    'min': 'Min', 'neg': 'Neg', 'exp': 'Exp', 'log': 'Log', 'tanh': 'Tanh', 'logistic': 'Sigmoid',
    'erf': 'Erf', 'sqrt': 'Sqrt', 'abs': 'Abs', 'sign': 'Sign', 'floor': 'Floor', 'ceil': 'Ceil',
    'sin': 'Sin', 'cos': 'Cos', 'eq': 'Equal', 'lt': 'Less', 'le': 'LessOrEqual',
    'gt': 'Greater', 'ge': 'GreaterOrEqual', 'pow': 'Pow'}.items()},
  **{name: _logical(op) for name, op in {
    'and': 'And', 'or': 'Or', 'xor': 'Xor', 'not': 'Not'}.items()},
  **dict.fromkeys(('copy', 'copy_p', 'stop_gradient', 'optimization_barrier', 'name',
                   'sharding_constraint'), _same),
  'ne': _chain('Equal', 'Not'),
  'rsqrt': _chain('Sqrt', 'Reciprocal'),
  'log1p': _chain(('Add', 1), 'Log'),
  'expm1': _chain('Exp', ('Sub', 1)),
  'erfc': _chain('Erf', (1, 'Sub')),
  'square': _square,
  'integer_pow': _integer_pow,
  'rem': _remainder,
  'round': _round,
  'clamp': _clamp,
  'select_n': _select,
  'convert_element_type': _cast,
}
