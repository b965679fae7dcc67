"""Cells of a tuned study: replicas trained side by side, and the record that each leaves."""

import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from errors import UserError
from train_lib import workdir as workdir_lib
from train_lib.storage import records

MOST_POINTS = 200                 # of a record's `train`, over a whole run
FORM = {                          # of what a record has, besides others
    'digest': str, 'fingerprint': str, 'learning_rate': float, 'seed': int, 'diverged': str,
    'step_sec': (float, None), 'curve': dict, 'train': dict, 'final': dict, 'test': dict,
    'made': dict}


def cell_path(folder, rate: float, seed: int):
  """Where a cell's record lies. Args: folder: of the row."""
  return folder / f'lr-{rate:g}-seed-{seed}.json'


def cell_digest(config) -> str:
  """What a cell's record depends on. Args: config: of the row, with its rate and seed."""
  settings = f'{config.study.evaluations} {config.study.sharpness_steps}'
  return f'{workdir_lib.config_digest(config)} {settings}'


def with_rate(config, rate: float, seed: int):
  """The config of a cell. Args: config: of the row."""
  cell = copy.deepcopy(config)
  cell.optimizer.learning_rate, cell.seed = rate, seed
  return cell


def read_cells(folder, name: str, config, fingerprint: str, study_folder,
               changes: Sequence[str] = ()) -> list[dict]:
  """The records of a row that are there, by rate and seed.

  Args:
    folder: of the row.
    name: of the row.
    config: of the row.
    fingerprint: of the data.
    study_folder: the folder that the person named.
    changes: of the config since the study's last start, a line each, for the message.

  Raises:
    UserError: a record was made with another config or other data, or is no record.
  """
  cells = []
  for path in sorted(folder.glob('*.json')) if folder.exists() else ():
    try:
      cell = records.read_fields(path, FORM, FORM)
    except UserError as error:
      raise UserError(f'{path} is no record of a cell; delete it, and the cell is trained again'
                      ) from error
    wanted = cell_digest(with_rate(config, cell['learning_rate'], cell['seed']))
    if cell['digest'] != wanted or cell['fingerprint'] != fingerprint:
      what = 'with other values of the config' if cell['digest'] != wanted else 'on other data'
      raise UserError(f"{path}, of the row '{name}', was trained {what}, and going on would mix "
                      'the two; take the change back, or start afresh with '
                      f'--workdir={workdir_lib.free_name(study_folder)}'
                      + ''.join(f'\n  {line}' for line in changes))
    cells.append(cell)
  return sorted(cells, key=lambda cell: (cell['learning_rate'], cell['seed']))


def train_cells(replicas, pairs: Sequence[tuple[float, int]], *, num_steps: int, evaluations: int,
                sharpness: bool, poll: Callable[[], None]) -> list[dict]:
  """Trains cells of one row together.

  The validation split is measured `evaluations` times, at even distances and at the end, and the
  test split at the end. A cell whose loss or net is not finite has diverged: what was measured
  before stays, and the others go on.

  Args:
    replicas: of `replicas.build_replicas`.
    pairs: (learning rate, seed), one a cell.
    sharpness: measure the largest eigenvalue of the Hessian wherever the validation split is.
    poll: called often; may raise to stop, and then nothing of these cells is kept.

  Returns:
    For each cell {'learning_rate', 'seed', 'diverged': '' or why, 'step_diverged', 'together': how
    many trained at once, 'step_sec', 'curve', 'train', 'final', 'test'}. Seconds are the group's
    over the number of its cells; where a program ran for the first time and was compiled, its
    steps are taken to last as long as the others. Measuring is not in them.
  """
  rates, seeds = (np.asarray(values) for values in zip(*pairs, strict=True))
  tracks = [_Track(float(rate), int(seed)) for rate, seed in pairs]
  states, chunks = replicas.initial(seeds), []
  for first, count in chunks_of(num_steps, evaluations):
    poll()
    start = time.monotonic()
    states, metrics = replicas.advance(states, rates, seeds, first, count)
    chunks.append((count, (time.monotonic() - start) / len(pairs)))
    for number, track in enumerate(tracks):
      track.add_steps(first, {name: values[number] for name, values in metrics.items()})
    poll()
    curvature = replicas.sharpness(states) if sharpness else None
    poll()
    for number, figures in enumerate(replicas.evaluate(states.variables)):
      extra = {} if curvature is None else {'sharpness': float(curvature[number])}
      tracks[number].add_evaluation(first + count, figures, extra)
    if all(track.diverged for track in tracks):
      break
  poll()
  tests = (replicas.evaluate(states.variables, 'test')
           if not all(track.diverged for track in tracks) else [{}] * len(tracks))
  return [track.record(seconds_of(chunks), test, len(pairs))
          for track, test in zip(tracks, tests, strict=True)]


