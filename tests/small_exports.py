"""A tiny tagger whose weights are drawn, not trained, as --job=export writes it.

Every output hangs on every pixel, and its probabilities lie all over 0..1.
"""

import dataclasses
from typing import Any, NamedTuple
from unittest import mock

import jax
import numpy as np

from configs import tagger
from jobs import export
from nets import se_resnet
from train_lib import build, build_data
from train_lib import workdir as workdir_lib
from train_lib.predicting.predictor import Predictor
from train_lib.state import TrainState
from train_lib.storage import records
from train_lib.storage.checkpoints import Checkpoints

PAGE = 'configs/tagger.py:smoke'


class Exported(NamedTuple):
  """`tagger`: the folder of that name in the export; names, categories: of the net's outputs."""
  tagger: Any
  names: tuple
  categories: tuple
  predictor: Predictor

  def names_of(self, *categories) -> list[str]:
    return [name for name, category in zip(self.names, self.categories, strict=True)
            if category in categories]

  def probabilities(self, pictures) -> np.ndarray:
    """float32 [N, T], as --job=predict finds them. Args: pictures: of `Predictor.values`."""
    return np.stack([value['probabilities'] for value in self.predictor.values(pictures)])


def one_block():
  """A context in which the tiny net has one block: all that compiles takes half the time."""
  row = dataclasses.replace(se_resnet.VARIANTS['se_resnet_tiny'], depths=(1, 0, 0, 0))
  return mock.patch.dict(se_resnet.VARIANTS, se_resnet_tiny=row)


def make_config(folder, side_px):
  config = tagger.get_config('smoke')
  config.data.dir = str(folder / 'data')
  config.data.image_size_px, config.data.drawn_size_px = side_px, 64
  config.data.num_train = config.data.num_valid = config.data.num_test = 4
  config.runtime.workers, config.predict.threshold = 0, 0.5
  return config


def make_exported(folder, config, names, categories) -> Exported:
  """Args: folder: a new one; names, categories: of the tags, in the order of the outputs. The net
  is that of the smoke page, `one_block` or not."""
  workdir = workdir_lib.open_workdir(str(folder / 'run'), config)
  workdir_lib.begin_run(workdir, config, config_name=PAGE)
  records.write_json(workdir / 'tags.json', {'names': names, 'categories': categories})
  variables = _draw_variables(build.build_task(config, categories), config)
  state = TrainState(step=np.int32(1), params=variables['params'],
                     batch_stats=variables['batch_stats'], opt_state=(), ema={})
  with Checkpoints(workdir / 'checkpoints', config_digest=workdir_lib.config_digest(config),
                   keep_last=1) as checkpoints:
    checkpoints.save(1, state)
  export.run(config, str(workdir), config_path=PAGE, input='', output=str(folder / 'export'))
  return Exported(folder / 'export' / 'tagger', tuple(names), tuple(categories),
                  Predictor(config, str(workdir)))


def _draw_variables(task, config):
  dice = np.random.default_rng(0)

  def fill(path, leaf):
    if path[-1].key != 'kernel':
      return np.full(leaf.shape, path[-1].key in ('scale', 'var'), np.float32)
    return dice.normal(0, np.sqrt(2 / np.prod(leaf.shape[:-1])), leaf.shape).astype(np.float32)

  blank = jax.ShapeDtypeStruct(build_data.blank_pictures(config).shape, np.float32)
  variables = jax.tree_util.tree_map_with_path(
      fill, jax.eval_shape(task.init, jax.random.key(0), {'image': blank}))
  variables['params']['head']['kernel'] *= 3
  return variables
