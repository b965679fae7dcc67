"""The figures are scikit-learn's, and thresholds are those of the rows they were tuned on."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support

from train_lib.tags import metrics, tag_counts
from train_lib.tags.metrics import THRESHOLDS, Thresholds
from train_lib.tags.tag_counts import TagScores

TAGS, ROWS = 14, 300


def make_rows(seed=0):
  """Probabilities with ties, and labels; the last tag but one never occurs."""
  rng = np.random.default_rng(seed)
  labels = rng.random((ROWS, TAGS)) < np.geomspace(0.5, 0.01, TAGS)
  labels[:, -2] = False
  probabilities = np.round(np.clip(0.3 * labels + rng.random((ROWS, TAGS)) * 0.6, 0, 1), 2)
  return probabilities.astype(np.float32), labels


def count(probabilities, labels):
  scores = TagScores(len(labels), labels.shape[1])
  scores.add(probabilities, labels)
  return scores.finish()


WHICH = np.arange(TAGS) % 3 > 0
THREE = Thresholds(micro=0.31, macro=0.62, own=np.array(THRESHOLDS)[20 + 3 * np.arange(TAGS)])


def sklearn_figures(probabilities, labels, thresholds):
  """Every figure of `metrics.figures`, from scikit-learn alone."""
  some = labels.any(axis=0)
  result = {'map': average_precision_score(labels[:, some], probabilities[:, some]),
            'map_error': 0.0}
  for suffix, micro, macro in (('', 0.5, 0.5), ('_tuned', thresholds.micro, thresholds.macro)):
    for average, threshold in (('micro', micro), ('macro', macro)):
      values = precision_recall_fscore_support(
          labels, probabilities > threshold, average=average, zero_division=0)
      for name, value in zip(('precision', 'recall', 'f1'), values[:3], strict=True):
        result[f'{average}_{name}{suffix}'] = value
  result['macro_f1_own'] = f1_score(labels, probabilities > thresholds.own.astype(np.float32),
                                    average='macro', zero_division=0)
  return result


@pytest.mark.parametrize('which', [WHICH, np.ones(TAGS, bool)])
def test_figures_are_scikit_learns(which):
  probabilities, labels = make_rows()
  figures = metrics.figures(count(probabilities, labels), which, THREE)
  only = Thresholds(THREE.micro, THREE.macro, THREE.own[which])
  expected = sklearn_figures(probabilities[:, which], labels[:, which], only)
  assert figures == pytest.approx(expected, abs=1e-12)


def test_histograms_change_average_precision_alone(monkeypatch):
  probabilities, labels = make_rows()
  exact = metrics.figures(count(probabilities, labels), WHICH, THREE)
  monkeypatch.setattr(tag_counts, 'EXACT_SCORES', 0)
  bounded = metrics.figures(count(probabilities, labels), WHICH, THREE)
  differing = {key for key, value in exact.items() if bounded[key] != value}
  assert differing == {'map', 'map_error'}
  assert abs(bounded['map'] - exact['map']) <= bounded['map_error'] < 0.1


def test_figures_of_tags_are_scikit_learns():
  probabilities, labels = make_rows()
  found = metrics.tag_figures(count(probabilities, labels), THREE.own)
  expected = precision_recall_fscore_support(
      labels, probabilities > THREE.own.astype(np.float32), average=None, zero_division=0)
  for one, other in zip(found, expected[:3], strict=True):
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_common_thresholds_are_the_best_of_all():
  probabilities, labels = make_rows()
  tuned = metrics.tune(count(probabilities, labels), WHICH)
  for average, threshold in (('micro', tuned.micro), ('macro', tuned.macro)):
    f1 = [f1_score(labels[:, WHICH], probabilities[:, WHICH] > other, average=average,
                   zero_division=0) for other in THRESHOLDS]
    assert threshold == THRESHOLDS[int(np.argmax(f1))]


def test_own_thresholds_are_the_best_and_among_these_nearest_to_the_common_one():
  probabilities, labels = make_rows()
  tuned = metrics.tune(count(probabilities, labels), WHICH)
  common = THRESHOLDS.index(tuned.macro)
  f1 = np.array([f1_score(labels, probabilities > other, average=None, zero_division=0)
                 for other in THRESHOLDS])
  for tag in range(TAGS):
    best = np.flatnonzero(f1[:, tag] == f1[:, tag].max())
    own = THRESHOLDS.index(tuned.own[tag])
    assert own in best
    assert abs(own - common) == np.abs(best - common).min()
  assert tuned.own[TAGS - 2] == tuned.macro                   # a tag that never occurs


def test_tags_that_do_not_count_leave_the_common_thresholds_alone():
  probabilities, labels = make_rows()
  before = metrics.tune(count(probabilities, labels), WHICH)
  labels[:, ~WHICH] = probabilities[:, ~WHICH] > 0.8         # found at high thresholds alone
  assert metrics.tune(count(probabilities, labels), ~WHICH).macro >= 0.75 > before.macro
  assert metrics.tune(count(probabilities, labels), WHICH | True).macro != before.macro
  after = metrics.tune(count(probabilities, labels), WHICH)
  assert before[:2] == after[:2]
  assert (before.own[WHICH] == after.own[WHICH]).all()


def test_tags_counted_apart_sum_to_tags_counted_together():
  counts = count(*make_rows())
  k = THRESHOLDS.index(THREE.micro)
  parts = [WHICH, ~WHICH]
  hits, given, true = (sum(int(values[part].sum()) for part in parts)
                       for values in (counts.hits[k], counts.predicted[k], counts.true))
  figures = metrics.figures(counts, np.ones(TAGS, bool), THREE)
  assert figures['micro_f1_tuned'] == 2 * hits / (given + true)
  by_tag = metrics.tag_figures(counts, THREE.macro)[2]
  assert figures['macro_f1_tuned'] == pytest.approx(
      sum(by_tag[part].sum() for part in parts) / TAGS)


def test_the_curve_goes_through_the_figures():
  counts = count(*make_rows())
  precision, recall = metrics.curve(counts, WHICH)
  figures = metrics.figures(counts, WHICH, THREE)
  place = THRESHOLDS.index(THREE.micro)
  assert precision[place] == figures['micro_precision_tuned']
  assert recall[place] == figures['micro_recall_tuned']
  assert len(precision) == len(THRESHOLDS) and (np.diff(recall) <= 0).all()


def test_nothing_predicted_and_nothing_true_is_zero_not_nan():
  counts = count(np.zeros((4, 2), np.float32), np.zeros((4, 2), bool))
  both = np.ones(2, bool)
  assert set(metrics.figures(counts, both, metrics.tune(counts, both)).values()) == {0.0}
