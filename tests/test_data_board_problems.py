"""Metadata with faults: each counted, listed, refused past the limit."""


import pytest

from data.board import problems as problems_lib
from data.board import rows as rows_lib
from tests import board_archives as archives
from tests.board_archives import build_train, error_of, listed, read_rows, write_rows


@pytest.fixture
def folder(tmp_path):
  """Posts 1 to 100 as JSON Lines, without faults."""
  return archives.write_lines_archive(tmp_path)


def ids(source):
  return {int(source[i]['id'].removesuffix('.jpg')) for i in range(len(source))}


def test_an_archive_without_faults_lists_none(folder):
  assert 'amiss' not in build_train(folder).description
  assert listed(folder) == []


@pytest.mark.parametrize('line, reason', [
    (b'{"id": 7, ', 'it is no JSON'),
    (b'{"id": 7, "tag_string": "caf\xe9"}', 'it is not UTF-8 text'),
    (b'[1, 2]', 'it is [1, 2], no JSON object'),
    (b'\0\0\0', 'it is no'),
    (b'[' * 100_000, 'it is nested too deeply'),
    (b'{"id": ' + b'9' * 10_000 + b'}', 'it is no JSON'),
    (b'{"id": "x' + b'y' * rows_lib.LONGEST_ROW + b'"}', 'it is longer than 4 MiB'),
    (b'{"id": "seven", "tag_string": "a"}', "its id is 'seven', which is no number of a post"),
    (b'{"id": true, "tag_string": "a"}', 'its id is True'),
    (b'{"id": -7, "tag_string": "a"}', 'its id is -7'),
    (b'{"id": 1e3, "tag_string": "a"}', 'its id is 1000.0'),
    (b'{"id": 99999999999999999999, "tag_string": "a"}', 'its id is 99999999999999999999'),
    (b'{"id": 7, "md5": "zz", "tag_string": "a"}', "its md5 is 'zz', not 32 hexadecimal digits"),
    (b'{"id": 7, "md5": 5, "tag_string": "a"}', 'its md5 is 5'),
    (b'{"id": 7, "tag_string": 5}', 'its tag_string is 5, neither a string nor a list'),
    (b'{"id": 7, "tag_string": {"a": 1}}', "its tag_string is {'a': 1}"),
    (b'{"id": 7}', 'it has no tags'),
    (b'{"path": "../../etc/passwd", "tag_string": "a"}', 'no path inside the folder'),
    (b'{"path": "/etc/passwd", "tag_string": "a"}', 'no path inside the folder'),
    (b'{"path": "a\\u0000b.jpg", "tag_string": "a"}', 'no path inside the folder'),
    (b'{"path": "\\ud800.jpg", "tag_string": "a"}', 'no path inside the folder'),
])
def test_a_broken_line_is_counted_and_listed_with_its_number(folder, line, reason):
  rows = (folder / 'posts.json').read_bytes().splitlines()
  write_rows(folder, [*rows[:6], line, *rows[7:]])
  train = build_train(folder)
  assert '1 broken records' in train.description
  (kind, where, what), = [case for case in listed(folder) if case[0] == 'broken']
  assert where == 'posts.json, line 7' and reason in what and len(what) < 200
  assert 7 not in ids(train)


def test_a_record_without_its_picture_is_counted_and_listed(folder):
  (folder / '7.jpg').unlink()
  assert '1 records without their picture' in build_train(folder).description
  md5 = archives.make_posts()[6]['md5']
  assert listed(folder) == [('absent', 'posts.json, line 7', f'md5 {md5} or id 7')]


def test_a_picture_without_a_record_is_counted_and_listed(folder):
  (folder / 'deep').mkdir()
  (folder / 'deep/mine.png').write_bytes(b'x')
  assert '1 pictures without a record' in build_train(folder).description
  assert listed(folder) == [('unknown picture', 'deep/mine.png', '')]


def test_of_records_with_one_number_the_first_counts(folder):
  rows = read_rows(folder)
  write_rows(folder, [*rows, rows[6] | {'tag_string_general': 'another'}])
  train = build_train(folder)
  assert '1 records of a post or picture that came before' in train.description
  assert listed(folder) == [('duplicate', '7.jpg', 'post 7')]
  assert 'another' not in train.tag_names


