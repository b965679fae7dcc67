"""The figures of a run: its test table, how they rose, and those of each tag, class or scan."""

import statistics

from train_lib import reports
from train_lib.classes import class_report
from train_lib.drawing import curves, tables
from train_lib.inspection import markup
from train_lib.inspection.csv_tables import csv_parts, spoken
from train_lib.inspection.markup import Section, paragraph, tag
from train_lib.inspection.numbers import column, shown
from train_lib.inspection.run_pictures import picture
from train_lib.poses import pose_report
from train_lib.scans import scan_report
from train_lib.studies.study import FIGURES
from train_lib.tags import metrics, report

COLUMNS = {'tagging': {**report.COLUMNS, **report.OTHER_COLUMNS},
           'classification': class_report.COLUMNS, 'pose': pose_report.COLUMNS,
           'autoencoding': scan_report.COLUMNS}
TITLES = {'parameters': 'M parameters', 'pictures_per_sec': 'pictures/s'}
# What a file of evaluation/ holds: title, and how `csv_parts` shows it.
TABLES = {
    'categories': ('Categories', {}),
    'tags': ('Tags', dict(by='f1_tuned', words=2, columns=(
        'tag', 'category', 'train_pictures', 'test_pictures', 'ap', 'precision_tuned',
        'recall_tuned', 'f1_tuned'))),
    'classes': ('Classes', dict(by='f1')),
    'confusion': ('What is taken for what', dict(words=2, most=2_000)),
    'joints': ('Joints', {}),
    'scans': ('Scans', dict(by='psnr_db', most=2_000)),
    'units': ('Latent units', dict(by='kl_nats')),
}


def headline(record: dict, rows: list[dict], task: str) -> list[tuple[str, str]]:
  """(name, value) of the first figures of the net on the test split; before there are, its last on
  the validation split. Args: rows: of metrics.jsonl."""
  split, figures = 'test', record.get('test', {}).get('net', {})
  if not figures:
    split, figures = 'validation', {key.removeprefix('valid/'): value for row in rows
                                    for key, value in row.items() if key.startswith('valid/')}
  return [(f'{split} {title}', shown(figures[key]))
          for key, title in list(FIGURES[task].items())[:3]
          if isinstance(figures.get(key), (int, float))]


def test_section(record: dict, task: str) -> Section | None:
  """The table of the test split, the net beside its baselines; None before there is one."""
  rows = {name: row for name, row in record.get('test', {}).items() if isinstance(row, dict)}
  if not rows:
    return None
  chosen, thresholds = record.get('chosen', {}), record.get('thresholds', {})
  text = f'The net of step {shown(chosen.get("step"))}' if chosen.get('step') else 'The net'
  if chosen.get('metric') and chosen.get('value') is not None:
    why = 'the best by' if chosen.get('checkpoint') == 'best' else 'the last; its'
    text += (f' ({why} {spoken(chosen["metric"])} on the validation split, '
             f'{shown(chosen["value"])})')
  text += ' on pictures that it has never seen, beside what it must beat.'
  if thresholds:
    text += (' Thresholds were tuned on the validation split: '
             + ', '.join(metrics.threshold_words(name, value) for name, value in thresholds.items()
                         if isinstance(value, (int, float))) + '.')
  return Section('test', 'How good it is', [paragraph(text), _test_table(rows, task)], 'Test')


def _test_table(rows, task):
  flipped = any(_drawn_differs(row) for row in rows.values())
  columns = {key: TITLES.get(key, title) for key, title in COLUMNS[task].items()
             if any(row.get(key) for row in rows.values())
             and (flipped or not key.startswith('drawn_'))}
  values = [_column([_known(row.get(key), task) for row in rows.values()], key) for key in columns]
  return markup.table(['', *columns.values()], zip(rows, *values, strict=True), marked=(0,))


def _column(values, key):
  """The column of a figure; what a row costs as in the table that is printed."""
  texts = column(values)
  if key not in tables.COST_COLUMNS:
    return texts
  return [text and tables.shown(value, key) for text, value in zip(texts, values, strict=True)]


def _drawn_differs(row) -> bool:
  """Whether the truth of drawn pictures differs from what is listed of them."""
  return any(key.startswith('drawn_') and value != row.get(key.removeprefix('drawn_'))
             for key, value in row.items())


def _known(value, task):
  """A figure; None where there is none."""
  if not isinstance(value, (int, float)) or (task == 'pose' and value == pose_report.ABSENT):
    return None
  return value


def curves_section(workdir, folder, record: dict, rows: list[dict], task: str) -> Section | None:
  """How the figures rose: a picture, and a table; None before the first step.

  Args: workdir: of the run; folder: of the page, into which curves are drawn where the run has not
    drawn its own yet; record: run.json; rows: of metrics.jsonl.
  """
  if not rows:
    return None
  path = workdir / 'pictures' / 'curves.png'
  if not path.exists():
    path = folder / 'curves.png'
    curves.write_curves(workdir, path, reports.of(task).curves,
                        record.get('chosen', {}).get('step', 0))
  titles = {'train/loss': 'loss of training batches', 'valid/loss': 'loss, validation',
            **{f'valid/{key}': f'{title}, validation'
               for key, title in {**FIGURES[task], **reports.of(task).curves}.items()
               if not key.startswith('drawn_')}}
  lines = [line for key, title in titles.items() if (line := _course(rows, key, title))]
  speeds = [row['train/pictures_per_sec'] for row in rows if row.get('train/pictures_per_sec')]
  parts = [picture(path, task), markup.table(
      ('figure', 'first', 'at step', 'best', 'at step', 'last', 'at step'), lines)]
  if speeds:
    parts.append(paragraph(f'Median speed of training: {shown(statistics.median(speeds))} '
                           'pictures a second.', class_='note'))
  return Section('curves', 'How it learned', parts, 'Curves')


def _course(rows, key, title):
  """A line of the table: first, best and last value with their steps; None without values."""
  known = [(row[key], row['step']) for row in rows if isinstance(row.get(key), (int, float))]
  if not known:
    return None
  falls = key.endswith(('loss', 'nll', 'kl', 'calibration_error'))
  best = (min if falls else max)(known, key=lambda pair: pair[0])
  return [title, *(shown(value) for pair in (known[0], best, known[-1]) for value in pair)]


def tables_section(workdir, beside) -> Section | None:
  """The tables of evaluation/: the ends of long ones at once. Args: beside: folder of the page."""
  folder, parts = workdir / 'evaluation', []
  paths = [path for path in folder.iterdir() if path.suffix == '.csv'] if folder.is_dir() else []
  names = list(TABLES)
  paths.sort(key=lambda path: (names.index(path.stem) if path.stem in names else len(names),
                               path.name))
  for path in paths:
    title, options = TABLES.get(path.stem, (path.stem.replace('_', ' ').capitalize(), {}))
    parts += [tag('h3', title), *csv_parts(path, beside, **options)]
  return Section('tables', 'Figures one by one', parts, 'Tables') if parts else None
