"""The net whose features are grouped: that of a trained run, or any with weights to start from."""

import copy
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from errors import UserError
from train_lib import build, build_data, check, parallel
from train_lib import workdir as workdir_lib
from train_lib.features import Trunk
from train_lib.reporting import say
from train_lib.storage import records
from train_lib.trained import open_trained
from train_lib.weights import weight_sources, weights

# What a run decides of how pictures are read, whichever pictures these are.
_READING = ('image_size_px', 'pad', 'max_pixels', 'persons', 'scans')


class OpenTrunk(NamedTuple):
  """A net that is ready to look at pictures.

  Attributes:
    config: that its pictures are read by.
    net: a task, or a `features.Trunk`: what features are computed with.
    mesh, variables: the devices, and the weights on them.
    words: what the net is, for a log.
  """
  config: Any
  net: Any
  mesh: Any
  variables: dict
  words: str


def open_trunk(config, workdir) -> OpenTrunk:
  """Opens the net of a run, else the net and weights that the config names.

  Args:
    config: of the run, or of a page like configs/cluster.py.
    workdir: of a run that was trained, or of one that groups pictures and holds no net.

  Raises:
    UserError: no net is named, or it cannot be opened.
  """
  source = config.net.init_from
  if (records.absolute(workdir) / 'tags.json').exists():
    return _open_run(config, workdir, config.checkpoint)
  if not source:
    raise UserError('no net is named whose features are to be grouped: give weights or the folder '
                    'of a run with --config.net.init_from=, or the folder of a run as --workdir=')
  if weight_sources.is_run(source):
    return _open_run(_settle(config, source), source, config.net.init_checkpoint)
  return _open_weights(config)


def _open_weights(config) -> OpenTrunk:
  config = copy.deepcopy(config)
  config.data.corrupt = ()
  check.check_start(config)                     # what does not fit is told before anything is read
  net = build.build_net(config, num_outputs=0)
  picture = jnp.asarray(build_data.blank_pictures(config), jnp.float32)
  mesh = parallel.make_mesh()
  variables, account = weights.load_weights(
      config.net.init_from, _initial(config, mesh, lambda key: net.init(key, picture, train=False)),
      names=build.build_weight_names(config), head='fresh', partial=config.net.init_partial,
      checkpoint=config.net.init_checkpoint, net=config.net.name,
      pixels=check.expected_pixels(config))
  say(str(account))
  return OpenTrunk(config, Trunk(net, *build.pixel_constants(config.net)), mesh,
                   parallel.put_whole(mesh, variables),
                   f'{config.net.name} with the weights of {config.net.init_from}')


def _initial(config, mesh, init) -> dict:
  """Variables to load into: drawn where the weights may lack some of them, else zeros."""
  if config.net.init_partial:
    return jax.device_get(parallel.compile_once(mesh, init)(jax.random.key(config.seed)))
  return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                      jax.eval_shape(init, jax.random.key(0)))


def _open_run(config, workdir, checkpoint) -> OpenTrunk:
  config = copy.deepcopy(config)
  config.data.corrupt = ()                      # scans are looked at as they are
  trained = open_trained(config, workdir, checkpoint)
  return OpenTrunk(config, trained.task, trained.mesh, trained.variables,
                   f'{config.net.name}, step {trained.step} of {workdir}')


def _settle(config, source):
  """The config, with net and reading as a run has them."""
  saved = workdir_lib.load_config(workdir_lib.existing_workdir(source) / 'config.json')
  settled = workdir_lib.config_of_run(source, config)
  with settled.unlocked():
    for key in ('cluster', 'neighbours', 'runtime', 'seed', 'data'):
      settled[key] = copy.deepcopy(config[key])
    for key in _READING:
      if key in saved.data:
        settled.data[key] = copy.deepcopy(saved.data[key])
    for key in ('init_from', 'init_checkpoint'):  # of this command: it is opened so again
      settled.net[key] = config.net[key]
  return settled
