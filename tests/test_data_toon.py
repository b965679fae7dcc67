"""Toon: what its tags promise, that it is the same everywhere, and that it is never half there."""

import collections
import hashlib
import pickle
import sys
import types

import cv2
import numpy as np
import pytest

from data.joints import JOINT_NAMES
from data.sources import toon as toon_source
from data.toon import characters, picture, prepare, scene, tagging, vocabulary
from errors import UserError
from tests import drawn_data

NUM_SCENES = 4000
CATEGORIES = ('rating', 'general', 'character', 'copyright', 'artist', 'meta')


def make_settings(**changes):
  values = {'dir': '', 'num_train': 12, 'num_valid': 3, 'num_test': 2, 'image_size_px': 64,
            'drawn_size_px': 0, 'dropped_share': 0.2, 'data_seed': 5, 'flipped_share': 0.0,
            'implications': 'listed', 'labels': 'tags'}
  return types.SimpleNamespace(**values | changes)


@pytest.fixture(scope='module')
def scenes():
  return [scene.sample_scene(0, 'train', index) for index in range(NUM_SCENES)]


@pytest.fixture(scope='module')
def tag_matrix(scenes):
  matrix = np.zeros((len(scenes), len(vocabulary.TAGS)), bool)
  for row, one in enumerate(scenes):
    matrix[row, list(tagging.scene_tags(one))] = True
  return matrix


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
  settings = make_settings(dir=str(tmp_path_factory.mktemp('toon')))
  return settings, toon_source.build_toon(settings, 'train')


def shares(tag_matrix):
  return dict(zip(vocabulary.TAG_NAMES, tag_matrix.mean(0), strict=True))


def test_there_are_104_tags_contiguous_by_category_with_four_ratings_first():
  assert len(vocabulary.TAG_NAMES) == len(set(vocabulary.TAG_NAMES)) == 104
  runs = [vocabulary.TAG_CATEGORIES[0]]
  for category in vocabulary.TAG_CATEGORIES:
    if category != runs[-1]:
      runs.append(category)
  assert tuple(runs) == CATEGORIES
  assert vocabulary.TAG_NAMES[:4] == ('general', 'sensitive', 'questionable', 'explicit')
  assert vocabulary.TAG_CATEGORIES.count('rating') == 4


def test_every_character_and_series_is_a_tag():
  by_category = collections.defaultdict(set)
  for tag in vocabulary.TAGS:
    by_category[tag.category].add(tag.name)
  assert by_category['character'] == {c.name for c in characters.CHARACTERS}
  assert by_category['copyright'] == set(characters.SERIES)


def test_shares_of_tags_are_those_of_the_vocabulary(tag_matrix):
  for tag, share in zip(vocabulary.TAGS, tag_matrix.mean(0), strict=True):
    expected = tag.share / 100
    tolerance = 5 * np.sqrt(expected * (1 - expected) / NUM_SCENES)
    assert abs(share - expected) < tolerance, tag.name


def test_tags_have_a_long_tail_and_none_is_absent(tag_matrix):
  share = shares(tag_matrix)
  assert min(share.values()) > 0.006
  assert sum(s < 0.03 for s in share.values()) >= 10
  assert 0.05 < np.median(list(share.values())) < 0.15
  assert 0.6 < share['solo'] < 0.76
  assert 0.45 < share['1girl'] < 0.7


def test_no_two_tags_occur_in_the_same_pictures(tag_matrix):
  columns = {column.tobytes() for column in tag_matrix.T}
  assert len(columns) == tag_matrix.shape[1]


def test_every_picture_has_exactly_one_rating(tag_matrix):
  np.testing.assert_array_equal(tag_matrix[:, :4].sum(1), 1)


def test_no_picture_has_more_tags_than_a_row_of_a_batch(tag_matrix):
  assert tag_matrix.sum(1).max() < vocabulary.MAX_TAGS


def test_hierarchy_holds_in_drawn_tags(tag_matrix):
  column = dict(zip(vocabulary.TAG_NAMES, tag_matrix.T, strict=True))
  for name, implied in vocabulary.IMPLIED.items():
    for parent in implied:
      assert column[parent][column[name]].all(), f'{name} without {parent}'
      assert column[parent].sum() > column[name].sum(), f'{parent} says no more than {name}'


