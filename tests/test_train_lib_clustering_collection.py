"""What a cluster job left, opened again: moved, damaged, asked for what is alike, placed."""

import os

import cv2
import numpy as np
import pytest

from configs import vae
from errors import UserError
from tests import small_collections
from tests.small_collections import make_config, name_clusters, run, write_pictures
from tests.tables import read_csv
from train_lib.clustering.collection import Collection, open_collection


@pytest.fixture
def pictures(tmp_path):
  return write_pictures(tmp_path / 'photos')


def test_a_collection_is_opened_again_and_asked_for_what_is_alike(monkeypatch, tmp_path, pictures):
  config = make_config(tmp_path, pictures)
  run(monkeypatch, config, tmp_path / 'run')
  monkeypatch.setattr('train_lib.clustering.collection.open_trunk',
                      lambda config, workdir: small_collections.make_trunk(config))
  collection = open_collection(tmp_path / 'run')
  assert len(collection.ids) == 18 and collection.features.dtype == np.float32
  np.testing.assert_allclose(np.linalg.norm(collection.features, axis=1), 1, rtol=1e-5)
  found = collection.neighbours(pictures / 'green' / '2.png', count=6)
  assert found[0][0] == 'green/2.png' and found[0][1] == pytest.approx(1, abs=1e-5)
  assert {path.split('/')[0] for path, _ in found} == {'green'}
  assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
  assert collection.read_picture(0).shape[2] == 3
  with pytest.raises(UserError, match='there is no picture'):
    collection.neighbours(tmp_path / 'none.png')
  os.remove(pictures / 'green' / '2.png')
  again = open_collection(tmp_path / 'run')
  assert again.read_picture(again.ids.index('green/2.png')) is None
  with pytest.raises(UserError, match="1 picture that .* cannot be found, such as 'green/2.png'"):
    _ = again.rows


def test_a_collection_is_found_from_another_folder(monkeypatch, tmp_path, pictures):
  config = make_config(tmp_path, pictures)
  config.data.path = 'photos'
  monkeypatch.chdir(tmp_path)
  run(monkeypatch, config, tmp_path / 'run')
  monkeypatch.chdir('/')
  assert open_collection(tmp_path / 'run').read_picture(0) is not None


@pytest.mark.parametrize('as_input', [False, True])
def test_pictures_that_have_moved_are_found_where_they_are(monkeypatch, tmp_path, pictures,
                                                            as_input, capsys):
  def group():
    config = make_config(tmp_path, '' if as_input else pictures, gallery=True)
    return run(monkeypatch, config, tmp_path / 'run', pictures if as_input else '')

  folder = group()
  pictures = pictures.rename(tmp_path / 'pics')
  name_clusters(folder, str)
  capsys.readouterr()
  assert group() == folder and 'they stay as they are' in capsys.readouterr().out
  assert open_collection(tmp_path / 'run').read_picture(0) is not None
  assert (folder / 'labelled' / 'pictures' / 'red' / '0.png').resolve().is_file()


@pytest.mark.parametrize('name', ['projection.npz', 'clusters.npz', 'features.npy'])
def test_damaged_clusters_are_told_and_made_anew(monkeypatch, tmp_path, pictures, capsys, name):
  config = make_config(tmp_path, pictures)
  folder = run(monkeypatch, config, tmp_path / 'run')
  before = read_csv(folder / 'clusters.csv')
  (folder / name).write_bytes((folder / name).read_bytes()[:-40])
  with pytest.raises(UserError, match='is damaged'):
    open_collection(tmp_path / 'run')
  run(monkeypatch, config, tmp_path / 'run')
  assert 'is damaged' in capsys.readouterr().out
  assert read_csv(folder / 'clusters.csv') == before


def test_slices_of_scans_are_placed_as_pictures(monkeypatch, tmp_path):
  (tmp_path / 'scans').mkdir()
  shades = np.linspace(30, 220, 32).astype(np.uint8)
  for number, name in enumerate(('one', *'abcdefgh')):
    (tmp_path / 'scans' / name).mkdir()
    cv2.imwrite(str(tmp_path / 'scans' / name / '1.png'), np.tile(shades - number, (32, 1)))
  config = vae.get_config('smoke')
  config.data.source, config.data.path = 'scans', str(tmp_path / 'scans')
  collection = Collection(tmp_path, config, '', '', ['one/1.png#0'], *[None] * 9)
  assert collection.name_of(0) == 'one/1.png#0.png'
  collection.place_picture(0, tmp_path / 'placed' / 'one.png')
  placed = cv2.imread(str(tmp_path / 'placed' / 'one.png'))
  monkeypatch.setattr(Collection, 'read_picture', lambda *_: None)
  with pytest.raises(UserError, match="'one/1.png#0' cannot be read any more"):
    collection.place_picture(0, tmp_path / 'placed' / 'two.png')
  side_px = config.data.image_size_px
  assert placed.shape == (side_px, side_px, 3) and placed[0, -1, 0] > placed[0, 0, 0] + 100
