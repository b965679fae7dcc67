"""How long the loop is measured: so many turns of so many steps, bounded by the seconds."""

import types

import pytest

from train_lib.throughput import timing, whole_loop


def runtime(workers=2, log_every_steps=20):
  return types.SimpleNamespace(workers=workers, prefetch_batches=1,
                               log_every_steps=log_every_steps)


@pytest.mark.parametrize('each_sec', [0.0001, 0.01, 0.3, 20.0])
@pytest.mark.parametrize('workers', [0, 2, 80])
def test_the_clock_starts_once_what_was_made_ahead_is_used_up(each_sec, workers):
  plan = whole_loop.plan_turn(runtime(workers), 1.0, each_sec)
  ahead = whole_loop.AHEAD * (1 + workers) + 1
  assert ahead <= plan.every * plan.first < ahead + plan.every
  assert plan.logs >= whole_loop.LOGS and plan.steps == plan.every * (plan.first + plan.logs)


def test_short_steps_fill_the_seconds_and_log_as_often_as_the_run():
  plan = whole_loop.plan_turn(runtime(), 1.0, 0.001)
  assert plan.every == 20 and plan.every * plan.logs * 0.001 == pytest.approx(1.0)


def test_turns_end_within_ten_times_the_seconds_but_one_is_taken():
  assert whole_loop.count_turns(2.0, 3.0) == whole_loop.TURNS
  assert whole_loop.count_turns(14.0, 3.0) == 2
  assert whole_loop.count_turns(14.0, 3.0) * 14.0 <= timing.PATIENCE * 3.0
  assert whole_loop.count_turns(600.0, 3.0) == 1
