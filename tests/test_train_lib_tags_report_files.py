"""The files that a run leaves of its test split: tables read back, plots and sheets drawn."""

import dataclasses
import os

import numpy as np
import pytest
from etils import epath
from PIL import Image

from tests.tables import read_csv
from tests.test_train_lib_tags_report import CATEGORIES, TAGS, Split, measure
from train_lib.tags import report_files
from train_lib.tags.metrics import THRESHOLDS


@pytest.fixture(scope='module')
def measured():
  return measure()


@pytest.fixture(scope='module')
def folder(measured, tmp_path_factory):
  folder = epath.Path(tmp_path_factory.mktemp('run'))
  report_files.write_report(folder, measured, Split(90, 0), Split(50, 2), lambda: None)
  return folder


def numbers(rows, key):
  return np.array([float(row[key] or 'nan') for row in rows])


def test_tags_csv_has_a_row_for_every_tag(folder, measured):
  rows = read_csv(folder / 'evaluation' / 'tags.csv')
  assert [row['tag'] for row in rows] == [f'tag {index}' for index in range(TAGS)]
  assert tuple(row['category'] for row in rows) == CATEGORIES
  np.testing.assert_array_equal(numbers(rows, 'train_pictures'), Split(90, 0).labels.sum(axis=0))
  np.testing.assert_array_equal(numbers(rows, 'test_pictures'), Split(50, 2).labels.sum(axis=0))
  assert rows[-1]['ap'] == '' and rows[-1]['test_pictures'] == '0'
  assert set(numbers(rows, 'own_threshold').tolist()) <= set(THRESHOLDS)


def test_tags_csv_sums_to_the_table(folder, measured):
  rows = [row for row in read_csv(folder / 'evaluation' / 'tags.csv')
          if row['category'] != 'rating']
  net, constant = measured.rows['net'], measured.rows['constant']
  for column, mean in (('ap', net['map']), ('f1', net['macro_f1']),
                       ('precision', net['macro_precision']), ('recall', net['macro_recall']),
                       ('f1_own', net['macro_f1_own']), ('constant_ap', constant['map']),
                       ('constant_f1_own', constant['macro_f1_own'])):
    assert np.nanmean(numbers(rows, column)) == pytest.approx(mean, abs=1e-5), column
  true, recall, precision = (numbers(rows, key) for key in
                             ('test_pictures', 'recall_tuned', 'precision_tuned'))
  hits = true * recall
  given = np.divide(hits, precision, out=np.zeros_like(hits), where=precision > 0)
  assert hits.sum() / true.sum() == pytest.approx(net['micro_recall_tuned'], abs=1e-5)
  assert (2 * hits / np.maximum(true + given, 1) == pytest.approx(numbers(rows, 'f1_tuned'),
                                                                  abs=1e-5))


def test_categories_csv_begins_with_all(folder, measured):
  rows = read_csv(folder / 'evaluation' / 'categories.csv')
  assert [row['category'] for row in rows] == ['all', 'rating', 'general', 'character', 'artist']
  assert float(rows[0]['micro_f1_tuned']) == pytest.approx(
      measured.rows['net']['micro_f1_tuned'], abs=1e-6)
  for key in ('map', 'map_error', 'constant_map'):            # its one tag is in no picture
    assert rows[4][key] == '' != rows[3][key], key


def test_pictures_are_drawn(folder):
  names = set(os.listdir(folder / 'pictures'))
  assert names == {'predictions.png', 'best.png', 'worst.png', 'confident_wrong.png',
                   'f1_by_frequency.png', 'precision_recall.png', 'tag_frequencies.png'}
  for name in names:
    assert np.asarray(Image.open(folder / 'pictures' / name)).std() > 5, name


def test_best_and_worst_are_sorted_as_their_titles_say(measured, tmp_path, monkeypatch):
  told = {}
  monkeypatch.setattr(report_files, 'tag_sheet', lambda *_, title, captions, **__: (
      told.update({title: captions}), Image.new('RGB', (2, 2)))[1])
  report_files.write_report(epath.Path(tmp_path), measured, Split(90, 0), Split(50, 2),
                            lambda: None)
  for title, falling in (('the best F1 first', True), ('the worst F1 first', False)):
    captions, = [captions for key, captions in told.items() if title in key]
    assert list(captions) == sorted(captions, reverse=falling)


def test_every_sheet_names_the_files_of_its_pictures(measured, tmp_path, monkeypatch):
  told = []
  monkeypatch.setattr(report_files, 'tag_sheet', lambda *_, ids, **__: (
      told.append(ids), Image.new('RGB', (2, 2)))[1])
  report_files.write_report(epath.Path(tmp_path), measured, Split(90, 0), Split(50, 2),
                            lambda: None)
  picks = measured.outcome.collected.picks
  assert told == [[pick.id for pick in picks[kind]] for kind in report_files.SHEETS]


def test_the_tables_are_said(measured, tmp_path, capsys):
  report_files.write_report(epath.Path(tmp_path), measured, Split(90, 0), Split(50, 2),
                            lambda: None)
  said = capsys.readouterr().out
  ratings = CATEGORIES.count('rating')
  assert f'test split, 50 pictures, {TAGS - ratings} tags and {ratings} ratings; ' in said
  assert [line.split()[1] for line in said.splitlines() if line.startswith('all ')] == [
      str(TAGS - ratings)]
  assert 'colour histogram' in said and 'character' in said
  assert f'{tmp_path}/evaluation/tags.csv' in said


def test_a_threshold_of_zero_is_said_to_take_every_tag(measured, tmp_path, capsys):
  changed = dataclasses.replace(measured, thresholds={'micro': 0.34, 'macro': 0.0})
  report_files.write_report(epath.Path(tmp_path), changed, Split(90, 0), Split(50, 2),
                            lambda: None)
  assert ('thresholds 0.34 (micro) and 0 (macro: every tag is taken) tuned on '
          in capsys.readouterr().out)


def test_a_sheet_without_a_picture_of_its_kind_is_taken_away(measured, tmp_path):
  (tmp_path / 'pictures').mkdir()
  (tmp_path / 'pictures' / 'best.png').write_bytes(b'of a run before')
  collected = dataclasses.replace(measured.outcome.collected,
                                  picks={**measured.outcome.collected.picks, 'best': []})
  outcome = dataclasses.replace(measured.outcome, collected=collected)
  changed = dataclasses.replace(measured, outcome=outcome)
  report_files.write_report(epath.Path(tmp_path), changed, Split(90, 0), Split(50, 2),
                            lambda: None)
  assert not (tmp_path / 'pictures' / 'best.png').exists()
  assert (tmp_path / 'pictures' / 'worst.png').exists()


def test_without_baselines_the_tables_have_no_constant(tmp_path):
  report_files.write_report(epath.Path(tmp_path), measure(with_baselines=False), Split(90, 0),
                            Split(50, 2), lambda: None)
  assert 'constant_ap' not in read_csv(tmp_path / 'evaluation' / 'tags.csv')[0]
  assert 'constant_map' not in read_csv(tmp_path / 'evaluation' / 'categories.csv')[0]
