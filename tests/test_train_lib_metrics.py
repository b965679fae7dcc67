"""The figures are scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from train_lib import metrics


@pytest.fixture
def scores():
  rng = np.random.default_rng(0)
  labels = rng.random((200, 12)) < np.geomspace(0.5, 0.01, 12)
  probabilities = np.round(np.clip(0.3 * labels + rng.random((200, 12)) * 0.6, 0, 1), 2)  # ties
  return probabilities.astype(np.float32), labels


@pytest.mark.parametrize('threshold', [0.0, 0.2, 0.5, 0.95])
def test_f1_equals_scikit_learn(scores, threshold):
  probabilities, labels = scores
  micro, macro = metrics.f1(*metrics.counts(probabilities > threshold, labels))
  for average, value in (('micro', micro), ('macro', macro)):
    expected = f1_score(labels, probabilities > threshold, average=average, zero_division=0)
    assert value == pytest.approx(expected, abs=1e-12)


def test_map_leaves_out_tags_that_never_occur(scores):
  probabilities, labels = scores
  labels = labels.copy()
  labels[:, 3] = False
  keep = labels.any(axis=0)
  expected = average_precision_score(labels[:, keep], probabilities[:, keep], average='macro')
  assert metrics.mean_average_precision(probabilities, labels) == pytest.approx(expected)
  assert not keep[3]


def test_tuned_threshold_is_no_worse_than_any_other(scores):
  probabilities, labels = scores
  tuned = metrics.tune_thresholds(probabilities, labels)
  best = metrics.f1(*metrics.counts(probabilities > tuned['macro'], labels))[1]
  for threshold in metrics.THRESHOLDS:
    assert best >= metrics.f1(*metrics.counts(probabilities > threshold, labels))[1]


def test_thresholds_of_another_split_are_used_as_they_are(scores):
  probabilities, labels = scores
  figures = metrics.tag_metrics(probabilities, labels, {'micro': 0.31, 'macro': 0.62})
  assert figures['micro_f1_tuned'] == metrics.f1(*metrics.counts(probabilities > 0.31, labels))[0]
  assert figures['macro_f1_tuned'] == metrics.f1(*metrics.counts(probabilities > 0.62, labels))[1]


def test_nothing_predicted_and_nothing_true_is_zero_not_nan():
  figures = metrics.tag_metrics(np.zeros((4, 2)), np.zeros((4, 2), bool))
  assert figures['macro_f1'] == figures['micro_f1'] == figures['map'] == 0.0
