import gzip
import os
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from data.scans import open_scan
from errors import UserError
from tests.scan_files import SETTINGS, write_nifti

SHARED = Path(os.environ.get('OKO_SHARED', Path(__file__).parents[1] / '../shared'))
VOLUMES = SHARED / 'data/mri_nifti'


def make_voxels(shape=(4, 5, 6), dtype=np.int16, seed=0):
  return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


def show(values, scan):
  low, high = scan.window
  return np.clip((values.astype(float) - low) / (high - low), 0, 1)


def slices_of(scan):
  return [scan.slice(k) for k in range(scan.num_slices)]


@pytest.mark.parametrize('ending', ['.nii', '.nii.gz'])
@pytest.mark.parametrize('kind', [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_slices_follow_each_other_from_below(tmp_path, ending, kind):
  voxels = make_voxels()
  scan = open_scan(write_nifti(tmp_path / f'a{ending}', voxels, kind=kind), SETTINGS)
  assert scan.num_slices == 6 and scan.patient == ''
  for k in range(6):
    # right of the body on the left, its front above
    np.testing.assert_allclose(scan.slice(k), show(voxels[::-1, ::-1, k].T, scan), atol=1e-6)


def test_whatever_the_order_in_the_file_slices_look_alike(tmp_path):
  voxels = make_voxels()
  plain = slices_of(open_scan(write_nifti(tmp_path / 'a.nii', voxels), SETTINGS))
  for code in ('LPS', 'SAR', 'PIL', 'RSP'):
    image = nibabel.Nifti1Image(voxels, np.eye(4))
    orientation = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(np.eye(4)), nibabel.orientations.axcodes2ornt(code))
    turned = image.as_reoriented(orientation)
    assert ''.join(nibabel.aff2axcodes(turned.affine)) == code
    nibabel.save(turned, tmp_path / f'{code}.nii')
    for slice_, other in zip(plain, slices_of(open_scan(tmp_path / f'{code}.nii', SETTINGS)),
                             strict=True):
      np.testing.assert_array_equal(slice_, other)


@pytest.mark.parametrize('axis, shape', [(0, (6, 5)), (1, (6, 4)), (2, (5, 4))])
def test_the_axis_is_one_of_the_body(tmp_path, axis, shape):
  voxels = make_voxels()
  path = write_nifti(tmp_path / 'a.nii', voxels.transpose(2, 0, 1),
                     np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]))
  scan = open_scan(path, SETTINGS._replace(axis=axis))
  assert scan.num_slices == voxels.shape[axis] and scan.slice(0).shape == shape
  np.testing.assert_allclose(
      scan.slice(1), show(np.take(voxels, 1, axis)[::-1, ::-1].T, scan), atol=1e-6)


def test_values_are_scaled_and_windowed_by_the_volume(tmp_path):
  voxels = make_voxels((20, 20, 20))
  scan = open_scan(write_nifti(tmp_path / 'a.nii', voxels, scale=(2, -10)), SETTINGS)
  np.testing.assert_allclose(scan.window, np.percentile(voxels * 2.0 - 10, [0.5, 99.5]))
  full = open_scan(tmp_path / 'a.nii', SETTINGS._replace(window='full'))
  assert full.window == (voxels.min() * 2 - 10, voxels.max() * 2 - 10)


@pytest.mark.parametrize('dtype', [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64,
                                   '>i2', '>f4'])
@pytest.mark.parametrize('ending', ['.nii', '.nii.gz'])
def test_slices_that_did_not_change_leave_the_file_as_it_was(tmp_path, dtype, ending):
  path = write_nifti(tmp_path / f'a{ending}', make_voxels(dtype=dtype) * np.ones(1, dtype),
                     np.diag([-2, 1, 3, 1.0]), scale=(0.3, 5))
  scan = open_scan(path, SETTINGS)
  scan.save(tmp_path / f'b{ending}', slices_of(scan))
  unpack = gzip.decompress if ending == '.nii.gz' else bytes
  assert unpack((tmp_path / f'b{ending}').read_bytes()) == unpack(path.read_bytes())


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_new_slices_come_back_as_they_were_saved(tmp_path, axis):
  voxels = make_voxels((4, 5, 6), np.float32)
  path = write_nifti(tmp_path / 'a.nii.gz', voxels, np.diag([-2, 1, 3, 1.0]))
  scan = open_scan(path, SETTINGS._replace(axis=axis, window='full'))
  new = [1 - slice_ for slice_ in slices_of(scan)]
  scan.save(tmp_path / 'b.nii.gz', new)
  saved = open_scan(tmp_path / 'b.nii.gz', SETTINGS._replace(axis=axis, window='0,238'))
  values = nibabel.load(tmp_path / 'b.nii.gz').get_fdata()
  np.testing.assert_allclose(values, voxels.min() + voxels.max() - voxels, atol=1e-4)
  assert saved.num_slices == scan.num_slices
  np.testing.assert_array_equal(nibabel.load(tmp_path / 'b.nii.gz').affine,
                                nibabel.load(path).affine)


def test_values_outside_of_the_window_stay(tmp_path):
  voxels = make_voxels((10, 10, 10), np.uint8)
  scan = open_scan(write_nifti(tmp_path / 'a.nii', voxels), SETTINGS._replace(window='60,40'))
  scan.save(tmp_path / 'b.nii', [np.full(slice_.shape, 0.5) for slice_ in slices_of(scan)])
  inside = (voxels >= 40) & (voxels <= 80)
  np.testing.assert_array_equal(np.asanyarray(nibabel.load(tmp_path / 'b.nii').dataobj),
                                np.where(inside, 60, voxels))


