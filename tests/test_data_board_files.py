"""Names of picture files, texts beside them and captions."""

import pytest

from data.board import captions
from data.board.files import parse_stem
from data.sources.board import build_board
from tests import board_archives as archives
from tests.board_archives import build_archive, write_archive

MD5 = '0123456789abcdef' * 2


@pytest.mark.parametrize('stem, id, md5', [
    ('456123', 456123, ''), (MD5, -1, MD5), (MD5.upper(), -1, MD5),
    (f'danbooru_123_{MD5}', 123, MD5), (f'123 {MD5}', 123, MD5),
    (f'__hatsune_miku_drawn_by_x1__{MD5}', -1, MD5), (f'sample-{MD5}', -1, MD5),
    ('danbooru_77', 77, ''), ('post 77', 77, ''),
    ('pixiv_77_p0', -1, ''), ('holiday', -1, ''), ('12345678901234567890', -1, ''),
    ('0' * 31 + 'g', -1, ''), ('', -1, ''), ('²', -1, '')])
def test_a_file_s_name_tells_its_number_and_md5(stem, id, md5):
  assert parse_stem(stem) == (id, bytes.fromhex(md5))


def test_a_sidecar_s_tags_may_have_blanks_brackets_and_other_prefixes(tmp_path):
  folder = tmp_path / 'archive'
  for id in range(40):
    archives.write_pictures(folder, archives.make_posts(1, start=id))
    (folder / f'{id}.txt').write_text(
        '1girl, long hair , miku \\(append\\)\r\nseries:vocaloid, character: miku, re:zero, :d,,')
  train = build_archive(tmp_path)['train']
  assert dict(zip(train.tag_names, train.tag_categories, strict=True)) == {
      '1girl': 'general', 'long_hair': 'general', 'miku_(append)': 'general', ':d': 'general',
      're:zero': 'general', 'vocaloid': 'copyright', 'miku': 'character'}


@pytest.mark.parametrize('caption, tags', [
    ('Sunset #beach #Summer2023!', ['beach', 'summer2023']), ('#one#two', ['one', 'two']),
    ('＃夏休み and #夏休み', ['夏休み']), ('no. #1, #2', []), ('see https://x.org/a#part', []),
    ('Tom &amp; Jerry &#39;s #fun', ['fun']), ('C# is a language', []), ('', [])])
def test_hashtags_of_a_caption(caption, tags):
  assert captions.find_hashtags(caption) == tags


def test_a_few_texts_with_a_hash_are_still_tags(tmp_path):
  folder = write_archive(tmp_path, 'sidecars')
  for path in sorted(folder.rglob('*.txt'))[:10]:
    path.write_text(path.read_text() + ', #unicus')
  assert 'tags in .txt files' in build_archive(tmp_path)['train'].description
  chosen = archives.make_config(folder, tmp_path / 'cache', format='captions')
  assert build_board(chosen, 'train').tag_names == ('unicus',)


def test_a_path_leads_to_the_picture_before_md5_and_number_do(tmp_path):
  posts = archives.make_posts()
  folder = tmp_path / 'archive'
  archives.write_pictures(folder, posts, 'any/picture {id}x.jpg')
  archives.write_pictures(folder, posts, '{md5}.jpg')
  rows = [archives.new_row(post) | {'file': f"any/../any/picture {post['id']}x.jpg"}
          for post in posts]
  archives.write_lines(folder / 'posts.jsonl', rows)
  train = build_archive(tmp_path)['train']
  assert all(train[i]['id'].startswith('any/picture ') for i in range(len(train)))


def test_of_two_sizes_of_a_picture_the_first_folder_s_is_taken(tmp_path):
  folder = write_archive(tmp_path, 'danbooru2021')
  archives.write_pictures(folder, archives.make_posts(), 'original/{bucket}/{id}.png')
  train = build_archive(tmp_path)['train']
  assert all(train[i]['id'].startswith('512px/') for i in range(len(train)))
  assert '60 further files of a picture' in train.description
