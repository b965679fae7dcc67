"""Pictures that are written can be read again."""

import numpy as np
import pytest

from data.decode import decode_image
from data.encode import encode_image
from data.sources.pictures import EXTENSIONS


@pytest.mark.parametrize('ending', [*EXTENSIONS, '.JPG'])
def test_every_ending_that_is_read_is_written(ending):
  ramp = np.linspace(0, 255, 40, dtype=np.uint8)
  image = np.stack([np.tile(ramp, (30, 1))] * 3, -1)
  again = decode_image(encode_image(image, ending), max_pixels=10_000)
  assert again.shape == image.shape
  assert np.abs(again.astype(int) - image).mean() < 3
  if ending in ('.png', '.bmp', '.tif', '.tiff'):
    np.testing.assert_array_equal(again, image)
