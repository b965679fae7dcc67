"""A pose net's figures joint by joint, and the mean pose, on people whose answers are known."""

import dataclasses
import types

import jax
import numpy as np
import pytest

from tests.pose_split import VARIABLES, PoseSplit, make_evaluator
from train_lib.poses import coco_keypoints, pose_baselines, pose_joints, pose_report
from train_lib.poses.pose_collector import PoseCollector


def make_people(keypoints, boxes, crowd=None):
  count = len(boxes)
  return types.SimpleNamespace(
      image=np.zeros(count, np.int64), keypoints=np.asarray(keypoints, np.float32),
      box_px=np.asarray(boxes, np.float32), area_px2=np.full(count, 1000, np.float32),
      crowd=np.zeros(count, bool) if crowd is None else np.array(crowd))


def joints_at(places):
  """[17, 3] of which the joints given are labelled. Args: places: joint -> (x, y)."""
  keypoints = np.zeros((17, 3), np.float32)
  for joint, place in places.items():
    keypoints[joint] = *place, 2
  return keypoints


def collect(keypoints, people, *, truth=None, boxes=None):
  """Rows of predictions, one for each of the people unless boxes are those of a detector."""
  loader = types.SimpleNamespace(num_examples=len(keypoints))
  boxes = people.box_px if boxes is None else np.asarray(boxes, np.float32)
  collector = PoseCollector(loader.num_examples, people)
  rows = np.arange(len(keypoints))
  collector.add(
      {'keypoints': np.asarray(keypoints, np.float32)},
      {'keypoints': people.keypoints if truth is None else truth, 'box_px': boxes,
       'area_px2': np.full(len(rows), 1000, np.float32), 'picture': np.zeros(len(rows), int),
       'box_score': np.ones(len(rows), np.float32)}, [f'p/{row}' for row in rows], rows)
  return collector.finish()


# The mean pose.

def test_mean_pose_is_the_mean_place_in_the_box_of_those_who_have_the_joint_labelled():
  people = make_people(
      [joints_at({0: (15, 30), 9: (10, 20)}), joints_at({0: (20, 30)}), joints_at({5: (9, 9)})],
      [(10, 20, 10, 40), (0, 0, 40, 40), (0, 0, 5, 5)], crowd=[False, False, True])
  pose = pose_baselines.mean_pose(people)
  # the nose: (5/10, 10/40) and (20/40, 30/40); the left wrist: once, in the corner
  np.testing.assert_allclose(pose[0], (0.5, 0.5))
  np.testing.assert_allclose(pose[9], (0, 0))
  np.testing.assert_allclose(pose[5], (0.5, 0.5))               # only a crowd has it: the middle
  said = pose_baselines.place(pose, np.array([(100.0, 200, 20, 60)]))
  np.testing.assert_allclose(said[0, [0, 9]], [(110, 230, 1), (100, 200, 1)])


def test_boxes_without_a_side_do_not_count_in_the_mean_pose():
  people = make_people([joints_at({0: (1, 1)}), joints_at({0: (3, 4)})],
                       [(1, 1, 0, 5), (2, 2, 4, 4)])
  np.testing.assert_allclose(pose_baselines.mean_pose(people)[0], (0.25, 0.5))


def test_mean_pose_is_measured_on_the_boxes_of_the_net_with_their_scores():
  people = make_people([joints_at({0: (5, 5)}), joints_at({0: (45, 35)})],
                       [(0, 0, 10, 10), (40, 30, 10, 10)])
  said = np.zeros((2, 17, 3), np.float32)
  collected = dataclasses.replace(collect(said, people), box_score=np.array([0.5, 0.25]))
  task = types.SimpleNamespace(
      collector=lambda loader: PoseCollector(loader.num_examples, people))
  loader = types.SimpleNamespace(num_examples=2)
  placed = pose_baselines.collect(task, np.full((17, 2), 0.5), loader, collected)
  np.testing.assert_allclose(placed.keypoints[:, 3, :2], [(5, 5), (45, 35)])
  np.testing.assert_allclose(placed.detections.score, (0.5, 0.25))
  assert placed.ids == collected.ids
  assert coco_keypoints.evaluate(people, placed.detections)['ap'] == pytest.approx(1)


# Figures of joints.

def test_distances_are_of_labelled_joints_in_px_and_shares_of_the_longer_side():
  people = make_people([joints_at({0: (10, 10), 9: (20, 20)}), joints_at({0: (50, 50)})],
                       [(0, 0, 30, 60), (40, 40, 50, 20)])
  said = people.keypoints.copy()
  said[0, 0, :2] += (3, 4)                                      # 5 px of 60
  said[1, 0, :2] += (0, 15)                                     # 15 px of 50
  said[0, 9, :2] += (0, -12)                                    # 12 px of 60: just within 0.2
  table = pose_joints.joint_table(pose_joints.compare(collect(said, people)))
  assert table.labelled[[0, 9, 3]].tolist() == [2, 1, 0]
  assert table.mean_px[0] == table.median_px[0] == 10
  assert table.mean_frac[0] == pytest.approx((5 / 60 + 15 / 50) / 2)
  assert table.median_frac[9] == pytest.approx(0.2)
  np.testing.assert_allclose(table.pck[:, 0], (0, 0.5))
  np.testing.assert_allclose(table.pck[:, 9], (0, 1))
  assert np.isnan(table.mean_px[3]) and np.isnan(table.pck[:, 3]).all()


