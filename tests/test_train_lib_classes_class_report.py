"""A classifier's table and files: figures as scikit-learn's, rows beside the net, what is drawn."""

import dataclasses
import os

import numpy as np
import pytest
from etils import epath
from PIL import Image
from sklearn.metrics import accuracy_score, log_loss, precision_recall_fscore_support

from tests.small_classes import NAMES, MeanColour, Split, make_task, make_variables, measure
from tests.tables import read_csv
from train_lib.classes import class_baselines, class_report, class_report_files


@pytest.fixture(scope='module')
def measured():
  return measure()


@pytest.fixture(scope='module')
def folder(measured, tmp_path_factory):
  folder = epath.Path(tmp_path_factory.mktemp('run'))
  class_report_files.write_report(folder, measured, Split(90, 0), Split(50, 2), lambda: None)
  return folder


def predicted(split):
  pixels = (split.images.astype(np.float32) - 128) / 64
  head = make_variables()['params']['head']
  return (pixels.mean(axis=(1, 2)) @ head['kernel'] + head['bias']).argmax(axis=1)


def test_rows_are_the_net_and_what_it_must_beat(measured):
  assert list(measured.rows) == ['net', 'most frequent class', 'colour histogram']
  test = Split(50, 2)
  assert measured.rows['net']['accuracy'] == pytest.approx(
      accuracy_score(test.label, predicted(test)))
  assert measured.rows['net']['accuracy'] > measured.rows['most frequent class']['accuracy']
  assert measured.valid['accuracy'] == pytest.approx(
      accuracy_score(Split(20, 1).label, predicted(Split(20, 1))))
  assert list(measure(with_baselines=False).rows) == ['net']


def test_the_most_frequent_class_is_that_of_training(measured):
  row, shares = measured.rows['most frequent class'], class_baselines.class_shares(
      Split(90, 0).count_tags())
  label = Split(50, 2).label
  assert row['accuracy'] == pytest.approx((label == shares.argmax()).mean())
  assert row['nll'] == pytest.approx(log_loss(label, np.tile(shares, (50, 1)), labels=range(4)),
                                     rel=1e-5)


def test_a_class_without_a_training_picture_is_not_impossible():
  shares = class_baselines.class_shares(np.array([7, 0, 1]))
  assert shares.min() > 0 and shares.sum() == pytest.approx(1)


def test_every_row_tells_its_costs(measured):
  net, constant, colours = measured.rows.values()
  assert (net['parameters'], net['file_bytes']) == (16, 64)
  assert (constant['parameters'], constant['file_bytes']) == (4, 16)
  assert colours['parameters'] == 4 * (6 ** 3 + 1)
  assert net['pictures_per_sec'] > 0 and colours['pictures_per_sec'] > 0


def test_regression_gives_classes_it_never_met_nothing():
  rng = np.random.default_rng(0)
  histograms = rng.random((120, 20)).astype(np.float32)
  labels = np.where(histograms[:, 0] > 0.5, 3, 1)
  guess = class_baselines.ColourRegression(histograms, labels, 5).predict(histograms)
  assert accuracy_score(labels, guess.argmax(axis=1)) > 0.9
  np.testing.assert_allclose(guess.sum(axis=1), 1, rtol=1e-5)
  assert (guess[:, [0, 2, 4]] == 0).all()


def test_regression_is_learned_until_it_can_be_stopped_no_more_or_has_converged():
  histograms = np.random.default_rng(0).random((60, 5)).astype(np.float32)
  polled = []
  class_baselines.ColourRegression(histograms, np.arange(60) % 3, 3, lambda: polled.append(1))
  assert 1 <= len(polled) <= class_baselines.ROUNDS
  with pytest.raises(InterruptedError):
    class_baselines.ColourRegression(histograms, np.arange(60) % 3, 3, poll=interrupt)


def interrupt():
  raise InterruptedError


def test_a_batch_of_unreadable_pictures_takes_no_row_away():
  test = Split(9, 2)
  read = test.make_batch

  def make_batch(k):
    batch = read(k)
    return {**batch, 'mask': np.zeros_like(batch['mask'])} if k else batch

  test.make_batch = make_batch
  assert list(measure(test=test).rows) == ['net', 'most frequent class', 'colour histogram']


def test_there_is_no_regression_of_one_class_or_of_too_many(monkeypatch, capsys):
  one = Split(20, 0, shares=(1.0,))
  assert class_baselines.fit(make_task(), one, lambda: None) == {}
  monkeypatch.setattr(class_baselines, 'MOST_CLASSES', 3)
  assert class_baselines.fit(make_task(), Split(20, 0), lambda: None) == {}
  assert '3 classes at most' in capsys.readouterr().out


