"""Pictures in the page: small ones as they are, others shrunk, all of them within a bound."""

import base64
import io

from etils import epath
from PIL import Image

from tests.small_workdirs import write_picture
from train_lib.inspection import embedding


def opened(embedded):
  kind, _, text = embedded.uri.partition(';base64,')
  image = Image.open(io.BytesIO(base64.b64decode(text)))
  assert kind == f'data:image/{image.format.lower()}'
  assert image.size == (embedded.width_px, embedded.height_px)
  return image


def test_a_small_picture_is_taken_byte_for_byte(tmp_path):
  path = epath.Path(write_picture(tmp_path / 'a.png'))
  embedded = embedding.embed([path, path])[path]
  assert base64.b64decode(embedded.uri.partition(',')[2]) == path.read_bytes()
  assert opened(embedded).format == 'PNG'


def test_a_large_picture_is_shrunk(tmp_path):
  path = epath.Path(write_picture(tmp_path / 'a.png', 2000, 500, noisy=True))
  image = opened(embedding.embed([path])[path])
  assert image.format == 'JPEG' and image.size == (1600, 400)


def test_what_is_transparent_becomes_white(tmp_path):
  Image.new('RGBA', (1700, 20), (0, 0, 0, 0)).save(tmp_path / 'a.png')
  path = epath.Path(tmp_path / 'a.png')
  assert opened(embedding.embed([path])[path]).getpixel((5, 5)) == (255, 255, 255)


def test_pictures_shrink_together_until_they_fit_and_the_rest_is_left_out(tmp_path, monkeypatch):
  paths = [epath.Path(write_picture(tmp_path / f'{k}.png', 600, 400, noisy=True))
           for k in range(3)]
  monkeypatch.setattr(embedding, 'LEVELS', ((600, 80), (150, 60)))
  for most, widths in ((10_000_000, [600] * 3), (60_000, [150] * 3)):
    monkeypatch.setattr(embedding, 'MOST_BYTES', most)
    found = list(embedding.embed(paths).values())
    assert [one.width_px for one in found] == widths
  monkeypatch.setattr(embedding, 'MOST_BYTES', sum(len(one.uri) for one in found) // 2)
  found = list(embedding.embed(paths).values())                # a page holds 4/3 of the bytes
  assert [one.width_px for one in found] == [150, 150, 0]
  assert 'too large' in found[2].reason


def test_what_cannot_be_read_is_told(tmp_path):
  (tmp_path / 'broken.png').write_bytes(b'\x89PNG no more')
  broken, gone = epath.Path(tmp_path / 'broken.png'), epath.Path(tmp_path / 'gone.png')
  found = embedding.embed([broken, gone])
  assert not found[broken].uri and 'cannot be read' in found[broken].reason
  assert found[gone].reason == 'No such file or directory'
