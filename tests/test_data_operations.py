import io
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.augment import Colour, Cutout, RandomCrop, Warp
from data.decode import DecodeError
from data.joints import MIRRORED_JOINTS
from data.operations import AUGMENTATIONS, Decode, Resize, build_pipeline
from data.rand_augment import RandAugment
from errors import UserError

JOINTS = ('nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow '
          'right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle '
          'right_ankle').split()


def make_config(**changes):
  defaults = dict(
      max_pixels=1000, image_size_px=16, pad='square', augment=AUGMENTATIONS, rotation_deg=10.0,
      scale_frac=0.1, translate_frac=0.05, cutout_frac=0.25, colour_frac=0.2, crop_least_frac=0.3,
      crop_aspect=1.5, randaugment_count=2, randaugment_magnitude=9.0,
      persons=SimpleNamespace(cut='none'))
  return SimpleNamespace(**{**defaults, **changes})


def make_noise(height_px=20, width_px=30, seed=0):
  return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def make_example(image, seed=0, **fields):
  return {'id': 'a', 'image': image, 'rng': np.random.default_rng(seed), **fields}


def make_png(image):
  buffer = io.BytesIO()
  Image.fromarray(image).save(buffer, 'PNG')
  return buffer.getvalue()


def make_spots(points, height_px, width_px):
  """White, with one dark disc per point; discs of different size tell which is which."""
  image = np.full((height_px, width_px, 3), 255, np.uint8)
  for i, (x, y) in enumerate(points):
    cv2.circle(image, (int(x), int(y)), 3 + 2 * i, (0, 0, 0), -1)
  return image


def find_spots(image):
  """Centres of the dark spots, the smallest first."""
  dark = (image[..., 0] < 128).astype(np.uint8)
  count, _, stats, centres = cv2.connectedComponentsWithStats(dark)
  order = np.argsort(stats[1:count, cv2.CC_STAT_AREA])
  return centres[1:][order]


def make_keypoints(points):
  """Keypoints [17, 3] whose first joints lie at the points, the others at the first point."""
  keypoints = np.zeros((17, 3), np.float32)
  keypoints[:, :2] = points[0]
  keypoints[:len(points), :2] = points
  keypoints[:, 2] = 2
  return keypoints


def test_decode_replaces_the_bytes_by_the_picture():
  image = make_noise()
  example = {'id': 'a', 'image_bytes': make_png(image)}
  decoded = Decode(1000)(example)
  np.testing.assert_array_equal(decoded['image'], image)
  assert 'image_bytes' not in decoded and 'image' not in example


def test_decode_refuses_more_than_its_pixels():
  with pytest.raises(DecodeError):
    Decode(599)({'id': 'a', 'image_bytes': make_png(make_noise())})


@given(height_px=st.integers(1, 90), width_px=st.integers(1, 90), size_px=st.integers(1, 40),
       pad=st.sampled_from(['square', 'squish']))
@settings(max_examples=60, deadline=None)
def test_resize_gives_the_size_asked_for_whatever_comes(height_px, width_px, size_px, pad):
  example = make_example(make_noise(height_px, width_px))
  assert Resize(size_px, pad)(example)['image'].shape == (size_px, size_px, 3)


def test_resize_passes_a_picture_of_the_right_size_as_it_is():
  example = make_example(make_noise(16, 16))
  assert Resize(16, 'square')(example) is example


def test_square_keeps_the_shape_and_centres_it_on_white():
  image = Resize(40, 'square')(make_example(np.zeros((20, 40, 3), np.uint8)))['image']
  assert image[:10].min() == image[30:].min() == 255
  assert image[10:30].max() == 0
  image = Resize(20, 'square')(make_example(np.zeros((40, 20, 3), np.uint8)))['image']
  assert image[:, :5].min() == image[:, 15:].min() == 255
  assert image[:, 5:15].max() == 0


def test_squish_fills_the_whole_square():
  assert Resize(40, 'squish')(make_example(np.zeros((20, 40, 3), np.uint8)))['image'].max() == 0


def test_shrinking_averages_areas():
  image = make_noise(32, 32)
  shrunk = Resize(16, 'square')(make_example(image))['image']
  means = image.reshape(16, 2, 16, 2, 3).mean((1, 3))
  np.testing.assert_allclose(shrunk, means, atol=1)


@pytest.mark.parametrize('pad', ['square', 'squish'])
@pytest.mark.parametrize('size_px', [60, 200])
def test_resize_moves_keypoints_and_boxes_with_the_picture(pad, size_px):
  points = [(30, 20), (90, 50)]
  example = make_example(make_spots(points, 80, 120), keypoints=make_keypoints(points)[None],
                         box_px=np.array([[20, 10, 40, 30]], np.float32))
  resized = Resize(size_px, pad)(example)
  np.testing.assert_allclose(resized['keypoints'][0, :2, :2], find_spots(resized['image']), atol=1)
  zooms = np.array([size_px / 120, size_px / (120 if pad == 'square' else 80)])
  np.testing.assert_allclose(resized['box_px'][0, 2:], [40, 30] * zooms, rtol=0.02)
  assert resized['keypoints'].dtype == resized['box_px'].dtype == np.float32


