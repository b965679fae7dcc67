"""What the fuzzer found in words (boards, tables, JSON): tracebacks, hangs, escapes in messages."""

import contextlib
import csv
import io
import json
import os
import sqlite3

import numpy as np
import pytest

from data import coco_files, detections, tag_files
from data.board import captions, lists, sqlite
from data.board.rows import Broken
from data.decode import DecodeError
from data.implications import Implications
from data.scans.scan import ScanError
from errors import Diverged, UserError
from tests import coco_folders
from tests.refusals import DEEP, ESCAPE, refusal
from train_lib.clustering import labelling

# Messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', [UserError, Diverged, DecodeError, ScanError])
def test_what_a_message_quotes_cannot_command_a_terminal(kind):
  assert str(kind(f'a {ESCAPE} \u202e \ud800 b')) == r'a \x1b[2J\x9b \u202e \ud800 b'
  assert str(kind('é 日本 \u0301')) == 'é 日本 \u0301'
  assert (str(kind('a\n  b')) == 'a\n  b') == issubclass(kind, UserError)


# Boards -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('caption', ['&#' + '1' * 5000 + '; #a', '&#' + '0' * 5000 + '65; #a',
                                     '&#00000000000099999999999 #a', '&#x' + 'f' * 5000 + '; #a'])
def test_numbers_of_letters_that_are_none_are_passed_over(caption):
  assert captions.find_hashtags(caption) == ['a']


def test_numbers_of_letters_are_letters():
  assert captions.find_hashtags('&#35;caf&#000000233; &#x23;b &#128512;') == ['café', 'b']


@pytest.mark.parametrize('caption, tags', [
    ('x://y#a #b', ['b']), ('://y#a', ['a']), ('x://#a', []), ('x:// #a', ['a']), (':://x#a', []),
    ('#x:// #a', ['x', 'a']), ('#a://b#c', [])])
def test_words_with_something_on_both_sides_of_their_slashes_are_links(caption, tags):
  assert captions.find_hashtags(caption) == tags


def test_a_caption_of_a_megabyte_takes_no_time():
  assert captions.find_hashtags('x' * 2**20 + ' ' + ':' * 2**20 + ' #a') == ['a']


def _database(path, *statements):
  with contextlib.closing(sqlite3.connect(path)) as database, database:
    for statement in statements:
      database.execute(*statement) if isinstance(statement, tuple) else database.execute(statement)
  database.close()
  return str(path)


POSTS = 'CREATE TABLE posts (id, md5, rating, tag_string)'


def test_a_schema_that_is_no_text_is_a_damaged_database(tmp_path):
  path = _database(tmp_path / 'a.db', POSTS.replace('rating', 'rating_xyz'))
  content = (tmp_path / 'a.db').read_bytes()
  for bad in (b'\x81ating_xyz', b'rating"\x15yz', b'rating,\xff\nyz'):
    (tmp_path / 'a.db').write_bytes(content.replace(b'rating_xyz', bad))
    try:
      list(sqlite.read(path))
    except UserError as error:
      assert str(error).isprintable()


def test_virtual_tables_are_not_opened(tmp_path):
  try:
    path = _database(tmp_path / 'a.db', 'CREATE VIRTUAL TABLE posts USING fts5(id, tag_string)')
  except sqlite3.OperationalError:
    pytest.skip('this SQLite has no fts5')
  assert 'has no table with columns id, md5 and tag_string' in refusal(list, sqlite.read(path))


def test_a_database_whose_pages_are_named_over_and_over_ends(tmp_path):
  path = _database(tmp_path / 'a.db', 'PRAGMA page_size = 512', POSTS, *[
      ('INSERT INTO posts VALUES (?, ?, ?, ?)', (number, None, 'g', 'tag ' * 20))
      for number in range(300)])
  assert len(list(sqlite.read(path))) == 300
  content = bytearray((tmp_path / 'a.db').read_bytes())
  with contextlib.closing(sqlite3.connect(path)) as database, database:
    root, = database.execute('SELECT rootpage FROM sqlite_master').fetchone()
  start = (root - 1) * 512
  assert content[start] == 5      # an inner page of a table
  cells = int.from_bytes(content[start + 3:start + 5], 'big')
  first = int.from_bytes(content[start + 12:start + 14], 'big')
  child = content[start + first:start + first + 4]
  for k in range(cells):          # all its children are the first one
    place = start + int.from_bytes(content[start + 12 + 2 * k:start + 14 + 2 * k], 'big')
    content[place:place + 4] = child
  grand = (int.from_bytes(child, 'big') - 1) * 512
  assert content[grand] in (5, 13)
  (tmp_path / 'b.db').write_bytes(content[:max(grand, start) + 512])
  try:
    assert len(list(sqlite.read(str(tmp_path / 'b.db')))) <= 2 * len(content)
  except UserError as error:
    assert 'cannot be read' in str(error)


