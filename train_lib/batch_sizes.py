"""How many pictures go through a net at once: as told, or found out by trying."""

import time
from collections.abc import Callable

import jax

from train_lib import parallel

USUAL = 32                        # where nobody tells and nothing is tried
FIRST, MOST = 8, 512              # that are tried, on each device
WORTH = 1.05                      # times as many pictures/s, or the smaller batch stays


def resolve(name: str, batch_size: int, mesh) -> int:
  """The number of rows of a config's key; 0 is `usual`.

  Raises: UserError: another number that the devices cannot share evenly.
  """
  if batch_size == 0:
    return usual(mesh)
  parallel.check_batch_size(name, batch_size, mesh)
  return batch_size


def usual(mesh) -> int:
  """USUAL, rounded up to what the devices share evenly."""
  return -(-USUAL // mesh.size) * mesh.size


def round_up(number: int, mesh) -> int:
  """The next power of two, times the devices: few sizes, for each of which a program is compiled.

  Args: number: of pictures, at least 1.
  """
  rows = mesh.size
  while rows < number:
    rows *= 2
  return rows


def find(run: Callable[[int], None], number: int, mesh) -> tuple[int, float]:
  """The batch size from which on a larger one is hardly faster, or needs more memory than there is.

  Args:
    run: takes a number of rows, and returns once a batch of so many has gone through the net.
    number: of pictures in all; no batch is tried that is larger.
    mesh: of the devices.

  Returns:
    (rows, pictures/s of the net alone at that size; 0 where nothing was tried).
  """
  best, fastest = min(FIRST * mesh.size, round_up(number, mesh)), 0.0
  rows = best
  while rows <= MOST * mesh.size and 8 * rows <= number:  # else trying costs more than it saves
    rate = _rate(run, rows)
    if not rate and not fastest:
      return mesh.size, 0.0       # there is hardly any memory: a picture on each device
    if rate < WORTH * fastest:
      break
    best, fastest, rows = rows, rate, 2 * rows
  return (best, fastest) if fastest else (min(round_up(number, mesh), usual(mesh)), 0.0)


def _rate(run, rows: int) -> float:
  """Pictures/s, the first batch left out; 0 where the device has not enough memory."""
  try:
    run(rows)
    start, done = time.perf_counter(), 0
    while done < 2 or time.perf_counter() - start < 0.3 and done < 20:
      run(rows)
      done += 1
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    return 0.0
  return done * rows / (time.perf_counter() - start)
