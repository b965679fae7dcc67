import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from data import SOURCES
from data.loader import Loader
from data.scan_operations import Corrupt, DecodeScan, ResizeScan
from data.scans import open_scan, survey
from data.scans.scan import read_settings
from data.sources.scans import build_scans
from errors import UserError
from tests.scan_files import make_config, make_values, write_dicom, write_nifti

SHARED = Path(os.environ.get('OKO_SHARED', Path(__file__).parents[1] / '../shared'))
CT, VOLUMES = SHARED / 'data/chest_ct/chest_ct_dicom.zip', SHARED / 'data/mri_nifti'


def write_patients(folder, slices=(3, 3, 3)):
  """Slices of patients P0, P1, ... each of one series."""
  for patient, count in enumerate(slices):
    for k in range(count):
      write_dicom(folder / f'p{patient}/{k}.dcm', make_values(seed=100 * patient + k),
                  PatientID=f'P{patient}', SeriesInstanceUID=f'1.2.{patient + 1}',
                  InstanceNumber=str(k))


def ids_of(source):
  return [source[index]['id'] for index in range(len(source))]


def message_of(config, split='train'):
  with pytest.raises(UserError) as raised:
    build_scans(config, split)
  return str(raised.value)


def test_examples_are_slices_with_their_file_and_number(tmp_path):
  write_dicom(tmp_path / 'a/x.dcm', make_values())
  voxels = np.random.default_rng(0).integers(1, 99, (4, 5, 3)).astype(np.int16)
  write_nifti(tmp_path / 'b/y.nii.gz', voxels)
  Image.fromarray(make_values(dtype=np.uint8, most=200)).save(tmp_path / 'z.png')
  source = build_scans(make_config(tmp_path), 'train')
  assert ids_of(source) == ['a/x.dcm#0', *(f'b/y.nii.gz#{k}' for k in range(3)), 'z.png#0']
  for index in range(len(source)):
    example = source[index]
    assert example['scan'].dtype == np.float32 and example['scan'].ndim == 3
    assert 0 <= example['scan'].min() <= example['scan'].max() <= 1
    assert example['tags'].shape == source.tags_of(index).shape == (0,)
  assert '5 slices of 3 scans (1 DICOM, 1 NIfTI, 1 PNG)' in source.description
  assert source.problems == {} and source.count_tags().shape == (0,)
  assert SOURCES['scans'] is build_scans


def test_a_source_is_picklable(tmp_path):
  write_patients(tmp_path)
  source = build_scans(make_config(tmp_path), 'train')
  other = pickle.loads(pickle.dumps(source))
  assert len(other) == len(source) and other.fingerprint == source.fingerprint
  np.testing.assert_array_equal(other[4]['scan'], source[4]['scan'])


def test_dicom_files_are_found_without_an_ending_and_other_files_are_counted(tmp_path):
  write_dicom(tmp_path / 'IM0001', make_values())
  write_dicom(tmp_path / '1.2.840.55', make_values(seed=1))
  write_dicom(tmp_path / 'DICOMDIR', make_values(seed=2))
  write_dicom(tmp_path / '.hidden.dcm', make_values(seed=3))
  (tmp_path / 'notes.txt').write_text('notes')
  source = build_scans(make_config(tmp_path), 'train')
  assert ids_of(source) == ['1.2.840.55#0', 'IM0001#0'] and '1 other files' in source.description


def test_a_patient_is_never_parted(tmp_path):
  write_patients(tmp_path, [2] * 40)
  ids = {split: {id.split('/')[0] for id in ids_of(build_scans(
      make_config(tmp_path, valid_frac=0.2, test_frac=0.2), split))}
      for split in ('train', 'valid', 'test')}
  assert sum(map(len, ids.values())) == len(set.union(*ids.values())) == 40
  assert min(map(len, ids.values())) > 2


def test_volumes_of_one_patient_are_never_parted(tmp_path):
  """Named as those of BraTS: a folder for each patient, its files begin with its name."""
  voxels = np.random.default_rng(0).integers(1, 99, (4, 5, 2)).astype(np.int16)
  for patient in range(20):
    for kind in ('t1', 't2', 'flair'):
      voxels[0, 0, 0] += 1                      # no two files are copies
      write_nifti(tmp_path / f'P{patient:03d}/P{patient:03d}_{kind}.nii.gz', voxels)
  splits = [{name.split('/')[0] for name in ids_of(build_scans(
      make_config(tmp_path, valid_frac=0.2, test_frac=0.2), split))}
            for split in ('train', 'valid', 'test')]
  assert sum(map(len, splits)) == len(set.union(*splits)) == 20


