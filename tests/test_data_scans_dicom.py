import sys
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from data.scans import open_scan
from errors import UserError
from tests.scan_files import SETTINGS, make_dataset, make_values, stored_pixels, write_dicom


def show(values, low, high):
  return np.clip((values.astype(float) - low) / (high - low), 0, 1)


def test_values_are_rescaled_and_shown_through_the_window_of_the_file(tmp_path):
  pixels = make_values()
  path = write_dicom(tmp_path / 'a.dcm', pixels, RescaleSlope='2', RescaleIntercept='-1024',
                     WindowCenter=['40', '900'], WindowWidth=['400', '3000'])
  scan = open_scan(path, SETTINGS)
  assert scan.window == (40 - 200, 40 + 199) and scan.num_slices == 1  # PS3.3 C.11.2.1.2
  shown = scan.slice(0)
  assert shown.dtype == np.float32
  np.testing.assert_allclose(shown, show(pixels * 2.0 - 1024, -160, 239), atol=1e-6)


def test_a_window_that_is_linear_exact_has_its_full_width(tmp_path):
  path = write_dicom(tmp_path / 'a.dcm', make_values(), WindowCenter='40', WindowWidth='400',
                     VOILUTFunction='LINEAR_EXACT')
  assert open_scan(path, SETTINGS).window == (-160, 240)


@pytest.mark.parametrize('window', [
    {}, {'WindowCenter': '100', 'WindowWidth': '1'}, {'WindowCenter': '100', 'WindowWidth': '0'},
    {'WindowCenter': '-90000', 'WindowWidth': '100'}, {'WindowCenter': '100'}])
def test_without_a_window_of_any_use_the_percentiles_are_one(tmp_path, window):
  pixels = make_values(40, 50)
  scan = open_scan(write_dicom(tmp_path / 'a.dcm', pixels, **window), SETTINGS)
  np.testing.assert_allclose(scan.window, np.percentile(pixels, [0.5, 99.5]))


def test_a_window_of_the_settings_goes_before_that_of_the_file(tmp_path):
  pixels = make_values()
  path = write_dicom(tmp_path / 'a.dcm', pixels, WindowCenter='40', WindowWidth='400')
  assert open_scan(path, SETTINGS._replace(window='50,20')).window == (40, 60)
  assert open_scan(path, SETTINGS._replace(window='full')).window == (pixels.min(), pixels.max())


def test_monochrome1_is_white_where_its_values_are_low(tmp_path):
  pixels = make_values()
  plain, inverted = (open_scan(write_dicom(tmp_path / f'{kind}.dcm', pixels, photometric=kind),
                               SETTINGS).slice(0) for kind in ('MONOCHROME2', 'MONOCHROME1'))
  np.testing.assert_allclose(plain, 1 - inverted, atol=1e-6)


def test_signed_pixels_with_bits_to_spare_are_read_as_they_are(tmp_path):
  pixels = (make_values(most=4096).astype(np.int16) - 2048)
  scan = open_scan(write_dicom(tmp_path / 'a.dcm', pixels, bits=12), SETTINGS)
  np.testing.assert_allclose(scan.slice(0), show(pixels, *scan.window), atol=1e-6)


@pytest.mark.parametrize('dtype, padding, tag', [
    (np.uint16, 4095, 4095), (np.int16, -2000, -2000), (np.int16, -2000, 63536)])
def test_padding_is_black_and_counts_for_no_window(tmp_path, dtype, padding, tag):
  pixels = make_values(40, 50, most=1000).astype(dtype)
  pixels[:9] = padding
  dataset = make_dataset(pixels)
  dataset.add_new('PixelPaddingValue', 'US' if tag >= 0 else 'SS', tag)
  dataset.save_as(tmp_path / 'a.dcm', enforce_file_format=True)
  scan = open_scan(tmp_path / 'a.dcm', SETTINGS)
  np.testing.assert_allclose(scan.window, np.percentile(pixels[9:], [0.5, 99.5]))
  assert not scan.slice(0)[:9].any()


def functional_groups(slope, intercept, window=None):
  groups, rescale = Dataset(), Dataset()
  rescale.RescaleSlope, rescale.RescaleIntercept = slope, intercept
  groups.PixelValueTransformationSequence = [rescale]
  if window:
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = window
    groups.FrameVOILUTSequence = [voi]
  return groups


