"""Rows of the README's summary, each from the figures of a part.

A row: what, on which data, figure; `pages.py` adds the time and the command.
"""

from benchmarks.results import tables
from train_lib.studies import study


def tagger(found: dict) -> tuple:
  """The demo beside the best of the simple rows."""
  rows, net = found['demo']['rows'], found['demo']['rows']['net']
  titles = {'macro_f1_tuned': 'macro F1', 'micro_f1_tuned': 'micro F1', 'map': 'mAP'}
  figure = ', '.join(f'{title} {net[key]:.3f} ({tables.best_rival(rows, key):.3f})'
                     for key, title in titles.items())
  return ('tagger, 16.6 M parameters', '12,000 drawn pictures, 100 tags', figure)


def faces(found: dict) -> tuple:
  """The net beside the simple model that is best on the validation split."""
  faces = found['faces']
  rivals = {name: values for name, values in faces['models'].items() if name != 'the net'}
  best = rivals[max(rivals, key=lambda name: rivals[name][0])][1]
  return ('characters, 0.2 M parameters',
          f'{faces["counts"]["train"]:,} faces of ten characters, 28x28',
          f'accuracy {faces["models"]["the net"][1]:.3f} ({best:.3f})')


def transfer(found: dict) -> tuple:
  """The last block trained, beside the head alone and a small net that learned from nothing."""
  best, head, scratch = (tables.row_mean(found, row, 'accuracy')
                         for row in ('last block', 'frozen', 'small net'))
  return ('fine-tuning, Inception v3', '641 photographs of clothes, ten classes',
          f'accuracy {best} (head alone {head}; a net of 0.2 M from scratch {scratch})')


def crop(found: dict) -> tuple:
  """Whole pictures, and those cut by predicted joints."""
  whole, cut = (tables.row_mean(found, row, 'accuracy') for row in ('whole', 'cut out by pred'))
  return ('the person cut out by HRNet', '6,000 drawn pictures, 7 garments',
          f'accuracy {whole} whole, {cut} cut')


def pose(found: dict) -> tuple:
  """The net beside the mean pose."""
  rows = found['rows']
  return ('keypoints, HRNet, 1.3 M parameters', '8,498 drawn persons, in boxes that are told',
          f'AP {rows["net"]["ap"]:.3f} ({rows["mean pose"]["ap"]:.3f})')


def scans(found: dict) -> tuple:
  """The net beside the best restorer that learns nothing."""
  rows = found['rows']
  return ('autoencoder for slices, 1.3 M parameters', '8,000 drawn slices',
          f'{rows["net"]["recovered"]:.3f} of the original recovered from 40 % '
          f'({tables.best_rival(rows, "recovered"):.3f})')


def clusters(found: dict) -> tuple:
  """The last tap beside pixels."""
  taps = found['taps']
  own, pixels = ('{:.3f} ± {:.3f}'.format(*taps[tap]['own'][0])
                 for tap in (list(taps)[-1], 'pixels'))
  return ("clustering, Inception's features", '906 photographs of clothes',
          f'NMI {own} (pixels {pixels})')


def optimizers(found: dict) -> tuple:
  """The least and the greatest mean, and the same of the intervals."""
  found = [study.interval([one['macro_f1_tuned'] for one in seeds.values()])
           for seeds in found['test'].values()]
  means, halves = [one.mean for one in found], [one.high - one.mean for one in found]
  return ('six optimizers, each tuned', '2,048 drawn pictures',
          f'macro F1 {min(means):.3f} to {max(means):.3f}, ± {min(halves):.3f} to '
          f'{max(halves):.3f}')


def faults(found: dict) -> tuple:
  """How many scenarios came out as they must."""
  rows = found['rows']
  passed = sum(row[1] for row in rows)
  return ('faults', f'{len(rows)} ways to harm a run',
          f'{passed} of {len(rows)} come out as they must')
