"""People's joints in the form of COCO: pictures in folders, and a JSON file of annotations."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.batch import MOST_CONTENTS, Content, Contents, count_by_tags_of, short_digest
from data.coco_files import Annotations, read_annotations
from data.content_splits import SPLITS, assign_splits, count_words
from data.sources.pictures import check_folder, digest_of, read_file
from errors import UserError

YEARS = (2017, 2014)
PROBED = 100                      # pictures that tell which folder they are in
PART_BYTES = 16_384               # read of a picture's start and end, to know it again
FEW_FRAC = 0.05                   # of the pictures may be absent before that is stressed

_read = {}  # (path, size, time of change) -> Annotations, for as long as the program runs
_digests = {}  # the same of a picture -> digest of its parts


class CocoSource:
  """One split: the pictures that are there, with everybody annotated in them.

  An example: {'id': path relative to the folder, 'image_bytes', 'tags': int32 [0], 'keypoints'
  float32 [f, 17, 3] (x px, y px, COCO visibility), 'box_px' float32 [f, 4], 'area_px2' float32 [f],
  'crowd' bool [f], 'as_stored': True, since the annotations are of pictures without their EXIF
  orientation, and, where the file tells it, 'source_size_px' float32 [2] (width, height)}.

  Attributes:
    picture_ids: list of int, COCO's image_id of every picture.
  """

  tag_names = tag_categories = truth_keys = ()
  max_tags = max_ignored = 0

  def __init__(self, folder: Path, pictures: str, annotations: Annotations, fingerprint: str,
               description: str, contents: Contents | None = None):
    self._contents = contents
    self._folder, self._pictures, self._annotations = folder, pictures, annotations
    self.fingerprint, self.description = fingerprint, description
    self.picture_ids = annotations.image_ids.tolist()

  def __len__(self) -> int:
    return len(self._annotations.file_names)

  def tags_of(self, index: int) -> np.ndarray:
    return np.zeros(0, np.int32)

  def contents(self):
    """As `data.batch.contents_of`."""
    return self._contents

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return count_by_tags_of(self, poll)

  def figures_of(self, index: int) -> dict:
    """An example without its picture, which is not read."""
    told = self._annotations
    people = slice(told.starts[index], told.starts[index + 1])
    size = {'source_size_px': told.size_px[index]} if told.size_px[index].all() else {}
    return {'id': (self._pictures / Path(told.file_names[index])).as_posix(),
            'tags': self.tags_of(index), 'keypoints': told.keypoints[people],
            'box_px': told.box_px[people], 'area_px2': told.area_px2[people],
            'crowd': told.crowd[people], 'as_stored': True, **size}

  def __getitem__(self, index: int) -> dict:
    figures = self.figures_of(index)
    return {**figures, 'image_bytes': read_file(self._folder / figures['id'])}


def build_coco(config_data, split: str, poll=lambda: None) -> CocoSource:
  """Reads one split of the folder `config.data.path` in the form of COCO's keypoints.

  The files are annotations/person_keypoints_{train,val}2017.json, or else 2014's: 'train' is cut
  from the first, 'test' is the second, as in papers, and 'valid' is cut from the first. A lone file
  is cut in three. Others are named by `config.data.annotations`, relative to the folder: one file,
  two of train and test, or three of train, valid and test. What is cut is cut by content. Pictures
  are looked for in the folder that is named as the end of their file ('train2017'), in 'images/'
  and beside the annotations; listed ones that are not there are left out and counted.

  Args:
    config_data: the section `config.data`: path, annotations, valid_frac, test_frac.
    split: 'train', 'valid' or 'test'.
    poll: called for every record and picture; may raise to stop.

  Raises:
    UserError: no such folder or files, a file that is none of this form, no picture that is listed,
      or an empty split.
  """
  if not config_data.path:
    raise UserError('config.data.path is empty; name the folder that holds annotations/ and the '
                    'pictures with --config.data.path=')
  folder = check_folder(config_data.path)
  files = _find_files(folder, config_data.annotations)
  found = _read_present(folder, files.get(split, files['train']), poll)
  if split != 'train' and split in files:
    splits, how = {split: list(range(len(found.digests)))}, ''
  else:
    splits, how = assign_splits(
        dict(enumerate(found.digests)), {}, 0 if 'valid' in files else config_data.valid_frac,
        0 if 'test' in files else config_data.test_frac, 'file')
  if not splits[split]:
    raise UserError(f"the {split} split of '{folder}' is empty ({how}; {count_words(splits)}): "
                    'change config.data.valid_frac or test_frac.')
  return CocoSource(
      folder, found.pictures, found.annotations.take(np.array(splits[split])),
      fingerprint=digest_of([found.annotations.digest, *found.digests,
                             *found.annotations.file_names]),
      description=_describe(folder, files, split, found, splits, how),
      contents=_contents(found, splits) if split == 'train' else None)


def _contents(found, splits) -> Contents | None:
  """Of the pictures of the file that train is read from."""
  told = found.annotations
  if len(told.file_names) > MOST_CONTENTS:
    return None
  contents = Contents()
  for split, rows in splits.items():
    for row in rows:
      people = slice(told.starts[row], told.starts[row + 1])
      words = [array[people].tobytes() for array in (told.keypoints, told.box_px, told.crowd)]
      contents[told.file_names[row]] = Content(found.digests[row], short_digest(*words), split)
  return contents


def _find_files(folder, names) -> dict[str, Path]:
  """{split: file of annotations}, of what is not cut from that of train."""
  if isinstance(names, str) or len(names) > 3:
    raise UserError(f'config.data.annotations is {names!r}; expected up to three file names: of '
                    'train; of train and test; or of train, valid and test.')
  if names:
    paths = [folder / name for name in names]
    order = {1: ('train',), 2: ('train', 'test'), 3: SPLITS}[len(paths)]
    return dict(zip(order, paths, strict=True))
  for year in YEARS:
    usual = [folder / 'annotations' / f'person_keypoints_{part}{year}.json'
             for part in ('train', 'val')]
    paths = [path for path in usual if path.is_file()]
    if paths:
      return dict(zip(('train', 'test'), paths, strict=False))
  raise UserError(f"'{folder}' holds no annotations/person_keypoints_train2017.json, nor that of "
                  'val2017 or of 2014; name your files with --config.data.annotations=')


class _Present(NamedTuple):
  """The pictures of a file of annotations that are there."""

  path: Path  # of the file
  pictures: str  # their folder, relative to that of the data
  annotations: Annotations
  digests: list  # of their contents
  num_listed: int


def _read_present(folder, path, poll):
  listed = _read_once(path, poll)
  names = listed.file_names
  looked = _picture_folders(folder, path)
  few = [names[row] for row in np.unique(np.linspace(0, len(names) - 1, PROBED).astype(int))
         ] if names else []
  where = max(looked, key=lambda place: sum((place / name).is_file() for name in few))
  digests, rows = [], []
  for row, name in enumerate(names):
    poll()
    digest = _digest_parts(f'{where}/{name}')
    if digest:
      rows.append(row)
      digests.append(digest)
  if not rows:
    places = ', '.join(f"'{place}'" for place in looked)
    raise UserError(f"none of the {len(names):,} pictures that '{path}' lists is there; looked in "
                    f"{places}{f' for {names[0][:80]!r}' if names else ''}.")
  relative = Path(os.path.relpath(where, folder)).as_posix()
  return _Present(path, relative, listed.take(np.array(rows)), digests, len(names))


def _read_once(path, poll):
  """The annotations of a file, which is read again when it has changed."""
  try:
    status = path.stat()
  except OSError as error:
    raise UserError(f"'{path}' cannot be read ({error.strerror}); name the files of your "
                    'annotations with --config.data.annotations=') from error
  key = (str(path), status.st_size, status.st_mtime_ns)
  if key not in _read:
    _read[key] = read_annotations(path, poll)
  return _read[key]


def _picture_folders(folder, path):
  """Where the pictures of a file of annotations may lie, the likeliest first."""
  name = path.stem.rsplit('_', 1)[-1]
  places = (folder / name, folder / 'images' / name, path.parent / name, path.parent,
            folder / 'images', folder)
  return [place for place in dict.fromkeys(places) if place.is_dir()]


def _digest_parts(path):
  """A hex digest of a picture's size, start and end, since all of 18 GB takes minutes; '': absent.

  Copies have the same.
  """
  try:
    status = os.stat(path)
    key = (path, status.st_size, status.st_mtime_ns)
    if key not in _digests:
      with open(path, 'rb') as file:
        parts = file.read(PART_BYTES)
        file.seek(max(file.tell(), status.st_size - PART_BYTES))
        parts += file.read(PART_BYTES)
      _digests[key] = hashlib.blake2b(f'{status.st_size} '.encode() + parts,
                                      digest_size=16).hexdigest()
    return _digests[key]
  except OSError:
    return ''


def _describe(folder, files, split, found, splits, how):
  """A sentence on what was found, how it was split and what was left out."""
  told, absent = found.annotations, found.num_listed - len(found.digests)
  phrases = [f"'{folder}': {len(found.digests):,} pictures of {found.path.name} with "
             f'{len(told.keypoints):,} annotated people, {told.num_labelled:,} of them with joints']
  if split == 'train' or split not in files:
    phrases.append(f'{count_words({key: rows for key, rows in splits.items() if rows})} ({how})')
    phrases += [f'{other} is {files[other].name}' for other in SPLITS[1:] if other in files]
  if absent:
    stressed = (', so many that the pictures may not be complete'
                if absent > FEW_FRAC * found.num_listed else '')
    phrases.append(f'{absent:,} of {found.num_listed:,} listed pictures are not there{stressed}')
  return '; '.join([*phrases, *told.notes])
