"""What a classifier must beat: the other rows of its test table.

`most frequent class` gives every picture the classes' shares of the training split; `colour
histogram` is a multinomial logistic regression on the colours of a picture, learned from an even
sample of the training pictures. Both are measured as the net is.
"""

import warnings
from collections.abc import Callable

import numpy as np

from train_lib.baselines import Baseline, by_colours, colour_histograms, even_batches
from train_lib.classes.class_collector import ClassCollector, Collected
from train_lib.reporting import say

MOST_CLASSES = 1_000              # of a regression: beyond this it would outlast the training
CHUNK = 1_024                     # rows of constant probabilities that are made at once
ROUNDS, ROUND_STEPS = 10, 20      # of the regression's optimizer; between rounds it can be stopped


def class_shares(counts: np.ndarray) -> np.ndarray:
  """Each class's share of the training pictures, one picture added to each class.

  So a class without a training picture is improbable, not impossible, and a log-likelihood finite.
  Args: counts: [K]. Returns: float32 [K], sum 1.
  """
  return ((counts + 1) / (counts.sum() + len(counts))).astype(np.float32)


def constant(task, shares: np.ndarray, collected: Collected) -> Collected:
  """What the same probabilities for every picture come to, worked out without any picture.

  Args: task: tells `num_classes`; shares: [K]; collected: of any predictor on the split: what is
  true there.
  """
  num_rows = len(collected.label)
  collector = ClassCollector(num_rows, task.num_classes)
  truths = {'label': collected.label}
  if collected.drawn_label is not None:
    truths['drawn_label'] = collected.drawn_label
  for start in range(0, num_rows, CHUNK):
    rows = np.arange(start, min(start + CHUNK, num_rows))
    collector.add({'probabilities': np.broadcast_to(shares, (len(rows), len(shares)))},
                  {key: value[rows] for key, value in truths.items()}, [''] * len(rows), rows)
  return collector.finish()


def fit(task, loader, poll: Callable[[], None]) -> dict[str, Baseline]:
  """The rows that need pictures, by name; none where there are too many classes, or only one.

  Args: task: gives truths and `num_classes`; loader: of the training split in evaluation order;
  poll: called between batches and rounds, may raise.
  """
  if task.num_classes > MOST_CLASSES:
    say(f'no colour histogram: its regression is for {MOST_CLASSES:,} classes at most')
    return {}
  colours, labels = [], []
  for batch in even_batches(loader):
    poll()
    real = batch['mask'] > 0
    labels.append(task.truth(batch)['label'][real])
    colours.append(colour_histograms(batch['image'][real]))
  labels = np.concatenate(labels)
  if len(np.unique(labels)) < 2:
    return {}
  return {'colour histogram': by_colours(
      ColourRegression(np.concatenate(colours), labels, task.num_classes, poll))}


class ColourRegression:
  """Multinomial logistic regression on colour histograms (scikit-learn, lbfgs, C=10).

  Args: histograms: [N, C]; labels: int [N], of two classes at least; num_classes: K; poll: called
  between rounds of the optimizer, may raise.

  Attributes: parameters: numbers that were learned, of the classes that occur.
  """

  def __init__(self, histograms: np.ndarray, labels: np.ndarray, num_classes: int,
               poll=lambda: None):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    self._num_classes = num_classes
    self._model = LogisticRegression(C=10.0, max_iter=ROUND_STEPS, warm_start=True)
    for _ in range(ROUNDS):
      poll()
      with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)
        self._model.fit(histograms, labels)
      if self._model.n_iter_.max() < ROUND_STEPS:
        break
    self.parameters = self._model.coef_.size + self._model.intercept_.size

  def predict(self, histograms: np.ndarray) -> np.ndarray:
    """Probabilities, float32 [N, K]; 0 of classes that it met no picture of."""
    probabilities = np.zeros((len(histograms), self._num_classes), np.float32)
    probabilities[:, self._model.classes_] = self._model.predict_proba(histograms)
    return probabilities