def test_a_series_without_a_patient_is_never_parted(tmp_path):
  for number in range(20):
    for k in range(3):
      write_dicom(tmp_path / f's{number}/{k}.dcm', make_values(seed=10 * number + k),
                  PatientID='', StudyInstanceUID='', SeriesInstanceUID=f'1.2.{number + 1}',
                  InstanceNumber=str(k))
  splits = [{name.split('/')[0] for name in ids_of(build_scans(
      make_config(tmp_path, valid_frac=0.2, test_frac=0.2), split))}
            for split in ('train', 'valid', 'test')]
  assert sum(map(len, splits)) == len(set.union(*splits)) == 20


def test_patients_that_are_added_move_no_other(tmp_path):
  write_patients(tmp_path, [1] * 30)
  config = make_config(tmp_path, valid_frac=0.2, test_frac=0.2)
  before = {split: set(ids_of(build_scans(config, split))) for split in ('train', 'test')}
  write_dicom(tmp_path / 'new.dcm', make_values(seed=999), PatientID='New')
  after = {split: set(ids_of(build_scans(config, split))) for split in ('train', 'test')}
  assert all(before[split] == after[split] - {'new.dcm#0'} for split in before)


def test_the_groups_that_are_named_are_the_splits(tmp_path):
  write_patients(tmp_path, [2, 3, 4, 5])
  write_nifti(tmp_path / 'v.nii', np.arange(60, dtype=np.int16).reshape(3, 4, 5))
  config = make_config(tmp_path, valid_frac=0.4, test_frac=0.4, test_groups=('P1', 'v.nii'),
                       valid_groups=('P3',))
  assert set(ids_of(build_scans(config, 'valid'))) == {f'p3/{k}.dcm#0' for k in range(5)}
  assert {id.split('#')[0].split('/')[0] for id in ids_of(build_scans(config, 'test'))} == {
      'p1', 'v.nii'}
  source = build_scans(config, 'train')
  assert {id.split('/')[0] for id in ids_of(source)} == {'p0', 'p2'}
  assert 'valid as named, test as named' in source.description


def test_pictures_go_by_their_folder_volumes_by_their_file_and_bids_by_its_subject(tmp_path):
  for number, name in enumerate(('a/0.png', 'a/1.png', 'b/0.png', 'c.png')):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.fromarray(make_values(seed=number, dtype=np.uint8, most=200)).save(tmp_path / name)
  for number, name in enumerate(('d/x.nii', 'd/y.nii', 'sub-01/anat/sub-01_T1w.nii',
                                 'sub-01/anat/sub-01_T2w.nii.gz')):
    write_nifti(tmp_path / name, make_values(seed=number)[..., None])
  groups = ('a', 'b', 'c.png', 'd/x.nii', 'd/y.nii', 'sub-01')
  message = message_of(make_config(tmp_path, test_groups=groups))
  assert 'the train split' in message and '6 groups' in message and 'test 6' in message


def test_copies_of_a_file_are_one_example_and_join_their_groups(tmp_path):
  write_patients(tmp_path, [2, 2])
  write_nifti(tmp_path / 'v/a.nii', make_values()[..., None])
  for name in ('v/b.nii', 'v/c.nii'):
    shutil.copy(tmp_path / 'v/a.nii', tmp_path / name)
  source = build_scans(make_config(tmp_path), 'train')
  assert '2 files are exact copies of others and left out' in source.description
  assert [id for id in ids_of(source) if id.startswith('v')] == ['v/a.nii#0']
  config = make_config(tmp_path, test_groups=('v/c.nii',))
  assert ids_of(build_scans(config, 'test')) == ['v/a.nii#0']
  assert 'is both in' in message_of(make_config(
      tmp_path, test_groups=('v/c.nii',), valid_groups=('v/a.nii',)))


def test_slices_that_are_nearly_empty_are_left_out(tmp_path):
  voxels = np.zeros((10, 10, 6), np.uint8)
  voxels[:, :, 2], voxels[:5, :, 4], voxels[0, :2, 5] = 200, 200, 200
  write_nifti(tmp_path / 'a.nii', voxels)
  source = build_scans(make_config(tmp_path), 'train')
  assert ids_of(source) == ['a.nii#2', 'a.nii#4']
  assert '4 nearly empty slices left out' in source.description
  assert len(build_scans(make_config(tmp_path, least_filled=0.01), 'train')) == 3
  assert 'all slices' in message_of(make_config(tmp_path, window='5000,10'))


