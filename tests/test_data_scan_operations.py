import io
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.augment import Warp
from data.batch import check_batch, collate
from data.decode import DecodeError
from data.loader import Loader
from data.operations import build_pipeline
from data.scan_operations import KINDS, Corrupt, DecodeScan, ResizeScan, undo_resize
from errors import UserError


def make_config(**changes):
  defaults = dict(
      max_pixels=1000, image_size_px=16, pad='square', augment=('mirror', 'rotation', 'scale'),
      rotation_deg=10.0, scale_frac=0.1, translate_frac=0.05, corrupt=('keep',), keep_frac=0.4,
      keep_most_frac=0.0,
      noise_deviation=0.1, blur_px=1.5, missing_lines_frac=0.3, persons=SimpleNamespace(cut='none'))
  return SimpleNamespace(**{**defaults, **changes})


def make_slice(height_px=20, width_px=30, seed=0):
  return np.random.default_rng(seed).random((height_px, width_px, 1), np.float32)


def make_example(image, id='a#0', **fields):
  return {'id': id, 'image': image, **fields}


def make_corrupt(*kinds, **changes):
  return Corrupt(kinds, **{**dict(keep_frac=0.4, noise_deviation=0.1, blur_px=1.5,
                                  missing_lines_frac=0.3), **changes})


def png_of(pixels, format='PNG'):
  buffer = io.BytesIO()
  Image.fromarray(pixels).save(buffer, format)
  return buffer.getvalue()


def test_a_scan_becomes_the_picture_as_it_is():
  scan = make_slice()
  example = {'id': 'a', 'scan': scan, 'tags': ()}
  decoded = DecodeScan(1000)(example)
  assert decoded['image'] is scan and set(decoded) == {'id', 'image', 'tags'}
  assert 'scan' in example


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_the_bytes_of_a_picture_keep_their_bits(dtype):
  pixels = (make_slice()[..., 0] * np.iinfo(dtype).max).astype(dtype)
  image = DecodeScan(1000)({'id': 'a', 'image_bytes': png_of(pixels)})['image']
  assert image.dtype == np.float32 and image.shape == (20, 30, 1)
  np.testing.assert_array_equal(np.rint(image[..., 0] * np.iinfo(dtype).max), pixels)


def test_colour_becomes_grey():
  pixels = np.repeat((make_slice() * 255).astype(np.uint8), 3, -1)
  image = DecodeScan(1000)({'id': 'a', 'image_bytes': png_of(pixels)})['image']
  np.testing.assert_allclose(image[..., 0], pixels[..., 0] / 255, atol=1e-6)


def test_bytes_that_cannot_be_read_are_an_error():
  with pytest.raises(DecodeError, match='empty'):
    DecodeScan(1000)({'id': 'a', 'image_bytes': b''})
  with pytest.raises(DecodeError, match='max_pixels = 599'):
    DecodeScan(599)({'id': 'a', 'image_bytes': png_of(np.zeros((20, 30), np.uint8))})


