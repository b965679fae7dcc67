"""One mesh of devices with one axis, 'data': how a step and its batches are laid over it.

`jit` over sharded arrays is the default and the same code from one CPU to many hosts; `pmap` is the
named alternative. Statistics of BatchNorm are those of the global batch under both, or with
`batch_norm_sync=False` those of each device, averaged after the step.
"""

import functools

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from errors import UserError
from train_lib.multihost import distributed
from train_lib.reporting import counted

AXIS = 'data'
CHOICES = ('jit', 'pmap')
ONE_PROCESS = "train.parallel 'pmap' is for one process; with several use 'jit'"
ON_HOST = ('id', 'drawn_tags', 'drawn_label')  # keys of a batch that no device needs


def make_mesh(devices: list | None = None) -> Mesh:
  """Devices in a row. Args: devices: None takes all devices of all processes."""
  if devices is None and distributed.size() > 1:
    # rows of a batch lie as the processes do, so no place that the network would like better
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
  devices = devices or jax.devices()
  return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
  """Every device holds the whole array."""
  return NamedSharding(mesh, P())


def by_rows(mesh: Mesh) -> NamedSharding:
  """Every device holds its share of the first axis."""
  return NamedSharding(mesh, P(AXIS))


def put_batch(mesh: Mesh, batch: dict) -> dict:
  """Host rows of this process -> global arrays, split over the devices."""
  sharding = by_rows(mesh)
  return {key: jax.make_array_from_process_local_data(sharding, np.asarray(value))
          for key, value in batch.items() if key not in ON_HOST}


def abstract_batch(mesh: Mesh, batch: dict, batch_size: int) -> dict:
  """Shapes, dtypes and shardings of what `put_batch` makes. Args: batch: host rows, any number."""
  return {key: jax.ShapeDtypeStruct((batch_size, *value.shape[1:]), value.dtype,
                                    sharding=by_rows(mesh))
          for key, value in batch.items() if key not in ON_HOST}


def put_whole(mesh: Mesh, tree):
  """Host arrays -> global arrays that every device holds whole.

  Every process gives the same; that is not looked at, and no process waits for another.
  """
  if distributed.size() == 1:
    return jax.device_put(tree, replicated(mesh))
  return jax.tree.map(functools.partial(_put_whole_leaf, replicated(mesh)), tree)


def of_this_process(tree):
  """Replicated arrays -> numpy where they are laid over several processes; else as they are.

  For what one process computes while the others do something else.
  """
  return tree if distributed.size() == 1 else jax.device_get(tree)


def _put_whole_leaf(sharding, leaf):
  if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    data = _put_whole_leaf(sharding, jax.random.key_data(leaf))
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
  return jax.make_array_from_process_local_data(sharding, np.asarray(leaf), np.shape(leaf))


def abstract_whole(mesh: Mesh, function, *args):
  """Shapes, dtypes and shardings of what a function makes on every device."""
  return jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=replicated(mesh)),
      jax.eval_shape(function, *args))


def compile_once(mesh: Mesh, function):
  """Compiles function(key), which runs once; every device gets the whole result.

  On a CPU less optimised: random numbers for every kernel take long to compile, not to run.
  """
  options = {'xla_backend_optimization_level': '2'} if jax.default_backend() == 'cpu' else None
  return jax.jit(function, out_shardings=replicated(mesh), compiler_options=options)


def check_batch_size(name: str, batch_size: int, mesh: Mesh, parts: int = 1) -> None:
  """Raises UserError unless every device gets the same number of rows."""
  if batch_size < 1 or batch_size % (mesh.size * parts):
    raise UserError(f'{name} is {batch_size}; it must be {describe_multiple(mesh.size, parts)}')


def describe_multiple(devices: int, parts: int) -> str:
  """'a positive multiple of 4 devices times 2 parts': what a batch size must be."""
  each = ' times '.join(counted(number, noun) for number, noun in (
      (devices, 'device'), (parts, 'part')) if number > 1)
  return f'a positive multiple of {each}' if each else 'at least 1'


def batch_norm_axis(parallel: str, sync: bool) -> str | None:
  """The axis that a net's BatchNorm must average over: only `pmap` needs to be told."""
  return AXIS if parallel == 'pmap' and sync else None


def check_choice(parallel: str) -> None:
  """Raises UserError for another way than those of CHOICES."""
  if parallel not in CHOICES:
    raise UserError(f"train.parallel '{parallel}' is unknown; choices: {', '.join(CHOICES)}")


def compile_step(step, mesh: Mesh, *, parallel: str, batch_norm_sync: bool):
  """Returns step(state, batch, key) -> (state, metrics), compiled; the state is donated.

  Its `lower` is that of `jax.jit`.
  """
  check_choice(parallel)
  whole, rows = replicated(mesh), by_rows(mesh)
  if parallel == 'pmap':
    return _pmap_step(step, mesh)
  if not batch_norm_sync:
    # gradients are joined by hand inside the step, so the checker must not join them again
    step = jax.shard_map(functools.partial(step, axis=AXIS), mesh=mesh,
                         in_specs=(P(), P(AXIS), P()), out_specs=P(), check_vma=False)
  return jax.jit(step, in_shardings=(whole, rows, whole), out_shardings=whole, donate_argnums=0)


def _pmap_step(step, mesh: Mesh):
  if distributed.size() > 1:
    raise UserError(ONE_PROCESS)
  mapped = jax.pmap(functools.partial(step, axis=AXIS), axis_name=AXIS,
                    in_axes=(None, 0, None), out_axes=None, devices=list(mesh.devices.flat))

  def rows(batch):
    return jax.tree.map(lambda x: x.reshape(mesh.size, -1, *x.shape[1:]), batch)

  def run(state, batch, key):
    return mapped(state, rows(batch), key)

  run.lower = lambda state, batch, key: mapped.lower(state, rows(batch), key)
  return run


def compile_rows_and_sums(function, mesh: Mesh):
  """Returns function(variables, batch) -> (rows, sums), compiled for the mesh.

  Variables are replicated and the batch is split; `rows` come back split, and `sums`, taken over
  the whole batch, are the same on every device.
  """
  whole, rows = replicated(mesh), by_rows(mesh)
  return jax.jit(function, in_shardings=(whole, rows), out_shardings=(rows, whole))


def to_host(tree):
  """Global arrays -> numpy with the rows of all processes; of a local mesh those there are."""
  if all(leaf.is_fully_addressable for leaf in jax.tree.leaves(tree)):
    return jax.device_get(tree)
  from jax.experimental import multihost_utils
  return multihost_utils.process_allgather(tree, tiled=True)
