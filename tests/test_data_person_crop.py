import functools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from data.augment import Colour, Cutout
from data.decode import DecodeError
from data.geometry import move_points
from data.joints import MIRRORED_JOINTS, UPPER_BODY
from data.operations import PERSON_AUGMENTATIONS, Decode, build_pipeline
from data.person_box import region_matrix, region_of_box
from data.person_crop import CropPerson, half_body_region, warp
from errors import UserError

EVERYTHING = CropPerson(256, 192, 1.25, 0.5, 45.0, 0.35, 0.3, 0.25)


@functools.cache
def make_picture():
  noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
  return cv2.GaussianBlur(noise, (0, 0), 2)


def make_keypoints(seed=0, low=(120, 60), high=(240, 260)):
  rng = np.random.default_rng(seed)
  return np.column_stack([rng.uniform(low, high, (17, 2)), np.full(17, 2)]).astype(np.float32)


def make_example(seed=0, **fields):
  return {'id': 'a', 'image': make_picture(), 'box_px': np.array([110, 50, 140, 220], np.float32),
          'keypoints': make_keypoints(), 'is_main': True, 'rng': np.random.default_rng(seed),
          **fields}


def make_config(**changes):
  persons = {key: changes.pop(key) for key in ('widen', 'whole_frac') if key in changes}
  defaults = dict(
      max_pixels=1000, image_size_px=256, pad='square', augment=PERSON_AUGMENTATIONS,
      rotation_deg=45.0, scale_frac=0.35, translate_frac=0.05, cutout_frac=0.25, colour_frac=0.2,
      crop_least_frac=0.3, crop_aspect=1.5, randaugment_count=2, randaugment_magnitude=9.0,
      persons=SimpleNamespace(**{'widen': 1.25, 'whole_frac': 0.1, **persons}))
  return SimpleNamespace(**{**defaults, **changes})


def test_without_augmentation_the_crop_is_the_warp_of_the_box():
  example = make_example()
  cropped = CropPerson(256, 192)({key: example[key] for key in ('id', 'image', 'box_px',
                                                                'keypoints')})
  matrix = region_matrix(*region_of_box(example['box_px'], 0.75), 0, (192, 256))
  expected = cv2.warpAffine(example['image'], matrix, (192, 256))
  assert cropped['image'].dtype == np.uint8
  assert np.abs(cropped['image'].astype(int) - expected).max() <= 1
  np.testing.assert_allclose(cropped['keypoints'][:, :2],
                             move_points(example['keypoints'][:, :2], matrix), atol=1e-3)
  np.testing.assert_array_equal(cropped['box_px'], example['box_px'])
  np.testing.assert_array_equal(cropped['source_size_px'], [400, 300])


def test_a_joint_in_the_crop_comes_back_to_where_it_was():
  for seed in range(50):
    example = make_example(seed)
    cropped = EVERYTHING(example)
    back = move_points(cropped['keypoints'][:, :2], cropped['crop_to_source'])
    joints = [list(range(17)), list(MIRRORED_JOINTS)]
    mirrored = np.linalg.det(cropped['crop_to_source'][:, :2]) < 0
    np.testing.assert_allclose(back, example['keypoints'][joints[int(mirrored)], :2], atol=1e-3)
    assert cropped['crop_to_source'].dtype == cropped['keypoints'].dtype == np.float32


def test_joints_lie_on_the_same_pixels_after_every_augmentation():
  y, x = np.mgrid[:300, :400]
  ramps = np.stack([x / 2, y / 2, 0 * x], -1).astype(np.uint8)      # colour tells where a pixel was
  for seed in range(20):
    cropped = EVERYTHING(make_example(seed, image=ramps))
    source = move_points(cropped['keypoints'][:, :2], cropped['crop_to_source'])
    for (x, y, visible), place in zip(cropped['keypoints'], source, strict=True):
      if visible and 1 < x < 190 and 1 < y < 254:
        colour = cv2.getRectSubPix(cropped['image'], (1, 1), [float(x), float(y)])[0, 0]
        np.testing.assert_allclose(colour[:2] * 2.0, place, atol=4)


def test_a_mirror_swaps_left_and_right_and_twice_is_none():
  mirror = CropPerson(256, 192, mirror_prob=1.0)
  plain, once = CropPerson(256, 192)(make_example()), mirror(make_example())
  np.testing.assert_allclose(once['keypoints'][:, 0],
                             192 - plain['keypoints'][list(MIRRORED_JOINTS), 0], atol=1e-3)
  assert np.abs(once['image'][:, 1:].astype(int) - plain['image'][:, :0:-1]).mean() < 1
  whole = np.array([[0, 0, 192 / 1.25, 256 / 1.25]], np.float32)[0]
  shifted = {'image': once['image'], 'keypoints': once['keypoints'], 'rng': make_example()['rng'],
             'box_px': whole + np.array([96 - whole[2] / 2, 128 - whole[3] / 2, 0, 0], np.float32)}
  twice = mirror(shifted)
  np.testing.assert_allclose(twice['keypoints'], plain['keypoints'], atol=1e-3)


