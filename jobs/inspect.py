"""--job=inspect: what the data of a page are, and what the net sees of them."""

import dataclasses
import json
from typing import Any

import numpy as np

from errors import UserError
from train_lib import build_data, class_plots, devices, plots, records
from train_lib import workdir as workdir_lib
from train_lib.augmentation_sheet import augmentation_sheet
from train_lib.grid import draw_grid
from train_lib.pictures import save_sheet
from train_lib.preemption import Preemption
from train_lib.reporting import say

SPLITS = ('train', 'valid', 'test')
MOST_LINES = 20                   # of the table of tags; of more, the most and the least frequent
PAIRS_PER_ROW, MOST_SHOWN = 4, 24  # pairs of alike pictures on their sheet
PAIR_COLUMNS = ('alike', 'bits', 'across', 'split', 'id', 'tags', 'other split', 'other id',
                'other tags', 'same tags')


@dataclasses.dataclass(frozen=True)
class _Data:
  """All splits, their sources and pictures, train first; rows count through all of them."""
  config: Any
  sources: dict
  pictures: dict

  def place(self, row: int) -> tuple[str, int]:
    """(split, index) of a row."""
    for split, source in self.sources.items():
      if row < len(source):
        return split, int(row)
      row -= len(source)
    raise IndexError(row)

  def tags_of(self, row: int) -> str:
    split, index = self.place(row)
    source = self.sources[split]
    return ', '.join(sorted(source.tag_names[tag] for tag in source.tags_of(index)))

  def id_of(self, row: int) -> str:
    split, index = self.place(row)
    return records.plain(self.pictures[split].ids[index]).encode(
        errors='backslashreplace').decode()


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Reads every picture of a page's data once and tells what they are; nothing is trained.

  Writes `inspect.json` (counts), `balance.csv` and `frequencies.png` (how many pictures of each
  split have each class or tag), `unreadable.jsonl` (pictures that cannot be read, and why),
  `duplicates.csv` and `duplicates.png` (pairs of exact and near copies, those across splits first:
  see data/duplicates.py) and `augmentations.png` (training pictures as evaluation reads them, after
  each augmentation by itself, and after all).

  Args:
    config: of the page; needs no workdir that was trained.
    workdir: of the run to be; only its folder `inspect` is written.
    config_path, input: not of this job.
    output: a folder; '' is `<workdir>/inspect`.

  Raises:
    UserError: data or settings that make no sense, or no training picture that can be read.
  """
  del config_path, input
  if config.task == 'autoencoding':
    raise UserError('an inspection is of pictures with tags, classes or joints; what a folder of '
                    'scans holds is said when --job=train begins')
  with Preemption() as preemption:
    devices.set_up_jax(config.runtime.cache_dir)
    build_data.build_pipeline(config, train=True)            # a mistake is told before reading
    folder = _open_folder(config, workdir, output)
    sources = {split: build_data.build_source(config, split, preemption.check) for split in SPLITS}
    say(sources['train'].description)
    data = _Data(config, sources, {
        split: build_data.read_pictures(config, source, split, preemption.check)
        for split, source in sources.items()})
    summary = {'pictures': {split: len(source) for split, source in sources.items()},
               'unreadable': _tell_unreadable(folder, data)}
    _tell_balance(folder, data)
    if config.task != 'pose':                                 # persons of a picture share it
      summary['alike'] = _tell_duplicates(folder, data, preemption.check)
    save_sheet(augmentation_sheet(config, sources['train']), folder / 'augmentations.png')
    records.write_json(folder / 'inspect.json', summary)
    say(f'look at {folder}/augmentations.png: what the net sees; all else is beside it')


def _open_folder(config, workdir, output):
  if output:
    folder = records.absolute(output)
  else:
    if not (records.absolute(workdir) / 'config.json').exists():  # else the workdir of a run
      workdir_lib.save_config(workdir_lib.open_workdir(workdir, config) / 'config.json', config)
    folder = records.absolute(workdir) / 'inspect'
  folder.mkdir(parents=True, exist_ok=True)
  return folder


def _tell_unreadable(folder, data) -> dict:
  """Lists the pictures that cannot be read; how many of each split."""
  rows = [{'split': split, 'id': pictures.ids[index], 'reason': reason}
          for split, pictures in data.pictures.items() for index, reason in pictures.unreadable]
  path = folder / 'unreadable.jsonl'
  if rows:
    records.write_text(path, ''.join(json.dumps(row) + '\n' for row in rows))
    say(f"{len(rows):,} pictures cannot be read, such as '{rows[0]['id']}' ({rows[0]['reason']}); "
        f'training skips them, {path} lists them')
  else:
    path.unlink(missing_ok=True)
    say('every picture can be read')
  counts = {split: len(pictures.unreadable) for split, pictures in data.pictures.items()}
  if counts['train'] == len(data.sources['train']):
    raise UserError(f'no training picture can be read; {path} says why')
  return counts


def _tell_balance(folder, data) -> None:
  """Writes and says how many pictures have each class or tag."""
  train = data.sources['train']
  counts = np.stack([data.pictures[split].tag_counts for split in SPLITS], 1)   # [T, 3]
  order = np.argsort(-counts[:, 0], kind='stable')
  rows = [(train.tag_names[tag], train.tag_categories[tag], *map(int, counts[tag]))
          for tag in order]
  records.write_csv(folder / 'balance.csv', ('name', 'category', *SPLITS), rows)
  plots.save(class_plots.balance(counts, train.tag_names) if data.config.task == 'classification'
             else plots.tag_frequencies(counts[:, 0], train.tag_categories, len(train)),
             folder / 'frequencies.png')
  say(_table(rows, [len(data.sources[split]) for split in SPLITS],
             'persons' if data.config.task == 'pose' else 'pictures'))


def _table(rows, sizes, what) -> str:
  """The counts as lines of text: of many, the most and the least frequent ones."""
  head = rows if len(rows) <= MOST_LINES else rows[:MOST_LINES // 2]
  tail = rows[len(head):][-MOST_LINES // 2:]
  gap = len(rows) - len(head) - len(tail)
  lines = [('', *SPLITS), (f'all {what}', *sizes), *((row[0], *row[2:]) for row in head)]
  lines += [(f'... {gap:,} others', '', '', '')] if gap else []
  lines += [(row[0], *row[2:]) for row in tail]
  width = min(40, max(len(line[0]) for line in lines))
  return '\n'.join(f'  {line[0][:width]:<{width}}' + ''.join(
      f'{value:>10,}' if isinstance(value, int) else f'{value:>10}' for value in line[1:])
      for line in lines)


def _tell_duplicates(folder, data, poll) -> dict:
  """Writes and says which pictures are alike; the counts."""
  pairs = build_data.find_duplicates(list(data.pictures.values()))
  rows, shown = [], []
  for number, (one, other, bits) in enumerate(zip(*pairs[:3], strict=True)):
    poll()
    rows.append(_pair_row(data, one, other, bits))
    if number < MOST_SHOWN:
      shown.append((one, other, rows[-1]))
  records.write_csv(folder / 'duplicates.csv', PAIR_COLUMNS, (row.values() for row in rows))
  save_sheet(_pair_sheet(data, shown, pairs.num_found), folder / 'duplicates.png')
  ends = np.cumsum([len(source) for source in data.sources.values()])
  copied = {split: int(pairs.copied[end - len(data.sources[split]):end].sum())
            for split, end in zip(data.sources, ends, strict=True) if split != 'train'}
  exact = sum(row['alike'] == 'exact' for row in rows)
  other = sum(row['same tags'] == 'no' for row in rows)
  if not rows:
    say('no two pictures are alike')
  else:
    say(f'{pairs.num_found:,} pairs of pictures are alike, {exact:,} of {len(rows):,} listed are '
        f'exact copies, {other:,} have different tags; pictures like one of training: '
        + ', '.join(f'{count:,} of {split}' for split, count in copied.items())
        + f'; look at {folder}/duplicates.png')
  return {'pairs': pairs.num_found, 'listed': len(rows), 'exact': exact, 'different_tags': other,
          'like_one_of_training': copied}


def _pair_row(data, one, other, bits) -> dict:
  splits = data.place(one)[0], data.place(other)[0]
  tags = data.tags_of(one), data.tags_of(other)
  return dict(zip(PAIR_COLUMNS, (
      'exact' if bits < 0 else 'near', max(0, int(bits)), 'yes' if splits[0] != splits[1] else 'no',
      splits[0], data.id_of(one), tags[0], splits[1], data.id_of(other), tags[1],
      'yes' if tags[0] == tags[1] else 'no'), strict=True))


def _pair_sheet(data, shown, num_found):
  """The first pairs side by side, or None."""
  images, texts = [], []
  for one, other, row in shown:
    pair = [_read(data, place) for place in (one, other)]
    if any(image is None for image in pair):
      continue
    kind = 'wrong' if row['across'] == 'yes' else 'plain'
    how = 'the same file' if row['alike'] == 'exact' else f"{row['bits']} bits differ"
    different = row['same tags'] == 'no'
    for side, image in zip(('', 'other '), pair, strict=True):
      images.append(image)
      texts.append([(kind, f"{row[side + 'split']}, {how}"),
                    ('wrong' if different else 'found', row[side + 'tags'] or '(no tag)'),
                    ('missed', row[side + 'id'].rpartition('/')[2])])
  if not images:
    return None
  width = 2 * PAIRS_PER_ROW
  cut = [slice(first, first + width) for first in range(0, len(images), width)]
  return draw_grid(
      [images[part] for part in cut], (),
      [f'pairs of alike pictures, each with its neighbour: {len(images) // 2} of {num_found:,}',
       'red above: copies in different splits; red below: different tags'],
      [texts[part] for part in cut])


def _read(data, row):
  """A picture as evaluation reads it; None where it cannot be read."""
  split, index = data.place(row)
  loader = build_data.build_evaluation_loader(data.config, data.sources[split], keys=('image',))
  example = loader.example(index)
  return None if example is None else example['image']
