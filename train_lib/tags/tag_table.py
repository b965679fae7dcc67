"""The figures of every tag and of every category as CSV files."""

import numpy as np

from train_lib.storage import records
from train_lib.tags import metrics
from train_lib.tags.report import Report


def tag_columns(report: Report, source, train_counts: np.ndarray) -> dict[str, list]:
  """The columns of tags.csv, a value per tag.

  'ap' has the error 'ap_error' (0: exact) and is empty for a tag that no test picture has.
  Precision, recall and F1 stand there at 0.5, with '_tuned' at the common threshold by which
  pictures are tagged (of micro F1), and with '_own' at the tag's 'own_threshold', all tuned on the
  validation split.
  'constant_ap' and 'constant_f1_own' are those of the constant predictor, where baselines are on.

  Args:
    report: of the test split.
    source: the training split.
    train_counts: int64 [T], its pictures with each tag.
  """
  counts = report.outcome.collected.counts['labels']
  thresholds = report.outcome.thresholds['labels']
  columns = {'tag': source.tag_names, 'category': source.tag_categories,
             'train_pictures': train_counts, 'test_pictures': counts.true,
             'ap': counts.ap, 'ap_error': counts.ap_error}
  for suffix, where in (('', 0.5), ('_tuned', thresholds.micro), ('_own', thresholds.own)):
    if suffix == '_own':
      columns['own_threshold'] = thresholds.own
    values = metrics.tag_figures(counts, where)
    columns.update({name + suffix: value for name, value in
                    zip(('precision', 'recall', 'f1'), values, strict=True)})
  if report.constant:
    constant = report.constant.collected.counts['labels']
    columns['constant_ap'] = constant.ap
    columns['constant_f1_own'] = metrics.tag_figures(
        constant, report.constant.thresholds['labels'].own)[2]
  return {name: np.asarray(values).tolist() for name, values in columns.items()}


def write_tags(path, columns: dict[str, list]) -> None:
  """Writes columns of equal length as CSV, with numbers to six digits and NaN as nothing."""
  _write(path, list(columns), zip(*columns.values(), strict=True))


def write_categories(path, rows: dict[str, dict[str, float]]) -> None:
  """Writes what `report.category_rows` gave as CSV, a row per category, 'all' first.

  None is written as nothing.
  """
  keys = list(next(iter(rows.values())))
  _write(path, ['category', *keys], ([name, *(row[key] for key in keys)]
                                     for name, row in rows.items()))


def _write(path, titles, rows):
  records.write_csv(path, titles, ([_cell(value) for value in row] for row in rows))


def _cell(value):
  if not isinstance(value, float):
    return value
  return '' if np.isnan(value) else f'{value:.6g}'
