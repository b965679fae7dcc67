"""The grid of a tuned study: its rows with their axes, their learning rates, and how these grow.

A cell is one run: a row of the page, a learning rate, a seed. A row's grid is its own learning rate
times `study.rate_factors`, so that every row is tuned over as many; where the best lies at the
edge, the grid grows there, up to `study.most_grown` times.
"""

import copy
import dataclasses
import itertools
import math
from collections.abc import Sequence

from errors import UserError
from train_lib.studies import study
from train_lib.tasks import get_task

OTHERS = {'tagging': {'macro_f1': 'macro F1 at 0.5', 'micro_f1': 'micro F1 at 0.5'}}
LOWER_IS_BETTER = ('loss', 'nll', 'calibration_error', 'kl')
BELOW_ZERO = ('recovered', 'recovered_lost')     # they may be so, of a run that lives
DIGITS = 6                        # of a learning rate, so that it can be typed


@dataclasses.dataclass(frozen=True)
class Metric:
  """The figure that decides. Its worst value is that of a run that diverged."""
  name: str
  task: str = 'tagging'

  @property
  def title(self) -> str:
    """What people call it."""
    return titles(self.task).get(self.name, self.name.replace('_', ' '))

  def named(self, name: str) -> 'Metric':
    """Another figure of the same task."""
    return Metric(name, self.task)

  @property
  def lower_is_better(self) -> bool:
    """True for losses and errors."""
    return self.name in LOWER_IS_BETTER

  @property
  def worst(self) -> float:
    """Infinity for what should be low, 0 for most of what should be high."""
    if self.lower_is_better:
      return math.inf
    return -math.inf if self.name in BELOW_ZERO else 0.0

  def is_better(self, value: float, other: float) -> bool:
    """True when `value` beats `other`."""
    return value < other if self.lower_is_better else value > other

  def best(self, values: Sequence[float], lost: Sequence[int] = ()) -> int:
    """The place of the best value; of equally good ones the nearest to the middle, then the first.

    So a grid on which nothing matters has its best inside.

    Args: lost: how many runs of each place diverged; of equally good ones the fewest go before.
    """
    best = (min if self.lower_is_better else max)(values)
    middle = (len(values) - 1) / 2
    return min((place for place, value in enumerate(values) if value == best),
               key=lambda place: (lost[place] if lost else 0, abs(place - middle)))


def row_configs(config) -> dict[str, object]:
  """{name: config} of the study's rows, each with every combination of its axes.

  Raises:
    UserError: rows or axes that make no sense, as `study.row_configs` tells them, or numbers of the
      study that no grid can be made of.
  """
  _check_numbers(config.study)
  expanded = copy.deepcopy(config)
  expanded.study.rows = _with_axes(config.study.rows, config.study.axes)
  rows = study.row_configs(expanded)
  for name, row in rows.items():
    if not row.optimizer.learning_rate > 0:
      raise UserError(f"the study's row '{name}' has optimizer.learning_rate "
                      f'{row.optimizer.learning_rate}; it is multiplied by study.rate_factors and '
                      'must be above 0')
    if len(set(first_rates(row))) < len(config.study.rate_factors):
      raise UserError(f"the learning rates of the study's row '{name}', {first_rates(row)}, are "
                      f'not all different to {DIGITS} digits; take study.rate_factors further '
                      'apart')
  return rows


def first_rates(config) -> list[float]:
  """A row's grid before it grows, rising. Args: config: of the row."""
  return sorted(round_rate(config.optimizer.learning_rate * factor)
                for factor in config.study.rate_factors)


def round_rate(rate: float) -> float:
  """A learning rate as it is printed."""
  return float(f'{rate:.{DIGITS}g}')


def next_rate(rates: Sequence[float], means: Sequence[float], lost: Sequence[int],
              metric: Metric) -> float | None:
  """The rate by which a grid grows: beyond the edge that the best lies at, by its last ratio.

  Where every mean is the worst there is, runs broke at every rate, and the grid grows downwards.

  Args: rates: rising, two or more; means: of the metric; lost: runs that diverged at each rate.
  """
  best = metric.best(means, lost)
  if best == 0 or means[best] == metric.worst:
    return round_rate(rates[0] ** 2 / rates[1])
  if best == len(rates) - 1:
    return round_rate(rates[-1] ** 2 / rates[-2])
  return None


def metric_of(config) -> Metric:
  """The validation split's figure that the study goes by; UserError for what cannot decide."""
  name = config.study.metric or get_task(config.task).best_metric
  if name not in titles(config.task):
    raise UserError(f"study.metric '{name}' cannot decide between runs; choices: "
                    f"{', '.join(titles(config.task))}")
  return Metric(name, config.task)


def titles(task: str) -> dict[str, str]:
  """The figures of a task that can decide: name -> what people call it."""
  return {**study.FIGURES[task], **OTHERS.get(task, {}), 'loss': 'loss'}


def _check_numbers(config) -> None:
  factors = config.rate_factors
  if (len(set(factors)) < max(2, len(factors))
      or not all(isinstance(factor, (int, float)) and 0 < factor < math.inf for factor in factors)):
    raise UserError(f'study.rate_factors is {factors}; expected two or more different numbers '
                    'above 0')
  for key, least in (('most_grown', 0), ('evaluations', 1), ('sharpness_steps', 0)):
    if config[key] < least:
      raise UserError(f'study.{key} is {config[key]}; expected {least} or more')


def _with_axes(rows, axes):
  for axis in axes:
    if not (isinstance(axis, tuple) and len(axis) == 2 and isinstance(axis[0], str)
            and isinstance(axis[1], tuple) and axis[1]):
      raise UserError(f"{axis!r} is no axis of a study; expected ('section.key', (value, ...))")
    for row in rows:
      if isinstance(row, tuple) and axis[0] in {key for key, _ in filter(_is_pair, row[1:])}:
        raise UserError(f"{axis[0]} is an axis of the study and set by its row '{row[0]}' too; "
                        'take it out of one of them')
  if not all(isinstance(row, tuple) and row and isinstance(row[0], str) for row in rows):
    return rows                                 # `study.row_configs` tells what is wrong
  keys = [key for key, _ in axes]
  return tuple((', '.join([row[0], *map(_label, keys, values)]), *row[1:],
                *zip(keys, values, strict=True))
               for row in rows for values in itertools.product(*(values for _, values in axes)))


def _is_pair(value):
  return isinstance(value, tuple) and len(value) == 2


def _label(key, value):
  """'train.batch_size', 32 -> 'batch size 32'; 'loss.name', 'focal' -> 'focal'."""
  name = key.rpartition('.')[2].replace('_', ' ')
  return str(value) if name == 'name' else f'{name} {value}'
