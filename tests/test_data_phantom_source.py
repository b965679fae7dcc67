"""Phantom as a source: what is read is what was drawn, and it is never half there."""

import pickle
import sys
import types

import numpy as np
import pytest

from data import SOURCES
from data.classes import Classes
from data.decode import decode_image
from data.phantom import picture, prepare, vocabulary
from data.sources import phantom
from errors import UserError
from tests import drawn_data


def make_settings(**changes):
  values = {'dir': '', 'num_train': 12, 'num_valid': 5, 'num_test': 2, 'image_size_px': 64,
            'drawn_size_px': 0, 'data_seed': 5, 'flipped_share': 0.0, 'implications': 'listed',
            'labels': 'tags'}
  return types.SimpleNamespace(**values | changes)


def draw(index, split='train', **changes):
  return picture.draw_example(make_settings(**changes), split, index)


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
  settings = make_settings(dir=str(tmp_path_factory.mktemp('phantom')))
  return settings, phantom.build_phantom(settings, 'train')


def test_source_reads_back_what_was_drawn(prepared):
  settings, source = prepared
  assert len(source) == 12 and len(SOURCES['phantom'](settings, 'valid')) == 5
  for index in (0, 11):
    drawn, read = draw(index), source[index]
    assert read['id'] == drawn['id'] == f'train_{index:07d}'
    assert read['image_bytes'] == drawn['image']
    np.testing.assert_array_equal(read['tags'], drawn['tags'])
    assert source.finding_names[read['finding']] == drawn['finding']
    assert read['patient'] == drawn['patient']
    np.testing.assert_allclose(read['lesion_box_px'], drawn['lesion_box_px'])
    assert read['lesion_area_px2'] == pytest.approx(drawn['lesion_area_px2'])


def test_tfds_and_the_programs_own_decoder_read_the_same_picture(prepared):
  settings, source = prepared
  records = prepare.prepare_phantom(settings, settings.dir).as_data_source('train')
  deep = records[3]['image']
  assert deep.dtype == np.uint16 and deep.shape == (64, 64, 1)
  shown = decode_image(source[3]['image_bytes'], max_pixels=10_000)
  np.testing.assert_array_equal(shown, np.repeat(deep >> 8, 3, axis=2))


def test_a_slice_does_not_depend_on_the_size_of_the_dataset(prepared, tmp_path):
  small = make_settings(dir=str(tmp_path), num_train=4)
  assert phantom.build_phantom(small, 'train')[3]['image_bytes'] == prepared[1][3]['image_bytes']


def test_findings_are_classes(prepared):
  settings, plain = prepared
  source = phantom.build_phantom(make_settings(dir=settings.dir, labels='finding'), 'train')
  classes = Classes(source)
  assert source.tag_names == vocabulary.FINDINGS and source.max_tags == 1
  assert classes.truth_keys == ('label',)
  assert [classes[index]['label'] for index in range(12)] == [
      plain[index]['finding'] for index in range(12)]
  assert [int(source.tags_of(index)[0]) for index in range(12)] == [
      plain[index]['finding'] for index in range(12)]


def test_tags_are_counted(prepared):
  counts = prepared[1].count_tags()
  expected = np.zeros(len(vocabulary.TAG_NAMES), int)
  for index in range(12):
    expected[draw(index)['tags']] += 1
  np.testing.assert_array_equal(counts, expected)


def test_source_travels_by_pickle_and_its_fingerprint_tells_settings_apart(prepared):
  settings, source = prepared
  copy = pickle.loads(pickle.dumps(source))
  assert copy[2]['image_bytes'] == source[2]['image_bytes']
  assert copy.fingerprint == source.fingerprint
  base = {name: getattr(settings, name) for name in prepare.SETTINGS}
  others = [phantom.PhantomSource(base | change, settings.dir, split, labels=labels).fingerprint
            for change, split, labels in (
                ({}, 'train', 'tags'), ({}, 'valid', 'tags'), ({}, 'train', 'finding'),
                ({'data_seed': 6}, 'train', 'tags'), ({'image_size_px': 65}, 'train', 'tags'),
                ({'num_train': 13}, 'train', 'tags'))]
  assert others[0] == source.fingerprint and len(set(others)) == len(others)


def test_the_drawn_size_may_differ_from_the_nets(tmp_path):
  settings = make_settings(dir=str(tmp_path), num_train=2, num_valid=1, num_test=1,
                           drawn_size_px=96)
  source = phantom.build_phantom(settings, 'train')
  assert decode_image(source[0]['image_bytes'], max_pixels=10_000).shape == (96, 96, 3)


def test_an_interrupted_drawing_leaves_nothing_and_is_drawn_again(tmp_path):
  settings = make_settings(dir=str(tmp_path), num_train=40, image_size_px=32)
  drawn_data.check_interrupted('phantom', settings, tmp_path)


@drawn_data.needs_proc
def test_a_killed_drawing_leaves_no_dataset_and_no_processes(tmp_path):
  settings = make_settings(dir=str(tmp_path), num_train=20_000, image_size_px=32, data_seed=0)
  drawn_data.check_killed('phantom', settings, tmp_path)


@pytest.mark.parametrize('changes, words', [
    ({'image_size_px': 31}, 'phantom draws at least 32'),
    ({'num_valid': 0}, 'data.num_valid is 0; phantom wants at least 1'),
    ({'flipped_share': 0.1}, 'data.flipped_share is 0.1, but phantom turns no label round'),
    ({'implications': 'added'}, "data.implications is 'added', but no tag of phantom entails"),
    ({'labels': 'garment'}, "'garment'; choices with data.source=phantom: tags, finding"),
])
def test_senseless_settings_are_told_by_name(tmp_path, changes, words):
  with pytest.raises(UserError, match=words):
    phantom.build_phantom(make_settings(dir=str(tmp_path), **changes), 'train')
  assert not list(tmp_path.rglob('*.json'))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
  (tmp_path / 'file').write_text('in the way')
  with pytest.raises(UserError, match='data.dir'):
    phantom.build_phantom(make_settings(dir=str(tmp_path / 'file')), 'train')


def test_tensorflow_is_not_imported(prepared):
  prepared[1][0]
  assert 'tensorflow' not in sys.modules
