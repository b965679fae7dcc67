"""What the sources over files tell of their pictures, for the words on data that changed."""

import pytest

from data import batch
from data.batch import contents_of
from data.boxed import Boxed
from data.classes import Classes
from data.persons import Persons
from data.sources.coco import build_coco
from data.sources.scans import build_scans
from data.subset import Subset
from tests import board_archives, coco_folders, scan_files
from train_lib.data_record import picture_changes


@pytest.fixture
def archive(tmp_path):
  (tmp_path / 'archive').mkdir()
  board_archives.write_posts(tmp_path / 'archive', board_archives.make_posts(60))
  return tmp_path / 'archive'


def board_contents(archive):
  return contents_of(board_archives.build(archive, archive.parent / 'cache')['train'])


def test_a_board_tells_of_sizes_tags_and_splits(archive):
  before = board_contents(archive)
  splits = [content.split for content in before.values()]
  assert 30 < len(before) <= 60 and {*splits} == {'train', 'valid', 'test'}
  posts = board_archives.make_posts(60)
  posts[20]['tags']['general'].remove('general_1')
  board_archives.write_posts(archive, posts)
  changes = picture_changes(before, board_contents(archive))
  assert [change.partition(' (')[0] for change in changes] == ['1 picture with other tags']


def test_more_pictures_than_are_noted_are_not_listed(archive, monkeypatch):
  monkeypatch.setattr('data.sources.board.MOST_CONTENTS', 10)
  assert board_contents(archive) is None


def test_coco_tells_of_joints_that_were_moved(tmp_path):
  content = coco_folders.make_content(range(1, 31))
  coco_folders.write(tmp_path, content)
  before = contents_of(build_coco(coco_folders.make_config(tmp_path), 'train'))
  assert len(before) == 30 and not contents_of(
      build_coco(coco_folders.make_config(tmp_path), 'test'))
  content['annotations'][4]['bbox'] = [1, 2, 30, 30]
  coco_folders.write(tmp_path, content, pictures=False)
  after = contents_of(build_coco(coco_folders.make_config(tmp_path), 'train'))
  assert [change.partition(' (')[0] for change in picture_changes(before, after)] == [
      '1 picture with other tags']


def test_scans_tell_of_files_that_were_edited(tmp_path):
  for number in range(12):
    scan_files.write_dicom(tmp_path / 'in' / f'{number}.dcm', scan_files.make_values(seed=number),
                           PatientID=f'P{number}')
  config = scan_files.make_config(tmp_path / 'in')
  before = contents_of(build_scans(config, 'train'))
  scan_files.write_dicom(tmp_path / 'in' / '3.dcm', scan_files.make_values(seed=99), PatientID='P3')
  assert picture_changes(before, contents_of(build_scans(config, 'train'))) == [
      '1 picture edited (3.dcm)']


class Told:
  """A source that tells of its pictures, and nothing else."""

  tag_names = tag_categories = truth_keys = ()
  max_tags = max_ignored = 0
  fingerprint = description = 'told'

  def __len__(self):
    return 0

  def contents(self):
    return batch.Contents(a=batch.Content('1', '2', 'train'))


@pytest.mark.parametrize('wrap', [Classes, Boxed, Persons, Subset])
def test_what_stands_around_a_source_passes_it_on(wrap):
  source = wrap.__new__(wrap)
  source._source = Told()
  assert contents_of(source) == Told().contents()