def test_at_most_so_many_slices_are_taken_evenly_of_a_volume_and_of_a_series(tmp_path):
  write_nifti(tmp_path / 'a.nii', np.arange(1, 1101, dtype=np.int16).reshape(10, 10, 11))
  write_patients(tmp_path, [7])
  source = build_scans(make_config(tmp_path, most_slices=3, least_filled=0.0), 'train')
  assert ids_of(source) == ['a.nii#0', 'a.nii#5', 'a.nii#10', 'p0/0.dcm#0', 'p0/3.dcm#0',
                            'p0/6.dcm#0']
  assert 'left out that are more than most_slices' in source.description


def test_the_axis_and_the_window_are_those_of_the_settings(tmp_path):
  write_nifti(tmp_path / 'a.nii', np.arange(1, 211, dtype=np.int16).reshape(5, 6, 7))
  sources = [build_scans(make_config(tmp_path, least_filled=0.0, **section), 'train')
             for section in ({}, {'axis': 0}, {'window': '1000,10'}, {'window': '100,10'})[:2]]
  assert [source[0]['scan'].shape for source in sources] == [(6, 5, 1), (7, 6, 1)]
  assert sources[0].fingerprint != sources[1].fingerprint
  source = build_scans(make_config(tmp_path, window='100,200'), 'train')
  np.testing.assert_allclose(source[0]['scan'][-1, -1], 1 / 200, atol=1e-6)


def test_files_that_cannot_be_read_are_told_and_nothing_else_is_lost(tmp_path):
  write_patients(tmp_path, [2, 2])
  (tmp_path / 'broken.nii.gz').write_bytes(b'\x1f\x8bhello')
  write_dicom(tmp_path / 'report.dcm', make_values(), PixelData=None)
  source = build_scans(make_config(tmp_path), 'train')
  assert len(source) == 4 and set(source.problems) == {'broken.nii.gz', 'report.dcm'}
  assert '2 cannot be read (broken.nii.gz: the gzip file is broken' in source.description
  assert 'report.dcm: it holds no pixels' in source.description


def test_where_nothing_can_be_read_the_reasons_are_told(tmp_path):
  for number in range(5):
    (tmp_path / f'{number}.nii').write_bytes(b'hello')
  message = message_of(make_config(tmp_path))
  assert 'none of the 5 scans' in message and '0.nii: it is named as NIfTI' in message
  assert 'and 2 more' in message


@pytest.mark.parametrize('names, words', [
    ((), 'holds no scan (.dcm, .dicom, .ima, .nii, .nii.gz, .png, .tif, .tiff).'),
    (('scans.zip',), "; unpack 'scans.zip' first."), (('notes.txt',), 'holds no scan')])
def test_a_folder_without_scans_is_told(tmp_path, names, words):
  for name in names:
    (tmp_path / name).write_bytes(b'PK')
  assert words in message_of(make_config(tmp_path))


def test_archives_beside_scans_are_told(tmp_path):
  write_patients(tmp_path, [2])
  (tmp_path / 'more.zip').write_bytes(b'PK')
  assert "'more.zip' not looked into: unpack archives first" in build_scans(
      make_config(tmp_path), 'train').description


@pytest.mark.parametrize('path, words', [
    ('', 'config.data.path is empty'),
    ('/no/such/folder', 'does not exist; name one that holds scans')])
def test_a_folder_that_is_not_there_is_told(path, words):
  assert words in message_of(make_config(path))


def test_an_empty_split_tells_of_the_groups_and_what_to_do(tmp_path):
  write_patients(tmp_path, [2, 2, 2])
  message = message_of(make_config(tmp_path), 'test')
  assert '3 groups (patients, volumes or folders) are dealt out as train 3, valid 0, ' in message
  assert '--config.data.scans.test_groups="(\'P2\',)"' in message
  shutil.rmtree(tmp_path / 'p0')
  shutil.rmtree(tmp_path / 'p1')
  assert "all scans are of one group (a patient, volume or folder), 'P2'" in message_of(
      make_config(tmp_path), 'test')


