"""What a run leaves of a pose net: results that COCO's evaluation takes, joints, sheets."""

import dataclasses
import json
import os
import types

import numpy as np
import pytest
from etils import epath
from PIL import Image

from data.detections import Detections
from data.joints import JOINT_NAMES
from tests.pose_split import VARIABLES, PoseSplit, make_evaluator
from tests.tables import read_csv
from train_lib.evaluation import Outcome
from train_lib.poses import coco_keypoints, pose_joints, pose_plots, pose_report, pose_report_files


def measure(train, test, **options):
  return pose_report.report_on_test(make_evaluator(), VARIABLES, train.source,
                                    {'valid': test, 'test': test},
                                    **{'with_baselines': True, **options})


@pytest.fixture(scope='module')
def splits():
  return PoseSplit(8, 0), PoseSplit(6, 2)


@pytest.fixture(scope='module')
def report(splits):
  return measure(*splits)


def write(folder, report, splits):
  polled = []
  pose_report_files.write_report(epath.Path(folder), report, splits[0].source, splits[1],
                                 lambda: polled.append(1))
  assert polled
  return folder


@pytest.fixture(scope='module')
def folder(report, splits, tmp_path_factory):
  return write(tmp_path_factory.mktemp('run'), report, splits)


def read_joints(folder):
  return read_csv(folder / 'evaluation' / 'joints.csv')


def read_results(folder):
  return json.loads((folder / 'evaluation' / 'keypoints.json').read_text())


def test_keypoints_json_gives_the_figures_of_the_table_again(folder, report):
  rows = read_results(folder)
  assert [row['image_id'] for row in rows] == list(range(100, 106))
  assert all(set(row) == {'image_id', 'category_id', 'keypoints', 'score'} and
             row['category_id'] == 1 and len(row['keypoints']) == 51 for row in rows)
  people = report.outcome.collected.people
  again = coco_keypoints.Detections(
      np.array([row['image_id'] - 100 for row in rows]),
      np.array([row['keypoints'] for row in rows]).reshape(-1, 17, 3),
      np.array([row['score'] for row in rows]))
  for name, value in coco_keypoints.evaluate(people, again).items():
    assert report.rows['net'][name] == pytest.approx(value, abs=1e-9)


def test_keypoints_json_loads_in_pycocotools(folder, report):
  coco = pytest.importorskip('pycocotools.coco')
  from pycocotools.cocoeval import COCOeval
  people = report.outcome.collected.people
  truth = coco.COCO()
  truth.dataset = {
      'images': [{'id': 100 + number} for number in range(6)],
      'categories': [{'id': 1, 'name': 'person', 'keypoints': list(JOINT_NAMES)}],
      'annotations': [
          {'id': number + 1, 'image_id': 100 + int(people.image[number]), 'category_id': 1,
           'iscrowd': 0, 'area': float(people.area_px2[number]),
           'bbox': people.box_px[number].tolist(),
           'num_keypoints': int((people.keypoints[number, :, 2] > 0).sum()),
           'keypoints': people.keypoints[number].ravel().tolist()} for number in range(6)]}
  truth.createIndex()
  found = truth.loadRes(str(folder / 'evaluation' / 'keypoints.json'))
  evaluation = COCOeval(truth, found, 'keypoints')
  evaluation.evaluate()
  evaluation.accumulate()
  evaluation.summarize()
  names = ('ap', 'ap50', 'ap75', 'ap_medium', 'ap_large',
           'ar', 'ar50', 'ar75', 'ar_medium', 'ar_large')
  np.testing.assert_allclose(evaluation.stats, [report.rows['net'][name] for name in names],
                             atol=1e-6)


def test_joints_csv_has_a_line_for_each_joint(folder, report):
  rows, collected = read_joints(folder), report.outcome.collected
  assert tuple(row['joint'] for row in rows) == JOINT_NAMES
  labelled = collected.truth[..., 2] > 0
  assert [int(row['labelled']) for row in rows] == labelled.sum(axis=0).tolist()
  far = np.linalg.norm(collected.keypoints[..., :2] - collected.truth[..., :2], axis=-1)
  for joint in (0, 9):
    mine, row = labelled[:, joint], rows[joint]
    assert float(row['mean_px']) == pytest.approx(far[mine, joint].mean(), rel=1e-4)
    share = far[mine, joint] / collected.box_px[mine, 2:].max(axis=1)
    assert float(row['pck_0.05']) == pytest.approx((share <= 0.05).mean(), rel=1e-4)
    assert float(row['mean_pose_pck_0.2']) <= 1 and float(row['mean_pose_oks']) < float(row['oks'])


