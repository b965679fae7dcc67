import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from data import SOURCES
from data.loader import Loader
from data.operations import build_pipeline
from data.persons import Persons
from data.sources.coco import build_coco
from errors import UserError
from tests.coco_folders import JOINTS, make_config, make_content, make_person, write

SHARED = Path(os.environ.get('OKO_SHARED', Path(__file__).parents[1] / '../shared'))
SAMPLE = SHARED / 'data/coco_person'


def build_splits(path, **changes):
  return {split: build_coco(make_config(path, **changes), split)
          for split in ('train', 'valid', 'test')}


def ids(source):
  return [source[row]['id'] for row in range(len(source))]


def error_of(path, split='train', **changes):
  with pytest.raises(UserError) as raised:
    build_coco(make_config(path, **changes), split)
  return str(raised.value)


def test_the_source_is_in_the_table():
  assert SOURCES['coco'] is build_coco


def test_an_example_tells_of_the_people_in_its_picture(tmp_path):
  content = make_content(range(1, 31))
  content['annotations'] += [make_person(7, iscrowd=1, keypoints=[0] * 51, bbox=[0, 0, 60, 40]),
                             make_person(7, keypoints=[0] * 51)]
  write(tmp_path, content)
  train = build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train')
  example = train[train.picture_ids.index(7)]
  assert example['id'] == 'train2017/000000000007.jpg'
  assert example['image_bytes'] == b'content of train2017 000000000007.jpg'
  np.testing.assert_array_equal(example['keypoints'][0].ravel(), JOINTS)
  assert example['keypoints'].shape == (3, 17, 3) and not example['keypoints'][1:].any()
  np.testing.assert_array_equal(example['crowd'], [False, True, False])
  np.testing.assert_array_equal(example['box_px'][0], [1.5, 2, 30, 40])
  np.testing.assert_array_equal(example['area_px2'], [600.5] * 3)
  np.testing.assert_array_equal(example['source_size_px'], [64, 48])
  told = train.figures_of(train.picture_ids.index(7))
  np.testing.assert_equal({**told, 'image_bytes': example['image_bytes']}, example)


def test_val_is_the_test_and_valid_is_cut_from_train(tmp_path):
  write(tmp_path, make_content(range(60)))
  write(tmp_path, make_content(range(100, 110)), 'val2017')
  splits = build_splits(tmp_path)
  assert splits['test'].picture_ids == list(range(100, 110))
  assert ids(splits['test'])[0] == 'val2017/000000000100.jpg'
  assert sorted(splits['train'].picture_ids + splits['valid'].picture_ids) == list(range(60))
  assert 5 < len(splits['valid']) < 30
  assert splits['train'].description == (
      f"'{tmp_path}': 60 pictures of person_keypoints_train2017.json with 60 annotated people, 60 "
      f"of them with joints; train {len(splits['train'])}, valid {len(splits['valid'])} (30% for "
      'valid set apart by content); test is person_keypoints_val2017.json')
  assert splits['test'].description == (
      f"'{tmp_path}': 10 pictures of person_keypoints_val2017.json with 10 annotated people, 10 of "
      'them with joints')


def test_a_lone_file_is_cut_in_three(tmp_path):
  write(tmp_path, make_content(range(60)))
  splits = build_splits(tmp_path)
  assert all(len(source) > 5 for source in splits.values())
  assert sorted(sum((source.picture_ids for source in splits.values()), [])) == list(range(60))
  added = make_content(range(80))
  write(tmp_path, added)
  for split, source in build_splits(tmp_path).items():
    assert set(splits[split].picture_ids) <= set(source.picture_ids)   # they move no other


def test_exact_copies_fall_into_one_split(tmp_path):
  write(tmp_path, make_content(range(60)))
  for number in range(30):
    (tmp_path / f'train2017/{30 + number:012d}.jpg').write_bytes(
        (tmp_path / f'train2017/{number:012d}.jpg').read_bytes())
  for source in build_splits(tmp_path).values():
    assert {number % 30 for number in source.picture_ids if number < 30} == {
        number % 30 for number in source.picture_ids if number >= 30}


def test_the_years_are_2017_then_2014(tmp_path):
  write(tmp_path, make_content(range(20)), 'train2014')
  write(tmp_path, make_content(range(5)), 'val2014')
  assert ids(build_coco(make_config(tmp_path), 'test'))[0].startswith('val2014/')
  write(tmp_path, make_content(range(5)), 'val2017')
  assert ids(build_coco(make_config(tmp_path, valid_frac=0.0), 'train'))[0].startswith('val2017/')


