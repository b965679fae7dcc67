"""The pictures whose features are most alike: an exact search of every row, on all devices."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from errors import UserError
from train_lib import parallel

CHUNK_ROWS = 65_536               # rows that are compared at a time, on all devices together
QUERY_ROWS = 256                  # queries that are compared at a time
KEPT_BYTES = 2 ** 30              # features up to these stay on the devices from search to search
SPARE = 4                         # candidates beyond those asked for, until they are measured again


class Index:
  """Features to search in, by the cosine of the angle between two rows.

  Nothing is approximate: every query is compared with every row. The rows lie over the devices of
  the mesh; each multiplies its share at full float32 precision and keeps its best ones. The
  cosines of what was found are then taken once more in float64 from the features themselves, so
  that the answer hangs neither on the devices nor on where a row stands, and rows that are
  the same have the same similarity.

  Args:
    features: float32 or float16 [N, D]; a row of zeros is like nothing. Where they take more than
      KEPT_BYTES, CHUNK_ROWS of them are read at a time, in each search anew, so that a `np.memmap`
      need not fit.
    mesh: of `parallel.make_mesh`; None takes all devices.

  Raises:
    UserError: no row, or a shape other than [N, D].
  """

  def __init__(self, features: np.ndarray, *, mesh: Mesh | None = None):
    if np.ndim(features) != 2 or not len(features):
      raise UserError(f'an index needs features of one row for each picture, and got an array of '
                      f'shape {list(np.shape(features))}')
    self._features, self._mesh = features, mesh or parallel.make_mesh()
    self._kept = {} if features.nbytes <= KEPT_BYTES else None

  def __len__(self) -> int:
    return len(self._features)

  def search(self, queries: np.ndarray, count: int, *, leave_out: np.ndarray | None = None,
             poll: Callable[[], None] = lambda: None) -> tuple[np.ndarray, np.ndarray]:
    """The rows most alike each query.

    Args:
      queries: float32 or float16 [Q, D].
      count: of rows for each query, from 1 to N.
      leave_out: int64 [Q], a row that is not to be found, such as the query itself; -1: none.
      poll: called before each block of work; may raise to stop.

    Returns:
      (rows int64 [Q, count], similarities float32 [Q, count] in -1..1), falling; equal ones by row.

    Raises:
      UserError: more are asked for than there are, queries of another width, or values that are not
        numbers.
    """
    queries = np.asarray(queries)
    left_out = np.full(len(queries), -1) if leave_out is None else np.asarray(leave_out)
    self._check(queries, count, left_out)
    size = min(count + SPARE, len(self))
    rows = np.zeros((len(queries), 0), np.int64)
    found = rows, rows.astype(np.float32)
    for first in range(0, len(self), CHUNK_ROWS):
      found = _best(*(np.concatenate(parts, axis=1) for parts in zip(
          found, self._search_chunk(queries, first, size, left_out, poll), strict=True)), size)
    return _best(found[0], self._measure(queries, *found), count)

  def _check(self, queries, count, left_out):
    if queries.ndim != 2 or queries.shape[1] != self._features.shape[1]:
      raise UserError(f'the features searched in have {self._features.shape[1]} numbers for each '
                      f'picture, and the queries are of shape {list(queries.shape)}')
    most = len(self) - bool((left_out >= 0).any())
    if not 1 <= count <= most:
      raise UserError(f'{count:,} neighbours of each picture are asked for; expected 1 to '
                      f'{most:,}, for there are no more other pictures')
    if not np.isfinite(queries).all():
      raise UserError('the features of a picture whose neighbours are asked for are not numbers')

  def _search_chunk(self, queries, first, size, left_out, poll):
    """(rows, similarities) [Q, S] of the rows from `first` on; S at least `size` where so many."""
    block, end = self._chunk(first), min(first + CHUNK_ROWS, len(self))
    found = []
    for start in range(0, len(queries), QUERY_ROWS):
      poll()
      part = unit_rows(queries[start:start + QUERY_ROWS]).astype(np.float32)
      filled = min(QUERY_ROWS, 1 << (len(queries) - 1).bit_length())    # few shapes to compile
      blank = filled - len(part)
      best = _search_block(
          np.pad(part, ((0, blank), (0, 0))), block, np.int32(end - first),
          np.pad(left_out[start:start + QUERY_ROWS] - first, (0, blank)).clip(-1, CHUNK_ROWS)
          .astype(np.int32), size=min(size, len(block) // self._mesh.size), mesh=self._mesh)
      places, similarities = parallel.to_host(best)
      found.append((places[:len(part)] + np.int64(first), similarities[:len(part)]))
    if not found:
      return np.zeros((0, size), np.int64), np.zeros((0, size), np.float32)
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

  def _chunk(self, first):
    """CHUNK_ROWS rows on the devices, or all where they are fewer; filled up with zeros."""
    if self._kept is not None and first in self._kept:
      return self._kept[first]
    rows = np.asarray(self._features[first:first + CHUNK_ROWS])
    if not np.isfinite(rows).all():
      wrong = first + int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
      raise UserError(f'the features of row {wrong:,} are not numbers, so nothing can be searched')
    filled = min(CHUNK_ROWS, len(self))
    filled += -filled % self._mesh.size
    rows = np.pad(unit_rows(rows).astype(np.float32), ((0, filled - len(rows)), (0, 0)))
    block = jax.device_put(rows, parallel.by_rows(self._mesh))
    if self._kept is not None:
      self._kept[first] = block
    return block

  def _measure(self, queries, rows, similarities):
    """The similarities once more, float32 [Q, S]; what is left out stays -inf."""
    measured = similarities.copy()
    for start in range(0, len(queries), QUERY_ROWS):
      part = slice(start, start + QUERY_ROWS)
      near = unit_rows(self._features[rows[part]])                          # [q, S, D]
      measured[part] = np.einsum('qd,qsd->qs', unit_rows(queries[part]), near)
    return np.where(np.isfinite(similarities), measured, similarities)


def unit_rows(rows: np.ndarray) -> np.ndarray:
  """Rows of length 1, float64 [..., D]; those of length 0 stay as they are."""
  rows = np.asarray(rows, np.float64)
  lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
  return rows / np.where(lengths > 0, lengths, 1)


@functools.partial(jax.jit, static_argnames=('size', 'mesh'))
def _search_block(queries, rows, end, left_out, *, size, mesh):
  """(places int32 [Q, devices * size] in the block, similarities) of each device's best ones.

  Args: rows: [R, D], of which those from `end` on only fill up; left_out: int32 [Q].
  """
  def search(queries, rows, end, left_out):
    places = jax.lax.axis_index(parallel.AXIS) * len(rows) + jnp.arange(len(rows))
    similarities = jnp.dot(queries, rows.T, precision=jax.lax.Precision.HIGHEST)
    hidden = (places >= end) | (places == left_out[:, None])                # [Q, R / devices]
    similarities, best = jax.lax.top_k(jnp.where(hidden, -jnp.inf, similarities), size)
    return places[best], similarities

  by_columns = P(None, parallel.AXIS)
  return jax.shard_map(search, mesh=mesh, in_specs=(P(), P(parallel.AXIS), P(), P()),
                       out_specs=(by_columns, by_columns))(queries, rows, end, left_out)


def _best(rows, similarities, count):
  """The `count` most similar ones of each query, [Q, S] twice; equal ones by row."""
  order = np.lexsort((rows, -similarities), axis=1)[:, :count]
  return np.take_along_axis(rows, order, 1), np.take_along_axis(similarities, order, 1)
