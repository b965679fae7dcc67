"""How many clusters there are: what is measured of each number, and rules that choose one.

Nothing in the pictures alone says which number is right, and on features of real pictures the rules
often disagree; take a chosen number as where to start from, and look at the gallery.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from errors import UserError
from train_lib.clustering import quality
from train_lib.reporting import counted, say

RULES = ('silhouette', 'elbow', 'stability')
FIRST = (2, 3)
OCTAVE = (4, 5, 6)                # and twice, four times, ... as many
MOST = 50                         # clusters where nobody says how many to try at most, ...
LEAST_MEAN = 5                    # ... and pictures that each has then, on average, or more
EQUAL = 1e-6                      # scores that differ by less are a tie
AS_STABLE = 0.05                  # stabilities that differ by less are, since they vary by chance


class Trial(NamedTuple):
  """A number of clusters and what came of it.

  Attributes:
    num_clusters: k.
    inertia: sum of squared distances to the centres (1 - cosine where spherical); falls with k.
    silhouette: mean, -1 to 1; NaN where it does not exist.
    stability: mean adjusted Rand index between resamples, up to 1; NaN where it was not measured.
  """
  num_clusters: int
  inertia: float
  silhouette: float
  stability: float


def default_numbers(num_rows: int, most: int) -> tuple[int, ...]:
  """Numbers to try, rising and ever wider apart: two rows to a cluster or more, up to `most`.

  Where `most` is 0, up to MOST and LEAST_MEAN rows to a cluster or more, 2 at least: silhouettes
  keep growing where clusters come down to pairs of rows that are alike.

  Raises:
    UserError: fewer than two rows, or a `most` that leaves nothing to try.
  """
  if num_rows < 2:
    raise UserError('a number of clusters is chosen for two pictures or more, and there '
                    f'{"is" if num_rows == 1 else "are"} {num_rows}')
  if most < 0 or most == 1:
    raise UserError(f'the largest number of clusters to try is {most}; expected 2 or more, or 0, '
                    'which follows the number of pictures')
  most = min(most or MOST, max(2, num_rows // (2 if most else LEAST_MEAN)))
  numbers, octave = list(FIRST), OCTAVE
  while octave[0] <= most:
    numbers += octave
    octave = tuple(2 * number for number in octave)
  return tuple(number for number in numbers if number <= most)


def try_numbers(features: np.ndarray, numbers: Sequence[int], fit: Callable, *, rule: str,
                sample: int, resamples: int, seed: int, spherical: bool = False,
                poll: Callable[[], None] = lambda: None) -> list[Trial]:
  """Clusters the rows with each number, and says a line of each.

  Args:
    features: [N, D], finite.
    numbers: of clusters, in any order; those beyond the number of different rows are left out.
    fit: fit(features, num_clusters, seed), whose result has `centres`, `clusters` and `inertia`.
    rule: of RULES, which the trials are for; checked before the work.
    sample: rows that silhouettes are taken of, the same for each number.
    resamples: of the stability of each number, 2 or more, each as long as a fit; 0: it is not
      measured.
    seed: of fits, sample and resamples.
    spherical: rows are compared by their angle.
    poll: called before each fit; may raise to stop.

  Returns:
    A trial of each number, by rising number.

  Raises:
    UserError: an unknown rule, numbers below 1 or none, stability as the rule without resamples,
      or fewer different rows than every number.
  """
  numbers = _check(rule, numbers, resamples)
  different = quality.count_different(features, max(2, numbers[-1]))
  if different == 1:
    raise UserError('all pictures have the same features: there is nothing to group')
  if different < numbers[0]:
    raise UserError(f'the smallest number of clusters to try is {numbers[0]}, and the pictures '
                    f'have {different} different features; try fewer clusters')
  trials = []
  for number in numbers:
    if number > different:
      break
    poll()
    found = fit(features, number, seed)
    silhouette = quality.silhouettes(features, found.clusters, spherical=spherical, sample=sample,
                                     seed=seed).mean
    stability = quality.NAN
    if resamples:
      stability = quality.stability(features, fit, number, resamples=resamples, seed=seed,
                                    poll=poll)
    trials.append(Trial(number, float(found.inertia), silhouette, stability))
    say(_described(trials[-1]))
  return trials


def choose(trials: Sequence[Trial], rule: str) -> int:
  """The number of clusters that a rule prefers.

  'silhouette': the largest mean silhouette, of a tie the smaller number; it tends to few clusters
    where some lie near others.
  'elbow': where the curve of inertia bends most. With log k and inertia both scaled to 0..1 between
    the first and the last number it is the point farthest below the line between these two; where
    the curve is nowhere below it, and of fewer than three numbers, the smallest. It depends on the
    range that was tried. Over k itself a few clusters would seem to be many.
  'stability': the largest number that is as stable as the most stable one, or AS_STABLE less:
    where clusters lie apart, those that join some of them are stable too.

  A number without the figure is chosen only where none has it: then the smallest.

  Source: Rousseeuw 1987 (see `quality.silhouettes`); Satopaa, Albrecht, Irwin, Raghavan, Finding a
  "Kneedle" in a Haystack, 2011, ICDCS Workshops (differs by log k and by one knee); Ben-Hur,
  Elisseeff, Guyon 2002 (see `quality.stability`).

  Raises:
    UserError: an unknown rule or no trial.
  """
  trials = sorted(trials)
  _check(rule, [trial.num_clusters for trial in trials], None)
  scores = _below_chord(trials) if rule == 'elbow' else np.array(
      [getattr(trial, rule) for trial in trials], float)
  scores = np.where(np.isfinite(scores), scores, -np.inf)
  if not np.isfinite(scores).any():
    return int(trials[0].num_clusters)
  if rule == 'stability':
    return int(trials[np.flatnonzero(scores >= scores.max() - AS_STABLE)[-1]].num_clusters)
  return int(trials[np.flatnonzero(scores >= scores.max() - EQUAL)[0]].num_clusters)


def _below_chord(trials):
  """How far each point of the scaled curve of inertia lies below the line of its ends: [n]."""
  across = np.log([trial.num_clusters for trial in trials])
  down = np.array([trial.inertia for trial in trials], float)
  if len(trials) < 3 or not down[0] > down[-1]:
    return np.zeros(len(trials))
  across = (across - across[0]) / (across[-1] - across[0])
  down = (down[0] - down) / (down[0] - down[-1])
  return down - across


def _check(rule, numbers, resamples):
  """The numbers without repetition, rising. Args: resamples: None: the trials are there."""
  numbers = sorted({int(number) for number in numbers})
  if rule not in RULES:
    raise UserError(f"the rule '{rule}' for the number of clusters is unknown; choices: "
                    f'{", ".join(RULES)}')
  if not numbers or numbers[0] < 1:
    raise UserError('the numbers of clusters to try are '
                    f'({", ".join(map(str, numbers))}); expected one or more, each at least 1')
  if resamples is not None and (resamples < 0 or resamples == 1
                                or rule == 'stability' and not resamples):
    raise UserError(f'the number of resamples is {resamples}; expected 2 or more'
                    + ('' if rule == 'stability' else ', or 0 to measure no stability'))
  return numbers


def _described(trial: Trial) -> str:
  parts = [f'inertia {trial.inertia:,.6g}', f'silhouette {trial.silhouette:.3f}']
  if np.isfinite(trial.stability):
    parts.append(f'stability {trial.stability:.3f}')
  return f'{counted(trial.num_clusters, "cluster")}: {", ".join(parts)}'
