"""The figures of a tagger, as scikit-learn defines them (`zero_division=0`).

A tag is given where its probability is above a threshold. Precision is the share of what is given
that is true, recall the share of what is true that is given, F1 their harmonic mean; each is 0
where it would divide by nothing. Micro counts every decision alike; macro is the mean of the tags'
own figures, a tag that no row has counting 0. mAP is the mean average precision of the tags that
some row has. Thresholds are the best of `THRESHOLDS` on the rows they are tuned on: one number for
all tags by micro F1, one by macro F1, and one for each tag by its own F1.
"""

from typing import NamedTuple

import numpy as np

from train_lib.tags.tag_counts import THRESHOLDS, TagCounts


class Thresholds(NamedTuple):
  """Members of `THRESHOLDS`: of the best micro F1, of the best macro F1, and [T] each tag's own."""
  micro: float
  macro: float
  own: np.ndarray


def tune(counts: TagCounts, scored: np.ndarray) -> Thresholds:
  """The best thresholds on these rows; of equally good ones the lowest.

  A tag's own is among equally good ones the nearest to that of macro F1, so that a tag which tells
  nothing, because no row has it, takes the common one.

  Args: scored: bool [T], the tags that the common thresholds are tuned on.
  """
  by_tag = lambda k: _scores(counts.hits[k], counts.predicted[k], counts.true)[2]     # noqa: E731
  micro = max(range(len(THRESHOLDS)), key=lambda k: _micro(counts, scored, k)[2])
  macro = max(range(len(THRESHOLDS)), key=lambda k: by_tag(k)[scored].mean())
  best, own = np.full(len(scored), -1.0), np.zeros(len(scored), int)
  for k in sorted(range(len(THRESHOLDS)), key=lambda k: abs(k - macro)):
    f1 = by_tag(k)
    own[f1 > best] = k
    best = np.maximum(f1, best)
  return Thresholds(THRESHOLDS[micro], THRESHOLDS[macro], np.array(THRESHOLDS)[own])


def figures(counts: TagCounts, which: np.ndarray, thresholds: Thresholds) -> dict[str, float]:
  """All figures of some tags together.

  Args:
    counts: of a split.
    which: bool [T], the tags.
    thresholds: of `tune`, on another split.

  Returns:
    'map', and 'map_error', the most that it can be off (0: exact); 'micro_' and 'macro_precision',
    '_recall' and '_f1' at 0.5; the same with '_tuned' at the threshold of micro and of macro F1;
    'macro_f1_own', where each tag has its own threshold.
  """
  occurs = which & (counts.true > 0)
  result = {name: float(values[occurs].mean()) if occurs.any() else 0.0
            for name, values in (('map', counts.ap), ('map_error', counts.ap_error))}
  for suffix, micro, macro in (('', 0.5, 0.5), ('_tuned', thresholds.micro, thresholds.macro)):
    together = _micro(counts, which, THRESHOLDS.index(micro))
    apart = [values[which].mean() for values in tag_figures(counts, macro)]
    for prefix, values in (('micro', together), ('macro', apart)):
      result.update({f'{prefix}_{name}{suffix}': float(value) for name, value in
                     zip(('precision', 'recall', 'f1'), values, strict=True)})
  result['macro_f1_own'] = float(tag_figures(counts, thresholds.own)[2][which].mean())
  return result


def tag_figures(counts: TagCounts, thresholds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(precision, recall, F1) of every tag, [T] each. Args: thresholds: one, or one per tag [T]."""
  place = np.searchsorted(THRESHOLDS, np.broadcast_to(thresholds, counts.true.shape))
  tags = np.arange(len(counts.true))
  return _scores(counts.hits[place, tags], counts.predicted[place, tags], counts.true)


def threshold_words(kind: str, threshold: float) -> str:
  """'0.34 (micro)'; of 0, the least that is tried, that it takes every tag."""
  return f'{threshold:g} ({kind}{"" if threshold else ": every tag is taken"})'


def curve(counts: TagCounts, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """(precision, recall) of some tags counted together, [K] each, over the rising `THRESHOLDS`."""
  hits, predicted = (part[:, which].sum(axis=1, dtype=np.int64)
                     for part in (counts.hits, counts.predicted))
  return _scores(hits, predicted, counts.true[which].sum())[:2]


def _micro(counts, which, k):
  return _scores(counts.hits[k][which].sum(dtype=np.int64),
                 counts.predicted[k][which].sum(dtype=np.int64), counts.true[which].sum())


def _scores(hits, predicted, true):
  return (hits / np.maximum(predicted, 1), hits / np.maximum(true, 1),
          2 * hits / np.maximum(predicted + true, 1))