def test_a_character_implies_series_and_looks(tag_matrix):
  column = dict(zip(vocabulary.TAG_NAMES, tag_matrix.T, strict=True))
  coloured = ~(column['monochrome'] | column['sketch'])
  for character in characters.CHARACTERS:
    shown = column[character.name]
    assert column[character.series][shown].all()
    assert column[f'{character.hair_length}_hair'][shown].all()
    assert column[f'{character.hair_colour}_hair'][shown & coloured].all()
    if character.signature in column and character.signature != 'scarf':
      assert column[character.signature][shown].all()


def test_pictures_without_colour_have_no_colour_tags(tag_matrix):
  column = dict(zip(vocabulary.TAG_NAMES, tag_matrix.T, strict=True))
  grey = column['monochrome'] | column['sketch']
  for name in ('black_hair', 'blue_hair', 'blue_eyes', 'red_eyes'):
    assert not column[name][grey].any()


@pytest.mark.parametrize('dropped_share', [0.0, 0.05, 0.2, 0.6])
def test_the_dropped_share_is_as_configured_and_no_tag_is_added(scenes, tag_matrix, dropped_share):
  dropped = 0
  for one, row in zip(scenes, tag_matrix, strict=True):
    drawn = tuple(np.flatnonzero(row))
    kept = tagging.forget_tags(one, drawn, dropped_share)
    assert set(kept) <= set(drawn)
    dropped += len(drawn) - len(kept)
  assert dropped / tag_matrix.sum() == pytest.approx(dropped_share, abs=0.012)


def test_ratings_and_counts_are_rarely_forgotten_and_details_often():
  probability = dict(zip(vocabulary.TAG_NAMES, vocabulary.forgetting_probabilities(0.2),
                         strict=True))
  assert max(probability[name] for name in ('general', 'explicit', '1girl', 'solo')) < 0.05
  assert min(probability[name] for name in ('happy', 'holding', 'lowres')) > 0.3


def test_same_seed_gives_the_same_bytes_and_another_seed_others():
  one, again = (picture.draw_example(make_settings(), 'train', 7) for _ in range(2))
  other = picture.draw_example(make_settings(data_seed=6), 'train', 7)
  valid = picture.draw_example(make_settings(), 'valid', 7)
  assert one['image'] == again['image'] and one['tags'] == again['tags']
  assert len({one['image'], other['image'], valid['image']}) == 3


def test_the_description_of_a_scene_does_not_change():
  one = repr(scene.sample_scene(0, 'train', 0)) + repr(scene.sample_scene(3, 'test', 1234))
  assert hashlib.sha256(one.encode()).hexdigest()[:16] == 'd749164811f1dcc0'


def test_the_dropped_share_and_the_size_do_not_change_what_is_drawn():
  one = picture.draw_example(make_settings(), 'train', 3)
  careless = picture.draw_example(make_settings(dropped_share=0.5), 'train', 3)
  large = picture.draw_example(make_settings(image_size_px=128), 'train', 3)
  assert one['image'] == careless['image']
  assert one['drawn_tags'] == careless['drawn_tags'] == large['drawn_tags']
  small_again = cv2.resize(cv2.imdecode(np.frombuffer(large['image'], np.uint8), 1), (64, 64),
                           interpolation=cv2.INTER_AREA)
  small = cv2.imdecode(np.frombuffer(one['image'], np.uint8), 1)
  assert np.abs(small.astype(int) - small_again).mean() < 16


def test_a_joint_at_the_edge_of_a_picture_of_odd_size_is_told():
  settings = make_settings(image_size_px=149, data_seed=0)    # as Inception's 299
  figures = picture.draw_example(settings, 'train', 11)['figures']
  assert any((figure['keypoints'][:, :2] >= 148).any() for figure in figures)


def test_pictures_are_colourful_and_differ():
  pictures = [cv2.imdecode(np.frombuffer(
      picture.draw_example(make_settings(), 'train', i)['image'], np.uint8), 1) for i in range(24)]
  assert all(p.shape == (64, 64, 3) for p in pictures)
  assert np.mean([p.std() for p in pictures]) > 30
  assert len({p.tobytes() for p in pictures}) == len(pictures)


