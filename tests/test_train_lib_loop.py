"""A run that is asked to stop: what it saves, and from where it says that it goes on."""

import errno

import pytest

from tests.small_loops import make_config, run_loop
from train_lib.preemption import Preempted
from train_lib.storage import array_files
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


def test_a_stop_whose_save_failed_is_an_error_where_saves_must_not_fail(tmp_path, full_from):
  full_from(7)
  with pytest.raises(SaveError, match='checkpoint 7 could not be saved .*newest good step: 4'):
    stop_at(7, tmp_path)
