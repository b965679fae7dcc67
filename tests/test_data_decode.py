import io
import os
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from data.decode import DecodeError, decode_image

MAX_PIXELS = 50_000_000
SHARED = Path(os.environ.get('OKO_SHARED', Path(__file__).parents[1] / '../shared'))
ORIENTATION = 0x0112


def make_picture(mode='RGB', width_px=23, height_px=17):
  """A smooth picture with a slope along every axis, so that any turn or swap shows."""
  y, x = np.mgrid[:height_px, :width_px]
  colour = np.stack([x * 10, y * 13, 255 - x * 5 - y * 5, (x * 11) % 256], -1).astype(np.uint8)
  image = Image.fromarray(colour[..., :3])
  if mode in ('RGBA', 'LA'):
    image.putalpha(Image.fromarray(colour[..., 3]))
  return image.convert(mode)


def encode(image, format, **options):
  buffer = io.BytesIO()
  image.save(buffer, format, **options)
  return buffer.getvalue()


def decode_with_pillow(data):
  """The reference: EXIF orientation, then white below whatever is transparent, then RGB."""
  image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
  if image.has_transparency_data:
    image = image.convert('RGBA')
    image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
  return np.asarray(image.convert('RGB'))


def decode(data, max_pixels=MAX_PIXELS):
  image = decode_image(data, max_pixels=max_pixels)
  assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
  assert image.flags.c_contiguous and image.flags.writeable
  return image


def assert_equals_pillow(data, tolerance=0):
  expected = decode_with_pillow(data).astype(int)
  image = decode(data).astype(int)
  assert image.shape == expected.shape
  assert np.abs(image - expected).max() <= tolerance


@pytest.mark.parametrize('format, mode, options', [
    ('PNG', '1', {}), ('PNG', 'L', {}), ('PNG', 'LA', {}), ('PNG', 'P', {}), ('PNG', 'RGB', {}),
    ('PNG', 'RGBA', {}), ('PNG', 'RGB', {'transparency': (0, 0, 255)}),
    ('PNG', 'L', {'transparency': 100}), ('PNG', 'P', {'transparency': 3}),
    ('PNG', 'P', {'transparency': bytes(range(0, 250, 5))}),
    ('JPEG', 'L', {}), ('JPEG', 'RGB', {'quality': 90}), ('JPEG', 'CMYK', {}),
    ('JPEG', 'RGB', {'progressive': True}), ('JPEG', 'RGB', {'subsampling': '4:2:0'}),
    ('WEBP', 'RGB', {}), ('WEBP', 'RGBA', {'lossless': True}), ('WEBP', 'RGB', {'lossless': True}),
    ('GIF', 'P', {}), ('GIF', 'P', {'transparency': 3}),
    ('BMP', '1', {}), ('BMP', 'P', {}), ('BMP', 'RGB', {}), ('BMP', 'RGBA', {}),
    ('TIFF', 'L', {}), ('TIFF', 'LA', {}), ('TIFF', 'P', {}), ('TIFF', 'RGB', {}),
    ('TIFF', 'RGBA', {}), ('TIFF', 'CMYK', {}), ('TIFF', 'RGB', {'compression': 'tiff_lzw'}),
])
def test_every_mode_equals_the_pillow_reference(format, mode, options):
  # A colour JPEG may differ by the rounding of another build of the same library.
  assert_equals_pillow(encode(make_picture(mode), format, **options), int(format == 'JPEG'))


@settings(max_examples=30, deadline=None)
@given(width_px=st.integers(1, 70), height_px=st.integers(1, 70), quality=st.integers(20, 100))
def test_jpegs_of_any_size_equal_the_pillow_reference(width_px, height_px, quality):
  picture = make_picture('RGB', width_px, height_px)
  assert_equals_pillow(encode(picture, 'JPEG', quality=quality), 1)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('format, mode', [
    ('JPEG', 'RGB'), ('JPEG', 'CMYK'), ('PNG', 'RGB'), ('PNG', 'RGBA'), ('WEBP', 'RGB'),
    ('TIFF', 'RGB')])
def test_the_exif_orientation_is_applied(format, mode, orientation):
  exif = Image.Exif()
  exif[ORIENTATION] = orientation
  data = encode(make_picture(mode), format, exif=exif)
  assert decode(data).shape == ((17, 23, 3) if orientation < 5 else (23, 17, 3))
  assert_equals_pillow(data, int(format == 'JPEG'))