def test_joints_lie_in_or_near_boxes_and_boxes_in_the_frame():
  seen = 0
  for index in range(40):
    for figure in picture.draw_example(make_settings(), 'test', index)['figures']:
      x, y, w, h = figure['box_px']
      assert 0 <= x <= x + w <= 64 and 0 <= y <= y + h <= 64
      assert 0 < figure['area_px2'] <= w * h
      visible = figure['keypoints'][figure['keypoints'][:, 2] == 2]
      seen += len(visible)
      assert (visible[:, :2] >= (x - 2, y - 2)).all()
      assert (visible[:, :2] <= (x + w + 2, y + h + 2)).all()
      absent = figure['keypoints'][figure['keypoints'][:, 2] == 0]
      np.testing.assert_array_equal(absent, 0)
  assert seen > 400


def test_the_left_hand_is_to_the_right_of_the_picture_unless_mirrored():
  one = next(s for s in (scene.sample_scene(0, 'train', i) for i in range(200))
             if s.view == 'full_body' and len(s.figures) == 1)
  truths = picture.draw_scene(one, 64)[1]
  left, right = (truths[0]['keypoints'][JOINT_NAMES.index(name)]
                 for name in ('left_shoulder', 'right_shoulder'))
  assert left[2] == right[2] == 2
  assert left[0] > right[0]


def test_the_main_figure_is_mostly_large(scenes):
  close = np.mean([s.view in ('portrait', 'upper_body') for s in scenes])
  assert close > 0.55
  assert np.median([s.figures[0].head_size for s in scenes]) > 0.25


def test_source_reads_back_what_was_drawn(prepared):
  settings, source = prepared
  assert len(source) == 12
  for index in (0, 11):
    drawn = picture.draw_example(settings, 'train', index)
    read = source[index]
    assert read['id'] == drawn['id'] == f'train_{index:07d}'
    assert read['image_bytes'] == drawn['image']
    np.testing.assert_array_equal(read['tags'], drawn['tags'])
    np.testing.assert_array_equal(read['drawn_tags'], drawn['drawn_tags'])
    assert source.label_names[read['label']] == drawn['label']
    assert source.garment_names[read['garment']] == drawn['garment']
    for name in ('keypoints', 'box_px', 'area_px2'):
      np.testing.assert_allclose(read[name], np.stack([f[name] for f in drawn['figures']]))


def test_a_picture_does_not_depend_on_the_size_of_the_dataset(prepared, tmp_path):
  settings, source = prepared
  small = make_settings(dir=str(tmp_path), num_train=4)
  assert toon_source.build_toon(small, 'train')[3]['image_bytes'] == source[3]['image_bytes']


def test_source_travels_by_pickle_and_tells_settings_apart(prepared):
  settings, source = prepared
  copy = pickle.loads(pickle.dumps(source))
  assert copy[2]['image_bytes'] == source[2]['image_bytes']
  assert copy.fingerprint == source.fingerprint
  other = toon_source.ToonSource({n: getattr(settings, n) for n in prepare.SETTINGS}
                                 | {'data_seed': 6}, settings.dir, 'train')
  assert other.fingerprint != source.fingerprint


def test_a_prepared_dataset_is_reused(prepared):
  def poll():
    raise AssertionError('drawn again')

  settings, source = prepared
  assert len(toon_source.build_toon(settings, 'valid', poll)) == 3


def test_an_interrupted_drawing_leaves_nothing_and_is_drawn_again(tmp_path):
  settings = make_settings(dir=str(tmp_path), num_train=40, image_size_px=32)
  drawn_data.check_interrupted('toon', settings, tmp_path)


@drawn_data.needs_proc
def test_a_killed_drawing_leaves_no_dataset_and_no_processes(tmp_path):
  settings = make_settings(dir=str(tmp_path), num_train=20_000, image_size_px=32, data_seed=0)
  drawn_data.check_killed('toon', settings, tmp_path)


@pytest.mark.parametrize('changes, words', [
    ({'image_size_px': 31}, 'image_size_px'), ({'num_valid': 0}, 'num_valid'),
    ({'dropped_share': 1.0}, 'dropped_share'), ({'dropped_share': -0.1}, 'dropped_share'),
])
def test_senseless_settings_are_told_by_name(tmp_path, changes, words):
  with pytest.raises(UserError, match=words):
    toon_source.build_toon(make_settings(dir=str(tmp_path), **changes), 'train')


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
  (tmp_path / 'file').write_text('in the way')
  with pytest.raises(UserError, match='data.dir'):
    toon_source.build_toon(make_settings(dir=str(tmp_path / 'file')), 'train')


def test_tensorflow_is_not_imported(prepared):
  prepared[1][0]
  assert 'tensorflow' not in sys.modules
