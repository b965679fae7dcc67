"""Steps that diverge: what is dropped, where a run goes back to, and what is written of it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from errors import Diverged, UserError
from tests.small_loops import Linear, expected, make_batch, make_config, make_variables, run_loop
from train_lib import divergence, parallel
from train_lib.optimizers import build_optimizer
from train_lib.preemption import Preempted
from train_lib.state import create_state
from train_lib.step import JUDGED, make_train_step
from train_lib.trees import state_digest

WAYS = {'jit': {}, 'parts': dict(parts=2), 'sam': dict(sam_rho=0.3), 'pmap': dict(how='pmap'),
        'gsam in parts': dict(parts=2, sam_rho=0.3, gsam_alpha=0.2),
        'schedule_free': dict(name='schedule_free')}


def compile_step(task, *, parts=1, how='jit', drop=True, **values):
  """(step, first state, key) of a task."""
  config = make_config().optimizer
  config.update(values)
  optimizer, schedule = build_optimizer(config, 16)
  mesh = parallel.make_mesh(jax.devices()[:1])
  step = parallel.compile_step(
      make_train_step(task, optimizer, schedule, accumulate_steps=parts, ema_decay=0.9,
                      drop_diverged=drop), mesh, parallel=how, batch_norm_sync=True)
  state = parallel.put_whole(mesh, create_state(make_variables(), optimizer, use_ema=True))
  return step, state, jax.random.key(0)


def batch_of(k):
  return {'x': jnp.asarray(make_batch(k)['x'])}


def same_but_for_the_step(one, other):
  return state_digest(one.replace(step=0)) == state_digest(other.replace(step=0))


def rows_of(folder):
  return [json.loads(line) for line in (folder / 'diverged.jsonl').read_text().splitlines()]


def record_of(folder):
  return json.loads((folder / 'run.json').read_text())


def saved_steps(folder):
  return sorted(int(path.name) for path in (folder / 'checkpoints').iterdir()
                if path.name.isdigit())


# The compiled step ------------------------------------------------------------------------------


@pytest.mark.parametrize('values', WAYS.values(), ids=WAYS)
def test_a_dropped_step_changes_nothing_but_its_number(values):
  step, state, key = compile_step(Linear(bad=[1]), **values)
  first, _ = step(state, batch_of(0), key)
  kept = jax.device_get(first)
  second, metrics = step(first, batch_of(1), key)
  assert np.isnan(metrics['loss']) and int(second.step) == 2
  assert same_but_for_the_step(jax.device_get(second), kept)
  third, _ = step(second, batch_of(2), key)
  assert not same_but_for_the_step(jax.device_get(third), kept)


def test_a_gradient_that_only_sams_second_pass_spoils_is_dropped():
  class Cliff(Linear):
    def loss(self, variables, batch, rngs, step=0):
      loss, stats = super().loss(variables, batch, rngs, step)
      moved = jnp.abs(variables['params']['kernel'] - 1).max() > 0
      return loss * jnp.where(moved, jnp.nan, 1.0), stats
  step, state, key = compile_step(Cliff(), sam_rho=0.3)
  before = jax.device_get(state)
  after, metrics = step(state, batch_of(0), key)
  assert np.isfinite([metrics['loss'], metrics['gradient_norm']]).all()
  assert same_but_for_the_step(jax.device_get(after), before)


def test_a_finite_step_is_the_same_with_and_without_dropping():
  results = []
  for drop in (False, True):
    step, state, key = compile_step(Linear(), drop=drop)
    results.append(jax.device_get(step(state, batch_of(0), key)[0]))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-7), *results)


@pytest.mark.parametrize('drop', [False, True])
def test_only_the_policy_skip_puts_a_choice_into_the_program(drop):
  step, state, key = compile_step(Linear(), drop=drop)
  assert ('is_finite' in step.lower(state, batch_of(0), key).as_text()) == drop


# The loop ---------------------------------------------------------------------------------------


def test_abort_ends_the_run_before_a_diverged_step_is_saved(tmp_path):
  with pytest.raises(Diverged, match='the loss of step 7 is nan .* --config.train.on_divergence'):
    run_loop(tmp_path / 'run', make_config(), bad=[6])
  assert saved_steps(tmp_path / 'run') == [4]
  row, = rows_of(tmp_path / 'run')
  assert row['step'] == 7 and row['policy'] == 'abort'
  assert row['loss'] == row['gradient_norm'] == row['update_ratio'] == 'nan'
  assert row['ids'] == make_batch(6)['id']
  assert record_of(tmp_path / 'run')['diverged'] == {'abort': 1, 'skip': 0, 'rollback': 0}


def test_a_step_between_two_rows_of_figures_is_seen_too(tmp_path):
  config = make_config()
  config.runtime.log_every_steps = 16
  with pytest.raises(Diverged, match='step 2 '):
    run_loop(tmp_path / 'run', config, bad=[1])
  assert not (tmp_path / 'run' / 'checkpoints').exists()


@pytest.mark.parametrize('policy', ['skip', 'rollback'])
@pytest.mark.parametrize('bad', [(6,), (0, 7, 15), (8, 9)], ids=str)
def test_a_run_ends_as_if_its_diverged_steps_had_not_been(policy, bad, tmp_path):
  config = make_config(on_divergence=policy)
  final = run_loop(tmp_path / 'run', config, bad)
  assert state_digest(final) == state_digest(expected(config, bad))
  assert [row['step'] for row in rows_of(tmp_path / 'run')] == [k + 1 for k in bad]
  assert record_of(tmp_path / 'run')['diverged'][policy] == len(bad)


def test_a_run_without_diverged_steps_writes_nothing_of_them(tmp_path):
  run_loop(tmp_path / 'run', make_config(on_divergence='rollback'))
  assert not (tmp_path / 'run' / 'diverged.jsonl').exists()
  assert 'diverged' not in record_of(tmp_path / 'run')


@pytest.mark.parametrize('policy', ['skip', 'rollback'])
def test_figures_of_a_run_with_diverged_steps_stand_once_and_are_finite(policy, tmp_path):
  run_loop(tmp_path / 'run', make_config(on_divergence=policy), bad=[5, 6])
  rows = [json.loads(line)
          for line in (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()]
  steps = [row['step'] for row in rows if 'train/learning_rate' in row]
  assert steps == sorted(set(steps)) and {3, 9, 16} <= set(steps)
  assert all(value is not None for row in rows for value in row.values())


@pytest.mark.parametrize('policy', ['skip', 'rollback'])
def test_one_diverged_step_more_than_the_limit_ends_the_run(policy, tmp_path):
  config = make_config(on_divergence=policy, divergence_limit=2)
  with pytest.raises(Diverged, match='for good, after 2 steps') as refusal:
    run_loop(tmp_path / 'run', config, bad=[1, 5, 10])
  assert 'on_divergence' not in str(refusal.value)      # it is set already
  assert [row['policy'] for row in rows_of(tmp_path / 'run')] == [policy, policy, 'abort']
  assert max(saved_steps(tmp_path / 'run')) < 11
  config.train.divergence_limit = 3                     # and the same run goes on
  final = run_loop(tmp_path / 'run', config, bad=[1, 5, 10])
  assert state_digest(final) == state_digest(expected(config, [1, 5, 10]))


@pytest.mark.parametrize('policy', ['skip', 'rollback'])
def test_a_run_that_was_aborted_goes_on_with_another_policy(policy, tmp_path):
  with pytest.raises(Diverged):
    run_loop(tmp_path / 'run', make_config(), bad=[6])
  config = make_config(on_divergence=policy)
  final = run_loop(tmp_path / 'run', config, bad=[6])
  assert state_digest(final) == state_digest(expected(config, [6]))
  assert [row['policy'] for row in rows_of(tmp_path / 'run')] == [policy]


def test_what_one_policy_passed_over_another_passes_over_too(tmp_path):
  with pytest.raises(Preempted):
    run_loop(tmp_path / 'run', make_config(on_divergence='rollback'), bad=[6], stop_at=7)
  config = make_config()
  assert state_digest(run_loop(tmp_path / 'run', config, bad=[6])) == state_digest(
      expected(config, [6]))


@pytest.mark.parametrize('key', JUDGED)
def test_the_value_that_is_not_finite_is_the_one_that_is_named(key, tmp_path):
  known = divergence.Divergence(tmp_path, make_config(), 0)
  known.note(3, ['a'], {**dict.fromkeys(JUDGED, np.float32(0.5)), key: np.float32(np.inf)})
  with pytest.raises(Diverged, match=f'^the {key} of step 3 is inf ') as refusal:
    known.look()
  assert str(refusal.value).count('0.5') == 2
  row, = rows_of(tmp_path)
  assert {name: row[name] for name in JUDGED} == {**dict.fromkeys(JUDGED, 0.5), key: 'inf'}


def test_rows_that_no_run_wrote_are_passed_over(tmp_path):
  (tmp_path / 'diverged.jsonl').write_text('{}\n{"step": "x", "policy": "skip"}\n')
  known = divergence.Divergence(tmp_path, make_config(), 0)
  assert not known.passes_over(1)


@pytest.mark.parametrize('bad', [(2,), (6, 13)], ids=str)
def test_a_run_killed_while_it_goes_back_passes_over_the_step_all_the_same(bad, tmp_path):
  config = make_config(on_divergence='rollback')

  def die():
    raise KeyboardInterrupt

  for _ in bad:
    with pytest.raises(KeyboardInterrupt):
      run_loop(tmp_path / 'run', config, bad, go_back=die)
  final = run_loop(tmp_path / 'run', config, bad, go_back=die)
  assert state_digest(final) == state_digest(expected(config, bad))
  assert record_of(tmp_path / 'run')['diverged']['rollback'] == len(bad)


def test_steps_that_come_again_after_a_stop_are_written_down_once(tmp_path):
  config = make_config(on_divergence='skip')
  with pytest.raises(Preempted):
    run_loop(tmp_path / 'run', config, bad=[5, 9], stop_at=11)
  for step in saved_steps(tmp_path / 'run'):
    if step > 8:                                        # as if the last save had not been finished
      (tmp_path / 'run' / 'checkpoints' / str(step) / 'manifest.json').unlink()
  final = run_loop(tmp_path / 'run', config, bad=[5, 9])
  assert state_digest(final) == state_digest(expected(config, [5, 9]))
  assert [row['step'] for row in rows_of(tmp_path / 'run')] == [6, 10]
  assert record_of(tmp_path / 'run')['diverged']['skip'] == 2


@pytest.mark.parametrize('policy', ['skip', 'rollback'])
def test_a_stop_just_after_a_step_diverged_saves_nothing_of_it(policy, tmp_path):
  config = make_config(on_divergence=policy)
  with pytest.raises(Preempted):
    run_loop(tmp_path / 'run', config, bad=[6], stop_at=7)
  assert max(saved_steps(tmp_path / 'run')) == (7 if policy == 'skip' else 4)
  final = run_loop(tmp_path / 'run', config, bad=[6])
  assert state_digest(final) == state_digest(expected(config, [6]))


def test_what_diverged_under_another_config_is_forgotten(tmp_path):
  with pytest.raises(Diverged):
    run_loop(tmp_path / 'run', make_config(), bad=[2])
  config = make_config(on_divergence='rollback', ema_decay=0.5)
  assert state_digest(run_loop(tmp_path / 'run', config)) == state_digest(expected(config))
  assert not rows_of(tmp_path / 'run')
  assert record_of(tmp_path / 'run')['diverged'] == {'abort': 0, 'skip': 0, 'rollback': 0}


@pytest.mark.parametrize('values', [dict(parallel='pmap'), dict(accumulate_steps=2)], ids=str)
def test_a_run_goes_back_on_every_layout(values, tmp_path):
  config = make_config(on_divergence='rollback', **values)
  final = run_loop(tmp_path / 'run', config, bad=[6])
  assert state_digest(final) == state_digest(expected(config, [6]))


@pytest.mark.parametrize('ahead', [0, 1, 5])
def test_batches_put_on_the_devices_ahead_change_nothing(ahead, tmp_path):
  config = make_config()
  config.runtime.prefetch_batches = ahead
  assert state_digest(run_loop(tmp_path / 'run', config)) == state_digest(expected(config))


def test_an_unknown_policy_names_the_choices():
  with pytest.raises(UserError, match="is 'retry'; choices: abort, skip, rollback"):
    divergence.check_policy('retry')
