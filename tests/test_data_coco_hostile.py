"""Files of annotations that are broken, or made to do harm."""

import pytest

from data.persons import Persons
from data.sources.coco import build_coco
from errors import UserError
from tests.coco_folders import JOINTS, make_config, make_content, write


def error_of(path):
  with pytest.raises(UserError) as raised:
    build_coco(make_config(path), 'train')
  return str(raised.value)


def break_content(content, **changes):
  return {**content, **changes}


def broken(**fields):
  """A file of one picture whose one person is broken; None takes a field away."""
  content = make_content([5])
  person = {**content['annotations'][0], **fields}
  content['annotations'] = [{key: value for key, value in person.items() if value is not None}]
  return content


def broken_image(**fields):
  content = make_content([5, 6])
  content['images'][1].update(fields)
  return content


NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize('content, words', [
    ('', 'is no JSON'),
    ('{"images": [', 'is no JSON'),
    ('[' * 100_000, 'is no JSON (it is nested too deep)'),
    ('[]', "has no list 'images'; expected annotations of joints in the form of COCO"),
    ('{"images": {}, "annotations": []}', "has no list 'images'"),
    ('{"images": []}', "has no list 'annotations'"),
    ('{"images": [3], "annotations": []}', 'images[0] is no object'),
    (broken_image(id='6'), "images[1] has no 'id' that is a whole number"),
    (broken_image(id=True), "images[1] has no 'id' that is a whole number"),
    (broken_image(id=2**70), "images[1] has no 'id' that is a whole number"),
    (broken_image(id=5), 'images[0] and images[1] both have the id 5'),
    (broken_image(file_name=''), "images[1] (id 6) has no 'file_name'"),
    (broken_image(file_name=['a']), "images[1] (id 6) has no 'file_name'"),
    (broken_image(file_name='a\0.jpg'), "images[1] (id 6) has no 'file_name'"),
    (broken_image(file_name='../../secret.jpg'), "'../../secret.jpg', which leaves the folder"),
    (broken_image(file_name='/etc/passwd'), "'/etc/passwd', which leaves the folder"),
    (broken_image(file_name='..\\a.jpg'), 'which leaves the folder'),
    (broken_image(width=-5), 'images[1] (id 6) has a width that is no number of pixels'),
    (broken_image(height=NAN), 'images[1] (id 6) has a height that is no number of pixels'),
    (broken_image(height=1.5), 'images[1] (id 6) has a height that is no number of pixels'),
    (broken(keypoints=JOINTS[:48]), 'annotations[0] (id 105) has keypoints of 48 numbers; there '
                                    'must be 51'),
    (broken(keypoints=JOINTS + [0]), 'has keypoints of 52 numbers; there must be 51'),
    (broken(keypoints=None), "annotations[0] (id 105) has no 'keypoints'; expected annotations of"),
    (broken(keypoints='x' * 51), 'has keypoints that are not 51 numbers of pixels'),
    (broken(keypoints=['1'] * 51), 'has keypoints that are not 51 numbers of pixels'),
    (broken(keypoints=[[1]] * 51), 'has keypoints that are not 51 numbers of pixels'),
    (broken(keypoints=[NAN] * 51), 'has keypoints that are not 51 numbers of pixels'),
    (broken(keypoints=[1e300] * 51), 'has keypoints that are not 51 numbers of pixels'),
    (broken(keypoints=[10**400] * 51), 'has keypoints that are not 51 numbers of pixels'),
    (broken(keypoints=[3] * 51), 'has a joint of visibility 3; it is 0, 1 or 2'),
    (broken(keypoints=[0.5] * 51), 'has a joint of visibility 0.5; it is 0, 1 or 2'),
    (broken(bbox=None), "annotations[0] (id 105) has no 'bbox'"),
    (broken(bbox=[1, 2, 3]), 'has the bbox [1, 2, 3], which is not four numbers of pixels'),
    (broken(bbox=[1, 2, 3, NAN]), 'has the bbox [1, 2, 3, nan], which is not four numbers'),
    (broken(bbox=[-INF, 2, 3, 4]), 'has the bbox [-inf, 2, 3, 4], which is not four numbers'),
    (broken(bbox=[1, 2, -3, 4]), 'whose width and height must not be negative'),
    (broken(bbox={'x': 1}), 'which is not four numbers of pixels'),
    (broken(area=None), "has no 'area'"),
    (broken(area=-1), 'has the area -1, which is no number of square pixels'),
    (broken(area='big'), 'has the area big, which is no number of square pixels'),
    (broken(iscrowd=2), 'has iscrowd 2; it is 0 or 1'),
    (broken(image_id=77), 'is of image_id 77, which no picture has'),
    (broken(image_id=[5]), 'is of image_id [5], which no picture has'),
    (broken(image_id=None), "has no 'image_id'"),
    (broken(category_id='person'), 'has a category_id that is no whole number'),
    (break_content(make_content([5]), annotations=[None]), 'annotations[0] is no object'),
    (break_content(make_content([5]), categories=[{'id': 1, 'keypoints': ['nose', 'neck']}]),
     'are nose, neck; expected the 17 of COCO in their order: nose, left_eye'),
    (break_content(make_content([5]), categories=[{'id': 1, 'keypoints': 'nose'}]),
     'are nose; expected the 17'),
])
def test_a_file_of_annotations_is_not_trusted(tmp_path, content, words):
  path = write(tmp_path, content, pictures=False)
  message = error_of(tmp_path)
  assert words in message and f"'{path}'" in message
  assert len(message) < 800


def test_a_few_broken_annotations_are_left_out_and_told_and_more_are_an_error(tmp_path):
  content = make_content(range(40))
  content['annotations'][13]['bbox'] = [0, 0, -1, 5]
  content['annotations'][29]['keypoints'] = []
  write(tmp_path, content)
  source = build_coco(make_config(tmp_path, valid_frac=0.0, test_frac=0.0), 'train')
  assert len(source) == 40 and len(Persons(source)) == 38
  assert ('2 of 40 records of person_keypoints_train2017.json cannot be used (annotations[13] (id '
          '113) has the bbox [0.0, 0.0, -1.0, 5.0], whose') in source.description
  content['annotations'][5]['image_id'] = -1
  write(tmp_path, content)
  message = error_of(tmp_path)
  assert 'annotations[5] (id 105) is of image_id -1, which no picture has; 3 of 40' in message
