"""What a run leaves of its test split: tables as CSV, plots and sheets of pictures."""

from collections.abc import Callable

import numpy as np

from train_lib.drawing import plots
from train_lib.drawing.pictures import readable, save_sheet
from train_lib.reporting import counted, say
from train_lib.storage import remote
from train_lib.tags import metrics, tag_plots, tag_table
from train_lib.tags.report import CATEGORY_COLUMNS, Report, category_rows, format_table
from train_lib.tags.tag_pictures import tag_sheet

# Kind of pick -> name of its sheet, and title.
SHEETS = {
    'first': ('predictions', ''),
    'best': ('best', 'test pictures, the best F1 first; of equal F1, those with most tags'),
    'worst': ('worst', 'test pictures, the worst F1 first; of equal F1, those with most errors'),
    'confident_wrong': ('confident_wrong', 'the most probable tags that are wrong, one a picture'),
}


def write_report(folder, report: Report, source, loader, poll: Callable[[], None]) -> None:
  """Says the tables and writes everything else that a reader of the figures wants.

  `evaluation/tags.csv` and `evaluation/categories.csv`; into `pictures/`, sheets of the first, the
  best, the worst and the most confidently wrong predictions, and plots of F1 against how often a
  tag occurs, of precision against recall, and of how often the tags occur.

  Args:
    folder: the workdir, or another that may be new.
    report: of the test split.
    source: the training split.
    loader: of the test split in evaluation order; pictures are read from it again.
    poll: called often; may raise to stop.
  """
  collected = report.outcome.collected
  scored = np.array([category != 'rating' for category in source.tag_categories])
  tags, ratings = int(scored.sum()), int((~scored).sum())
  rated = f' and {counted(ratings, "rating")}' if ratings else ''
  thresholds = ' and '.join(metrics.threshold_words(kind, report.thresholds[kind])
                            for kind in ('micro', 'macro'))
  say(f'test split, {counted(collected.counts["labels"].rows, "picture")}, '
      f'{counted(tags, "tag")}{rated}; thresholds {thresholds} tuned on the validation split')
  say(format_table(report.rows))
  categories = category_rows(report, scored, source.tag_categories)
  say('by category:')
  say(format_table(categories, CATEGORY_COLUMNS))
  train_counts = source.count_tags(poll)
  columns = tag_table.tag_columns(report, source, train_counts)
  tag_table.write_tags(folder / 'evaluation' / 'tags.csv', columns)
  tag_table.write_categories(folder / 'evaluation' / 'categories.csv', categories)
  pictures = folder / 'pictures'
  remote.make_folder(pictures)
  _write_plots(pictures, report, source, train_counts, scored)
  for kind in SHEETS:
    poll()
    _write_sheet(pictures, kind, collected.picks[kind], loader, source.tag_names,
                 report.thresholds['micro'])
  say(f'each tag in {folder}/evaluation/tags.csv, each category in categories.csv; plots and '
      f'pictures in {pictures}')


def _write_plots(folder, report, source, train_counts, scored):
  counts = report.outcome.collected.counts['labels']
  categories = np.array(source.tag_categories)
  f1 = metrics.tag_figures(counts, report.thresholds['micro'])[2]
  plots.save(tag_plots.f1_by_frequency(
      train_counts[scored], np.where(counts.true > 0, f1, np.nan)[scored], categories[scored],
      [source.tag_names[tag] for tag in np.flatnonzero(scored)], report.thresholds['micro']),
      folder / 'f1_by_frequency.png')
  plots.save(tag_plots.tag_frequencies(train_counts, categories, len(source)),
             folder / 'tag_frequencies.png')
  groups = {'all but ratings': scored,
            **{str(name): categories == name for name in dict.fromkeys(categories)}}
  curves = {name: metrics.curve(counts, which) for name, which in groups.items()}
  tuned = metrics.THRESHOLDS.index(report.thresholds['micro'])
  plots.save(tag_plots.precision_recall(curves, {
      name: (precision[tuned], recall[tuned]) for name, (precision, recall) in curves.items()}),
      folder / 'precision_recall.png')


def _write_sheet(folder, kind, picks, loader, tag_names, threshold):
  name, title = SHEETS[kind]
  picks, images = readable(loader, picks)
  sheet = None
  if picks:
    drawn = None if picks[0].drawn is None else np.stack([pick.drawn for pick in picks])
    sheet = tag_sheet(np.stack(images), np.stack([pick.probabilities for pick in picks]),
                      np.stack([pick.labels for pick in picks]), drawn, tag_names, threshold,
                      title=title, ids=[pick.id for pick in picks],
                      captions=[f'F1 {pick.f1:.2f}' for pick in picks] if title else (),
                      first=[pick.wrong_tag for pick in picks] if kind == 'confident_wrong' else ())
  save_sheet(sheet, folder / f'{name}.png')
