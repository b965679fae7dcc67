"""A prepared TFDS dataset (ArrayRecord) as a source; random access, without TensorFlow."""

import hashlib
import io
import os
import pathlib
from typing import NamedTuple

import numpy as np

from data import prepared
from data.batch import MOST_CONTENTS, Content, Contents, count_by_tags_of, short_digest
from data.classes import describe_balance, name_few
from data.content_splits import SPLIT_NAMES, SPLITS, assign_splits, copies_words, count_words
from data.sources.pictures import digest_of
from errors import UserError


class Found(NamedTuple):
  """What is known of all pictures of a dataset, in the order of its splits."""

  splits: tuple  # names, as TFDS has them
  starts: np.ndarray  # int64 [splits + 1]: split s holds the pictures starts[s], ...
  digests: np.ndarray  # uint8 [N, 16] of the pictures' bytes
  tags: np.ndarray  # int32 [all tags of all pictures]
  tag_starts: np.ndarray  # int64 [N + 1]

  def tags_of(self, picture: int) -> np.ndarray:
    return self.tags[self.tag_starts[picture]:self.tag_starts[picture + 1]]

  def place_of(self, picture: int) -> tuple[str, int]:
    """The split of TFDS that holds a picture, and its index there."""
    split = int(np.searchsorted(self.starts, picture, side='right')) - 1
    return self.splits[split], int(picture - self.starts[split])


class TFDSSource:
  """One split of a prepared dataset; an example's id is its split and index there, as TFDS counts.

  Picklable: it reopens its files where it is used.
  """

  truth_keys = ('tags',)
  max_ignored = 0

  def __init__(self, folder, image_feature, found, rows, tag_names, fingerprint, description,
               contents=None):
    self._contents = contents
    self.tag_names, self.tag_categories = tag_names, ('general',) * len(tag_names)
    self.max_tags = int(np.diff(found.tag_starts).max(initial=0))
    self.fingerprint, self.description = fingerprint, description
    self._folder, self._image_feature = folder, image_feature
    self._found, self._rows, self._records = found, np.asarray(rows, np.int64), {}

  def __getstate__(self):
    return self.__dict__ | {'_records': {}}

  def __len__(self) -> int:
    return len(self._rows)

  def tags_of(self, index: int) -> np.ndarray:
    return self._found.tags_of(self._rows[index])

  def contents(self):
    """As `data.batch.contents_of`."""
    return self._contents

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return count_by_tags_of(self, poll)

  def __getitem__(self, index: int) -> dict:
    split, place = self._found.place_of(self._rows[index])
    if split not in self._records:
      import tensorflow_datasets as tfds

      self._records[split] = _open_records(tfds.builder_from_directory(self._folder), split,
                                           self._image_feature)
    return {'id': f'{split}/{place:07d}', 'tags': self.tags_of(index),
            'image_bytes': self._records[split][place][self._image_feature]}


