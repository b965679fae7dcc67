import os

import numpy as np
import pytest

from data.sources.pictures import (
    PictureFiles,
    content_digest,
    list_pictures,
    read_file,
    relative_name,
)
from errors import UserError


def make_files(folder, *names):
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(name.encode())


def listed(folder):
  return [relative_name(path, folder) for path in list_pictures(folder)]


def test_pictures_are_found_at_any_depth_and_sorted(tmp_path):
  make_files(tmp_path, 'b.png', 'a/c/z.jpg', 'a/b.webp', 'A.gif')
  assert listed(tmp_path) == ['A.gif', 'a/b.webp', 'a/c/z.jpg', 'b.png']


def test_names_with_capitals_blanks_and_other_letters_are_found(tmp_path):
  make_files(tmp_path, 'UPPER.JPG', 'two words.JpEg', '目 à.png', 'x.tiff', 'x.bmp')
  assert len(listed(tmp_path)) == 5


def test_hidden_and_other_files_are_passed_over(tmp_path):
  make_files(tmp_path, 'a.png', '.b.png', '.git/c.png', 'd.txt', 'e.zip', 'png', 'sub/._f.jpg')
  (tmp_path / 'folder.png').mkdir()
  assert listed(tmp_path) == ['a.png']


def test_linked_folders_and_files_are_followed(tmp_path):
  make_files(tmp_path, 'elsewhere/deep/a.png', 'data/b.png')
  (tmp_path / 'data/link').symlink_to(tmp_path / 'elsewhere')
  (tmp_path / 'data/c.png').symlink_to(tmp_path / 'data/b.png')
  (tmp_path / 'data/dangling.png').symlink_to(tmp_path / 'nowhere')
  assert listed(tmp_path / 'data') == ['b.png', 'c.png', 'link/deep/a.png']


def test_loops_of_links_end_and_pictures_keep_their_true_path(tmp_path):
  make_files(tmp_path, 'a/x.png', 'z/y.png')
  (tmp_path / 'a/up').symlink_to(tmp_path)
  (tmp_path / 'a/side').symlink_to(tmp_path / 'z')
  (tmp_path / 'z/side').symlink_to(tmp_path / 'a')
  assert listed(tmp_path) == ['a/x.png', 'z/y.png']


def test_what_is_no_folder_is_named(tmp_path):
  make_files(tmp_path, 'a.zip')
  with pytest.raises(UserError, match="missing' does not exist"):
    list_pictures(tmp_path / 'missing')
  with pytest.raises(UserError, match="a.zip' is not a folder"):
    list_pictures(tmp_path / 'a.zip')


def test_a_digest_follows_the_content(tmp_path):
  make_files(tmp_path, 'a.png', 'b.png')
  first = content_digest(tmp_path / 'a.png')
  assert content_digest(tmp_path / 'a.png') == first != content_digest(tmp_path / 'b.png')
  (tmp_path / 'a.png').write_bytes(b'b.png')
  os.utime(tmp_path / 'a.png', ns=(1, 1))
  assert content_digest(tmp_path / 'a.png') == content_digest(tmp_path / 'b.png')


def test_a_folder_of_pictures_is_a_source_without_tags(tmp_path):
  make_files(tmp_path, 'sub/a.png', 'b.png')
  source = PictureFiles(tmp_path)
  assert [source[i]['id'] for i in range(len(source))] == ['b.png', 'sub/a.png']
  assert source[1]['image_bytes'] == b'sub/a.png'
  assert source[1]['tags'].dtype == np.int32 and not len(source[1]['tags'])


def test_one_picture_is_a_source_too(tmp_path):
  make_files(tmp_path, 'sub/a.png', 'sub/b.png')
  source = PictureFiles(tmp_path / 'sub/a.png')
  assert len(source) == 1 and source[0]['id'] == 'a.png'


def test_the_fingerprint_follows_names_and_contents(tmp_path):
  make_files(tmp_path, 'a.png', 'b.png')
  prints = [PictureFiles(tmp_path).fingerprint]
  (tmp_path / 'b.png').rename(tmp_path / 'c.png')
  prints.append(PictureFiles(tmp_path).fingerprint)
  (tmp_path / 'c.png').write_bytes(b'other')
  prints.append(PictureFiles(tmp_path).fingerprint)
  assert len(set(prints)) == 3


def test_a_folder_without_pictures_is_named(tmp_path):
  with pytest.raises(UserError, match='holds no picture'):
    PictureFiles(tmp_path)
  with pytest.raises(UserError, match='does not exist'):
    PictureFiles(tmp_path / 'missing.png')


def test_a_file_is_read_whole_even_where_its_size_is_not_known(tmp_path, monkeypatch):
  content = bytes(range(256)) * 300
  (tmp_path / 'a').write_bytes(content)
  (tmp_path / 'empty').touch()
  assert read_file(tmp_path / 'a') == content and read_file(f'{tmp_path}/empty') == b''
  read = os.read
  monkeypatch.setattr(os, 'read', lambda descriptor, size: read(descriptor, min(size, 1000)))
  assert read_file(tmp_path / 'a') == content
  with pytest.raises(FileNotFoundError) as raised:
    read_file(tmp_path / 'b')
  assert str(raised.value.filename) == str(tmp_path / 'b')
