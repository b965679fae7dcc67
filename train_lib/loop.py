"""The one training loop: steps, evaluation, checkpoints, signals, and what is said about them."""

import collections
import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import jax

from train_lib import duration, parallel
from train_lib.divergence import Divergence, pass_over
from train_lib.metrics_log import MetricsLog, StepMeans
from train_lib.multihost import distributed
from train_lib.preemption import Preempted
from train_lib.reporting import Progress, counted, say
from train_lib.storage import records
from train_lib.tracing import Trace
from train_lib.watchdog import COMPILE_SEC

TIMED_STEPS = 3                   # after the first, for the estimate at the start
BAD = {'id': (str, int), 'reason': str}  # form of a row of bad_images.jsonl
EVALUATIONS = 10                  # in a run whose config does not say


@dataclasses.dataclass
class Loop:
  """Trains to `training.num_steps` from whatever step the state has.

  Attributes:
    training: of `build_training`.
    evaluator, valid_loader: what the validation split is measured with.
    checkpoints, preemption, workdir: where a step is kept, and what stops the loop.
    watchdog: what is told of every step and batch.
    goodput: where the time went.
    go_back: () -> the state of the newest checkpoint, or of step 0 where there is none.
    draw: called with (variables, step) whenever the net was measured on pictures; None: nothing is.
    measured: the evaluators that were used, whose programs are compiled.
  """
  training: Any
  evaluator: Any
  valid_loader: Any
  checkpoints: Any
  preemption: Any
  workdir: Any
  watchdog: Any
  goodput: Any
  go_back: Callable
  draw: Callable | None = None
  measured: set = dataclasses.field(default_factory=set)

  def run(self, state):
    """Returns the final state.

    Raises:
      Preempted: it was asked to stop; the current step is saved, or why it is not was said.
      Diverged: training gave values that are not finite, and the config has no way on.
    """
    divergence = Divergence(self.workdir, self.training.config, int(state.step))
    while (final := self._run(state, divergence)) is None:
      state = self.go_back()
      self.goodput.drop()
    return final

  def _run(self, state, divergence):
    """The final state; None when a step diverged and the run is to go back."""
    training, runtime = self.training, self.training.config.runtime
    start, total = int(state.step), training.num_steps
    one_by_one = training.mesh.size > 1 and jax.default_backend() == 'cpu'
    clock = Clock(start)
    means = StepMeans(self.checkpoints.metrics(start) if start else {})
    with (contextlib.closing(MetricsLog(self.workdir, start, training.config)) as log,
          contextlib.closing(Progress(total, start, training.config.train.batch_size)) as progress,
          contextlib.closing(Trace(self.workdir, start + TIMED_STEPS + 2, runtime.profile_steps,
                                   total)) as trace):
      if start and self._evaluates(start) and 'loss' not in self.checkpoints.metrics(start):
        # stopped in the middle of it last time, perhaps when its row was written
        told = log.has(start, 'valid/loss')
        self.checkpoints.save(start, state, metrics=self._evaluate(
            state, start, None if told else log, means))
      clock.restart(start)
      part = start + 1                                  # first step of the program that computes
      programs = {pass_over}                            # that were compiled
      batches = device_batches(training, start, total, runtime.prefetch_batches)
      for step, (ids, batch) in enumerate(batches, start + 1):
        self.watchdog.beat(f'step {step}')
        program = pass_over if divergence.passes_over(step) else training.step_function(step)
        compiled = program not in programs
        programs.add(program)
        with trace.step(step), self._wait_for_others(compiled):
          state, metrics = program(state, batch, training.key)
          if one_by_one or compiled:
            jax.block_until_ready(metrics)              # virtual devices deadlock otherwise
        divergence.note(step, ids, metrics)
        if compiled:
          part = step
          clock.spoil()
        if step == part + TIMED_STEPS and step < training.last_alike(step):
          jax.block_until_ready(metrics)
          for line in duration.describe(training, step, clock.step_sec(step), step):
            say(line)
        logs = metrics and is_time(step, runtime.log_every_steps, total)
        stops, saves = self.preemption.should_stop(), self._saves(step)
        if (logs or stops or saves) and divergence.look(means.add):
          return self._leave(step, 'a step diverged') if stops else None
        if logs:
          self._log(step, metrics, means, clock, progress, log)
        if stops or saves:
          jax.block_until_ready(metrics)
          self.goodput.add(step, clock.restart(step))
        if stops:
          self._stop(state, step, means)
        if saves:
          measured = self._evaluate(state, step, log, means) if self._evaluates(step) else {}
          self.checkpoints.save(step, state, metrics={**measured, **means.untold()})
          self.goodput.poll()
          clock.restart(step)
        if trace.end(step, metrics) or compiled:
          clock.restart(step)                           # of no use for the times of later steps
      self.checkpoints.wait()
      return state

  def _log(self, step, metrics, means, clock, progress, log):
    """Means over the steps since the last row, but for the learning rate, which is this step's."""
    values = {**means.take(), 'learning_rate': float(metrics['learning_rate'])}
    values = {f'train/{key}': value for key, value in values.items()}
    step_sec = clock.step_sec(step)
    self.goodput.add(step, clock.restart(step))
    values['train/pictures_per_sec'] = self.training.config.train.batch_size / step_sec
    left_sec = step_sec * self.training.cost_left(step, step)
    progress.show(step, values['train/loss'], step_sec, left_sec)
    log.write(step, {key: value for key, value in values.items() if math.isfinite(value)})
    self.checkpoints.poll()
    self.goodput.poll()
    note_bad_images(self.workdir, self.training.loader)

  def _evaluate(self, state, step, log, means) -> dict[str, float]:
    poll = self.watchdog.beating(
        lambda: self.preemption.should_stop() and self._stop(state, step, means))
    source = self.training.head if self.training.on_features(step) else self
    with self._wait_for_others(source.evaluator not in self.measured):
      metrics = source.evaluator.evaluate(state.variables, source.valid_loader, poll=poll).metrics
    self.measured.add(source.evaluator)
    note_bad_images(self.workdir, source.valid_loader)
    if log:
      log.write(step, {f'valid/{key}': value for key, value in metrics.items()})
    say(f'step {step}  validation: {source.evaluator.task.summary(metrics)}')
    if self.draw and source is self:
      self.draw(state.variables, step)
    self.watchdog.beat()
    return metrics

  def _wait_for_others(self, compiled):
    """A context in which other processes may compile for longer than this one did."""
    return self.watchdog.allow(COMPILE_SEC if compiled and distributed.size() > 1 else 0)

  def _stop(self, state, step, means):
    self.checkpoints.save(step, state, metrics=means.untold())
    self._leave(step)

  def _leave(self, step, why=''):
    """Ends this start at a step. Args: why: it is not saved; '': for the reason of the save."""
    self.checkpoints.wait()
    saved = max(self.checkpoints.steps(), default=0)
    start = f'step {saved}, the newest in {self.workdir}' if saved else 'the beginning'
    lost = '' if saved == step else (
        f': the steps since are not saved ({why or self.checkpoints.last_failure})')
    say(f'stopped at step {step} of {self.training.num_steps}; the same command goes on from '
        f'{start}{lost}')
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
    self._step, self._time, self._spoilt = step, time.monotonic(), False

  def spoil(self) -> None:
    """The time since the last start went into compiling too, so it is not productive."""
    self._spoilt = True

  def restart(self, step: int) -> float:
    """Starts again at this step, and returns the productive seconds since the last start."""
    now = time.monotonic()
    seconds = 0.0 if self._spoilt else now - self._time
    self._step, self._time, self._spoilt = step, now, False
    return seconds

  def step_sec(self, step: int) -> float:
    """Mean seconds per step since the last start."""
    return (time.monotonic() - self._time) / max(1, step - self._step)


