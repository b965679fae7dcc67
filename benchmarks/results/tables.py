"""From figures to Markdown: the tables of docs/results.md, and rows of the README's summary."""

from benchmarks.scale_costs import table
from train_lib.studies import study

# Columns: key of a figure -> title, digits.
TAGS = {'map': ('mAP', 3), 'micro_f1': ('micro F1 at 0.5', 3), 'macro_f1': ('macro F1 at 0.5', 3),
        'micro_f1_tuned': ('micro F1, tuned', 3), 'macro_f1_tuned': ('macro F1, tuned', 3)}
TAGS_OF_STUDY = {'macro_f1_tuned': 'macro F1', 'micro_f1_tuned': 'micro F1', 'map': 'mAP',
                 'drawn_macro_f1_tuned': 'macro F1, as drawn', 'drawn_map': 'mAP, as drawn'}
CLASSES_OF_STUDY = {'accuracy': 'accuracy', 'macro_f1': 'macro F1', 'nll': 'NLL, nats',
                    'calibration_error': 'calibration error'}
CLASSES_IN_SHORT = {'accuracy': 'accuracy', 'macro_f1': 'macro F1'}
POSE = {'ap': ('AP', 3), 'ap50': ('AP .5', 3), 'ap75': ('AP .75', 3),
        'ap_medium': ('AP medium', 3), 'ap_large': ('AP large', 3), 'ar': ('AR', 3),
        'ar50': ('AR .5', 3), 'ar75': ('AR .75', 3), 'pictures_per_sec': ('persons/s', 0)}
SCANS = {'psnr': ('PSNR, dB', 2), 'ssim': ('SSIM', 3),
         'recovered': ('recovered, of the original', 3), 'recovered_lost': ('of what was lost', 3),
         'pictures_per_sec': ('slices/s', 0)}
# What the program calls a row -> what a reader meets.
WORDS = {'net': 'the net', 'constant': 'best constant',
         'colour histogram': 'logistic regression on colour histograms',
         'oracle': 'oracle: knows the drawing, not which tags were dropped',
         'net, kept pixels': 'the net, pixels that were kept put back',
         'net, drawn slices alone': 'the net before it saw a scan',
         'median filter': 'median of the known pixels around',
         'mean picture': 'the mean slice of those that were learned from'}
ABSENT = -1                       # COCO's figure of persons of a size that nobody has


def of_rows(found: dict, columns: dict) -> str:
  """The rows of a test split. Args: found: {'rows'}; columns: key -> (title, digits)."""
  cells = [(WORDS.get(name, name), *(_figure(row.get(key), digits)
                                     for key, (_, digits) in columns.items()))
           for name, row in found['rows'].items()]
  return table(('', *(title for title, _ in columns.values())), cells)


def of_study(found: dict, task: str, columns: dict, *, threshold=False, seconds=False) -> str:
  """The rows of a study: means, and half their 95 % intervals.

  Args: columns: key -> title; rows are compared by the first, and what no row has is left out;
    threshold: its mean too; seconds: how long a run took too.
  """
  summary = study.summarise(found['results'], task)
  columns = {key: title for key, title in columns.items() if any(key in row for row in summary)}
  first = next(iter(columns.values()))
  titles = ['', *columns.values(), f'{first}, difference']
  titles += ['threshold'] * threshold + ['time of a run'] * seconds
  rows = []
  for row in summary:
    lost = f' ({row["diverged"]} of {row["diverged"] + row["seeds"]} diverged)'
    cells = [row['row'] + lost * bool(row['diverged']),
             *(mean(row.get(key)) for key in columns), mean(row['difference'], '+')]
    if threshold:
      cells.append(f'{row["macro_threshold"].mean:.2f}' if 'macro_threshold' in row else '')
    if seconds:
      cells.append(_span([one['seconds'] for one in found['results'][row['row']].values()
                          if 'seconds' in one]))
    rows.append(cells)
  return table(titles, rows)


def but(columns: dict, *names: str) -> dict:
  """Columns without some of them."""
  return {name: title for name, title in columns.items() if name not in names}


def of_left_out(found: dict) -> str:
  """The means over all patients and volumes that were left out."""
  return (f'{of_rows(found, but(SCANS, "pictures_per_sec"))}\n\nMeans over {found["groups"]} '
          f'patients and volumes, {found["slices"]} slices.')


def of_small_pictures(found: dict) -> str:
  """A row for each folder: the net beside the simple models, the best on validation first."""
  names = sorted(next(iter(found.values()))['models'],
                 key=lambda name: -found['faces']['models'][name][0])
  names.remove('the net')
  rows = [(f'{title}: {found[key]["counts"]["train"]:,} to train, '
           f'{found[key]["counts"]["test"]:,} to test', f'{found[key]["models"]["the net"][1]:.3f}',
           human(found[key]['seconds']),
           *(f'{found[key]["models"][name][1]:.3f}' for name in names))
          for key, title in (('faces', 'faces of ten characters, 28x28'),
                             ('cifar10', "JPEGs of CIFAR-10's training split"))]
  return table(('', 'net, 0.2 M', 'time', *names), rows)


def of_taps(found: dict) -> str:
  """A row for each tap of a net, with NMI of random kernels."""
  last, rows = list(found['taps'])[-1], []
  for tap, figures in found['taps'].items():
    name = tap if tap == 'pixels' else f'`{tap}`' + ', the last' * (tap == last)
    rows.append((name, *(f'{value:.3f} ± {half:.3f}' for value, half in figures['own']),
                 '{:.3f} ± {:.3f}'.format(*figures['random'][0]) if 'random' in figures else ''))
  lines = table(('', 'NMI', 'ARI', 'Hungarian accuracy', 'NMI, random kernels'), rows)
  return f'{lines}\n\n{found["pictures"]}.'