def test_pictures_are_drawn(folder):
  assert set(os.listdir(folder / 'pictures')) == {'joints.png', 'predictions.png', 'worst.png'}
  for name in os.listdir(folder / 'pictures'):
    assert np.asarray(Image.open(folder / 'pictures' / name)).std() > 5, name


def test_the_sheets_have_the_first_persons_and_the_worst(report, splits, tmp_path, monkeypatch):
  monkeypatch.setattr(pose_report_files, 'FIRST_SHOWN', 2)
  monkeypatch.setattr(pose_report_files, 'WORST_SHOWN', 3)
  shown = []
  sheet = pose_report_files.person_sheet
  monkeypatch.setattr(pose_report_files, 'person_sheet',
                      lambda persons, lines: shown.append(persons) or sheet(persons, lines))
  write(tmp_path, report, splits)
  (first, worst), collected = shown, report.outcome.collected
  assert [person.id for person in first] == ['100/0', '101/0']
  oks = pose_joints.person_oks(pose_joints.compare(collected))
  assert [person.id for person in worst] == [collected.ids[row] for row in np.argsort(oks)[:3]]
  assert [person.oks for person in worst] == pytest.approx(np.sort(oks)[:3])


def test_the_table_its_heading_and_the_worst_joints_are_said(report, splits, tmp_path, capsys):
  write(tmp_path, report, splits)
  said = capsys.readouterr().out
  assert 'test split: 6 persons in 6 pictures; ground-truth boxes; no flip test' in said
  assert 'mean pose' in said and 'AP on the validation split' in said
  rows = read_joints(tmp_path)
  worst = min(rows, key=lambda row: float(row['pck_0.05']))
  assert f'found worst, by PCK@0.05: {worst["joint"].replace("_", " ")} ' in said


def test_boxes_of_a_detector_are_compared_with_the_people_in_them(splits, tmp_path, capsys):
  people = splits[1].source.people
  boxes = np.concatenate([people.box_px + 1, [(0, 0, 9, 9)]]).astype(np.float32)
  detections = Detections('found.json', [*range(100, 106), 103], boxes,
                          np.linspace(0.9, 0.4, 7).astype(np.float32), [])
  test = PoseSplit(6, 2, detections)
  report = measure(splits[0], test, with_baselines=False)
  write(tmp_path, report, (splits[0], test))
  said = capsys.readouterr().out
  assert "6 persons in 6 pictures; boxes of 'found.json'" in said and 'mean pose' not in said
  rows = read_joints(tmp_path)
  assert sum(int(row['labelled']) for row in rows) == (people.keypoints[..., 2] > 0).sum()
  assert 'mean_pose_oks' not in rows[0]
  assert set(os.listdir(tmp_path / 'pictures')) == {'joints.png', 'predictions.png', 'worst.png'}


def test_where_nobody_is_annotated_the_older_worst_sheet_goes(report, splits, tmp_path):
  (tmp_path / 'pictures').mkdir()
  (tmp_path / 'pictures' / 'worst.png').write_bytes(b'of a run before')
  collected = report.outcome.collected
  nobody = types.SimpleNamespace(**{**vars(collected.people),
                                    'keypoints': np.zeros_like(collected.people.keypoints)})
  outcome = Outcome(
      report.outcome.metrics, dataclasses.replace(
          collected, people=nobody, truth=np.zeros_like(collected.truth)), {}, 1.0)
  write(tmp_path, dataclasses.replace(report, outcome=outcome, mean_pose=None), splits)
  assert set(os.listdir(tmp_path / 'pictures')) == {'joints.png', 'predictions.png'}
  assert {row['mean_px'] for row in read_joints(tmp_path)} == {''}


def test_unreadable_pictures_leave_no_gap_in_the_sheets(report, splits, tmp_path):
  class Broken:
    source = splits[1].source

    def example(self, index):
      return None if index % 2 else splits[1].example(index)

  write(tmp_path, report, (splits[0], Broken()))
  assert (tmp_path / 'pictures' / 'worst.png').exists()


def test_a_joint_that_nobody_has_is_drawn_as_nothing():
  people = types.SimpleNamespace(truth=np.zeros((1, 17, 3)))
  compared = pose_joints.Compared(np.zeros(1, int), np.zeros((1, 17, 3)), people.truth,
                                  np.ones((1, 4)), np.ones(1))
  table = pose_joints.joint_table(compared)
  figure = pose_plots.joints(table, JOINT_NAMES, table)
  figure.canvas.draw()
  assert 'nose (0)' in [text.get_text() for text in figure.axes[0].get_yticklabels()]
