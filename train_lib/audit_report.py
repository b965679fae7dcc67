"""What an audit leaves: its suspects as a table, a sheet of pictures and counts, and in words.

Of tags, a suspect is a tag that a picture lacks or has wrongly; of classes, a picture whose class
is wrong, and the one to take instead.
"""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np

from train_lib import build_data
from train_lib.audit import Audit, format_precisions, precisions
from train_lib.drawing.pictures import draw_sheet, end_of_path, save_sheet
from train_lib.reporting import counted, say
from train_lib.storage import records
from train_lib.tags.tag_pictures import suspect_sheet

SHEET_PICTURES, SHEET_OF_TAG = 40, 5  # in all, and of one tag or class where there are many
SIZES = (50, 100, 500, 1000)      # of the most suspect, where the truth is known
TAG_COLUMNS = ('rank', 'split', 'id', 'tag', 'category', 'listed', 'suspected', 'probability',
               'score')
CLASS_COLUMNS = ('rank', 'split', 'id', 'label', 'suggested', 'probability',
                 'suggested_probability', 'score')


@dataclasses.dataclass(frozen=True)
class Part:
  """Pictures, and a net that did not learn from them; `first`: the number of the first one."""
  split: str
  source: Any
  trained: Any
  first: int


def write_audit(config, folder, parts: list[Part], scored: np.ndarray, ids: list[str],
                audit: Audit, poll) -> None:
  """Writes `audit.csv`, `audit.png` and `audit.json`, and says what was found.

  Args:
    config: the whole config.
    folder: where to.
    parts: what was judged.
    scored: int [T], the tag or class of each of the audit's.
    ids: of the pictures, by number; '' of those that could not be read.
    audit: of `find_suspects`.
    poll: called for each picture of the sheet; may raise to stop.
  """
  exclusive = parts[0].trained.task.exclusive
  columns = CLASS_COLUMNS if exclusive else TAG_COLUMNS
  make_row = _class_row if exclusive else _tag_row
  rows = []
  for rank, suspect in enumerate(audit.suspects, 1):
    part = _part_of(parts, suspect['row'])
    rows.append({'rank': rank, 'split': part.split, 'id': _plain(ids[suspect['row']]),
                 **make_row(suspect, part.trained, scored),
                 'probability': round(float(suspect['probability']), 4),
                 'score': round(1 - float(suspect['ratio']), 4)})
  records.write_csv(folder / 'audit.csv', columns, ([row[key] for key in columns] for row in rows))
  counts = _count_classes(rows) if exclusive else _count_tags(rows)
  records.write_json(folder / 'audit.json', {
      'folds': config.audit.folds, 'checkpoint': config.checkpoint,
      'parts': [{'split': part.split, 'pictures': _num_judged(part, ids),
                 'step': part.trained.step} for part in parts],
      'labels_judged': audit.judged, 'labels_doubted': audit.doubted,
      'most': config.audit.most, **counts,
      'precision': _precisions(audit, exclusive) if audit.wrong else None})
  most = max(SHEET_OF_TAG, -(-SHEET_PICTURES // len(scored)))
  shown = _shown(config, parts, audit.suspects['row'], rows, 'label' if exclusive else 'tag', most,
                 poll)
  draw = _class_sheet if exclusive else _tag_sheet
  save_sheet(draw(*zip(*shown, strict=True), most) if shown else None, folder / 'audit.png')
  _tell(folder, audit, rows, len(shown), exclusive)


def _tag_row(suspect, trained, scored):
  tag, listed = scored[suspect['tag']], bool(suspect['listed'])
  return {'tag': trained.tag_names[tag], 'category': trained.tag_categories[tag],
          'listed': 'yes' if listed else 'no', 'suspected': 'false' if listed else 'missing'}


def _class_row(suspect, trained, scored):
  label, suggested = (trained.tag_names[scored[suspect[key]]] for key in ('tag', 'suggested'))
  return {'label': label, 'suggested': suggested,
          'suggested_probability': round(float(suspect['suggested_probability']), 4)}


def _count_tags(rows):
  """By kind, and by tag and kind, how many are suspected."""
  of_tags = Counter(row['tag'] for row in rows)
  missing = Counter(row['tag'] for row in rows if row['suspected'] == 'missing')
  return {'suspects': dict(Counter(row['suspected'] for row in rows)),
          'by_tag': {tag: {'missing': missing[tag], 'false': count - missing[tag]}
                     for tag, count in of_tags.most_common()}}


def _count_classes(rows):
  """How many are suspected, and by class as listed and as suggested, the most frequent first."""
  pairs, of_classes = Counter((row['label'], row['suggested']) for row in rows), {}
  for (label, suggested), count in pairs.most_common():
    of_classes.setdefault(label, {})[suggested] = count
  return {'suspects': {'false': len(rows)}, 'by_class': of_classes}


def _precisions(audit, exclusive):
  found = precisions(audit, SIZES)
  return {'all': found['all']} if exclusive else found        # of classes there is one kind


def _num_judged(part, ids):
  return sum(map(bool, ids[part.first:part.first + len(part.source)]))


def _part_of(parts, number):
  """The part that holds the picture of this number."""
  return parts[np.searchsorted([part.first for part in parts], number, side='right') - 1]


def _plain(name):
  """A name that any file can hold: what is no UTF-8 in it is written as numbers."""
  return name.encode(errors='backslashreplace').decode()


def _shown(config, parts, numbers, rows, key, most, poll) -> list[tuple[dict, np.ndarray]]:
  """The first rows with their pictures, few of one tag; a picture that cannot be read is left out.

  Args: numbers: of the rows' pictures; key: 'tag' or 'label'; most: rows of one of these.
  """
  loaders = {part.first: build_data.build_evaluation_loader(config, part.source) for part in parts}
  shown, of_tags = [], Counter()
  for number, row in zip(numbers, rows, strict=True):
    if len(shown) < SHEET_PICTURES and of_tags[row[key]] < most:
      poll()
      first = _part_of(parts, number).first
      example = loaders[first].example(int(number) - first)
      if example is not None:
        shown.append((row, example['image']))
        of_tags[row[key]] += 1
  return shown


def _tag_sheet(rows, images, most):
  columns = {key: [row[key] for row in rows] for key in TAG_COLUMNS}
  return suspect_sheet(
      images, columns['rank'], columns['tag'], [value == 'yes' for value in columns['listed']],
      columns['probability'], columns['id'],
      f'labels suspected wrong, the most suspect first, at most {most} of one tag')


def _class_sheet(rows, images, most):
  title = f'classes suspected wrong, the most suspect first, at most {most} of one class'
  header = [[('plain', title)], [('plain', 'rank; %: how probable the net finds the class'),
                                 ('wrong', 'as listed'), ('found', 'as the net suggests')]]
  texts = [[('wrong', f"{row['rank']}. {row['label']}? {100 * row['probability']:.0f} %"),
            ('found', f"{row['suggested']} {100 * row['suggested_probability']:.0f} %"),
            ('missed', end_of_path(row['id']))] for row in rows]
  return draw_sheet(images, texts, header)


def _tell(folder, audit, rows, num_shown, exclusive):
  if audit.wrong:
    say('the data know the truth; share of labels that really are wrong, at random and among the '
        'most suspect:')
    say(format_precisions(_precisions(audit, exclusive)))
  if not rows:
    judged = counted(sum(audit.judged.values()), 'picture' if exclusive else 'label')
    say(f'no label is doubted, {judged} judged; {folder}/audit.csv has no row')
    return
  shows = f'audit.png shows {num_shown}' if num_shown else 'none of them can be shown'
  say(_summary(f'{folder}/audit.csv', audit, rows, exclusive)
      + f'; {shows}, audit.json counts them')
  say('look at them from the top, correct your labels where the net is right, and train again')


def _summary(table, audit, rows, exclusive):
  """How many rows the table has, and of how many labels they are the most suspicious."""
  judged, doubted = sum(audit.judged.values()), sum(audit.doubted.values())
  those = (f'of {judged:,} pictures in which the net finds another class more probable, and the '
           'listed one less than is usual for it' if exclusive else
           f'of {judged:,} labels that the net believes less than is usual for their tag')
  which = (f'the {len(rows):,} most suspicious (audit.most) of the {doubted:,}'
           if len(rows) < doubted else f'the {doubted:,}')
  if exclusive:
    return f'{table} ranks {which} {those}, with the class to take instead'
  kinds = Counter(row['suspected'] for row in rows)
  return (f'{table} ranks {which} {those}: {kinds["missing"]:,} tags that may be missing, '
          f'{kinds["false"]:,} that may be false')
