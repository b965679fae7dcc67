import json
import pickle
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from data.batch import check_batch
from data.detections import read_detections
from data.joints import JOINT_NAMES
from data.loader import Loader
from data.operations import build_pipeline
from data.persons import Persons
from data.sources.toon import ToonSource
from errors import UserError


class Pictures:
  """A source of pictures with figures, as toon and coco give them. Args: pictures: id -> figures,
  each (box, number of labelled joints, crowd)."""

  tag_names = tag_categories = truth_keys = ()
  max_tags = max_ignored = 0
  fingerprint, description = 'pictures', 'made up'

  def __init__(self, pictures, **attributes):
    self._pictures = list(pictures.items())
    self.__dict__.update(attributes)

  def __len__(self):
    return len(self._pictures)

  def __getitem__(self, index):
    id, figures = self._pictures[index]
    keypoints = np.zeros((len(figures), 17, 3), np.float32)
    for number, (box, num_labelled, _) in enumerate(figures):
      keypoints[number, :num_labelled] = box[0] + 1, box[1] + 1, 2
    return {'id': id, 'image_bytes': make_jpeg(), 'keypoints': keypoints,
            'box_px': np.array([box for box, _, _ in figures], np.float32).reshape(-1, 4),
            'area_px2': np.array([box[2] * box[3] / 2 for box, _, _ in figures], np.float32),
            'crowd': np.array([crowd for *_, crowd in figures], bool)}


def make_jpeg():
  noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
  return cv2.imencode('.jpg', noise)[1].tobytes()


def make_pictures(**attributes):
  return Pictures({
      'a.jpg': [((0, 0, 10, 10), 5, False), ((20, 0, 40, 60), 17, False)],
      'b.jpg': [],
      'c.jpg': [((0, 0, 50, 50), 0, False), ((5, 5, 30, 30), 1, False), ((0, 0, 80, 64), 0, True),
                ((9, 9, 0, 30), 3, False)],
      'd.jpg': [((1, 2, 3, 4), 2, True)]}, **attributes)


def make_file(folder, records, name='detections.json'):
  (folder / name).write_text(records if isinstance(records, str) else json.dumps(records))
  return str(folder / name)


def make_record(image_id='a.jpg', bbox=(1, 2, 30, 40), score=0.5, **fields):
  return {'image_id': image_id, 'category_id': 1, 'bbox': list(bbox), 'score': score, **fields}


def test_rows_are_the_people_with_a_joint_and_a_box_who_are_no_crowd():
  persons = Persons(make_pictures())
  examples = [persons[row] for row in range(len(persons))]
  assert [example['id'] for example in examples] == ['a.jpg/0', 'a.jpg/1', 'c.jpg/0']
  assert [int(example['picture']) for example in examples] == [0, 0, 2]
  assert [example['is_main'] for example in examples] == [False, True, True]
  np.testing.assert_array_equal(examples[1]['box_px'], [20, 0, 40, 60])
  assert examples[1]['area_px2'] == 1200 and examples[1]['box_score'] == 1
  assert [int((example['keypoints'][:, 2] > 0).sum()) for example in examples] == [5, 17, 1]


def test_people_are_all_who_are_annotated():
  people = Persons(make_pictures()).people
  assert len(people) == 7
  np.testing.assert_array_equal(people.image, [0, 0, 2, 2, 2, 2, 3])
  np.testing.assert_array_equal(people.crowd, [0, 0, 0, 0, 1, 0, 1])
  np.testing.assert_array_equal(people.labelled.sum(axis=1), [5, 17, 0, 1, 0, 3, 2])
  assert people.keypoints.dtype == people.box_px.dtype == people.area_px2.dtype == np.float32


def test_a_figure_without_word_of_crowds_is_none():
  class Plain(Pictures):
    def __getitem__(self, index):
      example = super().__getitem__(index)
      return {key: value for key, value in example.items() if key != 'crowd'}

  persons = Persons(Plain({'a': [((0, 0, 9, 9), 1, True)]}))
  assert len(persons) == 1 and not persons.people.crowd.any()


def test_a_source_may_tell_of_figures_without_reading_pictures():
  class Told(Pictures):
    def figures_of(self, index):
      return super().__getitem__(index)

    def __getitem__(self, index):
      raise AssertionError('a picture was read')

  assert len(Persons(Told({'a': [((0, 0, 9, 9), 1, False)]}))) == 1


def test_joints_are_the_tags():
  persons = Persons(make_pictures())
  assert persons.tag_names == JOINT_NAMES and persons.max_tags == 17
  np.testing.assert_array_equal(persons.tags_of(0), np.arange(5))
  np.testing.assert_array_equal(persons.count_tags(), [3] + [2] * 4 + [1] * 12)
  assert persons.tags_of(0).dtype == np.int32 and persons.count_tags().dtype == np.int64


