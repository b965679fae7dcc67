"""The quick way to a JPEG's header: what it tells, what it leaves to Pillow, and that it hides
nothing."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from data import decode
from data.decode import DecodeError, decode_image
from data.jpeg_header import read_plain_header

PROFILE = b'a colour profile' * 9


def encode(mode='RGB', **options):
  y, x = np.mgrid[:17, :23]
  image = Image.fromarray(np.stack([x * 10, y * 13, 255 - x * 5 - y * 5], -1).astype(np.uint8))
  buffer = io.BytesIO()
  image.convert(mode).save(buffer, 'JPEG', **options)
  return buffer.getvalue()


def with_segment(kind, content):
  """A JPEG whose first segment is another."""
  length = (len(content) + 2).to_bytes(2, 'big')
  return encode().replace(b'\xff\xd8', b'\xff\xd8\xff' + bytes([kind]) + length + content, 1)


PLAIN = {'colour': encode(), 'grey': encode('L'), 'progressive': encode(progressive=True),
         'profile': encode(icc_profile=PROFILE), 'half colours': encode(subsampling='4:2:0'),
         'restarts': encode(restart_marker_blocks=1),
         'comment': encode(comment=b'\xff\xda\xff\xd9'),
         'film': with_segment(0xe2, b'MPF\0' + encode())}
FRAME = encode()[encode().index(b'\xff\xc0'):][:19]
OTHERS = {'cmyk': encode('CMYK'), 'exif': encode(exif=Image.Exif().tobytes()),
          'xmp': with_segment(0xe1, b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'),
          'padded': encode().replace(b'\xff\xdb', b'\xff\xff\xdb', 1),
          'short profile': with_segment(0xe2, b'ICC_PROFILE\0'),
          'no height': encode().replace(b'\0\x11\0\x17', b'\0\0\0\x17', 1),
          'twelve bits': encode().replace(b'\x08\0\x11\0\x17', b'\x0c\0\x11\0\x17', 1),
          'two frames': encode().replace(FRAME, FRAME * 2),
          'a png': b'\x89PNG\r\n\x1a\n', 'nothing': b'', 'its first bytes': encode()[:40]}


@pytest.mark.parametrize('data', PLAIN.values(), ids=PLAIN)
def test_a_plain_header_tells_what_pillow_tells(data):
  theirs, ours = JpegImageFile(io.BytesIO(data)), read_plain_header(data)
  assert ours == (*theirs.size, theirs.layers, bool(theirs.info.get('progressive')),
                  theirs.fp.tell())


@pytest.mark.parametrize('data', OTHERS.values(), ids=OTHERS)
def test_every_other_header_is_left_to_pillow(data):
  assert read_plain_header(data) is None


def test_a_header_with_more_segments_than_pictures_have_is_left_to_pillow():
  comments = b'\xff\xfe\0\x02' * 200
  assert read_plain_header(encode().replace(b'\xff\xd8', b'\xff\xd8' + comments, 1)) is None


def test_a_plain_picture_is_decoded_without_pillow(monkeypatch):
  expected = decode_image(PLAIN['colour'], max_pixels=1000)
  monkeypatch.setattr(decode, '_read_header', None)
  np.testing.assert_array_equal(decode_image(PLAIN['colour'], max_pixels=1000), expected)


def decoded(data):
  """The picture as a list, or why there is none."""
  try:
    return decode_image(data, max_pixels=10_000).tolist()
  except DecodeError as error:
    return str(error)


@settings(max_examples=150, deadline=None)
@given(data=st.sampled_from([*PLAIN.values(), *OTHERS.values()]), seed=st.integers(0, 10**6))
@pytest.mark.filterwarnings('ignore::UserWarning')
def test_a_damaged_file_gives_the_same_picture_or_reason_as_by_pillows_header(data, seed):
  rng, damaged = np.random.default_rng(seed), bytearray(data)
  for place in rng.integers(min(len(data), 700) or 1, size=rng.integers(4)):
    damaged[place:place + rng.integers(2)] = rng.bytes(rng.integers(3))
  quick = decoded(bytes(damaged))
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(decode, 'read_plain_header', lambda data: None)
    assert decoded(bytes(damaged)) == quick
