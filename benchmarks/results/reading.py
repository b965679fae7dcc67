"""From what commands leave to figures: run.json, study.json, cells, and tables that are printed.

Every function returns what `docs/results.json` keeps, as plain JSON; `tables.py` makes Markdown of
it. A `log` is what a command printed.
"""

import csv
import json
import pathlib
import re
import statistics

from train_lib.studies import study as study_lib

DIGITS = 6                        # of a figure that is kept
PLAIN = r'-?[\d,.]+(?:e[+-]?\d+)?'


def run(folder: pathlib.Path) -> dict:
  """{'rows': figures of the test split by row, 'seconds' that training took} of a finished run."""
  record = json.loads((folder / 'run.json').read_text())
  return {'rows': short(record['test']), 'seconds': record['goodput']['total_sec']}


def evaluation(folder: pathlib.Path) -> dict:
  """{'rows'} of --job=evaluate."""
  return {'rows': short(json.loads((folder / 'evaluation.json').read_text())['test'])}


def study(folder: pathlib.Path) -> dict:
  """{'results': {row: {seed: figures}}} of --job=study; of each run 'seconds' too."""
  results = json.loads((folder / 'study.json').read_text())
  for path in sorted(folder.glob('*/*/run.json')):
    record = json.loads(path.read_text())
    for row, seeds in results.items():
      seed = path.parent.name
      if seed in seeds and path.parent.parent.name == study_lib.folder_name(row):
        seeds[seed]['seconds'] = record['goodput']['total_sec']
  return {'results': short(results)}


