"""Folders of scans: what each split holds, windows, what is left out, and what the net gets."""

import json

import numpy as np
import pytest
from etils import epath

from configs import vae
from tests.scan_files import make_values, write_dicom, write_nifti
from tests.tables import read_csv
from train_lib import build_sources
from train_lib.drawing import augmentation_sheet, grid
from train_lib.inspection import dataset, page, scan_reading


def make_config(folder):
  config = vae.get_config('small_scans')
  config.data.path = str(folder / 'scans')
  config.data.image_size_px = 32
  config.data.augment, config.data.corrupt = ('mirror',), ('keep', 'gaussian')
  config.data.scans.valid_groups, config.data.scans.test_groups = ('P2',), ('volume.nii',)
  config.runtime.workers = 2
  return config


@pytest.fixture(scope='module')
def inspected(tmp_path_factory):
  """(folder, sections by id): patients with DICOM slices, a volume with an empty slice."""
  folder = tmp_path_factory.mktemp('scans')
  for patient in ('P1', 'P2', 'P3'):
    for number in range(3):
      write_dicom(folder / f'scans/{patient}/{number}.dcm',
                  make_values(40, 36, seed=10 * int(patient[1]) + number), PatientID=patient,
                  InstanceNumber=number, WindowCenter=1000, WindowWidth=1000)
  (folder / 'scans/P1/copy.dcm').write_bytes((folder / 'scans/P1/0.dcm').read_bytes())
  (folder / 'scans/P1/</b><i>.dcm').parent.mkdir(parents=True)
  (folder / 'scans/P1/</b><i>.dcm').write_bytes(b'torn')
  voxels = np.stack([make_values(24, 20, seed=k) for k in range(4)], axis=-1)
  voxels[..., 0] = 0
  write_nifti(folder / 'scans/volume.nii', voxels)
  sections = dataset.inspect_dataset(make_config(folder), epath.Path(folder), lambda: None)
  page.write_page(epath.Path(folder), kind='Data', title='scans', sections=sections)
  return folder, {section.id: section for section in sections}


def test_slices_files_and_patients_are_counted_split_by_split(inspected):
  folder, sections = inspected
  assert list(sections) == ['data', 'unreadable', 'seen']
  table = next(part for part in sections['data'].parts if '<table' in part)
  rows = [[cell.partition('>')[2].partition('<')[0] for cell in row.split('<td')[1:6]]
          for row in table.split('<tr')[2:5]]
  assert rows == [['training', '6', '7', '2', '0'], ['validation', '3', '3', '1', '0'],
                  ['test', '3', '1', '1', '0']]
  assert json.loads((folder / 'inspect.json').read_text()) == {
      'pictures': {'train': 6, 'valid': 3, 'test': 3},
      'unreadable': {'train': 0, 'valid': 0, 'test': 0}}


def test_windows_and_what_is_left_out_are_told(inspected):
  text = (inspected[0] / 'index.html').read_text()
  assert '500 to 1,499 in 10 files' in text
  assert '1 nearly empty slices left out' in text and '1 file is an exact copy' in text
  assert '1 file of the folder cannot be read' in text and '&lt;/b&gt;&lt;i&gt;.dcm' in text
  assert '<i>' not in text


def test_every_file_has_its_line(inspected):
  rows = {row['file']: row for row in read_csv(inspected[0] / 'scans.csv')}
  assert len(rows) == 12
  volume, copy = rows['volume.nii'], rows['P1/copy.dcm']
  assert (volume['split'], volume['slices'], volume['used'], volume['is_copy']) == (
      'test', '4', '3', 'no')
  assert (copy['group'], copy['used'], copy['is_copy'], copy['white_value']) == (
      'P1', '0', 'yes', '1499')
  assert rows['P1/</b><i>.dcm']['reason'] and not rows['P1/</b><i>.dcm']['split']


def test_the_sheet_shows_slices_clean_and_damaged(inspected):
  config = make_config(inspected[0])
  source = build_sources.build_source(config, 'train')
  sheet = augmentation_sheet.augmentation_sheet(config, source)
  columns = 1 + 1 + 2 + 2 + 1       # as it is, mirror, keep and gaussian, all twice, the target
  assert sheet.size[0] == columns * (grid.CELL_PX + grid.GAP_PX) + 2 * grid.MARGIN_PX
  examples = augmentation_sheet._readable(config, source)
  whole = augmentation_sheet._images(config, examples, ())
  lost = augmentation_sheet._images(config, examples, (), ('keep',))
  assert whole[0].dtype == np.uint8 and whole[0].shape == (32, 32, 3)
  kept = (lost[0] == whole[0]).all(axis=-1)
  assert 0.2 < kept.mean() < 0.7 and (lost[0][~kept] == 0).all()
  damaged, target = (augmentation_sheet._images(
      config, examples, ('mirror',), ('gaussian',), draw=11, key=key)[1]
      for key in ('image', 'target'))
  assert (target == whole[1]).all() or (target == whole[1][:, ::-1]).all()
  assert np.abs(damaged.astype(int) - target).mean() > 5


def test_a_slice_that_cannot_be_read_is_counted_and_the_others_are_measured():
  class Source:
    tag_names = ('x', 'y')

    def __len__(self):
      return 70

    def __getitem__(self, index):
      scan = np.full((4, 4, 1), 0.5, np.float32)
      scan[:1], scan[3:] = 0, 1
      if index == 40:
        raise OSError('gone')
      return {'id': f'{index}', 'scan': scan, 'tags': np.array([1]), 'patient': index // 2}

  config = vae.get_config('smoke')
  found = scan_reading.read_scans(config, Source(), 'training', lambda: None)
  assert found.unreadable == [(40, 'gone')] and found.ids[41] == '41'
  assert found.tag_counts.tolist() == [0, 69] and len(found.patients) == 35
  for values, wanted in ((found.means, 0.5), (found.black, 0.25), (found.white, 0.25)):
    assert np.isnan(values[40]) and np.nanmax(np.abs(values - wanted)) < 1e-6
