"""What every source promises, asked of each by its row in tests/small_sources.py."""

import functools
import pickle

import numpy as np
import pytest

from data import SOURCES
from data.batch import TAG_CATEGORIES, contents_of
from data.content_splits import SPLITS
from data.persons import Persons
from errors import UserError
from tests.small_sources import SMALL, make_config
from train_lib import build_data

SIGNS = '0123456789abcdef'
KEYS = {'tagging': ('tags',), 'autoencoding': ('target',), 'pose': ('crop_to_source',)}


class Stopped(Exception):
  """What a poll raises."""


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """name -> (its config, {split: source}), written once."""
  @functools.cache
  def make(name):
    config = make_config(name, tmp_path_factory.mktemp(name) / 'data')
    return config, build(config)
  return make


def build(config, poll=lambda: None):
  return {split: SOURCES[config.data.source](config.data, split, poll) for split in SPLITS}


def build_loader(config, source):
  """As training reads it: of poses, a row for each person."""
  if config.task == 'pose':
    source = Persons(source)
  return build_data.build_loader(config, source, train=True, batch_size=8,
                                 keys=('image', *KEYS[config.task]))


def assert_same(one, other):
  assert one.keys() == other.keys()
  for key in one:
    np.testing.assert_array_equal(one[key], other[key])


def refusal(config):
  """The sentence that a source refuses to be built with."""
  with pytest.raises(UserError) as raised:
    build(config)
  message = str(raised.value)
  assert message.isprintable() and 20 < len(message) < 600, message
  return message


def test_every_source_has_a_row():
  assert set(SMALL) == set(SOURCES), 'give it a row in tests/small_sources.py'


@pytest.mark.parametrize('name', SMALL)
def test_a_source_tells_of_its_tags_and_of_what_was_found(made, name):
  _, splits = made(name)
  for source in splits.values():
    assert len(source) > 0
    assert isinstance(source.tag_names, tuple)
    assert len(set(source.tag_names)) == len(source.tag_names) == len(source.tag_categories)
    assert set(source.tag_categories) <= set(TAG_CATEGORIES)
    assert source.description.isprintable() and 20 < len(source.description) < 1000
    assert len(source.fingerprint) >= 12 and set(source.fingerprint) <= set(SIGNS)
    assert source.tag_names == splits['train'].tag_names
    assert source.max_tags == splits['train'].max_tags


@pytest.mark.parametrize('name', SMALL)
def test_an_example_holds_a_picture_its_id_and_its_tags(made, name):
  _, splits = made(name)
  for source in splits.values():
    for index in range(len(source)):
      example = source[index]
      assert isinstance(example['id'], str) and example['id']
      assert ('image_bytes' in example) + ('scan' in example) == 1
      if 'scan' in example:
        scan = example['scan']
        assert scan.dtype == np.float32 and scan.ndim == 3 and scan.shape[2] == 1
        assert 0 <= scan.min() <= scan.max() <= 1
      else:
        assert isinstance(example['image_bytes'], bytes) and example['image_bytes']
      tags = source.tags_of(index)
      assert tags.dtype == example['tags'].dtype == np.int32 and tags.ndim == 1
      np.testing.assert_array_equal(tags, example['tags'])
      assert len(tags) == len(set(tags.tolist())) <= source.max_tags
      assert not len(tags) or 0 <= tags.min() <= tags.max() < len(source.tag_names)
      assert set(source.truth_keys) <= set(example)
      assert len(example.get('ignored_tags', ())) <= source.max_ignored


@pytest.mark.parametrize('name', SMALL)
def test_tags_are_counted_as_one_after_another_would_be(made, name):
  for source in made(name)[1].values():
    counts = source.count_tags()
    assert counts.dtype == np.int64
    tags = [source.tags_of(index) for index in range(len(source))]
    np.testing.assert_array_equal(
        counts, np.bincount(np.concatenate(tags), minlength=len(source.tag_names)))


@pytest.mark.parametrize('name', SMALL)
def test_no_picture_is_in_two_splits(made, name):
  ids = {split: [source[index]['id'] for index in range(len(source))]
         for split, source in made(name)[1].items()}
  assert all(len(set(found)) == len(found) for found in ids.values())
  if SMALL[name].is_split:
    assert len(set().union(*ids.values())) == sum(map(len, ids.values()))


