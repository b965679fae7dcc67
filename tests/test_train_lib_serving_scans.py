"""Scans on a page: restored beside what was given, and the way through the latent space."""

import base64
import types

import numpy as np
import pytest

from configs import base
from errors import UserError
from tests import scan_files, small_scans
from tests.served import client_of, decode, png
from train_lib.serving.uploads import Upload
from train_lib.serving.views.scans import ScanView


def of_address(text):
  """The pixels of a data: address."""
  start, _, content = text.partition(',')
  assert start == 'data:image/png;base64'
  return decode(base64.b64decode(content))


@pytest.fixture
def scan_view():
  config = base.get_config()
  config.task, config.data.image_size_px = 'autoencoding', small_scans.SIDE
  config.data.corrupt = ('keep',)
  config.data.scans.window = 'full'
  return ScanView(config, types.SimpleNamespace(trained=small_scans.make_trained()))


def test_a_scan_comes_back_beside_what_the_net_makes_of_it(scan_view):
  image = np.random.default_rng(0).integers(0, 65_536, (16, 16), np.uint16)
  row = client_of(scan_view).post('/api/predict', content=png(image)).json()['pictures'][0]
  assert (row['slices'], row['slice'], row['size_px']) == (1, 0, [16, 16])
  seen, restored = of_address(row['picture']), of_address(row['restored'])
  assert np.abs(seen[..., 0] - (image / 257)).max() <= 2 and row['original'] == row['picture']
  squares = seen[..., 0].reshape(4, 4, 4, 4).mean(axis=(1, 3))
  np.testing.assert_allclose(restored[::4, ::4, 0], squares, atol=1.5)
  assert len(row['mean']) == len(row['kl']) == small_scans.LATENT
  expected = 0.5 * (row['mean'][0] ** 2 + np.exp(-5) + 5 - 1)
  assert row['kl'][0] == pytest.approx(expected, abs=1e-3)


def test_a_scan_may_be_damaged_first_as_in_training(scan_view):
  image = np.random.default_rng(0).integers(50, 250, (16, 16), np.uint8)
  [row] = scan_view.answer([Upload('a', png(image))], {'damage': '1'})
  damaged, original = of_address(row['picture'])[..., 0], of_address(row['original'])[..., 0]
  kept = damaged > 0
  assert 0.2 < kept.mean() < 0.6 and (damaged[kept] == original[kept]).all()
  assert scan_view.about()['corrupt'] == ('keep',)


@pytest.mark.parametrize('ending', ['.nii', '.nii.gz'])
def test_the_slices_of_a_volume_are_answered_by_number(scan_view, tmp_path, monkeypatch, ending):
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'own'))
  (tmp_path / 'own').mkdir()
  volume = np.random.default_rng(0).integers(0, 100, (16, 16, 5)).astype(np.int16)
  scan_files.write_nifti(tmp_path / f'a{ending}', volume)
  content = (tmp_path / f'a{ending}').read_bytes()
  client = client_of(scan_view)
  found = [client.post(f'/api/predict?slice={place}', content=content).json()['pictures'][0]
           for place in range(5)]
  middle = client.post('/api/predict', content=content).json()['pictures'][0]
  assert middle == found[2] and len({row['picture'] for row in found}) == 5
  beyond = client.post('/api/predict?slice=5', content=content)
  assert beyond.status_code == 422 and 'has 5 slices' in beyond.json()['error']
  for text in ('-1', 'two', '9' * 30):
    answer = client.post(f'/api/predict?slice={text}', content=content)
    assert answer.status_code == 422 and 'whole number' in answer.json()['error']
  assert list((tmp_path / 'own').iterdir()) == []


def test_a_dicom_file_is_read_whatever_its_name(scan_view, tmp_path):
  values = np.arange(256, dtype=np.uint16).reshape(16, 16)
  scan_files.write_dicom(tmp_path / 'a', values[None])
  [row] = scan_view.answer([Upload('a', (tmp_path / 'a').read_bytes())], {})
  seen = of_address(row['picture'])[..., 0]
  assert row['size_px'] == [16, 16] and np.abs(seen - values.astype(float)).max() <= 1


@pytest.mark.parametrize('content', [b'junk', b'', b'\x1f\x8bjunk', bytes(128) + b'DICMjunk'])
def test_what_is_no_scan_is_told(scan_view, content):
  [row] = scan_view.answer([Upload('x', content)], {})
  assert row['path'] == 'x' and row['error'] and '.scan' not in row['error']  # no place of ours


def test_latent_numbers_are_decoded(scan_view):
  client = client_of(scan_view)
  latents = np.zeros((2, small_scans.LATENT))
  latents[1, 0] = 1.0
  first, second = client.post('/api/decode', json={'latents': latents.tolist()}).json()['pictures']
  difference = of_address(second).astype(int) - of_address(first)
  assert (difference[:4, :4] > 50).all() and (difference[4:] == 0).all()


@pytest.mark.parametrize('latents', [
    None, [], [[]], [[1.0]], [[1e9] * 16], [['1'] * 16], [[True] * 16], [[None] * 16], 5,
    [[0.0] * 16] * 33])
def test_what_are_no_latent_numbers_is_told(scan_view, latents):
  answer = client_of(scan_view).post('/api/decode', json={'latents': latents})
  assert answer.status_code == 422 and '16 numbers' in answer.json()['error']


def test_a_latent_number_that_is_none_is_told(scan_view):
  body = '{"latents": [[' + ', '.join(['NaN'] * 16) + ']]}'
  answer = client_of(scan_view).post('/api/decode', content=body,
                                       headers={'content-type': 'application/json'})
  assert answer.status_code == 422


def test_a_package_that_a_format_needs_is_told(scan_view, monkeypatch):
  def refuse(*_):
    raise UserError('NIfTI files need nibabel: pip install nibabel')
  monkeypatch.setattr(scan_view, '_open', refuse)
  assert scan_view.answer([Upload('a.nii', b'scan')], {}) == [
      {'path': 'a.nii', 'error': 'NIfTI files need nibabel: pip install nibabel'}]
