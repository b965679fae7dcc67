"""Nets of every task whose weights are drawn, not trained, and exported folders without a run."""

import dataclasses

import jax
import numpy as np

from configs import fashion, pose, tagger, vae
from tests.net_families import abstract
from train_lib import build, build_data, parallel, trees
from train_lib.export import exported
from train_lib.onnx_export import model
from train_lib.onnx_export.build import build_model, make_inputs
from train_lib.storage import records
from train_lib.trained import Trained
from train_lib.weights.weights import save_weights

CLASSES, STEP = 5, 3
# task -> the smallest page of it: (module, preset, keys of data).
PAGES = {'tagging': (tagger, 'smoke', {'image_size_px': 32}),
         'classification': (fashion, 'smoke', {'image_size_px': 32}),
         'autoencoding': (vae, 'smoke', {}), 'pose': (pose, 'small', {'image_size_px': 128})}


def make_run(page, preset, net='', **data):
  """(config, what `open_trained` gives) of a net with random weights; net: '' is the page's."""
  config = page.get_config(preset)
  config.net.name = net or config.net.name
  config.data.update(data)
  count = 17 if config.task == 'pose' else CLASSES
  categories = ('rating', *('general',) * (count - 1)) if config.task == 'tagging' else (
      'general',) * count
  task = build.build_task(config, categories)
  shape = build_data.blank_pictures(config).shape[1:]
  return config, Trained(
      task, parallel.make_mesh(jax.devices()[:1]), draw_variables(task.net, shape),
      tuple(f'name {number}' for number in range(count)), categories,
      {'micro': 0.5, 'macro': 0.25} if config.task == 'tagging' else {}, STEP)


def draw_variables(net, shape):
  """Variables with which every layer does something, as after training."""
  rng = np.random.default_rng(0)
  _, wanted = abstract(net, shape[0], channels=shape[-1])

  def draw(path, leaf):
    name = path[-1].key
    noise = rng.normal(size=leaf.shape).astype(np.float32)
    if name == 'kernel':
      return noise * np.float32((1.6 / np.prod(leaf.shape[:-1])) ** 0.5)
    return 1 + 0.2 * np.abs(noise) if name in ('var', 'scale') else 0.1 * noise

  return {'batch_stats': {}, **jax.tree_util.tree_map_with_path(draw, wanted)}


def write_export(folder, config, run) -> None:
  """Writes config.json and the weights."""
  names = build.build_weight_names(config)['timm']
  save_weights(folder / exported.WEIGHTS, run.variables, names, net=config.net.name,
               outputs=run.tag_names)
  shapes = {name: leaf.shape for name, leaf in trees.flatten_names(run.variables['params']).items()}
  records.write_json(folder / exported.ABOUT, exported.describe(
      config, run, names, shapes, digest=trees.params_digest(run.variables)))


def write_model(path, config, run):
  """Writes model.onnx, not compared with anything; the function that it is of, compiled."""
  function = model.make_function(config.task, run)
  made = build_model(function, make_inputs(image=model.picture_shape(config)),
                     model.OUTPUTS[config.task])
  path.write_bytes(made.SerializeToString())
  return jax.jit(function)


def other(run, **fields):
  """The same with other fields."""
  return dataclasses.replace(run, **fields)
