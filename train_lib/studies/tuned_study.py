"""What the cells of a tuned study come to: the learning rate of each row, and its figures.

The learning rate with the best mean over the seeds on the validation split is chosen; the test
split's figures are told for the chosen one alone. A run that diverged counts with the worst value
that there is, everywhere. One bar serves all rows: the best row's best mean, less WITHIN of it.
"""

import dataclasses
import math
import statistics
from collections.abc import Sequence

from train_lib.studies import study
from train_lib.studies.rate_grid import Metric
from train_lib.studies.study import Interval

WITHIN = 0.1                      # of the best row's best mean: what may be lost
LEVELS = 10                       # of the metric, that the performance profiles count


@dataclasses.dataclass(frozen=True)
class Range:
  """Learning rates around the chosen one that reach the bar; open where the grid ends first.

  Attributes: inside: how many rates of the grid are among them.
  """
  low: float
  high: float
  open_low: bool
  open_high: bool
  inside: int

  @property
  def factor(self) -> float:
    """The width: the highest over the lowest."""
    return self.high / self.low


@dataclasses.dataclass(frozen=True)
class Summary:
  """What a row's cells come to.

  Attributes:
    rates, means: the grid by rising rate, and the validation metric's mean over seeds at each.
    chosen: the learning rate; None where every cell diverged.
    cells: the records of the chosen rate, one a seed.
    edge: 'lowest' or 'highest' where the chosen rate is the last of the grid on that side, else ''.
    grown: rates that the grid has beyond its first ones.
    diverged, total: cells of the whole grid.
    sensitivity: None where no rate reaches the bar.
    valid, test: means and intervals over the seeds at the chosen rate, by figure.
    steps_to: the target, one a seed; infinite where it is not reached.
    step_sec: seconds of a step of one replica, the median of the row's cells; NaN without any.
    step_sec_range: the lowest and the highest of the cells.
  """
  row: str
  rates: list[float]
  means: list[float]
  chosen: float | None
  cells: list[dict]
  edge: str
  grown: int
  diverged: int
  total: int
  sensitivity: Range | None
  valid: dict[str, Interval]
  test: dict[str, Interval]
  steps_to: list[float]
  step_sec: float
  step_sec_range: tuple[float, float]

  def units(self, axis: str) -> float:
    """What a step is on an axis: 1 'step', or so many 'seconds'."""
    return self.step_sec if axis == 'seconds' else 1.0


def by_rate(cells: Sequence[dict], metric: Metric) -> tuple[list[float], list[float], list[int]]:
  """(rates, rising; the mean over seeds of the metric's last value on the validation split; how
  many seeds diverged)."""
  rates = sorted({cell['learning_rate'] for cell in cells})
  seeds = [[cell for cell in cells if cell['learning_rate'] == rate] for rate in rates]
  return (rates, [statistics.fmean(final_value(cell, metric) for cell in some) for some in seeds],
          [sum(bool(cell['diverged']) for cell in some) for some in seeds])


def final_value(cell: dict, metric: Metric, split: str = 'final') -> float:
  """The last value of a cell. Args: split: 'final', of the validation split, or 'test'."""
  return metric.worst if cell['diverged'] else cell[split][metric.name]


def place_bar(cells_by_row: dict[str, list[dict]], metric: Metric) -> float | None:
  """The best row's best mean on the validation split, less WITHIN of it.

  None where no row has a rate at which every seed survived, or for F1 and the like any.
  """
  best = []
  for cells in cells_by_row.values():
    _, means, lost = by_rate(cells, metric)
    best.append(means[metric.best(means, lost)])
  best = best[metric.best(best)]
  if best == metric.worst:
    return None
  return best + abs(best) * (WITHIN if metric.lower_is_better else -WITHIN)


def summarise(row: str, cells: Sequence[dict], metric: Metric, bar: float | None,
              target: float | None, num_factors: int) -> Summary:
  """A row's choice and its figures.

  Args:
    cells: the records of all cells of the row.
    bar: of `place_bar`.
    target: of the validation metric; None: there is none.
    num_factors: rates that the grid began with.
  """
  rates, means, lost = by_rate(cells, metric)
  place = metric.best(means, lost)
  alive = not all(cell['diverged'] for cell in cells)
  chosen = [cell for cell in cells if cell['learning_rate'] == rates[place]] if alive else []
  names = dict.fromkeys((metric.name, 'map', 'loss'))
  seconds = [cell['step_sec'] for cell in cells if cell['step_sec']] or [math.nan]
  return Summary(
      row=row, rates=rates, means=means, chosen=rates[place] if alive else None, cells=chosen,
      edge=({0: 'lowest', len(rates) - 1: 'highest'}.get(place, '') if alive else ''),
      grown=len(rates) - num_factors, diverged=sum(lost), total=len(cells),
      sensitivity=sensitivity(rates, means, place, metric, bar) if alive else None,
      valid=_intervals(chosen, names, 'final'), test=_intervals(chosen, names, 'test'),
      steps_to=[reach(cell, metric, target) for cell in chosen],
      step_sec=statistics.median(seconds), step_sec_range=(min(seconds), max(seconds)))


