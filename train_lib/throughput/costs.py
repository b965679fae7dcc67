"""What a compiled step costs: its arithmetic as the compiler counts it, its memory."""

import contextlib
import math
from typing import NamedTuple

import jax

from train_lib.device_data import memory_left


class DoesNotFit(Exception):
  """A program needs more memory than there is; the message says how much where that is known."""


class Memory(NamedTuple):
  """Bytes on each device: of what goes in (state and batch), of what is computed with, in all."""
  kept: int
  working: int
  needed: int


def step_flops(training, lowered, state, batch) -> float:
  """Floating-point operations of a training step over all devices; 0 where nobody tells.

  The compiler counts the body of a loop once, so those of a step whose batch is computed in parts
  are those of the same step without parts.

  Args:
    training: of `build_training`.
    lowered: its step, lowered for `state` and `batch`.
  """
  if training.config.train.accumulate_steps > 1:
    whole = training.build_step(training.task, False, 1)
    lowered = whole.lower(state, batch, training.key)
  config = training.config
  # seen from one device where the step is written for one, else from above all of them
  each = config.train.parallel == 'pmap' or not config.net.batch_norm_sync
  return lowered_flops(lowered) * (training.mesh.size if each else 1)


def lowered_flops(lowered) -> float:
  """The same of any lowered function, loops counted once."""
  costs = lowered.cost_analysis() or {}
  return max(0.0, float(costs.get('flops', 0)))


def program_memory(compiled) -> Memory | None:
  """What a compiled program takes on each device; None where the compiler does not tell."""
  stats = compiled.memory_analysis()
  if stats is None:
    return None
  kept, working = stats.argument_size_in_bytes, stats.temp_size_in_bytes
  return Memory(kept, working,
                kept + working + stats.output_size_in_bytes - stats.alias_size_in_bytes)


def memory_room(mesh, kept: int) -> float:
  """Bytes that a program may take on each device, those included that it keeps there already."""
  device = mesh.devices.flat[0]
  room = memory_left(device) + kept
  return room / mesh.size if device.platform == 'cpu' else room   # virtual ones have one memory


def check_fits(compiled, mesh) -> None:
  """Raises DoesNotFit where a program needs more than there is, before it is tried."""
  memory = program_memory(compiled)
  if memory and memory.needed > memory_room(mesh, memory.kept):
    raise DoesNotFit(f'{memory.needed:,} bytes of {memory_room(mesh, memory.kept):,.0f}')


@contextlib.contextmanager
def memory_told():
  """A context in which memory that runs out is DoesNotFit."""
  try:
    yield
  except (jax.errors.JaxRuntimeError, MemoryError) as error:
    if isinstance(error, jax.errors.JaxRuntimeError) and 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    raise DoesNotFit('more than there is') from error


class PeakMemory:
  """The most that a device held since this was made, where the device counts it."""

  def __init__(self, device):
    self._device = device
    self._before = self._peak()

  def _peak(self) -> int:
    return (self._device.memory_stats() or {}).get('peak_bytes_in_use', 0)

  def bytes(self) -> float:
    """NaN where the device does not count, or held more before, which hides the rest."""
    now = self._peak()
    return float(now) if now > self._before else math.nan