def test_the_description_says_whose_boxes_they_are(tmp_path):
  persons = Persons(make_pictures())
  assert persons.box_source == 'ground-truth boxes'
  assert persons.description == ('3 persons with joints in 2 of 4 pictures, by ground-truth boxes; '
                                 'made up')
  detections = read_detections(make_file(tmp_path, [make_record(), make_record(score=0.1),
                                                    make_record('z.jpg')]), 0.2)
  persons = Persons(make_pictures(), detections=detections)
  assert persons.box_source == "boxes of 'detections.json'"
  assert persons.description == (
      '1 detected persons (left out: 1 with a score below 0.2, 1 in other pictures) in 1 of 4 '
      "pictures, by boxes of 'detections.json'; made up")


def test_detections_become_rows_whose_joints_nobody_knows(tmp_path):
  records = [make_record('c.jpg', (1, 2, 3, 4), 0.25), make_record('b.jpg', (5, 6, 7, 8), 1),
             make_record('c.jpg', (9, 9, 9, 9), 0.75), make_record('a.jpg', category_id=2)]
  persons = Persons(make_pictures(), detections=read_detections(make_file(tmp_path, records)))
  examples = [persons[row] for row in range(len(persons))]
  assert [example['id'] for example in examples] == ['b.jpg/0', 'c.jpg/0', 'c.jpg/1']
  assert [int(example['picture']) for example in examples] == [1, 2, 2]
  assert [float(example['box_score']) for example in examples] == [1, 0.25, 0.75]
  assert [float(example['area_px2']) for example in examples] == [56, 12, 81]
  assert not any(example['keypoints'].any() for example in examples)
  assert len(persons.people) == 7 and not persons.count_tags().any()
  assert len(persons.tags_of(0)) == 0


def test_detections_are_matched_by_what_pictures_are_known_by(tmp_path):
  path = make_file(tmp_path, [make_record(42)])
  persons = Persons(make_pictures(picture_ids=[7, 8, 42, 9]), detections=read_detections(path))
  assert persons[0]['id'] == 'c.jpg/0' and persons.picture_ids == [7, 8, 42, 9]
  assert Persons(make_pictures()).picture_ids == ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']


def test_detections_of_no_picture_of_the_split_are_an_error_that_shows_both_sides(tmp_path):
  path = make_file(tmp_path, [make_record(139)])
  with pytest.raises(UserError) as raised:
    Persons(make_pictures(), detections=read_detections(path))
  assert "they are of image_id 139, and its pictures have 'a.jpg', 'b.jpg', 'c.jpg' and " in str(
      raised.value)


@pytest.mark.parametrize('records, words', [
    ('{"images": []}', 'holds no list; expected a list of COCO results'),
    ('[{"image_id": 1', 'is no JSON (Expecting'),
    ('\x00\x01', 'is no JSON'),
    ('[' * 100_000, 'is no JSON (it is nested too deep)'),
    ('[]', 'has no box of a person'),
    ([[1, 2]], '[0] is no object'),
    ([{'image_id': 1, 'bbox': [0, 0, 1, 1], 'category_id': 1}], "[0] has no 'score'"),
    ([make_record(bbox=(1, 2, 3))], '[0] has the bbox [1, 2, 3], which is not x, y, width'),
    ([make_record(bbox=(1, 2, 3, float('nan')))], '[0] has the bbox [1, 2, 3, nan]'),
    ([make_record(bbox=(1, 2, -3, 4))], '[0] has the bbox [1, 2, -3, 4]'),
    ([make_record(bbox=(1, 2, 3, 1e300))], '[0] has the bbox [1, 2, 3, 1e+300]'),
    ([make_record(bbox=(1, 2, 3, '4'))], "[0] has the bbox [1, 2, 3, '4']"),
    ([make_record(bbox=(True, 2, 3, 4))], '[0] has the bbox [True, 2, 3, 4]'),
    ([make_record(), make_record(score=float('nan'))], '[1] has the score nan'),
    ([make_record(score=None)], '[0] has the score None, which is no number'),
    ([make_record([1])], '[0] has an image_id that is neither a whole number nor a text'),
    ([make_record(category_id=3)], 'has no box of a person (category_id 1)'),
    ([make_record(score=0.01)], 'with a score of 0.05 or more among 1 records')])
def test_a_result_file_is_not_trusted(tmp_path, records, words):
  path = make_file(tmp_path, records)
  with pytest.raises(UserError) as raised:
    read_detections(path, 0.05)
  assert words in str(raised.value) and path in str(raised.value)
  assert len(str(raised.value)) < 500


def test_a_result_file_that_is_missing_is_named(tmp_path):
  with pytest.raises(UserError, match='nowhere.json'):
    read_detections(str(tmp_path / 'nowhere.json'))


