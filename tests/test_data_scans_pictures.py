import io

import cv2
import numpy as np
import pytest
from PIL import Image

from data.decode import DecodeError
from data.scans import open_scan
from data.scans.pictures import decode_grey
from tests.scan_files import SETTINGS, make_values


def write(path, pixels, **options):
  Image.fromarray(pixels).save(path, **options)
  return path


def stored(path):
  return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def bytes_of(pixels, format, **options):
  buffer = io.BytesIO()
  Image.fromarray(pixels).save(buffer, format, **options)
  return buffer.getvalue()


def write_int16(path, pages):
  """A TIFF of 16-bit numbers with a sign."""
  assert cv2.imwritemulti(str(path), list(pages))
  return path


def test_eight_bits_are_shown_as_they_are(tmp_path):
  pixels = make_values(dtype=np.uint8, most=200)
  scan = open_scan(write(tmp_path / 'a.png', pixels), SETTINGS)
  assert scan.window == (0, 255) and scan.num_slices == 1
  np.testing.assert_allclose(scan.slice(0), pixels / 255, atol=1e-6)


@pytest.mark.parametrize('ending', ['.png', '.tif'])
def test_all_of_sixteen_bits_count(tmp_path, ending):
  pixels = make_values(30, 30, most=70)
  scan = open_scan(write(tmp_path / f'a{ending}', pixels), SETTINGS._replace(window='full'))
  assert len(np.unique(scan.slice(0))) == 70


def test_numbers_with_a_point_are_shown_through_their_own_window(tmp_path):
  pixels = np.random.default_rng(0).normal(0, 3, (50, 40)).astype(np.float32)
  scan = open_scan(write(tmp_path / 'a.tiff', pixels), SETTINGS)
  np.testing.assert_allclose(scan.window, np.percentile(pixels, [0.5, 99.5]))


def test_every_page_of_a_tiff_is_a_slice(tmp_path):
  pages = [make_values(seed=seed) for seed in range(3)]
  first, *others = map(Image.fromarray, pages)
  first.save(tmp_path / 'a.tif', save_all=True, append_images=others)
  scan = open_scan(tmp_path / 'a.tif', SETTINGS._replace(window='0,8000'))
  assert scan.num_slices == 3
  for k, page in enumerate(pages):
    np.testing.assert_allclose(scan.slice(k), page / 4000 / 2 + 0.5, atol=1e-6)


def test_colour_becomes_its_luminance(tmp_path):
  pixels = np.zeros((4, 5, 3), np.uint8)
  pixels[..., 0], pixels[..., 1] = 200, 100
  scan = open_scan(write(tmp_path / 'a.png', pixels), SETTINGS)
  np.testing.assert_allclose(scan.slice(0), (0.299 * 200 + 0.587 * 100) / 255, atol=0.5 / 255)


@pytest.mark.parametrize('ending', ['.png', '.tif'])
def test_deep_colour_keeps_its_bits(tmp_path, ending):
  pixels = np.repeat(make_values(20, 20, most=300)[..., None], 3, -1)
  cv2.imwrite(str(tmp_path / f'a{ending}'), pixels)
  scan = open_scan(tmp_path / f'a{ending}', SETTINGS._replace(window='full'))
  expected = (pixels[..., 0] - pixels.min()) / np.ptp(pixels)
  np.testing.assert_allclose(scan.slice(0), expected, atol=1e-6)


@pytest.mark.parametrize('mode', ['LA', 'RGBA'])
def test_what_is_transparent_is_black(tmp_path, mode):
  pixels = np.full((4, 6, len(mode)), 200, np.uint8)
  pixels[..., -1] = np.repeat([0, 255], 3)
  scan = open_scan(write(tmp_path / 'a.png', pixels), SETTINGS)
  np.testing.assert_allclose(scan.slice(0)[0], np.repeat([0, 200 / 255], 3), atol=1e-6)


def test_a_palette_is_looked_up(tmp_path):
  Image.fromarray(make_values(dtype=np.uint8, most=9)).convert('P').save(tmp_path / 'a.png')
  assert open_scan(tmp_path / 'a.png', SETTINGS).slice(0).max() < 10 / 255


