"""Rows of features laid over a mesh, and the three passes over them that k-means is made of.

Rows stand in blocks, so that the products of a block stay small, and each block is an array of its
own, split over the axis 'data' of the mesh: a loop inside a program would copy every block out of
all rows first. What fills the last block is counted nowhere. What depends on centres alone, k rows,
is left to the host, in float64.

On a CPU much of a program runs on one processor. With many rows each processor has a share of the
blocks, and a thread that waits for it; and rows stay where they were put on the host, once.
"""

import concurrent.futures
import functools
import os
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from errors import UserError
from train_lib import parallel
from train_lib.parallel import AXIS

CPU_BLOCK_BYTES = 2**24  # of rows: little enough for caches, enough to be worth a call
BLOCK_ROWS = 16_384      # at most, for products with many centres are as long
ALIGNED_BYTES = 64       # as arrays must lie for JAX to take them without a copy
ALIGNED_ROWS = 16        # float32 rows of any width that are a multiple of it
FEW_ROWS = 32_768        # with fewer, compiling takes longer than some centres too many ...
CENTRES_STEP, POINTS_STEP = 16, 8  # ... so that their number is rounded up to a multiple of these
PRECISION = lax.Precision.HIGHEST  # float32 as it is: TPUs and GPUs would round it first
ROUNDING = 3e-6  # of squared lengths; a squared distance below it may as well be none


class Tally(NamedTuple):
  """Of rows that went to their nearest centre: sums [k, D] float64, counts [k], rows that moved."""
  sums: np.ndarray
  counts: np.ndarray
  changed: int


def check_features(features) -> None:
  """Raises UserError unless there are rows [N, D] of numbers."""
  if np.ndim(features) != 2 or 0 in np.shape(features):
    raise UserError(f'features have the shape {np.shape(features)}; expected a row of numbers for '
                    'each picture')


def prepare(features, origin=0.0, spherical: bool = False) -> np.ndarray:
  """Features [n, D] as float32, less the origin, and of length 1 where spherical.

  Raises:
    UserError: values that are not numbers, or so large that their squares are none.
  """
  rows = np.empty(np.shape(features), np.float32)
  _check_squares(_fill(rows, features, origin, spherical))
  return rows


def _fill(rows, features, origin, spherical):
  """Puts into rows what `prepare` says; returns squared lengths [n] less the origin."""
  with np.errstate(over='ignore', invalid='ignore'):
    np.subtract(features, origin, out=rows, dtype=np.float32, casting='same_kind')
    squares = np.einsum('nd,nd->n', rows, rows)
    if spherical:
      rows /= np.where(squares > 0, np.sqrt(squares), 1)[:, None]
  return squares


def _check_squares(squares):
  wrong = np.flatnonzero(~np.isfinite(squares))
  if len(wrong):
    raise UserError(f'{len(wrong):,} of {len(squares):,} rows of features hold values that are no '
                    f'numbers or too large to be squared, the first of them row {wrong[0]:,}')


def lengths_of(rows: np.ndarray) -> np.ndarray:
  """Lengths [n, 1] to divide rows by; 1 for a row of zeros, which stays one."""
  lengths = np.sqrt(np.einsum('nd,nd->n', rows, rows))[:, None]
  return np.where(lengths > 0, lengths, 1)


