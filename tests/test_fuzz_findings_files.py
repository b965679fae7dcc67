"""What the fuzzer found in files of bytes and folders: tracebacks, all memory or all time taken."""

import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
import zlib

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate

from configs import base, saved
from data.decode import DecodeError, chunks_fit, decode_image
from data.scans import dicom, open_scan
from data.scans.scan import ScanError, Settings
from errors import UserError
from tests import scan_files
from tests.refusals import DEEP, refusal
from tests.test_imports import ROOT
from train_lib import workdir
from train_lib.export import exported
from train_lib.storage import manifest, records
from train_lib.storage.step_folder import StepFolder
from train_lib.weights import weight_files

# Scans ------------------------------------------------------------------------------------------


def test_a_packed_dicom_file_that_unpacks_to_gigabytes_is_refused_in_little_memory(
    tmp_path, monkeypatch):
  monkeypatch.setattr(dicom, 'MOST_OTHER_BYTES', 1 << 20)
  dataset = scan_files.make_dataset(scan_files.make_values())
  dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
  dataset.save_as(tmp_path / 'a.dcm', enforce_file_format=True)
  small = Settings('auto', 2, 10_000)
  assert open_scan(tmp_path / 'a.dcm', small).num_slices == 1
  content = (tmp_path / 'a.dcm').read_bytes()
  with open(tmp_path / 'a.dcm', 'rb') as file:
    file.seek(140)
    end = 144 + int.from_bytes(file.read(4), 'little')
  assert zlib.decompressobj(-15).decompress(content[end:])
  pack = zlib.compressobj(9, zlib.DEFLATED, -15)
  packed = b''.join(pack.compress(bytes(1 << 20)) for _ in range(30)) + pack.flush()
  (tmp_path / 'b.dcm').write_bytes(content[:end] + packed)
  tracemalloc.start()
  message = refusal(open_scan, tmp_path / 'b.dcm', small, kind=ScanError)
  peak_bytes = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert 'unpacked, it would take more than' in message and peak_bytes < 10 << 20


def test_a_dicom_file_that_breaks_off_within_a_sequence_is_broken_and_not_absent(tmp_path):
  item = pydicom.Dataset()
  item.PatientID = 'x' * 40
  path = scan_files.write_dicom(tmp_path / 'a.dcm', scan_files.make_values(),
                                ReferencedImageSequence=[item])
  content = path.read_bytes()
  for length in range(200, len(content), 3):
    path.write_bytes(content[:length])
    refusal(open_scan, path, scan_files.SETTINGS, kind=ScanError)


def test_a_dicom_file_of_thousands_of_jpeg_scans_is_refused(tmp_path):
  written = io.BytesIO()
  Image.new('L', (8, 8), 100).save(written, 'JPEG', progressive=True)
  content = written.getvalue()
  for times, sound in ((0, True), (3000, False)):
    dataset = scan_files.make_dataset(np.zeros((8, 8), np.uint8))
    dataset.PixelData = encapsulate([
        content[:-2] + content[content.rfind(b'\xff\xda'):-2] * times + b'\xff\xd9'])
    dataset['PixelData'].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    dataset.save_as(tmp_path / 'a.dcm', enforce_file_format=True)
    if sound:
      assert open_scan(tmp_path / 'a.dcm', scan_files.SETTINGS).num_slices == 1
    else:
      assert 'more than 100 scans a frame' in refusal(
          open_scan, tmp_path / 'a.dcm', scan_files.SETTINGS, kind=ScanError)


# Pictures ---------------------------------------------------------------------------------------


def _png(pixels, ending=b''):
  """A PNG that opens as one, of a chunk of pixels that says that it is two gigabytes."""
  content = cv2.imencode('.png', pixels)[1].tobytes()
  place = content.index(b'IDAT') - 4
  return content[:place] + (0x7000_0000).to_bytes(4, 'big') + content[place + 4:] + ending


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_a_chunk_of_a_png_that_says_it_is_gigabytes_takes_no_memory(tmp_path, dtype):
  """OpenCV makes room for a chunk before it looks how much is there: 1.8 GB for 47 bytes."""
  content = _png(np.random.default_rng(0).integers(0, 200, (8, 8, 3)).astype(dtype))
  (tmp_path / 'a.png').write_bytes(content)
  code = ('import pathlib, resource, sys\n'
          'from data.decode import DecodeError, decode_image\n'
          'from data.scans.pictures import decode_grey\n'
          f'content = pathlib.Path({str(tmp_path / "a.png")!r}).read_bytes()\n'
          'peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10\n'
          'before = peak()\n'
          'for read in (decode_image, decode_grey):\n'
          '  try:\n'
          '    read(content, max_pixels=100)\n'
          '  except DecodeError:\n'
          '    pass\n'
          'print(peak() - before)')
  grown_mib = subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, timeout=120,
                             capture_output=True, text=True).stdout
  assert int(grown_mib) < 200
  assert not chunks_fit(content)


