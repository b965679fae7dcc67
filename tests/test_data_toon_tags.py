"""Toon's tags as they are handed over: turned round by chance, or joined by what they entail."""

import hashlib
import pickle
import types

import numpy as np
import pytest

from data.loader import Loader
from data.operations import Decode
from data.sources import toon as toon_source
from data.toon import vocabulary
from errors import UserError

SPLITS = {'train': 30, 'valid': 4, 'test': 3}


def make_settings(**changes):
  values = {'num_train': SPLITS['train'], 'num_valid': SPLITS['valid'], 'num_test': SPLITS['test'],
            'image_size_px': 32, 'drawn_size_px': 0, 'dropped_share': 0.4, 'data_seed': 5,
            'flipped_share': 0.0, 'implications': 'listed', 'labels': 'tags'}
  return types.SimpleNamespace(**values | changes)


@pytest.fixture(scope='module')
def read(tmp_path_factory):
  """(split, settings) -> the source and all its examples."""
  folder = str(tmp_path_factory.mktemp('toon'))

  def read_split(split='train', **changes):
    source = toon_source.build_toon(make_settings(dir=folder, **changes), split)
    return source, [source[index] for index in range(len(source))]

  return read_split


def turned_tags(plain, flipped):
  """Per picture, the tags that one list has and the other has not."""
  return [np.setxor1d(one['tags'], other['tags'])
          for one, other in zip(plain[1], flipped[1], strict=True)]


def test_counts_are_of_the_tags_as_handed_over(read):
  source, examples = read(flipped_share=0.2)
  expected = np.bincount(np.concatenate([example['tags'] for example in examples]), minlength=104)
  polls = []
  np.testing.assert_array_equal(source.count_tags(lambda: polls.append(0)), expected)
  assert len(polls) == len(examples)
  np.testing.assert_array_equal(source.count_tags(lambda: polls.append(0)), expected)
  assert len(polls) == len(examples)                        # counted once


@pytest.mark.parametrize('share', [0.05, 0.5])
def test_flips_turn_their_share_of_yes_and_no_but_never_a_rating(read, share):
  plain, flipped = read(), read(flipped_share=share)
  turned = np.concatenate(turned_tags(plain, flipped))
  ratings = vocabulary.TAG_CATEGORIES.count('rating')
  assert turned.min() >= ratings
  count = SPLITS['train'] * (len(vocabulary.TAG_NAMES) - ratings)
  assert len(turned) / count == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / count))


def test_flips_leave_what_was_drawn_and_rows_as_they_must_be(read):
  (_, plain), (source, flipped) = read(), read(flipped_share=0.5)
  for before, after in zip(plain, flipped, strict=True):
    np.testing.assert_array_equal(before['drawn_tags'], after['drawn_tags'])
    assert after['tags'].dtype == np.int32 and (np.diff(after['tags']) > 0).all()
    assert len(after['tags']) <= source.max_tags
  assert sum(len(one['tags']) for one in flipped) > sum(len(one['tags']) for one in plain)


def test_flips_do_not_depend_on_the_order_of_reading(read):
  source, flipped = read(flipped_share=0.2)
  fresh = pickle.loads(pickle.dumps(source))
  for index in (7, 3, 7, 0):
    np.testing.assert_array_equal(fresh.tags_of(index), flipped[index]['tags'])
  counts = np.bincount(np.concatenate([one['tags'] for one in flipped]),
                       minlength=len(source.tag_names))
  np.testing.assert_array_equal(source.count_tags(), counts)


def test_a_greater_share_turns_the_same_tags_and_more(read):
  plain = read()
  few = turned_tags(plain, read(flipped_share=0.1))
  many = turned_tags(plain, read(flipped_share=0.4))
  assert all(set(one) <= set(other) for one, other in zip(few, many, strict=True))