def build_tfds(config_data, split: str, poll=lambda: None) -> TFDSSource:
  """One split of the dataset `config.data.tfds_name`, prepared as ArrayRecord.

  Its splits are those of `content_splits.SPLIT_NAMES`; others are not read. What is missing is
  cut from train by content, as of a folder: see `content_splits.assign_splits`. All pictures' bytes
  are digested at the first use, and what came out is kept beside the prepared datasets.

  Args:
    config_data: the section `config.data`: tfds_name, tfds_image, tfds_label, dir (where TFDS keeps
      its datasets; '' is ~/tensorflow_datasets), valid_frac, test_frac, implications.
    split: 'train', 'valid' or 'test'.
    poll: called for every picture that is read; may raise to stop.

  Raises:
    UserError: no such dataset, not prepared as ArrayRecord (with the command that does so),
      features of another kind, or an empty split.
  """
  if config_data.implications != 'listed':
    raise UserError(f"config.data.implications is '{config_data.implications}', but TFDS does not "
                    "tell which tag entails which; leave it at 'listed'.")
  builder = _open_builder(config_data)
  label = _check_features(builder, config_data)
  found = _find(builder, config_data, poll)
  given = {picture: SPLIT_NAMES[found.place_of(picture)[0].lower()]
           for picture in range(found.starts[-1])}
  if set(given.values()) == {'train'}:
    given = {}
  digests = {picture: found.digests[picture].tobytes().hex() for picture in range(found.starts[-1])}
  splits, how = assign_splits(digests, given, config_data.valid_frac, config_data.test_frac,
                              'split')
  for name in ('train', split):
    if not splits[name]:
      raise UserError(f"the {name} split of '{builder.info.full_name}' is empty ({how}; "
                      f'{count_words(splits)}): change config.data.valid_frac or test_frac.')
  names = tuple(label.names)
  return TFDSSource(
      folder=os.fspath(builder.data_path), image_feature=config_data.tfds_image, found=found,
      rows=splits[split], tag_names=names,
      fingerprint=digest_of([builder.info.full_name, *names, *(
          hashlib.blake2b(np.ascontiguousarray(array)).hexdigest() for array in found[1:])]),
      description=_describe(builder, names, found, splits, how, digests),
      contents=_contents(found, splits, digests) if split == 'train' else None)


def _contents(found, splits, digests) -> Contents | None:
  if len(digests) > MOST_CONTENTS:
    return None
  contents = Contents()
  for split, pictures in splits.items():
    for picture in pictures:
      where, place = found.place_of(picture)
      contents[f'{where}/{place:07d}'] = Content(
          digests[picture], short_digest(*found.tags_of(picture)), split)
  return contents


def _open_builder(config_data):
  """The prepared dataset, read from its files alone: nobody's builder code is run."""
  from tensorflow_datasets.core import constants, file_adapters, read_only_builder, registered

  name, directory = config_data.tfds_name, os.path.expanduser(config_data.dir)
  where = directory or os.fspath(constants.DATA_DIR)
  prepare = ("python -c \"import tensorflow_datasets as tfds; "
             f"tfds.builder('{name}', data_dir='{where}', "
             'file_format=\'array_record\').download_and_prepare()"')
  if not name:
    raise UserError("config.data.tfds_name is empty; name a dataset, such as "
                    "--config.data.tfds_name=food101")
  try:
    builder = read_only_builder.builder_from_files(name, data_dir=where)
  except (registered.DatasetNotFoundError, ValueError):
    raise UserError(f"there is no prepared TFDS dataset '{name}' in {where} (there are: "
                    f'{_prepared_names(where)}); correct config.data.tfds_name or data.dir, or '
                    f'prepare it with: {prepare}') from None
  if builder.info.file_format != file_adapters.FileFormat.ARRAY_RECORD:
    raise UserError(f"'{name}' in {where} is prepared as {builder.info.file_format.value}, which "
                    'cannot be read in any order; prepare it as array_record in another folder, '
                    f'to be named with --config.data.dir: {prepare}')
  return builder


def _prepared_names(where) -> str:
  """What can be named there: name, or name/config."""
  top = pathlib.Path(where)
  found = {path.parent.parent.relative_to(top).as_posix() for pattern in ('*/*', '*/*/*')
           for path in top.glob(f'{pattern}/dataset_info.json')}
  return name_few(sorted(found)) or 'none'


def _check_features(builder, config_data):
  """The ClassLabel that holds the class, or the tags; UserError unless the features fit."""
  from tensorflow_datasets import features as kinds

  features = dict(builder.info.features.items())
  listed = ', '.join(f'{name} ({type(feature).__name__})' for name, feature in features.items())
  image, label = features.get(config_data.tfds_image), features.get(config_data.tfds_label)
  if not isinstance(image, kinds.Image):
    raise UserError(f"config.data.tfds_image is '{config_data.tfds_image}', which is no Image of "
                    f"'{builder.info.full_name}'; its features are {listed}.")
  one = label.feature if isinstance(label, kinds.Sequence) else label
  if not isinstance(one, kinds.ClassLabel):
    raise UserError(f"config.data.tfds_label is '{config_data.tfds_label}', which is no ClassLabel "
                    f"and no Sequence of them of '{builder.info.full_name}'; its features are "
                    f'{listed}.')
  if not one.names:
    one.names = [str(number) for number in range(one.num_classes)]
  return one