def test_no_more_rows_are_read_than_the_file_can_hold(tmp_path, monkeypatch):
  path = _database(tmp_path / 'a.db', POSTS, *["INSERT INTO posts VALUES (1, '', 'g', 'a')"] * 50)
  monkeypatch.setattr(sqlite, '_size', lambda path: 40)
  assert 'its rows take more than the file holds' in refusal(list, sqlite.read(path))


def test_a_value_longer_than_the_file_is_refused(tmp_path):
  path = _database(tmp_path / 'a.db', POSTS,
                   ('INSERT INTO posts VALUES (1, 2, 3, ?)', ('x' * 9000,)))
  assert len(list(sqlite.read(path))) == 1
  with sqlite._open(path) as database:
    with pytest.raises(sqlite3.Error, match='too big'):
      database.execute('SELECT zeroblob(1000000)').fetchall()
  database.close()


def _pairs(path, pairs):
  with open(path, 'w', newline='') as file:
    csv.writer(file).writerows([('antecedent_name', 'consequent_name'), *pairs])
  return str(path)


def test_chains_of_aliases_take_no_time_in_whatever_order(tmp_path):
  names = [f'tag_{number}' for number in range(6_000)]
  chain = list(zip(names, names[1:], strict=False))
  for pairs in (chain, chain[::-1]):
    aliases = lists.read_aliases(_pairs(tmp_path / 'a.csv', pairs))
    assert set(aliases.values()) == {names[-1]} and len(aliases) == len(chain)


def test_a_long_circle_of_aliases_is_told_in_a_few_names(tmp_path):
  names = [f'tag_{number}' for number in range(10_000)]
  pairs = [('way', names[0]), *zip(names, [*names[1:], names[0]], strict=True)]
  message = refusal(lists.read_aliases, _pairs(tmp_path / 'a.csv', pairs))
  assert 'circle: tag_0 -> ' in message and '9,994 more -> tag_0' in message


def test_names_that_cannot_be_shown_or_are_too_long_are_no_tags(tmp_path):
  odd = ('a\ud800', f'a{ESCAPE}', 'x' * 201)
  for name in odd:
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'name': name, 'category': 'artist'}))
    assert 'for name; a tag has at most 200 letters' in refusal(lists.read_tag_list, str(path))
    assert lists.read_categories(str(path)) == {}
    path.write_text(json.dumps({'antecedent_name': name, 'consequent_name': 'b'}) + '\n'
                    + json.dumps({'antecedent_name': 'c', 'consequent_name': name}))
    assert lists.read_aliases(str(path)) == {}


def test_a_long_way_to_a_circle_of_implications_takes_no_time():
  names = [f'tag_{number}' for number in range(30_000)]
  pairs = [(k, k + 1) for k in range(len(names) - 1)] + [(len(names) - 1, len(names) - 2)]
  message = refusal(Implications, np.array(pairs), names)
  assert "'tag_29998' -> 'tag_29999' -> 'tag_29998'" in message


def test_broken_rows_of_captions_are_told_with_their_place(tmp_path):
  text = io.StringIO()
  csv.writer(text).writerows([('path', 'caption'), ('1.jpg', '&#' + '1' * 5000), ('', '#a')])
  (tmp_path / 'a.csv').write_text(text.getvalue())
  (_, sound), (place, broken) = captions.read(str(tmp_path / 'a.csv'))
  assert sound.path == '1.jpg' and isinstance(broken, Broken) and place == 'line 3'


# Tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('name, content, words', [
    ('a.jsonl', DEEP, 'is no JSON: it is nested too deep'),
    ('a.jsonl', '{"path": "1.jpg", "tags": "' + DEEP + '"}', 'nested too deep'),
    ('a.csv', 'path,tags\n1.jpg,' + DEEP, 'nested too deep'),
    ('a.csv', 'path,tags\n' + 'x' * 5000 + ',a', 'names 1 picture not in'),
    ('a.csv', 'path,tags\n' + '/y' * 5000 + ',a', 'lies outside the folder'),
    ('a.csv', 'path,tags,split\n1.jpg,a,"tr\n\x1bain"', "has the split 'tr\\n\\x1bain'"),
    ('a.csv', 'path,tags,split\n1.jpg,a,' + 'y' * 5000, 'has the split'),
    ('a.jsonl', json.dumps({'x' * 5000: 1}), 'expected a column')])
def test_tables_of_tags_are_not_trusted(tmp_path, name, content, words):
  (tmp_path / '1.jpg').touch()
  (tmp_path / name).write_text(content)
  known = {'1.jpg': '1.jpg'}
  if words == 'nested too deep' and name == 'a.csv':
    content = content[:100_000]   # a cell of a CSV is at most so long
    (tmp_path / name).write_text(content)
  assert words in refusal(tag_files.find_tags, tmp_path, known, name)
  tag_files._first_columns(tmp_path / name)


def test_what_is_named_as_a_table_and_is_no_file_is_passed_over(tmp_path):
  (tmp_path / 'a.csv').mkdir()
  os.mkfifo(tmp_path / 'b.csv')   # reading it would wait for ever
  known = {name: name for name in ('x/1.jpg', 'y/2.jpg')}
  assert tag_files.find_tags(tmp_path, known, '').style == 'class folders'


@pytest.mark.parametrize('content', [
    '"a\nb",c\n', 'cluster,name\n"a\nb",c',
    'cluster,pictures,name\n' + '1' * 5000 + ',1,a', 'cluster,name\n"1\n\x1b",a',
    'x' * 5000 + '\n', '"clus\nter",name\n1,b'])
def test_tables_of_names_are_not_trusted(tmp_path, content):
  (tmp_path / 'names.csv').write_text(content)
  refusal(labelling.read_names, tmp_path / 'names.csv')


def test_a_count_of_too_many_digits_is_none(tmp_path):
  (tmp_path / 'names.csv').write_text('cluster,pictures,name\n3,' + '1' * 5000 + ',Homer')
  assert labelling.read_names(tmp_path / 'names.csv') == {3: (None, 'Homer')}


# JSON -------------------------------------------------------------------------------------------


@pytest.mark.parametrize('depth', [*range(880, 1000, 4), 100_000])
def test_values_that_are_nested_as_deep_as_can_be_read_are_told(tmp_path, depth):
  value = '[' * depth + ']' * depth
  record = json.dumps({**coco_folders.make_person(5), 'bbox': 'DEEP', 'id': 'DEEP'})
  content = coco_folders.make_content([5])
  (tmp_path / 'a.json').write_text(json.dumps(content).replace(
      json.dumps(content['annotations'][0]), record.replace('"DEEP"', value)))
  refusal(coco_files.read_annotations, tmp_path / 'a.json')
  box = {'image_id': 1, 'category_id': 1, 'bbox': 'DEEP', 'score': 1}
  (tmp_path / 'b.json').write_text(json.dumps([box]).replace('"DEEP"', value))
  refusal(detections.read_detections, str(tmp_path / 'b.json'))


def test_values_of_results_are_told_in_one_line(tmp_path):
  (tmp_path / 'a.json').write_text(json.dumps([
      {'image_id': 3, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 'a\nb\x1b'}]))
  assert r'has the score a\nb\x1b' in refusal(detections.read_detections, str(tmp_path / 'a.json'))


def test_names_of_joints_cannot_command_a_terminal(tmp_path):
  content = coco_folders.make_content([5])
  content['categories'][0]['keypoints'] = [ESCAPE, 3, None]
  (tmp_path / 'a.json').write_text(json.dumps(content))
  assert r'are \x1b[2j\x9b, 3, none' in refusal(coco_files.read_annotations, tmp_path / 'a.json')
