"""The final table of an autoencoder on its test split, beside what restores scans without learning.

Every row restores the same damaged scans: `net`; `net, kept pixels` with the pixels that were there
put back; those of `train_lib.scans.restorers`; `mean picture`, that of the training split, which
looks at nothing; and `as damaged`, which does nothing.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from train_lib import evaluation
from train_lib.baselines import even_batches
from train_lib.drawing import tables
from train_lib.reporting import say
from train_lib.scans.restorers import RESTORERS

COLUMNS = {'psnr': 'PSNR, dB', 'ssim': 'SSIM', 'recovered': 'of the original',
           'recovered_lost': 'of what was lost', 'kl': 'KL, nats', 'active_units': 'active units',
           'elbo_per_pixel': 'ELBO at mean /pixel', 'elbo_per_dimension': 'ELBO at mean /dim.',
           'loss': 'loss', **tables.COST_COLUMNS}
DIGITS = {'psnr': 2, 'kl': 1, 'active_units': 0, 'loss': 1}
NET, PASTED, MEAN, DAMAGED = 'net', 'net, kept pixels', 'mean picture', 'as damaged'


@dataclasses.dataclass(frozen=True)
class ScanReport:
  """What a test split gave.

  Attributes:
    rows: figures by name, of the net first; see the head of this file.
    thresholds: {}, since there is nothing to tune.
    valid: figures of the net on the validation split.
    outcome: of the net.
    best: name of the restorer with the highest PSNR; '' where baselines are off.
    variables: of the net; evaluator: that runs it.
  """
  rows: dict[str, dict[str, float]]
  thresholds: dict[str, float]
  valid: dict[str, float]
  outcome: evaluation.Outcome
  best: str
  evaluator: evaluation.Evaluator
  variables: dict


def report_on_test(evaluator, variables, source, loaders: dict, *, with_baselines: bool,
                   poll: Callable[[], None] = lambda: None) -> ScanReport:
  """Measures validation and test split. Args and costs of a row: `report.report_on_test`.

  But for 'pictures_per_sec' of the simple restorers, which is of restoring alone.
  """
  del source
  valid = evaluator.evaluate(variables, loaders['valid'], poll=poll)
  test = evaluator.evaluate(variables, loaders['test'], valid.thresholds, poll=poll)
  rows = {NET: {**test.metrics, **tables.net_cost(variables, test.pictures_per_sec)}}
  best = ''
  if with_baselines:
    say('measuring the other rows of the table')
    others = _other_rows(evaluator, variables, loaders, poll)
    rows.update(others)
    best = max(RESTORERS, key=lambda name: others[name]['psnr'])
  return ScanReport(rows, {}, valid.metrics, test, best, evaluator, variables)


def mean_picture(loader, poll: Callable[[], None]) -> np.ndarray:
  """float32 [H, W, 1]: the mean of an even sample of clean scans. Args: loader: of a split."""
  total, count = 0.0, 0
  for batch in even_batches(loader):
    poll()
    real = batch['mask'] > 0
    total = total + batch['target'][real].sum(axis=0, dtype=np.float64)
    count += int(real.sum())
  return (total / max(count, 1)).astype(np.float32)


def put_back(restored: np.ndarray, image: np.ndarray, known: np.ndarray) -> np.ndarray:
  """The restoration with the pixels that were there; as it is where none was missing.

  Args: all [N, H, W, 1]; known: 1 = there. Noise and blur take no pixel, so what they leave is not
  better known than the restoration.
  """
  missing = (known < 1).any(axis=(1, 2, 3), keepdims=True)
  return np.where(missing & (known > 0), image, restored)


def _other_rows(evaluator, variables, loaders, poll) -> dict[str, dict[str, float]]:
  task, loader = evaluator.task, loaders['test']
  mean = mean_picture(loaders['train'], poll)
  ways = {MEAN: lambda image, known: np.broadcast_to(mean, image.shape),
          DAMAGED: lambda image, known: image}
  collectors = {name: task.collector(loader) for name in (PASTED, *RESTORERS, *ways)}
  seconds, first, misses = dict.fromkeys(RESTORERS, 0.0), 0, False
  for batch, predicted, _ in evaluator.predictions(variables, loader, poll):
    real = np.flatnonzero(batch['mask'] > 0)
    truth = {key: value[real] for key, value in task.truth(batch).items()}
    ids, indices = [batch['id'][row] for row in real], first + real
    first += len(batch['mask'])
    misses |= bool((truth['known'] < 1).any())
    restored = {PASTED: put_back(predicted['reconstruction'][real], truth['image'],
                                 truth['known'])}
    for name, way in (*RESTORERS.items(), *ways.items()):
      poll()
      start = time.monotonic()
      restored[name] = way(truth['image'], truth['known'])
      if name in seconds:
        seconds[name] += time.monotonic() - start
    for name, pictures in restored.items():
      collectors[name].add({'reconstruction': pictures}, truth, ids, indices)
  rows = {name: task.figures(collector.finish(), {}) for name, collector in collectors.items()}
  for name, spent_sec in seconds.items():
    rows[name]['pictures_per_sec'] = loader.num_examples / max(spent_sec, 1e-9)
  if not misses:
    del rows[PASTED]
  return rows


def worse_than_damaged(rows: dict[str, dict[str, float]]) -> str:
  """What to say of a net that restores less than nothing; '' where it does not, or nobody knows.

  Args: rows: of a `ScanReport`, or of its record; of scans that were damaged.
  """
  psnr, damaged = (rows.get(name, {}).get('psnr') for name in (NET, DAMAGED))
  if psnr is None or damaged is None or psnr >= damaged or 'recovered_lost' not in rows[DAMAGED]:
    return ''
  return ('on its test split the net does worse than leaving the scans as they are: PSNR '
          f'{psnr:.2f} dB against {damaged:.2f}')


def format_table(rows: dict[str, dict[str, float]]) -> str:
  """`tables.format_table` with the columns of an autoencoder."""
  return tables.format_table(rows, COLUMNS, DIGITS)
