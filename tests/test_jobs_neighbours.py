"""--job=neighbours: what looks alike in a collection, near-copies, and no picture harmed."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from configs import base
from data.decode import DecodeError, decode_image
from data.encode import encode_image
from data.sources.pictures import PictureFiles
from errors import UserError
from jobs import neighbours
from tests.tables import read_csv

MOST_PIXELS = 10 ** 7


def features_of(image):
  """What a net would give: the coarse colours, so that copies of any size are alike."""
  small = cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
  small -= small.mean()
  return small / np.linalg.norm(small)


@dataclasses.dataclass
class Collection:
  """In place of `train_lib.clustering.collection.Collection`."""

  folder: Path
  links: bool = True
  config = base.get_config()

  def __post_init__(self):
    self.source = PictureFiles(self.folder)
    rows, ids, features, _ = self._read(self.source)
    self.rows, self.ids, self.features = np.array(rows), ids, np.stack(features)
    self.clusters = np.arange(len(ids), dtype=np.int32) % 3

  def read_picture(self, row):
    try:
      content = self.source[int(self.rows[row])]['image_bytes']
      return decode_image(content, max_pixels=MOST_PIXELS)
    except (OSError, DecodeError):
      return None

  @property
  def top(self):
    return Path(self.folder)

  def name_of(self, row):
    return self.ids[row]

  def place_picture(self, row, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if self.links:
      path.symlink_to(self.top / self.ids[row])
    else:
      path.write_bytes((self.top / self.ids[row]).read_bytes())

  def embed(self, source, poll):
    _, ids, features, unreadable = self._read(source)
    return ids, np.array(features, np.float32), unreadable

  def _read(self, source):
    rows, ids, features, unreadable = [], [], [], []
    for place in range(len(source)):
      example = source[place]
      try:
        features.append(features_of(decode_image(example['image_bytes'], max_pixels=MOST_PIXELS)))
      except DecodeError as error:
        unreadable.append((example['id'], str(error)))
        continue
      rows.append(place)
      ids.append(example['id'])
    return rows, ids, features, unreadable


@pytest.fixture(autouse=True)
def collection(monkeypatch):
  """A collection of `<workdir>/photos` in place of what a cluster job left."""
  monkeypatch.setattr(neighbours, 'open_collection', lambda workdir, poll: Collection(
      Path(workdir) / 'photos'))


def scene(seed, size=(96, 128)):
  colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
  return cv2.resize(colours, size[::-1])


def write_photos(folder):
  """Five scenes, the first also small, and mirrored, the second twice; and a broken one."""
  half = cv2.resize(scene(0), (64, 48), interpolation=cv2.INTER_AREA)
  files = {f'a/{number}.png': encode_image(scene(number), '.png') for number in range(5)}
  files |= {'a/0-half.png': encode_image(half, '.png'), 'b/1.png': files['a/1.png'],
            'b/mirror.png': encode_image(np.ascontiguousarray(half[:, ::-1]), '.png'),
            'b/broken.png': b'no picture'}
  for name, content in files.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
  return files


def make_config(**changes):
  config = base.get_config()
  with config.unlocked():
    config.neighbours = dict(count=3, copies='both', least_similarity=0.97, unique=False)
    config.neighbours.update(changes)
  config.runtime.cache_dir = 'off'
  return config


def run(tmp_path, input='', output='', **changes):
  neighbours.run(make_config(**changes), str(tmp_path), config_path='', input=str(input),
          output=str(output))
  name = 'neighbours_of_input' if input else 'neighbours'
  return Path(output or tmp_path / name)


def test_every_picture_is_told_its_neighbours_but_not_itself(tmp_path, capsys):
  write_photos(tmp_path / 'photos')
  folder = run(tmp_path)
  rows = read_csv(folder / 'neighbours.csv')
  assert list(rows[0]) == ['query', 'rank', 'path', 'similarity', 'cluster']
  assert len(rows) == 8 * 3 and all(row['query'] != row['path'] for row in rows)
  assert [row['rank'] for row in rows[:4]] == ['1', '2', '3', '1']
  best = {row['query']: row for row in rows if row['rank'] == '1'}
  assert best['a/0.png']['path'] == 'a/0-half.png' and best['a/1.png']['path'] == 'b/1.png'
  assert best['a/1.png']['similarity'] == '1.0000' and best['a/1.png']['cluster'] == '0'
  with Image.open(folder / 'neighbours.png') as sheet:
    assert sheet.size[1] > 8 * 160
  said = capsys.readouterr().out
  assert '3 most alike of each of 8 pictures' in said
  assert not (folder / 'unreadable.jsonl').exists()


def test_copies_are_listed_with_the_largest_to_be_kept(tmp_path, capsys):
  write_photos(tmp_path / 'photos')
  folder = run(tmp_path)
  rows = read_csv(folder / 'copies.csv')
  assert [(row['group'], row['path'], row['kept']) for row in rows] == [
      ('1', 'a/1.png', 'yes'), ('1', 'b/1.png', 'no'),
      ('2', 'a/0.png', 'yes'), ('2', 'a/0-half.png', 'no')]
  assert [row['why'] for row in rows] == ['', 'same file', '', 'hash and features']
  assert (folder / 'copies.png').exists() and not (folder / 'unique').exists()
  assert '2 pictures nearly the same as 2 others, by hash or features' in capsys.readouterr().out


def test_the_kept_one_is_of_most_pixels_then_of_most_bytes(tmp_path):
  photos = tmp_path / 'photos'
  photos.mkdir()
  image = scene(0)
  (photos / 'a.jpg').write_bytes(cv2.imencode('.jpg', image[..., ::-1], [1, 40])[1].tobytes())
  (photos / 'b.png').write_bytes(encode_image(image, '.png'))
  small = cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA)
  (photos / 'c.bmp').write_bytes(encode_image(small, '.bmp'))
  rows = read_csv(run(tmp_path) / 'copies.csv')
  assert [row['path'] for row in rows] == ['b.png', 'a.jpg', 'c.bmp']


def test_unique_links_to_what_is_kept_and_every_picture_stays(tmp_path):
  files = write_photos(tmp_path / 'photos')
  kept = {'a/0.png', 'a/1.png', 'a/2.png', 'a/3.png', 'a/4.png', 'b/mirror.png'}
  for _ in range(2):                                     # the same command again
    unique = run(tmp_path, unique=True) / 'unique'
    found = {path.relative_to(unique).as_posix(): path for path in unique.rglob('*.*')}
    assert set(found) == kept and all(path.is_symlink() for path in found.values())
    assert all(found[name].read_bytes() == files[name] for name in kept)
  unique = run(tmp_path, unique=True, copies='features', least_similarity=1.0) / 'unique'
  assert len([*unique.rglob('*.*')]) == 7                # the half-size one is none by these
  assert {name: (tmp_path / 'photos' / name).read_bytes() for name in files} == files


def test_where_no_link_can_be_made_pictures_are_copied(tmp_path, monkeypatch):
  files = write_photos(tmp_path / 'photos')
  collection = Collection(tmp_path / 'photos', links=False)
  monkeypatch.setattr(neighbours, 'open_collection', lambda *_: collection)
  for _ in range(2):
    unique = run(tmp_path, unique=True) / 'unique'
    found = {path.relative_to(unique).as_posix(): path for path in unique.rglob('*.*')}
    assert len(found) == 6 and not any(path.is_symlink() for path in found.values())
    assert all(path.read_bytes() == files[name] for name, path in found.items())


@pytest.mark.parametrize('name', ['mine.jpg', 'a/0.png'])
def test_files_of_a_person_in_the_folder_are_never_removed(tmp_path, name):
  write_photos(tmp_path / 'photos')
  mine = tmp_path / 'neighbours' / 'unique' / name
  mine.parent.mkdir(parents=True)
  mine.write_bytes(b'not one of these')
  with pytest.raises(UserError, match=f"holds 1 files that are no .* such as '{name}'"):
    run(tmp_path, unique=True)
  assert mine.read_bytes() == b'not one of these'


def test_links_among_the_pictures_themselves_are_refused(tmp_path):
  write_photos(tmp_path / 'photos')
  with pytest.raises(UserError, match='lies inside of the input'):
    run(tmp_path, output=tmp_path / 'photos' / 'out', unique=True)


def test_pictures_of_an_input_are_looked_for_in_the_collection(tmp_path, capsys):
  write_photos(tmp_path / 'photos')
  new = tmp_path / 'new'
  new.mkdir()
  (new / 'bright.png').write_bytes(encode_image((scene(3) * 0.9).astype(np.uint8), '.png'))
  (new / 'known.png').write_bytes(encode_image(scene(2), '.png'))
  (new / 'bad.png').write_bytes(b'')
  folder = run(tmp_path, new, tmp_path / 'out')
  rows = read_csv(folder / 'neighbours.csv')
  assert [(row['query'], row['path']) for row in rows if row['rank'] == '1'] == [
      ('bright.png', 'a/3.png'), ('known.png', 'a/2.png')]
  assert len(rows) == 6 and (folder / 'neighbours.png').exists()
  assert not (folder / 'copies.csv').exists()
  unreadable = [json.loads(line) for line in (folder / 'unreadable.jsonl').read_text().splitlines()]
  assert [row['id'] for row in unreadable] == ['bad.png']
  assert '1 picture could not be read' in capsys.readouterr().out
  run(tmp_path, new / 'known.png', tmp_path / 'out', count=100)
  assert len(read_csv(folder / 'neighbours.csv')) == 8          # all that there are
  assert '1.000  a/2.png' in capsys.readouterr().out
  assert not (folder / 'unreadable.jsonl').exists()


def test_an_input_of_which_nothing_can_be_read_is_told(tmp_path):
  write_photos(tmp_path / 'photos')
  with pytest.raises(UserError, match='no picture of .*broken.png.* can be read'):
    run(tmp_path, tmp_path / 'photos/b/broken.png')
  with pytest.raises(UserError, match='does not exist'):
    run(tmp_path, tmp_path / 'nowhere')


def test_a_refused_input_leaves_no_empty_folder(tmp_path):
  write_photos(tmp_path / 'photos')
  (tmp_path / 'empty').mkdir()
  with pytest.raises(UserError, match='no picture'):
    run(tmp_path, tmp_path / 'empty')
  assert not (tmp_path / 'neighbours_of_input').exists()


def test_a_picture_that_went_meanwhile_is_left_out_of_sheets(tmp_path, monkeypatch):
  write_photos(tmp_path / 'photos')
  collection = Collection(tmp_path / 'photos')
  monkeypatch.setattr(neighbours, 'open_collection', lambda *_: collection)
  (tmp_path / 'photos/a/1.png').unlink()
  folder = run(tmp_path)
  assert len(read_csv(folder / 'neighbours.csv')) == 24
  kept = {row['path'] for row in read_csv(folder / 'copies.csv') if row['kept'] == 'yes'}
  assert 'b/1.png' in kept and 'a/1.png' not in kept


def test_one_picture_alone_has_no_neighbour(tmp_path):
  (tmp_path / 'photos').mkdir()
  (tmp_path / 'photos/a.png').write_bytes(encode_image(scene(0), '.png'))
  with pytest.raises(UserError, match='one picture, which has no neighbour'):
    run(tmp_path)


@pytest.mark.parametrize('changes, message', [
    ({'count': 0}, 'neighbours.count is 0; expected 1 or more'),
    ({'copies': 'no'}, "copies 'no' is unknown; choices: hash, features, both"),
    ({'least_similarity': -1.0}, 'least_similarity is -1; expected above 0')])
def test_settings_that_make_no_sense_are_told_at_once(tmp_path, changes, message):
  with pytest.raises(UserError, match=message):
    run(tmp_path, **changes)


def test_unique_is_of_the_collection_alone(tmp_path):
  with pytest.raises(UserError, match='neighbours.unique is about copies within the collection'):
    run(tmp_path, tmp_path, unique=True)


@pytest.mark.parametrize('changes', [{'copies': 'hash'}, {'copies': 'features', 'unique': True}])
def test_what_needs_picture_files_is_not_for_scans(tmp_path, monkeypatch, changes):
  write_photos(tmp_path / 'photos')
  collection = Collection(tmp_path / 'photos')
  collection.config = base.get_config()
  collection.config.task = 'autoencoding'
  monkeypatch.setattr(neighbours, 'open_collection', lambda *_: collection)
  with pytest.raises(UserError, match="of scans, .* set neighbours.copies to 'features'"):
    run(tmp_path, **changes)