def note_bad_images(workdir, loader) -> None:
  """Writes the unreadable pictures that a loader met into bad_images.jsonl, each once.

  The other processes of a group write their own, bad_images-1.jsonl and so on.
  """
  number = f'-{distributed.index()}' if distributed.index() else ''
  path = workdir / f'bad_images{number}.jsonl'
  rows = records.read_jsonl(path, BAD, ['id']) if len(loader.bad_images) else []
  known = {row['id'] for row in rows}
  fresh = [row for row in loader.bad_images.drain() if row['id'] not in known]
  if fresh:
    records.append_jsonl(path, fresh)
    say(f'{counted(len(fresh), "picture")} cannot be read, such as {fresh[0]["id"]} '
        f'({fresh[0]["reason"]}); {path} lists them')


def device_batches(training, start: int, stop: int, ahead: int):
  """Yields (ids, batch on the devices) of batches start..stop-1; so many more are under way."""
  waiting = collections.deque()
  for batch in training.batches(start, stop):
    waiting.append((batch['id'], parallel.put_batch(training.mesh, batch)))
    if len(waiting) > ahead:
      yield waiting.popleft()
  yield from waiting


def is_time(step: int, every_steps: int, total: int) -> bool:
  """True at multiples of a period and at the end; a period of 0 is the end alone."""
  return step == total or (every_steps > 0 and step % every_steps == 0)


def evaluation_period(training) -> int:
  """Steps between evaluations."""
  return training.config.eval.every_steps or max(1, training.num_steps // EVALUATIONS)
