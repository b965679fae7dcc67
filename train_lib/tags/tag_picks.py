"""The few pictures of a split that are kept for sheets: first, best, worst, confidently wrong."""

import dataclasses
from collections.abc import Callable

import numpy as np

MOST = 20                         # of each kind
KINDS = ('first', 'best', 'worst', 'confident_wrong')


@dataclasses.dataclass(frozen=True)
class Pick:
  """One picture with its prediction and truth.

  Attributes:
    id: of the picture; index: its place in the split.
    probabilities: float32 [T]; labels: bool [T], as listed; drawn: bool [T], as drawn, or None.
    f1: of this picture's scored tags.
    wrong_tag: the most probable tag that is neither listed nor drawn.
  """
  id: str
  index: int
  probabilities: np.ndarray
  labels: np.ndarray
  drawn: np.ndarray | None
  f1: float
  wrong_tag: int


class Picks:
  """Keeps `MOST` pictures of each kind, whatever number goes by.

  'first': as they stand in the split. 'best' and 'worst': by the F1 of the picture's own tags at
  the threshold; of equal ones those with most tags, and most errors, come first. 'confident_wrong':
  by the probability, above the threshold, of a tag that is neither listed nor drawn.

  Args:
    scored: bool [T], the tags that count.
    threshold: tuned on another split, for micro F1.
  """

  def __init__(self, scored: np.ndarray, threshold: float):
    self._scored, self._threshold = scored, threshold
    self._kept = {kind: [] for kind in KINDS}  # of (rank, Pick), the foremost first

  @property
  def by_kind(self) -> dict[str, list[Pick]]:
    """The pictures of each kind, the foremost first."""
    return {kind: [pick for _, pick in kept] for kind, kept in self._kept.items()}

  def add(self, probabilities, labels, drawn, ids, indices) -> None:
    """Takes a batch's real rows. Args: all: [n, T], drawn may be None; ids, indices: n each."""
    given = (probabilities > self._threshold) & self._scored
    hits = (given & labels).sum(axis=1)
    listed = (labels & self._scored).sum(axis=1)
    errors = given.sum(axis=1) + listed - 2 * hits
    f1 = 2 * hits / np.maximum(2 * hits + errors, 1)
    allowed = ~self._scored | labels if drawn is None else ~self._scored | labels | drawn
    doubtful = np.where(allowed, 0, probabilities)
    wrong_tag = doubtful.argmax(axis=1)
    certainty = doubtful[np.arange(len(f1)), wrong_tag]
    ranks = {'first': (indices,), 'best': (-f1, -listed, indices), 'worst': (f1, -errors, indices),
             'confident_wrong': (-certainty, indices)}
    fits = {'first': f1 >= 0, 'best': f1 > 0, 'worst': errors > 0,
            'confident_wrong': certainty > self._threshold}
    for kind, columns in ranks.items():
      for row in np.lexsort(columns[::-1]):
        rank = tuple(column[row] for column in columns)
        kept = self._kept[kind]
        if len(kept) == MOST and rank > kept[-1][0]:
          break
        if fits[kind][row]:
          kept.append((rank, Pick(
              ids[row], int(indices[row]), probabilities[row].copy(), labels[row].copy(),
              None if drawn is None else drawn[row].copy(), float(f1[row]), int(wrong_tag[row]))))
          kept.sort(key=lambda pair: pair[0])
          del kept[MOST:]

  def join(self, total: Callable, gather: Callable) -> None:
    """Takes in what other processes have kept of other rows. Args: as of `Apart` (apart.py)."""
    for kind, kept in self._kept.items():
      told = [{'rank': [float(part) for part in rank], 'id': pick.id, 'index': pick.index,
               'f1': pick.f1, 'wrong_tag': pick.wrong_tag, 'drawn': pick.drawn is not None}
              for rank, pick in kept]
      foremost = sorted((one for part in gather(told) for one in part),
                        key=lambda one: one['rank'])[:MOST]
      own = {pick.index: pick for _, pick in kept}
      rows = np.zeros((MOST, 3, len(self._scored)), np.float32)
      for one, row in zip(foremost, rows, strict=False):
        if pick := own.get(one['index']):
          row[:2] = pick.probabilities, pick.labels
          if pick.drawn is not None:
            row[2] = pick.drawn
      self._kept[kind] = [
          (tuple(one['rank']), Pick(one['id'], one['index'], row[0], row[1] > 0,
                                    row[2] > 0 if one['drawn'] else None, one['f1'],
                                    one['wrong_tag']))
          for one, row in zip(foremost, total(rows), strict=False)]
