"""What is kept of a tagger's split while it streams by: counts, ratings, and a few pictures."""

import dataclasses
from collections.abc import Callable

import numpy as np

from train_lib.evaluation import check_numbers
from train_lib.tags import metrics
from train_lib.tags.tag_counts import TagCounts, TagScores, keeps_rows
from train_lib.tags.tag_picks import Pick, Picks

DRAWN_FIGURES = ('map', 'map_error', 'micro_f1_tuned', 'macro_f1_tuned')


@dataclasses.dataclass(frozen=True)
class Collected:
  """A split, once all of its rows were seen.

  Attributes:
    counts: by truth: 'labels', the tags as listed, and where the data know it 'drawn_labels', the
      tags as drawn, before some were left out of the lists.
    rated: rows that have a rating.
    rated_right: of them those whose most probable rating is theirs.
    picks: rows kept whole for the sheets, by kind; empty where no thresholds were known.
  """
  counts: dict[str, TagCounts]
  rated: int
  rated_right: int
  picks: dict[str, list[Pick]]


class TagCollector:
  """Gathers real rows batch by batch; `finish` gives what they come to.

  Args:
    num_rows: rows that will come, at most.
    scored: bool [T]; the other tags are ratings.
    thresholds: of `tune`, on another split; None: they are to be tuned on this one.

  Attributes:
    adds_up: no row is kept, so that what processes have counted apart can be added up.
  """

  def __init__(self, num_rows: int, scored: np.ndarray, thresholds: dict | None):
    self._num_rows, self._scored = num_rows, scored
    self._scores, self._rated, self._rated_right = {}, 0, 0
    self._picks = Picks(scored, thresholds['labels'].micro) if thresholds else None
    self.adds_up = not keeps_rows(num_rows, len(scored))

  def add(self, predictions: dict, truths: dict, ids: list[str], indices: np.ndarray) -> None:
    """Takes the rows of a batch.

    Args:
      predictions: {'probabilities': float32 [n, T]}.
      truths: {'labels': bool [n, T]}, and 'drawn_labels' where the data know them.
      ids: of the pictures; indices: int [n], their places in the split.

    Raises:
      Diverged: a probability is not a number.
    """
    probabilities = predictions['probabilities']
    check_numbers(probabilities)
    for name, labels in truths.items():
      if name not in self._scores:
        self._scores[name] = TagScores(self._num_rows, len(self._scored))
      self._scores[name].add(probabilities, labels)
    if not self._scored.all():
      ratings = truths['labels'][:, ~self._scored]
      guess = probabilities[:, ~self._scored].argmax(axis=1)
      self._rated += int(ratings.any(axis=1).sum())
      self._rated_right += int(ratings[np.arange(len(guess)), guess].sum())
    if self._picks:
      self._picks.add(probabilities, truths['labels'], truths.get('drawn_labels'), ids, indices)

  def join(self, total: Callable, gather: Callable) -> None:
    """Takes in what the collectors of other processes have. Args: as of `Apart` (apart.py)."""
    for scores in self._scores.values():
      scores.join(total, gather)
    self._rated, self._rated_right = (sum(gather(count))
                                      for count in (self._rated, self._rated_right))
    if self._picks:
      self._picks.join(total, gather)

  def finish(self) -> Collected:
    """Counts what was added; no row but the picked ones is kept."""
    counts = {}
    while self._scores:                                       # one set of scores goes at a time
      name, scores = self._scores.popitem()
      counts[name] = scores.finish()
    return Collected(counts, self._rated, self._rated_right,
                     self._picks.by_kind if self._picks else {})


def tune(collected: Collected, scored: np.ndarray) -> dict[str, metrics.Thresholds]:
  """The best thresholds on a split, by truth."""
  return {name: metrics.tune(counts, scored) for name, counts in collected.counts.items()}


def all_figures(collected: Collected, scored: np.ndarray, thresholds: dict) -> dict[str, float]:
  """The figures of the scored tags.

  Args: thresholds: of `tune`, on another split.

  Returns:
    `metrics.figures` against the tags as listed; 'micro_threshold' and 'macro_threshold';
    'rating_accuracy', the share of rated pictures whose most probable rating is theirs; and against
    the tags as drawn, where these are known, with thresholds tuned against them: 'drawn_map',
    'drawn_map_error', 'drawn_micro_f1_tuned', 'drawn_macro_f1_tuned'.
  """
  result = metrics.figures(collected.counts['labels'], scored, thresholds['labels'])
  result['micro_threshold'] = thresholds['labels'].micro
  result['macro_threshold'] = thresholds['labels'].macro
  if collected.rated:
    result['rating_accuracy'] = collected.rated_right / collected.rated
  if 'drawn_labels' in collected.counts:
    drawn = metrics.figures(collected.counts['drawn_labels'], scored, thresholds['drawn_labels'])
    result.update({f'drawn_{name}': drawn[name] for name in DRAWN_FIGURES})
  return result
