"""Is the gradient of a convolution as fast in a loop as outside of one?

On a CPU XLA computes the plain one many times slower in a loop, as gradient accumulation is; the
nets' own form keeps the ratio near 1.
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from train_lib import build

SIDE_PX, CHANNELS, ROWS, PARTS, LAYERS = 32, 16, 4, 2, 2
REPEATS = 5


def measure_ratio(dtype: str, poll: Callable[[], None] = lambda: None) -> float:
  """Time of a small net's gradient under `lax.scan` over that of the same work unrolled."""
  rng = np.random.default_rng(0)
  kernels = jnp.asarray(rng.standard_normal((LAYERS, 3, 3, CHANNELS, CHANNELS)) / 12, dtype)
  parts = jnp.asarray(rng.standard_normal((PARTS, ROWS, SIDE_PX, SIDE_PX, CHANNELS)), dtype)
  gradient = jax.grad(_loss)

  @jax.jit
  def unrolled(kernels, parts):
    return sum(gradient(kernels, part) for part in parts)

  @jax.jit
  def looped(kernels, parts):
    def add(total, part):
      return total + gradient(kernels, part), None
    return jax.lax.scan(add, jnp.zeros_like(kernels), parts)[0]

  times = {unrolled: [], looped: []}
  for function in times:
    jax.block_until_ready(function(kernels, parts))
  for _ in range(REPEATS):
    for function, values in times.items():
      poll()
      started = time.perf_counter()
      jax.block_until_ready(function(kernels, parts))
      values.append(time.perf_counter() - started)
  return float(np.median(times[looped]) / np.median(times[unrolled]))


def _loss(kernels, part):
  for kernel in kernels:
    part = jnp.maximum(build.convolve(part, kernel, padding=1), 0)
  return part.astype(jnp.float32).mean()