def test_the_chunks_of_a_sound_png_fit_and_those_of_a_cut_one_do_not():
  content = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()
  assert chunks_fit(content) and chunks_fit(content + b'behind it')
  assert not any(chunks_fit(content[:length]) for length in range(len(content)))


def _scans_again(times, **options):
  written = io.BytesIO()
  image = Image.new('RGB', (64, 64), 'teal')
  image.save(written, 'JPEG', progressive=True, **options)
  content = written.getvalue()
  return content[:-2] + content[content.rfind(b'\xff\xda'):-2] * times + b'\xff\xd9'


def test_a_jpeg_of_thousands_of_scans_is_refused():
  """A file of 200 KB took 15 s, and one of a megabyte minutes."""
  sound = decode_image(_scans_again(0), max_pixels=10_000)
  np.testing.assert_array_equal(decode_image(_scans_again(50), max_pixels=10_000), sound)
  for options in ({}, {'restart_marker_blocks': 1}):
    message = refusal(lambda content: decode_image(content, max_pixels=10_000),
                      _scans_again(3000, **options), kind=DecodeError)
    assert message == 'the JPEG file has more than 100 scans'


@pytest.mark.parametrize('progressive', [False, True])
def test_marks_of_scans_behind_a_jpeg_do_not_count(progressive):
  written = io.BytesIO()
  Image.new('RGB', (64, 64), 'teal').save(written, 'JPEG', progressive=progressive)
  film = b'\xff\xda\0\2' * 3000 + b'\xff\xd9'
  assert decode_image(written.getvalue() + film, max_pixels=10_000).shape == (64, 64, 3)


# Weights ----------------------------------------------------------------------------------------


def test_the_header_of_an_array_may_not_take_gigabytes(tmp_path):
  with zipfile.ZipFile(tmp_path / 'a.npz', 'w', zipfile.ZIP_DEFLATED) as archive:
    with archive.open('conv2d/kernel.npy', 'w') as member:
      member.write(b'\x93NUMPY\x02\x00' + (30 << 20).to_bytes(4, 'little'))
      for _ in range(30):
        member.write(b' ' * (1 << 20))
  tracemalloc.start()
  with pytest.raises(UserError, match='damaged'):
    with weight_files.open_weights(tmp_path / 'a.npz'):
      pass
  peak_bytes = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak_bytes < 10 << 20


@pytest.mark.parametrize('said', [
    {'net': 'n', 'pixels': DEEP}, {'net': 'n', 'pixels': '[["a"], ["b"]]'},
    {'net': 'n', 'pixels': '[[1, 2], [3, 4]]'}, {'net': 'n', 'pixels': '[[1, 2, NaN], [1, 1, 1]]'},
    {'net': 'n', 'outputs': '[1, 2]'}, {'net': 'n', 'outputs': '5'}])
def test_what_a_file_of_weights_says_of_itself_counts_where_it_makes_sense(tmp_path, said):
  from safetensors.numpy import save
  path = tmp_path / 'a.safetensors'
  path.write_bytes(save({'w': np.zeros(2, np.float32)}, said))
  with weight_files.open_weights(path) as stored:
    assert (stored.net, stored.pixels, stored.outputs) == ('', (), ())


def test_names_of_weights_of_any_length_are_told_in_short(tmp_path):
  from safetensors.numpy import save
  path = tmp_path / 'a.safetensors'
  path.write_bytes(save({'k' * 5000: np.full(2, np.nan, np.float32)}))
  with weight_files.open_weights(path) as stored:
    (key, array), = stored.arrays.items()
    assert 'holds NaN' in refusal(weight_files.read_array, path, key, array)
  header = json.dumps({'k' * 5000: {'dtype': 'F32', 'shape': [9], 'data_offsets': [0, 4]}}).encode()
  path.write_bytes(len(header).to_bytes(8, 'little') + header + bytes(4))
  refusal(weight_files.open_weights(path).__enter__)


# Exported folders and workdirs ------------------------------------------------------------------


def _about(**changes):
  config = json.loads(json.dumps(exported.without_private(base.get_config().to_dict())))
  return {'oko': {'format': 1, 'net': 'n', 'task': 'tagging', 'step': 0, 'names': [],
                  'categories': [], 'thresholds': {}, 'pixels': {'mean': [0], 'std': [1]},
                  'digest': '', 'config': config, **changes}}


