"""How many pictures have each class or tag: a table, a plot, lines on the terminal."""

import numpy as np

from train_lib.classes import class_plots
from train_lib.drawing import plots
from train_lib.inspection import markup
from train_lib.inspection.markup import (
  Details,
  Picture,
  Section,
  joined,
  link,
  paragraph,
  side_by_side,
)
from train_lib.inspection.splits import SPLITS, WORDS, Splits, in_utf8
from train_lib.reporting import say
from train_lib.storage import records
from train_lib.tags import tag_plots

TABLE, PLOT = 'balance.csv', 'frequencies.png'
MOST_LINES = 20                   # at once; of more, the most and the least frequent
MOST_ROWS = 10_000                # on the page, on demand


def find_balance(splits: Splits) -> list[tuple]:
  """Writes balance.csv and frequencies.png, and says the counts.

  Returns: (name, category, pictures of training, validation, test) of each class or tag, by falling
    count.
  """
  train = splits.sources['train']
  counts = np.stack([splits.pictures[split].tag_counts for split in SPLITS], 1)   # [T, 3]
  order = np.argsort(-counts[:, 0], kind='stable')
  rows = [(train.tag_names[tag], train.tag_categories[tag], *map(int, counts[tag]))
          for tag in order]
  records.write_csv(splits.folder / TABLE, ('name', 'category', *SPLITS), rows)
  plots.save(class_plots.balance(counts, train.tag_names)
             if splits.config.task == 'classification'
             else tag_plots.tag_frequencies(counts[:, 0], train.tag_categories, len(train)),
             splits.folder / PLOT)
  say(as_text(rows, [len(splits.sources[split]) for split in SPLITS], splits.noun))
  return rows


def as_text(rows: list[tuple], sizes: list[int], noun: str) -> str:
  """The counts as lines of text: of many, the most and the least frequent ones."""
  head, gap, tail = _ends(rows)
  lines = [('', *SPLITS), (f'all {noun}', *sizes), *((in_utf8(row[0]), *row[2:]) for row in head)]
  lines += [(f'... {gap:,} others', '', '', '')] if gap else []
  lines += [(in_utf8(row[0]), *row[2:]) for row in tail]
  width = min(40, max(len(line[0]) for line in lines))
  return '\n'.join(f'  {line[0][:width]:<{width}}' + ''.join(
      f'{value:>10,}' if isinstance(value, int) else f'{value:>10}' for value in line[1:])
      for line in lines)


def balance_section(splits: Splits, rows: list[tuple]) -> Section:
  """The same on the page. Args: rows: of `find_balance`."""
  what = {'classification': 'class', 'pose': 'joint'}.get(splits.config.task, 'tag')
  caption = {'class': f'{splits.noun.capitalize()} of every class, in each split.',
             'joint': 'Training persons that have a joint, by its rank.',
             'tag': f'Training {splits.noun} that have a tag, by its rank.'}[what]
  head, gap, tail = _ends(rows)
  parts = [paragraph(_in_words(rows, what, splits.noun))]
  if not gap:
    parts.append(_table(rows, rows, what))
  else:
    parts.append(side_by_side(
        joined(paragraph(name, class_='note'), _table(end, rows, what))
        for name, end in (('The most frequent', head), ('The least frequent', tail))))
    shown = rows[:MOST_ROWS]
    all_of = f'All {len(rows):,}' if len(shown) == len(rows) else f'The first {len(shown):,}'
    parts.append(Details(f'{all_of}, by falling count', [_table(shown, rows, what, bars=False)]))
  parts += [paragraph('The same as CSV: ',
                      link(splits.folder / TABLE, splits.folder), '.', class_='note'),
            Picture(splits.folder / PLOT, 'Balance.', caption)]
  names = {'class': 'Classes', 'joint': 'Joints', 'tag': 'Tags'}
  return Section('balance', f'{names[what]} and how often they occur', parts, names[what])


def _ends(rows):
  """(the first ones, how many others there are, the last ones): all where they are few."""
  head = rows if len(rows) <= MOST_LINES else rows[:MOST_LINES // 2]
  tail = rows[len(head):][-MOST_LINES // 2:]
  return head, len(rows) - len(head) - len(tail), tail


def _in_words(rows, what, noun):
  most, least = rows[0], rows[-1]
  several = {'class': 'classes', 'joint': 'joints', 'tag': 'tags'}[what]
  text = (f'{len(rows):,} {several}. The most frequent, {most[0]}, has {most[2]:,} training '
          f'{noun}, the least frequent, {least[0]}, has {least[2]:,}.')
  for column, split in enumerate(SPLITS, 2):
    absent = sum(row[column] == 0 for row in rows)
    if absent:
      text += f' No {WORDS[split]} {noun[:-1]} has {absent:,} of them.'
  return text


def _table(rows, every, what, bars=True):
  """Args: every: all rows, whose largest count is a whole bar."""
  most = max(max(row[2] for row in every), 1)
  categories = len({row[1] for row in every}) > 1
  titles = (what, *['category'] * categories, *(WORDS[split] for split in SPLITS))

  def line(row):
    train = f'{row[2]:,}'
    return (row[0], *[row[1]] * categories, markup.bar(train, row[2] / most) if bars else train,
            *(f'{count:,}' for count in row[3:]))

  return markup.table(titles, map(line, rows), words=1 + categories)