@pytest.mark.parametrize('count, expected', [
    (2, {'train': 'a', 'test': 'b', 'valid': 'a'}), (3, {'train': 'a', 'valid': 'b', 'test': 'c'})])
def test_files_can_be_named(tmp_path, count, expected):
  for name in 'abc'[:count]:
    content = make_content(range(20))
    for image in content['images']:
      image['file_name'] = f'{name}-{image["file_name"]}'
    write(tmp_path, content, name)
  files = tuple(f'annotations/person_keypoints_{name}.json' for name in 'abc'[:count])
  for split, source in build_splits(tmp_path, annotations=files).items():
    assert {id.split('/')[1][0] for id in ids(source)} == {expected[split]}
    if split != 'train' and expected[split] != 'a':
      assert len(source) == 20


@pytest.mark.parametrize('place', ['images/train2017', 'images', '.', 'annotations/train2017',
                                   'annotations'])
def test_pictures_are_found_where_people_put_them(tmp_path, place):
  content = make_content(range(20))
  write(tmp_path, content, pictures=False)
  (tmp_path / place).mkdir(parents=True, exist_ok=True)
  for image in content['images']:
    (tmp_path / place / image['file_name']).write_text(image['file_name'])
  source = build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train')
  assert ids(source)[0] == os.path.normpath(f'{place}/000000000000.jpg')
  assert len(source) == 20


def test_absent_pictures_are_counted_and_many_are_stressed(tmp_path):
  write(tmp_path, make_content(range(60)))
  (tmp_path / 'train2017/000000000003.jpg').unlink()
  config = make_config(tmp_path, valid_frac=0.0, test_frac=0.0)
  source = build_coco(config, 'train')
  assert len(source) == 59 and 3 not in source.picture_ids
  assert '59 pictures of' in source.description and '59 annotated people' in source.description
  assert source.description.endswith('; 1 of 60 listed pictures are not there')
  for number in range(10, 20):
    (tmp_path / f'train2017/{number:012d}.jpg').unlink()
  source = build_coco(config, 'train')
  assert source[10]['id'] == 'train2017/000000000021.jpg'
  assert source.description.endswith('11 of 60 listed pictures are not there, so many that the '
                                     'pictures may not be complete')


def test_an_absent_training_picture_does_not_keep_the_test_from_being_read(tmp_path):
  write(tmp_path, make_content(range(20)), pictures=False)
  write(tmp_path, make_content(range(5)), 'val2017')
  assert len(build_coco(make_config(tmp_path), 'test')) == 5
  message = error_of(tmp_path)
  assert "none of the 20 pictures that '" in message and "for '000000000000.jpg'" in message


def test_other_categories_are_left_out_and_told(tmp_path):
  content = make_content(range(20))
  content['annotations'].append(make_person(1, category_id=18, keypoints=[1, 2, 3]))
  write(tmp_path, content)
  source = build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train')
  assert len(source[1]['keypoints']) == 1
  assert '1 annotations of other things than persons left out' in source.description


def test_what_cannot_be_found_is_named(tmp_path):
  assert 'config.data.path is empty' in error_of('')
  assert "nowhere' does not exist" in error_of(tmp_path / 'nowhere')
  assert 'holds no annotations/person_keypoints_train2017.json' in error_of(tmp_path)
  message = error_of(tmp_path, annotations=('mine.json',))
  assert "mine.json' cannot be read (No such file" in message
  assert 'expected up to three file names' in error_of(tmp_path, annotations=('a',) * 4)
  assert 'expected up to three file names' in error_of(tmp_path, annotations='a.json')


def test_an_empty_split_is_named_with_what_to_change(tmp_path):
  write(tmp_path, make_content(range(10)))
  message = error_of(tmp_path, 'valid', valid_frac=0.0)
  assert 'the valid split of' in message and 'config.data.valid_frac or test_frac' in message
  assert 'they are shares' in error_of(tmp_path, valid_frac=0.7, test_frac=0.3)


