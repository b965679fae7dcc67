"""TFDS as a source: a tiny dataset prepared here, read in any order and split by content."""

import contextlib
import io
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data import SOURCES
from data.classes import Classes
from data.decode import decode_image
from data.sources.tfds import build_tfds
from errors import UserError


def make_png(value):
  buffer = io.BytesIO()
  Image.fromarray(np.full((6, 8, 3), value, np.uint8)).save(buffer, 'PNG')
  return buffer.getvalue()


class TinyPictures(tfds.core.GeneratorBasedBuilder):
  """Pictures of one grey each; the split sizes are those of the config."""

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name='whole'), tfds.core.BuilderConfig(name='cut')]
  SIZES = {'whole': {'train': 60, 'extra': 3},
           'cut': {'train': 30, 'validation': 6, 'test': 5}}
  _checksums_path = None

  def _info(self):
    features = tfds.features
    return tfds.core.DatasetInfo(builder=self, features=features.FeaturesDict({
        'image': features.Image(shape=(None, None, 3)),
        'label': features.ClassLabel(names=['ant', 'bee', 'cow']),
        'tags': features.Sequence(features.ClassLabel(names=['red', 'wet'])),
        'year': features.Scalar(np.int32)}), disable_shuffling=True)

  def _split_generators(self, dl_manager):
    return {split: self._generate_examples(size, 100 * number) for number, (split, size) in
            enumerate(self.SIZES[self.builder_config.name].items())}

  def _generate_examples(self, size, first):
    for index in range(size):
      yield index, {'image': io.BytesIO(make_png(first + index)), 'label': index % 3,
                    'tags': ['wet', 'red'][:index % 3], 'year': index}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('tfds')
  with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for config in ('whole', 'cut'):
      TinyPictures(data_dir=str(folder), config=config,
                   file_format='array_record').download_and_prepare()
  return folder


def make_config(folder, **changes):
  return SimpleNamespace(**{**dict(
      dir=str(folder), tfds_name='tiny_pictures/cut', tfds_image='image', tfds_label='label',
      valid_frac=0.2, test_frac=0.2, implications='listed'), **changes})


def build_splits(folder, **changes):
  return {split: build_tfds(make_config(folder, **changes), split)
          for split in ('train', 'valid', 'test')}


def ids(source):
  return [source[index]['id'] for index in range(len(source))]


def test_given_splits_are_read_as_they_are_and_in_any_order(folder):
  splits = build_splits(folder)
  assert {split: len(source) for split, source in splits.items()} == {
      'train': 30, 'valid': 6, 'test': 5}
  source = splits['valid']
  assert source.tag_names == ('ant', 'bee', 'cow') and source.max_tags == 1
  for index in (4, 1):
    example = source[index]
    assert example['id'] == f'validation/000000{index}'
    assert example['tags'].tolist() == [index % 3] == source.tags_of(index).tolist()
    assert decode_image(example['image_bytes'], max_pixels=100).tolist() == np.full(
        (6, 8, 3), 100 + index).tolist()
  np.testing.assert_array_equal(splits['test'].count_tags(), [2, 2, 1])
  assert ("TFDS 'tiny_pictures/cut/1.0.0': 41 pictures with 3 classes; train 30, valid 6, test 5 "
          "(split by the splits test, train, valid)") in source.description
  assert '3 classes of 10 training pictures each' in source.description


def test_splits_that_are_missing_are_cut_from_train_by_content(folder):
  splits = build_splits(folder, tfds_name='tiny_pictures/whole:1.0.0')
  everything = [name for source in splits.values() for name in ids(source)]
  assert sorted(everything) == [f'train/{index:07d}' for index in range(60)]
  assert all(len(source) > 3 for source in splits.values())
  assert '20% for valid and 20% for test set apart by content' in splits['train'].description
  assert splits['train'].description.endswith('not read: the splits extra')


def test_a_sequence_of_labels_is_the_tags(folder):
  source = build_tfds(make_config(folder, tfds_label='tags'), 'train')
  assert source.tag_names == ('red', 'wet') and source.max_tags == 2
  assert [source[index]['tags'].tolist() for index in range(3)] == [[], [1], [0, 1]]


def test_the_loader_of_classes_takes_it_and_pickle_too(folder):
  classes = Classes(pickle.loads(pickle.dumps(build_tfds(make_config(folder), 'test'))))
  assert [classes[index]['label'] for index in range(5)] == [0, 1, 2, 0, 1]


def test_what_was_read_is_kept_and_found_again(folder):
  first = build_tfds(make_config(folder), 'train')

  def poll():
    raise AssertionError('read again')
  again = build_tfds(make_config(folder), 'train', poll)
  assert again.fingerprint == first.fingerprint
  assert build_tfds(make_config(folder, tfds_label='tags'), 'train').fingerprint != (
      first.fingerprint)


@pytest.mark.parametrize('changes, words', [
    ({'tfds_name': ''}, ['config.data.tfds_name is empty']),
    ({'tfds_name': 'food102'}, ["no prepared TFDS dataset 'food102'",
                                '(there are: tiny_pictures/cut, tiny_pictures/whole)',
                                "tfds.builder('food102', data_dir=", "file_format='array_record'"]),
    ({'tfds_name': 'no such!'}, ["no prepared TFDS dataset 'no such!'"]),
    ({'tfds_image': 'picture'}, ["tfds_image is 'picture', which is no Image",
                                 'image (Image)', 'year (Scalar)']),
    ({'tfds_label': 'year'}, ["tfds_label is 'year', which is no ClassLabel"]),
    ({'tfds_name': 'tiny_pictures/whole', 'test_frac': 0.0}, ['the test split of']),
    ({'implications': 'added'}, ['TFDS does not tell which tag entails which'])])
def test_mistakes_are_told_with_what_to_do(folder, changes, words):
  with pytest.raises(UserError) as raised:
    build_tfds(make_config(folder, **changes), 'test')
  for part in words:
    assert part in str(raised.value)


def test_a_dataset_that_cannot_be_read_in_any_order_is_told(folder, monkeypatch):
  from tensorflow_datasets.core import dataset_info, file_adapters
  monkeypatch.setattr(dataset_info.DatasetInfo, 'file_format', property(
      lambda self: file_adapters.FileFormat.TFRECORD))
  with pytest.raises(UserError, match='prepared as tfrecord, which cannot be read in any order'):
    build_tfds(make_config(folder), 'train')


def test_it_stands_in_the_table_and_needs_no_tensorflow():
  assert SOURCES['tfds'] is build_tfds
  assert 'tensorflow' not in sys.modules