def test_one_broken_detection_of_many_is_left_out_and_told(tmp_path):
  records = [make_record() for _ in range(40)] + [make_record(bbox=(0, 0, 0, 5))]
  records[7]['bbox'] = [1, 2]
  found = read_detections(make_file(tmp_path, records))
  assert len(found.image_ids) == len(found.box_px) == len(found.scores) == 39
  assert found.notes[0] == '1 without an area'
  assert found.notes[1].startswith('1 of 41 records of detections.json cannot be used ([7] has the')


def test_a_source_that_tells_of_no_people_is_refused():
  class Nobody(Pictures):
    def __getitem__(self, index):
      return {'id': 'a', 'image_bytes': b''}

  with pytest.raises(UserError, match='poses are learned from config.data.source=toon or coco'):
    Persons(Nobody({'a': []}))
  with pytest.raises(UserError, match='there are no persons with joints'):
    Persons(Pictures({'a': []}))


def test_the_fingerprint_follows_the_rows(tmp_path):
  detected = [Persons(make_pictures(), detections=read_detections(make_file(tmp_path, [record])))
              for record in (make_record(), make_record(score=0.6), make_record(bbox=(1, 2, 3, 4)))]
  prints = {persons.fingerprint for persons in (Persons(make_pictures()), *detected)}
  assert len(prints) == 4
  assert Persons(make_pictures()).fingerprint == Persons(make_pictures()).fingerprint


def test_a_caller_can_stop_the_reading():
  def stop():
    raise KeyboardInterrupt
  with pytest.raises(KeyboardInterrupt):
    Persons(make_pictures(), stop)


def test_persons_survive_pickling():
  persons = Persons(make_pictures())
  copy = pickle.loads(pickle.dumps(persons))
  for row in range(len(persons)):
    np.testing.assert_equal(copy[row], persons[row])


def make_settings(**changes):
  return SimpleNamespace(
      max_pixels=10_000, image_size_px=128, rotation_deg=45.0, scale_frac=0.35, cutout_frac=0.2,
      colour_frac=0.2, augment=('mirror', 'rotation', 'scale', 'half_body'),
      persons=SimpleNamespace(widen=1.25, whole_frac=0.2), **changes)


def test_a_batch_is_a_function_of_its_number_whatever_keys_are_asked_for():
  persons = Persons(make_pictures())
  pipeline = build_pipeline(make_settings(), train=True, persons=True)
  keys = ('image', 'keypoints', 'crop_to_source', 'source_size_px', *persons.truth_keys[1:])
  batches = []
  for asked, workers in ((keys, 0), (keys, 2), (('image',), 0)):
    loader = Loader(persons, pipeline, batch_size=4, train=True, seed=3, keys=asked,
                    workers=workers)
    batches.append(list(loader.batches(2, 4)))
  for first, again, images in zip(*batches, strict=True):
    check_batch(first)
    assert first['image'].shape == (4, 128, 96, 3) and first['keypoints'].shape == (4, 17, 3)
    assert first['crop_to_source'].shape == (4, 2, 3)
    np.testing.assert_equal(first, again)
    np.testing.assert_array_equal(first['image'], images['image'])


def test_evaluation_reads_every_person_once():
  persons = Persons(make_pictures())
  loader = Loader(persons, build_pipeline(make_settings(), train=False, persons=True),
                  batch_size=2, train=False, keys=('image', 'crop_to_source', *persons.truth_keys))
  batches = list(loader.batches(0, loader.num_batches))
  assert [id for batch in batches for id in batch['id']] == ['a.jpg/0', 'a.jpg/1', 'c.jpg/0', '']
  np.testing.assert_array_equal(batches[0]['box_px'], [[0, 0, 10, 10], [20, 0, 40, 60]])
  np.testing.assert_array_equal(batches[1]['picture'], [2, 0])


def test_drawn_figures_are_persons_with_their_visibilities_as_given():
  class Drawn(ToonSource):
    """The records of a picture with two figures, without drawing it."""

    def __init__(self):
      super().__init__({'num_train': 1, 'num_valid': 1, 'num_test': 1, 'image_size_px': 64,
                        'data_seed': 0, 'dropped_share': 0.0}, '', 'train')
      self.keypoints = np.random.default_rng(0).uniform(0, 64, (2, 17, 3)).astype(np.float32)
      self.keypoints[..., 2] = np.arange(34).reshape(2, 17) % 3
      figures = {'identity': [0, 1], 'keypoints': self.keypoints, 'area_px2': [90, 30],
                 'box_px': [(0, 0, 30, 60), (40, 5, 20, 20)]}
      self._records = [{'id': b'train_0', 'image': b'', 'tags': [], 'drawn_tags': [], 'label': 0,
                        'garment': 0, 'figures': figures}]

  drawn = Drawn()
  persons = Persons(drawn)
  assert [persons[row]['id'] for row in range(2)] == ['train_0/0', 'train_0/1']
  np.testing.assert_array_equal(persons[1]['keypoints'], drawn.keypoints[1])
  assert [persons[row]['is_main'] for row in range(2)] == [True, False]
