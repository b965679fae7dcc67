"""Rows are kept as they come; what they come to are people found, each once, with their scores."""

import types

import numpy as np
import pytest

from errors import Diverged
from train_lib.poses import coco_keypoints
from train_lib.poses.pose_collector import PoseCollector

ROWS = 30
RNG = np.random.default_rng(0)
PEOPLE = types.SimpleNamespace()
# three rows of each of ten persons, with noise that grows
POINTS = np.repeat(RNG.uniform(0, 200, (10, 17, 2)), 3, axis=0)
POINTS = POINTS + RNG.normal(size=POINTS.shape) * np.tile([0, 0.5, 20], 10)[:, None, None]
KEYPOINTS = np.concatenate([POINTS, RNG.random((ROWS, 17, 1))], axis=-1).astype(np.float32)
TRUTHS = {
    'keypoints': RNG.uniform(0, 200, (ROWS, 17, 3)).astype(np.float32),
    'box_px': RNG.uniform(0, 200, (ROWS, 4)).astype(np.float32),
    'area_px2': RNG.uniform(0, 9_000, ROWS).astype(np.float32),
    'picture': np.repeat(np.arange(5, dtype=np.int32), 6),
    'box_score': RNG.random(ROWS).astype(np.float32),
    'crop_area_px2': np.repeat(np.tile(np.float32([100, 40_000]), 5), 3)}
PLACES = np.arange(ROWS) + 4                                # some before them were unreadable


def collect(batch_size, num_rows=ROWS + 9, without=()):
  collector = PoseCollector(num_rows, PEOPLE)
  for start in range(0, ROWS, batch_size):
    rows = slice(start, start + batch_size)
    collector.add({'keypoints': KEYPOINTS[rows]},
                  {key: value[rows] for key, value in TRUTHS.items() if key not in without},
                  [f'p{place}' for place in PLACES[rows]], PLACES[rows])
  return collector.finish()


@pytest.mark.parametrize('batch_size', [1, 8, ROWS])
def test_rows_are_kept_however_batches_are_cut(batch_size):
  collected = collect(batch_size)
  assert collected.people is PEOPLE
  np.testing.assert_array_equal(collected.keypoints, KEYPOINTS)
  np.testing.assert_array_equal(collected.truth, TRUTHS['keypoints'])
  for name in ('box_px', 'area_px2', 'picture', 'box_score', 'crop_area_px2'):
    np.testing.assert_array_equal(getattr(collected, name), TRUTHS[name])
  np.testing.assert_array_equal(collected.indices, PLACES)
  assert collected.ids == [f'p{place}' for place in PLACES]


def test_people_found_twice_are_one_detection_with_the_score_of_box_and_joints():
  found = collect(7).detections
  score = coco_keypoints.rescore(TRUTHS['box_score'], KEYPOINTS)
  every = coco_keypoints.Detections(TRUTHS['picture'], KEYPOINTS, score)
  stays = coco_keypoints.suppress(every, areas=TRUTHS['crop_area_px2'])
  assert stays.sum() == 25         # of three in a large crop, two are alike; in a small one, none
  for got, expected in zip(found, every, strict=True):
    np.testing.assert_array_equal(got, expected[stays])


def test_where_the_crop_is_not_known_its_joints_tell_the_area():
  found = collect(7, without=('crop_area_px2',))
  np.testing.assert_allclose(found.crop_area_px2, coco_keypoints.joints_areas(KEYPOINTS), rtol=1e-6)


def test_a_split_without_a_readable_row_has_nobody_found():
  collected = PoseCollector(5, PEOPLE).finish()
  assert collected.keypoints.shape == (0, 17, 3) and len(collected.detections.score) == 0


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_numbers_that_are_none_are_told(value):
  keypoints = KEYPOINTS[:1].copy()
  keypoints[0, 3, 2] = value
  with pytest.raises(Diverged, match='training has diverged'):
    PoseCollector(1, PEOPLE).add({'keypoints': keypoints},
                                 {key: values[:1] for key, values in TRUTHS.items()}, ['a'], [0])
