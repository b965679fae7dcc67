"""Times of steps: groups that are waited for, and their statistics."""

import pytest

from train_lib.throughput import timing


class Clock:
  """Time that passes only when steps are taken; each takes what `cost` says of its number."""

  def __init__(self, cost):
    self.now, self.cost, self.groups, self.taken = 0.0, cost, [], 0

  def __call__(self):
    return self.now

  def run(self, count):
    self.groups.append(count)
    for _ in range(count):
      self.now += self.cost(self.taken)
      self.taken += 1


def measure(clock, seconds=1.0, least_steps=10, **options):
  return timing.measure(clock.run, seconds=seconds, least_steps=least_steps, clock=clock, **options)


def test_statistics_are_of_the_groups():
  times = timing.Times((0.1, 0.2, 0.3, 0.4, 1.0))
  assert (times.median, times.least, times.most) == (0.3, 0.1, 1.0)
  assert times.p95 == pytest.approx(0.88)


def test_short_steps_follow_each_other_and_long_ones_are_waited_for_one_by_one():
  short, long = Clock(lambda number: 0.01), Clock(lambda number: 0.3)
  measure(short)
  measure(long)
  assert set(short.groups[1:]) == {10} and set(long.groups) == {1}   # a tenth of the second each
  assert timing.group_size(1e-6, 60.0) == timing.MOST_IN_GROUP
  assert timing.group_size(0.01, 60.0) == timing.GROUP_SEC / 0.01


def test_steps_are_waited_for_one_by_one_where_that_is_asked_for():
  clock = Clock(lambda number: 0.01)
  measure(clock, together=False)
  assert set(clock.groups) == {1}


def test_a_figure_is_taken_over_both_the_seconds_and_the_steps():
  fast, slow = Clock(lambda number: 0.01), Clock(lambda number: 0.5)
  assert sum(measure(fast).seconds) * 10 >= 1.0 and fast.taken >= 100
  assert len(measure(slow).seconds) == 10


def test_very_slow_steps_end_the_wait_but_three_are_taken():
  assert len(measure(Clock(lambda number: 4.0)).seconds) == 3          # 12 s of 10 times 1 s
  assert len(measure(Clock(lambda number: 60.0)).seconds) == timing.FEWEST


def test_the_first_step_is_left_out():
  times = measure(Clock(lambda number: 9.0 if number == 0 else 0.2))
  assert times.most == pytest.approx(0.2)


def test_a_poll_may_stop_it():
  def poll():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    measure(Clock(lambda number: 0.1), poll=poll)