@pytest.mark.filterwarnings('ignore:Corrupt EXIF')
def test_broken_exif_data_count_as_upright():
  data = encode(make_picture(), 'JPEG', exif=b'Exif\0\0II*\0' + b'\xff' * 20)
  np.testing.assert_allclose(decode(data).astype(int), np.asarray(make_picture()), atol=60)


@pytest.mark.parametrize('format', ['PNG', 'TIFF'])
def test_sixteen_bits_are_scaled_and_not_clipped(format):
  deep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
  image = decode(encode(Image.fromarray(deep), format))
  np.testing.assert_array_equal(image[..., 0], deep >> 8)
  np.testing.assert_array_equal(image[..., 0], image[..., 2])


def make_png(width_px, height_px, bits, colour_type, rows=b'', extra=b''):
  """A PNG by hand: header, extra chunks, pixel rows (with their filter bytes), end."""
  header = struct.pack('>IIBBBBB', width_px, height_px, bits, colour_type, 0, 0, 0)
  chunks = make_chunk(b'IHDR', header) + extra + make_chunk(b'IDAT', zlib.compress(rows))
  return b'\x89PNG\r\n\x1a\n' + chunks + make_chunk(b'IEND', b'')


def make_chunk(kind, body):
  return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def test_sixteen_bit_colour_keeps_its_high_bytes():
  rows = b'\0' + struct.pack('>6H', 0x1234, 0x80ff, 0xffff, 0, 0x00ff, 0x0100)
  assert decode(make_png(2, 1, 16, 2, rows)).tolist() == [[[0x12, 0x80, 0xff], [0, 0, 1]]]


def test_the_transparent_level_of_a_sixteen_bit_grey_picture_is_white():
  rows = b'\0' + struct.pack('>2H', 0x1234, 0x8000)
  data = make_png(2, 1, 16, 0, rows, make_chunk(b'tRNS', struct.pack('>H', 0x1234)))
  assert decode(data).tolist() == [[[255] * 3, [0x80] * 3]]


def test_what_is_wholly_transparent_is_white_whatever_colour_it_hides():
  image = Image.new('RGBA', (3, 3), (200, 0, 0, 0))
  assert decode(encode(image, 'PNG')).min() == 255


def test_an_orientation_after_the_pixels_of_a_png_is_found():
  exif = Image.Exif()
  exif[ORIENTATION] = 6
  chunk = make_chunk(b'eXIf', exif.tobytes()[6:])
  plain = encode(make_picture(), 'PNG')
  assert decode(plain[:-12] + chunk + plain[-12:]).shape == (23, 17, 3)


def test_the_first_frame_of_a_long_gif_is_decoded():
  frames = [Image.new('P', (8, 8), level % 256) for level in range(2000)]
  data = encode(frames[0], 'GIF', save_all=True, append_images=frames[1:])
  started = time.monotonic()
  assert_equals_pillow(data)
  assert time.monotonic() - started < 1


BOMBS = {
    'png': make_png(60_000, 60_000, 8, 2),
    'grey png': make_png(60_000, 60_000, 16, 0),
    'webp': b'RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0' + 2 * (59_999).to_bytes(3, 'little'),
    'gif': b'GIF89a' + struct.pack('<HHBBB', 60_000, 60_000, 0, 0, 0)
           + b',' + struct.pack('<HHHHB', 0, 0, 60_000, 60_000, 0) + b'\x02\x02\x4c\x01\0;',
    'bmp': b'BM' + struct.pack('<IHHIIiiHHIIiiII', 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0,
                               0, 0, 0, 0),
}


def make_jpeg_bomb():
  data = encode(make_picture(), 'JPEG')
  start = data.index(b'\xff\xc0') + 5
  return data[:start] + struct.pack('>HH', 60_000, 60_000) + data[start + 4:]


def make_tiff_bomb():
  data = encode(make_picture(), 'TIFF')
  for side in (23, 17):
    kind = 0x0100 if side == 23 else 0x0101
    data = data.replace(struct.pack('<HHII', kind, 4, 1, side),
                        struct.pack('<HHII', kind, 4, 1, 60_000))
    data = data.replace(struct.pack('<HHIHH', kind, 3, 1, side, 0),
                        struct.pack('<HHIHH', kind, 3, 1, 60_000, 0))
  return data


@pytest.mark.parametrize('data', [*BOMBS.values(), make_jpeg_bomb(), make_tiff_bomb()],
                         ids=[*BOMBS, 'jpeg', 'tiff'])
