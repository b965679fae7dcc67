import json
import os

import numpy as np
import pytest

from train_lib.storage import records


def test_json_is_strict_and_takes_numpy_and_paths(tmp_path):
  records.write_json(tmp_path / 'a.json', {
    'a': np.float32(0.5), 'b': np.arange(2), 'c': float('inf'), 'd': (1, tmp_path), 'e': True,
    3: np.float64('nan'), 'f': np.bool_(True)})
  assert json.loads((tmp_path / 'a.json').read_text()) == {
    'a': 0.5, 'b': [0, 1], 'c': None, 'd': [1, str(tmp_path)], 'e': True, '3': None, 'f': True}


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
  path = tmp_path / 'a.json'
  records.write_json(path, {'old': 1})

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', full)
  with pytest.raises(OSError):
    records.write_json(path, {'new': 1})
  assert records.read_json(path) == {'old': 1}
  assert os.listdir(tmp_path) == ['a.json']


def test_files_are_readable_by_others_as_the_umask_says(tmp_path):
  before = os.umask(0o027)
  try:
    records.write_json(tmp_path / 'a.json', {})
  finally:
    os.umask(before)
  assert (tmp_path / 'a.json').stat().st_mode & 0o777 == 0o640


def test_a_torn_last_line_is_left_out_and_does_not_spoil_the_next(tmp_path, caplog):
  path = tmp_path / 'metrics.jsonl'
  assert records.read_jsonl(path) == []
  records.append_jsonl(path, [{'step': 1}, {'step': 2}])
  with open(path, 'a') as file:
    file.write('{"step": 3, "lo')
  assert records.read_jsonl(path) == [{'step': 1}, {'step': 2}]
  assert 'left out 1 unreadable line' in caplog.text
  records.append_jsonl(path, [{'step': 4, 'loss': float('nan')}])
  records.append_jsonl(path, [])
  assert records.read_jsonl(path) == [{'step': 1}, {'step': 2}, {'step': 4, 'loss': None}]


def test_bytes_that_are_no_text_are_a_torn_line_too(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  path.write_bytes(b'{"step": 1}\n\xff\x00\xfe\n5\n{"step": 2}\n')
  assert records.read_jsonl(path) == [{'step': 1}, {'step': 2}]


def test_no_step_stands_twice_after_a_resume(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  records.append_jsonl(path, [{'note': 'x'}, *({'step': step} for step in (10, 20, 30))])
  with open(path, 'a') as file:
    file.write('{"st')
  assert records.drop_rows_after(path, 20) == 1
  records.append_jsonl(path, [{'step': 30}])
  assert records.read_jsonl(path) == [{'note': 'x'}, {'step': 10}, {'step': 20}, {'step': 30}]
  assert records.drop_rows_after(tmp_path / 'none.jsonl', 0) == 0