@pytest.mark.parametrize('operation', [
    Resize(90, 'square'), Resize(90, 'squish'), Resize(30, 'square'), Resize(20, 'squish'),
    Warp(0.0, 15, 0.1, 0.05), Warp(0.0, 0, 0.1, 0), RandomCrop(90, 'square', 0.5, 1.5),
    RandomCrop(90, 'squish', 0.6, 1.2)])
def test_points_move_by_the_exact_amount_and_not_half_a_pixel_off(operation):
  y, x = np.mgrid[:40, :60]
  ramps = np.stack([4 * x, 6 * y, 0 * x], -1).astype(np.uint8)  # colour tells where a pixel was
  points = [(20, 15), (40, 25), (33, 12)]
  moved = operation(make_example(ramps, 2, keypoints=make_keypoints(points)))
  for (x, y), target in zip(points, moved['keypoints'][:3, :2], strict=True):
    colour = cv2.getRectSubPix(moved['image'], (1, 1), [float(c) for c in target])[0, 0]
    np.testing.assert_allclose(colour[:2] / [4, 6], [x, y], atol=0.2)


@pytest.mark.parametrize('mirror_prob', [0.0, 1.0])
@pytest.mark.parametrize('seed', range(4))
def test_warp_moves_keypoints_with_the_picture(mirror_prob, seed):
  points = [(40, 40), (80, 45), (60, 80)]
  warp = Warp(mirror_prob, rotation_deg=20, scale_frac=0.2, translate_frac=0.05)
  warped = warp(make_example(make_spots(points, 120, 120), seed, keypoints=make_keypoints(points)))
  # In a mirror the left eye is joint 2; the nose stays joint 0.
  joints = (0, 2, 1) if mirror_prob else (0, 1, 2)
  np.testing.assert_allclose(warped['keypoints'][joints, :2], find_spots(warped['image']), atol=1)


def test_a_mirror_swaps_every_left_joint_with_its_right_one():
  for joint, other in zip(JOINTS, MIRRORED_JOINTS, strict=True):
    swapped = joint.replace('left', '?').replace('right', 'left').replace('?', 'right')
    assert JOINTS[other] == swapped


def test_a_mirror_alone_is_exact():
  image = make_noise()
  mirror = Warp(1.0, 0, 0, 0)
  np.testing.assert_array_equal(mirror(make_example(image))['image'], image[:, ::-1])
  moved = mirror(make_example(image, box_px=np.array([2, 3, 10, 5], np.float32)))['box_px']
  np.testing.assert_allclose(moved, [30 - 1 - 12, 3, 10, 5])
  assert Warp(0.0, 0, 0, 0)(make_example(image))['image'] is image


def test_a_mirror_refuses_joints_it_cannot_name():
  with pytest.raises(ValueError, match='17 COCO joints'):
    Warp(1.0, 0, 0, 0)(make_example(make_noise(), keypoints=np.zeros((5, 3), np.float32)))


def test_the_affine_warp_mirrors_as_the_flip_does():
  image = cv2.GaussianBlur(make_noise(64, 64), (0, 0), 2)
  flipped = Warp(1.0, 0, 0, 0)(make_example(image))['image'].astype(int)
  warped = Warp(1.0, 0, 0, 1e-9)(make_example(image))['image'].astype(int)
  assert np.abs(flipped - warped).max() <= 1


def test_joints_that_leave_the_picture_become_invisible_and_boxes_stay_inside():
  example = make_example(make_noise(50, 50), 3, keypoints=make_keypoints([(0, 0), (25, 25)]),
                         box_px=np.array([0, 0, 49, 49], np.float32))
  warped = Warp(0.0, 30, 0, 0)(example)
  assert warped['keypoints'][0, 2] == 0 and warped['keypoints'][1, 2] == 2
  x, y, width, height = warped['box_px']
  assert x >= -0.5 and y >= -0.5 and x + width <= 49.5 and y + height <= 49.5


def test_what_comes_in_from_outside_is_white():
  image = np.zeros((40, 40, 3), np.uint8)
  assert Warp(0.0, 45, 0, 0)(make_example(image, 1))['image'].max() == 255


def test_half_of_the_pictures_are_mirrored():
  image = make_noise(4, 4)
  images = [Warp(0.5, 0, 0, 0)(make_example(image, seed))['image'] for seed in range(200)]
  assert 70 < sum(other is not image for other in images) < 130


def test_cutout_covers_a_square_of_its_side_and_copies():
  image = np.zeros((64, 48, 3), np.uint8)
  areas = [(Cutout(0.25)(make_example(image, seed))['image'] == 127).all(-1).sum()
           for seed in range(60)]
  assert max(areas) == 12 * 12  # of the shorter side
  assert min(areas) >= 6 * 6 and min(areas) < 12 * 12  # the edge may cut it
  assert not image.any()


