import numpy as np
import pytest

from data.batch import BATCH_KEYS, check_batch, collate


def make_example(id='a', num_tags=2, size_px=4):
  return {'id': id, 'image': np.full((size_px, size_px, 3), 7, np.uint8),
          'tags': np.arange(num_tags, dtype=np.int32), 'label': 3}


def make_batch():
  examples = (make_example('a'), None, make_example('c', 1))
  return collate(iter(examples), 3, keys=('image', 'tags', 'label'), max_tags=3)


def test_a_collated_batch_passes_its_own_check():
  check_batch(make_batch())


def test_tags_are_padded_with_minus_one():
  np.testing.assert_array_equal(make_batch()['tags'], [[0, 1, -1], [-1, -1, -1], [0, -1, -1]])


def test_ignored_tags_have_a_width_of_their_own():
  examples = [{**make_example(), 'ignored_tags': np.array(tags, np.int32)} for tags in ([3, 5], [])]
  batch = collate(examples, 2, keys=('tags', 'ignored_tags'), max_tags=4, max_ignored=2)
  np.testing.assert_array_equal(batch['ignored_tags'], [[3, 5], [-1, -1]])
  check_batch(batch)
  with pytest.raises(ValueError, match="'a' has 2 ignored_tags; max_ignored is 1"):
    collate(examples, 2, keys=('tags', 'ignored_tags'), max_tags=4, max_ignored=1)


def test_ignored_tags_of_no_picture_are_an_empty_array():
  examples = [{**make_example(), 'ignored_tags': np.zeros(0, np.int32)}]
  batch = collate(examples, 1, keys=('tags', 'ignored_tags'), max_tags=4)
  assert batch['ignored_tags'].shape == (1, 0)
  check_batch(batch)


def test_a_missing_example_becomes_a_row_with_mask_zero():
  batch = make_batch()
  np.testing.assert_array_equal(batch['mask'], [1, 0, 1])
  assert batch['id'] == ['a', '', 'c']
  assert not batch['image'][1].any()


def test_a_missing_row_is_blank_whatever_the_memory_held_before(monkeypatch):
  monkeypatch.setattr(np, 'empty', lambda shape, dtype: np.full(shape, 77, dtype))
  batch = make_batch()
  assert not batch['image'][1].any() and batch['label'].tolist() == [3, 0, 3]
  batch = collate([None], 1, keys=('image', 'tags'), max_tags=3, find_blank=make_example)
  assert not batch['image'].any() and (batch['tags'] == -1).all()


def test_collate_copies_and_never_aliases():
  example = make_example()
  batch = collate([example], 1, keys=('image', 'tags'), max_tags=2)
  example['image'][:] = 0
  assert batch['image'].min() == 7
  assert batch['image'].flags.owndata


def test_a_batch_without_any_example_takes_its_shapes_from_the_blank_one():
  batch = collate([None, None], 2, keys=('image', 'tags'), max_tags=3, find_blank=make_example)
  assert batch['image'].shape == (2, 4, 4, 3) and not batch['mask'].any()
  check_batch(batch)


@pytest.mark.parametrize('examples, words', [
    ([make_example(num_tags=4)], "'a' has 4 tags; max_tags is 3"),
    ([make_example(), make_example('b', size_px=5)], "image of 'b' has shape [5, 5, 3]"),
    ([{'id': 'x', 'image': np.zeros((4, 4, 3), np.uint8)}], "'x' has no 'tags'"),
])
def test_collate_names_the_example_that_does_not_fit(examples, words):
  with pytest.raises(ValueError) as raised:
    collate(examples, len(examples), keys=('image', 'tags'), max_tags=3)
  assert words in str(raised.value)


@pytest.mark.parametrize('key, value, words', [
    ('tags', np.zeros((3, 2), np.int64), "batch['tags'] is int64 [3, 2]; expected int32 [B, L]"),
    ('tags', np.zeros((2, 2), np.int32), 'int32 [2, 2]; expected int32 [B, L] with B = 3'),
    ('image', np.zeros((3, 4, 4), np.uint8), 'expected uint8 [B, H, W, 3]'),
    ('image', np.zeros((3, 4, 4, 1), np.uint8), 'expected uint8 [B, H, W, 3]'),
    ('drawn_tags', np.zeros((3, 9), np.int32), 'expected int32 [B, L] with B = 3, L = 3'),
    ('colour', np.zeros(3), "batch['colour'] is no key of a batch"),
    ('id', ['a'], "batch['id'] has 1 rows; expected B = 3"),
])
def test_check_names_the_key_what_it_got_and_what_it_wanted(key, value, words):
  with pytest.raises(ValueError) as raised:
    check_batch({**make_batch(), key: value})
  assert words in str(raised.value)


def test_check_misses_the_mask():
  batch = make_batch()
  del batch['mask']
  with pytest.raises(ValueError, match="no 'mask'"):
    check_batch(batch)


def test_every_key_states_its_dtype_shape_and_unit():
  for field in BATCH_KEYS.values():
    assert np.dtype(field.dtype) and field.shape.split()[0] == 'B' and field.unit
