"""What the loop logs of its steps; a run that is asked to stop: what it saves, where it goes on."""

import errno

import jax
import numpy as np
import pytest

from tests.small_loops import make_config, run_loop
from train_lib import divergence
from train_lib.metrics_log import read_metrics
from train_lib.preemption import Preempted
from train_lib.storage import array_files, manifest
from train_lib.storage.checkpoints import SaveError


@pytest.fixture
def full_from(monkeypatch):
  """Call it with a step: from that one on, the disk has no room for a checkpoint."""
  def fill(step):
    write = array_files.write

    def refuse(folder, tree):
      if int(folder.name) >= step:
        raise OSError(errno.ENOSPC, 'No space left on device')
      return write(folder, tree)
    monkeypatch.setattr(array_files, 'write', refuse)
  return fill


def stop_at(step, folder, **runtime):
  config = make_config()
  config.runtime.update(runtime)
  run_loop(folder, config, stop_at=step)


def test_the_step_that_a_run_stops_at_is_saved_and_named(tmp_path, capsys):
  with pytest.raises(Preempted):
    stop_at(7, tmp_path)
  last = capsys.readouterr().out.splitlines()[-1]
  assert last == ('stopped at step 7 of 16; the same command goes on from step 7, the newest in '
                  f'{tmp_path}')
  assert (tmp_path / 'checkpoints' / '7' / 'manifest.json').exists()


@pytest.mark.parametrize(('full', 'start'), [(5, 'step 4, the newest in '), (1, 'the beginning')])
def test_a_stop_whose_save_failed_says_what_is_done_again_and_why(
    full, start, tmp_path, capsys, full_from):
  full_from(full)
  with pytest.raises(Preempted):
    stop_at(7, tmp_path, on_failed_save='continue')
  last = capsys.readouterr().out.splitlines()[-1]
  assert last.startswith(f'stopped at step 7 of 16; the same command goes on from {start}')
  assert last.endswith(': the steps since are not saved ([Errno 28] No space left on device)')


def test_figures_that_a_kill_kept_out_of_the_checkpoint_are_measured_again(tmp_path):
  run_loop(tmp_path, make_config())
  manifest.change_manifest(tmp_path / 'checkpoints' / '16', metrics={})
  run_loop(tmp_path, make_config())
  assert manifest.read_manifest(tmp_path / 'checkpoints' / '16')['metrics']['loss'] == 1.0
  told = [row['step'] for row in read_metrics(tmp_path) if 'valid/loss' in row]
  assert told == [8, 16]


def test_a_stop_whose_save_failed_is_an_error_where_saves_must_not_fail(tmp_path, full_from):
  full_from(7)
  with pytest.raises(SaveError, match='checkpoint 7 could not be saved .*newest good step: 4'):
    stop_at(7, tmp_path)


# What is logged -------------------------------------------------------------------------------

MEANS = ('train/loss', 'train/gradient_norm', 'train/update_ratio')


def rows_of(folder, config, **options):
  """Step -> what was logged of the training of a whole run."""
  run_loop(folder, config, **options)
  return {row['step']: row for row in read_metrics(folder) if 'train/learning_rate' in row}


@pytest.mark.parametrize('train', [{}, {'accumulate_steps': 2}, {'parallel': 'pmap'}], ids=str)
def test_a_row_has_the_means_over_the_steps_since_the_row_before(train, tmp_path):
  config = make_config(**train)
  rows = rows_of(tmp_path / 'rows', config)
  config.runtime.log_every_steps = 1
  steps = rows_of(tmp_path / 'steps', config)
  assert list(rows) == [3, 6, 9, 12, 15, 16] and list(steps) == list(range(1, 17))
  for first, last in zip([0, 3, 6, 9, 12, 15], rows, strict=True):
    for name in MEANS:
      assert rows[last][name] == pytest.approx(
          np.mean([steps[step][name] for step in range(first + 1, last + 1)]), rel=1e-12)
    assert rows[last]['train/learning_rate'] == steps[last]['train/learning_rate']
  assert rows[3]['train/loss'] != steps[3]['train/loss']


@pytest.mark.parametrize('stop', [1, 4, 6, 7, 8])
def test_a_run_that_goes_on_logs_what_it_would_have_logged_anyway(stop, tmp_path):
  config = make_config()
  config.runtime.log_every_steps = 5
  whole = rows_of(tmp_path / 'whole', config)
  with pytest.raises(Preempted):
    run_loop(tmp_path / 'run', config, stop_at=stop)
  rows = rows_of(tmp_path / 'run', config)
  assert list(rows) == list(whole) == [5, 10, 15, 16]
  for step, row in rows.items():
    assert [row[name] for name in MEANS] == [whole[step][name] for name in MEANS]


@pytest.mark.parametrize('policy', ['skip', 'rollback'])
def test_steps_that_were_left_out_are_in_no_mean(policy, tmp_path):
  config = make_config(on_divergence=policy)
  rows = rows_of(tmp_path / 'rows', config, bad=[6, 7])
  config.runtime.log_every_steps = 1
  steps = rows_of(tmp_path / 'steps', config, bad=[6, 7])
  for name in MEANS:                                  # of the steps 7, 8 and 9 but the last is left
    assert rows[9][name] == steps[9][name]
    assert rows[6][name] == pytest.approx(np.mean([steps[step][name] for step in (4, 5, 6)]))


def test_nothing_is_fetched_from_the_devices_between_two_rows(tmp_path, monkeypatch):
  fetched, device_get = [], jax.device_get
  monkeypatch.setattr(divergence.jax, 'device_get',
                      lambda tree: fetched.append(tree) or device_get(tree))
  config = make_config()
  config.runtime.log_every_steps, config.runtime.checkpoint_every_steps = 8, 0
  run_loop(tmp_path, config)
  counts = [len(tree) for tree in fetched if isinstance(tree, list)]
  assert counts == [8, 8]                             # the steps of two rows, all at once
