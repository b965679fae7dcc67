"""A tiny dataset for each source of `data.SOURCES`, a row of `SMALL`: what shared tests read."""

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from configs import base
from tests import board_archives, coco_folders, scan_files

COUNT = 40                        # pictures


class Small(NamedTuple):
  """A row."""

  write: Callable[[Path, int], dict]     # (empty folder, seed) -> {key of config.data: value}
  task: str = 'tagging'
  where: str = 'path'             # the key that names the folder
  has_files: bool = True          # one for each picture, whose path is its id
  is_drawn: bool = False          # where the folder is empty
  is_split: bool = True           # no picture is in two splits


def make_config(name: str, folder: Path, seed: int = 0):
  """The config of a source, its data written. Args: folder: one that is not there yet."""
  folder.mkdir(parents=True)
  config = base.get_config()
  config.task, config.data.source = SMALL[name].task, name
  config.data.update(image_size_px=128 if config.task == 'pose' else 32, augment=(),
                     valid_frac=0.3, test_frac=0.3, num_train=8, num_valid=4, num_test=4,
                     dir=str(folder.parent / f'{folder.name}-prepared'))
  config.data.update(SMALL[name].write(folder, seed))
  config.data[SMALL[name].where] = str(folder)
  config.runtime.workers = 0
  return config


def png(number: int, seed: int, width_px: int = 16, height_px: int = 16) -> bytes:
  """The bytes of a picture that no other number or seed has."""
  pixels = np.random.default_rng((seed, number)).integers(0, 256, (height_px, width_px, 3))
  buffer = io.BytesIO()
  Image.fromarray(pixels.astype(np.uint8)).save(buffer, 'PNG')
  return buffer.getvalue()


def _write_pictures(folder, seed):
  for number in range(COUNT):
    path = folder / f'{("ant", "bee", "cow")[number % 3]}/{number:02}.png'
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(png(number, seed))
  return {}


def _write_board(folder, seed):
  posts = board_archives.make_posts(COUNT)
  for post in posts:
    content = png(post['id'], seed)
    post.update(content=content, md5=hashlib.md5(content).hexdigest())
  board_archives.write_posts(folder, posts)
  return {}


def _write_coco(folder, seed):
  content = coco_folders.make_content(range(COUNT))
  coco_folders.write(folder, content)
  for image in content['images']:
    (folder / 'train2017' / image['file_name']).write_bytes(
        png(image['id'], seed, image['width'], image['height']))
  return {}


def _write_scans(folder, seed):
  for number in range(COUNT):
    scan_files.write_dicom(
        folder / f'{number}.dcm', scan_files.make_values(seed=COUNT * seed + number),
        PatientID=f'P{number}', SeriesInstanceUID=f'1.2.{number + 1}')
  return {}


def _prepare_tfds(folder, seed):
  with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    FewPictures(data_dir=str(folder), config=f'seed{seed}',
                file_format='array_record').download_and_prepare()
  return {'tfds_name': f'few_pictures/seed{seed}'}


class FewPictures(tfds.core.GeneratorBasedBuilder):
  """Pictures of three classes, not split."""

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=f'seed{seed}') for seed in (0, 1)]
  _checksums_path = None

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
        'image': tfds.features.Image(shape=(None, None, 3)),
        'label': tfds.features.ClassLabel(names=['ant', 'bee', 'cow'])}), disable_shuffling=True)

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(int(self.builder_config.name[-1]))}

  def _generate_examples(self, seed):
    for number in range(COUNT):
      yield number, {'image': io.BytesIO(png(number, seed)), 'label': number % 3}


def _draw(folder, seed):
  return {'data_seed': seed}


SMALL = {
    'folder': Small(_write_pictures),
    'pictures': Small(_write_pictures, is_split=False),
    'board': Small(_write_board),
    'coco': Small(_write_coco, task='pose'),
    'scans': Small(_write_scans, task='autoencoding'),
    'tfds': Small(_prepare_tfds, where='dir', has_files=False),
    'toon': Small(_draw, where='dir', has_files=False, is_drawn=True),
    'phantom': Small(_draw, where='dir', has_files=False, is_drawn=True),
}
