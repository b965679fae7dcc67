"""Side by side: turns go back and forth, ratios are of one turn, what is missing is left out."""

import itertools
import sys

import pytest

from benchmarks.beside import worker
from benchmarks.beside.rivals import Failed, Missing, Rival
from benchmarks.beside.turns import in_words, ratios, spread, table, take_turns


def open_rival(spec=None, settings=None):
  return Rival(sys.executable, 'tests.small_rival', spec or {}, settings)


def test_every_other_turn_goes_backwards():
  order = []
  found = take_turns({name: lambda name=name: order.append(name) or len(order)
                      for name in 'abc'}, 3)
  assert ''.join(order) == 'abccbaabc'
  assert found == {'a': [1, 6, 7], 'b': [2, 5, 8], 'c': [3, 4, 9]}


def test_a_ratio_is_of_one_turn_and_not_of_medians():
  ours, theirs = [10, 40, 90], [20, 40, 30]
  assert ratios(ours, theirs) == [0.5, 1, 3]
  assert spread(ratios(ours, theirs)) == {'median': 1, 'least': 0.5, 'most': 3}
  with pytest.raises(ValueError):
    ratios(ours, theirs[:2])


def test_a_median_stands_with_its_spread():
  assert in_words([17.14, 16.8, 17.9]) == '17.1 (16.8 to 17.9)'
  assert in_words([0.5, 0.25, 3.0]) == '0.50 (0.25 to 3.00)'
  assert in_words([2941.2]) == '2,941 (2,941 to 2,941)'


def test_a_table_keeps_its_columns():
  assert table(('program', 'ours / it'), [('torch', '1.0'), ('tf.data, pictures', '10.0')]) == (
      'program            ours / it\n'
      'torch                    1.0\n'
      'tf.data, pictures       10.0')


def test_a_rival_answers_in_its_turns_and_has_only_the_settings_that_it_is_given(monkeypatch):
  monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.arena_max=1')
  monkeypatch.setenv('XLA_FLAGS', '--xla_of_a_person')
  rival = open_rival(settings={'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1'})
  try:
    assert rival.facts == {'param_count': 7, 'malloc': 'glibc.malloc.hugetlb=1', 'xla': ''}
    assert [rival.turn(seconds=seconds)['seconds'] for seconds in (2, 5)] == [[2] * 3, [5] * 3]
  finally:
    rival.close()
  assert rival.process.returncode == 0


def test_a_missing_package_is_named_with_the_command_that_brings_it():
  with pytest.raises(Missing, match='no_such_package is not installed for .*; its row is left out. '
                                    'To have it: .* -m pip install no_such_package'):
    open_rival({'imports': 'no_such_package'})


def test_an_interpreter_that_is_not_there_is_named():
  with pytest.raises(Failed, match='/nope/python cannot be started'):
    Rival('/nope/python', 'tests.small_rival', {})


def test_a_rival_that_fails_says_its_last_lines():
  rival = open_rival()
  try:
    with pytest.raises(Failed, match='(?s)tests.small_rival ended with code 1.*out of memory'):
      rival.turn(fails='out of memory')
  finally:
    rival.close()


def test_batches_made_ahead_are_not_counted(monkeypatch):
  clock = itertools.count()
  monkeypatch.setattr(worker.time, 'perf_counter', lambda: next(clock))
  monkeypatch.setattr(worker, 'processor_seconds', lambda pid: 0.5 * next(clock))
  batches = itertools.count()
  told = worker.timed_batches(batches, 32, 5, seconds=3)
  assert next(batches) == 5 + told['pictures'] / 32 and told['pictures'] > 0
  assert told['seconds'] == told['pictures'] / 32 + 2


def test_steps_are_waited_for_before_the_clock_is_read():
  done, waited = [], []
  times = worker.timed_steps(lambda: done.append(1), lambda: waited.append(len(done)), 0, 10)
  assert len(times) == 3 and waited == [10, 20, 30]


def test_seconds_of_processors_are_those_of_a_program_and_all_below_it():
  rival = open_rival()
  try:
    whole = worker.processor_seconds(worker.os.getpid())
    assert whole > worker.processor_seconds(rival.process.pid) > 0
  finally:
    rival.close()
