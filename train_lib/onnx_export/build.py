"""From a function to a model: JAX traces it, and every operation becomes operators of ONNX."""

import jax
import numpy as np
from jax import export
from jax.extend import core, source_info_util

from errors import UserError
from train_lib.onnx_export import elementwise
from train_lib.onnx_export.graph import DTYPES, Graph, Missing, Node, to_model
from train_lib.onnx_export.shapes import SHAPES, VIEWS
from train_lib.onnx_export.simplify import simplify
from train_lib.onnx_export.slices import SLICES
from train_lib.onnx_export.sums import SUMS
from train_lib.onnx_export.values import Value, arrange, make_constant, tensor, to_array
from train_lib.onnx_export.windows import WINDOWS

# JAX's name of an operation -> (graph, Values, its parameters, shape and dtype of its result) ->
# a Value; of ELEMENTWISE see that file.
OPERATIONS = {**SHAPES, **SLICES, **WINDOWS, **SUMS}
_LISTS = ('split',)  # whose results are several
# Functions inside the function, and which of their parameters holds the body.
_BODIES = {'jit': 'jaxpr', 'pjit': 'jaxpr', 'closed_call': 'call_jaxpr', 'core_call': 'call_jaxpr',
           'custom_jvp_call': 'call_jaxpr', 'custom_vjp_call': 'call_jaxpr', 'remat2': 'jaxpr',
           'checkpoint': 'jaxpr'}


def make_inputs(**shapes) -> dict[str, jax.ShapeDtypeStruct]:
  """Descriptions of float32 inputs with a batch size that is left open.

  Args:
    **shapes: name=shape of one row, for instance image=(256, 256, 3).

  Returns:
    {name: float32 [N, *shape]}, for `build_model`.
  """
  batch, = export.symbolic_shape('N')
  return {name: jax.ShapeDtypeStruct((batch, *shape), np.float32)
          for name, shape in shapes.items()}


def build_model(function, inputs: dict, outputs: tuple[str, ...], *,
                about: dict[str, str] | None = None):
  """A function of arrays as an ONNX model.

  What the function closes over becomes constants of the model: weights, say. What depends on
  constants alone is computed here. Nothing is random, and nothing has a state.

  Args:
    function: (*arrays) -> an array, or a tree of arrays. It enters the form that it wants to be
      traced in itself (of this project's nets `conv_form('plain')`), and computes in float32.
    inputs: {name: what has shape and dtype}, in the order of the arguments; the first dimension may
      be a symbol of `jax.export.symbolic_shape`, the same in all: see `make_inputs`.
    outputs: names, one for each leaf of what the function returns.
    about: {key: text} that the file says of itself.

  Returns:
    onnx.ModelProto. Its inputs and outputs have the shapes of the function's, with the symbol's
    name in place of the batch size.

  Raises:
    UserError: onnx is not installed; there is no operator for something that the function does,
      whose place is named; or it needs the batch size as a number.
  """
  closed, shapes = _trace(function, inputs)
  if len(shapes) != len(outputs):
    raise UserError(f'the function returns {len(shapes)} arrays, and {len(outputs)} names are '
                    f'given: {", ".join(outputs)}.')
  symbols = [(name, axis, size) for name, like in inputs.items()
             for axis, size in enumerate(like.shape) if not isinstance(size, int)]
  if len({str(size) for _, _, size in symbols}) > 1:
    raise UserError('the inputs have more than one size that is left open; only the batch may be.')
  name, axis, batch = symbols[0] if symbols else ('', 0, None)
  graph = Graph(batch, (name, axis))
  arguments = [Value(tuple(like.shape), np.dtype(like.dtype), tuple(range(len(like.shape))),
                     tuple(like.shape), name) for name, like in inputs.items()]
  results = _walk(graph, closed.jaxpr, closed.consts, arguments)
  for name, value in zip(outputs, results, strict=True):
    graph.scope = ''
    order = range(len(value.shape))
    made = tensor(graph, arrange(graph, value, order, full=order))
    graph.nodes.append(Node('Identity', (made,), name, {}))
  simplify(graph, outputs)
  return to_model(graph, inputs, dict(zip(outputs, shapes, strict=True)), about or {})


