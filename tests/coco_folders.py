"""Made-up folders in the form of COCO's keypoints, for the tests."""

import json
from types import SimpleNamespace

from data.joints import JOINT_NAMES

JOINTS = [value for joint in range(17) for value in (5 + joint, 2 * joint, 2)]


def make_config(path, **changes):
  defaults = dict(path=str(path), annotations=(), valid_frac=0.3, test_frac=0.3)
  return SimpleNamespace(**{**defaults, **changes})


def make_person(image_id, id=0, **fields):
  return {'id': id, 'image_id': image_id, 'category_id': 1, 'iscrowd': 0, 'area': 600.5,
          'bbox': [1.5, 2, 30, 40], 'keypoints': JOINTS, 'num_keypoints': 17,
          'segmentation': [[1, 2, 3, 4]], **fields}


def make_content(numbers, **people):
  """A file that lists pictures of these ids, one person each; people: fields of all of them."""
  return {'info': {}, 'licenses': [],
          'images': [{'id': number, 'file_name': f'{number:012d}.jpg', 'width': 64, 'height': 48}
                     for number in numbers],
          'annotations': [make_person(number, 100 + number, **people) for number in numbers],
          'categories': [{'id': 1, 'name': 'person', 'keypoints': list(JOINT_NAMES)}]}


def write(folder, content, part='train2017', pictures=True):
  """Annotations and pictures, whose content is their name: the source does not decode."""
  path = folder / f'annotations/person_keypoints_{part}.json'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(content if isinstance(content, str) else json.dumps(content))
  if pictures and isinstance(content, dict):
    (folder / part).mkdir(exist_ok=True)
    for image in content['images']:
      (folder / part / image['file_name']).write_text(f'content of {part} {image["file_name"]}')
  return path
