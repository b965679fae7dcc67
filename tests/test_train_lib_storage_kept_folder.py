"""Folders that are computed once: whole, checked, one run at a time, gone on with after a stop."""

import os
import threading
import time

import pytest

from errors import UserError
from train_lib.storage import kept_folder
from train_lib.storage.kept_folder import open_kept


def keep(parent, about, fill, **options):
  return open_kept(parent, about, fill, what='numbers', key='runtime.features_dir', **options)


def write(content, calls=None):
  def fill(arrays, parts):
    del parts
    if calls is not None:
      calls.append(1)
    (arrays / 'a.txt').write_text(content)
    return {'told': content}
  return fill


def test_a_folder_is_made_once_for_what_decides_it(tmp_path):
  calls = []
  first, found = keep(tmp_path, {'a': 1}, write('x', calls))
  again, same = keep(tmp_path, {'a': 1}, write('y', calls))
  other, _ = keep(tmp_path, {'a': 2}, write('z', calls))
  assert first == again != other and found['told'] == same['told'] == 'x' and len(calls) == 2
  assert found['about'] == {'a': 1} and sorted(os.listdir(tmp_path)) == sorted(
      {first.name, other.name})


def test_a_stopped_run_leaves_nothing_whole_and_the_next_goes_on(tmp_path):
  def stopped(arrays, parts):
    (parts / '1').write_text('half')
    (arrays / 'a.txt').write_text('half')
    raise KeyboardInterrupt

  def go_on(arrays, parts):
    assert (parts / '1').read_text() == 'half' == (arrays / 'a.txt').read_text()
    (arrays / 'a.txt').write_text('whole')
    return {}

  with pytest.raises(KeyboardInterrupt):
    keep(tmp_path, {'a': 1}, stopped)
  assert all(name.startswith('.filling-') for name in os.listdir(tmp_path))
  folder, _ = keep(tmp_path, {'a': 1}, go_on)
  assert os.listdir(tmp_path) == [folder.name]
  assert sorted(os.listdir(folder)) == ['a.txt', 'manifest.json']


def test_a_changed_file_is_noticed_and_made_again(tmp_path, capsys):
  folder, _ = keep(tmp_path, {'a': 1}, write('x'))
  (folder / 'a.txt').write_text('y')
  keep(tmp_path, {'a': 1}, write('x'))
  assert (folder / 'a.txt').read_text() == 'x'
  assert 'a.txt differs from what was written' in capsys.readouterr().out


def test_a_second_run_waits_and_reads_what_the_first_has_made(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(kept_folder, '_WAIT_SEC', 0.01)
  begun, may_end, calls = threading.Event(), threading.Event(), []

  def slow(arrays, parts):
    begun.set()
    assert may_end.wait(20)
    return write('slow', calls)(arrays, parts)

  def poll():
    may_end.set()

  first = threading.Thread(target=keep, args=(tmp_path, {'a': 1}, slow))
  first.start()
  assert begun.wait(20)
  _, found = keep(tmp_path, {'a': 1}, write('quick', calls), poll=poll)
  first.join()
  assert found['told'] == 'slow' and len(calls) == 1
  assert 'another run is filling' in capsys.readouterr().out


def test_what_no_run_has_read_for_a_month_goes(tmp_path):
  old, _ = keep(tmp_path, {'a': 1}, write('x'))
  read, _ = keep(tmp_path, {'a': 2}, write('x'))
  (tmp_path / 'mine').mkdir()
  long_ago = time.time() - 31 * 86_400
  for path in (old, read, tmp_path / 'mine'):
    os.utime(path, (long_ago, long_ago))
  keep(tmp_path, {'a': 2}, write('x'))
  keep(tmp_path, {'a': 3}, write('x'))
  assert not old.exists() and read.exists() and (tmp_path / 'mine').exists()


def test_an_old_folder_that_may_not_be_removed_is_no_obstacle(tmp_path, monkeypatch):
  old, _ = keep(tmp_path, {'a': 1}, write('x'))
  os.utime(old, (0, 0))
  rmtree = kept_folder.shutil.rmtree

  def refuse(path, **options):
    if path == old:
      raise PermissionError(13, 'Permission denied', str(path))
    rmtree(path, **options)

  monkeypatch.setattr(kept_folder.shutil, 'rmtree', refuse)
  assert keep(tmp_path, {'a': 2}, write('y'))[1]['told'] == 'y' and old.exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='--config.runtime.features_dir='):
    keep(tmp_path / 'file', {'a': 1}, write('x'))
