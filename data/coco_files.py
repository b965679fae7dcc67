"""COCO's file of people's joints: who is annotated in which picture, checked record by record."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from data.joints import JOINT_NAMES, PERSON
from data.json_files import FARTHEST_PX, BrokenRecords, brief, is_number, load_json, pixels_of
from errors import UserError

WHAT = ('annotations of joints in the form of COCO, as in person_keypoints_train2017.json: lists '
        "'images' (id, file_name) and 'annotations' (image_id, category_id, bbox, area, keypoints: "
        f'x, y and visibility 0, 1 or 2 of {len(JOINT_NAMES)} joints)')
KEPT = ('images', 'annotations', 'categories', 'id', 'file_name', 'width', 'height', 'image_id',
        'category_id', 'keypoints', 'bbox', 'area', 'iscrowd')
NUM_VALUES = 3 * len(JOINT_NAMES)


@dataclass(frozen=True)
class Annotations:
  """N pictures and the G people in them, those of picture i from starts[i] to starts[i + 1].

  Attributes:
    file_names: list [N], with '/' between the parts.
    image_ids: int64 [N].
    size_px: float32 [N, 2], width and height; 0 where the file does not tell.
    starts: int64 [N + 1].
    keypoints, box_px, area_px2, crowd: of the people, as in `data.people.People`.
    notes: what was left out, in words.
    digest: hex, of the file.
  """

  file_names: list
  image_ids: np.ndarray
  size_px: np.ndarray
  starts: np.ndarray
  keypoints: np.ndarray
  box_px: np.ndarray
  area_px2: np.ndarray
  crowd: np.ndarray
  notes: tuple
  digest: str

  def take(self, rows: np.ndarray) -> 'Annotations':
    """Some of the pictures, with their people. Args: rows: int [n], the numbers of pictures."""
    counts = np.diff(self.starts)[rows]
    starts = np.concatenate([[0], np.cumsum(counts)])
    people = np.repeat(self.starts[rows] - starts[:-1], counts) + np.arange(starts[-1])
    return Annotations(
        [self.file_names[row] for row in rows], self.image_ids[rows], self.size_px[rows], starts,
        self.keypoints[people], self.box_px[people], self.area_px2[people], self.crowd[people],
        self.notes, self.digest)

  @property
  def num_labelled(self) -> int:
    """How many people have a labelled joint."""
    return int((self.keypoints[:, :, 2] > 0).any(axis=1).sum())


def read_annotations(path: Path, poll: Callable[[], None] = lambda: None) -> Annotations:
  """Reads a file of people's joints; a few broken annotations are left out and told.

  Args:
    path: of the JSON file.
    poll: called for every record; may raise to stop.

  Raises:
    UserError: no such file, none of this form, pictures that are not told apart, or more than one
      annotation of twenty that cannot be used.
  """
  def keep(record):
    poll()
    record = {key: record[key] for key in KEPT if key in record}
    for key, count in (('keypoints', NUM_VALUES), ('bbox', 4)):
      if key in record:
        array = pixels_of(record[key], count)
        record[key] = record[key] if array is None else array  # a tenth of the memory
    return record

  content, digest = load_json(path, WHAT, keep)
  for key in ('images', 'annotations'):
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
      raise UserError(f"'{path}' has no list {key!r}; expected {WHAT}.")
  _check_joints(path, content.get('categories'))
  images = content['images']
  for place, image in enumerate(images):
    reason = _image_reason(image)
    if reason:
      raise UserError(f"'{path}': images[{place}] {reason}; expected {WHAT}.")
  if len({image['id'] for image in images}) < len(images):
    _raise_twice(path, images)
  images = sorted(images, key=lambda image: image['id'])  # equal scores rank by it in pycocotools
  number_of = {image['id']: number for number, image in enumerate(images)}
  size_px = np.array([(image.get('width', 0), image.get('height', 0)) for image in images],
                     np.float32).reshape(-1, 2)
  people = _read_people(path, content['annotations'], number_of)
  return Annotations([image['file_name'] for image in images],
                     np.array([image['id'] for image in images], np.int64), size_px,
                     digest=digest, **people)


def _read_people(path, records, number_of) -> dict:
  """The arrays of `Annotations` that tell of people, in the order of their pictures."""
  broken, kept, others = BrokenRecords(path, 'annotations', WHAT), [], 0
  for place, record in enumerate(records):
    reason = _person_reason(record, number_of)
    if reason:
      broken.add(place, reason)
    elif record['category_id'] == PERSON:
      kept.append(record)
    else:
      others += 1
  notes = [broken.check(len(records))]
  if others:
    notes.append(f'{others:,} annotations of other things than persons left out')
  numbers = np.array([number_of[record['image_id']] for record in kept], np.int64)
  order = np.argsort(numbers, kind='stable')
  starts = np.searchsorted(numbers[order], np.arange(len(number_of) + 1))

  def array(key, shape, dtype=np.float32):
    return np.array([record.get(key, 0) for record in kept], dtype).reshape(shape)[order]

  return {'starts': starts, 'keypoints': array('keypoints', (-1, len(JOINT_NAMES), 3)),
          'box_px': array('bbox', (-1, 4)), 'area_px2': array('area', -1),
          'crowd': array('iscrowd', -1, bool), 'notes': tuple(filter(None, notes))}


def _check_joints(path, categories):
  """Raises UserError where the file says that its joints are others, or in another order."""
  for category in categories if isinstance(categories, list) else ():
    if isinstance(category, dict) and category.get('id') == PERSON and 'keypoints' in category:
      names = category['keypoints']
      names = names if isinstance(names, list) else [names]
      written = [(name if isinstance(name, str) else brief(name, 20)).lower().replace(' ', '_')
                 .replace('-', '_') for name in names]
      if tuple(written) != JOINT_NAMES:
        listed = ', '.join(name[:20] for name in written[:20])
        raise UserError(f"the joints of '{path}' are {listed}; expected the {len(JOINT_NAMES)} of "
                        f"COCO in their order: {', '.join(JOINT_NAMES)}.")


def _image_reason(image):
  """Why a record of 'images' cannot be used; '' where it can."""
  if not isinstance(image, dict):
    return 'is no object'
  if type(image.get('id')) is not int or abs(image['id']) >= 2**63:
    return "has no 'id' that is a whole number"
  name = image.get('file_name')
  if not isinstance(name, str) or not name or '\0' in name:
    return f"(id {image['id']}) has no 'file_name'"
  if PurePosixPath(name).is_absolute() or '..' in PurePosixPath(name).parts or '\\' in name:
    return f"(id {image['id']}) has the file_name {name[:80]!r}, which leaves the folder"
  for key in ('width', 'height'):
    if key in image and not (type(image[key]) is int and 0 < image[key] <= FARTHEST_PX):
      return f"(id {image['id']}) has a {key} that is no number of pixels"
  return ''


def _raise_twice(path, images):
  seen = {}
  for place, image in enumerate(images):
    first = seen.setdefault(image['id'], place)
    if first != place:
      raise UserError(f"'{path}': images[{first}] and images[{place}] both have the id "
                      f"{image['id']}; every picture must have one of its own.")


def _person_reason(record, number_of):
  """Why a record of 'annotations' cannot be used; '' where it can."""
  if not isinstance(record, dict):
    return 'is no object'
  which = f"(id {brief(record['id'], 20)}) " if 'id' in record else ''
  for key in ('image_id', 'category_id', 'bbox', 'area'):
    if key not in record:
      return f'{which}has no {key!r}'
  if type(record['category_id']) is not int:
    return f'{which}has a category_id that is no whole number'
  if record['category_id'] != PERSON:
    return ''
  if type(record['image_id']) is not int or record['image_id'] not in number_of:
    return f"{which}is of image_id {brief(record['image_id'], 20)}, which no picture has"
  reason = _joints_reason(record) or _extent_reason(record)
  return reason and which + reason


def _extent_reason(record):
  box, area = record['bbox'], record['area']
  if not isinstance(box, np.ndarray):
    return f'has the bbox {brief(box)}, which is not four numbers of pixels'
  if box[2] < 0 or box[3] < 0:
    return f'has the bbox {box.tolist()}, whose width and height must not be negative'
  if not (is_number(area) and 0 <= area <= FARTHEST_PX**2):
    return f'has the area {brief(area, 20)}, which is no number of square pixels'
  if record.get('iscrowd', 0) not in (0, 1):
    return f"has iscrowd {brief(record['iscrowd'], 20)}; it is 0 or 1"
  return ''


def _joints_reason(record):
  values = record.get('keypoints')
  if isinstance(values, np.ndarray):
    odd = set(values[2::3].tolist()) - {0, 1, 2}
    return f'has a joint of visibility {min(odd):g}; it is 0, 1 or 2' if odd else ''
  if values is None:
    return "has no 'keypoints'"
  if isinstance(values, list) and len(values) != NUM_VALUES:
    return f'has keypoints of {len(values)} numbers; there must be {NUM_VALUES}'
  return f'has keypoints that are not {NUM_VALUES} numbers of pixels'
