"""The final table of a tagger on its test split, beside what it must beat and what it cannot."""

import dataclasses
from collections.abc import Callable

import numpy as np

from train_lib import baselines, evaluation, metrics
from train_lib.reporting import say

COLUMNS = {'map': 'mAP', 'micro_f1': 'micro F1 @0.5', 'macro_f1': 'macro F1 @0.5',
           'micro_f1_tuned': 'micro F1 tuned', 'macro_f1_tuned': 'macro F1 tuned'}


@dataclasses.dataclass(frozen=True)
class Report:
  """Rows of figures by name, and the net's own outcome for the pictures."""
  rows: dict[str, dict[str, float]]
  thresholds: dict[str, float]
  outcome: evaluation.Outcome


def report_on_test(evaluator, variables, loaders: dict, *, with_baselines: bool,
                   poll: Callable[[], None] = lambda: None) -> Report:
  """Measures the test split at the validation split's thresholds.

  Args:
    evaluator, variables: the net.
    loaders: 'train', 'valid', 'test' in evaluation order.
    with_baselines: also measure the other rows; the oracle where the data know what was drawn.
    poll: called often; may raise to stop.
  """
  valid = evaluator.evaluate(variables, loaders['valid'], poll=poll)
  thresholds = evaluation.thresholds_of(valid.metrics)
  test = evaluator.evaluate(variables, loaders['test'], thresholds, poll=poll)
  rows = {'net': test.metrics}
  if with_baselines:
    rows.update(_baseline_rows(evaluator.task, loaders, poll))
  return Report(rows, thresholds, test)


def _baseline_rows(task, loaders, poll) -> dict[str, dict[str, float]]:
  say('measuring the other rows of the table')
  train, valid, test = (
      _labels_and_colours(task, loaders[split], poll) for split in ('train', 'valid', 'test'))
  guesses = {'constant': lambda split: baselines.constant(train['labels'], len(split['labels']))}
  if train['labels'].shape[1] <= baselines.MOST_TAGS:
    regression = baselines.HistogramRegression().fit(train['colours'], train['labels'], poll)
    guesses['colour histogram'] = lambda split: regression.predict(split['colours'])
  else:
    say(f'no colour histogram: its regression is for {baselines.MOST_TAGS} tags at most')
  if train['drawn'] is not None:
    guesses['oracle'] = lambda split: baselines.oracle(
        train['labels'], train['drawn'], split['drawn'])
  return {name: metrics.tag_metrics(
      guess(test), test['labels'], metrics.tune_thresholds(guess(valid), valid['labels']))
      for name, guess in guesses.items()}


def _labels_and_colours(task, loader, poll) -> dict[str, np.ndarray | None]:
  """The scored labels of a split, as listed and as drawn, and its colour histograms."""
  labels, drawn, colours = [], [], []
  for batch in loader.batches(0, loader.num_batches):
    poll()
    real = batch['mask'] > 0
    truth = task.truth(batch)
    labels.append(truth['labels'][real][:, task.scored])
    if 'drawn_labels' in truth:
      drawn.append(truth['drawn_labels'][real][:, task.scored])
    colours += [baselines.colour_histogram(image) for image in batch['image'][real]]
  return {'labels': np.concatenate(labels), 'colours': np.stack(colours),
          'drawn': np.concatenate(drawn) if drawn else None}


def format_table(rows: dict[str, dict[str, float]]) -> str:
  """Plain text, one line a row, columns aligned."""
  width = max(map(len, rows), default=0)
  lines = [' ' * width + ''.join(f'  {title:>14}' for title in COLUMNS.values())]
  for name, row in rows.items():
    lines.append(f'{name:<{width}}' + ''.join(f'  {row[key]:>14.4f}' for key in COLUMNS))
  return '\n'.join(lines)