@pytest.mark.parametrize('ending, dtype', [
    ('.png', np.uint8), ('.png', np.uint16), ('.tif', np.uint8), ('.tif', np.uint16),
    ('.tif', np.int32), ('.tif', np.float32), ('.tif', np.int16)])
@pytest.mark.parametrize('num_pages', [1, 3])
def test_slices_are_saved_in_the_type_of_the_file(tmp_path, ending, dtype, num_pages):
  if ending == '.png' and num_pages > 1:
    return
  pages = np.stack([make_values(8, 9, seed, most=250) for seed in range(num_pages)]).astype(dtype)
  pages -= np.array(40 if np.dtype(dtype).kind in 'if' else 0, dtype)
  path = write_int16(tmp_path / f'a{ending}', pages) if ending == '.tif' else write(
      tmp_path / 'a.png', pages[0])
  scan = open_scan(path, SETTINGS._replace(window='full'))
  scan.save(tmp_path / f'same{ending}', [scan.slice(k) for k in range(num_pages)])
  scan.save(tmp_path / f'other{ending}', [1 - scan.slice(k) for k in range(num_pages)])
  for name, values in (('same', pages), ('other', pages.min() + pages.max() - pages)):
    _, saved = cv2.imreadmulti(str(tmp_path / f'{name}{ending}'), flags=cv2.IMREAD_UNCHANGED)
    assert saved[0].dtype == dtype and len(saved) == num_pages
    np.testing.assert_allclose(np.stack(saved), values, rtol=1e-5, atol=1e-4)


def test_a_tiff_keeps_its_description_and_resolution(tmp_path):
  path = write(tmp_path / 'a.tif', make_values(), description='knee', resolution=300)
  scan = open_scan(path, SETTINGS)
  scan.save(tmp_path / 'b.tif', [scan.slice(0)])
  with Image.open(tmp_path / 'b.tif') as image:
    assert image.tag_v2[270] == 'knee' and image.tag_v2[282] == 300


@pytest.mark.parametrize('dtype, format', [
    (np.uint8, 'PNG'), (np.uint16, 'PNG'), (np.uint8, 'TIFF'), (np.uint16, 'TIFF')])
def test_decoded_bytes_are_a_share_of_the_most_their_bits_hold(dtype, format):
  pixels = make_values(dtype=dtype, most=200)
  decoded = decode_grey(bytes_of(pixels, format), 1000)
  assert decoded.dtype == np.float32
  np.testing.assert_allclose(decoded, pixels / np.iinfo(dtype).max, rtol=1e-6)


def test_decoded_numbers_are_a_share_of_their_own_range():
  pixels = np.random.default_rng(0).normal(0, 3, (5, 4)).astype(np.float32)
  decoded = decode_grey(bytes_of(pixels, 'TIFF'), 1000)
  np.testing.assert_allclose(decoded, (pixels - pixels.min()) / np.ptp(pixels), atol=1e-6)
  assert not decode_grey(bytes_of(np.ones((3, 4), np.float32), 'TIFF'), 1000).any()
  pixels[0, 0] = np.nan
  assert np.isfinite(decode_grey(bytes_of(pixels, 'TIFF'), 1000)).all()


def test_other_pictures_become_their_luminance():
  colour = np.zeros((16, 16, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
  decoded = decode_grey(bytes_of(colour, 'JPEG', quality=95), 1000)
  np.testing.assert_allclose(decoded, (colour[0, 0] @ [0.299, 0.587, 0.114]) / 255, atol=0.01)


@pytest.mark.parametrize('data, words', [
    (b'', 'empty'), (b'hello', 'is no JPEG'), (b'\x89PNG\r\n\x1a\n' + b'x' * 50, 'PNG file is br'),
    (b'II*\0' + b'x' * 50, 'TIFF file is broken')])
def test_bytes_that_are_no_picture_are_told(data, words):
  with pytest.raises(DecodeError, match=words):
    decode_grey(data, 1000)


def test_too_many_pixels_are_told():
  with pytest.raises(DecodeError, match='30 x 40 pixels, more than max_pixels = 1,000'):
    decode_grey(bytes_of(make_values(40, 30), 'PNG'), 1000)
