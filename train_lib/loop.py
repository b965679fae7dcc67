"""The one training loop: steps, evaluation, checkpoints, signals, and what is said about them."""

import collections
import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import jax

from errors import Diverged
from train_lib import duration, parallel, records
from train_lib.metrics_log import MetricsLog
from train_lib.preemption import Preempted
from train_lib.reporting import Progress, say
from train_lib.tracing import Trace

TIMED_STEPS = 3                   # after the first, for the estimate at the start
EVALUATIONS = 10                  # in a run whose config does not say


@dataclasses.dataclass
class Loop:
  """Trains to `training.num_steps` from whatever step the state has.

  Attributes:
    training: of `build_training`.
    evaluator, valid_loader: what the validation split is measured with.
    checkpoints, preemption, workdir: where a step is kept, and what stops the loop.
    draw: called with (variables, step) whenever the net was measured on pictures; None: nothing is.
    productive_sec: time spent in steps so far.
  """
  training: Any
  evaluator: Any
  valid_loader: Any
  checkpoints: Any
  preemption: Any
  workdir: Any
  draw: Callable | None = None
  productive_sec: float = 0.0

  def run(self, state):
    """Returns the final state; raises Preempted, the current step saved, when asked to stop."""
    training, runtime = self.training, self.training.config.runtime
    start, total = int(state.step), training.num_steps
    one_by_one = training.mesh.size > 1 and jax.default_backend() == 'cpu'
    clock = Clock(start)
    with (contextlib.closing(MetricsLog(self.workdir, start, training.config)) as log,
          contextlib.closing(Progress(total, start, training.config.train.batch_size)) as progress,
          contextlib.closing(Trace(self.workdir, start + TIMED_STEPS + 2, runtime.profile_steps,
                                   total)) as trace):
      if start and self._evaluates(start) and not log.has(start, 'valid/loss'):
        # stopped in the middle of it last time
        self.checkpoints.save(start, state, metrics=self._evaluate(state, start, log))
      clock.restart(start)
      part = start + 1                                  # first step of the program that computes
      for step, batch in enumerate(device_batches(training, start, total), start + 1):
        with trace.step(step):
          state, metrics = training.step_function(step)(state, batch, training.key)
        compiled = step == start + 1 or (
            training.step_function(step) is not training.step_function(step - 1))
        part = step if compiled else part
        if one_by_one or compiled:
          jax.block_until_ready(metrics)                # virtual devices deadlock otherwise
        if step == part + TIMED_STEPS and step < training.last_alike(step):
          jax.block_until_ready(metrics)
          for line in duration.describe(training, step, clock.step_sec(step), step):
            say(line)
        if is_time(step, runtime.log_every_steps, total):
          self._log(step, metrics, clock, progress, log)
        if self.preemption.should_stop(step):
          self._stop(state, step)
        if self._saves(step):
          jax.block_until_ready(metrics)
          self.productive_sec += clock.restart(step)
          measured = self._evaluate(state, step, log) if self._evaluates(step) else None
          self.checkpoints.save(step, state, metrics=measured)
          clock.restart(step)
        if trace.end(step, metrics) or compiled:
          clock.restart(step)                           # of no use for times, nor productive
      self.checkpoints.wait()
      return state

  def _log(self, step, metrics, clock, progress, log):
    values = {f'train/{key}': float(value) for key, value in metrics.items()}
    step_sec = clock.step_sec(step)
    self.productive_sec += clock.restart(step)
    values['train/pictures_per_sec'] = self.training.config.train.batch_size / step_sec
    left_sec = step_sec * self.training.cost_left(step, step)
    progress.show(step, values['train/loss'], step_sec, left_sec)
    if not math.isfinite(values['train/loss']):
      raise Diverged(f'the loss of step {step} is {values["train/loss"]}: training has diverged; '
                     'lower optimizer.learning_rate or set optimizer.clip_norm and start afresh')
    log.write(step, values)
    self.checkpoints.poll()
    note_bad_images(self.workdir, self.training.loader)

  def _evaluate(self, state, step, log) -> dict[str, float]:
    poll = lambda: self.preemption.requested and self._stop(state, step)      # noqa: E731
    source = self.training.head if self.training.on_features(step) else self
    metrics = source.evaluator.evaluate(state.variables, source.valid_loader, poll=poll).metrics
    note_bad_images(self.workdir, source.valid_loader)
    log.write(step, {f'valid/{key}': value for key, value in metrics.items()})
    say(f'step {step}  validation: {source.evaluator.task.summary(metrics)}')
    if self.draw and source is self:
      self.draw(state.variables, step)
    return metrics

  def _stop(self, state, step):
    self.checkpoints.wait()
    if step not in self.checkpoints.steps():
      self.checkpoints.save(step, state)
      self.checkpoints.wait()
    saved = max(self.checkpoints.steps(), default=0)
    say(f'stopped at step {step} of {self.training.num_steps}; the same command goes on from step '
        f'{saved}, the newest in {self.workdir}')
    raise Preempted

  def _evaluates(self, step: int) -> bool:
    return is_time(step, evaluation_period(self.training), self.training.num_steps)

  def _saves(self, step: int) -> bool:
    """Every step that was measured is saved too, so that the best one is on disk."""
    period = self.training.config.runtime.checkpoint_every_steps
    return self._evaluates(step) or is_time(step, period, self.training.num_steps)


class Clock:
  """Time since a step that the devices had finished."""

  def __init__(self, step: int):
    self._step, self._time = step, time.monotonic()

  def restart(self, step: int) -> float:
    """Starts again at this step, and returns the seconds since the last start."""
    now = time.monotonic()
    seconds, self._step, self._time = now - self._time, step, now
    return seconds

  def step_sec(self, step: int) -> float:
    """Mean seconds per step since the last start."""
    return (time.monotonic() - self._time) / max(1, step - self._step)


def note_bad_images(workdir, loader) -> None:
  """Writes the unreadable pictures that a loader met into bad_images.jsonl, each once."""
  path = workdir / 'bad_images.jsonl'
  known = {row['id'] for row in records.read_jsonl(path)} if len(loader.bad_images) else set()
  fresh = [row for row in loader.bad_images.drain() if row['id'] not in known]
  if fresh:
    records.append_jsonl(path, fresh)
    say(f'{len(fresh)} pictures cannot be read, such as {fresh[0]["id"]} ({fresh[0]["reason"]}); '
        f'{path} lists them')


def device_batches(training, start: int, stop: int, ahead: int = 1):
  """Yields batches start..stop-1 on the devices, the next ones already under way."""
  waiting = collections.deque()
  for batch in training.batches(start, stop):
    waiting.append(parallel.put_batch(training.mesh, batch))
    if len(waiting) > ahead:
      yield waiting.popleft()
  yield from waiting


def is_time(step: int, every_steps: int, total: int) -> bool:
  """True at multiples of a period and at the end; a period of 0 is the end alone."""
  return step == total or (every_steps > 0 and step % every_steps == 0)


def evaluation_period(training) -> int:
  """Steps between evaluations."""
  return training.config.eval.every_steps or max(1, training.num_steps // EVALUATIONS)
