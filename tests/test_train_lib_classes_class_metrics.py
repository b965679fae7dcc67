"""The figures of classes are scikit-learn's, also of classes that nobody has or says."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from train_lib.classes import class_metrics
from train_lib.classes.class_collector import ClassCollector

CLASSES = 8                       # 5 has no picture, 6 is never said, 7 neither


def make_rows(rows=300, seed=0):
  rng = np.random.default_rng(seed)
  label = rng.choice([0, 1, 2, 3, 4, 6], size=rows, p=[0.5, 0.2, 0.1, 0.1, 0.07, 0.03])
  logits = rng.normal(size=(rows, CLASSES)) + 2 * np.eye(CLASSES)[label]
  logits[:, 6:] = -9.0 - rng.random((rows, 2))
  probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
  return probabilities.astype(np.float32), label


def collect(probabilities, label, **truths):
  collector = ClassCollector(len(label), probabilities.shape[1])
  for rows in np.array_split(np.arange(len(label)), 7):
    collector.add({'probabilities': probabilities[rows]},
                  {'label': label[rows], **{key: value[rows] for key, value in truths.items()}},
                  [f'p{row}' for row in rows], rows)
  return collector.finish()


PROBABILITIES, LABEL = make_rows()
COLLECTED = collect(PROBABILITIES, LABEL)
SAID = PROBABILITIES.argmax(axis=1)


def test_figures_are_scikit_learns():
  figures = class_metrics.figures(COLLECTED, CLASSES)
  assert set(SAID) - set(LABEL) == {5} and set(LABEL) - set(SAID) == {6}
  for average in ('macro', 'weighted'):
    expected = sklearn_metrics.precision_recall_fscore_support(
        LABEL, SAID, labels=np.unique(LABEL), average=average, zero_division=0)
    for name, value in zip(('precision', 'recall', 'f1'), expected[:3], strict=True):
      assert figures[f'{average}_{name}'] == pytest.approx(value, abs=1e-12), name
  assert figures['accuracy'] == sklearn_metrics.accuracy_score(LABEL, SAID)
  with pytest.warns(UserWarning, match='not in y_true'):
    assert figures['balanced_accuracy'] == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(LABEL, SAID), abs=1e-12)
  every = np.arange(CLASSES)
  assert figures['top_5_accuracy'] == sklearn_metrics.top_k_accuracy_score(
      LABEL, PROBABILITIES, k=5, labels=every)
  assert figures['nll'] == pytest.approx(
      sklearn_metrics.log_loss(LABEL, PROBABILITIES, labels=every), rel=1e-5)
  assert figures['brier'] == pytest.approx(
      np.square(PROBABILITIES - np.eye(CLASSES)[LABEL]).sum(axis=1).mean(), rel=1e-5)


def test_all_who_judge_the_same_pictures_are_averaged_over_the_same_classes():
  label = np.array([0, 0, 1, 1])
  once_absent, never = (class_metrics.figures(collect(np.eye(3, dtype=np.float32)[said], label), 3)
                        for said in ([0, 0, 1, 2], [0, 0, 1, 1]))
  assert never['macro_recall'] == never['macro_precision'] == 1
  assert once_absent['macro_recall'] == once_absent['balanced_accuracy'] == 0.75
  assert once_absent['macro_precision'] == 1
  assert once_absent['macro_f1'] == pytest.approx((1 + 2 / 3) / 2)


def test_the_table_is_scikit_learns():
  every = np.arange(CLASSES)
  table = class_metrics.class_table(COLLECTED, CLASSES)
  expected = sklearn_metrics.precision_recall_fscore_support(
      LABEL, SAID, labels=every, average=None, zero_division=0)
  for name, value in zip(('precision', 'recall', 'f1', 'support'), expected, strict=True):
    np.testing.assert_allclose(getattr(table, name), value, atol=1e-12, err_msg=name)
  np.testing.assert_array_equal(table.predicted, np.bincount(SAID, minlength=CLASSES))


def test_confusions_are_scikit_learns_without_the_diagonal_by_falling_count():
  matrix = sklearn_metrics.confusion_matrix(LABEL, SAID, labels=np.arange(CLASSES))
  np.fill_diagonal(matrix, 0)
  pairs = class_metrics.confusions(COLLECTED, CLASSES)
  assert (np.diff(pairs.count) <= 0).all() and pairs.count.min() > 0
  rebuilt = np.zeros_like(matrix)
  rebuilt[pairs.label, pairs.predicted] = pairs.count
  np.testing.assert_array_equal(rebuilt, matrix)


@pytest.mark.parametrize('seed', range(3))
def test_reliability_is_counted_bin_by_bin(seed):
  probabilities, label = make_rows(seed=seed)
  collected = collect(probabilities, label)
  bins = class_metrics.reliability(collected)
  confidence = probabilities.max(axis=1).astype(np.float64)
  right, error = probabilities.argmax(axis=1) == label, 0.0
  for m in range(class_metrics.BINS):
    inside = (confidence > m / class_metrics.BINS) & (confidence <= (m + 1) / class_metrics.BINS)
    assert bins.count[m] == inside.sum()
    if inside.any():
      assert bins.accuracy[m] == pytest.approx(right[inside].mean())
      assert bins.confidence[m] == pytest.approx(confidence[inside].mean())
      error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
  assert class_metrics.figures(collected, CLASSES)['calibration_error'] == pytest.approx(error)


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_as_far_as_can_be():
  for right, expected in ((True, 0.0), (False, 1.0)):
    said = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    label = np.array([0, 1, 2, 0]) if right else np.array([1, 2, 0, 1])
    figures = class_metrics.figures(collect(said, label), 3)
    assert figures['calibration_error'] == expected and figures['accuracy'] == 1 - expected
    assert figures['brier'] == 2 * expected
    assert np.isfinite(figures['nll']) and (figures['nll'] > 80) == (not right)
  assert 'top_5_accuracy' not in figures


def test_half_sure_and_half_right_is_calibrated():
  said = np.full((4, 2), 0.5, np.float32)
  assert class_metrics.figures(collect(said, np.array([0, 1, 0, 1])), 2)['calibration_error'] == 0


def test_the_truth_before_flips_is_measured_beside_the_labels():
  drawn = SAID.copy()
  drawn[:30] = (SAID[:30] + 1) % CLASSES
  figures = class_metrics.figures(collect(PROBABILITIES, LABEL, drawn_label=drawn), CLASSES)
  assert figures['drawn_accuracy'] == pytest.approx(0.9)
  assert figures['drawn_macro_f1'] == pytest.approx(
      sklearn_metrics.f1_score(drawn, SAID, labels=np.unique(drawn), average='macro',
                               zero_division=0))
  assert 'drawn_accuracy' not in class_metrics.figures(COLLECTED, CLASSES)


def test_ten_thousand_classes_cost_no_table():
  rng, classes = np.random.default_rng(0), 10_000
  label = rng.integers(classes, size=64)
  probabilities = rng.random((64, classes)).astype(np.float32)
  probabilities[np.arange(64), label] = 2.0
  probabilities /= probabilities.sum(axis=1, keepdims=True)
  collected = collect(probabilities, np.where(np.arange(64) < 16, (label + 1) % classes, label))
  assert class_metrics.figures(collected, classes)['accuracy'] == 0.75
  assert len(class_metrics.confusions(collected, classes).count) == 16


def test_no_rows_give_zeros():
  empty = collect(np.zeros((0, 6), np.float32), np.zeros(0, int))
  assert set(class_metrics.figures(empty, 6).values()) == {0.0}
