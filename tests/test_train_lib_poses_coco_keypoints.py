"""The COCO keypoint evaluation says what pycocotools says; people found twice are told apart."""

import contextlib
import io
import json
import types

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from train_lib.poses import coco_keypoints
from train_lib.poses.coco_keypoints import FIGURES, Detections, evaluate, oks, rescore, suppress

EDGES_PX2 = (0, 32 ** 2 - 1, 32 ** 2, 32 ** 2 + 1, 96 ** 2 - 1, 96 ** 2, 96 ** 2 + 1)
NOBODY = Detections(np.zeros(0, int), np.zeros((0, 17, 3)), np.zeros(0))


def make_people(seed, pictures=30, most=6):
  """Pictures with nobody and with many, crowds, people without a joint, sizes at the edges."""
  rng = np.random.default_rng(seed)
  image = np.repeat(np.arange(pictures), rng.integers(0, most + 1, pictures))
  count = len(image)
  side = rng.choice([20, 60, 200], count)[:, None]
  box = np.concatenate([rng.uniform(0, 300, (count, 2)), side * rng.uniform(0.5, 1.5, (count, 2))],
                       axis=1)
  points = box[:, None, :2] + rng.random((count, 17, 2)) * box[:, None, 2:]
  visible = rng.integers(0, 3, (count, 17)) * (rng.random((count, 1)) > 0.2)
  area = np.where(rng.random(count) < 0.3, rng.choice(EDGES_PX2, count), box[:, 2:].prod(axis=1))
  return types.SimpleNamespace(
      image=image, keypoints=np.dstack([points, visible]).astype(np.float32),
      box_px=box.astype(np.float32), area_px2=area.astype(np.float32),
      crowd=rng.random(count) < 0.1)


def make_detections(people, seed, pictures=30, noise=0.05, copies=5):
  """Of everybody several, more and less off, some of them exact copies; and some of nobody."""
  rng = np.random.default_rng(seed)
  who = np.repeat(np.arange(len(people.image)), rng.integers(0, copies + 1, len(people.image)))
  side = np.sqrt(people.box_px[who, 2:].prod(axis=1))[:, None, None]
  off = noise * side * rng.exponential(1, (len(who), 1, 1)) * rng.normal(size=(len(who), 17, 2))
  points = people.keypoints[who, :, :2] + off * (rng.random((len(who), 1, 1)) > 0.1)
  others = rng.uniform(0, 400, (2 * pictures, 17, 2)) * rng.random((2 * pictures, 1, 1))
  edges = np.zeros((3, 17, 2))                              # sizes right at the edges
  edges[:, 1] = [[32, 32], [96, 96], [0, 50]]
  points = np.concatenate([points, others, edges])
  image = np.concatenate([people.image[who], rng.integers(pictures, size=2 * pictures), [0, 1, 2]])
  score = np.round(rng.random(len(image)), 1).astype(np.float32)                 # with ties
  joint_scores = rng.random((len(image), 17, 1))
  order = rng.permutation(len(image))
  return Detections(image[order], np.concatenate([points, joint_scores], -1)[order].astype('f4'),
                    score[order])


def reference(people, detections, pictures=30):
  """The ten numbers of pycocotools."""
  rows = [{'id': number + 1, 'image_id': int(people.image[number]), 'category_id': 1,
           'bbox': people.box_px[number].tolist(), 'area': float(people.area_px2[number]),
           'iscrowd': int(people.crowd[number]),
           'keypoints': people.keypoints[number].ravel().tolist(),
           'num_keypoints': int((people.keypoints[number, :, 2] > 0).sum())}
          for number in range(len(people.image))]
  with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO()
    truth.dataset = {'images': [{'id': number} for number in range(pictures)],
                     'annotations': rows, 'categories': [{'id': 1, 'name': 'person'}]}
    truth.createIndex()
    results = coco_keypoints.result_rows(detections, range(pictures))
    found = truth.loadRes(json.loads(json.dumps(results))) if results else COCO()
    if not results:
      found.dataset = {**truth.dataset, 'annotations': []}
      found.createIndex()
    run = COCOeval(truth, found, 'keypoints')
    run.evaluate()
    run.accumulate()
    run.summarize()
  return dict(zip(FIGURES, run.stats, strict=True))


@pytest.mark.parametrize('seed', range(6))
def test_the_ten_numbers_are_pycocotools(seed):
  people = make_people(seed)
  detections = make_detections(people, seed + 100, copies=(1, 5, 12)[seed % 3])
  found = evaluate(people, detections)
  assert found == pytest.approx(reference(people, detections), abs=1e-12)
  assert 0 < found['ap'] < 0.9 and (seed % 3 < 2 or np.bincount(detections.image).max() > 20)


@pytest.mark.parametrize('change', [
    'nobody found', 'nobody there', 'crowds alone', 'no medium', 'one picture', 'all alike',
    'more than a chunk'])
def test_the_ten_numbers_are_pycocotools_at_the_edges(change, monkeypatch):
  people = make_people(1)
  detections = make_detections(people, 2)
  if change == 'nobody found':
    detections = NOBODY
  elif change == 'nobody there':
    people = types.SimpleNamespace(**{key: value[:0] for key, value in vars(people).items()})
  elif change == 'crowds alone':
    people.crowd[:] = True
  elif change == 'no medium':
    people.area_px2[:] = 1e5
  elif change == 'one picture':
    people.image[:], detections.image[:] = 7, 7
  elif change == 'all alike':                               # everybody twice, at the same place
    people.keypoints[1::2], detections.score[:] = people.keypoints[:-1:2], 0.5
    people.image[1::2] = people.image[:-1:2]
    people.image.sort()
  else:
    monkeypatch.setattr(coco_keypoints, 'CHUNK', 4)
  expected = reference(people, detections)
  assert evaluate(people, detections) == pytest.approx(expected, abs=1e-12)
  if change in ('nobody there', 'crowds alone'):
    assert set(expected.values()) == {-1}
  if change == 'no medium':
    assert expected['ap_medium'] == -1 < expected['ap_large']


