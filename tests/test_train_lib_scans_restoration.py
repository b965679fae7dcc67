"""Restored scans are files like those given; every file is accounted for; a stop costs no work."""

import csv
import os
import types

import cv2
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from errors import UserError
from tests import scan_files, small_scans
from tests.small_scans import SIDE, make_config, make_squares, make_trained, write_png
from train_lib.preemption import Preempted
from train_lib.scans import restoration
from train_lib.storage import records
from train_lib.storage.lock import Lock

RNG = np.random.default_rng(0)
NEVER = types.SimpleNamespace(check=lambda: None)


@pytest.fixture
def opened(monkeypatch):
  """A net in place of what a workdir holds; `variables` may be changed."""
  trained = make_trained()
  monkeypatch.setattr(restoration, 'open_trained', lambda *_: trained)
  return trained


def write_scans(folder):
  """A scan of every format, what cannot be read, and what is no scan."""
  scan_files.write_dicom(folder / 'ct' / '1.dcm', scan_files.make_values(20, 30),
                         RescaleSlope=2.0, RescaleIntercept=-1024.0)
  scan_files.write_dicom(folder / 'ct' / 'IM0002', scan_files.make_values(20, 30, seed=1))
  scan_files.write_nifti(folder / 'mri' / 'brain.nii.gz',
                         RNG.integers(0, 900, (12, 18, 7)).astype(np.int16))
  write_png(folder / 'png' / 'eight.png', RNG.random((24, 16)), bits=8)
  write_png(folder / 'png' / 'sixteen.PNG', RNG.random((5, 40)))
  Image.fromarray(RNG.random((9, 9)).astype(np.float32)).save(folder / 'png' / 'point.tif')
  (folder / 'broken.nii').write_bytes(b'no scan')
  (folder / 'empty.dcm').write_bytes(b'')
  (folder / 'notes.txt').write_text('notes')


SLICES = {'ct/1.dcm': '1', 'ct/IM0002': '1', 'mri/brain.nii.gz': '7', 'png/eight.png': '1',
          'png/sixteen.PNG': '1', 'png/point.tif': '1'}


def restore(source, output, preemption=NEVER, **changes):
  config = make_config()
  with config.unlocked():
    config.predict.update(changes)
  restoration.restore_scans(config, 'runs/vae', str(source), str(output), preemption)
  with open(output / 'restored.csv', newline='', encoding='utf-8') as file:
    return {row['path']: row for row in csv.DictReader(file)}


def found(folder):
  return {path.relative_to(folder).as_posix(): path for path in folder.rglob('*')
          if path.is_file()}


def test_every_file_is_accounted_for_and_every_scan_keeps_its_name(opened, tmp_path, capsys):
  write_scans(tmp_path / 'in')
  rows = restore(tmp_path / 'in', tmp_path / 'out')
  assert set(rows) == set(found(tmp_path / 'in')) and list(rows) == sorted(rows)
  assert {name: row['slices'] for name, row in rows.items()
          if row['what'] == 'restored'} == SLICES
  assert {name: (rows[name]['what'], rows[name]['why']) for name in set(rows) - set(SLICES)} == {
      'broken.nii': ('unreadable', 'it is named as NIfTI, but does not begin as such a file does'),
      'empty.dcm': ('unreadable', 'the file is empty'),
      'notes.txt': ('passed over', restoration.NO_SCAN)}
  assert set(found(tmp_path / 'out' / 'scans')) == set(SLICES)          # and no temporary file
  assert (tmp_path / 'out' / 'restored.png').exists()
  said = capsys.readouterr().out
  assert f'{SIDE} x {SIDE} px: detail finer than that is lost' in said
  assert '6 restored' in said and '2 unreadable' in said and 'empty.dcm: the file is empty' in said


