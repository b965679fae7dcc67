"""Toon as classes: identities or garments, some of them turned into others."""

import types

import numpy as np
import pytest

from data.classes import Classes
from data.sources import toon as toon_source
from data.toon import characters
from errors import UserError


@pytest.fixture(scope='module')
def read(tmp_path_factory):
  """settings -> the source and all its examples."""
  folder = str(tmp_path_factory.mktemp('toon'))

  def read_train(**changes):
    source = toon_source.build_toon(types.SimpleNamespace(**{
        **dict(dir=folder, num_train=40, num_valid=2, num_test=2, image_size_px=32,
               dropped_share=0.2, data_seed=5, flipped_share=0.0, implications='listed',
               labels='tags', drawn_size_px=0), **changes}), 'train')
    return source, [source[index] for index in range(len(source))]

  return read_train


@pytest.mark.parametrize('labels, names', [
    ('identity', characters.IDENTITIES), ('garment', characters.GARMENTS)])
def test_a_class_is_the_main_figures(read, labels, names):
  (_, plain), (source, examples) = read(), read(labels=labels)
  assert source.tag_names == names and set(source.tag_categories) == {'general'}
  assert len(source.tag_categories) == len(names) and source.max_tags == 1
  for before, after in zip(plain, examples, strict=True):
    true = before['label' if labels == 'identity' else 'garment']
    assert after['tags'].tolist() == after['drawn_tags'].tolist() == [true]
    assert after['image_bytes'] == before['image_bytes'] and 'ignored_tags' not in after
  assert f'{len(names)} classes, the {labels} of the main figure' in source.description


def test_as_classes_it_has_labels_and_true_ones(read):
  source, examples = read(labels='garment', flipped_share=0.3)
  classes = Classes(source)
  assert classes.truth_keys == ('label', 'drawn_label')
  assert [classes[index]['label'] for index in range(40)] == [one['tags'][0] for one in examples]
  assert sum(classes[index]['label'] != classes[index]['drawn_label'] for index in range(40)) > 3


def test_labels_are_read_from_the_files_once(read, monkeypatch):
  source, examples = read(labels='identity')
  wanted = [int(one['tags'][0]) for one in examples]
  assert [int(source.tags_of(index)[0]) for index in range(40)] == wanted
  again = read(labels='identity')[0]
  monkeypatch.setattr(toon_source.ToonSource, '__getitem__', lambda *_: pytest.fail('read again'))
  assert [int(again.tags_of(index)[0]) for index in range(40)] == wanted


def test_flips_turn_about_their_share_into_any_other_class(read):
  _, examples = read(labels='garment', flipped_share=0.5)
  turned = [one for one in examples if one['tags'][0] != one['drawn_tags'][0]]
  assert 11 <= len(turned) <= 29                              # 40 halves, +- 3 deviations
  assert len({int(one['tags'][0]) for one in turned}) >= 4    # of seven


def test_a_greater_share_turns_the_same_labels_into_the_same_classes_and_more(read):
  few, many = (read(labels='identity', flipped_share=share)[1] for share in (0.2, 0.5))
  turned = [one['tags'] != one['drawn_tags'] for one in few]
  assert 0 < sum(map(bool, turned))
  for one, other, was_turned in zip(few, many, turned, strict=True):
    if was_turned:
      np.testing.assert_array_equal(one['tags'], other['tags'])


def test_fingerprints_tell_labels_apart(read):
  prints = {read(**changes)[0].fingerprint for changes in (
      {}, {'labels': 'identity'}, {'labels': 'garment'},
      {'labels': 'garment', 'flipped_share': 0.1})}
  assert len(prints) == 4


def test_tags_are_no_classes_and_the_way_out_is_told(read):
  with pytest.raises(UserError, match="--config.data.labels=identity or garment"):
    Classes(read()[0])


@pytest.mark.parametrize('changes, words', [
    ({'labels': 'hat'}, "data.labels is 'hat'; choices: tags, identity, garment"),
    ({'labels': 'garment', 'implications': 'added'}, 'a class entails no other')])
def test_senseless_labels_are_told(read, changes, words):
  with pytest.raises(UserError, match=words):
    read(**changes)
