"""The figures of a classifier, as scikit-learn defines them (`zero_division=0`).

A picture's prediction is its most probable class. Precision of a class is the share of what is said
to be it that is, recall the share of what is it that is said to be, F1 their harmonic mean; each is
0 where it would divide by nothing. Macro is the mean over the classes that some picture has, so
that all who judge the same pictures are averaged over the same classes; weighted is the mean over
pictures, balanced accuracy macro recall. A class that no picture has counts in none of them.

Calibration: predictions are put into bins of equal width by their confidence, the probability of
the class that is said. Where that is right as often as it claims, the mean confidence of a bin is
its accuracy; the expected calibration error is the mean distance of the two over pictures.
Source: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, 2017, arXiv
1706.04599, equations 2 to 5; Brier score: Brier, Verification of Forecasts Expressed in Terms of
Probability, 1950, Monthly Weather Review 78, with a term for every class, 0 to 2.
"""

from typing import NamedTuple

import numpy as np

from train_lib.classes.class_collector import Collected

TOP_K = 5                         # of top-k accuracy, where there are more classes
BINS = 15                         # of confidence


class ClassTable(NamedTuple):
  """Of every class, [K] each: its figures, pictures that have it, and that are said to have it."""
  precision: np.ndarray
  recall: np.ndarray
  f1: np.ndarray
  support: np.ndarray
  predicted: np.ndarray


class Reliability(NamedTuple):
  """Of every bin of confidence, [BINS] each: pictures, mean confidence, accuracy; 0 where empty.

  Bin m holds the confidences above edges[m], up to edges[m + 1].
  """
  edges: np.ndarray
  count: np.ndarray
  confidence: np.ndarray
  accuracy: np.ndarray


class Confusions(NamedTuple):
  """How often pictures of a class were said to be of another, [n] each, the most frequent first."""
  label: np.ndarray
  predicted: np.ndarray
  count: np.ndarray


def figures(collected: Collected, num_classes: int) -> dict[str, float]:
  """All figures of a split.

  Args:
    collected: of `ClassCollector`.
    num_classes: K.

  Returns:
    'accuracy'; 'top_5_accuracy' where there are more classes than five, a picture counting where
    fewer than five others are at least as probable as its own class; 'balanced_accuracy'; 'macro_'
    and 'weighted_precision', '_recall' and '_f1'; 'nll', the mean of -log p of the true class in
    nats; 'brier'; 'calibration_error', expected; and where the classes are known as they were
    before some labels were flipped, 'drawn_accuracy' and 'drawn_macro_f1'. All 0 without rows.
  """
  result = {'accuracy': _mean(collected.predicted == collected.label)}
  if num_classes > TOP_K:
    result[f'top_{TOP_K}_accuracy'] = _mean(collected.rank <= TOP_K)
  table = class_table(collected, num_classes)
  known = table.support > 0
  result['balanced_accuracy'] = _mean(table.recall[known])
  for name in ('precision', 'recall', 'f1'):
    values = getattr(table, name)
    result[f'macro_{name}'] = _mean(values[known])
    result[f'weighted_{name}'] = float(values @ table.support / max(len(collected.label), 1))
  result['nll'] = _mean(negative_log_likelihood(collected))
  result['brier'] = _mean(collected.squared_error)
  result['calibration_error'] = calibration_error(reliability(collected))
  if collected.drawn_label is not None:
    drawn = class_table(collected, num_classes, collected.drawn_label)
    result['drawn_accuracy'] = _mean(collected.predicted == collected.drawn_label)
    result['drawn_macro_f1'] = _mean(drawn.f1[drawn.support > 0])
  return result


def class_table(collected: Collected, num_classes: int,
                label: np.ndarray | None = None) -> ClassTable:
  """The figures of every class. Args: label: int [N], the truth; None: the classes as listed."""
  label = collected.label if label is None else label
  hits = np.bincount(label[collected.predicted == label], minlength=num_classes)
  support = np.bincount(label, minlength=num_classes)
  predicted = np.bincount(collected.predicted, minlength=num_classes)
  return ClassTable(
      precision=hits / np.maximum(predicted, 1), recall=hits / np.maximum(support, 1),
      f1=2 * hits / np.maximum(predicted + support, 1), support=support, predicted=predicted)


def confusions(collected: Collected, num_classes: int) -> Confusions:
  """Every confusion that happened, of any number of classes; of equally frequent ones by class."""
  wrong = collected.predicted != collected.label
  places = collected.label[wrong].astype(np.int64) * num_classes + collected.predicted[wrong]
  pairs, counts = np.unique(places, return_counts=True)
  order = np.argsort(-counts, kind='stable')
  return Confusions(*np.divmod(pairs[order], num_classes), counts[order])


def reliability(collected: Collected) -> Reliability:
  """How often predictions of each confidence are right."""
  edges = np.linspace(0, 1, BINS + 1)
  confidence = collected.confidence.astype(np.float64)
  place = np.clip(np.searchsorted(edges, confidence) - 1, 0, BINS - 1)
  count = np.bincount(place, minlength=BINS)
  right = collected.predicted == collected.label
  confidence, accuracy = (np.bincount(place, values, minlength=BINS) / np.maximum(count, 1)
                          for values in (confidence, right))
  return Reliability(edges, count, confidence, accuracy)


def calibration_error(bins: Reliability) -> float:
  """The expected calibration error: |accuracy - confidence|, in the mean over pictures; 0 to 1."""
  distance = np.abs(bins.accuracy - bins.confidence)
  return float(distance @ bins.count / max(bins.count.sum(), 1))


def negative_log_likelihood(collected: Collected) -> np.ndarray:
  """[N]: -log p of the listed class in nats; p that is 0 in float32 counts as the least above."""
  tiny = np.finfo(np.float32).tiny
  return -np.log(np.maximum(collected.probability, tiny).astype(np.float64))


def _mean(values) -> float:
  return float(np.mean(values, dtype=np.float64)) if len(values) else 0.0
