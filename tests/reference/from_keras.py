"""Runs models of keras.applications for make_nets.py."""

import tempfile
from unittest import mock

import numpy as np

from tests.reference import fill

NORMALIZATION = 'normalization'  # the layer of an EfficientNet that normalises pixels
IMAGENET_MEAN = np.float32([0.485, 0.456, 0.406])  # of pixels in 0..1
IMAGENET_STD = np.float32([0.229, 0.224, 0.225])


def create(row):
  """Builds a row's model and fills its weights by the rule of fill.py."""
  model = _build(row.model, dict(row.options, input_shape=(row.size_px, row.size_px, 3)))
  for weight in model.weights:
    if not weight.path.startswith(f'{NORMALIZATION}/'):  # no part of our nets
      weight.assign(fill.fill(weight.path, tuple(weight.shape), row.gain))
  return _as_published(model, row) if _takes_pixels(model) else model


def _takes_pixels(model):
  return any(layer.name == NORMALIZATION for layer in model.layers)


def _as_published(model, row):
  """Makes Keras load the weights as its own, 'imagenet': it builds another net for those.

  In the published files the variance of pixels is their deviation, and the net for them divides
  by its root once more. Everything is Keras', the download excepted.
  """
  import keras
  constants = dict(mean=IMAGENET_MEAN, variance=IMAGENET_STD)
  for weight in model.get_layer(NORMALIZATION).weights:
    if weight.name in constants:
      weight.assign(constants[weight.name])
  with tempfile.TemporaryDirectory() as folder:
    path = f'{folder}/filled.weights.h5'
    model.save_weights(path)
    keras.utils.clear_session()
    with mock.patch('keras.src.utils.file_utils.get_file', return_value=path):
      return getattr(keras.applications, row.model)(
        weights='imagenet', classifier_activation=None, **row.options)


def list_weights(model, options):
  """Returns ({key: shape} of what a model learns and measures, how many values it learns)."""
  model = _build(model, options)
  shapes = {weight.path: tuple(weight.shape) for weight in model.weights
            if not weight.path.startswith(f'{NORMALIZATION}/')}
  return shapes, sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def run(model, row, image, *, train):
  """Runs one batch.

  Returns:
    taps: {tap: numpy array}, with 'output'.
    statistics: {key of the moving mean: dict(mean=, var=)} of every BatchNorm, as this batch has
      them; empty in inference.
  """
  import keras
  if _takes_pixels(model):
    image = 255 * (image * IMAGENET_STD + IMAGENET_MEAN)
  for layer in model.layers:
    if isinstance(layer, keras.layers.Dropout):
      layer.rate = 0  # nothing random
  norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
  for norm in norms:
    norm.momentum = 0.0  # the moving statistics become the batch's own
  outputs = {tap: model.get_layer(name).output for tap, name in row.taps.items()}
  taps = keras.Model(model.input, dict(outputs, output=model.output))(image, training=train)
  taps = {tap: keras.ops.convert_to_numpy(value).copy() for tap, value in taps.items()}
  return taps, {} if not train else {
    f'{norm.name}/moving_mean': dict(
      mean=keras.ops.convert_to_numpy(norm.moving_mean).copy(),
      var=keras.ops.convert_to_numpy(norm.moving_variance).copy()) for norm in norms}


def _build(name, options):
  """Layers are numbered from zero, as in a program that makes one model."""
  import keras
  keras.utils.clear_session()
  return getattr(keras.applications, name)(
    weights=None, classifier_activation=None, **options)
