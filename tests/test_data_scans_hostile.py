"""Scans that are broken, of a kind that cannot be read, or made to do harm."""

import gzip
import resource
import struct
import time

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2K, JPEGLosslessSV1, JPEGLSLossless

from data.decode import DecodeError
from data.scans import open_scan
from data.scans.scan import ScanError, Settings, read_settings
from errors import UserError
from tests.scan_files import (
    SETTINGS,
    change_header,
    make_config,
    make_dataset,
    make_values,
    write_dicom,
    write_nifti,
)

VOXELS = np.arange(120, dtype=np.int16).reshape(4, 5, 6)


def reason(path, settings=SETTINGS):
  with pytest.raises(ScanError) as raised:
    open_scan(path, settings)
  assert isinstance(raised.value, DecodeError) and '\n' not in str(raised.value)
  return str(raised.value)


@pytest.mark.parametrize('name, content, words', [
    ('a.dcm', b'', 'the file is empty'),
    ('a.dcm', b'x' * 1000, 'it is named as DICOM, but does not begin as such a file does'),
    ('a.nii', b'x' * 1000, 'it is named as NIfTI, but does not begin'),
    ('a.png', b'x' * 1000, 'it is named as PNG, but does not begin'),
    ('a', b'x' * 1000, 'it is none of DICOM, NIfTI, PNG, TIFF'),
    ('a.dcm', bytes(128) + b'DICM', 'it holds no pixels'),
    ('a.dcm', bytes(128) + b'DICM' + b'\xff' * 500, 'it holds no pixels'),
    ('a.nii.gz', gzip.compress(b'hello' * 200, mtime=0),
     'it is no NIfTI file: its magic word is not there'),
    ('a.nii.gz', gzip.compress(b'', mtime=0), 'it is no NIfTI file'),
    ('a.nii.gz', b'\x1f\x8b\x08\x00hello', 'the gzip file is broken or cut off'),
    ('a.png', b'\x89PNG\r\n\x1a\n' + b'x' * 100, 'the PNG file is broken'),
    ('a.tif', b'II*\0' + b'x' * 100, 'the TIFF file is broken'),
])
def test_bytes_that_are_no_scan_are_told(tmp_path, name, content, words):
  (tmp_path / name).write_bytes(content)
  assert words in reason(tmp_path / name)


@pytest.mark.parametrize('elements, words', [
    ({'PixelData': None}, 'it holds no pixels (a report, a plan, a map, or a file that was cut'),
    ({'PhotometricInterpretation': 'PALETTE COLOR'}, 'its pixels are PALETTE COLOR, which is col'),
    ({'PhotometricInterpretation': 'RGB'}, 'its pixels are RGB, which is colour: expected grey'),
    ({'PhotometricInterpretation': None}, 'the DICOM file is broken'),
    ({'SamplesPerPixel': 3}, 'which is colour'),
    ({'BitsAllocated': 1}, 'its pixels have 1 bits; expected one of (8, 16, 32)'),
    ({'BitsStored': None}, 'the DICOM file is broken'),
    ({'BitsStored': 0}, 'the DICOM file is broken'),
    ({'PixelRepresentation': 7}, 'the DICOM file is broken'),
    ({'Rows': 0}, 'no pixel'),
    ({'Rows': None}, 'the DICOM file is broken'),
    ({'Rows': 700}, 'less than expected'),
    ({'Rows': 60_000, 'Columns': 60_000}, '60000 x 60000 pixels, more than max_pixels = 50,000'),
    ({'NumberOfFrames': 2_000_000_000}, 'it has 2,000,000,000 slices of 5 x 6 pixels, more than'),
    ({'NumberOfFrames': 9}, 'less than expected'),
    ({'NumberOfFrames': -3}, 'no pixel'),
    ({'RescaleSlope': '0'}, 'its rescale slope is 0.0'),
    ({'RescaleSlope': 'nan'}, 'its rescale slope is nan'),
    ({'RescaleIntercept': 'inf'}, 'and its intercept inf'),
    ({'ModalityLUTSequence': [Dataset()]}, 'its values come from a lookup table'),
])
def test_dicom_files_that_are_no_grey_slices_say_why(tmp_path, elements, words):
  with pydicom.config.disable_value_validation():
    path = write_dicom(tmp_path / 'a.dcm', make_values(), **elements)
  assert words in reason(path)


