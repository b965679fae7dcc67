"""--job=predict of a pose net: COCO's results, overlays, boxes of a detector."""

import json

import numpy as np
import pytest

from data.decode import decode_image
from data.encode import encode_image
from errors import UserError
from jobs import predict
from tests import small_people
from train_lib.poses import people_finder


@pytest.fixture
def trained(monkeypatch):
  opened = small_people.make_trained()
  monkeypatch.setattr(people_finder, 'open_trained', lambda *_: opened)


def write_pictures(folder, names=('7.png', 'inner/000012.png')):
  """A picture with one person and one with two; their joints."""
  joints = []
  for name, boxes in zip(names, ([(60, 20, 60, 110)], [(10, 20, 60, 110), (120, 30, 50, 100)]),
                         strict=True):
    image = small_people.blank(200, 160)
    joints.append([small_people.draw_person(image, box) for box in boxes])
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(encode_image(image, '.png'))
  (folder / '99.png').write_bytes(b'no picture')
  return joints


def run(source, output, boxes=''):
  config = small_people.make_config()
  config.predict.boxes = str(boxes)
  predict.run(config, 'runs/pose', config_path='', input=str(source), output=str(output))
  return json.loads((output / 'keypoints.json').read_text())


def distance(row, joints):
  found = np.array(row['keypoints']).reshape(17, 3)
  sure = found[:, 2] > 0.3
  assert sure.sum() >= 12
  return np.median(np.linalg.norm(found[sure, :2] - joints[sure], axis=-1))


def test_results_are_in_the_form_of_coco_by_the_numbers_of_the_files(trained, tmp_path, capsys):
  joints = write_pictures(tmp_path / 'in')
  rows = run(tmp_path / 'in', tmp_path / 'out')
  assert [(row['image_id'], row['file_name'], row['category_id']) for row in rows] == [
      (7, '7.png', 1), (12, 'inner/000012.png', 1)]
  assert distance(rows[0], joints[0][0]) < 5
  assert all(0 < row['score'] <= 1.01 for row in rows)
  assert '99.png' in (tmp_path / 'out' / 'unreadable.jsonl').read_text()
  drawn = decode_image((tmp_path / 'out/overlays/7.png.jpg').read_bytes(), max_pixels=10 ** 6)
  plain = decode_image((tmp_path / 'in/7.png').read_bytes(), max_pixels=10 ** 6)
  assert drawn.shape == plain.shape and np.abs(drawn.astype(int) - plain).max() > 100
  assert '2 people are in' in capsys.readouterr().out


def test_every_box_of_a_file_is_a_person_and_found_twice_counts_once(trained, tmp_path, capsys):
  joints = write_pictures(tmp_path / 'in')
  boxes = [{'image_id': 12, 'category_id': 1, 'bbox': box, 'score': score} for box, score in (
      ([120, 30, 50, 100], 0.9), ([10, 20, 60, 110], 0.8), ([11, 21, 60, 110], 0.4))]
  (tmp_path / 'boxes.json').write_text(json.dumps(
      boxes + [{'image_id': 5, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 1}]))
  rows = run(tmp_path / 'in', tmp_path / 'out', tmp_path / 'boxes.json')
  assert [row['image_id'] for row in rows] == [12, 12]
  assert distance(rows[0], joints[1][1]) < 5 and distance(rows[1], joints[1][0]) < 5
  assert rows[0]['score'] > rows[1]['score']
  assert 'left out: 1 in other pictures' in capsys.readouterr().out


def test_files_without_numbers_are_called_by_their_paths(trained, tmp_path):
  write_pictures(tmp_path / 'in', ('a.png', 'inner/b.png'))
  assert [row['image_id'] for row in run(tmp_path / 'in', tmp_path / 'out')] == [
      'a.png', 'inner/b.png']


def test_boxes_of_other_pictures_are_refused(trained, tmp_path):
  write_pictures(tmp_path / 'in')
  (tmp_path / 'boxes.json').write_text(json.dumps(
      [{'image_id': 5, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 1}]))
  with pytest.raises(UserError, match='first image_id is 5, that of the first picture 7'):
    run(tmp_path / 'in', tmp_path / 'out', tmp_path / 'boxes.json')
  assert not (tmp_path / 'out').exists()


def test_files_of_one_number_are_called_by_their_names(trained, tmp_path):
  write_pictures(tmp_path / 'in', ('7.png', 'inner/007.png'))
  (tmp_path / 'in' / '99.png').unlink()
  rows = run(tmp_path / 'in', tmp_path / 'out')
  assert {row['image_id'] for row in rows} == {'7.png', 'inner/007.png'}