def difference(summary: Summary, reference: Summary, metric: Metric) -> Interval | None:
  """How far a row's test figure lies from another's, paired by seed at their chosen rates.

  None where a row has no chosen rate, or a loss is infinite.
  """
  values = [{cell['seed']: final_value(cell, metric, 'test') for cell in one.cells}
            for one in (summary, reference)]
  pairs = [values[0][seed] - values[1][seed] for seed in values[0].keys() & values[1].keys()]
  return study.interval(pairs) if pairs and all(map(math.isfinite, pairs)) else None


def sensitivity(rates: Sequence[float], means: Sequence[float], best: int, metric: Metric,
                bar: float | None) -> Range | None:
  """The rates around the best whose mean reaches the bar; None where the best does not.

  Between two rates of the grid the mean is taken to be straight over the logarithm of the rate;
  beside a rate whose mean is infinite the range ends at the last finite one.

  Args: best: the place of the best; bar: the same for all rows, None: there is none.
  """
  if bar is None or metric.is_better(bar, means[best]):
    return None

  def end(direction):
    place = best
    while 0 <= place + direction < len(rates):
      here, there = means[place], means[place + direction]
      if metric.is_better(bar, there):
        share = (here - bar) / (here - there) if math.isfinite(there) else 0.0
        return rates[place] * (rates[place + direction] / rates[place]) ** share, False, place
      place += direction
    return rates[place], True, place

  (low, open_low, first), (high, open_high, last) = end(-1), end(1)
  return Range(low, high, open_low, open_high, last - first + 1)


def reach(cell: dict, metric: Metric, target: float | None) -> float:
  """The step at which a cell first reaches a value on the validation split.

  Between two evaluations the metric is taken to be straight; at the first one there is nothing to
  draw the line from. Infinite where it is not reached, and for a run that diverged, before or
  after.
  """
  if cell['diverged'] or target is None:
    return math.inf
  places, values = cell['curve']['step'], cell['curve'][metric.name]
  for number, value in enumerate(values):
    if not metric.is_better(target, value):
      if not number:
        return places[0]
      share = (target - values[number - 1]) / (value - values[number - 1])
      return places[number - 1] + share * (places[number] - places[number - 1])
  return math.inf


def profile(summaries: Sequence[Summary], axis: str, metric: Metric) -> dict[str, list[float]]:
  """Dolan and More's performance ratios of each row, rising, one a problem.

  A problem is a level of the validation metric with a seed: how many steps, or seconds, until the
  run at the row's chosen rate reaches it. The ratio is to the fastest row on that problem, infinite
  where it is not reached. The levels are LEVELS even parts of the way from the median of the first
  evaluations to the best row's mean at the end; what no row solves counts against all of them.

  Args: axis: 'step' or 'seconds'.
  Source: Dolan and More, Benchmarking optimization software with performance profiles (2002).
  """
  ratios = {summary.row: [] for summary in summaries}
  cells = [cell for summary in summaries for cell in summary.cells if not cell['diverged']]
  if not cells:
    return ratios
  start = statistics.median(cell['curve'][metric.name][0] for cell in cells)
  ends = [summary.valid[metric.name].mean for summary in summaries if summary.cells]
  end = ends[metric.best(ends)]
  for level in (start + (end - start) * part / LEVELS for part in range(1, LEVELS + 1)):
    for seed in sorted({cell['seed'] for cell in cells}):
      times = {summary.row: min((reach(cell, metric, level) * summary.units(axis)
                                 for cell in summary.cells if cell['seed'] == seed),
                                default=math.inf) for summary in summaries}
      fastest = min(times.values())
      for row, time in times.items():
        ratios[row].append(time / fastest if time < math.inf else math.inf)
  return {row: sorted(values) for row, values in ratios.items()}


def _intervals(cells, names, split):
  """The figures that every cell which did not diverge has; a diverged one has the worst value."""
  result = {}
  for name in names:
    if cells and all(cell['diverged'] or name in cell[split] for cell in cells):
      values = [final_value(cell, Metric(name), split) for cell in cells]
      finite = all(map(math.isfinite, values))
      result[name] = (study.interval(values) if finite else
                      Interval(*[Metric(name).worst] * 3))
  return result
