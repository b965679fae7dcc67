"""Scans: slices, files and patients of each split, and their windows."""

import numpy as np

from train_lib.inspection.csv_tables import listed
from train_lib.inspection.markup import Details, link, paragraph, table
from train_lib.inspection.numbers import percent, shown
from train_lib.inspection.splits import WORDS, Splits
from train_lib.reporting import counted, say
from train_lib.storage import records

FILES = 'scans.csv'
COLUMNS = ('file', 'split', 'group', 'format', 'slices', 'used', 'black_value', 'white_value',
           'is_copy', 'reason')
MOST_GROUPS = 2_000               # on the page
MOST_WINDOWS = 8


def write_files(splits: Splits) -> None:
  """Writes scans.csv, a line for each file of a folder of scans, those too that cannot be read."""
  files, problems = _files(splits), _problems(splits)
  path = splits.folder / FILES
  if not files and not problems:
    path.unlink(missing_ok=True)
    return
  rows = [(file.name, file.split, file.group, file.format, file.num_slices, file.num_used,
           *(f'{value:g}' for value in file.window), 'yes' if file.is_copy else 'no', '')
          for file in files]
  rows += [(name, *[''] * (len(COLUMNS) - 2), reason) for name, reason in problems.items()]
  records.write_csv(path, COLUMNS, rows)
  if problems:
    say(f'{counted(len(problems), "file")} of the folder cannot be read; {path} says why')


def scan_parts(splits: Splits) -> list:
  """Slices, files and groups of each split, windows, and broken files: parts of a section."""
  files = _files(splits)
  parts = [table(*_counts(splits, files))]
  parts.append(paragraph(
      'Black and white: the mean share of a slice that the window shows as 0 or as 1. Much of '
      'white is tissue that the window cuts off; the background of most scans is black.',
      class_='note'))
  if files:
    parts += _of_files(splits, files)
  problems = _problems(splits)
  if problems:
    parts.append(paragraph(f'{counted(len(problems), "file")} of the folder cannot be read:'))
    parts += listed(('file', 'reason'), list(problems.items()))
  return parts


def _files(splits):
  return getattr(splits.sources['train'], 'files', [])


def _problems(splits):
  return getattr(splits.sources['train'], 'problems', {})


def _counts(splits, files):
  """(titles, rows) of a row for each split."""
  titles = ['split', 'slices', *['files'] * bool(files), 'patients or groups', 'unreadable',
            'mean grey', 'black', 'white']
  rows = []
  for split, scans in splits.pictures.items():
    own = [file for file in files if file.split == split]
    groups = len({file.group for file in own}) if files else len(scans.patients)
    rows.append((WORDS[split], f'{len(scans.ids):,}', *[f'{len(own):,}'] * bool(files),
                 f'{groups:,}' if groups else None, f'{len(scans.unreadable):,}', *_means(scans)))
  return titles, rows


def _means(scans):
  """(mean grey, share of black, share of white) as text."""
  if not np.isfinite(scans.means).any():
    return None, None, None
  return (f'{np.nanmean(scans.means):.3f}', percent(float(np.nanmean(scans.black))),
          percent(float(np.nanmean(scans.white))))


def _of_files(splits, files):
  """Windows and groups."""
  window = f"config.data.scans.window is '{splits.config.data.scans.window}': {_windows(files)}."
  groups = {}
  for file in files:
    groups.setdefault((file.split, file.group), []).append(file)
  rows = [(group, split, f'{len(own):,}', f'{sum(file.num_used for file in own):,}')
          for (split, group), own in sorted(groups.items())]
  few = f', the first {MOST_GROUPS:,}' * (len(rows) > MOST_GROUPS)
  return [paragraph(window),
          Details(f'{len(rows):,} groups: patients, volumes or folders, never parted{few}',
                  [table(('group', 'split', 'files', 'slices used'), rows[:MOST_GROUPS],
                         words=2)]),
          paragraph('Every file with its window: ', link(splits.folder / FILES, splits.folder), '.',
                    class_='note')]


def _windows(files):
  """The windows, the most frequent first, in words."""
  windows, counts = np.unique([file.window for file in files], axis=0, return_counts=True)
  order = np.argsort(-counts, kind='stable')
  told = [f'{shown(float(windows[place][0]))} to {shown(float(windows[place][1]))} in '
          f'{counted(int(counts[place]), "file")}' for place in order[:MOST_WINDOWS]]
  rest = len(order) - len(told)
  return '; '.join(told) + (f'; and {rest:,} other windows' if rest else '')
