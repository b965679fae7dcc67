import threading
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.batch import check_batch
from data.loader import BadImages, Loader
from data.operations import Decode, build_pipeline
from errors import UserError

CONFIG = SimpleNamespace(
    max_pixels=1000, image_size_px=8, pad='square',
    augment=('mirror', 'rotation', 'scale', 'cutout', 'colour'),
    rotation_deg=10.0, scale_frac=0.1, translate_frac=0.05, cutout_frac=0.25, colour_frac=0.2,
    persons=SimpleNamespace(cut='none'))


class TinySource:
  """Pictures of one colour each, made from their index; those in `broken` cannot be read."""

  tag_names = ('odd', 'even')
  tag_categories = ('general', 'general')
  max_tags = 2
  fingerprint = 'tiny'

  def __init__(self, size, broken=(), missing=()):
    self._size, self._broken, self._missing = size, frozenset(broken), frozenset(missing)

  def __len__(self):
    return self._size

  def __getitem__(self, index):
    assert 0 <= index < self._size
    if index in self._missing:
      raise FileNotFoundError(2, 'No such file', f'{index}.png')
    image = np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image_bytes = b'broken' if index in self._broken else cv2.imencode('.png', image)[1].tobytes()
    return {'id': f'{index}', 'image_bytes': image_bytes, 'label': index,
            'tags': np.array([index % 2], np.int32)}


def make_loader(source, *, train=True, batch_size=4, **settings):
  pipeline = build_pipeline(CONFIG, train=train)
  return Loader(source, pipeline, batch_size=batch_size, train=train, **settings)


def assert_equal(batch, other):
  assert batch.keys() == other.keys() and batch['id'] == other['id']
  for key in batch.keys() - {'id'}:
    assert batch[key].dtype == other[key].dtype
    np.testing.assert_array_equal(batch[key], other[key])


def join(batches):
  """Batches of several shards, one below the other."""
  return {key: sum((batch[key] for batch in batches), []) if key == 'id'
          else np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 23), batch_size=st.integers(1, 9), seed=st.integers(0, 5),
       k=st.integers(0, 30))
def test_a_batch_depends_on_seed_and_number_alone(size, batch_size, seed, k):
  source = TinySource(size)
  batch = make_loader(source, batch_size=batch_size, seed=seed).make_batch(k)
  check_batch(batch)
  other = make_loader(source, batch_size=batch_size, seed=seed)
  other.make_batch(k + 1)
  assert_equal(batch, other.make_batch(k))


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 23), batch_size=st.integers(1, 9))
def test_each_epoch_of_training_shows_every_example_once(size, batch_size):
  loader = make_loader(TinySource(size), batch_size=batch_size)
  ids = [id for k in range(3 * size // batch_size + 1) for id in loader.make_batch(k)['id']]
  for epoch in range(3):
    assert sorted(ids[epoch * size:(epoch + 1) * size], key=int) == [str(i) for i in range(size)]


def test_epochs_and_seeds_differ_in_order_and_augmentation():
  loader, other = make_loader(TinySource(12), batch_size=12), make_loader(
      TinySource(12), batch_size=12, seed=1)
  first, second = loader.make_batch(0), loader.make_batch(1)
  assert len({tuple(batch['id']) for batch in (first, second, other.make_batch(0))}) == 3
  rows = [batch['image'][batch['id'].index('7')] for batch in (first, second)]
  assert (rows[0] != rows[1]).any()


def draw_label(example):
  return {**example, 'label': example['rng'].integers(2**31)}


@pytest.mark.parametrize('seed', [0, 9, 2**32 - 1, 2**32, 2**70 + 1])
@pytest.mark.parametrize('shard_index', [0, 1])
def test_the_generator_of_a_row_is_seeded_by_seed_batch_and_global_row(shard_index, seed):
  loader = Loader(TinySource(5), (Decode(100), draw_label), batch_size=4, train=True, seed=seed,
                  keys=('label',), shard_index=shard_index, shard_count=2)
  for k in range(4):
    rows = range(4 * k + 2 * shard_index, 4 * k + 2 * shard_index + 2)
    expected = [np.random.default_rng((seed, k, row)).integers(2**31) for row in rows]
    np.testing.assert_array_equal(loader.make_batch(k)['label'], expected)


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 23), shard_size=st.integers(1, 4), shard_count=st.integers(1, 4),
       train=st.booleans(), k=st.integers(0, 6))