def test_of_records_of_one_picture_the_first_counts(folder):
  rows = read_rows(folder)
  write_rows(folder, [*rows, rows[6] | {'id': 5000, 'path': '7.jpg'}])
  assert '1 records of a post or picture that came before' in build_train(folder).description
  assert listed(folder) == [('duplicate', '7.jpg', 'post 5000')]


@pytest.mark.parametrize('key, value', [('path', '../../7.jpg'), ('path', '/mnt/c/old/7.jpg'),
                                        ('file', '..'), ('file', 'a\0b.jpg')])
@pytest.mark.parametrize('told', ['id', 'md5'])
def test_a_path_that_leads_out_is_not_used_where_something_else_tells_the_picture(
    tmp_path, key, value, told):
  posts, folder = archives.make_posts(40), tmp_path / 'archive'
  archives.write_pictures(folder, posts, f'{{{told}}}.jpg')
  (tmp_path / '7.jpg').write_bytes(b'secret')
  write_rows(folder, [{name: value for name, value in archives.new_row(post).items()
                       if name not in {'id', 'md5'} - {told}} | {key: value} for post in posts])
  train = build_train(folder)
  assert 'amiss' not in train.description and len(train) > 10
  assert set(archives.contents(train)) <= {post['content'] for post in posts}


def rate(folder, change):
  """Gives every record the rating change(number, rating)."""
  write_rows(folder, [row | {'rating': change(row['id'], row['rating'])}
                      for row in read_rows(folder)])


@pytest.mark.parametrize('rating', ['x', 'nsfw', 3, ['s']])
def test_an_unknown_rating_is_counted_and_listed_and_the_picture_left_out(folder, rating):
  rate(folder, lambda id, old: rating if id == 7 else old)
  train = build_train(folder)
  assert '1 records with an unknown rating' in train.description and 7 not in ids(train)
  (kind, where, what), = listed(folder)
  assert (kind, where) == ('rating', 'posts.json, line 7') and 'its rating is' in what


@pytest.mark.parametrize('rating', ['', ' ', None])
def test_a_missing_rating_is_counted_apart_from_an_unknown_one(folder, rating):
  rate(folder, lambda id, old: 'x' if id == 8 else rating if id == 7 else old)
  train = build_train(folder)
  assert '1 records with an unknown rating, 1 records without a rating' in train.description
  assert ('unrated', '7.jpg', '') in listed(folder) and not {7, 8} & ids(train)


def test_many_records_without_a_rating_are_refused_with_a_way_out_that_uses_them(folder):
  rate(folder, lambda id, old: old if id % 3 else 'x' if id % 2 else None)
  message = error_of(folder)
  assert '17 records with an unknown rating (such as posts.json, line 3: its rating' in message
  assert '16 records without a rating, while others have one (such as 6.jpg)' in message
  assert 'if ratings are not learned, with --config.data.board.most.rating=-1' in message
  train = build_train(folder, most={'rating': -1})
  assert 'rating' not in train.tag_categories and 'amiss' not in train.description
  assert {3, 6} & ids(train)
  (folder / 'list.csv').write_text('name,category\ngeneral,rating\ngeneral_1,general\n')
  assert 'by taking the ratings out of your tag_list' in error_of(folder, tag_list='list.csv')
  (folder / 'list.csv').write_text('name\ngeneral_1\n')
  assert 'without a rating' not in build_train(folder, tag_list='list.csv').description


def test_ratings_that_few_pictures_have_are_not_learned_and_no_picture_is_lost(folder):
  everything = len(build_train(folder))
  rate(folder, lambda id, old: old if id < 50 else '')
  train = build_train(folder)
  assert 'rating' not in train.tag_categories and len(train) == everything
  assert '49 ratings that are not learned, as most pictures have none' in train.description
  rate(folder, lambda id, old: old or ('g' if id == 50 else ''))
  assert 'rating' in build_train(folder, bad_limit_frac=1.0).tag_categories


def test_all_ratings_are_learned_or_none(folder):
  assert 'most.rating is 2; ratings are learned all (0)' in error_of(folder, most={'rating': 2})


def test_a_listed_tag_without_a_picture_is_counted_and_listed(folder):
  (folder / 'list.csv').write_text('name,category\ngeneral_1,general\nunicorn,character\n')
  train = build_train(folder, tag_list='list.csv')
  assert train.tag_names == ('general_1', 'unicorn')
  assert '1 tags without any training picture' in train.description
  assert listed(folder) == [('tag', 'unicorn', 'category character')]