def test_a_changed_file_or_picture_is_noticed(tmp_path):
  path = write(tmp_path, make_content(range(20)))
  def fingerprint():
    return build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train').fingerprint
  prints = [fingerprint()]
  assert fingerprint() == prints[0]
  path.write_text(json.dumps(make_content(range(20), area=7)))
  prints.append(fingerprint())
  (tmp_path / 'train2017/000000000003.jpg').write_text('another content')
  prints.append(fingerprint())
  (tmp_path / 'train2017/000000000004.jpg').unlink()
  prints.append(fingerprint())
  assert len(set(prints)) == 4


def test_a_source_survives_pickling_and_a_caller_can_stop_the_reading(tmp_path):
  write(tmp_path, make_content(range(20)))
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    build_coco(make_config(tmp_path), 'train', poll=stop)
  source = build_coco(make_config(tmp_path), 'train')
  copy = pickle.loads(pickle.dumps(source))
  assert ids(copy) == ids(source) and copy.picture_ids == source.picture_ids


def make_pipeline(train=False, **changes):
  persons = SimpleNamespace(widen=1.25, whole_frac=0.2)
  return build_pipeline(SimpleNamespace(
      max_pixels=10_000_000, image_size_px=256, rotation_deg=45.0, scale_frac=0.35,
      augment=('mirror', 'rotation', 'scale', 'half_body'), persons=persons), train=train,
                        persons=True)


def test_a_picture_of_another_size_than_listed_is_unreadable(tmp_path):
  content = make_content(range(20))
  write(tmp_path, content)
  for number in range(20):
    sides = (48, 64, 3) if number != 4 else (64, 48, 3)
    cv2.imwrite(str(tmp_path / f'train2017/{number:012d}.jpg'), np.zeros(sides, np.uint8))
  persons = Persons(build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train'))
  loader = Loader(persons, make_pipeline(), batch_size=20, train=False, keys=('image',))
  np.testing.assert_array_equal(loader.make_batch(0)['mask'], [1] * 4 + [0] + [1] * 15)
  assert list(loader.bad_images.reasons().items()) == [(
      'train2017/000000000004.jpg/0', 'the picture is 48 x 64 pixels, and its joints are those of '
      'one of 64 x 48')]


@pytest.mark.parametrize('orientation', [3, 6])
def test_an_exif_turn_is_left_out_since_joints_are_told_without_it(tmp_path, orientation):
  write(tmp_path, make_content(range(20)))
  stored = np.zeros((48, 64, 3), np.uint8)
  stored[:10, :10] = 255                                      # a white corner, upper left
  exif = Image.Exif()
  exif[0x0112] = orientation
  for number in range(20):
    Image.fromarray(stored).save(tmp_path / f'train2017/{number:012d}.jpg', quality=95, exif=exif)
  persons = Persons(build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train'))
  loader = Loader(persons, make_pipeline()[:1], batch_size=20, train=False, keys=('image',))
  batch = loader.make_batch(0)
  assert batch['mask'].all()
  assert np.abs(batch['image'].astype(int) - stored).mean() < 3


@pytest.mark.skipif(not SAMPLE.exists(), reason='needs the sample under OKO_SHARED or ../shared')
def test_the_sample_of_coco_is_read_as_it_is():
  config = make_config(SAMPLE, valid_frac=0.15, test_frac=0.15)
  persons = [Persons(build_coco(config, split)) for split in ('train', 'valid', 'test')]
  told = json.loads((SAMPLE / 'annotations/person_keypoints_train2017.json').read_text())
  present = {image['id'] for image in told['images']
             if (SAMPLE / 'train2017' / image['file_name']).exists()}
  told = [record for record in told['annotations'] if record['image_id'] in present]
  assert sum(len(one.people) for one in persons) == len(told)
  assert sum(map(len, persons)) == sum(record['num_keypoints'] > 0 for record in told)
  assert sum(one.people.crowd.sum() for one in persons) == sum(
      record['iscrowd'] for record in told)
  loader = Loader(persons[0], make_pipeline(), batch_size=8, train=False,
                  keys=('image', 'keypoints', 'box_px', 'crop_to_source'))
  batch = loader.make_batch(0)
  assert batch['mask'].all() and batch['image'].shape == (8, 256, 192, 3)
  labelled = batch['keypoints'][..., 2] > 0
  told = (persons[0].people.keypoints[persons[0]._figure[:8], :, 2] > 0).sum()
  assert 0.95 * told <= labelled.sum() <= told               # a hand may reach out of its crop
  assert (batch['keypoints'][labelled][:, :2] > (0, 0)).all()
  assert (batch['keypoints'][labelled][:, :2] < (192, 256)).all()