def tuned_study(folder: pathlib.Path) -> dict:
  """{'rows': the table's cells as text, 'test': {row: {seed: {figure: value}}} at the rates that
  were chosen} of a study with learning rates."""
  with open(folder / 'table.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  chosen, test = {row['row']: row['learning rate'] for row in rows}, {}
  with open(folder / 'cells.csv', newline='') as file:
    for cell in csv.DictReader(file):
      if f'{float(cell["learning_rate"]):g}' == chosen[cell['row']]:
        test.setdefault(cell['row'], {})[cell['seed']] = {
            key.removeprefix('test/'): float(value) for key, value in cell.items()
            if key.startswith('test/') and value}
  return {'rows': rows, 'test': short(test)}


def simple_models(log: str) -> dict:
  """{'counts': {split: pictures}, 'models': {name: [valid, test]}} of benchmarks.simple_models."""
  told = re.findall(r'^.*: train [\d,]+, valid [\d,]+, test [\d,]+$', log, re.MULTILINE)
  counts = dict(re.findall(r'\b(train|valid|test) ([\d,]+)', wanted(told, 'counts', log)[0]))
  models = {name.strip(): [float(valid), float(test)] for name, valid, test in re.findall(
      r'^(\S.*?) +(\d\.\d{3}) +(\d\.\d{3})\b', log, re.MULTILINE)}
  return {'counts': {split: int(count.replace(',', '')) for split, count in counts.items()},
          'models': wanted(models, 'models', log)}


def taps(log: str) -> dict:
  """{'pictures': the line about them, 'taps': {tap: {'own': 3 x [mean, half], 'random': the same
  of random kernels}}} of benchmarks.cluster_taps."""
  found, last = {}, None
  for name, rest in re.findall(r'^( *\S.*?)((?: +-?\d\.\d+ \+- \d\.\d+){3})$', log, re.MULTILINE):
    figures = [list(map(float, pair)) for pair in re.findall(r'(-?\d\.\d+) \+- (\d\.\d+)', rest)]
    if name.startswith(' '):
      found[last]['random'] = figures
    else:
      last = name.strip()
      found[last] = {'own': figures}
  pictures = re.findall(r'^[\d,]+ pictures are clustered.*$', log, re.MULTILINE)
  return {'pictures': wanted(pictures, 'pictures are clustered', log)[0],
          'taps': wanted(found, 'taps', log)}


def left_out(folder: pathlib.Path) -> dict:
  """{'groups', 'slices', 'rows': means over the patients and volumes} of leave_one_out."""
  each = [json.loads(path.read_text()) for path in sorted(folder.glob('*/left_out.json'))]
  names = dict.fromkeys(name for one in each for name in one)
  rows = {name: {figure: statistics.fmean(one[name][figure] for one in each if name in one)
                 for figure in ('psnr', 'ssim', 'recovered', 'recovered_lost')} for name in names}
  return {'groups': len(each), 'rows': short(rows),
          'slices': int(sum(one['net']['examples'] for one in each))}


def printed_table(log: str, first: str) -> dict:
  """{'columns', 'rows'} of a table whose cells stand two spaces or more apart.

  Args: first: the title of its first column.
  """
  lines = [re.split(r' {2,}', line.strip()) for line in log.splitlines()]
  start = next((place for place, cells in enumerate(lines)
                if cells[0] == first and len(cells) > 1), None)
  rows = [] if start is None else [cells for cells in lines[start + 1:]
                                   if len(cells) == len(lines[start])]
  return {'columns': wanted(rows, f"table of '{first}'", log) and lines[start], 'rows': rows}


def kmeans(log: str) -> dict:
  """{'programs': {name: {...}}, 'starts', 'stream': lines, 'versions'} of benchmarks.kmeans."""
  programs = {}
  for name, seconds, least, most, busy, ratio, busy_ratio in re.findall(
      rf'^(\S+): ({PLAIN}) s \(({PLAIN}) to ({PLAIN})\), of the processors ({PLAIN}) s, inertia '
      rf"\S+; ours takes ({PLAIN}) of its time, ({PLAIN}) of its processors'$", log, re.MULTILINE):
    programs[name] = dict(zip(
        ('seconds', 'least', 'most', 'busy', 'ratio', 'busy_ratio'),
        map(float, (seconds, least, most, busy, ratio, busy_ratio)), strict=True))
  told = {'versions': r'^jax [^;]*', 'starts': r'^\d+ starts: .*$',
          'compiled': r'^ours, one iteration .*$', 'stream': r'^[\d,]+ rows of a memory map.*$'}
  return {'programs': wanted(programs, 'k-means', log), **{
      key: ''.join(re.findall(pattern, log, re.MULTILINE)[:1]) for key, pattern in told.items()}}


def lines(log: str, pattern: str) -> dict:
  """{'lines': those that match}. Args: pattern: a regular expression of a whole line."""
  found = [line for line in log.splitlines() if re.fullmatch(pattern, line)]
  return {'lines': wanted(found, pattern, log)}


def beside_nets(path: pathlib.Path) -> dict:
  """{'rows'} of benchmarks.nets_beside, the turns as text."""
  from benchmarks.beside.turns import in_words
  kept = ('model', 'img_size', 'batch_size', 'mode', 'program')
  return {'rows': [{**{key: row[key] for key in kept}, 'turns': len(row['ours_over_it_of_turns']),
                    'rate': in_words(row['samples_per_sec_of_turns']),
                    'ratio': in_words(row['ours_over_it_of_turns'])}
                   for row in json.loads(path.read_text())['rows']]}


def beside_input(path: pathlib.Path) -> dict:
  """{'cases': {case: cells as text}} of benchmarks.input_beside."""
  from benchmarks import input_beside
  return {'cases': {name: [list(row) for row in input_beside.table_rows(case['turns'])]
                    for name, case in json.loads(path.read_text())['cases'].items()}}


def faults(log: str) -> dict:
  """{'rows': [[name, passed, seconds, fault, outcome]], 'total'} of `python -m tests.faults`."""
  rows = []
  for line in log.splitlines():
    if found := re.fullmatch(r'(F\d+) +(pass|FAIL) +(\d+) s  (.*)', line):
      rows.append([found[1], found[2] == 'pass', int(found[3]), found[4], ''])
    elif rows and re.match(r' {18}\S', line):
      rows[-1][4] = f'{rows[-1][4]} {line.strip()}'.strip()
  total = re.findall(r'^\d+ of \d+ scenarios passed in \d+ s$', log, re.MULTILINE)
  return {'rows': wanted(rows, 'scenarios', log), 'total': wanted(total, 'a last line', log)[0]}


class Unreadable(Exception):
  """A command ended well, but what it left is not what was expected."""


def wanted(found, what: str, log: str):
  """What was found. Raises: Unreadable: nothing was."""
  if not found:
    last = '\n  '.join(log.splitlines()[-6:])
    raise Unreadable(f'no {what} in what was printed, which ends with\n  {last}')
  return found


def short(value):
  """The same with floats of DIGITS digits."""
  if isinstance(value, dict):
    return {key: short(one) for key, one in value.items()}
  return float(f'{value:.{DIGITS}g}') if isinstance(value, float) else value