def _find(builder, config_data, poll) -> Found:
  """Digests and tags of all pictures: kept on disk from the first use on."""
  splits = tuple(sorted(name for name in builder.info.splits if name.lower() in SPLIT_NAMES))
  if 'train' not in {SPLIT_NAMES[name.lower()] for name in splits}:
    raise UserError(f"'{builder.info.full_name}' has no split 'train'; its splits are "
                    f"{', '.join(builder.info.splits)}.")
  info = builder.data_path / 'dataset_info.json'
  words = [os.fspath(builder.data_path), info.read_text(), str(os.stat(info).st_mtime_ns),
           config_data.tfds_image, config_data.tfds_label]
  folder = prepared.prepared_folder(config_data.dir, 'tfds_index')
  path = folder / f'{digest_of(words)}.npz'
  if not path.exists():
    with prepared.lock(folder, path.stem, poll):
      if not path.exists():
        _write_index(path, _read_all(builder, splits, config_data, poll))
  with np.load(path, allow_pickle=False) as kept:
    return Found(splits, **{name: kept[name] for name in Found._fields[1:]})


def _read_all(builder, splits, config_data, poll) -> dict:
  sizes = [builder.info.splits[split].num_examples for split in splits]
  digests, tags = np.zeros((sum(sizes), 16), np.uint8), []
  doing = f'reading {builder.info.full_name}: {sum(sizes):,} pictures, once'
  with prepared.progress(doing, 'pictures', sum(sizes)) as show:
    for split, size in zip(splits, sizes, strict=True):
      records = _open_records(builder, split, config_data.tfds_image)
      for index in range(size):
        poll()
        record = records[index]
        digest = hashlib.blake2b(record[config_data.tfds_image], digest_size=16).digest()
        digests[len(tags)] = np.frombuffer(digest, np.uint8)
        found = np.atleast_1d(np.asarray(record[config_data.tfds_label], np.int32))
        tags.append(np.unique(found[found >= 0]))      # TFDS has -1 for what is not labelled
        show(1)
  return {'starts': np.cumsum([0, *sizes]), 'digests': digests,
          'tags': np.concatenate([np.zeros(0, np.int32), *tags]),
          'tag_starts': np.cumsum([0, *map(len, tags)])}


def _write_index(path, arrays):
  buffer = io.BytesIO()
  np.savez(buffer, **arrays)
  half = path.with_suffix('.half')
  half.write_bytes(buffer.getvalue())
  os.replace(half, path)


def _open_records(builder, split, image_feature):
  import tensorflow_datasets as tfds

  return builder.as_data_source(split, decoders={image_feature: tfds.decode.SkipDecoding()})


def _describe(builder, names, found, splits, how, digests):
  """A sentence on what was found and how it was split."""
  counts = np.diff(found.tag_starts)
  exclusive = counts.min(initial=1) == counts.max(initial=1) == 1
  others = sorted(set(builder.info.splits) - set(found.splits))
  phrases = [f"TFDS '{builder.info.full_name}': {len(counts):,} pictures with {len(names):,} "
             f"{'classes' if exclusive else 'tags'}; {count_words(splits)} ({how})"]
  if exclusive:
    labels = found.tags
    phrases.append(describe_balance(names, {
        split: np.bincount(labels[splits[split]], minlength=len(names)) for split in SPLITS}))
  if others:
    phrases.append(f"not read: the splits {', '.join(others)}")
  return '; '.join(phrases + copies_words(splits, digests))
