"""Boxes around confident joints, and people found where nobody gives a box."""

import dataclasses

import numpy as np
import pytest

from configs import base
from data.encode import encode_image
from errors import UserError
from tests import small_people
from train_lib import parallel
from train_lib.poses import people_finder
from train_lib.poses.people_finder import PeopleFinder, joints_box

SETTINGS = dict(least_score=0.3, least_joints=3, margin_frac=0.0)


def joints(*points, score=0.9):
  rows = np.zeros((17, 3), np.float32)
  rows[:len(points)] = [(x, y, score) for x, y in points]
  return rows


def test_the_box_holds_the_pixels_of_the_outermost_joints():
  box = joints_box(joints((10, 20), (30, 25), (12, 60)), np.array([100, 80]), **SETTINGS)
  np.testing.assert_array_equal(box, (9.5, 19.5, 21, 41))


def test_the_margin_is_a_share_of_the_longer_side_on_every_side():
  box = joints_box(joints((40, 40), (50, 40), (45, 60)), np.array([100, 100]),
                   **{**SETTINGS, 'margin_frac': 0.5})
  np.testing.assert_array_equal(box, (29.5, 29.5, 31, 41))


def test_the_box_is_cut_at_the_edges_of_the_picture():
  box = joints_box(joints((1, 2), (98, 5), (50, 79)), np.array([100, 80]),
                   **{**SETTINGS, 'margin_frac': 0.5})
  np.testing.assert_array_equal(box, (-0.5, -0.5, 100, 80))


def test_joints_beside_the_picture_do_not_count():
  sure = joints((10, 20), (30, 25), (12, 60), (-5, 30), (120, 30), (20, 95))
  box = joints_box(sure, np.array([100, 80]), **SETTINGS)
  np.testing.assert_array_equal(box, (9.5, 19.5, 21, 41))


@pytest.mark.parametrize('keypoints', [
    joints((1, 1), (9, 9)),                                   # too few
    joints((1, 1), (9, 9), (5, 5), score=0.29),               # not sure of them
    joints((200, 200), (210, 250), (205, 220)),               # outside of the picture
])
def test_without_enough_joints_there_is_no_box(keypoints):
  assert np.isnan(joints_box(keypoints, np.array([100, 80]), **SETTINGS)).all()


class Pictures:
  """A person small in a large picture, one who fills hers, nobody, and a broken file."""
  tag_names, tag_categories, truth_keys = (), (), ()
  max_tags, max_ignored, fingerprint, description = 0, 0, 'f00d', 'four pictures'

  def __init__(self):
    self.images, self.joints = [], []
    for size, box in (((320, 260), (150, 60, 90, 150)), ((96, 128), (10, 8, 76, 112)),
                      ((64, 64), None)):
      image = small_people.blank(*size)
      self.joints.append(small_people.draw_person(image, box) if box else None)
      self.images.append(encode_image(image, '.png'))
    self.images.append(b'no picture')

  def __len__(self):
    return len(self.images)

  def __getitem__(self, index):
    return {'id': f'{index}.png', 'image_bytes': self.images[index], 'tags': np.zeros(0, np.int32)}


@pytest.fixture(scope='module')
def finder():
  with pytest.MonkeyPatch.context() as patch:
    trained = small_people.make_trained()
    patch.setattr(people_finder, 'open_trained', lambda *_: trained)
    yield PeopleFinder(small_people.make_config(), 'unused')


def test_people_are_found_without_boxes_and_looked_at_again(finder):
  source = Pictures()
  found = finder.find(source, lambda: None)
  assert found.ids[:3] == ['0.png', '1.png', '2.png']
  np.testing.assert_array_equal(found.readable, (True, True, True, False))
  np.testing.assert_array_equal(found.size_px[:3], [(320, 260), (96, 128), (64, 64)])
  for row in (0, 1):
    sure = found.keypoints[row, :, 2] > 0.3
    assert sure.sum() >= 12
    far = np.linalg.norm(found.keypoints[row, sure, :2] - source.joints[row][sure], axis=-1)
    assert np.median(far) < 5                                 # cells of the net are four px wide
  assert [id for id, _ in found.unreadable] == ['3.png']
  boxes = finder.boxes(found)
  assert np.isfinite(boxes[:2]).all() and np.isnan(boxes[2:]).all()


def test_boxes_are_found_once_and_kept(monkeypatch, tmp_path, finder):
  monkeypatch.setattr(people_finder, 'PeopleFinder', lambda *_: finder)
  monkeypatch.setattr(people_finder.workdir_lib, 'existing_workdir', lambda path: tmp_path)
  monkeypatch.setattr(people_finder.workdir_lib, 'load_config', lambda path: finder.config)
  calls, config = [], base.get_config()
  config.data.persons.cut_by, config.runtime.features_dir = 'run', str(tmp_path / 'kept')
  monkeypatch.setattr(finder, 'find', lambda *args: calls.append(0) or type(finder).find(
      finder, *args))

  def boxes():
    return people_finder.found_boxes(config, Pictures(), lambda: None)

  first = boxes()
  np.testing.assert_array_equal(boxes(), first)
  assert len(calls) == 1
  (path,) = (tmp_path / 'kept').iterdir()
  path.write_text(path.read_text()[:-40])                     # damaged: found again
  np.testing.assert_array_equal(boxes(), first)
  assert len(calls) == 2
  for number, (section, key, value) in enumerate((
      ('pose', 'refine', 'none'), ('crop', 'margin_frac', 0.3)), 3):
    monkeypatch.setitem(finder.config[section], key, value)   # of other settings: found again
    boxes()
    assert len(calls) == number


def test_a_run_of_another_task_finds_no_people():
  config = small_people.make_config()
  config.task = 'tagging'
  with pytest.raises(UserError, match="task 'tagging'; people are found by one of configs/pose.py"):
    PeopleFinder(config, 'runs/tagger')


def test_rows_that_the_devices_cannot_share_are_refused_by_name(monkeypatch):
  trained = dataclasses.replace(small_people.make_trained(), mesh=parallel.make_mesh())
  monkeypatch.setattr(people_finder, 'open_trained', lambda *_: trained)
  config = small_people.make_config()
  config.predict.batch_size = 4 * trained.mesh.size + 1
  if trained.mesh.size == 1:
    config.predict.batch_size = 0
  with pytest.raises(UserError, match='predict.batch_size is .* multiple of'):
    PeopleFinder(config, 'unused')


@pytest.mark.parametrize('workdir', ['', '/no/such/run'])
def test_a_pose_run_that_is_not_there_is_told_with_its_key(workdir):
  config = small_people.make_config()
  config.data.persons.cut_by = workdir
  with pytest.raises(UserError, match='--config.data.persons.cut_by='):
    people_finder.open_cutter(config)
