"""The files of a benchmark: columns, going on, and rows that were measured elsewhere."""

import csv
import json

import pytest

from errors import UserError
from train_lib import code_versions
from train_lib.storage import records
from train_lib.throughput import report, rows

HERE = {'sources': 'a', 'versions': {'jax': '1'}, 'devices': {'kind': 'cpu', 'count': 1}}


class Case:
  """One that is known by the name of its settings. Args: devices: of the row."""

  def __init__(self, settings='x', devices=1):
    self.settings, self.devices, self.digest = settings, devices, f'{settings} on {devices}'

  def digest_on(self, devices):
    return Case(self.settings, devices).digest


def row(settings='x', devices=1, **figures):
  return {'model': 'net', 'img_size': 32, 'dtype': 'float32', 'devices': devices,
          'asked_batch_size': 8, 'config_digest': Case(settings, devices).digest, **figures}


def open_table(folder, environment=HERE, cases=()):
  return rows.Table(records.absolute(folder), environment, cases)


def test_columns_have_timms_names():
  for name in ('model', 'infer_samples_per_sec', 'infer_step_time', 'infer_batch_size',
               'infer_img_size', 'infer_gmacs', 'param_count', 'train_samples_per_sec',
               'train_step_time', 'train_batch_size', 'train_img_size'):
    assert name in rows.COLUMNS
  assert len(set(rows.COLUMNS)) == len(rows.COLUMNS)


def test_a_row_is_in_both_files_as_soon_as_it_is_there(tmp_path):
  open_table(tmp_path).add(row(train_samples_per_sec=12.5, error='does not fit'))
  found = json.loads((tmp_path / 'benchmark.json').read_text())
  assert found['environment'] == HERE and found['rows'][0]['train_samples_per_sec'] == 12.5
  assert 'infer_gmacs' not in found['rows'][0]
  with open(tmp_path / 'benchmark.csv', newline='') as file:
    line, = csv.DictReader(file)
  assert tuple(line) == rows.COLUMNS
  assert line['train_samples_per_sec'] == '12.5' and line['infer_gmacs'] == ''


def test_no_figure_is_left_out_of_the_csv(tmp_path):
  open_table(tmp_path).add(row(train_step_time=1.0))
  assert set(json.loads((tmp_path / 'benchmark.json').read_text())['rows'][0]) <= {*rows.COLUMNS}


def test_rows_that_are_there_are_found_again(tmp_path):
  open_table(tmp_path).add(row('x'))
  again = open_table(tmp_path)
  assert again.find(Case('x'))['model'] == 'net' and again.find(Case('y')) is None


def test_rows_of_other_versions_are_put_aside(tmp_path, capsys):
  open_table(tmp_path).add(row('x'))
  table = open_table(tmp_path, {**HERE, 'versions': {'jax': '2'}})
  assert table.find(Case('x')) is None and 'since versions changed' in capsys.readouterr().out
  table.add(row('y'))
  before = json.loads((tmp_path / 'benchmark.1.json').read_text())
  assert before['environment'] == HERE and len(before['rows']) == 1
  assert [one['config_digest'] for one in open_table(
      tmp_path, {**HERE, 'versions': {'jax': '2'}}).rows] == [Case('y').digest]


def test_a_damaged_file_is_told(tmp_path):
  (tmp_path / 'benchmark.json').write_text('{"rows": 3}')
  with pytest.raises(UserError, match='benchmark.json is damaged'):
    open_table(tmp_path)


def test_more_devices_are_compared_with_the_fewest_in_whatever_order_they_come(tmp_path):
  table = open_table(tmp_path, cases=[Case(devices=devices) for devices in (4, 1, 2)])
  for devices, rate in ((4, 60.0), (1, 100.0), (2, 90.0)):
    table.add(row(devices=devices, train_samples_per_sec_per_device=rate))
  assert [one.get('train_scaling_frac') for one in table.rows] == [0.6, None, 0.9]
  again = open_table(tmp_path, cases=[Case(devices=4)])                 # the others were kept
  again.write()
  assert json.loads((tmp_path / 'benchmark.json').read_text())['rows'][0][
      'train_scaling_frac'] == 0.6


def test_rows_that_differ_in_more_than_devices_are_not_compared(tmp_path):
  table = open_table(tmp_path, cases=[Case('seven workers', 1), Case('adam', 4)])
  table.add(row('seven workers', train_samples_per_sec_per_device=100.0))
  table.add(row('adam', devices=4, train_samples_per_sec_per_device=5.0))
  assert 'train_scaling_frac' not in table.rows[1]


def test_a_folder_is_tried_before_anything_is_made_in_it(tmp_path):
  rows.check_folder(records.absolute(tmp_path / 'new' / 'deep'))
  assert list(tmp_path.iterdir()) == []
  (tmp_path / 'taken').write_text('')
  with pytest.raises(UserError, match='taken is a file; name a folder with --output='):
    rows.check_folder(records.absolute(tmp_path / 'taken'))
  with pytest.raises(UserError, match='taken/deep cannot be written into'):
    rows.check_folder(records.absolute(tmp_path / 'taken' / 'deep'))


def test_the_table_names_rows_and_says_what_was_not_measured(tmp_path, capsys):
  table = open_table(tmp_path)
  table.add(row('x', train_samples_per_sec=12.5, train_batch_size=8, bound_by='compute: 70%'))
  table.add({**row('y', error='does not fit into memory'), 'asked_batch_size': 512})
  report.finish(records.absolute(tmp_path), table, table.rows, with_plots=False)
  said = capsys.readouterr().out
  assert 'net 32 px float32 x 1 batch 8: bound by compute: 70%' in said and '12.5' in said
  assert 'net 32 px float32 x 1 batch 512: does not fit into memory' in said


def test_a_change_of_any_source_is_another_digest(tmp_path, monkeypatch):
  monkeypatch.setattr(code_versions, 'ROOT', tmp_path)
  (tmp_path / 'nets').mkdir()
  digests = []
  for text in ('a = 1', 'a = 2', 'a = 1'):
    (tmp_path / 'nets' / 'one.py').write_text(text)
    digests.append(code_versions.sources_digest())
  assert digests[0] == digests[2] != digests[1]
