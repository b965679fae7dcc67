"""What a run leaves of a classifier's test split: tables as CSV, plots and sheets of pictures."""

from collections.abc import Callable

import numpy as np

from train_lib.classes import class_metrics, class_plots
from train_lib.classes.class_pictures import activation_sheet, class_sheet
from train_lib.classes.class_report import ClassReport, format_table
from train_lib.drawing import plots
from train_lib.drawing.pictures import readable, save_sheet
from train_lib.reporting import counted, say
from train_lib.storage import records, remote

FIRST_SHOWN, MISTAKES_SHOWN = 20, 30  # pictures of predictions.png and mistakes.png
PAIRS_SAID = 3                    # the most frequent confusions, on the terminal
FIRST = 'the first pictures of the test split'
MISTAKES = 'the most confident mistakes, the most confident first'
ACTIVATIONS = ('where the class that is said is seen, on {} x {} places: red most, grey not at '
               'all; first pictures, then mistakes')


def write_report(folder, report: ClassReport, source, loader, poll: Callable[[], None]) -> None:
  """Says the table and writes everything else that a reader of the figures wants.

  `evaluation/classes.csv`, the figures of every class; `evaluation/confusion.csv`, every pair of
  classes that was confused; into `pictures/`, the confusion matrix, F1 of the classes, of many of
  them F1 against how often a class occurs, calibration, and sheets of the first predictions, of the
  most confident mistakes and of class activation maps.

  Args:
    folder: the workdir, or another that may be new.
    report: of the test split.
    source: the training split.
    loader: of the test split in evaluation order; pictures are read from it again.
    poll: called often; may raise to stop.
  """
  collected, names = report.outcome.collected, source.tag_names
  confusions = class_metrics.confusions(collected, len(names))
  table = class_metrics.class_table(collected, len(names))
  say(f'test split, {counted(len(collected.label), "picture")}, {counted(len(names), "class")}; '
      f'accuracy on the validation split {report.valid["accuracy"]:.4f}')
  say(format_table(report.rows))
  if (present := np.count_nonzero(table.support)) < len(names):
    say(f'macro figures are over the {present:,} of {len(names):,} classes that have test pictures')
  pairs = zip(*(column[:PAIRS_SAID] for column in confusions), strict=True)
  if len(confusions.count):
    say('most often confused: ' + '; '.join(
        f'{names[label]} taken for {names[said]} ({count} of {table.support[label]})'
        for label, said, count in pairs))
  train_counts = source.count_tags(poll)
  _write_tables(folder / 'evaluation', table, confusions, names, train_counts)
  pictures = folder / 'pictures'
  remote.make_folder(pictures)
  _write_plots(pictures, report, table, confusions, names, train_counts)
  poll()
  _write_sheets(pictures, report, names, loader)
  say(f'each class in {folder}/evaluation/classes.csv, confused pairs in confusion.csv; plots and '
      f'pictures in {pictures}')


def _write_tables(folder, table, confusions, names, train_counts):
  """A class with its figures and the class that its pictures are most often mistaken for."""
  labels, first = np.unique(confusions.label, return_index=True)
  taken_for = {label: (names[confusions.predicted[place]], int(confusions.count[place]))
               for label, place in zip(labels.tolist(), first, strict=True)}
  records.write_csv(
      folder / 'classes.csv',
      ('class', 'train_pictures', 'test_pictures', 'predicted_pictures', 'precision', 'recall',
       'f1', 'most_confused_with', 'confused_pictures'),
      ((name, train_counts[k], table.support[k], table.predicted[k], f'{table.precision[k]:.6g}',
        f'{table.recall[k]:.6g}', f'{table.f1[k]:.6g}', *taken_for.get(k, ('', 0)))
       for k, name in enumerate(names)))
  records.write_csv(
      folder / 'confusion.csv', ('class', 'predicted', 'pictures', 'share_of_class'),
      ((names[label], names[said], count, f'{count / table.support[label]:.6g}')
       for label, said, count in zip(*confusions, strict=True)))


def _write_plots(folder, report, table, confusions, names, train_counts):
  bins = class_metrics.reliability(report.outcome.collected)
  figures = {
      'confusion': class_plots.confusion_matrix(confusions, table.support, names),
      'f1_by_class': class_plots.f1_by_class(table, train_counts, names),
      'calibration': class_plots.reliability(bins, report.rows['net']['calibration_error'])}
  if len(names) > class_plots.ALL_NAMED:                       # else each has its bar
    figures['f1_by_frequency'] = class_plots.f1_by_frequency(train_counts, table.f1, table.support)
  for name, figure in figures.items():
    plots.save(figure, folder / f'{name}.png')


def _write_sheets(folder, report, names, loader):
  kept = report.outcome.collected.picks
  picks, images = readable(loader, kept['first'][:FIRST_SHOWN])
  save_sheet(class_sheet(images, picks, names, FIRST) if picks else None,
             folder / 'predictions.png')
  picks, images = readable(loader, kept['mistakes'][:MISTAKES_SHOWN])
  save_sheet(class_sheet(images, picks, names, MISTAKES, named=True) if picks else None,
             folder / 'mistakes.png')
  maps = report.activations
  if maps is None:
    say('no class activation map: the head of this net does not stand on the mean of a feature map '
        'of several places')
  save_sheet(maps and activation_sheet(maps, names, ACTIVATIONS.format(*maps.maps.shape[1:])),
             folder / 'activation.png')
