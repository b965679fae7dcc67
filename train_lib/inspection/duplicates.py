"""Pictures that are alike, within a split and across: their list, and a sheet of the first."""

import numpy as np

from train_lib import build_data
from train_lib.drawing.grid import draw_grid
from train_lib.drawing.pictures import end_of_path, save_sheet
from train_lib.inspection.markup import Picture, Section, bullets, joined, link, paragraph, tag
from train_lib.inspection.splits import WORDS, Splits
from train_lib.reporting import counted, say
from train_lib.storage import records

TABLE, SHEET = 'duplicates.csv', 'duplicates.png'
PAIRS_PER_ROW, MOST_SHOWN = 4, 24  # pairs of alike pictures on their sheet
COLUMNS = ('alike', 'bits', 'across', 'split', 'id', 'tags', 'other split', 'other id',
           'other tags', 'same tags')


def find_duplicates(splits: Splits) -> dict:
  """Writes duplicates.csv and duplicates.png, and says which pictures are alike; the counts."""
  pairs = build_data.find_duplicates(list(splits.pictures.values()))
  rows, shown = [], []
  for number, (one, other, bits) in enumerate(zip(*pairs[:3], strict=True)):
    splits.poll()
    rows.append(_row(splits, one, other, bits))
    if number < MOST_SHOWN:
      shown.append((one, other, rows[-1]))
  records.write_csv(splits.folder / TABLE, COLUMNS, (row.values() for row in rows))
  save_sheet(_sheet(splits, shown, pairs.num_found), splits.folder / SHEET)
  ends = np.cumsum([len(source) for source in splits.sources.values()])
  copied = {split: int(pairs.copied[end - len(splits.sources[split]):end].sum())
            for split, end in zip(splits.sources, ends, strict=True) if split != 'train'}
  exact = sum(row['alike'] == 'exact' for row in rows)
  other = sum(row['same tags'] == 'no' for row in rows)
  if not rows:
    say('no two pictures are alike')
  else:
    say(f'pairs of pictures that are alike: {pairs.num_found:,}; {exact:,} of {len(rows):,} listed '
        f'are exact copies, {other:,} have different tags; pictures like one of training: '
        + ', '.join(f'{count:,} of {split}' for split, count in copied.items())
        + f'; look at {splits.folder}/{SHEET}')
  return {'pairs': pairs.num_found, 'listed': len(rows), 'exact': exact, 'different_tags': other,
          'like_one_of_training': copied}


def duplicates_section(splits: Splits, counts: dict) -> Section:
  """The same on the page. Args: counts: of `find_duplicates`."""
  if not counts['pairs']:
    parts = [paragraph('No two pictures are alike, neither in one split nor across them.')]
    return Section('duplicates', 'Pictures that are alike', parts, 'Duplicates')
  lines = [f'{counted(counts["pairs"], "pair")} in all; of the {counts["listed"]:,} listed, '
           f'{counts["exact"]:,} are the same file',
           f'{counts["different_tags"]:,} of the listed pairs have different tags or classes']
  for split, count in counts['like_one_of_training'].items():
    words = f'{counted(count, f"{WORDS[split]} picture")} like one of training'
    lines.append(tag('strong', words, ': its figures flatter where these are copies')
                 if count else words)
  parts = [bullets(lines),
           paragraph(joined('Near copies are told by their form and colours, so that some are no '
                            'copies at all. The whole list: ',
                            link(splits.folder / TABLE, splits.folder), '.'), class_='note')]
  if (splits.folder / SHEET).exists():
    parts.append(Picture(splits.folder / SHEET, 'Alike.',
                         'The first pairs, those across splits before all others. Red above: '
                         'copies in different splits; red below: different tags.'))
  return Section('duplicates', 'Pictures that are alike', parts, 'Duplicates')


def _row(splits, one, other, bits) -> dict:
  where = splits.place(one)[0], splits.place(other)[0]
  tags = splits.tags_of(one), splits.tags_of(other)
  return dict(zip(COLUMNS, (
      'exact' if bits < 0 else 'near', max(0, int(bits)), 'yes' if where[0] != where[1] else 'no',
      where[0], splits.id_of(one), tags[0], where[1], splits.id_of(other), tags[1],
      'yes' if tags[0] == tags[1] else 'no'), strict=True))


def _sheet(splits, shown, num_found):
  """The first pairs side by side, or None."""
  images, texts = [], []
  for one, other, row in shown:
    pair = [_read(splits, place) for place in (one, other)]
    if any(image is None for image in pair):
      continue
    kind = 'wrong' if row['across'] == 'yes' else 'plain'
    how = 'the same file' if row['alike'] == 'exact' else f"{row['bits']} bits differ"
    different = row['same tags'] == 'no'
    for side, image in zip(('', 'other '), pair, strict=True):
      images.append(image)
      texts.append([(kind, f"{row[side + 'split']}, {how}"),
                    ('wrong' if different else 'found', row[side + 'tags'] or '(no tag)'),
                    ('missed', end_of_path(row[side + 'id']))])
  if not images:
    return None
  width = 2 * PAIRS_PER_ROW
  cut = [slice(first, first + width) for first in range(0, len(images), width)]
  return draw_grid(
      [images[part] for part in cut], (),
      [f'pairs of alike pictures, each with its neighbour: {len(images) // 2} of {num_found:,}',
       'red above: copies in different splits; red below: different tags'],
      [texts[part] for part in cut])


def _read(splits, row):
  """A picture as evaluation reads it; None where it cannot be read."""
  split, index = splits.place(row)
  loader = build_data.build_evaluation_loader(splits.config, splits.sources[split],
                                              keys=('image',))
  example = loader.example(index)
  return None if example is None else example['image']