def test_a_bomb_is_refused_from_its_header_at_once_and_without_memory(data):
  before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  started = time.monotonic()
  with pytest.raises(DecodeError, match='60000 x 60000 pixels, more than max_pixels = 50,000,000'):
    decode(data + b'\0' * 16)
  assert time.monotonic() - started < 1
  assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 100 * 1024


def test_the_pixel_cap_counts_all_pixels():
  data = encode(make_picture(), 'PNG')
  assert decode(data, 23 * 17).shape == (17, 23, 3)
  with pytest.raises(DecodeError, match='more than max_pixels = 390 '):
    decode(data, 23 * 17 - 1)


@pytest.mark.parametrize('data, words', [
    (b'', 'the file is empty'),
    (b'GIF', 'no JPEG'),
    (b'hello, this is text', 'no JPEG'),
    (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'no JPEG'),
    (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'no JPEG'),
    (b'RIFF\x10\0\0\0WAVEfmt ' + b'\0' * 20, 'WEBP file is broken'),
    (b'\xff\xd8\xff\xe0', 'header of the JPEG file is broken'),
    (b'\x89PNG\r\n\x1a\n', 'header of the PNG file is broken'),
    (b'BM' + b'\0' * 60, 'BMP file is broken'),
    (make_png(0, 4, 8, 2), 'header of the PNG file is broken'),
])
def test_what_is_no_picture_is_refused_with_a_reason(data, words):
  with pytest.raises(DecodeError) as raised:
    decode(data)
  assert words in str(raised.value)


@pytest.mark.parametrize('format, options', [
    ('JPEG', {}), ('JPEG', {'progressive': True}), ('PNG', {}), ('WEBP', {}), ('BMP', {}),
    ('TIFF', {}), ('GIF', {})])
@pytest.mark.parametrize('share', [0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(format, options, share):
  data = encode(make_picture('RGB', 150, 130), format, **options)
  with pytest.raises(DecodeError):
    decode(data[:int(share * len(data))])


def test_a_truncated_png_is_refused_without_a_word_of_a_library(capfd):
  data = encode(make_picture('RGB', 150, 130), 'PNG')
  for missing in (100, len(data) // 2):
    with pytest.raises(DecodeError):
      decode(data[:-missing])
  assert capfd.readouterr() == ('', '')


def test_a_jpeg_that_lost_only_its_end_mark_is_refused():
  data = encode(make_picture(), 'JPEG')
  for missing in (1, 2, 3):
    with pytest.raises(DecodeError, match='cut off'):
      decode(data[:-missing])


def test_the_end_mark_of_a_thumbnail_does_not_hide_a_truncated_jpeg():
  thumbnail = encode(make_picture('RGB', 8, 8), 'JPEG')
  data = encode(make_picture('RGB', 150, 130), 'JPEG', exif=b'Exif\0\0' + thumbnail)
  assert thumbnail in data
  with pytest.raises(DecodeError, match='cut off'):
    decode(data[:len(data) * 3 // 4])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), format=st.sampled_from(['JPEG', 'PNG', 'WEBP', 'GIF', 'TIFF']))
@pytest.mark.filterwarnings('ignore::UserWarning')
def test_a_damaged_file_is_decoded_or_refused_but_never_crashes(seed, format):
  rng = np.random.default_rng(seed)
  data = bytearray(encode(make_picture('RGB', 40, 30), format))
  for position in rng.integers(len(data), size=3):
    data[position] = rng.integers(256)
  try:
    decode(bytes(data), max_pixels=10_000)
  except DecodeError as error:
    assert str(error)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm():
  data = encode(make_picture(), 'JPEG')
  np.testing.assert_array_equal(decode(data + b'\0' * 9), decode(data))


def test_thirty_two_bit_pictures_are_refused_since_their_range_is_unknown():
  data = encode(Image.fromarray(np.eye(4, dtype=np.float32)), 'TIFF')
  with pytest.raises(DecodeError, match='32 bits'):
    decode(data)


@pytest.mark.skipif(not (SHARED / 'data/anime_sprites').is_dir(), reason='the sprites are not here')
def test_transparent_sprites_equal_the_pillow_reference():
  paths = sorted((SHARED / 'data/anime_sprites').glob('*.png'))
  assert len(paths) == 13
  for path in paths:
    assert_equals_pillow(path.read_bytes())


def test_a_header_without_an_end_is_given_up_soon():
  endless = b'\xff\xd8\xff' + bytes(8 * 2 ** 20)
  with pytest.raises(DecodeError, match='header of the JPEG file is broken: it has no end'):
    decode_image(endless, max_pixels=10 ** 6)