def test_terms_of_the_similarity_have_its_mean():
  rng = np.random.default_rng(0)
  truth = rng.uniform(0, 80, (6, 17, 3))
  truth[..., 2] = rng.integers(0, 3, (6, 17))
  truth[:, 0, 2] = 1
  people = make_people(truth, np.tile((0, 0, 80, 80), (6, 1)))
  said = truth + rng.normal(0, 3, truth.shape)
  compared = pose_joints.compare(collect(said, people))
  expected = coco_keypoints.oks(people.keypoints, people.box_px, people.area_px2, said)
  np.testing.assert_allclose(pose_joints.person_oks(compared), np.diag(expected), rtol=1e-4)
  table = pose_joints.joint_table(compared)
  assert table.oks[0] == pytest.approx(pose_joints.oks_terms(compared)[:, 0].mean())


def test_a_detection_is_compared_with_the_person_that_its_box_overlaps_most():
  people = make_people(
      [joints_at({0: (5, 5)}), joints_at({0: (25, 5)}), np.zeros((17, 3)), joints_at({0: (65, 5)})],
      [(0, 0, 10, 10), (20, 0, 10, 10), (40, 0, 10, 10), (60, 0, 10, 10)],
      crowd=[False, False, False, True])
  boxes = [(21, 0, 10, 10), (1, 1, 10, 10), (6, 0, 10, 10), (40, 0, 10, 10), (60, 0, 10, 10)]
  said = np.tile(joints_at({0: (5, 7)}), (5, 1, 1))
  compared = pose_joints.compare(
      collect(said, people, truth=np.zeros((5, 17, 3), np.float32), boxes=boxes))
  assert compared.rows.tolist() == [0, 1]       # then: too far off, without a joint, a crowd
  np.testing.assert_allclose(compared.truth[:, 0, 0], (25, 5))
  np.testing.assert_allclose(compared.box_px[:, 0], (20, 0))
  table = pose_joints.joint_table(compared)
  assert table.labelled[0] == 2 and table.mean_px[0] == pytest.approx((np.hypot(20, 2) + 2) / 2)


def test_overlap_is_intersection_over_union():
  shares = pose_joints.overlaps(np.array([0, 0, 10, 10]), np.array(
      [(0, 0, 10, 10), (5, 0, 10, 10), (10, 0, 5, 5), (2, 2, 5, 4), (0, 0, 0, 0)]))
  np.testing.assert_allclose(shares, (1, 1 / 3, 0, 0.2, 0))


def test_nobody_to_compare_with_gives_a_table_of_nothing():
  people = make_people(np.zeros((1, 17, 3)), [(0, 0, 9, 9)])
  compared = pose_joints.compare(collect(np.zeros((1, 17, 3)), people))
  table = pose_joints.joint_table(compared)
  assert not len(compared.rows) and not table.labelled.any() and np.isnan(table.pck).all()
  assert pose_joints.person_oks(compared).shape == (0,)


# The report.

@pytest.fixture(scope='module')
def report():
  splits = {split: PoseSplit(count, seed) for split, count, seed in (
      ('train', 8, 0), ('valid', 4, 1), ('test', 8, 2))}
  return pose_report.report_on_test(
      make_evaluator(), VARIABLES, splits['train'].source,
      splits, with_baselines=True)


def test_rows_are_the_net_and_the_mean_pose_with_coco_s_ten_numbers(report):
  assert list(report.rows) == ['net', 'mean pose']
  assert set(coco_keypoints.FIGURES) <= set(report.rows['net']) & set(report.rows['mean pose'])
  assert report.rows['net']['ap'] > 0.8 and report.rows['mean pose']['ap'] < 0.3
  assert report.rows['net']['parameters'] == 1 and report.rows['net']['pictures_per_sec'] > 0
  assert report.rows['mean pose']['parameters'] == 34
  assert report.thresholds == {} and 'ap' in report.valid and 'loss' in report.valid


def test_without_baselines_there_is_the_net_alone():
  split = PoseSplit(4, 1)
  alone = pose_report.report_on_test(
      make_evaluator(), VARIABLES, split.source,
      {'valid': split, 'test': split}, with_baselines=False)
  assert list(alone.rows) == ['net'] and alone.mean_pose is None


def test_heading_names_boxes_flip_test_and_refinement(report):
  assert report.heading == ('8 persons in 8 pictures; ground-truth boxes; no flip test; joints '
                            'moved by a quarter of a heatmap pixel')
  task = types.SimpleNamespace(flip_test=True, refine='dark')
  source = types.SimpleNamespace(picture_ids=list(range(1200)), box_source="boxes of 'd.json'")
  assert pose_report.heading(task, source, report.outcome.collected) == (
      "8 persons in 1,200 pictures; boxes of 'd.json'; flip test; joints refined by DARK")


def test_table_has_all_figures_and_leaves_out_sizes_that_nobody_has(report):
  net = {**report.rows['net'], 'ap_medium': -1.0, 'ar_medium': -1.0, 'ap_large': 0.4321}
  one = pose_report.format_table({'net': net})
  assert '-1' not in one and 'medium' not in one and '0.4321' in one
  both = pose_report.format_table({'net': net, 'other': {**net, 'ap_medium': 0.1234}})
  assert '0.1234' in both and ' - ' in both
  for title in ('AP', 'AR', 'loss', 'meters', 'persons'):
    assert title in both


def test_every_refinement_has_words():
  from train_lib.poses import heatmaps
  grid = np.zeros((1, 8, 6, 17), np.float32)
  for refine in pose_report.REFINEMENTS:
    assert jax.eval_shape(lambda heat, refine=refine: heatmaps.decode(heat, refine=refine),
                          grid).shape == (1, 17, 3)