def test_each_frame_has_the_scale_that_is_told_for_it(tmp_path):
  pixels = np.stack([make_values(seed=seed) for seed in range(3)])
  scales = [(1, 0), (2, -5), (0.5, 7)]
  path = write_dicom(tmp_path / 'a.dcm', pixels, PerFrameFunctionalGroupsSequence=[
      functional_groups(*scale, (600, 1001)) for scale in scales])
  scan = open_scan(path, SETTINGS)
  assert scan.num_slices == 3 and scan.series == '' and scan.window == (99.5, 1099.5)
  for k, (slope, intercept) in enumerate(scales):
    values = float(slope) * pixels[k] + intercept
    np.testing.assert_allclose(scan.slice(k), show(values, *scan.window), atol=1e-6)


def test_what_all_frames_share_is_used_too(tmp_path):
  pixels = make_values()[None].repeat(2, 0)
  path = write_dicom(tmp_path / 'a.dcm', pixels, SharedFunctionalGroupsSequence=[
      functional_groups(3, 1, (600, 1001))])
  scan = open_scan(path, SETTINGS)
  np.testing.assert_allclose(scan.slice(1), show(pixels[1] * 3.0 + 1, *scan.window), atol=1e-6)


@pytest.mark.parametrize('elements, patient', [
    ({}, 'P1'), ({'PatientID': ''}, '1.2.3'), ({'PatientID': ' '}, '1.2.3'),
    ({'PatientID': None}, '1.2.3'), ({'PatientID': None, 'StudyInstanceUID': None}, '')])
def test_a_patient_is_told_by_her_id_or_else_by_the_study(tmp_path, elements, patient):
  elements = {'StudyInstanceUID': '1.2.3', **elements}
  scan = open_scan(write_dicom(tmp_path / 'a.dcm', make_values(), **elements), SETTINGS)
  assert scan.patient == patient


def test_a_lone_slice_tells_its_series_and_place(tmp_path):
  path = write_dicom(tmp_path / 'a.dcm', make_values(), SeriesInstanceUID='1.2', InstanceNumber='7')
  scan = open_scan(path, SETTINGS)
  assert (scan.series, scan.order) == ('1.2', 7)


@pytest.mark.parametrize('photometric', ['MONOCHROME1', 'MONOCHROME2'])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16])
def test_slices_that_did_not_change_are_stored_as_they_were(tmp_path, photometric, dtype):
  pixels = np.stack([make_values(7, 5, seed, most=250).astype(dtype) for seed in range(2)])
  path = write_dicom(tmp_path / 'a.dcm', pixels, photometric=photometric, RescaleSlope='1.7',
                     RescaleIntercept='-30', WindowCenter='100', WindowWidth='80')
  scan = open_scan(path, SETTINGS)
  scan.save(tmp_path / 'b.dcm', [scan.slice(k) for k in range(2)])
  np.testing.assert_array_equal(stored_pixels(tmp_path / 'b.dcm'), pixels)


@pytest.mark.parametrize('photometric', ['MONOCHROME1', 'MONOCHROME2'])
def test_new_slices_are_stored_in_the_units_and_type_of_the_file(tmp_path, photometric):
  pixels = make_values(20, 30, most=2000).astype(np.int16)
  path = write_dicom(tmp_path / 'a.dcm', pixels, photometric=photometric, RescaleSlope='2',
                     RescaleIntercept='-1000', WindowCenter='500', WindowWidth='1001')
  scan, other = open_scan(path, SETTINGS), make_values(20, 30, 1) / np.float32(4000)
  scan.save(tmp_path / 'b.dcm', [other])
  saved = open_scan(tmp_path / 'b.dcm', SETTINGS)
  assert stored_pixels(tmp_path / 'b.dcm').dtype == np.int16 and saved.window == scan.window
  values = pixels * 2 - 1000
  inside = (values >= scan.window[0]) & (values <= scan.window[1])
  assert 0.1 < inside.mean() < 0.9
  np.testing.assert_allclose(saved.slice(0)[inside], other[inside], atol=1.01 / 1000)
  np.testing.assert_array_equal(stored_pixels(tmp_path / 'b.dcm')[~inside], pixels[~inside])


def test_padding_stays_padding_when_a_slice_is_saved(tmp_path):
  pixels = make_values(40, 50, most=1000)
  pixels[:9] = 4095
  path = write_dicom(tmp_path / 'a.dcm', pixels, PixelPaddingValue=4095)
  open_scan(path, SETTINGS).save(tmp_path / 'b.dcm', [np.ones(pixels.shape)])
  saved = stored_pixels(tmp_path / 'b.dcm')
  assert (saved[:9] == 4095).all() and (saved[9:] < 4095).all()


