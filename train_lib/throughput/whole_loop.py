"""The training loop end to end, in turns with the bare step: what feeding the step costs.

It is `loop.Loop` itself that runs, with the loader, the transfer, the divergence watch and the log
of a real run; evaluation and checkpoints stand aside.
"""

import contextlib
import dataclasses
import io
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from train_lib import loop
from train_lib.preemption import Preempted
from train_lib.storage import records
from train_lib.throughput import timing

TURNS = 3                         # of the bare step and of the loop, fewer where steps take long
LOGS = 3                          # in a turn of the loop, at least
AHEAD = 2                         # batches of each worker that the loader makes ahead
NEVER = 1 << 30                   # steps


@dataclasses.dataclass(frozen=True)
class LoopTimes:
  """Mean seconds a step: of the loop and of the bare step around it, one value a turn."""
  loop: tuple[float, ...]
  bare: tuple[float, ...]

  @property
  def stall_frac(self) -> float:
    """The share of the loop's time by which it is slower than the bare step: the median turn.

    Below 0 where noise made the loop the faster of the two.
    """
    return statistics.median(
        1 - bare / whole for whole, bare in zip(self.loop, self.bare, strict=True))


class Plan(NamedTuple):
  """A turn of the loop: steps between two logs; logs before the clock starts; logs after that."""
  every: int
  first: int
  logs: int

  @property
  def steps(self) -> int:
    """In all."""
    return self.every * (self.first + self.logs)


def measure(training, step, *, step_sec: float, batch_sec: float, seconds: float, folder,
            poll: Callable[[], None]) -> LoopTimes:
  """Runs both in turns for some seconds each.

  A turn has so many steps at least, however long they take. As many turns are taken as fit into
  `timing.PATIENCE` times the seconds, one at least and `TURNS` at most.

  Args:
    training: of `build_training`, with the program of `step`.
    step: a `steps.TrainStep` that is compiled; its state moves on.
    step_sec: of the bare step, about; batch_sec: that the loader takes for a batch, about; 0: as
      long as the step.
    folder: for what the loop writes.
  """
  turn_sec = seconds / TURNS
  each_sec = max(step_sec, batch_sec)
  plan = plan_turn(training.config.runtime, turn_sec, each_sec)
  whole_sec = 2 * max(turn_sec / 2, (1 + timing.FEWEST) * step_sec) + plan.steps * each_sec
  whole, bare = [], []
  for turn in range(count_turns(whole_sec, seconds)):
    before = _bare(step, turn_sec / 2, poll)
    whole.append(_loop(training, step, plan, folder / str(turn), poll))
    bare.append((before + _bare(step, turn_sec / 2, poll)) / 2)
  return LoopTimes(tuple(whole), tuple(bare))


def plan_turn(runtime, turn_sec: float, each_sec: float) -> Plan:
  """What a turn of the loop is.

  The clock starts behind as many steps as there are batches that the loader may have made ahead.

  Args: runtime: of the config; turn_sec: from there on, about; each_sec: of a step of the loop.
  """
  every = int(max(1, min(runtime.log_every_steps, turn_sec / (LOGS * each_sec))))
  ahead = AHEAD * (1 + runtime.workers) + runtime.prefetch_batches
  return Plan(every, -(-ahead // every), int(max(LOGS, turn_sec / (every * each_sec))))


def count_turns(turn_sec: float, seconds: float) -> int:
  """How many turns of such a length are taken. Args: seconds: `benchmark.seconds`."""
  return int(max(1, min(TURNS, timing.PATIENCE * seconds / turn_sec)))


def _bare(step, seconds, poll):
  return timing.measure(step.run, seconds=seconds, least_steps=timing.FEWEST, poll=poll).mean


def _loop(training, step, plan, folder, poll) -> float:
  """Seconds a step between two logs, at each of which the devices are done; the loader goes on
  making batches until after the last."""
  config = training.config.copy_and_resolve_references()
  runtime = config.runtime
  runtime.log_every_steps, runtime.wandb, runtime.profile_steps = plan.every, '', 0
  runtime.checkpoint_every_steps, config.eval.every_steps = 0, NEVER
  program = training.steps[False, False]
  run = dataclasses.replace(training, config=config, num_steps=NEVER, small_steps=0, head=None,
                            steps=dict.fromkeys(training.steps, program))
  marks = _Marks(plan.first + plan.logs, poll)
  one = loop.Loop(training=run, evaluator=None, valid_loader=run.loader, checkpoints=marks,
                  preemption=marks, workdir=_make(folder), watchdog=_Nothing, goodput=_Nothing,
                  go_back=lambda: None)
  try:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
      one.run(step.state)
  except Preempted:
    if marks.state is None:                           # it was the person who asked to stop
      raise
  step.state = marks.state
  return ((marks.times[plan.first + plan.logs - 1] - marks.times[plan.first - 1])
          / (plan.every * plan.logs))


def _make(folder):
  folder = records.absolute(folder)
  folder.mkdir(parents=True, exist_ok=True)
  return folder


class _Marks:
  """In place of checkpoints: notes when the loop has logged, ends it after so many logs and keeps
  the state that it leaves."""
  last_failure = ''

  def __init__(self, count, poll):
    self.times, self.state = [], None
    self._count, self._poll = count, poll

  def poll(self):
    self.times.append(time.perf_counter())

  def should_stop(self):
    self._poll()
    return len(self.times) >= self._count

  def save(self, step, state, metrics=None):
    del step, metrics
    self.state = state

  def wait(self):
    pass

  def steps(self):
    return []

  def metrics(self, step):
    del step
    return {}


class _Nothing:
  """In place of what looks after a run: the watchdog, the account of its time."""

  @staticmethod
  def allow(seconds):
    del seconds
    return contextlib.nullcontext()

  @staticmethod
  def beat(what=''):
    pass

  @staticmethod
  def add(step, seconds):
    pass

  @staticmethod
  def poll():
    pass