@pytest.mark.parametrize('changes', [
    {'config': {'data': 5}}, {'config': {'data': None}}, {'config': {}},
    {'config': {'data': {'path': {'x': 1}, 'image_size_px': 8}}},
    {'config': {'data': {'image_size_px': 8}, 'a.b': 1}}, {'pixels': {'mean': 5, 'std': [1]}},
    {'pixels': {'mean': [None], 'std': [1]}}, {'pixels': {'mean': [float('nan')], 'std': [1]}},
    {'thresholds': {'micro': 'x'}}, {'thresholds': {'micro': float('inf')}},
    {'config': {'data': {'image_size_px': 8}, 'x' * 5000: {'y.z': 1}}}])
def test_the_config_of_an_exported_folder_is_not_trusted(tmp_path, changes):
  (tmp_path / 'config.json').write_text(json.dumps(_about(**changes)))
  refusal(exported.read_config, tmp_path)
  refusal(workdir.load_config, tmp_path / 'config.json')


@pytest.mark.parametrize('depth', [300, 600, 900, 960, 100_000])
def test_a_config_that_is_nested_too_deep_is_refused(tmp_path, depth):
  nested = '{"a":' * depth + '1' + '}' * depth
  text = json.dumps(_about(config={'data': {'image_size_px': 8, 'x': 'DEEP'}}))
  (tmp_path / 'config.json').write_text(text.replace('"DEEP"', nested))
  exported.is_exported(tmp_path)
  for read in (exported.read_config, saved.get_config):
    try:
      read(str(tmp_path))
    except UserError as error:
      assert str(error).isprintable()
  (tmp_path / 'config.json').write_text(f'{{"data": {nested}}}')
  if depth > 1000 or depth > 500 and sys.version_info < (3, 13):  # else unknown keys, let pass
    refusal(saved.get_config, str(tmp_path))


def test_a_number_that_is_infinite_is_no_whole_one(tmp_path):
  (tmp_path / 'config.json').write_text('{"task": "tagging", "seed": Infinity}')
  assert 'holds no config that this program knows' in refusal(saved.get_config, str(tmp_path))


def test_a_config_that_is_a_folder_is_told(tmp_path):
  (tmp_path / 'config.json').mkdir()
  assert 'cannot be read' in refusal(saved.get_config, str(tmp_path))


@pytest.mark.parametrize('content', [DEEP, '5', '[1]', 'null', '"x"', '{"step": "x"}', '{}'])
def test_records_of_a_run_are_not_trusted(tmp_path, content):
  (tmp_path / 'run.json').write_text(content)
  if not content.startswith('{'):
    refusal(workdir.read_run, tmp_path)
  refusal(lambda: records.read_fields(tmp_path / 'run.json', {'step': int}, ['step']))
  (tmp_path / 'metrics.jsonl').write_text(f'{content}\n{{"step": NaN}}\n{{"step": [1]}}\n'
                                          '{"step": 7}\n')
  assert records.drop_rows_after(tmp_path / 'metrics.jsonl', 3) == 1


def _sealed(**fields):
  return json.dumps({**fields, 'seal': manifest._seal(fields)})


@pytest.mark.parametrize('content', [
    DEEP, '5', _sealed(), _sealed(files=[]), _sealed(files={'a': 5}), _sealed(files={'a': {}}),
    _sealed(files={}, metrics=5), _sealed(files={}, metrics={'m': 'x'}),
    _sealed(files={}, metrics={'m': [1]}), _sealed(files={}, metrics={'m': float('nan')})])
def test_a_manifest_is_damaged_whatever_its_seal_says(tmp_path, content):
  (tmp_path / 'manifest.json').write_text(content)
  refusal(manifest.verify, tmp_path, kind=manifest.Damaged)


@pytest.mark.parametrize('note', [DEEP, '5', '{}', '{"step": "x"}', '{"step": [1]}',
                                  '{"step": 1e999}', '{"step": 77}'])
def test_notes_of_steps_are_not_trusted(tmp_path, note):
  step = tmp_path / 'checkpoints/5'
  step.mkdir(parents=True)
  (step / 'weights').write_bytes(b'1')
  manifest.write_manifest(step, {'step': 5, 'metrics': {}, 'config_digest': '', 'tree': {}})
  steps = StepFolder(step.parent, keep_last=1, best_metric='', keep_every=0)
  (tmp_path / 'best.json').write_text(note)
  refusal(steps.find, 'best')
  (step.parent / 'last.json').write_text(note)
  assert steps.find_newest_whole() == 5
