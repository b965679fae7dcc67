"""Steps whose loss, gradient or update is not finite, and what becomes of them.

Three policies. `abort`: the run ends before anything of such a step is saved. `skip`: the compiled
step has changed nothing but its number, and the run goes on. `rollback`: the run goes back to the
newest checkpoint before the step, or to the start, and passes over the step when it comes to it
again. Every such step is a row of `<workdir>/diverged.jsonl`, and run.json counts them.

A run may go on with another policy. `abort` and `rollback` compile the same program; that of `skip`
has a choice in it, and may round the last bit otherwise where nothing diverges.

What a step computed stays on the devices until somebody looks, so that nobody waits for it.
"""

import json
from collections.abc import Callable

import jax
import numpy as np

from errors import Diverged, UserError
from train_lib import evaluation
from train_lib import workdir as workdir_lib
from train_lib.multihost import processes
from train_lib.reporting import counted, say
from train_lib.step import JUDGED
from train_lib.storage import records

POLICIES = ('abort', 'skip', 'rollback')
NAME = 'diverged.jsonl'
ROW = {'step': int, 'policy': str, 'config': str}  # what is read of a row
FATES = {'skip': 'it was left out',
         'rollback': 'the run goes back to the last checkpoint before it and leaves it out'}
ADVICE = 'lower optimizer.learning_rate or set optimizer.clip_norm and start afresh'


def check_policy(policy: str) -> None:
  """Raises UserError for another policy than those of POLICIES."""
  if policy not in POLICIES:
    raise UserError(f"train.on_divergence is '{policy}'; choices: {', '.join(POLICIES)}")


def pass_over(state, batch, key):
  """In place of a compiled step: changes nothing but its number, and has no metrics."""
  del batch, key
  return state.replace(step=state.step + 1), {}


class Divergence:
  """What is known of a run's diverged steps; one for all the times that it goes back.

  Args:
    workdir: of the run.
    config: the whole config.
    start: the step that this start goes on from. What was written of later steps is forgotten, for
      they come again; but for those that are to be passed over.
  """

  def __init__(self, workdir, config, start: int):
    self._workdir, self._path = workdir, workdir / NAME
    self._policy, self._limit = config.train.on_divergence, config.train.divergence_limit
    self._config = workdir_lib.run_digest(workdir, config)[:12]
    self._noted = []                                    # (step, ids, metrics on the devices)
    found = records.read_jsonl(self._path, ROW, needs=ROW)
    self._rows = [row for row in found if row['config'] == self._config
                  and (row['step'] <= start or row['policy'] == 'rollback')]
    if self._rows != found and processes.is_first():
      records.write_text(self._path, ''.join(json.dumps(row) + '\n' for row in self._rows))
      self._count()

  def passes_over(self, step: int) -> bool:
    """Whether a step, counted from 1, made the run go back before."""
    return any(row['step'] == step and row['policy'] == 'rollback' for row in self._rows)

  def note(self, step: int, ids: list, metrics: dict) -> None:
    """Keeps what a step gave until `look`; waits for nothing.

    Args:
      step: counted from 1.
      ids: of the rows of its batch, on this process.
      metrics: of the step, on the devices; {} where it was passed over.
    """
    if metrics:
      self._noted.append((step, ids, {key: metrics[key] for key in JUDGED}))

  def look(self, keep: Callable[[dict], None] = lambda values: None) -> bool:
    """Judges the steps noted since the last time, and writes down those that diverged.

    With several processes all of them call it after the same step.

    Args:
      keep: called with the values of JUDGED of each step that did not.

    Returns:
      Whether the run must go back; then the steps after the one that diverged are forgotten.

    Raises:
      Diverged: the policy is 'abort', or there were more such steps than `train.divergence_limit`.
    """
    noted, self._noted = self._noted, []
    values = jax.device_get([metrics for _, _, metrics in noted])
    for (step, ids, _), value in zip(noted, values, strict=True):
      if np.isfinite(list(value.values())).all():
        keep(value)
        continue
      self._deal_with(step, ids, value)
      if self._policy == 'rollback':
        return True
    return False

  def _deal_with(self, step, ids, values):
    over = self._policy != 'abort' and len(self._rows) >= self._limit
    policy = 'abort' if over else self._policy
    self._write({'step': step, 'policy': policy,
                 **{key: _number(values[key]) for key in JUDGED}, 'ids': _of_all(ids),
                 'config': self._config})
    what = _describe(step, values)
    if over:
      raise Diverged(f'{what}: training has diverged for good, after '
                     f'{counted(self._limit, "step")} before it that train.divergence_limit '
                     f'allows; {ADVICE}, or raise that limit to go on')
    if policy == 'abort':
      raise Diverged(f'{what}: training has diverged; with --config.train.on_divergence=rollback '
                     f'the same command goes on and leaves such steps out, or {ADVICE}')
    say(f'{what}; {FATES[policy]} ({len(self._rows)} of at most {self._limit})')

  def _write(self, row):
    self._rows.append(row)
    if processes.is_first():
      records.append_jsonl(self._path, [row])
      self._count()

  def _count(self):
    policies = [row['policy'] for row in self._rows]
    workdir_lib.update_run(self._workdir, diverged={
        policy: policies.count(policy) for policy in POLICIES})


def _describe(step, values) -> str:
  """The first value that is not finite, and the others."""
  bad = next(key for key in JUDGED if not np.isfinite(values[key]))
  others = ', '.join(f'{key} {values[key]:g}' for key in JUDGED if key != bad)
  return f'the {bad} of step {step} is {values[bad]:g} ({others})'


def _number(value) -> float | str:
  """As strict JSON can hold it: what is not finite in words."""
  return float(value) if np.isfinite(value) else str(float(value))


def _of_all(ids) -> list:
  """The ids of the global batch, of the rows of all processes."""
  nothing = np.zeros(len(ids))
  return evaluation.gather(nothing, nothing, ids)[2]