def test_flips_of_pictures_and_splits_differ(read):
  turned = [tuple(tags) for split in SPLITS
            for tags in turned_tags(read(split), read(split, flipped_share=0.3))]
  assert len(set(turned)) == sum(SPLITS.values())


def test_fingerprints_tell_apart_what_training_reads_and_keep_the_frozen_one(read):
  # of the plain dataset as it was before tags could be turned round or joined
  words = ('toon 1.0.0 train data_seed=5 dropped_share=0.4 image_size_px=32 num_test=3 '
           'num_train=30 num_valid=4')
  changes = ({}, {'flipped_share': 0.1}, {'flipped_share': 0.2}, {'implications': 'added'},
             {'implications': 'ignored'}, {'implications': 'added', 'flipped_share': 0.1})
  fingerprints = [read('train', **change)[0].fingerprint for change in changes]
  assert fingerprints[0] == hashlib.sha256(words.encode()).hexdigest()[:32]
  assert len(set(fingerprints)) == len(changes)


def test_entailed_tags_are_added_to_what_is_trained_on(read):
  (_, listed), (_, added) = read(), read(implications='added')
  gained = 0
  for before, after in zip(listed, added, strict=True):
    tags = set(after['tags'])
    assert set(before['tags']) <= tags <= set(after['drawn_tags'])
    for name, parents in vocabulary.IMPLIED.items():
      if vocabulary.INDEX[name] in tags:
        assert {vocabulary.INDEX[parent] for parent in parents} <= tags
    gained += len(tags) - len(before['tags'])
  assert gained > 0


def test_what_a_listed_tag_leaves_open_is_ignored_beside(read):
  (source, ignored), (_, added) = read(implications='ignored'), read(implications='added')
  for example, other in zip(ignored, added, strict=True):
    np.testing.assert_array_equal(example['tags'], other['tags'])
    tags = {vocabulary.TAG_NAMES[tag] for tag in example['tags']}
    expected = {name for name, parents in vocabulary.IMPLIED.items() for parent in parents
                if parent in tags and not any(
                    parent in vocabulary.IMPLIED.get(tag, ()) for tag in tags)}
    assert {vocabulary.TAG_NAMES[tag] for tag in example['ignored_tags']} == expected
    assert len(example['ignored_tags']) <= source.max_ignored
  assert any(len(example['ignored_tags']) for example in ignored)


@pytest.mark.parametrize('way', ['added', 'ignored'])
@pytest.mark.parametrize('split', ['valid', 'test'])
def test_what_is_measured_is_as_listed_under_every_treatment(read, split, way):
  (source, listed), (treated, examples) = read(split), read(split, implications=way)
  assert source.fingerprint == treated.fingerprint
  for before, after in zip(listed, examples, strict=True):
    assert before.keys() == after.keys()
    np.testing.assert_array_equal(before['tags'], after['tags'])


def test_a_training_batch_carries_ignored_tags(read):
  source, examples = read(implications='ignored')
  loader = Loader(source, (Decode(10**6),), batch_size=30, train=True,
                  keys=('image', 'tags', 'ignored_tags'))
  batch = loader.make_batch(0)
  assert batch['ignored_tags'].shape == (30, source.max_ignored)
  by_id = {example['id']: example for example in examples}
  for name, row in zip(batch['id'], batch['ignored_tags'], strict=True):
    np.testing.assert_array_equal(row[row >= 0], by_id[name]['ignored_tags'])


@pytest.mark.parametrize('changes, words', [
    ({'flipped_share': -0.01}, 'data.flipped_share is -0.01'),
    ({'flipped_share': 0.6}, 'data.flipped_share is 0.6'),
    ({'flipped_share': float('nan')}, 'data.flipped_share is nan'),
    ({'implications': 'all'}, "data.implications is 'all'; choose one of listed, added, ignored"),
])
def test_senseless_settings_are_told_by_name(read, changes, words):
  with pytest.raises(UserError, match=words):
    read(**changes)
