"""The net of a run as StableHLO: what JAX runs without this program, on CPU, GPU and TPU."""

import contextlib
import importlib.util

import jax
import numpy as np

from train_lib.onnx_export import model
from train_lib.onnx_export.check import check_outputs
from train_lib.storage import records

PLATFORMS = ('cpu', 'cuda', 'tpu')
COMPARED = 3                      # pictures, by which the file is compared with the net
TOLERANCE = 1e-4                  # as a share of an output's largest value


def is_installed() -> bool:
  """Whether the package is there that writes such files (onnxruntime brings it along)."""
  return importlib.util.find_spec('flatbuffers') is not None


def export_stablehlo(path, function, config) -> dict:
  """Writes a file once it has given, read again, what the function gives here.

  Whoever has it calls `jax.export.deserialize(path.read_bytes()).call(image)`: pictures as those of
  `onnx_export.model.export_model`, any number of them, and {name: array} of the same outputs. Its
  products are of full float32 precision on every platform. JAX reads such files for at least six
  months after the version that wrote them.

  Args:
    path: of the file.
    function: of `onnx_export.model.make_function`.
    config: of the run.

  Returns:
    What config.json says of it: platforms, version of JAX, and the largest difference as a share
    of the largest value.

  Raises:
    UserError: the two differ.
  """
  from jax import export
  names, shape = model.OUTPUTS[config.task], model.picture_shape(config)
  count, = export.symbolic_shape('N')

  def infer(image):
    return dict(zip(names, function(image), strict=True))

  with jax.default_matmul_precision('highest'), _without_places():
    data = export.export(jax.jit(infer), platforms=PLATFORMS)(
        jax.ShapeDtypeStruct((count, *shape), np.float32)).serialize()
  difference = _check(export.deserialize(data), function, names,
                      model.draw_pictures(config, COMPARED))
  records.write_bytes(path, data)
  return {'platforms': PLATFORMS, 'jax': jax.__version__, 'difference_from_jax': difference}


@contextlib.contextmanager
def _without_places():
  """Keeps the files and lines of this machine's programs out of what JAX lowers."""
  key = 'jax_traceback_in_locations_limit'
  before = getattr(jax.config, key)
  jax.config.update(key, 0)
  try:
    yield
  finally:
    jax.config.update(key, before)


def _check(read_again, function, names, image) -> float:
  found = read_again.call(image)
  with jax.default_matmul_precision('highest'):
    wanted = jax.jit(function)(image)
  return check_outputs({name: found[name] for name in names}, wanted, len(image), 'StableHLO',
                       TOLERANCE)