def test_the_shards_together_are_the_whole_batch(size, shard_size, shard_count, train, k):
  def load(**shard):
    return make_loader(TinySource(size), train=train, batch_size=shard_size * shard_count,
                       **shard).make_batch(k)
  shards = [load(shard_index=index, shard_count=shard_count) for index in range(shard_count)]
  assert {len(shard['id']) for shard in shards} == {shard_size}
  assert_equal(join(shards), load())


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 23), shard_size=st.integers(1, 5), shard_count=st.integers(1, 4))
def test_evaluation_shows_every_example_once_on_any_layout(size, shard_size, shard_count):
  ids, numbers = [], set()
  for index in range(shard_count):
    loader = make_loader(TinySource(size), train=False, batch_size=shard_size * shard_count,
                         shard_index=index, shard_count=shard_count)
    numbers.add(loader.num_batches)
    for batch in loader.batches(0, loader.num_batches):
      check_batch(batch)
      assert batch['image'].shape == (shard_size, 8, 8, 3)
      ids += [id for id, real in zip(batch['id'], batch['mask'], strict=True) if real]
  assert len(numbers) == 1
  assert sorted(ids, key=int) == [str(i) for i in range(size)]


@pytest.mark.parametrize('train', [True, False])
def test_any_number_of_threads_gives_the_same_batches(train):
  runs = [list(make_loader(TinySource(11, broken=[4]), train=train, workers=workers).batches(1, 9))
          for workers in (0, 1, 2, 5)]
  for batches in runs[1:]:
    for batch, other in zip(runs[0], batches, strict=True):
      assert_equal(batch, other)


def test_processes_give_the_same_batches_and_notes():
  source = TinySource(11, broken=[4])
  loader = make_loader(source)
  expected = list(loader.batches(0, 7))
  other = make_loader(source, workers=2, processes=True)
  for batch, same in zip(expected, other.batches(0, 7), strict=True):
    assert_equal(batch, same)
  assert loader.bad_images.drain() == other.bad_images.drain() != []


def test_every_batch_has_memory_of_its_own():
  loader = make_loader(TinySource(4), workers=2)
  batches = list(loader.batches(0, 6))
  for i, batch in enumerate(batches):
    for other in batches[i + 1:]:
      assert not np.shares_memory(batch['image'], other['image'])


def test_the_keys_asked_for_are_the_ones_in_a_batch():
  batch = make_loader(TinySource(4), keys=('image', 'label')).make_batch(0)
  assert batch.keys() == {'id', 'mask', 'image', 'label'}
  assert [str(label) for label in batch['label']] == batch['id']


def test_an_unreadable_picture_in_training_is_replaced_by_one_of_seed_and_index():
  def load(**settings):
    loader = make_loader(TinySource(40, broken=[3]), batch_size=8, **settings)
    return loader, [loader.make_batch(k) for k in range(10)]
  loader, batches = load()
  clean = [make_loader(TinySource(40), batch_size=8).make_batch(k) for k in range(10)]
  substitutes = set()
  for batch, other in zip(batches, clean, strict=True):
    assert batch['mask'].all()
    for row, id in enumerate(other['id']):
      if id == '3':
        substitutes.add(batch['id'][row])
        assert batch['tags'][row, 0] == int(batch['id'][row]) % 2
      else:
        np.testing.assert_array_equal(batch['image'][row], other['image'][row])
  assert len(substitutes) == 1 and '3' not in substitutes  # twice met, the same twice
  for shard_index in range(2):
    _, shards = load(shard_index=shard_index, shard_count=2)
    half = slice(4 * shard_index, 4 * shard_index + 4)
    assert [shard['id'] for shard in shards] == [batch['id'][half] for batch in batches]
  reason = 'the file is no JPEG, PNG, WebP, GIF, BMP or TIFF picture'
  assert loader.bad_images.drain() == [{'id': '3', 'reason': reason}]
  assert loader.bad_images.drain() == []