def of_optimizers(found: dict) -> str:
  """The chosen learning rate of each optimizer, and what it comes to."""
  reference, rows = found['rows'][0]['row'], []
  for row in found['rows']:
    name, text = row['row'], {key.partition(':')[0]: value for key, value in row.items()}
    own, base = (found['test'].get(one, {}) for one in (name, reference))
    pairs = [own[seed]['macro_f1_tuned'] - base[seed]['macro_f1_tuned']
             for seed in own if seed in base]
    paired = mean(study.interval(pairs), '+') if pairs and name != reference else ''
    within = next((value for key, value in text.items() if key.startswith('rates within')), '')
    rows.append((name, row['learning rate'], of_seeds(own, 'macro_f1_tuned'), paired,
                 of_seeds(own, 'map'), within, row['diverged'], row['steps to target']))
  return table(('', 'learning rate', 'test macro F1', f'less {reference}, paired', 'test mAP',
                'rates within 10 % of the best row: factor', 'diverged', 'steps to within 10 %'),
               rows)


def of_seeds(seeds: dict, key: str) -> str:
  """The mean of a figure over seeds. Args: seeds: {seed: figures}."""
  values = [figures[key] for figures in seeds.values() if key in figures]
  return mean(study.interval(values)) if values else ''


def of_printed(found: dict, columns: dict) -> str:
  """A printed table, some of its columns. Args: columns: as printed -> title here."""
  places = [found['columns'].index(name) for name in columns]
  return table(columns.values(), [[row[place] for place in places] for row in found['rows']])


def of_nets(found: dict) -> str:
  """Nets beside others: train and infer, a line for each program."""
  rows = []
  for net, program in dict.fromkeys((row['model'], row['program']) for row in found['rows']):
    own = {row['mode']: row for row in found['rows']
           if (row['model'], row['program']) == (net, program)}
    some = next(iter(own.values()))
    title = f'`{net}`, {some["img_size"]} px, batch {some["batch_size"]}, {some["turns"]} turns'
    ours = program == 'ours'
    rows.append((title if ours else '', program, *(
        cell for mode in ('train', 'infer') for cell in (
            own[mode]['rate'] if mode in own else '',
            own[mode]['ratio'] if mode in own and not ours else ''))))
  return table(('net', '', 'train, pictures/s', 'ours / it', 'infer, pictures/s', 'ours / it'),
               rows)


def of_input(found: dict) -> str:
  """The input pipeline beside others, case after case."""
  rows = [(case if not number else '', *row) for case, cells in found['cases'].items()
          for number, row in enumerate(cells)]
  return table(('operations', '', 'pictures/s', 'of a core', 'ours / it', 'ours / it, of a core'),
               rows)


def of_kmeans(found: dict) -> str:
  """The fits side by side, then the lines about starts, compilation and the stream."""
  names = list(next(iter(found.values()))['programs'])
  rows = []
  for title, one in found.items():
    programs = one['programs']
    rows.append((title, *(
        f'{programs[name]["seconds"]:.2f} s' if name in programs else '' for name in names), *(
        f'{programs[name]["ratio"]:.2f}, {programs[name]["busy_ratio"]:.2f}'
        if name in programs else '' for name in names[1:])))
  titles = ('', *names, *(f"ours / {name}: time, processors' time" for name in names[1:]))
  told = [f'- {title}: {one[key]}' for title, one in found.items()
          for key in ('starts', 'compiled', 'stream') if one[key]]
  return '\n'.join([table(titles, rows), '', *told])


def of_lines(found: dict) -> str:
  """Printed lines as a list."""
  return '\n'.join(f'- {line}' for line in found['lines'])


def of_faults(found: dict) -> str:
  """A row for each scenario."""
  rows = [(name, fault, ('' if passed else 'FAILED: ') + outcome.replace('|', '\\|'), f'{sec} s')
          for name, passed, sec, fault, outcome in found['rows']]
  return table(('', 'done to it', 'what came of it', 'time'), rows) + f'\n\n{found["total"]}.'


def mean(value, sign: str = '') -> str:
  """'0.340 ± 0.013' of a study's interval; '' of None."""
  if value is None:
    return ''
  half = f' ± {value.high - value.mean:.3f}' if value.high > value.low else ''
  return f'{value.mean:{sign}.3f}{half}'


def human(seconds: float) -> str:
  """45.2 -> '45 s', 671 -> '11 min 11 s', 9000 -> '2 h 30 min'."""
  minutes, rest = divmod(round(seconds), 60)
  if minutes >= 60:
    return f'{minutes // 60} h {minutes % 60} min'
  return f'{minutes} min {rest} s' if minutes else f'{rest} s'


def best_rival(rows: dict, key: str, without=('net', 'net, kept pixels', 'oracle')) -> float:
  """The highest figure of all rows that learn simply or nothing."""
  return max(row[key] for name, row in rows.items()
             if name not in without and row.get(key) is not None)


def row_mean(found: dict, row: str, key: str) -> str:
  """The mean of a study's row. Args: row: how its name begins."""
  name = next(name for name in found['results'] if name.startswith(row))
  return of_seeds({seed: figures for seed, figures in found['results'][name].items()
                   if 'diverged' not in figures}, key)


def _figure(value, digits):
  return '' if value is None or value == ABSENT else f'{value:,.{digits}f}'


def _span(seconds):
  if not seconds:
    return ''
  low, high = (f'{value:,.0f}' for value in (min(seconds), max(seconds)))
  return f'{low} s' if low == high else f'{low} to {high} s'