def test_a_pipeline_covers_the_picture_that_it_has_made_without_a_copy():
  image = np.zeros((64, 48, 3), np.uint8)
  built = build_pipeline(make_config(augment=('cutout',)), train=True)[-1]
  copied = Cutout(built.size_frac)(make_example(image))['image']
  assert built(make_example(image))['image'] is image and (image == copied).all()


def test_colour_with_no_extent_changes_nothing():
  image = make_noise()
  np.testing.assert_array_equal(Colour(0.0, 0.0, 0.0)(make_example(image))['image'], image)


def test_brightness_is_a_factor_for_all_pixels():
  image = make_noise() // 4 + 60
  changed = Colour(0.5, 0.0, 0.0)(make_example(image))['image']
  factor = 1 + 0.5 * np.random.default_rng(0).uniform(-1, 1, 3)[0]
  np.testing.assert_allclose(changed, image * factor, atol=1)


def test_contrast_keeps_the_mean_grey():
  image = make_noise(60, 60) // 4 + 96
  changed = Colour(0.0, 0.5, 0.0)(make_example(image, 1))['image']
  luma = [0.299, 0.587, 0.114]
  assert abs((image @ luma).mean() - (changed @ luma).mean()) < 1
  assert abs(image.std() - changed.std()) > 1


def test_saturation_keeps_the_grey_of_each_pixel():
  image = make_noise(60, 60) // 4 + 96
  changed = Colour(0.0, 0.0, 0.9)(make_example(image, 1))['image']
  luma = [0.299, 0.587, 0.114]
  np.testing.assert_allclose(changed @ luma, image @ luma, atol=1)
  assert np.abs(image.astype(int) - changed).max() > 10


@pytest.mark.parametrize('operation', [
    Warp(0.5, 10, 0.1, 0.1), Warp(0.5, 0, 0, 0), Cutout(0.3), Colour(0.2, 0.2, 0.2),
    RandomCrop(32, 'square', 0.2, 1.3), RandAugment(2, 9.0)])
def test_random_operations_draw_only_from_the_example(operation):
  image = make_noise(32, 32)
  before = image.copy()
  one, two = (operation(make_example(image, 5))['image'] for _ in range(2))
  np.testing.assert_array_equal(one, two)
  np.testing.assert_array_equal(image, before)
  others = [operation(make_example(image, seed))['image'] for seed in range(10)]
  assert any((other != one).any() for other in others)


def test_evaluation_only_decodes_and_resizes():
  assert build_pipeline(make_config(), train=False) == (Decode(1000), Resize(16, 'square'))


@pytest.mark.parametrize('names, kinds', [
    ((), [Resize]), (('mirror',), [Resize, Warp]), (('rotation', 'mirror'), [Resize, Warp]),
    (('colour', 'cutout'), [Resize, Cutout, Colour]), (('crop',), [RandomCrop]),
    (('randaugment', 'scale'), [Resize, Warp, RandAugment])])
def test_the_augmentations_named_are_the_ones_built(names, kinds):
  pipeline = build_pipeline(make_config(augment=names), train=True)
  assert [type(operation) for operation in pipeline[1:]] == kinds


@pytest.mark.parametrize('names, warp', [
    (('mirror',), Warp(0.5, 0, 0, 0)), (('rotation',), Warp(0.0, 10, 0, 0)),
    (('scale',), Warp(0.0, 0, 0.1, 0)), (('translation',), Warp(0.0, 0, 0, 0.05)),
    (('scale', 'mirror', 'rotation', 'translation'), Warp(0.5, 10, 0.1, 0.05))])
def test_parts_of_the_one_warp_are_switched_by_their_own_names(names, warp):
  assert build_pipeline(make_config(augment=names), train=True)[2:] == (warp,)


def test_a_pipeline_prints_as_one_line():
  line = str(build_pipeline(make_config(augment=('mirror',)), train=True))
  assert '\n' not in line
  assert line.startswith("(Decode(max_pixels=1000), Resize(size_px=16, pad='square'), Warp(")


@pytest.mark.parametrize('changes, words', [
    ({'augment': ('mirror', 'flip')}, "'flip'; choose among mirror, rotation, scale, translation,"),
    ({'augment': ('warp',)}, "became three: write 'rotation', 'scale', 'translation'"),
    ({'pad': 'crop'}, "'crop'; choose one of square, squish"),
    ({'crop_least_frac': 0.0}, 'crop_least_frac is 0.0; expected 0.01 to 1'),
    ({'randaugment_magnitude': 11.0}, 'randaugment_magnitude is 11.0; expected 0 to 10'),
    ({'rotation_deg': float('nan')}, 'rotation_deg is nan; expected 0 to 360'),
    ({'colour_frac': float('inf')}, 'colour_frac is inf; expected 0 to 1'),
    ({'scale_frac': 1.0}, 'scale_frac is 1.0; expected 0 to 0.9')])
def test_mistakes_list_the_choices(changes, words):
  with pytest.raises(UserError) as raised:
    build_pipeline(make_config(**changes), train=True)
  assert words in str(raised.value)


def test_evaluation_does_not_mind_a_name_that_training_no_longer_has():
  assert len(build_pipeline(make_config(augment=('warp',)), train=False)) == 2
