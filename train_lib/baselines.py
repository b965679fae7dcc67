"""What a tagger must beat, and what it cannot: the other rows of the test table.

`constant` gives every picture the tags' frequencies; `colour histogram` is a logistic regression on
the colours of a picture; `oracle` knows what was drawn but not which tags were dropped. Each gives
probabilities, and is measured as the net is, with thresholds from the validation split.
"""

import warnings

import numpy as np

HISTOGRAM_SIDE_PX = 64
BINS = 6                          # per channel
MOST_TAGS = 500                   # a regression each: beyond this they would outlast the training


def constant(train_labels: np.ndarray, rows: int) -> np.ndarray:
  """The frequencies of the training split, once per row: bool [N, T] -> float32 [rows, T]."""
  return np.tile(train_labels.mean(axis=0, dtype=np.float32), (rows, 1))


def colour_histogram(image: np.ndarray) -> np.ndarray:
  """uint8 [h, w, 3] -> float32 [6 ** 3], the roots of the shares of its joint RGB bins."""
  import cv2
  small = cv2.resize(image, (HISTOGRAM_SIDE_PX, HISTOGRAM_SIDE_PX), interpolation=cv2.INTER_AREA)
  bins = (small.astype(np.int32) * BINS // 256).reshape(-1, 3) @ (BINS * BINS, BINS, 1)
  return np.sqrt(np.bincount(bins, minlength=BINS ** 3) / len(bins)).astype(np.float32)


class HistogramRegression:
  """One logistic regression per tag on colour histograms (scikit-learn, lbfgs, C=10)."""

  def fit(self, histograms: np.ndarray, labels: np.ndarray, poll=lambda: None):
    """Args: histograms: [N, 216]; labels: bool [N, T]; poll: called between tags, may raise."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    self.models = []
    for column in labels.T:
      poll()
      if column.min() == column.max():
        self.models.append(float(column[0]))
        continue
      with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)
        self.models.append(LogisticRegression(C=10.0, max_iter=200).fit(histograms, column))
    return self

  def predict(self, histograms: np.ndarray) -> np.ndarray:
    """Probabilities, float32 [N, T]."""
    rows = [np.full(len(histograms), model) if isinstance(model, float)
            else model.predict_proba(histograms)[:, 1] for model in self.models]
    return np.stack(rows, axis=1).astype(np.float32)


def oracle(train_labels: np.ndarray, train_drawn: np.ndarray, drawn: np.ndarray) -> np.ndarray:
  """P(tag stands in the list | tag was drawn), learned on the training split, where it was drawn.

  Args: train_labels, train_drawn: bool [N, T]; drawn: bool [M, T]. Returns: float32 [M, T].
  """
  kept = (train_labels & train_drawn).sum(0) / np.maximum(1, train_drawn.sum(0))
  return (drawn * kept).astype(np.float32)
