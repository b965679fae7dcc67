"""The net of a run as an ONNX model: pictures as they are in, finished values out."""

import importlib.util

import jax
import numpy as np

from train_lib import build, build_data
from train_lib.onnx_export.build import build_model, make_inputs
from train_lib.onnx_export.check import save_model
from train_lib.tasks.pixels import normalise

INPUT = 'image'
OUTPUTS = {'tagging': ('probabilities',), 'classification': ('probabilities',),
           'pose': ('heatmaps',), 'autoencoding': ('reconstruction', 'mean', 'logvar')}


def is_installed() -> bool:
  """Whether the packages are there that write and check models."""
  return all(importlib.util.find_spec(name) for name in ('onnx', 'onnxruntime'))


def export_model(path, function, config, step: int) -> dict:
  """Writes a model, after onnxruntime has given the same as JAX for batches of 1, 3 and 8.

  Its input is float32 [N, H, W, 3], RGB in 0..255, or of scans [N, H, W, 1] in 0..1, of the size
  that the net was trained at; N is open. What is taken off pixels and divided by, and sigmoid or
  softmax, are in it. Outputs: probabilities [N, T]; of poses heatmaps [N, h, w, 17] of one crop; of
  scans the reconstruction [N, H, W, 1] from the posterior mean, with mean and log variance [N, D].

  Args:
    path: of the file.
    function: of `make_function`.
    config: of the run.
    step: of the net, for the file.

  Returns:
    What config.json says of it: input, outputs, and the largest difference as a share of the
    largest value.

  Raises:
    UserError: an operation of the net has no counterpart, or the two differ.
  """
  shape, names = picture_shape(config), OUTPUTS[config.task]
  made = build_model(function, make_inputs(**{INPUT: shape}), names, about={
      'net': config.net.name, 'step': str(step)})
  difference = save_model(path, made, function,
                          lambda rows: {INPUT: draw_pictures(config, rows)})
  return {'input': {'name': INPUT, 'shape': ['N', *shape], 'range': [0, brightest(config)],
                    'colours': 'RGB' if shape[-1] == 3 else 'grey'},
          'outputs': names, 'difference_from_jax': difference}


def picture_shape(config) -> tuple[int, int, int]:
  """(height, width, channels) of the pictures that the net takes."""
  return build_data.blank_pictures(config).shape[1:]


def brightest(config) -> float:
  """The largest value of a pixel: 255, of scans 1."""
  return 1.0 if config.task == 'autoencoding' else 255.0


def draw_pictures(config, rows: int) -> np.ndarray:
  """float32 [rows, H, W, C] of noise, to compare by."""
  rng = np.random.default_rng(rows)
  return rng.uniform(0, brightest(config), (rows, *picture_shape(config))).astype(np.float32)


def make_function(task_name: str, trained):
  """image [N, H, W, C] -> the OUTPUTS, in their order.

  Args: task_name: of OUTPUTS; trained: of `trained.open_trained`, its net in float32.
  """
  task, variables = trained.task, jax.device_get(trained.variables)

  def infer(image):
    with build.plain_convolutions():
      if task_name == 'pose':
        pixels = normalise(image, task.mean, task.deviation)
        return [task.net.apply(variables, pixels, train=False)[0]]
      found = task.predict(variables, {'image': image})
      return [found[name] for name in OUTPUTS[task_name]]
  return infer