@pytest.mark.parametrize('name', ['x' * 1000, 'a\u0007b', '\ud800', 'a\u202eb', '\0'])
def test_a_tag_s_name_that_cannot_be_used_is_counted_and_left_out(folder, name):
  rows = read_rows(folder)
  rows[6]['tag_string_general'] += f' {name}'
  write_rows(folder, rows)
  train = build_train(folder)
  assert '1 tags with names that cannot be used' in train.description
  assert not any(len(tag) > 200 or not tag.isprintable() for tag in train.tag_names)


@pytest.mark.parametrize('key, phrase', [
    ('is_deleted', '1 of deleted posts'), ('is_banned', '1 of banned posts')])
def test_deleted_and_banned_posts_are_left_out_and_are_no_problem(folder, key, phrase):
  rows = read_rows(folder)
  rows[6][key] = True
  write_rows(folder, rows)
  train = build_train(folder, bad_limit_frac=0.0)
  assert 'amiss' not in train.description
  assert f'left out: {phrase}' in train.description and 7 not in ids(train)


@pytest.mark.parametrize('ext', ['mp4', 'zip', 'swf', 'webm'])
def test_posts_that_are_no_pictures_are_left_out_and_are_no_problem(folder, ext):
  rows = read_rows(folder)
  rows[6]['file_ext'] = ext
  write_rows(folder, rows)
  train = build_train(folder, bad_limit_frac=0.0)
  assert 'left out: 1 of posts that are no pictures' in train.description and 7 not in ids(train)


def test_posts_without_any_tag_are_left_out(folder):
  rows = read_rows(folder)
  rows[6] |= {key: '' for key in rows[6] if key.startswith('tag_string')}
  write_rows(folder, rows)
  train = build_train(folder)
  assert 'left out: 1 without any tag' in train.description and 7 not in ids(train)


# The limit ---------------------------------------------------------------------------------------


def test_too_many_useless_records_are_refused_with_counts_and_an_example_of_each(folder):
  rows = read_rows(folder)
  rows[10]['rating'] = 'x'
  write_rows(folder, [b'{', b'[', *rows[2:]])
  for id in (51, 52, 53):
    (folder / f'{id}.jpg').unlink()
  message = error_of(folder)
  assert '6 of 100 records' in message and 'more than the 5% allowed' in message
  assert '2 broken records (such as posts.json, line 1: it is no JSON (' in message
  assert '3 records without their picture (such as posts.json, line 51: md5 ' in message
  assert "with an unknown rating (such as posts.json, line 11: its rating is 'x')" in message
  assert f"listed in {folder.parent / 'cache'}" in message and len(listed(folder)) == 8
  assert '--config.data.board.bad_limit_frac=1' in message


def test_a_higher_limit_lets_them_pass_without_another_reading(folder, monkeypatch):
  for id in range(1, 11):
    (folder / f'{id}.jpg').unlink()
  assert '10 of 100 records' in error_of(folder)
  monkeypatch.setattr('data.sources.board._build', None)
  assert '10 of 100 records' in error_of(folder, bad_limit_frac=0.0999)
  assert '10 records without their picture' in build_train(folder, bad_limit_frac=0.1).description


def test_metadata_of_other_pictures_altogether_are_refused_not_crashed_on(folder):
  write_rows(folder, [row | {'id': row['id'] + 5000, 'md5': row['md5'][::-1]}
                      for row in read_rows(folder)])
  assert '100 records without their picture' in error_of(folder)
  assert 'the train split is empty' in error_of(folder, bad_limit_frac=1.0)


def test_lists_of_problems_end_somewhere(folder, monkeypatch):
  monkeypatch.setattr(problems_lib, 'MOST_LISTED', 5)
  for id in range(1, 21):
    (folder / f'{id}.jpg').unlink()
    (folder / f'x{id}.png').write_bytes(b'x')
  train = build_train(folder, bad_limit_frac=1.0)
  assert '20 records without their picture, 20 pictures without a record' in train.description
  assert len(listed(folder)) == 10


def test_a_tag_with_the_name_of_a_rating_is_listed_and_not_learned(folder):
  rows = read_rows(folder)
  rows[6]['tag_string_general'] += ' explicit'
  write_rows(folder, rows)
  train = build_train(folder)
  assert train.tag_names.count('explicit') == 1 and train.tag_categories[3] == 'rating'
  assert listed(folder) == [('name', 'explicit', 'a rating has this name')]