def test_numbers_that_are_none_are_told(tmp_path):
  path = write_dicom(tmp_path / 'a.dcm', make_values(), RescaleSlope='1.2345')
  path.write_bytes(path.read_bytes().replace(b'1.2345', b'slope?'))
  assert 'the DICOM file is broken: could not convert string to float' in reason(path)


def test_colour_is_told(tmp_path):
  pixels = np.zeros((4, 5, 3), np.uint8)
  path = write_dicom(tmp_path / 'a.dcm', pixels, photometric='RGB')
  assert reason(path) == 'its pixels are RGB, which is colour: expected grey, ' \
                         'MONOCHROME1 or MONOCHROME2'


@pytest.mark.parametrize('share', [0.1, 0.4, 0.5, 0.6, 0.8, 0.95, 0.999])
def test_a_dicom_file_that_is_cut_off_is_told(tmp_path, share):
  content = write_dicom(tmp_path / 'a.dcm', make_values(40, 30)).read_bytes()
  (tmp_path / 'b.dcm').write_bytes(content[:int(len(content) * share)])
  assert reason(tmp_path / 'b.dcm')


@pytest.mark.parametrize('syntax, package', [
    (JPEGLSLossless, 'pip install pylibjpeg pylibjpeg-libjpeg'),
    (JPEGLosslessSV1, 'pip install pylibjpeg pylibjpeg-libjpeg'),
    (HTJ2K, 'pip install pylibjpeg pylibjpeg-openjpeg')])
def test_pixels_that_need_a_decoder_name_its_package(tmp_path, syntax, package):
  if pydicom.pixels.get_decoder(syntax).is_available:
    pytest.skip('the decoder is here')
  dataset = make_dataset(make_values())
  dataset.PixelData = encapsulate([b'\xff\xd8\xff\xf7' + bytes(20)])
  dataset['PixelData'].is_undefined_length = True
  dataset.file_meta.TransferSyntaxUID = syntax
  dataset.save_as(tmp_path / 'a.dcm', enforce_file_format=True)
  message = reason(tmp_path / 'a.dcm')
  assert package in message and f'its pixels are in {syntax.name}' in message


def test_compressed_pixels_that_are_broken_are_told(tmp_path):
  dataset = make_dataset(make_values(dtype=np.uint8, most=200))
  dataset.PixelData = encapsulate([b'\xff\xd8\xff\xe0' + bytes(20)])
  dataset['PixelData'].is_undefined_length = True
  dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
  dataset.save_as(tmp_path / 'a.dcm', enforce_file_format=True)
  assert 'cannot be decoded' in reason(tmp_path / 'a.dcm')


def test_deeply_nested_sequences_are_told(tmp_path):
  item = Dataset()
  for _ in range(100):
    outer = Dataset()
    outer.ReferencedImageSequence = [item]
    item = outer
  path = write_dicom(tmp_path / 'a.dcm', make_values(), ReferencedImageSequence=[item])
  assert open_scan(path, SETTINGS).num_slices == 1
  content = path.read_bytes()
  opening = struct.pack('<HH2sHLHHL', 0x0008, 0x1140, b'SQ', 0, 0xffffffff, 0xfffe, 0xe000,
                        0xffffffff)
  (tmp_path / 'b.dcm').write_bytes(content[:132] + content[132:400] + opening * 50_000)
  assert reason(tmp_path / 'b.dcm')


def nifti(tmp_path, voxels=VOXELS, name='a.nii', **fields):
  path = write_nifti(tmp_path / name, voxels)
  change_header(path, **fields)
  return path


