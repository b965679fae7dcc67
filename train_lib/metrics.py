"""The figures of a tagger, as scikit-learn defines them (`zero_division=0`).

mAP is the mean over tags that occur of the average precision. Micro F1 counts every decision alike;
macro F1 is the mean of the tags' own F1, a tag without a hit counting 0. A threshold is one number
for all tags, the best of `THRESHOLDS` on the validation split for that figure.
"""

import warnings

import numpy as np

THRESHOLDS = (0.0, *np.geomspace(0.001, 0.05, 20)[:-1].round(4).tolist(),
              *np.linspace(0.05, 0.99, 95).round(2).tolist())


def tag_metrics(probabilities: np.ndarray, labels: np.ndarray,
                thresholds: dict | None = None) -> dict[str, float]:
  """All figures of one split. Args: probabilities: [N, T]; labels: bool [N, T]; thresholds: of
  `tune_thresholds` on another split, None: of this one."""
  thresholds = thresholds or tune_thresholds(probabilities, labels)
  micro, macro = f1(*counts(probabilities > 0.5, labels))
  micro_tuned, _ = f1(*counts(probabilities > thresholds['micro'], labels))
  _, macro_tuned = f1(*counts(probabilities > thresholds['macro'], labels))
  return {
      'map': mean_average_precision(probabilities, labels),
      'micro_f1': micro, 'macro_f1': macro,
      'micro_f1_tuned': micro_tuned, 'macro_f1_tuned': macro_tuned,
      'micro_threshold': thresholds['micro'], 'macro_threshold': thresholds['macro'],
  }


def tune_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
  """{'micro', 'macro'}: the threshold of the best micro and of the best macro F1 on these rows."""
  scores = np.array([f1(*counts(probabilities > t, labels)) for t in THRESHOLDS])
  micro, macro = scores.argmax(axis=0)
  return {'micro': THRESHOLDS[micro], 'macro': THRESHOLDS[macro]}


def counts(predicted: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Per tag: hits, predicted, true. Args: predicted, labels: bool [N, T]."""
  return (predicted & labels).sum(0), predicted.sum(0), labels.sum(0)


def f1(hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[float, float]:
  """(micro, macro) F1 from counts per tag [T]; 0 where nothing is predicted nor true."""
  micro = 2 * hits.sum() / max(1, predicted.sum() + true.sum())
  macro = np.mean(2 * hits / np.maximum(1, predicted + true))
  return float(micro), float(macro)


def mean_average_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """The mean over tags with at least one true row; 0 when there is none."""
  from sklearn.metrics import average_precision_score
  occurs = labels.any(axis=0)
  if not occurs.any():
    return 0.0
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    return float(average_precision_score(labels[:, occurs], probabilities[:, occurs],
                                         average='macro'))