def _trace(function, inputs):
  try:
    with jax.default_matmul_precision('highest'):  # for what is computed here, on any device
      closed, shapes = jax.make_jaxpr(function, return_shape=True)(*inputs.values())
  except (TypeError, core.InconclusiveDimensionOperation) as error:
    if '_DimExpr' not in str(error) and isinstance(error, TypeError):
      raise
    raise UserError('the function needs the batch size as a number, and it is left open: write '
                    f'x.shape[0], not len(x), and compare it with nothing ({error}).') from error
  return closed, jax.tree.leaves(shapes)


def _walk(graph, jaxpr, consts, arguments, scope='', line=''):
  """Converts one operation after another; returns the Values of the results.

  Args:
    scope, line: of the call, where this is the body of a function inside the function.
  """
  known = dict(zip(jaxpr.constvars, (make_constant(one) for one in consts), strict=True))
  known.update(zip(jaxpr.invars, arguments, strict=True))

  def read(atom):
    if isinstance(atom, core.Literal):
      return make_constant(np.asarray(atom.val, atom.aval.dtype))
    return known[atom]

  for equation in jaxpr.eqns:
    name = equation.primitive.name
    inner = '/'.join(part for part in (scope, str(equation.source_info.name_stack)) if part)
    here = source_info_util.summarize(equation.source_info) or line
    values = [read(atom) for atom in equation.invars]
    if name in _BODIES:
      body = equation.params[_BODIES[name]]
      body, inside = (body.jaxpr, body.consts) if hasattr(body, 'consts') else (body, ())
      made = _walk(graph, body, inside, values, inner, here)
    else:
      graph.scope = inner
      try:
        made = _convert(graph, equation, values)
      except Missing as error:
        raise UserError(f'ONNX export has nothing for {name} in {inner or "the function"} '
                        f'({here}): {error}.') from error
    known.update(zip(equation.outvars, made, strict=True))
  return [read(atom) for atom in jaxpr.outvars]


def _convert(graph, equation, values):
  """Returns the Values of one operation's results."""
  name, params = equation.primitive.name, equation.params
  outs = [atom.aval for atom in equation.outvars]
  for out in outs:
    if out.dtype.name not in DTYPES and not all(value.is_constant for value in values):
      raise Missing(f'its result is {out.dtype.name}, expected one of {", ".join(DTYPES)}; build '
                    'the net in float32')
  if name == 'dim_as_value':
    return [_batch_size(graph, params['dim'], outs[0])]
  constant = all(value.is_constant for value in values)
  if name in elementwise.ELEMENTWISE:
    if constant:
      return [elementwise.fold(equation.primitive, values, params, outs[0])]
    return [elementwise.convert(name, graph, values, params, outs[0])]
  open_sizes = any(not isinstance(size, int) for like in [*outs, *values] for size in like.shape)
  if constant and not open_sizes and name not in VIEWS:
    return _fold(equation, values)
  if name not in OPERATIONS:
    raise Missing('it is none of the operations that are known')
  made = OPERATIONS[name](graph, values, params, outs if name in _LISTS else outs[0])
  return made if name in _LISTS else [made]


def _fold(equation, values):
  """Computes what depends on constants alone."""
  made = equation.primitive.bind(*(to_array(value) for value in values), **equation.params)
  made = made if equation.primitive.multiple_results else [made]
  return [make_constant(one) for one in made]


def _batch_size(graph, size, out):
  if size != graph.batch:
    raise Missing(f'it is the number {size}')
  name = graph.add('Reshape', graph.batch_size(), np.zeros(0, np.int64))
  return elementwise.convert('convert_element_type', graph, [
    Value((), np.dtype(np.int64), (), (), name)], {}, out)
