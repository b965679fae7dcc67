"""A folder of drawn pictures that stands for your own in the walks of docs/walks.

    python -m docs.walks.draw_folder tags my_pictures            a .txt of tags beside each
    python -m docs.walks.draw_folder identity my_characters      a folder for each character
    python -m docs.walks.draw_folder garment my_clothes          a folder for each garment
    python -m docs.walks.draw_folder plain my_photos             nothing but pictures
    python -m docs.walks.draw_folder scans my_scans              16-bit slices by patient
    python -m docs.walks.draw_folder damaged my_damaged_scans    the same, 60 % of the pixels lost

They are drawn with another seed than those that the configs train on.
"""

import argparse
import functools
import itertools
import pathlib
import types

import cv2
import numpy as np

from data.phantom.picture import draw_example as draw_slice
from data.toon.picture import draw_example as draw_character
from data.toon.scene import sample_scene
from data.toon.vocabulary import TAG_NAMES

SEED, SPLIT, NOBODY = 1, 'test', 'anonymous'
KINDS = ('tags', 'identity', 'garment', 'plain', 'scans', 'damaged')


def draw_folder(kind: str, folder: pathlib.Path, count: int, size_px: int) -> None:
  """Writes the first `count` files of a kind; what is there already is written over.

  Args: kind: of KINDS; size_px: the side of a picture.
  """
  settings = types.SimpleNamespace(data_seed=SEED, image_size_px=size_px, dropped_share=0.0)
  draw_file = _draw_scan if kind in ('scans', 'damaged') else _draw_picture
  indices = itertools.islice(filter(functools.partial(_is_of, kind), itertools.count()), count)
  for number, index in enumerate(indices):
    draw_file(kind, folder, f'{number:04}', settings, index)


def _is_of(kind, index) -> bool:
  """Whether a kind has this picture: a folder of characters shows just those that have a name."""
  return kind != 'identity' or sample_scene(SEED, SPLIT, index).figures[0].identity != NOBODY


def _draw_picture(kind, folder, name, settings, index) -> None:
  row = draw_character(settings, SPLIT, index)
  place = {'identity': row['label'], 'garment': row['garment']}.get(kind, '')
  path = folder / place / f'{name}.jpg'
  _write(path, row['image'])
  if kind == 'tags':
    path.with_suffix('.txt').write_text(', '.join(TAG_NAMES[tag] for tag in row['tags']) + '\n')


def _draw_scan(kind, folder, name, settings, index) -> None:
  row = draw_slice(settings, SPLIT, index)
  content = row['image']
  if kind == 'damaged':
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    kept = np.random.default_rng(index).random(pixels.shape) < 0.4
    content = cv2.imencode('.png', np.where(kept, pixels, 0).astype(pixels.dtype))[1].tobytes()
  _write(folder / f'patient_{row["patient"]:04}' / f'{name}.png', content)


def _write(path, content) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content)


def main() -> None:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('kind', choices=KINDS)
  parser.add_argument('folder', type=pathlib.Path)
  parser.add_argument('--count', type=int, default=200)
  parser.add_argument('--size_px', type=int, default=256)
  asked = parser.parse_args()
  draw_folder(asked.kind, asked.folder, asked.count, asked.size_px)
  print(f'{asked.count} drawn pictures are in {asked.folder}')


if __name__ == '__main__':
  main()
