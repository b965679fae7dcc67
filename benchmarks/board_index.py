"""How long a large board's archive takes to read, and to find again: time and memory of both.

    python benchmarks/board_index.py --folder=/tmp/board_index

writes an archive of a million posts (metadata since 2022, some 35 of 70,000 tags each; empty files
as pictures, in a thousand folders; about 1.1 GB), reads it in a fresh process, starts twice more
from what that has left, and prints a line for each. The archive stays for another go. Seconds of
the processor stand beside those of the clock, for machines that others use as well.
"""

import hashlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from benchmarks import command

SHARES = {'general': 0.44, 'character': 0.38, 'copyright': 0.08, 'artist': 0.1}  # of the tags
BLOCK = 10_000
METADATA = 'posts.json'
STARTS = ('first reading', 'second start', 'third start')


def main() -> None:
  """Writes the archive unless it is there, then times the starts, each in its own process."""
  parser = command.Parser(__doc__)
  parser.add_argument('--folder', required=True, help='of the archive and its index')
  parser.add_argument('--records', type=command.number(1), default=1_000_000)
  parser.add_argument('--tags', type=command.number(1), default=70_000)
  parser.add_argument('--tags_each', type=command.number(1), default=35)
  parser.add_argument('--start', action='store_true', help='only this: one start, told as JSON')
  arguments = parser.parse_args()
  folder = pathlib.Path(arguments.folder)
  if arguments.start:
    print(json.dumps(start(folder)))
    return
  prepare(folder, arguments.records, arguments.tags, arguments.tags_each)
  size = (folder / 'archive' / METADATA).stat().st_size
  print(f'{arguments.records:,} records, {size / 1e9:.2f} GB of metadata', flush=True)
  for name, told in zip(STARTS, starts(folder, len(STARTS)), strict=True):
    print(f'{name}: {told["seconds"]:.1f} s ({told["processor_seconds"]:.1f} s of the '
          f'processor), peak memory {told["peak_gib"]:.2f} GiB '
          f'({told["imports_gib"]:.2f} GiB before); {told["pictures"]:,} pictures, '
          f'{told["tags"]:,} tags; counting them {told["count_seconds"]:.2f} s, an example '
          f'{told["example_microseconds"]:.0f} us, pickled {told["pickled_bytes"]:,} bytes',
          flush=True)
  print(f'index: {index_bytes(folder) / 1e6:.0f} MB')


def prepare(folder: pathlib.Path, records: int, tags: int, tags_each: int) -> None:
  """Writes the archive unless it is there; what was read of it before is forgotten."""
  if not (folder / 'archive' / METADATA).exists():
    began = time.monotonic()
    write_archive(folder / 'archive', records, tags, tags_each)
    print(f'written in {time.monotonic() - began:.0f} s', file=sys.stderr, flush=True)
  shutil.rmtree(folder / 'prepared', ignore_errors=True)


def starts(folder: pathlib.Path, count: int):
  """Yields what each of so many starts told, the first of which reads the metadata."""
  start = [sys.executable, __file__, f'--folder={folder}', '--start']
  for _ in range(count):
    yield json.loads(subprocess.run(start, check=True, capture_output=True, text=True).stdout)


def index_bytes(folder: pathlib.Path) -> int:
  """What the index takes on disk."""
  return sum(path.stat().st_size for path in (folder / 'prepared').rglob('*') if path.is_file())


def write_archive(folder: pathlib.Path, records: int, num_tags: int, tags_each: int) -> None:
  """Posts whose tags are drawn by Zipf's law, and an empty file for each."""
  dice = np.random.default_rng(0)
  names = np.array([f'tag_{number}' for number in range(num_tags)], object)
  categories = dice.choice(len(SHARES), num_tags, p=list(SHARES.values()))
  chances = np.cumsum(1 / (np.arange(num_tags) + 20.0))
  for bucket in range(1000):
    (folder / 'images' / f'{bucket:04d}').mkdir(parents=True, exist_ok=True)
    (folder / 'images' / f'{bucket:04d}' / 'empty').touch()
  images = str(folder / 'images')
  with open(folder / 'part', 'w') as file:
    for first in range(1, records + 1, BLOCK):
      ids = range(first, min(first + BLOCK, records + 1))
      drawn = np.searchsorted(chances, dice.random((len(ids), tags_each)) * chances[-1])
      for id, tags in zip(ids, drawn, strict=True):
        file.write(json.dumps(make_post(id, np.unique(tags), names, categories)) + '\n')
        bucket = f'{images}/{id % 1000:04d}'
        os.link(f'{bucket}/empty', f'{bucket}/{id}.jpg')       # sooner than a million files
  for bucket in range(1000):
    os.remove(f'{images}/{bucket:04d}/empty')
  os.rename(folder / 'part', folder / METADATA)


def make_post(id, tags, names, categories):
  strings = {f'tag_string_{name}': ' '.join(names[tags[categories[tags] == number]])
             for number, name in enumerate(SHARES)}
  return {'id': id, 'created_at': '2023-01-01T00:00:00.000-05:00', 'uploader_id': 1, 'score': 3,
          'source': f'https://example.org/{id}', 'md5': hashlib.md5(str(id).encode()).hexdigest(),
          'rating': 'gsqe'[id % 4], 'image_width': 1000, 'image_height': 1400, 'file_ext': 'jpg',
          'is_deleted': False, 'is_banned': False, 'tag_string': ' '.join(names[tags]), **strings,
          'tag_string_meta': 'highres'}


def start(folder: pathlib.Path) -> dict:
  """What a run does with its data before the first step."""
  import pickle

  from configs import base
  from data.sources.board import build_board
  config = base.data_section()
  config.path, config.dir = str(folder / 'archive'), str(folder / 'prepared')
  config.board.most.artist = config.board.most.meta = 0
  imports_gib = peak_gib()
  began, processor = time.monotonic(), time.process_time()
  sources = [build_board(config, split) for split in ('train', 'valid', 'test')]
  seconds, processor = time.monotonic() - began, time.process_time() - processor
  began = time.monotonic()
  sources[0].count_tags()
  count_seconds = time.monotonic() - began
  rows = np.random.default_rng(0).integers(len(sources[0]), size=1000)
  began = time.monotonic()
  for row in rows.tolist():
    sources[0][row]
  return {
      'seconds': seconds, 'processor_seconds': processor, 'peak_gib': peak_gib(),
      'imports_gib': imports_gib, 'pictures': sum(map(len, sources)),
      'tags': len(sources[0].tag_names), 'count_seconds': count_seconds,
      'example_microseconds': (time.monotonic() - began) * 1e3,  # a thousand were read
      'pickled_bytes': len(pickle.dumps(sources[0]))}


def peak_gib() -> float:
  """The most memory this process has held, mapped files included."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == '__main__':
  command.run(main)
