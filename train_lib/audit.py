"""Labels suspected wrong, ranked by a net that did not learn from them."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from train_lib.evaluation import check_numbers

AVERAGE_PICTURES = 5              # as many take part in what is usual of a rare tag
LEAST = 1e-7                      # a probability below it says no more
SUSPECT = np.dtype([('ratio', 'f4'), ('row', 'i8'), ('tag', 'i4'), ('listed', '?'),
                    ('probability', 'f4'), ('suggested', 'i4'), ('suggested_probability', 'f4'),
                    ('wrong', '?')])


class Block(NamedTuple):
  """Some pictures with what the net says of them.

  Attributes:
    rows: int [B], the pictures' numbers, each once in an audit.
    probabilities: float32 [B, T], of tags, or of classes that exclude each other.
    labels: bool [B, T], as listed.
    truths: bool [B, T], as they really are; None where nobody knows.
  """
  rows: np.ndarray
  probabilities: np.ndarray
  labels: np.ndarray
  truths: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Audit:
  """What `find_suspects` found.

  Attributes:
    suspects: SUSPECT [n], of both kinds, the most suspect first. `ratio`: see `find_suspects`;
      `probability`: of the label; `suggested`: the class to take instead, and its probability, -1
      and 0 where tags do not exclude each other; `wrong`: whether the label really is wrong, where
      that is known.
    by_kind: the same for each kind alone: 'false' (listed but not found), and 'missing' (found but
      not listed) unless classes exclude each other.
    judged: by kind, how many labels could have been of it.
    doubted: by kind, how many have a ratio below 1, so that they are ranked; `suspects` holds the
      first of them. Most of these are right: a ratio below 1 is only less belief than usual.
    wrong: by kind, how many of them are wrong; None where the truth is not known.
  """
  suspects: np.ndarray
  by_kind: dict[str, np.ndarray]
  judged: dict[str, int]
  doubted: dict[str, int]
  wrong: dict[str, int] | None


def find_suspects(blocks: Callable[[], Iterable[Block]], most: int, *,
                  exclusive: bool = False) -> Audit:
  """Ranks the labels that a net believes least, against what is usual for labels like them.

  A label is a yes (the tag is listed) or a no. Its belief is the probability that the net gives it:
  p for a yes, 1 - p for a no. What is usual is the mean belief in the same answer of the same tag,
  over all pictures that have it (the threshold of confident learning), for rare tags drawn towards
  the mean over all pictures. Ratio = belief / usual ranks the labels: yes and no, common and rare
  tags become comparable, however the loss calibrates; from 1 on a label is not suspect.

  Chosen on 2,000 validation pictures of toon (100 tags) by the share of truly wrong labels among
  the 500 most suspect. With 5 % of all yes and no flipped (mean of three nets of 0.2 M parameters
  at 64 px): belief alone 0.95, belief less the usual one in the opposite answer 0.68, ratio 0.90.
  With none flipped, so that lists lack tags but hold no false one (16.6 M at 256 px): 0.04, 0.40,
  0.47. Belief alone fails where false tags are rare, since lists always hold improbable ones.

  Args:
    blocks: called twice, must give the same blocks; no more than one is held at a time.
    most: suspects to keep, at least 1, in all and of each kind.
    exclusive: each row has one true label and its probabilities add up to 1. Suspects are then rows
      whose listed class is not the most probable one, which is suggested.

  Raises:
    Diverged: a probability is not a number.

  Source: Northcutt, Jiang, Chuang, Confident Learning, 2021, arXiv 1911.00068, equation 2. Differs:
  it counts what passes the thresholds and removes it; here the ratio to them ranks.
  """
  usual, judged, wrong = _survey(blocks(), exclusive)
  kept, doubted = {kind: np.zeros(0, SUSPECT) for kind in judged}, dict.fromkeys(judged, 0)
  for block in blocks():
    for kind, (found, count) in _found(block, usual, kept, most, exclusive).items():
      kept[kind] = _ranked(np.concatenate([kept[kind], found]), most)
      doubted[kind] += count
  return Audit(_ranked(np.concatenate(list(kept.values())), most), kept, judged, doubted, wrong)


def precisions(audit: Audit, sizes: tuple[int, ...]) -> dict[str, dict[str, float | None]]:
  """The share of labels that really are wrong among the most suspect ones, and among all.

  Args:
    audit: with known truth.
    sizes: how many of the most suspect ones.

  Returns:
    For 'all' and each kind that can be: 'random', the share of wrong ones among all judged labels,
    and by size the share among so many suspects; None where there are fewer.
  """
  rows = {'all': (audit.suspects, sum(audit.judged.values()), sum(audit.wrong.values())),
          **{kind: (audit.by_kind[kind], audit.judged[kind], audit.wrong[kind])
             for kind in audit.judged}}
  return {name: {'random': wrong / judged, **{
      str(size): float(suspects['wrong'][:size].mean()) if len(suspects) >= size else None
      for size in sizes}} for name, (suspects, judged, wrong) in rows.items() if judged}


def format_precisions(rows: dict[str, dict[str, float | None]]) -> str:
  """Plain text, one line a row of `precisions`, columns aligned."""
  titles = {key: key if key == 'random' else f'first {int(key):,}' for key in rows['all']}
  lines = [' ' * 8 + ''.join(f'  {title:>12}' for title in titles.values())]
  for name, row in rows.items():
    cells = ('-' if row[key] is None else f'{row[key]:.3f}' for key in titles)
    lines.append(f'{name:<8}' + ''.join(f'  {cell:>12}' for cell in cells))
  return '\n'.join(lines)


def _survey(blocks, exclusive):
  """The usual belief in a yes and in a no, each [T]; labels judged, and wrong ones, by kind."""
  num_rows, total, listed, total_listed = 0, 0.0, 0, 0.0
  wrong, known = {'false': 0, 'missing': 0}, True
  for block in blocks:
    check_numbers(block.probabilities)
    num_rows += len(block.rows)
    belief = _belief(block)                                                    # [B, T]
    rows, tags = np.nonzero(block.labels)
    total += belief.sum(axis=0, dtype=np.float64)
    listed += np.bincount(tags, minlength=len(total))
    total_listed += np.bincount(tags, belief[rows, tags], minlength=len(total))
    known &= block.truths is not None
    if known:
      wrong['false'] += int(np.count_nonzero(block.labels & ~block.truths))
      wrong['missing'] += int(np.count_nonzero(block.truths & ~block.labels))
  unlisted, mean = num_rows - listed, total / num_rows
  usual = ((total_listed + AVERAGE_PICTURES * mean) / (listed + AVERAGE_PICTURES),
           (unlisted - (total - total_listed) + AVERAGE_PICTURES * (1 - mean))
           / (unlisted + AVERAGE_PICTURES))
  judged = {'false': int(listed.sum()), 'missing': int(unlisted.sum())}
  if exclusive:
    del judged['missing'], wrong['missing']
  return [values.astype(np.float32) for values in usual], judged, wrong if known else None


def _belief(block):
  """The belief in a yes: the probabilities, neither 0 nor 1."""
  return np.clip(block.probabilities, LEAST, 1 - LEAST)


def _found(block, usual, kept, most, exclusive) -> dict[str, tuple[np.ndarray, int]]:
  """By kind, the block's labels that may be among the most suspect ones (of equal ones, all), and
  how many have a ratio below 1."""
  belief = _belief(block)
  rows, tags = np.nonzero(block.labels)
  ratios = belief[rows, tags] / usual[0][tags]
  if exclusive:
    suggested = block.probabilities.argmax(axis=1)[rows]
    ratios[suggested == tags] = np.inf
    few = _lowest(ratios, kept['false'], most)
    found = _suspects(block, rows[few], tags[few], ratios[few])
    found['suggested'] = suggested[few]
    found['suggested_probability'] = block.probabilities[rows[few], suggested[few]]
    return {'false': (found, _below_one(ratios))}
  few = _lowest(ratios, kept['false'], most)
  false = _suspects(block, rows[few], tags[few], ratios[few]), _below_one(ratios)
  ratios = np.subtract(1, belief, out=belief)
  ratios /= usual[1]
  ratios[rows, tags] = np.inf
  few = _lowest(ratios.ravel(), kept['missing'], most)
  missing = _suspects(block, *np.divmod(few, ratios.shape[1]), ratios.ravel()[few])
  return {'false': false, 'missing': (missing, _below_one(ratios))}


def _below_one(ratios):
  return int(np.count_nonzero(ratios < 1))


def _lowest(ratios, kept, most):
  """Places of the lowest ratios below 1, and below those kept where there are enough of them."""
  bar = kept['ratio'][-1] if len(kept) == most else np.nextafter(np.float32(1), np.float32(0))
  places = np.flatnonzero(ratios <= bar)
  if len(places) > most:
    values = ratios[places]
    places = places[values <= np.partition(values, most - 1)[most - 1]]
  return places


def _suspects(block, rows, tags, ratios):
  found = np.zeros(len(rows), SUSPECT)
  found['ratio'], found['row'], found['tag'] = ratios, block.rows[rows], tags
  found['listed'], found['probability'] = block.labels[rows, tags], block.probabilities[rows, tags]
  found['suggested'] = -1
  if block.truths is not None:
    found['wrong'] = block.labels[rows, tags] != block.truths[rows, tags]
  return found


def _ranked(suspects, most):
  """The first of them by ratio; of equal ones those of earlier rows and tags."""
  return suspects[np.lexsort((suspects['tag'], suspects['row'], suspects['ratio']))][:most]