def test_the_order_of_people_and_of_pictures_changes_nothing():
  people = make_people(3)
  detections = make_detections(people, 4)
  order = np.random.default_rng(0).permutation(len(people.image))
  shuffled = types.SimpleNamespace(**{key: value[order] for key, value in vars(people).items()})
  order = np.argsort(detections.image, kind='stable')
  sorted_ = Detections(*(field[order] for field in detections))
  assert evaluate(shuffled, sorted_) == pytest.approx(evaluate(people, detections), abs=1e-12)


def test_everybody_found_is_an_ap_of_one():
  people = make_people(5)
  people.keypoints[:, 0, 2], people.crowd[:] = 1, False
  perfect = Detections(people.image, people.keypoints, np.ones(len(people.image)))
  found = evaluate(people, perfect)
  assert found == pytest.approx(dict.fromkeys(FIGURES, 1.0), abs=1e-12)


def test_a_result_file_holds_what_was_evaluated():
  detections = make_detections(make_people(6), 7)
  rows = coco_keypoints.result_rows(detections, [f'p{number}' for number in range(30)])
  rows = json.loads(json.dumps(rows))
  assert rows[3].keys() == {'image_id', 'category_id', 'keypoints', 'score'}
  assert rows[3]['image_id'] == f'p{detections.image[3]}' and rows[3]['category_id'] == 1
  back = np.array([row['keypoints'] for row in rows]).reshape(-1, 17, 3)
  np.testing.assert_array_equal(back, detections.keypoints)
  np.testing.assert_array_equal([row['score'] for row in rows], detections.score)


def test_similarity_is_its_formula():
  people = make_people(8)
  points = make_detections(people, 9).keypoints[:40]
  found = oks(people.keypoints, people.box_px, people.area_px2, points)
  assert found.shape == (40, len(people.image)) and found.dtype == np.float64
  kinds = set()
  for column, (joints, (x, y, width, height), area) in enumerate(
      zip(people.keypoints, people.box_px.astype(float), people.area_px2, strict=True)):
    labelled = joints[:, 2] > 0
    far = np.linalg.norm(points[:, labelled, :2].astype(float) - joints[labelled, :2], axis=-1)
    sigmas = coco_keypoints.SIGMAS[labelled]
    if not labelled.any():                                  # to the box, thrice as wide and high
      low, high = np.array([x - width, y - height]), np.array([x + 2 * width, y + 2 * height])
      far = np.linalg.norm(points[..., :2] - np.clip(points[..., :2], low, high), axis=-1)
      sigmas = coco_keypoints.SIGMAS
    kinds.add(bool(labelled.any()))
    expected = np.exp(-far ** 2 / (2 * max(area, 1e-15) * (2 * sigmas) ** 2)).mean(axis=1)
    np.testing.assert_allclose(found[:, column], expected, atol=1e-9)
  assert kinds == {True, False}


def test_a_score_is_that_of_the_box_times_the_mean_of_the_confident_joints():
  joints = np.zeros((3, 17, 3))
  joints[0, :4, 2] = 0.9, 0.5, 0.2, 0.1                     # 0.2 itself is not above it
  joints[2, :, 2] = 0.3
  np.testing.assert_allclose(rescore(np.array([0.5, 1.0, 1.0]), joints), [0.35, 0, 0.3])


def naive_suppression(detections, areas, threshold):
  """The same, one detection after another."""
  stays = np.zeros(len(detections.image), bool)
  left = list(np.argsort(-detections.score, kind='stable'))
  while left:
    best, left = left[0], left[1:]
    stays[best] = True
    kept = []
    for row in left:
      far = np.square(detections.keypoints[row, :, :2] - detections.keypoints[best, :, :2]).sum(-1)
      area = (areas[row] + areas[best]) / 2 + np.spacing(1.0)
      alike = np.exp(-far / (2 * area * (2 * coco_keypoints.SIGMAS) ** 2)).mean()
      if detections.image[row] != detections.image[best] or alike <= threshold:
        kept.append(row)
    left = kept
  return stays


@pytest.mark.parametrize('threshold', [0.9, 0.5])
def test_of_people_found_twice_the_best_stays(threshold):
  detections = make_detections(make_people(10, 9), 11, 9, noise=0.01, copies=8)
  areas = np.random.default_rng(0).uniform(100, 40_000, len(detections.image))
  stays = suppress(detections, threshold, areas=areas)
  np.testing.assert_array_equal(stays, naive_suppression(detections, areas, threshold))
  assert 0.1 < stays.mean() < 0.9
  by_joints = naive_suppression(detections, coco_keypoints.joints_areas(detections.keypoints),
                                threshold)
  np.testing.assert_array_equal(suppress(detections, threshold), by_joints)
  assert suppress(detections, 1.0).all() and not suppress(NOBODY).size


def test_copies_leave_one_and_the_first_of_equal_scores_stays():
  joints = np.tile(np.random.default_rng(0).uniform(0, 99, (1, 17, 3)), (4, 1, 1))
  copies = Detections(np.array([0, 0, 0, 1]), joints, np.array([0.5, 0.7, 0.7, 0.1]))
  assert suppress(copies).tolist() == [False, True, False, True]