def test_joints_outside_the_crop_are_invisible():
  keypoints = make_keypoints()
  keypoints[0, :2] = 10, 290
  cropped = CropPerson(256, 192)(make_example(keypoints=keypoints))
  np.testing.assert_array_equal(cropped['keypoints'][:, 2], [0] + [2] * 16)


def test_what_lies_outside_the_picture_is_black():
  image = np.full((300, 400, 3), 255, np.uint8)
  box = np.array([-200, 50, 150, 200], np.float32)
  assert not CropPerson(256, 192)(make_example(image=image, box_px=box))['image'].any()
  box = np.array([-75, 50, 150, 200], np.float32)
  cropped = CropPerson(256, 192)(make_example(image=image, box_px=box))['image']
  assert not cropped[:, :90].any() and cropped[10:-10, 100:].min() == 255


def test_a_far_box_is_black_and_not_an_error():
  box = np.array([9e5, -9e5, 1e6, 1e-3], np.float32)
  assert not CropPerson(256, 192)(make_example(box_px=box))['image'].any()


def test_without_joints_or_a_box_all_of_the_picture_is_shown():
  cropped = CropPerson(256, 192)({'id': 'a', 'image': np.full((300, 400, 3), 255, np.uint8)})
  corners = move_points(np.array([[0.0, 0], [192, 256]]), cropped['crop_to_source'])
  np.testing.assert_allclose(corners[:, 0], [0, 400], atol=1e-4)    # not widened
  np.testing.assert_allclose(corners[:, 1], [150 - 800 / 3, 150 + 800 / 3], atol=1e-3)
  assert 'keypoints' not in cropped and 'box_px' not in cropped


def test_whole_pictures_are_for_their_main_person_alone():
  operation = CropPerson(256, 192, whole_frac=0.25)
  whole = operation({'image': make_picture(), 'rng': np.random.default_rng(0)})['crop_to_source']
  shares = {main: np.mean([np.array_equal(
      operation(make_example(seed, is_main=main))['crop_to_source'], whole)
                           for seed in range(200)]) for main in (False, True)}
  assert shares[False] == 0 and 0.15 < shares[True] < 0.35


def test_a_picture_of_another_size_than_told_is_refused():
  with pytest.raises(DecodeError, match='400 x 300 pixels, and its joints are those of one of 300'):
    CropPerson(256, 192)(make_example(source_size_px=np.array([300, 400], np.float32)))
  CropPerson(256, 192)(make_example(source_size_px=np.array([400, 300], np.float32)))


def size_and_turn(cropped):
  """Of what is shown: its width over that of the widened box, and the angle in degrees."""
  (a, b), (c, d) = cropped['crop_to_source'][:, :2]
  return np.hypot(a, c) * 192 / region_of_box((110, 50, 140, 220), 0.75)[1][0], np.degrees(
      np.arctan2(c, a))


def test_scale_and_rotation_have_their_published_spread():
  scales = [size_and_turn(CropPerson(256, 192, scale_frac=0.35)(make_example(seed)))[0]
            for seed in range(200)]
  assert min(scales) == pytest.approx(0.65) and max(scales) == pytest.approx(1.35)
  at_edge = np.mean(np.isclose(scales, 0.65) | np.isclose(scales, 1.35))
  assert 0.25 < at_edge < 0.4                                      # a normal's tails beyond one
  turns = np.array([size_and_turn(CropPerson(256, 192, rotation_deg=30)(make_example(seed)))[1]
                    for seed in range(200)])
  assert np.abs(turns).max() == pytest.approx(60, abs=1e-3)
  assert 0.3 < np.mean(np.abs(turns) < 1e-4) < 0.5
  assert 22 < turns[np.abs(turns) > 1e-4].std() < 36


def test_half_a_body_is_the_region_of_its_joints_around_their_mean():
  keypoints = make_keypoints()
  for upper, joints in ((True, list(UPPER_BODY)), (False, list(range(11, 17)))):
    centre, size = half_body_region(keypoints, 0.75, upper)
    points = keypoints[joints, :2]
    np.testing.assert_allclose(centre, points.mean(axis=0), rtol=1e-5)
    extent = np.ptp(points, axis=0)
    assert size[0] == pytest.approx(0.75 * size[1])
    assert size[1] == pytest.approx(1.5 * max(extent[1], extent[0] / 0.75))


def test_half_a_body_with_two_joints_gives_way_to_the_other_half():
  keypoints = make_keypoints()
  keypoints[13:, 2] = 0
  lower, upper = (half_body_region(keypoints, 0.75, half) for half in (False, True))
  np.testing.assert_array_equal(lower, upper)


