"""Where a run's time went: what counts as productive, and what saving cost."""

import errno
import json
import time

import pytest

from errors import Diverged
from tests.small_loops import make_config, run_loop
from tests.small_runs import make_state, open_checkpoints
from train_lib.goodput import Cost, Goodput
from train_lib.loop import Clock
from train_lib.storage import array_files


def record_of(folder):
  return json.loads((folder / 'run.json').read_text())


def open_goodput(folder, cost=None):
  return Goodput(folder, cost or Cost(), time.monotonic() - 100.0)


def productive_sec(folder):
  return record_of(folder)['goodput']['productive_sec']


def test_steps_count_once_a_checkpoint_keeps_them(tmp_path):
  cost = Cost()
  goodput = open_goodput(tmp_path, cost)
  goodput.add(4, 5.0)
  goodput.add(8, 7.0)
  goodput.write()
  assert productive_sec(tmp_path) == 0.0
  cost.newest = 4
  goodput.poll()
  assert productive_sec(tmp_path) == 5.0
  goodput.add(12, 20.0)
  cost.newest = 8
  goodput.drop()                                        # a rollback to 8, which was just finished
  goodput.add(12, 10.0)
  cost.newest = 12
  goodput.poll()
  found = record_of(tmp_path)['goodput']
  assert found['productive_sec'] == 22.0
  assert found['total_sec'] >= 100.0
  assert found['productive_frac'] == pytest.approx(22.0 / found['total_sec'], abs=1e-3)


def test_without_a_new_checkpoint_nothing_is_written(tmp_path):
  goodput = open_goodput(tmp_path)
  goodput.add(4, 5.0)
  goodput.poll()
  assert not (tmp_path / 'run.json').exists()


def test_time_that_a_compilation_was_in_is_not_productive():
  clock = Clock(0)
  clock.spoil()
  assert clock.restart(1) == 0.0 < clock.step_sec(2)
  assert clock.restart(2) > 0.0


def test_the_starts_of_a_run_are_summed_also_after_a_kill(tmp_path):
  for _ in range(3):
    cost = Cost(saves=2, blocking_sec=1.5, background_sec=4.0)
    goodput = open_goodput(tmp_path, cost)
    goodput.add(4, 7.0)
    cost.newest = 4
    goodput.poll()
    goodput.add(8, 3.0)                                 # and killed before the next save
  found = record_of(tmp_path)
  assert found['goodput']['productive_sec'] == 21.0 and found['goodput']['total_sec'] >= 300.0
  assert found['checkpointing'] == {'saves': 6, 'blocking_sec': 4.5, 'background_sec': 12.0}


def test_a_start_that_ends_in_an_error_tells_of_its_time_and_does_not_hide_the_error(tmp_path):
  with pytest.raises(ValueError), open_goodput(tmp_path) as goodput:
    goodput.add(1, 1.0)
    raise ValueError
  assert record_of(tmp_path)['goodput']['total_sec'] >= 100.0
  goodput = open_goodput(tmp_path / 'file')
  (tmp_path / 'file').write_text('no folder')
  with pytest.raises(ValueError), goodput:
    raise ValueError
  with pytest.raises(OSError), goodput:
    pass


def fail(*_):
  raise OSError(errno.ENOSPC, 'No space left on device')


def test_saves_that_fail_cost_time_and_are_not_counted(tmp_path, monkeypatch):
  with open_checkpoints(tmp_path, on_failure='continue') as checkpoints:
    checkpoints.save(1, make_state(1))
    checkpoints.wait()
    assert checkpoints.cost.saves == checkpoints.cost.newest == 1
    spent = checkpoints.cost.background_sec
    monkeypatch.setattr(array_files, 'write', fail)
    checkpoints.save(2, make_state(2))
    checkpoints.wait()
    assert checkpoints.cost.saves == checkpoints.cost.newest == 1
    assert checkpoints.cost.background_sec > spent > 0
    assert checkpoints.cost.blocking_sec > 0


def test_a_run_tells_of_its_saves_and_its_time(tmp_path):
  run_loop(tmp_path / 'run', make_config())
  found = record_of(tmp_path / 'run')
  assert found['checkpointing']['saves'] == 4
  assert 0 < found['goodput']['productive_sec'] < found['goodput']['total_sec']


def test_steps_of_a_run_that_diverged_are_not_productive(tmp_path):
  config = make_config()
  config.runtime.checkpoint_every_steps, config.eval.every_steps = 0, 16
  with pytest.raises(Diverged):
    run_loop(tmp_path / 'run', config, bad=[10])
  assert record_of(tmp_path / 'run')['goodput']['productive_sec'] == 0.0


def test_steps_whose_save_failed_are_not_productive(tmp_path, monkeypatch):
  monkeypatch.setattr(array_files, 'write', fail)
  config = make_config()
  config.runtime.on_failed_save = 'continue'
  run_loop(tmp_path / 'run', config)
  found = record_of(tmp_path / 'run')
  assert found['goodput']['productive_sec'] == found['checkpointing']['saves'] == 0
