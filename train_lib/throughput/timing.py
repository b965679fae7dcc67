"""How long a step takes: groups of steps, waited for at the end of each, and their statistics."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

GROUP_SEC, MOST_IN_GROUP = 0.2, 64
GROUPS = 10                       # at least, of the seconds asked for
PATIENCE = 10                     # times the seconds asked for, for the steps asked for
FEWEST = 3                        # steps, however long they take


@dataclasses.dataclass(frozen=True)
class Times:
  """Seconds a step, one value a group of steps."""
  seconds: tuple[float, ...]

  @property
  def median(self) -> float:
    """The middle one."""
    return float(np.median(self.seconds))

  @property
  def mean(self) -> float:
    """All the time over all the steps."""
    return float(np.mean(self.seconds))

  @property
  def p95(self) -> float:
    """What one group in twenty exceeds."""
    return float(np.percentile(self.seconds, 95))

  @property
  def least(self) -> float:
    """The shortest."""
    return min(self.seconds)

  @property
  def most(self) -> float:
    """The longest."""
    return max(self.seconds)


def group_size(step_sec: float, seconds: float) -> int:
  """Steps of a group: one that takes long is waited for by itself, short ones follow each other as
  they do in training. Args: seconds: of all groups."""
  group_sec = min(GROUP_SEC, seconds / GROUPS)
  return int(min(MOST_IN_GROUP, max(1.0, group_sec / max(step_sec, 1e-9))))


def measure(run: Callable[[int], None], *, seconds: float, least_steps: int,
            together: bool = True, poll: Callable[[], None] = lambda: None,
            clock=time.perf_counter) -> Times:
  """Times groups of steps until both numbers are reached; slow steps end the wait earlier.

  Args:
    run: takes so many steps and waits for the last of them; it has been called before, so that
      nothing is compiled here.
    seconds: of measuring, at least.
    least_steps: at least, unless they take PATIENCE times `seconds`.
    together: False waits for each step by itself, however short.
    poll: called between groups; may raise to stop.
  """
  started = clock()
  run(1)                          # how long one takes; its own time is not used
  size, values, steps = group_size(clock() - started, seconds) if together else 1, [], 0
  started = clock()
  while not _is_enough(clock() - started, steps, seconds, least_steps):
    begun = clock()
    run(size)
    values.append((clock() - begun) / size)
    steps += size
    poll()
  return Times(tuple(values))


def _is_enough(spent, steps, seconds, least_steps):
  if steps < FEWEST:
    return False
  return (spent >= seconds and steps >= least_steps) or spent >= PATIENCE * seconds