@pytest.mark.parametrize('num_labelled, least, most', [(8, 0, 0), (9, 0.2, 0.4)])
def test_half_bodies_are_shown_of_persons_with_more_than_eight_joints(num_labelled, least, most):
  keypoints = make_keypoints()
  keypoints[num_labelled:, 2] = 0
  plain = CropPerson(256, 192)(make_example())['crop_to_source']
  operation = CropPerson(256, 192, half_body_prob=0.3)
  share = np.mean([not np.array_equal(
      operation(make_example(seed, keypoints=keypoints))['crop_to_source'], plain)
                   for seed in range(200)])
  assert least <= share <= most


def test_the_crop_follows_from_the_examples_own_seed():
  first, again, other = (EVERYTHING(make_example(seed)) for seed in (3, 3, 4))
  np.testing.assert_array_equal(first['image'], again['image'])
  np.testing.assert_array_equal(first['keypoints'], again['keypoints'])
  assert not np.array_equal(first['image'], other['image'])


def test_an_operation_changes_nothing_it_is_given():
  example = make_example()
  before = {key: np.copy(value) for key, value in example.items() if key != 'rng'}
  EVERYTHING(example)
  for key, value in before.items():
    np.testing.assert_array_equal(example[key], value)


def test_pictures_that_shrink_much_are_averaged_first():
  fine = np.tile(np.array([[[0] * 3, [255] * 3], [[255] * 3, [0] * 3]], np.uint8), (600, 800, 1))
  crop = CropPerson(128, 96)({'image': fine})['image']
  assert np.abs(crop[40:90, 5:-5].astype(int) - 127).max() <= 1     # a chessboard is grey from afar
  y, x = np.mgrid[:1000, :1000]
  ramps = np.stack([x / 5, y / 5, 0 * x], -1).astype(np.uint8)
  cropped = CropPerson(128, 96)({'image': ramps})
  places = np.array([[20.0, 40], [60, 80], [48, 64]])
  for place, source in zip(places, move_points(places, cropped['crop_to_source']), strict=True):
    colour = cropped['image'][int(place[1]), int(place[0])]
    np.testing.assert_allclose(colour[:2] * 5.0, source, atol=12)


def test_a_picture_longer_than_opencv_can_warp_is_cropped():
  image = np.zeros((40, 40_000, 3), np.uint8)
  image[:, 39_900:] = 255
  box = np.array([39_920, 5, 60, 30], np.float32)
  assert CropPerson(128, 96)(make_example(image=image, box_px=box))['image'][64].min() == 255
  assert CropPerson(128, 96)({'image': image})['image'].shape == (128, 96, 3)


def test_a_warp_reads_no_more_than_it_shows():
  image = make_picture()
  for seed in range(20):
    rng = np.random.default_rng(seed)
    region = region_of_box((*rng.uniform(-50, 300, 2), *rng.uniform(20, 200, 2)), 0.75)
    matrix = region_matrix(*region, rng.uniform(-90, 90), (96, 128), mirrored=seed % 2 == 0)
    difference = warp(image, matrix, (96, 128)).astype(int) - cv2.warpAffine(image, matrix,
                                                                             (96, 128))
    assert np.abs(difference).max() <= 1


def test_the_pipeline_of_persons_crops_and_then_changes_colours():
  pipeline = build_pipeline(make_config(), train=True, persons=True)
  assert pipeline == (Decode(1000), CropPerson(256, 192, 1.25, 0.5, 45.0, 0.35, 0.3, 0.1),
                      Cutout(0.25), Colour(0.2, 0.2, 0.2))
  plain = (Decode(1000), CropPerson(256, 192, 1.5))
  assert build_pipeline(make_config(widen=1.5), train=False, persons=True) == plain
  assert '\n' not in str(pipeline)


@pytest.mark.parametrize('name, field', [
    ('mirror', 'mirror_prob'), ('rotation', 'rotation_deg'), ('scale', 'scale_frac'),
    ('half_body', 'half_body_prob')])
def test_parts_of_the_one_crop_are_switched_by_their_own_names(name, field):
  crop = build_pipeline(make_config(augment=(name,), whole_frac=0.0), train=True, persons=True)[1]
  assert {key for key in ('mirror_prob', 'rotation_deg', 'scale_frac', 'half_body_prob',
                          'whole_frac') if getattr(crop, key)} == {field}


@pytest.mark.parametrize('persons, changes, words', [
    (True, {'augment': ('crop',)}, "'crop', which is for whole pictures alone; choose among"),
    (True, {'augment': ('translation',)}, "'translation', which is for whole pictures alone"),
    (True, {'augment': ('flip',)}, "'flip'; choose among mirror, rotation, scale, half_body"),
    (False, {'augment': ('half_body',)}, "'half_body', which is for persons cut out by their"),
    (True, {'image_size_px': 224}, 'image_size_px is 224, the height of a crop that is three'),
    (True, {'image_size_px': 96}, 'multiples of 32: choose one of 128, 256'),
    (True, {'scale_frac': 1.0}, 'scale_frac is 1.0; expected 0 to 0.9')])
def test_mistakes_are_told(persons, changes, words):
  with pytest.raises(UserError) as raised:
    build_pipeline(make_config(**changes), train=True, persons=persons)
  assert words in str(raised.value)