def test_an_unreadable_picture_in_evaluation_has_mask_zero():
  loader = make_loader(TinySource(7, broken=[1], missing=[5]), train=False)
  batches = list(loader.batches(0, loader.num_batches))
  np.testing.assert_array_equal(join(batches)['mask'], [1, 0, 1, 1, 1, 0, 1, 0])
  assert [bad['id'] for bad in loader.bad_images.drain()] == ['1', 'row 5']


def test_a_batch_of_unreadable_pictures_keeps_its_shape():
  loader = make_loader(TinySource(9, broken=range(4, 8)), train=False)
  batch = loader.make_batch(1)
  check_batch(batch)
  assert batch['image'].shape == (4, 8, 8, 3) and not batch['mask'].any()


def test_reading_stops_when_too_many_pictures_are_unreadable():
  source = TinySource(60, broken=range(0, 60, 5))
  with pytest.raises(UserError, match=r'10 of 60 pictures are unreadable, more than the 10%'):
    list(make_loader(source, train=False).batches(0, 15))
  loader = make_loader(source, train=False, bad_limit_frac=0.3)
  list(loader.batches(0, 15))
  assert len(loader.bad_images) == 12


def test_a_few_unreadable_pictures_of_a_small_folder_are_borne():
  loader = make_loader(TinySource(12, broken=range(9)), train=False)
  assert sum(batch['mask'].sum() for batch in loader.batches(0, 3)) == 3


@pytest.mark.parametrize('train', [True, False])
@pytest.mark.parametrize('workers, processes', [(0, False), (2, False), (1, True)])
def test_a_folder_of_which_nothing_can_be_read_is_an_error(train, workers, processes):
  loader = make_loader(TinySource(5, broken=range(5)), train=train, workers=workers,
                       processes=processes)
  with pytest.raises(UserError, match='unreadable|can be read'):
    list(loader.batches(0, 2))


def test_bad_images_are_counted_once_from_many_threads():
  bad = BadImages(1000, 0.5)
  threads = [threading.Thread(target=lambda: [bad.add(f'{i}', 'why') for i in range(200)])
             for _ in range(8)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert len(bad) == len(bad.drain()) == 200


@pytest.mark.parametrize('settings, words', [
    (dict(batch_size=6, shard_count=4), 'the batch size is 6; it must be a multiple of the 4'),
    (dict(batch_size=0), 'the batch size is 0')])
def test_a_batch_that_cannot_be_shared_is_refused(settings, words):
  with pytest.raises(UserError, match=words):
    make_loader(TinySource(4), **settings)


def test_an_empty_source_is_refused():
  with pytest.raises(UserError, match='no picture'):
    make_loader(TinySource(0))


def test_one_example_is_the_row_of_its_batch():
  loader = make_loader(TinySource(6, broken={5}), train=False)
  np.testing.assert_array_equal(loader.example(4)['image'], loader.make_batch(1)['image'][0])
  assert loader.example(4)['id'] == '4'
  assert loader.example(5) is None


@given(size=st.integers(1, 20), batch_size=st.integers(1, 9), first=st.integers(0, 12),
       count=st.integers(1, 5), seed=st.integers(0, 3), other=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_train_rows_are_the_examples_of_the_batches(size, batch_size, first, count, seed, other):
  loader, wanted = (make_loader(TinySource(size), batch_size=batch_size, seed=one)
                    for one in (seed, other))
  rows = loader.train_rows(first, count, other)
  assert rows.tolist() == [[int(id) for id in wanted.make_batch(k)['id']]
                           for k in range(first, first + count)]
  np.testing.assert_array_equal(wanted.train_rows(first, count), rows)