@pytest.mark.parametrize('fields, words', [
    ({'dim': [3, 0, 5, 6, 1, 1, 1, 1]}, 'its size is 0 x 5 x 6: no voxel'),
    ({'dim': [0, 4, 5, 6, 1, 1, 1, 1]}, 'its size is 0: no voxel'),
    ({'dim': [3, -4, 5, 6, 1, 1, 1, 1]}, 'its size is -4 x 5 x 6: no voxel'),
    ({'dim': [-3, 4, 5, 6, 1, 1, 1, 1]}, 'the NIfTI file is broken'),
    ({'dim': [1, 120, 1, 1, 1, 1, 1, 1]}, 'its size is 120 x 1 x 1: a row of numbers, no slices'),
    ({'dim': [4, 4, 5, 2, 3, 1, 1, 1]}, 'it has 3 volumes (its size is 4 x 5 x 2 x 3): split it'),
    ({'dim': [5, 4, 5, 1, 1, 6, 1, 1]}, 'it has 6 volumes'),
    ({'dim': [3, 4, 5, 7, 1, 1, 1, 1]}, 'it is cut off, or its header is wrong: 4 x 5 x 7 voxels '
                                        'take 280 bytes, and the file has 592'),
    ({'dim': [3, 32767, 32767, 1, 1, 1, 1, 1]}, 'pixels, more than max_pixels = 50,000,000'),
    ({'dim': [3, 3000, 3000, 3000, 1, 1, 1, 1]}, 'more than 10 times max_pixels = 50,000,000'),
    ({'datatype': 77}, 'the NIfTI file is broken'),
    ({'datatype': 0}, 'the NIfTI file is broken'),
    ({'vox_offset': np.nan}, 'the NIfTI file is broken'),
    ({'vox_offset': 1e9}, 'its voxels begin at byte 1,000,000,000'),
    ({'vox_offset': 0}, 'its voxels begin at byte 0'),
    ({'vox_offset': -400}, 'the NIfTI file is broken'),
    ({'magic': b'ni1'}, 'it is the header of two files, .hdr and .img'),
    ({'magic': b'xyz'}, 'it is named as NIfTI, but does not begin as such a file does'),
    ({'scl_slope': 2, 'scl_inter': np.inf}, 'the NIfTI file is broken'),
    ({'srow_x': [np.nan] * 4}, 'the NIfTI file is broken'),
    ({'srow_x': [0] * 4, 'srow_y': [0] * 4, 'srow_z': [0] * 4}, 'its affine matrix tells no orien'),
])
def test_nifti_headers_that_make_no_sense_say_why(tmp_path, fields, words):
  assert words in reason(nifti(tmp_path, **fields))


@pytest.mark.parametrize('fields', [
    {'scl_slope': 0}, {'scl_slope': np.nan}, {'pixdim': [0] * 8}, {'pixdim': [1, -1, 2, 3] * 2},
    {'qform_code': 99}])
def test_small_mistakes_in_a_header_do_no_harm(tmp_path, fields):
  assert open_scan(nifti(tmp_path, **fields), SETTINGS).num_slices == 6


@pytest.mark.parametrize('dtype, words', [
    (np.complex64, 'its voxels are complex numbers; expected one number each'),
    ([('R', 'u1'), ('G', 'u1'), ('B', 'u1')], 'its voxels are colours; expected one number each')])
def test_voxels_that_are_no_numbers_are_told(tmp_path, dtype, words):
  path = tmp_path / 'a.nii'
  nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype), np.eye(4)), path)
  assert words in reason(path)


def test_a_volume_without_any_number_is_told(tmp_path):
  path = write_nifti(tmp_path / 'a.nii', np.full((4, 5, 6), np.nan, np.float32))
  assert reason(path) == 'no pixel of it has a value'


@pytest.mark.parametrize('ending', ['.nii', '.nii.gz'])
@pytest.mark.parametrize('share', [0.02, 0.3, 0.7, 0.99])
def test_a_volume_that_is_cut_off_is_told(tmp_path, ending, share):
  voxels = np.random.default_rng(0).integers(0, 999, (20, 20, 20)).astype(np.int16)
  content = write_nifti(tmp_path / f'a{ending}', voxels).read_bytes()
  (tmp_path / f'b{ending}').write_bytes(content[:int(len(content) * share)])
  assert reason(tmp_path / f'b{ending}')