@given(height_px=st.integers(1, 90), width_px=st.integers(1, 90), size_px=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_resize_gives_the_size_asked_for_within_0_and_1(height_px, width_px, size_px):
  image = ResizeScan(size_px)(make_example(make_slice(height_px, width_px)))['image']
  assert image.shape == (size_px, size_px, 1) and image.dtype == np.float32
  assert 0 <= image.min() and image.max() <= 1


def test_resize_keeps_the_shape_and_is_black_beside_it():
  image = ResizeScan(40)(make_example(np.ones((20, 40, 1), np.float32)))['image']
  assert not image[:10].any() and not image[30:].any() and (image[10:30] == 1).all()
  image = ResizeScan(20)(make_example(np.ones((40, 20, 1), np.float32)))['image']
  assert not image[:, :5].any() and not image[:, 15:].any()


def test_shrinking_averages_areas():
  scan = make_slice(32, 32)
  image = ResizeScan(16)(make_example(scan))['image']
  np.testing.assert_allclose(image[..., 0], scan.reshape(16, 2, 16, 2).mean((1, 3)), atol=1e-6)


def test_a_slice_of_the_right_size_passes_as_it_is():
  example = make_example(make_slice(16, 16))
  assert ResizeScan(16)(example) is example


@pytest.mark.parametrize('shape', [(16, 16), (32, 20), (7, 30), (64, 64)])
def test_a_smooth_slice_comes_back_from_its_square(shape):
  y, x = np.mgrid[:shape[0], :shape[1]] / max(shape)
  scan = (0.5 + 0.2 * np.sin(3 * x) + 0.2 * y).astype(np.float32)
  image = ResizeScan(32)(make_example(scan[..., None]))['image']
  back = undo_resize(image, shape)
  assert back.shape == shape and back.dtype == np.float32
  np.testing.assert_allclose(back, scan, atol=0.03)


def test_a_slice_without_damage_is_its_own_target():
  scan = make_slice()
  damaged = make_corrupt()(make_example(scan))
  np.testing.assert_array_equal(damaged['image'], scan)
  np.testing.assert_array_equal(damaged['target'], scan)
  assert (damaged['known'] == 1).all() and damaged['known'].shape == scan.shape


@pytest.mark.parametrize('kinds', [*[(kind,) for kind in KINDS], ('blur', 'rician', 'keep'),
                                   ('keep', 'gaussian', 'lines')])
def test_damage_stays_within_0_and_1_and_touches_nothing_it_is_given(kinds):
  scan = make_slice()
  before, example = scan.copy(), make_example(scan)
  damaged = make_corrupt(*kinds)(example)
  np.testing.assert_array_equal(scan, before)
  np.testing.assert_array_equal(damaged['target'], before)
  assert set(example) == {'id', 'image'}
  for key in ('image', 'target', 'known'):
    assert damaged[key].dtype == np.float32 and damaged[key].shape == scan.shape
    assert 0 <= damaged[key].min() and damaged[key].max() <= 1
  assert set(np.unique(damaged['known'])) <= {0, 1}
  assert not damaged['image'][damaged['known'] == 0].any()
  assert (damaged['image'] != before).any()


def test_the_share_that_is_kept_is_left_as_it_was():
  scan = make_slice(200, 200)
  damaged = make_corrupt('keep')(make_example(scan))
  known = damaged['known'] == 1
  assert abs(known.mean() - 0.4) < 0.01
  np.testing.assert_array_equal(damaged['image'][known], scan[known])


def test_whole_rows_are_lost():
  damaged = make_corrupt('lines', missing_lines_frac=0.25)(make_example(make_slice(40, 30)))
  assert set(damaged['known'].mean((1, 2))) == {0, 1}
  assert damaged['known'][:, 0, 0].sum() == 30


def test_noise_and_blur_lose_no_pixel():
  damaged = make_corrupt('blur', 'gaussian', 'rician')(make_example(make_slice()))
  assert (damaged['known'] == 1).all()


def test_gaussian_noise_has_its_deviation_and_no_bias():
  scan = np.full((300, 300, 1), 0.5, np.float32)
  noise = make_corrupt('gaussian', noise_deviation=0.05)(make_example(scan))['image'] - scan
  assert abs(noise.mean()) < 0.001 and abs(noise.std() - 0.05) < 0.001


def test_rician_noise_has_the_moments_of_its_distribution():
  # E[m^2] = x^2 + 2 deviation^2, and where there is nothing the mean is that of Rayleigh
  for value, deviation in ((0.0, 0.1), (0.3, 0.05)):
    scan = np.full((400, 400, 1), value, np.float32)
    image = make_corrupt('rician', noise_deviation=deviation)(make_example(scan))['image']
    np.testing.assert_allclose((image**2).mean(), value**2 + 2 * deviation**2, rtol=0.02)
    if not value:
      np.testing.assert_allclose(image.mean(), deviation * np.sqrt(np.pi / 2), rtol=0.02)


def test_blur_spreads_a_point_by_its_deviation():
  scan = np.zeros((41, 41, 1), np.float32)
  scan[20, 20] = 1
  image = make_corrupt('blur', blur_px=2.0)(make_example(scan))['image'][..., 0]
  np.testing.assert_allclose(image.sum(), 1, atol=1e-4)
  offsets = np.arange(41) - 20
  np.testing.assert_allclose((image.sum(0) * offsets**2).sum(), 4, rtol=0.05)


def test_kinds_follow_each_other_in_their_order():
  scan = np.zeros((30, 30, 1), np.float32)
  scan[:15] = 1
  one, other = (make_corrupt(*kinds)(make_example(scan))['image']
                for kinds in (('blur', 'gaussian'), ('gaussian', 'blur')))
  rough = [np.abs(np.diff(image[..., 0])).mean() for image in (one, other)]
  assert rough[0] > 3 * rough[1]


def test_training_draws_from_the_example_and_evaluation_from_the_id():
  scan, corrupt = make_slice(), make_corrupt('keep', 'rician')

  def damage(id, seed=None):
    rng = {} if seed is None else {'rng': np.random.default_rng(seed)}
    return corrupt(make_example(scan, id, **rng))['image']

  np.testing.assert_array_equal(damage('a'), damage('a'))
  assert (damage('a') != damage('b')).any()
  np.testing.assert_array_equal(damage('a', 3), damage('b', 3))
  assert (damage('a', 3) != damage('a', 4)).any()


def test_the_damage_of_an_id_is_the_same_everywhere():
  known = make_corrupt('keep')(make_example(np.ones((4, 4, 1), np.float32), 'scan.nii#7'))['known']
  assert ''.join(str(int(value)) for value in known.ravel()) == '1010101100100111'


class SliceSource:
  """Slices made from their number."""

  tag_names = tag_categories = ()
  max_tags = max_ignored = 0

  def __len__(self):
    return 7

  def __getitem__(self, index):
    return {'id': f'a#{index}', 'scan': make_slice(20, 24, index)}


@pytest.mark.parametrize('train', [False, True])
def test_batches_of_scans_pass_their_check_whatever_their_size(train):
  keys, rows = ('image', 'target', 'known'), {}
  for batch_size in (2, 7):
    loader = Loader(SliceSource(), build_pipeline(make_config(), train=train, scans=True),
                    batch_size=batch_size, train=train, keys=keys)
    for batch in loader.batches(0, loader.num_batches):
      check_batch(batch)
      assert batch['image'].shape == (batch_size, 16, 16, 1)
      for id, mask, image in zip(batch['id'], batch['mask'], batch['image'], strict=True):
        if mask and not train:
          np.testing.assert_array_equal(rows.setdefault(id, image), image)


def test_a_batch_of_scans_and_one_of_pictures_are_told_apart():
  example = make_example(make_slice(4, 4), target=make_slice(4, 4), known=make_slice(4, 4))
  batch = collate([example], 1, keys=('image', 'target', 'known'), max_tags=0)
  check_batch(batch)
  for key, value, words in (
      ('image', np.zeros((1, 4, 4, 3), np.float32), 'expected float32 [B, H, W, 1]'),
      ('image', np.zeros((1, 4, 4, 1), np.uint8), 'expected uint8 [B, H, W, 3]'),
      ('image', np.zeros((1, 4, 4, 1), np.float64), 'expected uint8 [B, H, W, 3]'),
      ('known', np.zeros((1, 4, 5, 1), np.float32), 'expected float32 [B, H, W, 1] with B = 1'),
      ('target', np.zeros((1, 4, 4, 3), np.float32), 'expected float32 [B, H, W, 1]')):
    with pytest.raises(ValueError) as raised:
      check_batch({**batch, key: value})
    assert words in str(raised.value)


def test_the_pipeline_of_scans_decodes_resizes_warps_and_damages():
  pipeline = build_pipeline(make_config(), train=True, scans=True)
  assert pipeline == (DecodeScan(1000), ResizeScan(16), Warp(0.5, 10.0, 0.1, 0.0, 0),
                      Corrupt(('keep',), 0.4, 0.1, 1.5, 0.3))
  assert build_pipeline(make_config(), train=False, scans=True) == (*pipeline[:2], pipeline[3])
  assert build_pipeline(make_config(), train=False, scans=True, corrupt=False)[2].kinds == ()
  assert '\n' not in str(pipeline)


def test_geometric_augmentations_move_a_slice_and_let_black_in():
  scan = np.ones((40, 40, 1), np.float32)
  for name, warp in (('rotation', Warp(0.0, 45, 0, 0, 0)), ('scale', Warp(0.0, 0, 0.5, 0, 0)),
                     ('translation', Warp(0.0, 0, 0, 0.5, 0))):
    images = [warp(make_example(scan, rng=np.random.default_rng(seed)))['image']
              for seed in range(4)]
    assert all(image.shape == scan.shape and image.dtype == np.float32 for image in images), name
    assert min(image.min() for image in images) == 0 and max(map(np.max, images)) <= 1
  scan = make_slice()
  mirrored = Warp(1.0, 0, 0, 0, 0)(make_example(scan, rng=np.random.default_rng(0)))['image']
  np.testing.assert_array_equal(mirrored, scan[:, ::-1])


@pytest.mark.parametrize('changes, words', [
    ({'augment': ('cutout',)}, "'cutout', which is for colour pictures alone; choose among mirror, "
                               'rotation, scale, translation.'),
    ({'augment': ('flip',)}, "'flip'; choose among mirror, rotation, scale, translation."),
    ({'pad': 'squish'}, "'squish', but scans keep their shape: leave it at 'square'"),
    ({'corrupt': ('snow',)}, "'snow'; choose among blur, gaussian, rician, keep, lines."),
    ({'keep_frac': 0.0}, 'keep_frac is 0.0; expected 0.001 to 1'),
    ({'corrupt': ('rician',), 'noise_deviation': -1.0}, 'noise_deviation is -1.0; expected 0 to'),
    ({'corrupt': ('blur',), 'blur_px': 0.0}, 'blur_px is 0.0; expected 0.1 to 100'),
    ({'corrupt': ('lines',), 'missing_lines_frac': 1.0}, 'missing_lines_frac is 1.0; expected')])
def test_mistakes_list_the_choices(changes, words):
  with pytest.raises(UserError) as raised:
    build_pipeline(make_config(**changes), train=True, scans=True)
  assert words in str(raised.value)


def test_training_draws_the_kept_share_and_evaluation_does_not():
  operation = make_corrupt('keep', keep_most_frac=1.0)
  picture = np.full((64, 64, 1), 0.5, np.float32)
  shares = [operation({'id': 'a', 'image': picture, 'rng': np.random.default_rng(seed)})[
      'known'].mean() for seed in range(200)]
  assert min(shares) > 0.35 and max(shares) > 0.95
  assert np.mean(shares) == pytest.approx(0.7, abs=0.05)
  assert operation({'id': 'a', 'image': picture})['known'].mean() == pytest.approx(0.4, abs=0.05)
