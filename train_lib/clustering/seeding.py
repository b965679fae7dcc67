"""Where k-means starts: rows that are far from one another, drawn by greedy k-means++."""

import numpy as np

from errors import UserError
from train_lib.clustering.sharded_rows import ShardedRows


def draw_starts(laid: ShardedRows, num_clusters: int, rng: np.random.Generator,
                poll=lambda: None) -> np.ndarray:
  """Draws k rows to start from.

  The first is any row. For each other, 2 + log k rows are drawn with chances in proportion to the
  squared distance to the nearest start so far, and the one is kept that leaves the least sum of
  them. What is drawn depends on the generator alone, not on the number of devices.

  Args:
    laid: N rows.
    num_clusters: k, 1 to N.
    rng: draws.
    poll: called for every start.

  Returns:
    int64 [k], different rows, and of different values unless rounding hides it.

  Raises:
    UserError: fewer different rows than k.

  Source: Arthur, Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007, section
  2.2; the number of trials is that of scikit-learn.
  """
  rows, trials = laid.rows, 2 + int(np.log(num_clusters))
  starts = [int(rng.integers(len(rows)))]
  closest = np.array(laid.squared_to(rows[starts])[0])
  while len(starts) < num_clusters:
    poll()
    closest[starts[-1]] = 0
    reached = np.cumsum(closest, dtype=np.float64)
    if not reached[-1]:
      return complete_starts(rows, starts, num_clusters, rng)
    drawn = np.searchsorted(reached, rng.random(trials) * reached[-1], side='right')
    left = np.minimum(closest, laid.squared_to(rows[drawn]))            # [t, N]
    best = np.argmin(left.sum(axis=1, dtype=np.float64))
    starts.append(int(drawn[best]))
    closest = left[best]
  return np.array(starts)


def complete_starts(rows, starts, num_clusters, rng) -> np.ndarray:
  """Adds any other rows of different values, where distances say that there are none."""
  _, first, same = np.unique(rows, axis=0, return_index=True, return_inverse=True)
  check_different(len(first), num_clusters)
  others = np.setdiff1d(first, first[same.reshape(-1)[starts]])
  more = rng.choice(others, num_clusters - len(starts), replace=False)
  return np.concatenate([starts, more])


def check_different(different: int, num_clusters: int) -> None:
  """Raises UserError for fewer different rows than clusters."""
  if different < num_clusters:
    raise UserError(f'{num_clusters:,} clusters were asked for, and features tell only '
                    f'{different:,} different pictures; ask for at most {different:,}')