def test_voxels_that_are_no_numbers_are_black_and_stay(tmp_path):
  voxels = make_voxels((10, 10, 10), np.float32)
  voxels[2], voxels[3], voxels[4] = np.nan, np.inf, -np.inf
  scan = open_scan(write_nifti(tmp_path / 'a.nii', voxels), SETTINGS)
  finite = voxels[np.isfinite(voxels)]
  np.testing.assert_allclose(scan.window, np.percentile(finite, [0.5, 99.5]))
  slices = slices_of(scan)
  assert np.isfinite(slices).all() and np.min(slices) == 0 and np.max(slices) == 1
  column = slices[0][0][::-1]
  assert (column[2], column[3], column[4]) == (0, 1, 0)
  scan.save(tmp_path / 'b.nii', [slice_ / 2 for slice_ in slices])
  saved = np.asanyarray(nibabel.load(tmp_path / 'b.nii').dataobj)
  np.testing.assert_array_equal(saved[2:5], voxels[2:5])


def test_a_volume_of_one_value_is_black_and_stays(tmp_path):
  voxels = np.full((4, 5, 6), 7, np.int16)
  scan = open_scan(write_nifti(tmp_path / 'a.nii', voxels), SETTINGS)
  assert not np.any(slices_of(scan)) and scan.fullness(0) == 0
  scan.save(tmp_path / 'b.nii', [slice_ + 0.5 for slice_ in slices_of(scan)])
  np.testing.assert_array_equal(np.asanyarray(nibabel.load(tmp_path / 'b.nii').dataobj), voxels)


def test_what_is_nearly_all_background_still_has_a_window(tmp_path):
  voxels = np.zeros((10, 10, 10), np.uint8)
  voxels[5, 5, 5] = 200
  assert open_scan(write_nifti(tmp_path / 'a.nii', voxels), SETTINGS).window == (0, 200)


@pytest.mark.parametrize('shape, num_slices', [((4, 5), 1), ((4, 5, 6, 1), 6)])
def test_sizes_of_one_do_not_count(tmp_path, shape, num_slices):
  path = write_nifti(tmp_path / 'a.nii', make_voxels(shape))
  assert open_scan(path, SETTINGS).num_slices == num_slices


def test_an_unpacked_volume_is_read_from_the_disk(tmp_path):
  plain, packed = (open_scan(write_nifti(tmp_path / f'a{ending}', make_voxels()), SETTINGS)
                   for ending in ('.nii', '.nii.gz'))
  assert plain.num_bytes == 0 and packed.num_bytes == 4 * 5 * 6 * 2


def test_a_scan_refuses_to_overwrite_itself_and_slices_that_do_not_fit(tmp_path):
  scan = open_scan(write_nifti(tmp_path / 'a.nii', make_voxels()), SETTINGS)
  with pytest.raises(ValueError, match='would be overwritten'):
    scan.save(tmp_path / '../' / tmp_path.name / 'a.nii', slices_of(scan))
  with pytest.raises(ValueError, match='has 6 slices; 5 are given'):
    scan.save(tmp_path / 'b.nii', slices_of(scan)[1:])
  with pytest.raises(ValueError, match=r'slice 0 has the shape \[4, 5\]; expected \[5, 4\]'):
    scan.save(tmp_path / 'b.nii', [slice_.T for slice_ in slices_of(scan)])


def test_a_net_that_gives_no_number_changes_nothing(tmp_path):
  voxels = make_voxels()
  scan = open_scan(write_nifti(tmp_path / 'a.nii', voxels), SETTINGS)
  scan.save(tmp_path / 'b.nii', [np.full(slice_.shape, np.nan) for slice_ in slices_of(scan)])
  assert (tmp_path / 'b.nii').read_bytes() == (tmp_path / 'a.nii').read_bytes()


def test_without_nibabel_it_is_told_how_to_get_it(tmp_path, monkeypatch):
  path = write_nifti(tmp_path / 'a.nii', make_voxels())
  monkeypatch.setitem(sys.modules, 'nibabel', None)
  with pytest.raises(UserError, match=r'NIfTI files need nibabel: pip install -e \.\[scans\]'):
    open_scan(path, SETTINGS)


@pytest.mark.skipif(not VOLUMES.exists(), reason='no such volumes here')
@pytest.mark.parametrize('name', ['chris_PD.nii.gz', 'spm152.nii.gz', 'CT_pitch.nii.gz'])
def test_real_volumes_keep_every_voxel_that_did_not_change(name, tmp_path):
  scan = open_scan(VOLUMES / name, SETTINGS)
  slices = slices_of(scan)
  assert np.isfinite(slices).all() and np.max(slices) == 1 and np.min(slices) == 0
  scan.save(tmp_path / 'b.nii', slices)
  assert (tmp_path / 'b.nii').read_bytes() == gzip.decompress((VOLUMES / name).read_bytes())


@pytest.mark.skipif(not VOLUMES.exists(), reason='no such volumes here')
def test_a_head_is_seen_from_below_with_its_face_above():
  scan = open_scan(VOLUMES / 'chris_PD.nii.gz', SETTINGS)
  # in a sagittal slice the nose, left of the skull, is lower than the brow
  side = open_scan(scan.path, SETTINGS._replace(axis=0)).slice(95)
  assert scan.slice(12)[:20].sum() > 0 and side.shape == (54, 256)
  assert side[40:, :60].mean() > side[:10, :60].mean()
