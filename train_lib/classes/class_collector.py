"""What is kept of a classifier's split while it streams by: a few numbers a row, a few pictures."""

import dataclasses

import numpy as np

from train_lib.evaluation import check_numbers

MOST_PICKS = 40                   # pictures of each kind
TOP = 5                           # most probable classes that are kept of a picked picture


@dataclasses.dataclass(frozen=True)
class Pick:
  """One picture with its prediction and truth.

  Attributes:
    index: its place in the split; id: of the picture.
    label: its class, as listed; drawn_label: as it really is, or -1 where nobody knows.
    probability: of the listed class.
    top: (class, probability) of the most probable classes, the most probable first.
  """
  index: int
  id: str
  label: int
  drawn_label: int
  probability: float
  top: list[tuple[int, float]]


@dataclasses.dataclass(frozen=True)
class Collected:
  """A split, once all of its rows were seen. N rows, whatever the number of classes.

  Attributes:
    label: int32 [N], the class as listed.
    predicted: int32 [N], the most probable class; of equal ones the first.
    confidence: float32 [N], its probability.
    probability: float32 [N], of the listed class.
    rank: int32 [N], the number of classes that are at least as probable as the listed one, itself
      included: from 1. Equal probabilities count against the net.
    squared_error: float32 [N], sum over classes of (probability - (1 if it is the class))^2.
    drawn_label: int32 [N], the class before some labels were flipped; None where nobody knows.
    picks: rows kept for the sheets: 'first' as they stand in the split, and 'mistakes', the most
      confident first.
  """
  label: np.ndarray
  predicted: np.ndarray
  confidence: np.ndarray
  probability: np.ndarray
  rank: np.ndarray
  squared_error: np.ndarray
  drawn_label: np.ndarray | None
  picks: dict[str, list[Pick]]


_COLUMNS = {'label': np.int32, 'predicted': np.int32, 'confidence': np.float32,
            'probability': np.float32, 'rank': np.int32, 'squared_error': np.float32,
            'drawn_label': np.int32}


class ClassCollector:
  """Gathers real rows batch by batch; `finish` gives what they come to.

  Args:
    num_rows: rows that will come, at most.
    num_classes: K.
  """

  adds_up = False                 # rows are kept

  def __init__(self, num_rows: int, num_classes: int):
    self._num_classes, self._rows = num_classes, 0
    self._columns = {name: np.empty(num_rows, dtype) for name, dtype in _COLUMNS.items()}
    self._drawn_known = True
    self._picks = {'first': [], 'mistakes': []}  # of (rank, Pick), the foremost first

  def add(self, predictions: dict, truths: dict, ids: list[str], indices: np.ndarray) -> None:
    """Takes the rows of a batch.

    Args:
      predictions: {'probabilities': float32 [n, K]}.
      truths: {'label': int [n]}, and 'drawn_label' where the data know it.
      ids: of the pictures; indices: int [n], their places in the split.

    Raises:
      Diverged: a probability is not a number.
    """
    probabilities = predictions['probabilities']
    check_numbers(probabilities)
    self._drawn_known &= 'drawn_label' in truths
    rows = np.arange(len(probabilities))
    label = np.asarray(truths['label'])
    predicted, true = probabilities.argmax(axis=1), probabilities[rows, label]
    values = {
        'label': label, 'predicted': predicted, 'confidence': probabilities[rows, predicted],
        'probability': true, 'rank': (probabilities >= true[:, None]).sum(axis=1),
        # the squares of all, with that of the listed class put right
        'squared_error': np.einsum('nk,nk->n', probabilities, probabilities) - 2 * true + 1,
        'drawn_label': truths.get('drawn_label', np.full(len(rows), -1))}
    for name, column in self._columns.items():
      column[self._rows:self._rows + len(rows)] = values[name]
    self._rows += len(rows)
    self._pick(probabilities, values, ids, indices)

  def finish(self) -> Collected:
    """What was added, by rows in their order."""
    columns = {name: column[:self._rows] for name, column in self._columns.items()}
    if not (self._drawn_known and self._rows):
      columns['drawn_label'] = None
    return Collected(**columns, picks={
        kind: [pick for _, pick in kept] for kind, kept in self._picks.items()})

  def _pick(self, probabilities, values, ids, indices):
    """Keeps `MOST_PICKS` rows of each kind, whatever number goes by."""
    indices = np.asarray(indices)
    ranks = {'first': (indices,), 'mistakes': (-values['confidence'], indices)}
    fits = {'first': values['rank'] > 0, 'mistakes': values['predicted'] != values['label']}
    for kind, columns in ranks.items():
      kept, candidates = self._picks[kind], np.flatnonzero(fits[kind])
      order = np.lexsort([column[candidates] for column in reversed(columns)])
      for row in candidates[order[:MOST_PICKS]]:
        kept.append((tuple(column[row] for column in columns),
                     self._one(row, probabilities[row], values, ids, indices)))
      kept.sort(key=lambda pair: pair[0])
      del kept[MOST_PICKS:]

  def _one(self, row, probabilities, values, ids, indices):
    top = np.argsort(-probabilities, kind='stable')[:TOP]
    return Pick(index=int(indices[row]), id=ids[row], label=int(values['label'][row]),
                drawn_label=int(values['drawn_label'][row]),
                probability=float(values['probability'][row]),
                top=[(int(place), float(probabilities[place])) for place in top])