@pytest.mark.parametrize('changes, words', [
    ({'test_groups': ('P9',)}, "test_groups has 'P9', which is none of the 2 groups: 'P0', 'P1'."),
    ({'test_groups': 'P1'}, "test_groups is 'P1'; expected a tuple of names: ('P1',)."),
    ({'test_groups': ('P1',), 'valid_groups': ('P1',)}, "'P1' is both in config.data.scans.valid"),
    ({'least_filled': 1.0}, 'least_filled is 1.0; expected a share'),
    ({'most_slices': -1}, 'most_slices is -1; expected 0 (all) or more'),
    ({'axis': 7}, 'axis is 7; choose 0'), ({'window': 'x'}, "window is 'x'"),
    ({'test_frac': float('nan')}, 'test_frac is nan; they are shares'),
    ({'test_frac': 0.7, 'valid_frac': 0.4}, 'leave something for training')])
def test_settings_that_make_no_sense_are_told(tmp_path, changes, words):
  write_patients(tmp_path, [2, 2])
  assert words in message_of(make_config(tmp_path, **changes))


def test_the_fingerprint_changes_with_the_data(tmp_path):
  write_patients(tmp_path, [2, 2])
  before = build_scans(make_config(tmp_path), 'train').fingerprint
  assert build_scans(make_config(tmp_path), 'train').fingerprint == before
  write_dicom(tmp_path / 'p0/0.dcm', make_values(seed=7), PatientID='P0')
  assert build_scans(make_config(tmp_path), 'train').fingerprint != before


def test_files_are_read_once_for_all_splits(tmp_path, monkeypatch):
  write_patients(tmp_path, [2, 2])
  polled = []
  build_scans(make_config(tmp_path), 'train', poll=lambda: polled.append(1))
  monkeypatch.setattr(survey, 'open_scan', None)
  build_scans(make_config(tmp_path, test_groups=('P1',)), 'test', poll=lambda: polled.append(1))
  assert len(polled) == 4


def test_the_package_that_is_missing_is_told(tmp_path, monkeypatch):
  write_dicom(tmp_path / 'a.dcm', make_values())
  monkeypatch.setitem(sys.modules, 'pydicom', None)
  assert 'pip install -e .[scans]' in message_of(make_config(tmp_path))


def test_a_loader_makes_batches_of_scans_that_lost_their_file_meanwhile(tmp_path):
  write_patients(tmp_path, [4, 4])
  source = build_scans(make_config(tmp_path), 'train')
  (tmp_path / 'p0/1.dcm').unlink()
  pipeline = DecodeScan(1000), ResizeScan(8), Corrupt(('keep',), 0.5, 0.1, 1.0, 0.3)
  loader = Loader(source, pipeline, batch_size=8, train=False, keys=('image', 'target', 'known'),
                  workers=2)
  batch, = loader.batches(0, 1)
  assert batch['image'].shape == (8, 8, 8, 1) and batch['image'].dtype == np.float32
  assert batch['mask'].sum() == 7 and 'p0/1.dcm' in loader.bad_images.reasons()['row 1']


@pytest.mark.skipif(not CT.exists(), reason='no such scans here')
def test_real_slices_of_ct_are_split_by_patient_and_keep_their_pixels(tmp_path):
  with zipfile.ZipFile(CT) as archive:
    archive.extractall(tmp_path / 'ct')
  config = make_config(tmp_path / 'ct', max_pixels=50_000_000, valid_frac=0.1, test_frac=0.1)
  sources = [build_scans(config, split) for split in ('train', 'valid', 'test')]
  assert sum(map(len, sources)) == 28
  assert '2 files are exact copies of others and left out' in sources[0].description
  patients = [{pydicom.dcmread(tmp_path / 'ct' / id.split('#')[0]).PatientID
               for id in ids_of(source)} for source in sources]
  assert sum(map(len, patients)) == len(set.union(*patients)) == 18
  for path in sorted((tmp_path / 'ct').rglob('*.dcm'))[:6]:
    scan = open_scan(path, read_settings(config))
    scan.save(tmp_path / 'saved.dcm', [scan.slice(0)])
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / 'saved.dcm').pixel_array,
                                  pydicom.dcmread(path).pixel_array)


@pytest.mark.skipif(not VOLUMES.exists(), reason='no such volumes here')
def test_real_volumes_are_groups_of_their_own():
  config = make_config(VOLUMES, max_pixels=50_000_000, most_slices=5,
                       test_groups=('spm152.nii.gz', '1CT1'))
  assert ids_of(build_scans(config, 'test'))[0] == 'CT_small.dcm#0'
  assert len(build_scans(config, 'test')) == 6 and len(build_scans(config, 'train')) >= 11