@pytest.mark.parametrize('name', SMALL)
def test_another_start_and_another_process_read_the_same(made, name):
  config, splits = made(name)
  again = build(config)
  for split, source in splits.items():
    for other in (again[split], pickle.loads(pickle.dumps(source))):
      assert other.fingerprint == source.fingerprint and len(other) == len(source)
      for index in {0, len(source) - 1}:
        assert_same(source[index], other[index])


@pytest.mark.parametrize('name', SMALL)
def test_other_data_have_another_fingerprint(made, name, tmp_path):
  other = build(make_config(name, tmp_path / 'data', seed=1))
  assert other['train'].fingerprint != made(name)[1]['train'].fingerprint


@pytest.mark.parametrize('name', SMALL)
def test_a_batch_is_a_function_of_seed_and_number(made, name):
  config, splits = made(name)
  loader = build_loader(config, splits['train'])
  again = build_loader(config, build(config)['train'])
  for number in (0, 5):
    batch = loader.make_batch(number)
    assert batch['mask'].all() and not loader.bad_images.reasons()
    assert_same(batch, again.make_batch(number))
  assert loader.make_batch(0)['id'] != loader.make_batch(5)['id']


@pytest.mark.parametrize('name', SMALL)
def test_what_is_known_of_all_pictures_holds_those_of_training(made, name):
  source = made(name)[1]['train']
  contents = contents_of(source)
  if contents is not None:
    assert sum(content.split == 'train' for content in contents.values()) == len(source)
    assert all(content.digest for content in contents.values())
    assert not pickle.loads(pickle.dumps(contents))


@pytest.mark.parametrize('name', SMALL)
def test_a_folder_that_is_none_is_told_in_a_sentence(name, tmp_path):
  config = make_config(name, tmp_path / 'data')
  (tmp_path / 'file').write_text('no folder')
  config.data[SMALL[name].where] = str(tmp_path / 'file/nothing')
  assert str(tmp_path / 'file') in refusal(config)


@pytest.mark.parametrize('name', [name for name, row in SMALL.items() if not row.is_drawn])
def test_an_empty_folder_is_told_in_a_sentence(name, tmp_path):
  config = make_config(name, tmp_path / 'data')
  (tmp_path / 'empty').mkdir()
  config.data[SMALL[name].where] = str(tmp_path / 'empty')
  assert str(tmp_path / 'empty') in refusal(config)


@pytest.mark.parametrize('name', [name for name, row in SMALL.items() if row.where == 'path'])
def test_a_folder_that_nobody_named_is_asked_for(name, tmp_path):
  config = make_config(name, tmp_path / 'data')
  config.data.path = ''
  assert '--config.data.path' in refusal(config)


@pytest.mark.parametrize('name', SMALL)
def test_a_build_that_is_stopped_leaves_nothing_half_made(made, name, tmp_path):
  calls = []

  def stop():
    calls.append(1)
    if len(calls) == 3:
      raise Stopped

  config = make_config(name, tmp_path / 'data')
  try:
    build(config, stop)
  except Stopped:
    pass
  wanted = made(name)[1]['train']
  source = build(config)['train']
  assert len(source) == len(wanted)
  assert_same(source[0], wanted[0])


@pytest.mark.parametrize('name', [name for name, row in SMALL.items() if row.has_files])
def test_a_damaged_file_is_noted_and_another_takes_its_place(made, name, tmp_path):
  config = make_config(name, tmp_path / 'data')
  source = build(config)['train']
  id = made(name)[1]['train'][0]['id']          # the same, of which no file of this one is opened
  (tmp_path / 'data' / id.partition('#')[0]).write_bytes(b'damaged')
  loader = build_loader(config, pickle.loads(pickle.dumps(source)))
  batches = [loader.make_batch(number) for number in range(-(-len(source) // 8))]
  assert all(batch['mask'].all() for batch in batches)
  (noted, reason), = loader.bad_images.reasons().items()
  assert id.partition('#')[0] in f'{noted} {reason}' and reason.isprintable()