def test_a_tiny_file_that_claims_a_huge_volume_takes_neither_memory_nor_time(tmp_path):
  path = nifti(tmp_path, dim=[3, 500, 500, 1500, 1, 1, 1, 1])
  packed = tmp_path / 'a.nii.gz'
  packed.write_bytes(gzip.compress(path.read_bytes() + bytes(100_000)))
  before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
  assert 'it is cut off' in reason(path)
  assert 'it is cut off' in reason(packed)
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
  assert time.monotonic() - start < 1


def test_a_volume_of_too_many_voxels_is_told_before_it_is_unpacked(tmp_path):
  path = write_nifti(tmp_path / 'a.nii.gz', np.zeros((50, 50, 50), np.uint8))
  assert 'more than 10 times max_pixels = 3,000' in reason(path, Settings('auto', 2, 3000))


@pytest.mark.parametrize('name', ['a.png', 'a.tif'])
@pytest.mark.parametrize('share', [0.3, 0.7, 0.9])
def test_a_picture_that_is_cut_off_is_told(tmp_path, name, share):
  Image.fromarray(make_values(60, 50)).save(tmp_path / name)
  content = (tmp_path / name).read_bytes()
  (tmp_path / name).write_bytes(content[:int(len(content) * share)])
  assert reason(tmp_path / name)


def test_a_picture_of_too_many_pixels_is_told(tmp_path):
  Image.fromarray(make_values(60, 50)).save(tmp_path / 'a.png')
  assert '50 x 60 pixels, more than max_pixels = 2,000' in reason(
      tmp_path / 'a.png', Settings('auto', 2, 2000))


def test_pages_that_differ_are_told(tmp_path):
  first, second = (Image.fromarray(make_values(height_px, 9)) for height_px in (8, 7))
  first.save(tmp_path / 'a.tif', save_all=True, append_images=[second])
  assert reason(tmp_path / 'a.tif') == ('its pages differ in size or kind: save each in a file of '
                                        'its own')


def test_a_tiff_whose_white_is_zero_is_told(tmp_path):
  Image.fromarray(make_values(60, 50)).save(tmp_path / 'a.tif')
  content = (tmp_path / 'a.tif').read_bytes()
  black, white = (struct.pack('<HHLL', 262, 3, 1, kind) for kind in (1, 0))
  assert content.count(black) == 1
  (tmp_path / 'a.tif').write_bytes(content.replace(black, white))
  assert reason(tmp_path / 'a.tif') == '0 is white in it: save it with 0 as black'


@pytest.mark.parametrize('section, words', [
    ({'window': 'brain'}, "window is 'brain'; expected auto, full or 'centre,width'"),
    ({'window': '40,0'}, "window is '40,0'"), ({'window': '40'}, "window is '40'"),
    ({'window': 'nan,4'}, "window is 'nan,4'"), ({'window': ''}, "window is ''"),
    ({'axis': 3}, 'axis is 3; choose 0')])
def test_settings_that_make_no_sense_are_told(section, words):
  with pytest.raises(UserError) as raised:
    read_settings(make_config('', **section))
  assert words in str(raised.value)


def test_a_file_that_can_be_read_but_not_written_again_says_so_and_leaves_nothing(tmp_path):
  content = write_dicom(tmp_path / 'a.dcm', make_values(), SOPInstanceUID='1.2.3').read_bytes()
  element = struct.pack('<HH2sH', 0x0008, 0x0018, b'UI', 6)
  assert content.count(element) == 1
  (tmp_path / 'a.dcm').write_bytes(content.replace(element, struct.pack(
      '<HH2sH', 0x0000, 0x0018, b'UI', 6)))
  scan = open_scan(tmp_path / 'a.dcm', SETTINGS)
  with pytest.raises(ScanError, match='the DICOM file is broken: Command Set elements'):
    scan.save(tmp_path / 'b.dcm', [scan.slice(0)])
  assert not (tmp_path / 'b.dcm').exists()