class ShardedRows:
  """Rows on a mesh; a pass takes centres [k, D], in numpy, and visits every row.

  Attributes:
    rows: float32 [N, D], on the host, not to be written: features less the origin, or of length 1.
  """

  def __init__(self, features, mesh: Mesh, *, origin=0.0, spherical: bool = False, room: int = 0):
    """Copies rows to the devices.

    Args:
      features: [N, D].
      mesh: of the devices.
      origin: [D], taken off every row.
      spherical: each row is divided by its length.
      room: rows to leave place for, so that arrays of fewer rows use the same programs.

    Raises:
      UserError: values that are not numbers, or so large that their squares are none.
    """
    count, width = features.shape
    of_block = _count_block_rows(max(count, room), width, mesh)
    blocks = -(-count // of_block)
    filled = _empty_aligned(blocks * of_block, width)
    self.mesh, self.rows = mesh, filled[:count]
    self._counts = [min(count - first, of_block) for first in range(0, count, of_block)]
    self._turns = np.array_split(np.arange(blocks), min(_count_threads(count, mesh), blocks))
    whole = [slice(first, first + of_block) for first in range(0, count, of_block)]
    squares = self._visit(lambda block: _fill(self.rows[whole[block]], features[whole[block]],
                                              origin, spherical))
    _check_squares(np.concatenate(squares))
    filled[count:] = 0
    filled.flags.writeable = self.rows.flags.writeable = False  # the devices' own, where aligned
    by_rows = parallel.by_rows(mesh)
    self._rows = [jax.device_put(filled[part], by_rows) for part in whole]
    self._clusters = [jax.device_put(np.full(of_block, -1, np.int32), by_rows) for _ in whole]

  def tally(self, centres: np.ndarray) -> Tally:
    """Sends rows to their nearest centres; the first of those that are as near."""
    run, join = _compile(_tally, self.mesh, P(AXIS)), _compile(_join, self.mesh, P())
    whole, number, devices = self._put(centres, CENTRES_STEP), len(centres), self.mesh.size
    none = jax.device_put((np.zeros((devices * len(whole), whole.shape[1]), np.float32),
                           np.zeros(devices * len(whole), np.int32), np.zeros(devices, np.int32)),
                          parallel.by_rows(self.mesh))

    def visit(turn):
      total = none
      for block in turn:
        total, self._clusters[block] = run(self._counts[block], number, whole, total,
                                           self._rows[block], self._clusters[block])
      return jax.device_get(join(total))

    sums, counts, changed = zip(*self._each_turn(visit), strict=True)
    return Tally(np.sum(sums, axis=0, dtype=np.float64)[:number],
                 np.sum(counts, axis=0, dtype=np.int64)[:number], int(np.sum(changed)))

  def nearest(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each row, int32 [N], and its squared distance, float32 [N]."""
    run, whole = _compile(_nearest, self.mesh, (P(AXIS), P(AXIS))), self._put(centres, CENTRES_STEP)
    found = self._visit(lambda block: run(len(centres), whole, self._rows[block]))
    clusters, squared = (np.concatenate(parts)[:len(self.rows)]
                         for parts in zip(*parallel.to_host(found), strict=True))
    return clusters, squared

  def tallied(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `nearest` gives where centres are those of the last `tally`: no product is needed."""
    run, whole = _compile(_squared_to_own, self.mesh, P(AXIS)), self._put(centres, CENTRES_STEP)
    found = self._visit(lambda block: run(whole, self._rows[block], self._clusters[block]))
    clusters, squared = (np.concatenate(parallel.to_host(parts))[:len(self.rows)]
                         for parts in (self._clusters, found))
    return clusters, squared

  def squared_to(self, points: np.ndarray) -> np.ndarray:
    """Squared distances [t, N] of the rows to a few points [t, D]; 0 where rounding hides them."""
    run, whole = _compile(_squared_to, self.mesh, P(None, AXIS)), self._put(points, POINTS_STEP)
    found = parallel.to_host(self._visit(lambda block: run(whole, self._rows[block])))
    return np.concatenate(found, axis=1)[:len(points), :len(self.rows)]

  def _visit(self, function) -> list:
    """function(block) of every block."""
    found = self._each_turn(lambda turn: [function(block) for block in turn])
    return [result for results in found for result in results]

  def _each_turn(self, visit) -> list:
    """visit(blocks) of every share of the blocks, side by side where there are several."""
    if len(self._turns) == 1:
      return [visit(self._turns[0])]
    with concurrent.futures.ThreadPoolExecutor(len(self._turns)) as threads:
      return list(threads.map(visit, self._turns))

  def _put(self, points, step):
    """Points on every device; behind them zeros, so that other numbers use the same program."""
    points = np.asarray(points, np.float32)
    missing = -len(points) % step if len(self.rows) < FEW_ROWS else 0
    return parallel.put_whole(self.mesh, np.pad(points, ((0, missing), (0, 0))))


def _on_cpu() -> bool:
  return jax.default_backend() == 'cpu'


def _count_threads(count, mesh) -> int:
  """How many programs run at once: of several devices one, for they wait for each other."""
  return (os.cpu_count() or 1) if _on_cpu() and mesh.size == 1 and count >= FEW_ROWS else 1


def _count_block_rows(count, width, mesh) -> int:
  """Rows of a block on all devices, so that blocks are alike and threads have as many of them."""
  most = min(BLOCK_ROWS, CPU_BLOCK_BYTES // (4 * width)) if _on_cpu() else BLOCK_ROWS
  threads, step = _count_threads(count, mesh), ALIGNED_ROWS * mesh.size
  blocks = threads * -(-count // (threads * max(most, 1) * mesh.size))
  return -(-count // (blocks * step)) * step


def _empty_aligned(count, width):
  """float32 [count, width] of any values, where every block can stay."""
  size = 4 * count * width
  whole = np.empty(size + ALIGNED_BYTES, np.uint8)
  first = -whole.ctypes.data % ALIGNED_BYTES
  return whole[first:first + size].view(np.float32).reshape(count, width)


@functools.cache
def _compile(function, mesh, out_specs):
  """The function on every device; its first arguments are whole, the last, rows, split."""
  split = {_tally: 3, _squared_to_own: 2}.get(function, 1)
  whole = function.__code__.co_argcount - split
  return jax.jit(jax.shard_map(function, mesh=mesh, out_specs=out_specs, check_vma=False,
                               in_specs=(P(),) * whole + (P(AXIS),) * split))


def _tally(count, number, centres, total, rows, before):
  """Adds a block to the device's total; rows beyond the count are of a cluster that is not there.

  Devices wait for each other only in `_join`: on a CPU several programs that do so may get stuck.
  """
  real = lax.axis_index(AXIS) * len(rows) + jnp.arange(len(rows)) < count
  new = jnp.where(real, _closest(rows, centres, _halved(centres, number)), len(centres))
  sums, counts = _add_up(rows, new, len(centres))
  added = sums, counts, (real & (new != before)).sum(dtype=jnp.int32)
  return jax.tree.map(jnp.add, total, added), new


def _join(total):
  """The totals of all devices together."""
  return lax.psum(total, AXIS)


def _halved(centres, number):
  """Half of the squared lengths [k], which `_closest` takes; what only fills up is nowhere near."""
  real = jnp.arange(len(centres)) < number
  return jnp.where(real, jnp.square(centres).sum(axis=1) / 2, jnp.inf)


def _closest(block, centres, halved):
  """The first of the centres at the least distance, int32 [B].

  In two steps, the least and who has it, which processors do faster than an argmin.
  """
  halves = halved - jnp.dot(block, centres.T, precision=PRECISION)  # less the row's own length
  least = halves.min(axis=1, keepdims=True)
  numbers = jnp.arange(len(centres), dtype=jnp.int32)
  return jnp.where(halves <= least, numbers, len(centres) - 1).min(axis=1)


def _add_up(block, clusters, num_clusters):
  """Sums [k, D] and counts [k] of a block's rows by cluster.

  A processor adds row after row; an accelerator multiplies by zeros and ones, always in one order.
  """
  if _on_cpu():
    ones = jnp.ones(len(block), jnp.int32)
    return (jax.ops.segment_sum(block, clusters, num_clusters),
            jax.ops.segment_sum(ones, clusters, num_clusters))
  member = clusters == jnp.arange(num_clusters)[:, None]               # [k, B]
  return (jnp.dot(member.astype(block.dtype), block, precision=PRECISION),
          member.sum(axis=1, dtype=jnp.int32))


def _nearest(number, centres, rows):
  """By differences, not by products: what is equal has no distance."""
  clusters = _closest(rows, centres, _halved(centres, number))
  return clusters, _squared_to_own(centres, rows, clusters)


def _squared_to_own(centres, rows, clusters):
  return jnp.square(rows - centres[clusters]).sum(axis=1)


def _squared_to(points, rows):
  scale = jnp.square(rows).sum(axis=1) + jnp.square(points).sum(axis=1)[:, None]  # [t, B]
  squared = scale - 2 * jnp.dot(points, rows.T, precision=PRECISION)
  return jnp.where(squared > ROUNDING * scale, squared, 0)
