"""Pictures that a program hands over: told apart by what is in them."""

import numpy as np
import pytest

from data.encode import encode_image
from data.given import Given
from errors import UserError


def test_the_fingerprint_is_of_the_content_in_its_order(tmp_path):
  red, blue = (np.full((4, 4, 3), colour, np.uint8) for colour in ([255, 0, 0], [0, 0, 255]))
  (tmp_path / 'red.png').write_bytes(encode_image(red, '.png'))
  same = [Given([picture, blue]).fingerprint
          for picture in (red, tmp_path / 'red.png', (tmp_path / 'red.png').read_bytes())]
  assert len(set(same)) == 1
  assert Given([blue, red]).fingerprint not in same
  assert Given([blue, red]).take([1, 0]).fingerprint == same[0]


def test_the_id_is_the_place_and_the_bytes_are_a_file():
  source = Given([b'anything', np.zeros((2, 3, 3), np.uint8)])
  assert source.names == ['0', '1'] and source[0]['image_bytes'] == b'anything'
  assert source[1]['image_bytes'].startswith(b'\x89PNG')


def test_an_empty_array_is_told():
  with pytest.raises(UserError, match=r'picture 1 is uint8 \[0, 3, 3\]; expected RGB'):
    Given([b'x', np.zeros((0, 3, 3), np.uint8)])
