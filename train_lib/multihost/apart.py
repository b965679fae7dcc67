"""Each process collects its own rows of a split; what they have counted is added up at the end.

For what adds up exactly: counts, and rows of which one process has each and the others zeros. The
alternative, to bring all rows to all processes, makes each of them do the work of all.
"""

import functools
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from train_lib import parallel
from train_lib.multihost import distributed, processes

CHUNK = 2 ** 22                   # numbers that are added up at a time
PROCESS = 'process'


class Apart:
  """A collector that is given the rows of this process alone.

  Args:
    collector: whose `adds_up` is true. Before its `finish`, on all processes, it gets
      `join(total, gather)`: `total(array)` is the sum of the arrays of all processes, uint32 or
      float32 of one shape, and `gather(value)` the list of their values, that JSON can hold. All
      processes call these equally often.
    mesh: of all devices of all processes.
  """

  def __init__(self, collector: Any, mesh: Mesh):
    self._collector, self._mesh, self._error = collector, mesh, None

  def add(self, *rows) -> None:
    """As the collector's. What it fails with is raised by `finish`, where all processes meet."""
    try:
      if self._error is None:
        self._collector.add(*rows)
    except Exception as error:
      self._error = error

  def finish(self):
    """What the collector makes of the rows of all processes; the same on each of them.

    Raises:
      Exception: of `add`, where it failed; the other processes raise a UserError that tells of it.
    """
    processes.everywhere(self._check)
    self._collector.join(functools.partial(add_up, self._mesh), processes.gather)
    return self._collector.finish()

  def _check(self):
    if self._error is not None:
      raise self._error


def own_rows(tree):
  """Arrays that are split by rows over all devices -> numpy, the rows of this process alone."""
  return jax.tree.map(_own_rows, tree)


def _own_rows(leaf):
  shards = sorted(leaf.addressable_shards, key=lambda shard: shard.index[0].start or 0)
  return np.concatenate(jax.device_get([shard.data for shard in shards]))


def add_up(mesh: Mesh, array: np.ndarray) -> np.ndarray:
  """The sum of the arrays of all processes, on each of them.

  Args:
    mesh: of all devices of all processes.
    array: uint32 or float32, of the same shape on every process.
  """
  flat, devices = array.reshape(-1), mesh.local_mesh.size
  width = -(-min(CHUNK, flat.size) // devices) * devices         # each device adds up a part of it
  total = np.empty_like(flat)
  for start in range(0, flat.size, width):
    part = flat[start:start + width]
    own = np.zeros(width, flat.dtype)
    own[:len(part)] = part
    sharding, add = _adder(mesh)
    rows = jax.make_array_from_process_local_data(sharding, own.reshape(devices, -1))
    total[start:start + len(part)] = own_rows(add(rows)).reshape(-1)[:len(part)]
  return total.reshape(array.shape)


@functools.cache
def _adder(mesh):
  """(sharding, function): a row of each device -> on every process, the sums over processes."""
  every = PROCESS, parallel.AXIS
  grid = Mesh(mesh.devices.reshape(distributed.size(), -1), every)
  add = jax.shard_map(lambda rows: jax.lax.psum(rows, PROCESS), mesh=grid, in_specs=P(every),
                      out_specs=P(parallel.AXIS))
  return NamedSharding(grid, P(every)), jax.jit(add)