def test_new_values_fit_the_bits_that_are_stored(tmp_path):
  pixels = make_values(most=4096)
  path = write_dicom(tmp_path / 'a.dcm', pixels, bits=12, WindowCenter='3000', WindowWidth='6000')
  open_scan(path, SETTINGS).save(tmp_path / 'b.dcm', [np.ones(pixels.shape)])
  assert (stored_pixels(tmp_path / 'b.dcm') == 4095).all()


def test_a_restored_file_says_that_it_is_derived_and_of_what(tmp_path):
  path = write_dicom(tmp_path / 'a.dcm', make_values(), SOPInstanceUID='1.2.3', PatientName='Doe',
                     SeriesDescription='Chest', LargestImagePixelValue=9)
  scan = open_scan(path, SETTINGS)
  for name in ('b.dcm', 'c.dcm'):
    scan.save(tmp_path / name, [1 - scan.slice(0)])
  old, new, again = (pydicom.dcmread(tmp_path / name) for name in ('a.dcm', 'b.dcm', 'c.dcm'))
  assert list(new.ImageType) == ['DERIVED', 'SECONDARY', 'X']
  assert new.SOPInstanceUID not in (old.SOPInstanceUID, '')
  assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID == again.SOPInstanceUID
  assert new.SeriesInstanceUID == again.SeriesInstanceUID != old.SeriesInstanceUID
  assert 'estored' in new.DerivationDescription and new.SeriesDescription == 'Restored: Chest'
  assert new.SourceImageSequence[0].ReferencedSOPInstanceUID == '1.2.3'
  assert (new.PatientName, new.PatientID, new.StudyInstanceUID) == (
      old.PatientName, old.PatientID, old.StudyInstanceUID)
  assert 'LargestImagePixelValue' not in new


def test_compressed_pixels_are_read_and_saved_as_plain_ones(tmp_path):
  pixels = make_values(9, 7)
  dataset = make_dataset(pixels)
  dataset.compress(RLELossless)
  dataset.save_as(tmp_path / 'a.dcm', enforce_file_format=True)
  scan = open_scan(tmp_path / 'a.dcm', SETTINGS)
  np.testing.assert_allclose(scan.slice(0), show(pixels, *scan.window), atol=1e-6)
  scan.save(tmp_path / 'b.dcm', [scan.slice(0)])
  np.testing.assert_array_equal(stored_pixels(tmp_path / 'b.dcm'), pixels)
  assert not pydicom.dcmread(tmp_path / 'b.dcm').file_meta.TransferSyntaxUID.is_compressed


def test_big_endian_files_are_read_and_saved(tmp_path):
  pixels = make_values(9, 7)
  dataset = make_dataset(pixels)
  dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
  dataset.PixelData = pixels.astype('>u2').tobytes()
  dataset.save_as(tmp_path / 'a.dcm', implicit_vr=False, little_endian=False,
                  enforce_file_format=True)
  scan = open_scan(tmp_path / 'a.dcm', SETTINGS)
  np.testing.assert_allclose(scan.slice(0), show(pixels, *scan.window), atol=1e-6)
  scan.save(tmp_path / 'b.dcm', [scan.slice(0)])
  np.testing.assert_array_equal(stored_pixels(tmp_path / 'b.dcm'), pixels)


def test_an_odd_number_of_bytes_is_filled_up(tmp_path):
  pixels = make_values(3, 5, dtype=np.uint8, most=250)
  scan = open_scan(write_dicom(tmp_path / 'a.dcm', pixels), SETTINGS)
  scan.save(tmp_path / 'b.dcm', [scan.slice(0)])
  np.testing.assert_array_equal(stored_pixels(tmp_path / 'b.dcm'), pixels)


def test_without_pydicom_it_is_told_how_to_get_it(tmp_path, monkeypatch):
  path = write_dicom(tmp_path / 'a.dcm', make_values())
  monkeypatch.setitem(sys.modules, 'pydicom', None)
  with pytest.raises(UserError, match=r'DICOM files need pydicom: pip install -e \.\[scans\]'):
    open_scan(path, SETTINGS)


def test_what_pydicom_warns_of_is_no_matter(tmp_path):
  path = write_dicom(tmp_path / 'a.dcm', make_values())
  path.write_bytes(path.read_bytes().replace(b'P1', b'P\xff'))
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert open_scan(path, SETTINGS).patient