def chunks_of(num_steps: int, evaluations: int) -> list[tuple[int, int]]:
  """[(finished steps, steps to go)] between evaluations: all alike but for a shorter last one."""
  length = math.ceil(num_steps / evaluations)
  return [(first, min(length, num_steps - first)) for first in range(0, num_steps, length)]


def seconds_of(chunks: Sequence[tuple[int, float]]) -> list[float]:
  """Seconds from the first step to the end of each chunk, compilation left out.

  Args: chunks: (steps, seconds), in the order they were run. The first of each length was compiled:
    its steps count as the median of the others' where these were quicker.
  """
  seen, warm = set(), []
  for count, seconds in chunks:
    warm += [seconds / count] if count in seen else []
    seen.add(count)
  usual, seen, total, result = statistics.median(warm) if warm else math.inf, set(), 0.0, []
  for count, seconds in chunks:
    total += seconds if count in seen else min(seconds, usual * count)
    seen.add(count)
    result.append(total)
  return result


class _Track:
  """What is kept of one cell while its group trains."""

  def __init__(self, rate: float, seed: int):
    self.rate, self.seed = rate, seed
    self.diverged, self.step_diverged = '', None
    self._steps, self._curve, self._train = [], [], []

  def add_steps(self, first: int, metrics: dict) -> None:
    """Args: first: steps finished before; metrics: name -> [count]."""
    if self.diverged:
      return
    finite = np.isfinite(metrics['loss'])
    if not finite.all():
      self.step_diverged = first + int(np.argmin(finite)) + 1
      value = metrics['loss'][np.argmin(finite)]
      self.diverged = f'the loss of step {self.step_diverged} is {value}'
    kept = len(finite) if finite.all() else int(np.argmin(finite))
    self._train += [{'step': first + step + 1, **{name: float(values[step])
                                                  for name, values in metrics.items()}}
                    for step in range(kept)]

  def add_evaluation(self, step: int, figures: dict, extra: dict) -> None:
    """Args: figures: of the validation split, or 'diverged': why there are none."""
    if self.diverged:
      return
    if figures.get('diverged'):
      self.diverged, self.step_diverged = figures['diverged'], step
      return
    self._steps.append(step)
    self._curve.append({**figures, **extra})

  def record(self, seconds: Sequence[float], test: dict, together: int) -> dict:
    """The cell's record. Args: seconds: at each evaluation; test: figures of the test split."""
    if not self.diverged and test.get('diverged'):
      self.diverged, self.step_diverged = test['diverged'], self._steps[-1]
    names = self._curve[0] if self._curve else ()
    places = np.unique(np.linspace(0, len(self._train) - 1, min(MOST_POINTS, len(self._train)))
                       .round().astype(int))
    step_sec = seconds[len(self._steps) - 1] / self._steps[-1] if self._steps else None
    return {
        'learning_rate': self.rate, 'seed': self.seed, 'diverged': self.diverged,
        'step_diverged': self.step_diverged, 'together': together, 'step_sec': step_sec,
        'curve': {'step': self._steps, 'seconds': list(seconds[:len(self._steps)]),
                  **{name: [row[name] for row in self._curve] for name in names}},
        'train': {name: [self._train[place][name] for place in places]
                  for name in (self._train[0] if self._train else ())},
        'final': {} if self.diverged else self._curve[-1],
        'test': {} if self.diverged else test}
