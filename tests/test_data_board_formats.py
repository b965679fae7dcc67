import json
import sqlite3
import tracemalloc
from collections import Counter

import pytest

from data.board import FORMATS, posts, rows
from errors import UserError
from tests import board_archives as archives
from tests.board_archives import build_archive, write_archive

# writer -> format found, what it cannot tell
WRITERS = {
    'danbooru2021': ('danbooru2021', 'sensitive'),
    'posts': ('posts', ''),
    'posts_array': ('posts', ''),
    'posts_csv': ('posts', ''),
    'post_files': ('post_files', ''),
    'sqlite': ('sqlite', ''),
    'sidecars': ('sidecars', ''),
    'captions': ('captions', 'ratings'),
    'caption_files': ('captions', 'ratings'),
}
RATINGS = {'g': 'general', 's': 'sensitive', 'q': 'questionable', 'e': 'explicit'}


def error_of(tmp_path, **changes):
  with pytest.raises(UserError) as raised:
    build_archive(tmp_path, **changes)
  return str(raised.value)


def expected(post, lacking):
  """The tags of a post after what a format can tell."""
  rating = RATINGS[post['rating']]
  if lacking == 'sensitive' and rating in ('general', 'sensitive'):
    rating = 'safe'
  return set(sum(post['tags'].values(), [])) | ({rating} if lacking != 'ratings' else set())


def test_every_format_has_an_archive_here():
  assert {name for name, _ in WRITERS.values()} == set(FORMATS)


@pytest.mark.parametrize('writer', WRITERS)
def test_the_same_pictures_give_the_same_training_set_through_every_format(tmp_path, writer):
  posts = archives.make_posts()
  write_archive(tmp_path, writer, posts)
  splits = build_archive(tmp_path)
  name, lacking = WRITERS[writer]
  assert FORMATS[name].words in splits['train'].description
  wanted = {split: {post['content']: expected(post, lacking) for post in posts
                    if place(post) == split} for split in splits}
  assert {split: archives.contents(source) for split, source in splits.items()} == wanted
  assert all(wanted.values())


def place(post):
  """The split of a post, from the definition: the md5 as a number from 0 to 1."""
  share = int(post['md5'], 16) / 16**32
  return 'test' if share >= 0.8 else 'valid' if share >= 0.6 else 'train'


@pytest.mark.parametrize('writer', [name for name, (_, lacking) in WRITERS.items() if not lacking])
def test_ratings_come_first_then_each_category_by_falling_count_then_name(tmp_path, writer):
  write_archive(tmp_path, writer)
  train = build_archive(tmp_path)['train']
  counts = Counter((category, name) for post in archives.make_posts() if place(post) == 'train'
                   for category, names in post['tags'].items() for name in names)
  wanted = [('rating', name) for name in RATINGS.values()]
  for category in ('general', 'character', 'copyright', 'artist', 'meta'):
    wanted += sorted((key for key in counts if key[0] == category),
                     key=lambda key: (-counts[key], key))
  assert list(zip(train.tag_categories, train.tag_names, strict=True)) == wanted
  assert train.count_tags()[4:].tolist() == [counts[key] for key in wanted[4:]]


@pytest.mark.parametrize('writer, meaning', [('danbooru2021', 'safe'), ('posts', 'sensitive'),
                                             ('post_files', 'sensitive')])
def test_the_letter_s_is_safe_in_one_and_sensitive_in_the_other(tmp_path, writer, meaning):
  posts = [post | {'rating': 's' if post['id'] % 2 else 'e'} for post in archives.make_posts()]
  write_archive(tmp_path, writer, posts)
  ratings = {'general', 'safe', 'sensitive', 'explicit'}
  found = {name for tags in archives.contents(build_archive(tmp_path)['train']).values()
           for name in tags & ratings}
  assert found == {meaning, 'explicit'}


def test_in_a_database_s_is_sensitive_where_there_is_g_and_else_safe(tmp_path):
  posts = [post | {'rating': 's'} for post in archives.make_posts()]
  for name, ratings in (('old', posts), ('new', posts[1:] + [posts[0] | {'rating': 'g'}])):
    (tmp_path / name).mkdir()
    archives.write_sqlite(tmp_path / name, ratings)
  assert 'safe' in archives.build(tmp_path / 'old', tmp_path / 'cache')['train'].tag_names
  assert 'sensitive' in archives.build(tmp_path / 'new', tmp_path / 'cache')['train'].tag_names