def test_files_keep_their_format_numbers_size_and_units(opened, tmp_path):
  write_scans(tmp_path / 'in')
  restore(tmp_path / 'in', tmp_path / 'out')
  one, other = (pydicom.dcmread(tmp_path / folder / 'ct' / '1.dcm')
                for folder in ('in', 'out/scans'))
  assert (other.RescaleSlope, other.RescaleIntercept) == (2, -1024) and other.PatientID == 'P1'
  assert other.pixel_array.dtype == one.pixel_array.dtype
  assert other.pixel_array.shape == (20, 30) and (other.pixel_array != one.pixel_array).any()
  assert other.ImageType[0] == 'DERIVED' and other.SOPInstanceUID != one.SOPInstanceUID
  volume = nibabel.load(tmp_path / 'out/scans/mri/brain.nii.gz')
  assert volume.shape == (12, 18, 7) and volume.get_data_dtype() == np.int16
  for name, dtype in (('eight.png', np.uint8), ('sixteen.PNG', np.uint16)):
    pixels = cv2.imread(str(tmp_path / 'out/scans/png' / name), cv2.IMREAD_UNCHANGED)
    wanted = cv2.imread(str(tmp_path / 'in/png' / name), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == dtype and pixels.shape == wanted.shape
  with Image.open(tmp_path / 'out/scans/png/point.tif') as picture:
    assert picture.mode == 'F' and picture.size == (9, 9)


def test_pixels_are_those_that_the_net_makes_of_the_scan(opened, tmp_path):
  squares = make_squares(1, 0)[0]
  damaged = np.clip(squares + 0.04 * RNG.standard_normal(squares.shape), 0, 1)
  write_png(tmp_path / 'in' / 'clean.png', squares, 8)
  write_png(tmp_path / 'in' / 'noisy.png', damaged, 8)
  large = cv2.resize(damaged[..., 0], (3 * SIDE, 3 * SIDE), interpolation=cv2.INTER_NEAREST)
  write_png(tmp_path / 'in' / 'large.png', large, 8)
  restore(tmp_path / 'in', tmp_path / 'out')
  seen = {name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / 255
          for name, path in found(tmp_path / 'out' / 'scans').items()}
  np.testing.assert_allclose(seen['clean.png'], squares[..., 0], atol=0.003)
  assert np.abs(seen['noisy.png'] - squares[..., 0]).mean() < 0.4 * np.abs(damaged - squares).mean()
  middles = np.s_[5::12, 5::12]                          # of the squares, far from their edges
  np.testing.assert_allclose(seen['large.png'][middles], seen['noisy.png'][2::4, 2::4], atol=0.02)


def test_what_the_net_learned_to_mend_is_said(opened, tmp_path, capsys):
  write_png(tmp_path / 'in' / 'a.png', RNG.random((8, 8)), 8)
  restore(tmp_path / 'in', tmp_path / 'out')
  assert 'learned to mend' not in capsys.readouterr().out
  config = make_config()
  config.data.corrupt = ('blur', 'keep')
  restoration.restore_scans(config, 'runs/vae', str(tmp_path / 'in'), str(tmp_path / 'two'), NEVER)
  assert 'learned to mend scans damaged by blur, keep' in capsys.readouterr().out
  assert ((tmp_path / 'out/scans/a.png').read_bytes()
          == (tmp_path / 'two/scans/a.png').read_bytes())      # nothing is damaged


def test_a_net_that_does_worse_than_nothing_on_its_test_split_is_told(opened, tmp_path, capsys):
  write_png(tmp_path / 'in' / 'a.png', RNG.random((8, 8)), 8)
  run, damaged = tmp_path / 'run' / 'run.json', {'psnr': 14.1, 'recovered_lost': 0.0}
  run.parent.mkdir()
  for step, psnr, told in ((7, 1.5, True), (7, 20.0, False), (6, 1.5, False)):  # 7 is restored with
    records.write_json(run, {'chosen': {'step': step},
                             'test': {'net': {'psnr': psnr}, 'as damaged': damaged}})
    restoration.restore_scans(make_config(), str(run.parent), str(tmp_path / 'in'),
                              str(tmp_path / 'out'), NEVER)
    assert ('PSNR 1.50 dB against 14.10' in capsys.readouterr().out) == told
  run.write_text('{')
  assert restoration.restore_scans(make_config(), str(run.parent), str(tmp_path / 'in'),
                                   str(tmp_path / 'two'), NEVER) is None


def test_slices_of_many_files_share_batches(opened, tmp_path, monkeypatch):
  for place in range(9):
    write_png(tmp_path / 'in' / f'{place}.png', RNG.random((8, 8)), 8)
  rows = []
  original = restoration.Coder.restore
  monkeypatch.setattr(restoration.Coder, 'restore', lambda self, images: rows.append(
      len(images)) or original(self, images))
  restore(tmp_path / 'in', tmp_path / 'out', batch_size=4)
  assert rows[:3] == [4, 4, 1]                           # then the sheet


class Stops:
  """Asks to stop at the n-th question."""

  def __init__(self, after):
    self.left = after

  def check(self):
    self.left -= 1
    if self.left < 0:
      raise Preempted


def test_after_a_stop_the_same_command_goes_on(opened, tmp_path, monkeypatch):
  for place in range(10):
    write_png(tmp_path / 'in' / f'{place}.png', RNG.random((8, 8)), 8)
  with pytest.raises(Preempted):
    restore(tmp_path / 'in', tmp_path / 'out', Stops(7))
  before = {name: path.stat().st_mtime_ns
            for name, path in found(tmp_path / 'out' / 'scans').items()}
  assert sorted(before) == ['0.png', '1.png', '2.png', '3.png']
  assert not (tmp_path / 'out' / 'restored.csv').exists()
  rows = restore(tmp_path / 'in', tmp_path / 'out')
  after = {name: path.stat().st_mtime_ns
           for name, path in found(tmp_path / 'out' / 'scans').items()}
  assert len(after) == 10 and {name: after[name] for name in before} == before
  assert [row['why'] for row in rows.values()] == [restoration.STAYED] * 4 + [''] * 6
  restored = {name: path.read_bytes() for name, path in found(tmp_path / 'out' / 'scans').items()}
  restore(tmp_path / 'in', tmp_path / 'fresh')
  assert restored == {name: path.read_bytes()
                      for name, path in found(tmp_path / 'fresh' / 'scans').items()}


def restored_anew(rows):
  return [name for name, row in rows.items() if row['why'] != restoration.STAYED]


def test_what_has_changed_is_restored_anew(opened, tmp_path):
  for place in range(3):
    write_png(tmp_path / 'in' / f'{place}.png', RNG.random((8, 8)), 8)
  restore(tmp_path / 'in', tmp_path / 'out')
  assert restored_anew(restore(tmp_path / 'in', tmp_path / 'out')) == []
  os.utime(tmp_path / 'in' / '1.png')
  (tmp_path / 'out' / 'scans' / '2.png').unlink()
  assert restored_anew(restore(tmp_path / 'in', tmp_path / 'out')) == ['1.png', '2.png']
  opened.variables['params']['unused'][:] = 1            # another net
  assert len(restored_anew(restore(tmp_path / 'in', tmp_path / 'out'))) == 3


def test_one_file_is_an_input_too(opened, tmp_path):
  write_scans(tmp_path / 'in')
  rows = restore(tmp_path / 'in' / 'mri' / 'brain.nii.gz', tmp_path / 'out')
  assert [(row['path'], row['what']) for row in rows.values()] == [('brain.nii.gz', 'restored')]


def test_a_scan_that_cannot_be_written_is_told_and_leaves_nothing(opened, tmp_path, monkeypatch):
  write_png(tmp_path / 'in' / 'a.png', RNG.random((8, 8)), 8)
  original = restoration.build_inputs.open_scan

  def open_scan(config, path):
    scan = original(config, path)
    scan.save = lambda *_: (_ for _ in ()).throw(ValueError('no room'))
    return scan

  monkeypatch.setattr(restoration.build_inputs, 'open_scan', open_scan)
  rows = restore(tmp_path / 'in', tmp_path / 'out')
  assert (rows['a.png']['what'], rows['a.png']['why']) == ('not written', 'no room')
  assert found(tmp_path / 'out' / 'scans') == {}


@pytest.mark.parametrize('changes, message', [
    ({'threshold': 0.5}, 'predict.threshold is 0.5, which is for tags'),
    ({'captions': 'kohya'}, 'captions are of tags and classes'),
    ({'batch_size': -1}, 'predict.batch_size is -1')])
def test_settings_of_other_tasks_are_told(opened, tmp_path, changes, message):
  write_png(tmp_path / 'in' / 'a.png', RNG.random((8, 8)))
  with pytest.raises(UserError, match=message):
    restore(tmp_path / 'in', tmp_path / 'out', **changes)


def test_inputs_and_outputs_that_make_no_sense_are_told(opened, tmp_path):
  (tmp_path / 'none').mkdir()
  with pytest.raises(UserError, match='holds no scan'):
    restore(tmp_path / 'none', tmp_path / 'out')
  with pytest.raises(UserError, match='absent'):
    restore(tmp_path / 'absent', tmp_path / 'out')
  write_png(tmp_path / 'in' / 'a.png', RNG.random((8, 8)))
  with pytest.raises(UserError, match='lies inside of the input'):
    restore(tmp_path / 'in', tmp_path / 'in' / 'out')
  with pytest.raises(UserError, match='need a folder of this machine'):
    restoration.restore_scans(make_config(), 'runs/vae', str(tmp_path / 'in'), 'gs://b/c', NEVER)
  write_png(tmp_path / 'out' / 'scans' / 'b.png', RNG.random((8, 8)))
  with pytest.raises(UserError, match=r"holds 1 files that .* such as 'b.png'"):
    restore(tmp_path / 'in', tmp_path / 'out')


def test_several_devices_restore_the_same(opened, tmp_path, monkeypatch):
  write_scans(tmp_path / 'in')
  restore(tmp_path / 'in', tmp_path / 'one')
  monkeypatch.setattr(restoration, 'open_trained', lambda *_: small_scans.make_trained(2))
  restore(tmp_path / 'in', tmp_path / 'two')
  for name, path in found(tmp_path / 'one' / 'scans').items():
    assert path.read_bytes() == (tmp_path / 'two' / 'scans' / name).read_bytes(), name


@pytest.mark.parametrize('input, output', [('own/scans', 'own'), ('own/scans/a.png', 'own'),
                                           ('own/scans/deep', 'own'), ('own', 'own/restored')])
def test_originals_are_never_written_over(opened, tmp_path, input, output):
  for name in ('a.png', 'deep/b.png'):
    write_png(tmp_path / 'own' / 'scans' / name, RNG.random((8, 8)), 8)
  before = {name: path.read_bytes() for name, path in found(tmp_path / 'own').items()}
  with pytest.raises(UserError, match='name (a|another) folder'):
    restore(tmp_path / input, tmp_path / output)
  assert {name: path.read_bytes() for name, path in found(tmp_path / 'own').items()} == before


def test_a_scan_that_was_exchanged_for_an_older_file_is_restored_again(opened, tmp_path):
  path = tmp_path / 'in' / 'a.png'
  write_png(path, make_squares(1, 0)[0], 8)
  restore(tmp_path / 'in', tmp_path / 'out')
  first = (tmp_path / 'out/scans/a.png').read_bytes()
  write_png(path, make_squares(1, 1)[0], 8)
  os.utime(path, (1_000_000_000, 1_000_000_000))
  restore(tmp_path / 'in', tmp_path / 'out')
  assert (tmp_path / 'out/scans/a.png').read_bytes() != first


def test_the_scans_of_another_folder_are_not_written_over(opened, tmp_path):
  for name in ('one', 'other'):
    write_png(tmp_path / name / 'a.png', RNG.random((8, 8)))
  restore(tmp_path / 'one', tmp_path / 'out')
  before = (tmp_path / 'out' / 'scans' / 'a.png').read_bytes()
  with pytest.raises(UserError, match="holds the scans of '.*one'"):
    restore(tmp_path / 'other', tmp_path / 'out')
  assert (tmp_path / 'out' / 'scans' / 'a.png').read_bytes() == before


def test_two_starts_do_not_restore_into_one_folder(opened, tmp_path):
  write_png(tmp_path / 'in' / 'a.png', RNG.random((8, 8)))
  (tmp_path / 'out').mkdir()
  with Lock(tmp_path / 'out'), pytest.raises(UserError, match='is in use by process'):
    restore(tmp_path / 'in', tmp_path / 'out')