def test_classes_csv_holds_what_scikit_learn_says(folder):
  rows, test = read_csv(folder / 'evaluation' / 'classes.csv'), Split(50, 2)
  assert tuple(row['class'] for row in rows) == NAMES
  expected = precision_recall_fscore_support(test.label, predicted(test), labels=range(4),
                                             zero_division=0)
  for name, values in zip(('precision', 'recall', 'f1', 'test_pictures'), expected, strict=True):
    np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-5)
  assert [int(row['train_pictures']) for row in rows] == Split(90, 0).count_tags().tolist()
  for k, row in enumerate(rows):
    wrong = predicted(test)[(test.label == k) & (predicted(test) != k)]
    counts = np.bincount(wrong, minlength=4)
    assert int(row['confused_pictures']) == counts.max()
    assert row['most_confused_with'] == (NAMES[counts.argmax()] if counts.any() else '')


def test_confusion_csv_has_every_mistake_once(folder):
  rows, test = read_csv(folder / 'evaluation' / 'confusion.csv'), Split(50, 2)
  found = {(row['class'], row['predicted']): int(row['pictures']) for row in rows}
  expected = {}
  for label, said in zip(test.label, predicted(test), strict=True):
    if label != said:
      pair = NAMES[label], NAMES[said]
      expected[pair] = expected.get(pair, 0) + 1
  assert found == expected != {}
  assert [int(row['pictures']) for row in rows] == sorted(found.values(), reverse=True)


def test_pictures_are_drawn(folder):
  names = set(os.listdir(folder / 'pictures'))
  assert names == {'confusion.png', 'f1_by_class.png', 'calibration.png', 'predictions.png',
                   'mistakes.png', 'activation.png'}
  for name in names:
    assert np.asarray(Image.open(folder / 'pictures' / name)).std() > 5, name


def test_of_many_classes_f1_by_frequency_is_drawn_too(measured, tmp_path, monkeypatch):
  monkeypatch.setattr(class_report_files.class_plots, 'ALL_NAMED', 3)
  class_report_files.write_report(epath.Path(tmp_path), measured, Split(90, 0), Split(50, 2),
                                  lambda: None)
  assert (tmp_path / 'pictures' / 'f1_by_frequency.png').exists()


def test_the_table_and_the_worst_confusion_are_said(measured, tmp_path, capsys):
  class_report_files.write_report(epath.Path(tmp_path), measured, Split(90, 0), Split(50, 2),
                                  lambda: None)
  said = capsys.readouterr().out
  assert 'test split, 50 pictures, 4 classes' in said and 'most frequent class' in said
  first = read_csv(tmp_path / 'evaluation' / 'confusion.csv')[0]
  assert f'{first["class"]} taken for {first["predicted"]} ({first["pictures"]} of ' in said


def test_classes_without_a_test_picture_are_told_below_the_table(measured, tmp_path, capsys):
  some = Split(20, 2, shares=(0.5, 0.5))
  for report, test in ((measured, Split(50, 2)), (measure(with_baselines=False, test=some), some)):
    class_report_files.write_report(epath.Path(tmp_path), report, Split(90, 0), test, lambda: None)
    note = 'macro figures are over the 2 of 4 classes that have test pictures\n'
    assert (note in capsys.readouterr().out) == (test is some)


def test_without_a_mistake_or_a_map_the_older_sheets_go(tmp_path, capsys):
  class Opaque(MeanColour):
    """The same net, which does not show its feature map."""
    def __call__(self, image, *, train):
      return super().__call__(image, train=train)[0], {}

  splits = {'test': Split(20, 2, noise=0, shares=(0.5, 0.5))}
  report = measure(make_task(Opaque()), with_baselines=False, **splits)
  assert report.rows['net']['accuracy'] == 1 and report.activations is None
  (tmp_path / 'pictures').mkdir()
  for name in ('mistakes', 'activation'):
    (tmp_path / 'pictures' / f'{name}.png').write_bytes(b'of a run before')
  class_report_files.write_report(epath.Path(tmp_path), report, Split(90, 0), splits['test'],
                                  lambda: None)
  names = set(os.listdir(tmp_path / 'pictures'))
  assert 'predictions.png' in names and not names & {'mistakes.png', 'activation.png'}
  said = capsys.readouterr().out
  assert 'no class activation map' in said and 'confused:' not in said


def test_figures_before_flips_stand_where_labels_were_flipped(measured):
  net = measured.rows['net']
  for drawn, shown in (({}, False), ({'drawn_accuracy': net['accuracy']}, False),
                       ({'drawn_accuracy': 0.987}, True)):
    table = class_report.format_table({'net': {**net, **drawn}})
    assert ('flips' in table and '0.9870' in table) == shown


def test_unreadable_pictures_leave_no_gap_in_the_sheets(measured, tmp_path):
  class Broken(Split):
    def example(self, index):
      return None if index % 2 else super().example(index)

  report = dataclasses.replace(measured, activations=None)
  class_report_files.write_report(epath.Path(tmp_path), report, Split(90, 0), Broken(50, 2),
                                  lambda: None)
  assert (tmp_path / 'pictures' / 'predictions.png').exists()