@pytest.mark.parametrize('writer', ['danbooru2021', 'posts'])
def test_a_setting_overrides_what_s_means(tmp_path, writer):
  posts = [post | {'rating': 's'} for post in archives.make_posts()]
  write_archive(tmp_path, writer, posts)
  for meaning in ('safe', 'sensitive'):
    train = build_archive(tmp_path, ratings=meaning)['train']
    assert all(meaning in tags for tags in archives.contents(train).values())


def test_ratings_that_contradict_the_format_are_asked_about(tmp_path):
  posts = archives.make_posts(120)
  write_archive(tmp_path, 'posts', [post | {'rating': 's'} for post in posts])
  message = error_of(tmp_path)
  assert "120 pictures are rated 's', which is sensitive in metadata of this format" in message
  assert '--config.data.board.ratings=safe or =sensitive' in message
  rows = [archives.old_row(post) | {'rating': 'gs'[post['id'] % 2]} for post in posts]
  archives.write_lines(tmp_path / 'archive/posts.json', rows)
  assert "60 are rated 'g', beside which it is sensitive" in error_of(tmp_path)
  names = build_archive(tmp_path, ratings='sensitive')['train'].tag_names
  assert names[:2] == ('general', 'sensitive')
  assert "ratings is 'secret'; it says what 's' stands for" in error_of(tmp_path, ratings='secret')


def test_all_four_ratings_are_outputs_even_if_no_picture_has_one(tmp_path):
  write_archive(tmp_path, 'posts', [post | {'rating': 'g'} for post in archives.make_posts()])
  train = build_archive(tmp_path)['train']
  assert train.tag_names[:4] == ('general', 'sensitive', 'questionable', 'explicit')
  assert train.count_tags()[:4].tolist() == [len(train), 0, 0, 0]


def test_without_any_rating_there_is_no_rating_output(tmp_path):
  write_archive(tmp_path, 'posts')
  rows = [archives.new_row(post) | {'rating': None} for post in archives.make_posts()]
  archives.write_lines(tmp_path / 'archive/posts.json', rows)
  assert 'rating' not in build_archive(tmp_path)['train'].tag_categories


# Which format ------------------------------------------------------------------------------------


def test_two_formats_are_asked_about_with_the_choices(tmp_path):
  write_archive(tmp_path, 'posts')
  archives.write_sqlite(tmp_path / 'archive', archives.make_posts())
  message = error_of(tmp_path)
  assert "'sqlite' (a database of posts: danbooru.sqlite)" in message
  assert "'posts' (posts of the API since 2022: posts.json)" in message
  assert '--config.data.board.format=' in message
  assert 'danbooru.sqlite' in build_archive(tmp_path, format='sqlite')['train'].description
  assert 'posts.json' in build_archive(tmp_path, metadata='posts.json')['train'].description


def test_files_beside_the_pictures_and_a_metadata_file_are_asked_about(tmp_path):
  folder = write_archive(tmp_path, 'sidecars')
  archives.write_lines(folder / 'posts.jsonl', map(archives.new_row, archives.make_posts()))
  message = error_of(tmp_path)
  assert "can be read as 'posts'" in message and "or 'sidecars'" in message


def test_a_downloader_s_own_json_files_are_no_second_format(tmp_path):
  folder = write_archive(tmp_path, 'sqlite')
  for picture in folder.rglob('*.jpg'):
    picture.with_name(f'{picture.stem}-danbooru.json').write_text(
        json.dumps(archives.new_row(archives.make_posts(1)[0])))
  assert 'a database of posts' in build_archive(tmp_path)['train'].description


@pytest.mark.parametrize('changes, words', [
    ({'format': 'posters'}, "format is 'posters'; choose one of auto, danbooru2021, posts"),
    ({'format': 'sqlite'}, "nothing of the format 'sqlite' (a database of posts)"),
    ({'metadata': 'nothing.json'}, "metadata is 'nothing.json', but there is no"),
])
def test_a_wrong_choice_is_told_with_the_choices(tmp_path, changes, words):
  write_archive(tmp_path, 'posts')
  assert words in error_of(tmp_path, **changes)


def test_pictures_without_metadata_name_the_formats(tmp_path):
  (tmp_path / 'archive').mkdir()
  assert 'holds no picture' in error_of(tmp_path)
  archives.write_pictures(tmp_path / 'archive', archives.make_posts())
  (tmp_path / 'archive/notes.csv').write_text('when,what\nnow,x\n')
  message = error_of(tmp_path)
  assert 'no metadata was found' in message and all(name in message for name in FORMATS)
  (tmp_path / 'archive/posts.json.gz').write_bytes(b'\x1f\x8b')
  assert "but 'posts.json.gz': unpack it" in error_of(tmp_path)


