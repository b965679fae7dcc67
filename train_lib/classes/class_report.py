"""The final table of a classifier on its test split, beside what it must beat."""

import dataclasses
from collections.abc import Callable

from train_lib import baselines, evaluation
from train_lib.classes import activation_map, class_baselines
from train_lib.drawing import tables
from train_lib.drawing.pictures import readable
from train_lib.reporting import say

COLUMNS = {'accuracy': 'accuracy', 'top_5_accuracy': 'top-5 accuracy',
           'macro_precision': 'macro prec.', 'macro_recall': 'macro recall',
           'macro_f1': 'macro F1', 'nll': 'NLL, nats', 'calibration_error': 'ECE',
           'drawn_accuracy': 'accuracy before flips', 'drawn_macro_f1': 'macro F1 before flips',
           **tables.COST_COLUMNS}
SHOWN = activation_map.ROWS // 2  # first pictures, and as many mistakes, of the activation maps


@dataclasses.dataclass(frozen=True)
class ClassReport:
  """What a test split gave.

  Attributes:
    rows: figures by name, of the net first; see `report_on_test`.
    thresholds: {}, since the most probable class is said.
    valid: figures of the net on the validation split.
    outcome: of the net.
    activations: maps of a few pictures; None where the net has none.
  """
  rows: dict[str, dict[str, float]]
  thresholds: dict[str, float]
  valid: dict[str, float]
  outcome: evaluation.Outcome
  activations: activation_map.Activations | None


def report_on_test(evaluator, variables, source, loaders: dict, *, with_baselines: bool,
                   poll: Callable[[], None] = lambda: None) -> ClassReport:
  """Measures the validation and the test split. Args and costs of a row: `report.report_on_test`.

  The other rows are 'most frequent class', which gives every picture the classes' shares of the
  training split, and 'colour histogram', a logistic regression on a picture's colours.
  """
  task = evaluator.task
  valid = evaluator.evaluate(variables, loaders['valid'], poll=poll)
  test = evaluator.evaluate(variables, loaders['test'], valid.thresholds, poll=poll)
  rows = {'net': {**test.metrics, **tables.net_cost(variables, test.pictures_per_sec)}}
  if with_baselines:
    say('measuring the other rows of the table')
    shares = class_baselines.class_shares(source.count_tags(poll))
    constant = class_baselines.constant(task, shares, test.collected)
    rows['most frequent class'] = {**task.figures(constant, {}), **tables.cost(task.num_classes)}
    rows.update(_baseline_rows(task, class_baselines.fit(task, loaders['train'], poll),
                               loaders['test'], poll))
  poll()
  first = test.collected.picks['first'][:SHOWN]
  known = {pick.index for pick in first}
  mistakes = [pick for pick in test.collected.picks['mistakes'] if pick.index not in known]
  shown = readable(loaders['test'], [*first, *mistakes[:SHOWN]])
  return ClassReport(rows, {}, valid.metrics, test,
                     activation_map.of_picks(task, variables, *shown))


def _baseline_rows(task, fitted, loader, poll):
  if not fitted:
    return {}
  collected, speeds = baselines.collect(task, fitted, loader, poll)
  return {name: {**task.figures(collected[name], {}), **tables.cost(baseline.parameters),
                 'pictures_per_sec': speeds[name]}
          for name, baseline in fitted.items()}


def format_table(rows: dict[str, dict[str, float]]) -> str:
  """`tables.format_table` with the columns of a classifier.

  Figures against the labels before some were flipped stand there only where these differ.
  """
  flipped = any(row.get('drawn_accuracy') != row.get('accuracy') for row in rows.values()
                if 'drawn_accuracy' in row)
  return tables.format_table(rows, {
      name: title for name, title in COLUMNS.items() if flipped or not name.startswith('drawn_')})
