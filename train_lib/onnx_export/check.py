"""Whether an ONNX model gives what the function gives: onnxruntime beside JAX."""

import jax
import numpy as np

from errors import UserError
from train_lib.onnx_export.graph import BYTES_LIMIT
from train_lib.storage import records


def open_session(model):
  """Returns an onnxruntime.InferenceSession on the CPU.

  Args:
    model: onnx.ModelProto, or its bytes.

  Raises:
    UserError: when onnxruntime is not installed.
  """
  try:
    import onnxruntime
  except ImportError as error:
    raise UserError(
      "running ONNX needs the package onnxruntime: pip install -e '.[onnx]'") from error
  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3  # errors
  options.add_session_config_entry('session.intra_op.allow_spinning', '0')
  data = model if isinstance(model, bytes) else model.SerializeToString()
  return onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])


def check_model(model, function, make_rows, *, batches: tuple[int, ...] = (1, 3, 8),
                tolerance: float = 1e-4) -> float:
  """Compares a model with the function that it was built from.

  Args:
    model: onnx.ModelProto.
    function: as `build_model` took it.
    make_rows: batch size -> {name: numpy array} of the model's inputs, in their order.
    batches: the batch sizes to try.
    tolerance: how much an output may differ, as a share of its largest value.

  Returns:
    The largest such share.

  Raises:
    UserError: onnxruntime is not installed, an output differs by more or is of another shape, or
      either gives what is no number.
  """
  session, worst = open_session(model), 0.0
  names = [output.name for output in session.get_outputs()]
  for batch in batches:
    rows = make_rows(batch)
    with jax.default_matmul_precision('highest'):  # an accelerator's default would be less
      wanted = jax.tree.leaves(jax.device_get(jax.jit(function)(*rows.values())))
    found = dict(zip(names, session.run(None, rows), strict=True))
    worst = max(worst, check_outputs(found, wanted, batch, 'ONNX', tolerance))
  return worst


def check_outputs(found: dict, wanted, rows: int, form: str, tolerance: float) -> float:
  """The largest difference of outputs from those of JAX, as `compare` has it.

  Args:
    found: {name: array} of what was read again.
    wanted: arrays of JAX, in that order.
    rows, form: the batch and what was read, for the message.
    tolerance: of each.

  Raises:
    UserError: an output differs by more, is of another shape, or is no number.
  """
  worst = 0.0
  for (name, ours), theirs in zip(found.items(), wanted, strict=True):
    if ours.shape != theirs.shape:
      raise UserError(f'the output {name} of {rows} rows is {list(ours.shape)} in {form} and '
                      f'{list(theirs.shape)} in JAX; the file is not kept')
    difference = compare(ours, theirs)
    if not difference <= tolerance:               # NaN is no agreement
      raise UserError(f'the output {name} of {rows} rows differs between {form} and JAX by '
                      f'{difference:.2g} of its largest value, and {tolerance:.2g} is allowed; the '
                      'file is not kept')
    worst = max(worst, difference)
  return worst


def compare(ours, theirs) -> float:
  """The largest difference of two arrays as a share of the largest value of the second."""
  ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
  largest = np.abs(theirs).max(initial=0)
  difference = np.abs(ours - theirs).max(initial=0)
  return float(difference / largest) if largest else float(difference)


def save_model(path, model, function, make_rows, **options) -> float:
  """Writes a model once `check_model` has passed it; a file that was there stays until then.

  Args:
    path: of the file, any that etils.epath opens.
    model, function, make_rows, **options: as of `check_model`.

  Returns:
    What `check_model` returns.

  Raises:
    UserError: as `check_model`, or the model is larger than an ONNX file may be.
  """
  if model.ByteSize() > BYTES_LIMIT:
    raise UserError('the model takes more than the 2 GiB that an ONNX file may have; choose a '
                    'smaller net.')
  difference = check_model(model, function, make_rows, **options)
  records.write_bytes(path, model.SerializeToString())
  return difference
