"""Rows of features laid over a mesh, and the three passes over them that k-means is made of.

Rows stand in blocks, so that the products of a block stay small, and are split over the axis 'data'
of the mesh; what fills the last block is counted nowhere. What depends on centres alone, k rows, is
left to the host, in float64.

A CPU runs the loop over blocks on one processor. With many rows each processor has a share of them,
and a thread that waits for it: twice as fast on two.
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

CPU_BLOCK_ROWS = 250     # what a core keeps near it
BLOCK_ROWS = 16_384      # what keeps an accelerator busy
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


def prepare(features, origin=0.0, spherical: bool = False, out=None) -> np.ndarray:
  """Features [n, D] as float32, less the origin, and of length 1 where spherical.

  Raises:
    UserError: values that are not numbers, or so large that their squares are none.
  """
  with np.errstate(over='ignore', invalid='ignore'):
    rows = np.subtract(features, origin, out=out, dtype=np.float32, casting='same_kind')
    squares = np.einsum('nd,nd->n', rows, rows)
  wrong = np.flatnonzero(~np.isfinite(squares))
  if len(wrong):
    raise UserError(f'{len(wrong):,} of {len(rows):,} rows of features hold values that are no '
                    f'numbers or too large to be squared, the first of them row {wrong[0]:,}')
  return np.divide(rows, lengths_of(rows), out=rows) if spherical else rows


def lengths_of(rows: np.ndarray) -> np.ndarray:
  """Lengths [n, 1] to divide rows by; 1 for a row of zeros, which stays one."""
  lengths = np.sqrt(np.einsum('nd,nd->n', rows, rows))[:, None]
  return np.where(lengths > 0, lengths, 1)


class ShardedRows:
  """Rows on a mesh; a pass takes centres [k, D], in numpy, and visits every row.

  Attributes:
    rows: float32 [N, D], on the host as well: features less the origin, or of length 1.
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
    shares = _count_shares(count, mesh)
    each = -(-max(count, room) // (shares * mesh.size))                 # of a device
    blocks = -(-each // (CPU_BLOCK_ROWS if _on_cpu() else BLOCK_ROWS))
    shape = (shares, mesh.size * blocks, -(-each // blocks))
    filled = np.empty((shape[0] * shape[1] * shape[2], width), np.float32)
    self.mesh, self.rows = mesh, prepare(features, origin, spherical, out=filled[:count])
    filled[count:] = 0
    by_rows, of_share = parallel.by_rows(mesh), shape[1] * shape[2]
    self._rows = [jax.device_put(part, by_rows) for part in filled.reshape(*shape, width)]
    self._clusters = [jax.device_put(np.full(shape[1:], -1, np.int32), by_rows)
                      for _ in range(shares)]
    self._counts = [min(max(count - share * of_share, 0), of_share) for share in range(shares)]

  def tally(self, centres: np.ndarray) -> Tally:
    """Sends rows to their nearest centres; the first of those that are as near."""
    run, number = _compile(_tally, self.mesh, (P(AXIS), P(), P(), P())), len(centres)
    whole = self._put(centres, CENTRES_STEP)

    def visit(share):
      self._clusters[share], *found = run(
          self._counts[share], number, whole, self._rows[share], self._clusters[share])
      return [np.asarray(part) for part in found]

    sums, counts, changed = zip(*self._each_share(visit), strict=True)
    return Tally(np.sum(sums, axis=0, dtype=np.float64)[:number],
                 np.sum(counts, axis=0, dtype=np.int64)[:number], int(sum(changed)))

  def nearest(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each row, int32 [N], and its squared distance, float32 [N]."""
    run, whole = _compile(_nearest, self.mesh, (P(AXIS), P(AXIS))), self._put(centres, CENTRES_STEP)
    found = self._each_share(lambda share: parallel.to_host(
        run(len(centres), whole, self._rows[share])))
    clusters, squared = (np.concatenate(parts).reshape(-1)[:len(self.rows)]
                         for parts in zip(*found, strict=True))
    return clusters, squared

  def squared_to(self, points: np.ndarray) -> np.ndarray:
    """Squared distances [t, N] of the rows to a few points [t, D]; 0 where rounding hides them."""
    run, whole = _compile(_squared_to, self.mesh, P(AXIS)), self._put(points, POINTS_STEP)
    found = np.concatenate(self._each_share(lambda share: parallel.to_host(
        run(whole, self._rows[share]))))                                # [blocks, t, B]
    return found.transpose(1, 0, 2).reshape(len(whole), -1)[:len(points), :len(self.rows)]

  def _each_share(self, visit) -> list:
    """visit(number) of every share, side by side where there are several."""
    if len(self._rows) == 1:
      return [visit(0)]
    with concurrent.futures.ThreadPoolExecutor(len(self._rows)) as threads:
      return list(threads.map(visit, range(len(self._rows))))

  def _put(self, points, step):
    """Points on every device; behind them zeros, so that other numbers use the same program."""
    points = np.asarray(points, np.float32)
    missing = -len(points) % step if len(self.rows) < FEW_ROWS else 0
    return parallel.put_whole(self.mesh, np.pad(points, ((0, missing), (0, 0))))


def _on_cpu() -> bool:
  return jax.default_backend() == 'cpu'


def _count_shares(count, mesh) -> int:
  """How many programs run at once: of several devices one, for they wait for each other."""
  return (os.cpu_count() or 1) if _on_cpu() and mesh.size == 1 and count >= FEW_ROWS else 1


@functools.cache
def _compile(function, mesh, out_specs):
  """The function on every device; its first arguments are whole, the last, in blocks, split."""
  split = 2 if function is _tally else 1
  whole = function.__code__.co_argcount - split
  return jax.jit(jax.shard_map(function, mesh=mesh, out_specs=out_specs, check_vma=False,
                               in_specs=(P(),) * whole + (P(AXIS),) * split))


def _tally(count, number, centres, rows, before):
  """Scans the blocks of a device; rows beyond the count belong to a cluster that is not there."""
  blocks, size, _ = rows.shape
  first, halved = lax.axis_index(AXIS) * blocks * size, _halved(centres, number)

  def visit(total, part):
    place, block, old = part
    real = first + place * size + jnp.arange(size) < count
    new = jnp.where(real, _closest(block, centres, halved), len(centres))
    added = _add_up(block, new, len(centres)), (real & (new != old)).sum(dtype=jnp.int32)
    return jax.tree.map(jnp.add, total, added), new

  start = (jnp.zeros_like(centres), jnp.zeros(len(centres), jnp.int32)), jnp.int32(0)
  total, clusters = lax.scan(visit, start, (jnp.arange(blocks), rows, before))
  (sums, counts), changed = lax.psum(total, AXIS)
  return clusters, sums, counts, changed


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
  halved = _halved(centres, number)

  def visit(block):
    clusters = _closest(block, centres, halved)
    return clusters, jnp.square(block - centres[clusters]).sum(axis=1)
  return lax.map(visit, rows)


def _squared_to(points, rows):
  lengths = jnp.square(points).sum(axis=1)[:, None]

  def visit(block):
    scale = jnp.square(block).sum(axis=1) + lengths                     # [t, B]
    squared = scale - 2 * jnp.dot(points, block.T, precision=PRECISION)
    return jnp.where(squared > ROUNDING * scale, squared, 0)
  return lax.map(visit, rows)
