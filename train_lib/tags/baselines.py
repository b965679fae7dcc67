"""What a tagger must beat, and what it cannot: the other rows of its test table.

`constant` gives every picture the tags' shares of the training split; `colour histogram` is a
logistic regression on the colours of a picture; `oracle` knows what was drawn but not which tags
were dropped. Each gives probabilities, and is measured as the net is, with thresholds from the
validation split. The last two learn from an even sample of the training pictures.
"""

import warnings
from collections.abc import Callable

import numpy as np

from train_lib.baselines import Baseline, by_colours, colour_histograms, even_batches
from train_lib.reporting import say
from train_lib.tags.tag_collector import Collected
from train_lib.tags.tag_counts import THRESHOLDS, TagCounts

MOST_TAGS = 500                   # a regression each: beyond this they would outlast the training


def constant(shares: np.ndarray, collected: Collected, scored: np.ndarray) -> Collected:
  """What the same probabilities for every picture come to, worked out without any picture.

  Args:
    shares: [T], the probabilities.
    collected: of any predictor on the split: what is true there.
    scored: bool [T]; the other tags are ratings.
  """
  ratings = np.flatnonzero(~scored)
  right = 0
  if collected.rated:
    right = int(collected.counts['labels'].true[ratings[shares[ratings].argmax()]])
  return Collected({name: _constant_counts(shares, counts)
                    for name, counts in collected.counts.items()}, collected.rated, right, {})


def _constant_counts(shares, counts):
  given = np.asarray(shares, np.float32) > np.array(THRESHOLDS, np.float32)[:, None]      # [K, T]
  some = counts.true > 0
  return TagCounts(
      rows=counts.rows, true=counts.true, predicted=(given * counts.rows).astype(np.uint32),
      hits=(given * counts.true).astype(np.uint32),
      ap=np.where(some, counts.true / max(counts.rows, 1), np.nan),
      ap_error=np.where(some, 0.0, np.nan))


def fit(task, loader, poll: Callable[[], None]) -> dict[str, Baseline]:
  """The rows that need pictures or what was drawn, by name; none where there is nothing to learn.

  Args: task: gives truths; loader: of the training split in evaluation order; poll: called between
  batches and tags, may raise.
  """
  few_tags = task.num_tags <= MOST_TAGS
  if not few_tags:
    say(f'no colour histogram: its regression is for {MOST_TAGS} tags at most')
  sample = _Sample()
  for number, batch in enumerate(even_batches(loader)):
    poll()
    truth = task.truth(batch)
    if number == 0 and not few_tags and 'drawn_labels' not in truth:
      return {}
    sample.add(batch, truth, keep_rows=few_tags)
  result = {}
  if few_tags:
    result['colour histogram'] = by_colours(HistogramRegression(
        np.concatenate(sample.colours), np.concatenate(sample.labels), poll))
  if sample.drawn is not None:
    drawn_share = sample.listed_drawn / np.maximum(1, sample.drawn)
    other_share = (sample.listed - sample.listed_drawn) / np.maximum(1, sample.rows - sample.drawn)
    result['oracle'] = Baseline(lambda images, truth: np.where(
        truth['drawn_labels'], drawn_share, other_share).astype(np.float32), 0)
  return result


class _Sample:
  """What the baselines learn from: rows where tags are few, and counts by tag."""

  def __init__(self):
    self.colours, self.labels, self.rows = [], [], 0
    self.listed = self.drawn = self.listed_drawn = None        # int [T]

  def add(self, batch, truth, keep_rows):
    real = batch['mask'] > 0
    labels = truth['labels'][real]
    self.rows += len(labels)
    if keep_rows:
      self.labels.append(labels)
      self.colours.append(colour_histograms(batch['image'][real]))
    if 'drawn_labels' in truth:
      drawn = truth['drawn_labels'][real]
      if self.drawn is None:
        self.listed, self.drawn, self.listed_drawn = np.zeros((3, labels.shape[1]), np.int64)
      self.listed += labels.sum(axis=0)
      self.drawn += drawn.sum(axis=0)
      self.listed_drawn += (labels & drawn).sum(axis=0)


class HistogramRegression:
  """One logistic regression per tag on colour histograms (scikit-learn, lbfgs, C=10).

  Args: histograms: [N, 216]; labels: bool [N, T]; poll: called between tags, may raise.

  Attributes: weights: float32 [216, T]; bias: float32 [T], infinite for a tag that all or no rows
  have; parameters: how many numbers these are.
  """

  def __init__(self, histograms: np.ndarray, labels: np.ndarray, poll=lambda: None):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    self.weights = np.zeros((histograms.shape[1], labels.shape[1]), np.float32)
    self.bias = np.where(labels.all(axis=0), np.inf, -np.inf).astype(np.float32)
    for tag in np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0)):
      poll()
      with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)
        model = LogisticRegression(C=10.0, max_iter=200).fit(histograms, labels[:, tag])
      self.weights[:, tag], self.bias[tag] = model.coef_[0], model.intercept_[0]
    self.parameters = self.weights.size + self.bias.size

  def predict(self, histograms: np.ndarray) -> np.ndarray:
    """Probabilities, float32 [N, T]."""
    return 0.5 + 0.5 * np.tanh((histograms @ self.weights + self.bias) / 2)
