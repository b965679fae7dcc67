"""What is fuzzed: a row of `READERS` for each reader of files that may come from anyone.

An input is a file's content, and begins with a byte that chooses one of the reader's variants. It
must end in a result or in one of the documented errors, whose message is one printable line.
"""

import dataclasses
import functools
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from configs import base, saved
from data import coco_files, detections, tag_files
from data.board import (
  captions,
  danbooru2021,
  files,
  find,
  lists,
  posts,
  problems,
  reading,
  sidecars,
  sqlite,
  tags,
)
from data.decode import DecodeError, decode_image
from data.scans import open_scan
from data.scans.pictures import decode_grey
from data.scans.scan import Settings
from data.sources.board import build_board
from errors import UserError
from tests.fuzz import mutate, seeds, sources
from train_lib import workdir
from train_lib.clustering import labelling
from train_lib.export import exported
from train_lib.storage import manifest, records
from train_lib.storage.step_folder import StepFolder
from train_lib.weights import weight_files

MAX_PIXELS = 1_000_000
MOST_VALUES = 100_000             # of an array of weights that is read
SETTINGS = Settings('auto', 2, MAX_PIXELS)
SOME = 4                          # one of so many inputs goes through what takes long
REFUSALS = (UserError, DecodeError, manifest.Damaged)
SOUND_MANIFEST = seeds.workdir()[1][1]


@dataclasses.dataclass(frozen=True)
class Reader:
  """A row.

  Attributes:
    seeds: () -> [(variant, content)], sound ones.
    names: of the file, for each variant.
    read: (path of the file, variant) -> whatever; checks what it can of the result.
    changes: mutations that keep the outer form.
  """
  seeds: Callable[[], list]
  names: tuple[str, ...]
  read: Callable[[Path, int], object]
  changes: tuple[Callable[[bytes, random.Random], bytes], ...] = (mutate.mutate_bytes,)


def _check(fits: bool, what: str) -> None:
  if not fits:
    raise AssertionError(f'the result is wrong: {what}')


def _read_picture(path, variant):
  image = decode_image(path.read_bytes(), max_pixels=MAX_PIXELS)
  _check(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
         and 0 < image.shape[0] * image.shape[1] <= MAX_PIXELS, f'{image.dtype} {image.shape}')


def _read_scan(path, variant):
  if variant:
    image = decode_grey(path.read_bytes(), MAX_PIXELS)
    _check(image.dtype == np.float32 and np.isfinite(image).all(), 'a grey picture')
    return
  scan = open_scan(path, SETTINGS)
  slices = [scan.slice(k) for k in range(scan.num_slices)]
  for slice_ in slices:
    _check(slice_.dtype == np.float32 and slice_.ndim == 2 and 0 <= slice_.min()
           and slice_.max() <= 1, 'a slice')
  if path.stat().st_size % SOME == 0:  # it takes as long as the rest
    scan.save(path.with_name('saved' + path.suffix), [1 - slice_ for slice_ in slices])


def _read_records(read):
  def go(path, variant):
    for _, record in read(path, variant):
      if not hasattr(record, 'reason'):
        _check(-1 <= record.id < 2**63 and len(record.md5) in (0, 16), 'a record')
  return go


def _read_beside(path, variant):
  (sidecars, captions, posts)[variant].read_beside(str(path))


def _read_list(path, variant):
  keys = ('tag_list', 'aliases', 'implications', 'tag_categories', 'blacklist')
  lists.read_lists({keys[variant % len(keys)]: str(path)})


def _read_archive(path, variant):
  folder = path.parent / 'archive'
  if not folder.exists():
    folder.mkdir()
    for number in (1, 2, 3):
      (folder / f'{number}.jpg').write_bytes(bytes([number]))
    (folder / 'own.csv').write_text('id,rating,tag_string\n1,g,general_1 hat\n2,s,b\n3,q,b\n')
  config = base.data_section()
  config.source, config.path, config.dir = 'board', str(folder), str(path.parent / 'cache')
  config.valid_frac, config.test_frac, config.bad_limit_frac = 0.4, 0.0, 1.0
  config.board.metadata = str(path) if variant < 2 else 'own.csv'
  if variant >= 2:
    key = ('tag_list', 'aliases', 'implications', 'tag_list')[variant - 2]
    config.board[key] = str(path)
  if path.stat().st_size % (10 * SOME) == 0:
    _check(all(name.isprintable() for name in build_board(config, 'train').tag_names), 'tags')
    return
  found = find.find_metadata(config.board, _pictures_of(str(folder)))
  told = problems.Problems(os.devnull)
  archive = reading.read_archive(found, _pictures_of(str(folder)), str(path.parent / 'codes'), told,
                                 lambda: None, lambda count: None)
  told.close()
  named = tags.Tags(archive, lists.read_lists(lists.find_lists(config.board, str(folder))),
                    lambda: None)
  _check(all(name.isprintable() for name in named.names), 'tags')


@functools.cache
def _pictures_of(folder):
  return files.ArchiveFiles(folder, lambda: None)


def _read_table(path, variant):
  if variant == 3:
    labelling.read_names(path)
    return
  known = {'1.jpg': '1.jpg', '2.jpg': '2.jpg'}
  if variant == 2:
    known = {'1.jpg': '1.jpg'}
  found = tag_files.find_tags(path.parent, known, '' if variant == 2 else path.name)
  tag_files._first_columns(path)
  for listed in found.tags_of.values():
    for tag in listed:
      tag.encode()


