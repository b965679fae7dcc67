"""From clusters to labels: tables for a person, her names, a dataset that nothing is lost in."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from train_lib.clustering import labelling
from train_lib.clustering.labelling import check_names, read_names, write_folders, write_labelled

NEVER = lambda: None                                                     # noqa: E731


@dataclasses.dataclass
class Collection:
  """What labelling reads of a collection: four pictures in two clusters, and one of noise."""
  folder: Path
  ids = ['a/0.png', 'a/1.png', 'b/0.png', 'b/1.png', '目 "x", y.png']
  clusters = np.array([1, 1, 0, 0, -1], np.int32)
  distances = np.array([0.5, 0.25, 0.1, 0.2, np.nan], np.float32)
  labels = np.array([0, 0, 1, -1, -1], np.int32)
  label_names = ('cat', 'dog')

  def name_of(self, row):
    return self.ids[row]

  def place_picture(self, row, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(self.folder / self.ids[row])


def test_the_table_goes_from_typical_to_unusual_and_noise_comes_last(tmp_path):
  labelling.write_clusters(tmp_path / 'clusters.csv', Collection(tmp_path), {0: 'Dogs'})
  assert (tmp_path / 'clusters.csv').read_text().splitlines() == [
      'path,cluster,name,rank,distance,label', 'b/0.png,0,Dogs,1,0.1,dog',
      'b/1.png,0,Dogs,2,0.2,', 'a/1.png,1,,1,0.25,cat', 'a/0.png,1,,2,0.5,cat',
      '"目 ""x"", y.png",-1,,,,']


@pytest.mark.parametrize('text', [
    'cluster,pictures,name\n0,2,two  words \n1,2,\n',
    '\ufeffcluster;pictures;name\r\n0;2;two words\r\n1;2;\r\n',
    'Name\tCluster\ntwo words\t0\n\t\n', 'cluster,name\r0,two words\r1,\r'])
def test_names_are_read_as_spreadsheets_save_them(tmp_path, text):
  (tmp_path / 'names.csv').write_bytes(text.encode())
  named = read_names(tmp_path / 'names.csv')
  assert {cluster: name for cluster, (_, name) in named.items()} == {0: 'two words'}
  assert check_names('names.csv', named, {0: 2, 1: 2}) == {0: 'two words'}


@pytest.mark.parametrize('text, words', [
    ('a,b\n1,2\n', r'has the columns \(a, b\); expected cluster, pictures, name'),
    ('', r'has the columns \(\); expected'),
    ('cluster,name\nx,cat\n', "line 2 of .*: 'x' is no number of a cluster"),
    ('cluster,name\n-1,noise\n', "'-1' is no number of a cluster"),
    ('cluster,name\n1,cat\n1,dog\n', "line 3 of .*: '1' stands there twice"),
    ('cluster,name\n\n1,"two\nlines"\n\nx,dog\n', "line 6 of .*: 'x' is no number"),
    ('cluster,name\n1,"cat\n2,dog\n', 'is no CSV file'),
    (b'cluster,name\n1,\xff\n', 'is not UTF-8')])
def test_a_file_of_names_that_cannot_be_understood_is_told(tmp_path, text, words):
  (tmp_path / 'names.csv').write_bytes(text if isinstance(text, bytes) else text.encode())
  with pytest.raises(UserError, match=words):
    read_names(tmp_path / 'names.csv')


def test_clusters_of_one_name_are_one_class_and_noise_is_none(tmp_path):
  counts = write_labelled(tmp_path / 'labelled', Collection(tmp_path), {0: 'pet', 1: 'pet'}, 1.0,
                          NEVER)
  assert counts == {'pet': 4}
  assert (tmp_path / 'labelled' / 'labels.csv').read_text().splitlines() == [
      'path,label', 'pictures/b/0.png,pet', 'pictures/b/1.png,pet', 'pictures/a/1.png,pet',
      'pictures/a/0.png,pet']


def test_a_share_keeps_at_least_the_most_typical_picture(tmp_path):
  assert write_labelled(tmp_path / 'labelled', Collection(tmp_path), {0: 'b', 1: 'a'}, 0.01,
                        NEVER) == {'b': 1, 'a': 1}
  assert 'pictures/a/1.png,a' in (tmp_path / 'labelled' / 'labels.csv').read_text()


def test_a_folder_is_made_anew_and_nothing_of_the_older_one_stays(tmp_path):
  for names in ({0: 'b', 1: 'a'}, {1: 'a'}):
    write_labelled(tmp_path / 'labelled', Collection(tmp_path), names, 1.0, NEVER)
  left = [path.name for path in (tmp_path / 'labelled' / 'pictures').iterdir()]
  assert left == ['a'] and [path.name for path in tmp_path.iterdir()] == ['labelled']


@pytest.mark.parametrize('change', [
    lambda folder: (folder / 'mine.txt').write_text('notes'),
    lambda folder: (folder / 'labels.csv').write_text('path,label\n'),
    lambda folder: (folder / labelling.MARK).unlink()])
def test_what_was_changed_by_hand_is_not_written_over(tmp_path, change):
  def write():
    return write_labelled(tmp_path / 'labelled', Collection(tmp_path), {0: 'b'}, 1.0, NEVER)

  write()
  change(tmp_path / 'labelled')
  before = sorted(path.name for path in (tmp_path / 'labelled').rglob('*'))
  with pytest.raises(UserError, match='by hand|was not made by'):
    write()
  assert sorted(path.name for path in (tmp_path / 'labelled').rglob('*')) == before


def test_a_stop_leaves_the_older_folder(tmp_path):
  def stop():
    raise KeyboardInterrupt

  write_labelled(tmp_path / 'labelled', Collection(tmp_path), {0: 'b'}, 1.0, NEVER)
  with pytest.raises(KeyboardInterrupt):
    write_labelled(tmp_path / 'labelled', Collection(tmp_path), {1: 'a'}, 1.0, stop)
  assert 'b/0.png' in (tmp_path / 'labelled' / 'labels.csv').read_text()
  assert [path.name for path in tmp_path.iterdir()] == ['labelled']


def test_folders_are_called_by_number_and_name_whatever_letters_it_has(tmp_path):
  write_folders(tmp_path / 'folders', Collection(tmp_path), {0: '../a/b'}, NEVER)
  found = {path.relative_to(tmp_path / 'folders').parts[0]
           for path in (tmp_path / 'folders').rglob('*.png')}
  assert found == {'000 ___a_b', '001', 'noise'}
  assert {path.name for path in tmp_path.iterdir()} == {'folders'}
