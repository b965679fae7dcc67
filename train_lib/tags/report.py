"""The final tables of a tagger on its test split, beside what it must beat and what it cannot."""

import dataclasses
from collections.abc import Callable

import numpy as np

from train_lib import evaluation
from train_lib.baselines import collect
from train_lib.drawing import tables
from train_lib.reporting import say
from train_lib.tags import baselines, metrics

COLUMNS = {'map': 'mAP', 'micro_f1': 'micro F1 @0.5', 'macro_f1': 'macro F1 @0.5',
           'micro_f1_tuned': 'micro F1 tuned', 'macro_f1_tuned': 'macro F1 tuned',
           'drawn_map': 'mAP, as drawn', 'drawn_macro_f1_tuned': 'macro F1 tuned, as drawn'}
OTHER_COLUMNS = {'map_error': 'mAP +-', **tables.COST_COLUMNS}
CATEGORY_COLUMNS = {
    'tags': 'tags', 'map': 'mAP',
    'micro_precision': 'micro prec. @0.5', 'micro_recall': 'micro recall @0.5',
    'micro_f1': 'micro F1 @0.5', 'macro_f1': 'macro F1 @0.5',
    'micro_precision_tuned': 'micro prec. tuned', 'micro_recall_tuned': 'micro recall tuned',
    'micro_f1_tuned': 'micro F1 tuned', 'macro_f1_tuned': 'macro F1 tuned',
    'macro_f1_own': 'macro F1 own thr.',
    'constant_map': 'constant mAP', 'constant_macro_f1_tuned': 'constant macro F1 tuned'}


@dataclasses.dataclass(frozen=True)
class Report:
  """What a test split gave.

  Attributes:
    rows: figures by name, of the net first; see `report_on_test`.
    thresholds: {'micro', 'macro'}, of the net on the validation split.
    valid: figures of the net on the validation split.
    outcome: of the net.
    constant: of the constant predictor; None where baselines are off.
  """
  rows: dict[str, dict[str, float]]
  thresholds: dict[str, float]
  valid: dict[str, float]
  outcome: evaluation.Outcome
  constant: evaluation.Outcome | None


def report_on_test(evaluator, variables, source, loaders: dict, *, with_baselines: bool,
                   poll: Callable[[], None] = lambda: None) -> Report:
  """Measures the test split at the validation split's thresholds.

  Beside the task's figures every row has, where they say something: 'parameters', numbers that were
  learned; 'file_bytes', what they and the net's statistics take on disk; 'pictures_per_sec', of
  reading and predicting the test split on this machine and its devices: the program was compiled
  for the validation split before, and counting the figures is left out.

  Args:
    evaluator, variables: the net.
    source: the training split.
    loaders: 'train', 'valid', 'test' in evaluation order.
    with_baselines: also measure the other rows; the oracle where the data know what was drawn.
    poll: called often; may raise to stop.
  """
  task = evaluator.task
  valid = evaluator.evaluate(variables, loaders['valid'], poll=poll)
  test = evaluator.evaluate(variables, loaders['test'], valid.thresholds, poll=poll)
  rows = {'net': {**test.metrics, **tables.net_cost(variables, test.pictures_per_sec)}}
  constant = None
  if with_baselines:
    say('measuring the other rows of the table')
    constant = _constant_outcome(task, source.count_tags(poll) / len(source), valid, test)
    rows['constant'] = {**constant.metrics, **tables.cost(len(task.scored))}
    rows.update(_baseline_rows(task, baselines.fit(task, loaders['train'], poll), loaders, poll))
  return Report(rows, evaluation.thresholds_of(valid.metrics), valid.metrics, test, constant)


def _constant_outcome(task, shares, valid, test):
  thresholds = task.tune(baselines.constant(shares, valid.collected, task.scored))
  collected = baselines.constant(shares, test.collected, task.scored)
  return evaluation.Outcome(task.figures(collected, thresholds), collected, thresholds, 0.0)


def _baseline_rows(task, fitted, loaders, poll) -> dict[str, dict[str, float]]:
  if not fitted:
    return {}
  valid, _ = collect(task, fitted, loaders['valid'], poll)
  test, speeds = collect(task, fitted, loaders['test'], poll)
  rows = {}
  for name, baseline in fitted.items():
    rows[name] = task.figures(test[name], task.tune(valid[name]))
    if baseline.parameters:
      rows[name].update(tables.cost(baseline.parameters), pictures_per_sec=speeds[name])
  return rows


def category_rows(report: Report, scored: np.ndarray, categories) -> dict[str, dict[str, float]]:
  """The figures of all scored tags and of each category, at the common thresholds.

  Args: scored: bool [T]; categories: [T] names.

  Returns:
    By 'all' and by category: 'tags', their number; 'labels', how often pictures of the test split
    have them; `metrics.figures`; and where baselines are on, 'constant_map',
    'constant_micro_f1_tuned' and 'constant_macro_f1_tuned', of the constant predictor. A mAP is
    None where no picture has any of the tags.
  """
  categories = np.array(categories)
  groups = {'all': scored, **{str(name): categories == name for name in dict.fromkeys(categories)}}
  rows = {}
  for name, which in groups.items():
    row = {'tags': int(which.sum()), **_of_tags(report.outcome, which)}
    row['labels'] = int(report.outcome.collected.counts['labels'].true[which].sum())
    if report.constant:
      beside = _of_tags(report.constant, which)
      row.update({f'constant_{key}': beside[key]
                  for key in ('map', 'micro_f1_tuned', 'macro_f1_tuned')})
    if not row['labels']:
      row.update({key: None for key in ('map', 'map_error', 'constant_map') if key in row})
    rows[name] = row
  return rows


def _of_tags(outcome, which):
  return metrics.figures(outcome.collected.counts['labels'], which, outcome.thresholds['labels'])


def format_table(rows: dict[str, dict[str, float]], columns: dict[str, str] | None = None) -> str:
  """`tables.format_table`. Args: columns: name -> title; None: those of the test table."""
  return tables.format_table(rows, columns or {**COLUMNS, **OTHER_COLUMNS})