def _read_boxes(path, variant):
  found = detections.read_detections(str(path), 0.2)
  _check(np.isfinite(found.box_px).all() and np.isfinite(found.scores).all(), 'boxes')


def _read_people(path, variant):
  found = coco_files.read_annotations(path)
  _check(np.isfinite(found.keypoints).all() and len(found.starts) == len(found.image_ids) + 1,
         'annotations')


def _read_weights(path, variant):
  with weight_files.open_weights(path) as stored:
    for key, array in stored.arrays.items():
      if 0 <= np.prod(array.shape, dtype=float) <= MOST_VALUES:
        try:
          weight_files.read_array(path, key, array)
        except UserError:
          continue                # of one array; the others are looked at too


def _read_about(path, variant):
  if variant:
    saved.get_config(str(path.parent))
  elif not exported.is_exported(path.parent):
    raise UserError('it is no exported folder')
  else:
    exported.read_config(path.parent)


def _read_workdir(path, variant):
  folder = path.parent
  if variant == 0:
    saved.get_config(str(folder))
    workdir.config_digest(workdir.load_config(path))
  elif variant == 4:
    records.read_jsonl(path)
    records.drop_rows_after(path, 1)
  else:
    _read_steps(folder, path, variant)


def _read_steps(folder, path, variant):
  step = folder / 'checkpoints/5'
  step.mkdir(parents=True, exist_ok=True)
  (step / 'weights').write_bytes(b'12345')
  (step / manifest.NAME).write_bytes(
      path.read_bytes() if variant == 1 else SOUND_MANIFEST)
  last = step.parent / 'last.json'
  last.write_bytes(path.read_bytes() if variant == 3 else b'{"step": 5}')
  for metric in ('valid/loss', ''):
    steps = StepFolder(step.parent, keep_last=1, best_metric=metric, keep_every=0)
    for name in ('best', 'latest'):
      try:
        steps.find(name)
      except UserError:
        pass
  try:
    steps.find_newest_whole()
  finally:
    for entry in step.parent.glob('5.*'):
      for file in entry.iterdir():
        file.unlink()
      entry.rmdir()


_JSON = mutate.mutate_json, mutate.mutate_bytes
_TABLE = mutate.mutate_table, mutate.mutate_bytes
_ANY = (mutate.mutate_json, mutate.mutate_table, mutate.mutate_bytes)

READERS = {
    'pictures': Reader(
        seeds.pictures, ('a',), _read_picture, (mutate.mutate_png, mutate.mutate_bytes)),
    'scan_pictures': Reader(
        seeds.scan_pictures, ('a.tif', 'a'), _read_scan, (mutate.mutate_png, mutate.mutate_bytes)),
    'dicom': Reader(seeds.dicom, ('a.dcm',), _read_scan),
    'nifti': Reader(seeds.nifti, ('a.nii',), _read_scan, (mutate.mutate_gzip,)),
    'board_json': Reader(
        seeds.board_json, ('a.json',) * 3, _read_records(
            lambda path, variant: (danbooru2021, posts, captions)[variant].read(str(path))), _JSON),
    'board_csv': Reader(
        seeds.board_csv, ('a.csv',) * 2, _read_records(
            lambda path, variant: (posts, captions)[variant].read(str(path))), _TABLE),
    'board_sqlite': Reader(
        seeds.board_sqlite, ('a.db',), _read_records(
            lambda path, variant: sqlite.read(str(path)))),
    'board_beside': Reader(
        seeds.board_beside, ('a.txt', 'a.txt', 'a.json'), _read_beside, _JSON),
    'board_lists': Reader(
        seeds.board_lists, ('a.csv',) * 4 + ('a.txt',) + ('a.json',) * 3, _read_list, _ANY),
    'board_archive': Reader(
        seeds.board_archive, ('a.json', 'a.csv', 'a.csv', 'a.csv', 'a.csv', 'a.json'),
        _read_archive, _ANY),
    'tables': Reader(
        seeds.tables, ('a.csv', 'a.jsonl', '1.txt', 'names.csv'), _read_table, _ANY),
    'coco': Reader(seeds.coco, ('a.json',), _read_people, _JSON),
    'detections': Reader(seeds.detections, ('a.json',), _read_boxes, _JSON),
    'safetensors': Reader(
        seeds.safetensors, ('a.safetensors',), _read_weights, (mutate.mutate_safetensors,)),
    'npz': Reader(seeds.npz, ('a.npz',), _read_weights, (mutate.mutate_zip,)),
    'h5': Reader(seeds.h5, ('a.h5',), _read_weights),
    'exported': Reader(seeds.about, ('config.json',) * 2, _read_about, _JSON),
    'workdir': Reader(
        seeds.workdir, ('config.json', 'manifest.json', 'best.json', 'last.json', 'metrics.jsonl'),
        _read_workdir, (mutate.mutate_json, mutate.mutate_sealed, mutate.mutate_bytes)),
    **{f'source_{name}': Reader(sources.seeds_of(name), sources.NAMES, sources.reader_of(name))
       for name in sources.WHOLE},
}
