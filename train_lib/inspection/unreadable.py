"""Pictures that cannot be read: their list, and why."""

import json

from errors import UserError
from train_lib.inspection.csv_tables import listed
from train_lib.inspection.markup import Section, link, paragraph
from train_lib.inspection.splits import Splits, in_utf8
from train_lib.reporting import counted, say
from train_lib.storage.records import write_text

NAME = 'unreadable.jsonl'


def find_unreadable(splits: Splits) -> dict[str, int]:
  """Writes unreadable.jsonl where there is something to list; how many of each split.

  Raises:
    UserError: no training picture can be read.
  """
  rows = [{'split': split, 'id': pictures.ids[index], 'reason': reason}
          for split, pictures in splits.pictures.items() for index, reason in pictures.unreadable]
  path, noun = splits.folder / NAME, splits.noun
  if rows:
    write_text(path, ''.join(json.dumps(row) + '\n' for row in rows))
    first = in_utf8(rows[0]['id'])
    say(f"{counted(len(rows), noun[:-1])} cannot be read, such as '{first}' "
        f"({rows[0]['reason']}): skipped by training, listed in {path}")
  else:
    path.unlink(missing_ok=True)
    say(f'every {noun[:-1]} can be read')
  counts = {split: len(pictures.unreadable) for split, pictures in splits.pictures.items()}
  if counts['train'] == len(splits.sources['train']):
    raise UserError(f'no training {noun[:-1]} can be read; {path} says why')
  return counts


def unreadable_section(splits: Splits) -> Section:
  """The same on the page."""
  rows = [(pictures.ids[index], split, reason) for split, pictures in splits.pictures.items()
          for index, reason in pictures.unreadable]
  parts = [paragraph(f'Every {splits.noun[:-1]} was read and decoded once; all of them can be.')]
  if rows:
    parts = [paragraph(f'{counted(len(rows), splits.noun[:-1])} cannot be read: skipped by '
                       'training, listed in ', link(splits.folder / NAME, splits.folder), '.'),
             *listed(('file', 'split', 'reason'), rows)]
  return Section('unreadable', f'{splits.noun.capitalize()} that cannot be read', parts,
                 'Unreadable')
