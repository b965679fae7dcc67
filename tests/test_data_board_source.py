"""What a run has of an archive: examples, counts, copies in other processes."""

import pickle

import numpy as np
import pytest

from data import SOURCES
from data.loader import Loader
from data.sources import board
from errors import UserError
from tests import board_archives as archives


@pytest.fixture
def folder(tmp_path):
  (tmp_path / 'archive').mkdir()
  archives.write_posts(tmp_path / 'archive', archives.make_posts(60))
  return tmp_path / 'archive'


def build(folder, **changes):
  return archives.build(folder, folder.parent / 'cache', **changes)


def index_folder(folder):
  found, = (path for path in (folder.parent / 'cache/boards').iterdir() if path.is_dir())
  return found


def test_the_table_of_sources_has_it():
  assert SOURCES['board'] is board.build_board


def test_an_example_is_the_file_with_its_tags(folder):
  train = build(folder)['train']
  example = train[0]
  assert set(example) == {'id', 'image_bytes', 'tags'}
  assert example['tags'].dtype == np.int32 and example['tags'].flags.writeable
  assert (folder / example['id']).read_bytes() == example['image_bytes']
  np.testing.assert_array_equal(train.tags_of(0), example['tags'])
  assert (np.diff(example['tags']) > 0).all()
  for wrong in (-1, len(train)):
    with pytest.raises(IndexError):
      train[wrong]


def test_tags_are_counted_as_one_after_another_would_be(folder):
  for source in build(folder).values():
    wanted = np.zeros(len(source.tag_names), np.int64)
    for i in range(len(source)):
      wanted[source.tags_of(i)] += 1
    np.testing.assert_array_equal(source.count_tags(), wanted)


def test_a_source_is_small_to_pickle_and_survives_it(folder):
  for source in build(folder).values():
    data = pickle.dumps(source)
    copy = pickle.loads(data)
    assert len(data) < 1000
    assert archives.contents(copy) == archives.contents(source)
    assert (copy.tag_names, copy.max_tags, copy.description) == (
        source.tag_names, source.max_tags, source.description)


def test_a_source_whose_index_was_replaced_says_so(folder):
  data = pickle.dumps(build(folder)['train'])
  (folder / 'posts.json').write_text((folder / 'posts.json').read_text().replace('series_a', 'x'))
  build(folder)
  with pytest.raises(UserError, match='was replaced while it was in use'):
    pickle.loads(data)
  (index_folder(folder) / 'index.json').unlink()
  with pytest.raises(UserError, match='was replaced while it was in use'):
    pickle.loads(data)


def test_a_picture_that_goes_missing_later_is_one_unreadable_picture(folder):
  source = build(folder)['test']
  gone = source[0]['id']
  (folder / gone).unlink()
  loader = Loader(source, (lambda example: example | {'image': np.zeros((4, 4, 3), np.uint8)},),
                  batch_size=4, train=False)
  batch = loader.make_batch(0)
  assert batch['mask'].tolist() == [0, 1, 1, 1]
  assert gone in loader.bad_images.drain()[0]['reason']
  assert batch['tags'].shape == (4, source.max_tags)


def test_loader_processes_read_the_same_batches(folder):
  source = build(folder)['train']
  here = Loader(source, (), batch_size=8, train=True, keys=('tags',))
  there = Loader(source, (), batch_size=8, train=True, keys=('tags',), workers=1, processes=True)
  for k, batch in enumerate(there.batches(0, 3)):
    wanted = here.make_batch(k)
    assert batch['id'] == wanted['id']
    np.testing.assert_array_equal(batch['tags'], wanted['tags'])