def test_metadata_may_lie_elsewhere_and_in_several_files(tmp_path):
  folder, posts = tmp_path / 'archive', archives.make_posts()
  archives.write_pictures(folder, posts)
  archives.write_lines(tmp_path / 'dumps/a.json', map(archives.new_row, posts[:30]))
  (tmp_path / 'dumps/b.json').write_text(json.dumps(list(map(archives.new_row, posts[30:]))))
  assert sum(map(len, build_archive(tmp_path, metadata='../dumps').values())) == 60


def test_a_database_without_posts_names_its_tables(tmp_path):
  folder = write_archive(tmp_path, 'posts')
  (folder / 'posts.json').unlink()
  database = sqlite3.connect(folder / 'my.db')
  database.execute('CREATE TABLE albums (id, name)')
  database.close()
  message = error_of(tmp_path)
  assert 'has no table with columns id, md5 and tag_string' in message and 'albums' in message


def test_a_damaged_database_is_named(tmp_path):
  folder = write_archive(tmp_path, 'sqlite')
  data = (folder / 'danbooru.sqlite').read_bytes()
  (folder / 'danbooru.sqlite').write_bytes(data[:4096] + b'\xff' * (len(data) - 4096))
  assert "danbooru.sqlite' cannot be read" in error_of(tmp_path)


def test_a_database_is_opened_read_only_and_nothing_is_written_beside_it(tmp_path):
  folder = write_archive(tmp_path, 'sqlite')
  for path in (folder / 'danbooru.sqlite', folder):
    path.chmod(path.stat().st_mode & ~0o222)
  before = sorted(path.name for path in folder.iterdir())
  assert len(build_archive(tmp_path)['train'])
  assert sorted(path.name for path in folder.iterdir()) == before
  folder.chmod(0o755)


def test_a_database_without_categories_or_ratings_is_read(tmp_path):
  posts, folder = archives.make_posts(), tmp_path / 'archive'
  archives.write_pictures(folder, posts, 'images/{start}/{md5}.{ext}')
  database = sqlite3.connect(folder / 'danbooru.sqlite')
  database.execute('CREATE TABLE posts (id, md5, file_ext, tag_string, tag_count_general)')
  for post in posts:
    database.execute('INSERT INTO posts VALUES (?, ?, ?, ?, 5)', (
        post['id'], post['md5'], 'jpg', archives.new_row(post)['tag_string']))
  database.commit()
  database.close()
  (folder / 'categories.csv').write_text(
      'id,name,category\n1,series_a,3\n2,character_1,character\n')
  train = build_archive(tmp_path, tag_categories='categories.csv')['train']
  categories = dict(zip(train.tag_names, train.tag_categories, strict=True))
  assert categories['series_a'] == 'copyright' and categories['character_1'] == 'character'
  assert categories['general_1'] == categories['series_b'] == 'general'
  assert 'rating' not in categories.values()


def test_posts_of_other_boards_have_one_string_of_tags_and_words_as_ratings(tmp_path):
  posts = archives.make_posts()
  archives.write_pictures(tmp_path / 'archive', posts)
  archives.write_lines(tmp_path / 'archive/posts.jsonl', [
      {'id': post['id'], 'tags': ' '.join(post['tags']['general']),
       'rating': 'Safe' if post['id'] % 2 else 'explicit'} for post in posts])
  names = build_archive(tmp_path)['train'].tag_names
  assert names[:4] == ('safe', 'questionable', 'explicit', 'general_1')


@pytest.mark.parametrize('writer, file', [
    ('posts', 'posts.json'), ('posts_array', 'posts.json'), ('posts_csv', 'posts.csv')])
def test_a_metadata_file_is_never_whole_in_memory(tmp_path, monkeypatch, writer, file):
  monkeypatch.setattr(rows, '_PIECE', 1 << 16)
  folder = write_archive(tmp_path, writer, [
      post | {'tags': post['tags'] | {'meta': ['x' * 99] * 100}}
      for post in archives.make_posts(600)])
  size = (folder / file).stat().st_size
  tracemalloc.start()
  count = sum(1 for _ in posts.read(str(folder / file)))
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert count == 600 and size > 10e6 and peak < size / 8
