"""One compiled program for several replicas: functions of one replica, run for many."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from errors import UserError
from train_lib import parallel

# vmap: every operation has one axis more; map: one replica after another in one program (and one
# for each device at the same time); one: a program for one replica a device, called in turn.
WAYS = ('vmap', 'map', 'one')
CHOICES = ('auto', *WAYS)


def check_choice(together: str) -> None:
  """Raises UserError for another way than those of CHOICES."""
  if together not in CHOICES:
    raise UserError(f"study.together is '{together}'; choices: {', '.join(CHOICES)}")


class SideBySide:
  """Compiles functions of one replica for several, and runs them for any number.

  A function is called as function(each, shared): `each` is a replica's own tree, `shared` is the
  same for all. With several devices the replicas are divided among them.

  Args:
    mesh: the devices.
    way: of WAYS.
  """

  def __init__(self, mesh: jax.sharding.Mesh, way: str):
    self.mesh, self.way = mesh, way
    self._rows = NamedSharding(mesh, P(parallel.AXIS))
    self._programs = {}
    self._take = jax.jit(lambda tree, places: jax.tree.map(lambda x: x[places], tree),
                         out_shardings=self._rows)
    self._join = jax.jit(lambda *trees: jax.tree.map(lambda *xs: jnp.concatenate(xs), *trees))

  def size(self, wanted: int, most: int = 0) -> int:
    """How many replicas a program has for so many: as many to every device. Args: most: 0: any."""
    devices = self.mesh.size
    if self.way == 'one':
      return devices
    size = -(-wanted // devices) * devices
    return min(size, most) if most else size

  def compile(self, name: tuple, function: Callable, each, shared, size: int):
    """The program of a name for so many replicas; compiled once.

    Args: each: arrays or shapes, one row for each of any number of replicas; shared: the same.
    """
    if (name, size) not in self._programs:
      each = jax.tree.map(lambda x: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype), each)
      self._programs[name, size] = jax.jit(
          self._for_all(function, size // self.mesh.size),
          in_shardings=(self._rows, parallel.replicated(self.mesh)),
          out_shardings=self._rows).lower(each, shared).compile()
    return self._programs[name, size]

  def take_over(self, other: 'SideBySide', kinds: tuple[str, ...]) -> None:
    """Programs of another one that are compiled already. Args: kinds: first words of their names;
    of the same functions and shapes."""
    if (other.mesh, other.way) == (self.mesh, self.way):
      self._programs.update({key: program for key, program in other._programs.items()
                             if key[0][0] in kinds})

  def run(self, name: tuple, function: Callable, each, shared, most: int = 0):
    """What the function gives for each replica, stacked.

    Args:
      name: of the program: a function of another meaning or of other shapes has another one.
      each: a tree of arrays whose first axis is the replica.
      shared: a tree of arrays.
      most: replicas of a program; 0: no limit.
    """
    wanted = jax.tree.leaves(each)[0].shape[0]
    size = self.size(wanted, most)
    program, results = self.compile(name, function, each, shared, size), []
    shared = parallel.put_whole(self.mesh, shared)
    for start in range(0, wanted, size):
      if size == wanted:
        part = jax.device_put(each, self._rows)
      else:                                                   # the last part is filled up
        part = self._take(each, jnp.minimum(jnp.arange(start, start + size), wanted - 1))
      # virtual devices deadlock where programs are under way at the same time
      results.append(jax.block_until_ready(program(part, shared)))
    whole = results[0] if len(results) == 1 else self._join(*results)
    if len(results) * size == wanted:
      return whole
    return jax.tree.map(lambda x: x[:wanted], whole)

  def _for_all(self, function, width):
    """The function of `width` replicas a device, on all devices."""
    def local(each, shared):
      def one(each):
        return function(each, shared)
      if self.way == 'vmap':
        return jax.vmap(one)(each)
      if width > 1:
        return jax.lax.map(one, each)
      return jax.tree.map(lambda x: x[None], one(jax.tree.map(lambda x: x[0], each)))

    if self.mesh.size == 1:
      return local
    return jax.shard_map(local, mesh=self.mesh, in_specs=(P(parallel.AXIS), P()),
                         out_specs=P(parallel.AXIS), check_vma=False)
