"""Files that nobody would write by hand: nothing leads out of the folder or ends in a traceback."""

import json
import os
import random
import sqlite3

import pytest

from data.board import rows as rows_lib
from data.sources.board import build_board
from errors import UserError
from tests import board_archives as archives
from tests.board_archives import build_train, error_of, listed, read_rows, write_rows


@pytest.fixture
def folder(tmp_path):
  """Posts 1 to 100 as JSON Lines, without faults."""
  return archives.write_lines_archive(tmp_path)


def test_an_array_that_breaks_off_is_named_with_the_place(folder):
  text = json.dumps(read_rows(folder))
  (folder / 'posts.json').write_text(text[:len(text) // 2])
  assert 'is no whole JSON array: it cannot be read behind its element ' in error_of(folder)
  (folder / 'posts.json').write_text(text.rstrip(']'))
  assert 'it breaks off behind its element 100' in error_of(folder)
  parts = text.split(', "md5"')
  (folder / 'posts.json').write_text(
      ', "md5"'.join(parts[:50]) + ' "md5"' + ', "md5"'.join(parts[50:]))
  assert 'cannot be read behind its element 49' in error_of(folder)


def test_an_array_is_read_whatever_the_size_of_its_pieces(folder, monkeypatch):
  text = json.dumps(read_rows(folder), indent=3)
  (folder / 'posts.json').write_text('\ufeff \n' + text)
  wanted = build_train(folder)
  for piece in (1, 7, 1000):
    monkeypatch.setattr(rows_lib, '_PIECE', piece)
    (folder / 'posts.json').touch()
    assert build_train(folder).fingerprint == wanted.fingerprint


@pytest.mark.parametrize('cell', ['a b', '"a b"'])
@pytest.mark.parametrize('places', [(3,), (3, 4), (3, 50), (98, 99)])
def test_quotes_that_are_not_closed_cost_their_own_lines_alone(folder, cell, places):
  (folder / 'posts.json').unlink()
  lines = [f"{post['id']},{post['md5']},g,{cell}\n" for post in archives.make_posts(100)]
  for place in places:
    lines[place] = lines[place].replace(cell, '"a b')
  (folder / 'posts.csv').write_text('id,md5,rating,tag_string\n' + ''.join(lines))
  assert f'{len(places)} broken records' in build_train(folder).description
  assert [where for kind, where, _ in listed(folder) if kind == 'broken'] == [
      f'posts.csv, line {place + 2}' for place in places]


def test_fields_of_a_csv_may_hold_line_breaks(tmp_path):
  path = tmp_path / 'captions.csv'
  path.write_bytes(b'path,"cap\ntion"\r\n1.jpg,"one,\r\ntwo"\r\n2.jpg,"a ""b""\nc,d\ne"\n3.jpg,"\n'
                   + b'4.jpg,' + b'x' * rows_lib.LONGEST_ROW + b'\n5.jpg,"z"')
  (*whole, broken, too_long, last) = rows_lib.read_rows(str(path))
  assert whole == [('line 3', {'path': '1.jpg', 'cap\ntion': 'one,\r\ntwo'}),
                   ('line 5', {'path': '2.jpg', 'cap\ntion': 'a "b"\nc,d\ne'})]
  assert broken == ('line 8', rows_lib.Broken('it is no CSV (a quote is not closed)'))
  assert too_long == ('line 9', rows_lib.Broken('it is longer than 4 MiB'))
  assert last == ('line 10', {'path': '5.jpg', 'cap\ntion': 'z'})


@pytest.mark.parametrize('line, reason', [
    (b'7,8', 'it has 2 values, the header has 4'), (b'7,,g,caf\xe9', 'it is not UTF-8 text'),
    (b'x,,g,a', "its id is 'x'"), (b'x' * 5_000_000, 'it is longer than 4 MiB')])
def test_a_broken_line_of_a_csv_is_counted_and_listed_with_its_number(folder, line, reason):
  (folder / 'posts.json').unlink()
  lines = [f"{post['id']},{post['md5']},g,a b".encode() for post in archives.make_posts(100)]
  lines[6] = line
  (folder / 'posts.csv').write_bytes(b'\n'.join([b'id,md5,rating,tag_string', *lines]))
  assert '1 broken records' in build_train(folder).description
  (where, what), = [case[1:] for case in listed(folder) if case[0] == 'broken']
  assert where == 'posts.csv, line 8' and reason in what


def test_files_beside_pictures_that_cannot_be_read_are_counted_and_listed(tmp_path):
  folder = tmp_path / 'archive'
  folder.mkdir()
  archives.write_sidecars(folder, archives.make_posts(100))
  paths = sorted(folder.rglob('*.txt'))
  paths[0].write_bytes(b'caf\xe9')
  paths[1].write_bytes(b'x' * 2_000_000)
  for ending in ('.jpg.txt', '.txt'):
    paths[2].with_name(paths[2].name.partition('.')[0] + ending).write_text('a')
  assert '3 broken records' in build_train(folder).description
  reasons = ' '.join(what for _, _, what in listed(folder))
  assert 'not UTF-8' in reasons and 'longer than 1 MiB' in reasons and 'there are two' in reasons


def test_tables_of_captions_never_lead_out_of_the_folder(tmp_path):
  folder = tmp_path / 'archive'
  folder.mkdir()
  archives.write_captions(folder, archives.make_posts(100))
  (tmp_path / 'secret.jpg').write_bytes(b'secret')
  with (folder / 'captions.jsonl').open('a') as file:
    for path in ('../secret.jpg', str(tmp_path / 'secret.jpg'), 'x/../../secret.jpg', 5, None, ' '):
      file.write(json.dumps({'path': path, 'caption': '#a'}) + '\n')
  train = build_train(folder, bad_limit_frac=0.2)
  assert '6 broken records' in train.description
  assert b'secret' not in archives.contents(train)


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, 'mkfifo'), reason='needs named pipes')
def test_what_is_no_file_is_no_picture(folder):
  os.mkfifo(folder / '5000.jpg')  # reading it would wait for ever
  (folder / '5001.jpg').mkdir()
  assert 'amiss' not in build_train(folder).description


def test_names_that_are_no_utf8_can_be_read_and_told(folder):
  os.mkdir(os.fsencode(folder) + b'/caf\xe9')
  os.rename(folder / '7.jpg', os.fsencode(folder) + b'/caf\xe9/7.jpg')
  train = [build_board(archives.make_config(folder, folder.parent / 'cache'), split)
           for split in ('train', 'valid', 'test')]
  names = [source[i]['id'] for source in train for i in range(len(source))]
  assert 'caf\\xe9/7.jpg' in names and len(names) == 100


NASTY = (None, '', 0, -1, 1e308, True, [], {}, [[]], ['a', 1], {'a': {}}, 'x' * 300, '\0', '../..',
         '/etc/passwd', '\ud800', '\u202e', 'NaN', float('nan'), 2**80, '7' * 40, ' ', '\n', '٣',
         b'')


@pytest.mark.parametrize('seed', range(40))
def test_random_damage_is_told_in_sentences_or_survived(tmp_path, seed):
  dice = random.Random(seed)
  writer = dice.choice(['posts', 'posts_array', 'posts_csv', 'danbooru2021', 'captions', 'sqlite',
                        'sidecars', 'post_files'])
  folder = tmp_path / 'archive'
  folder.mkdir()
  getattr(archives, f'write_{writer}')(folder, archives.make_posts(40))
  files = [path for path in sorted(folder.rglob('*')) if path.is_file() and path.suffix != '.jpg']
  for path in dice.sample(files, min(10, len(files))):
    data = bytearray(path.read_bytes())
    for _ in range(dice.randrange(1, 30)):
      place = dice.randrange(len(data))
      data[place:place + dice.choice([0, 1, 1, 5])] = dice.choice(
          [b'', b'\0', b'"', b'{', b']', b',', b'\n', b'\xff', b'\\', b'\\ud800', b'9' * 30])
    path.write_bytes(data)
  try:
    train = build_train(folder, bad_limit_frac=1.0)
  except UserError as error:
    assert str(error).isprintable() and len(str(error)) < 1500
  else:
    assert set(archives.contents(train)) <= {
        post['content'] for post in archives.make_posts(40)}


@pytest.mark.parametrize('seed', range(20))
def test_values_of_any_kind_are_told_in_sentences_or_survived(folder, seed):
  dice = random.Random(seed)
  nasty = [value for value in NASTY if not isinstance(value, bytes)]
  rows = read_rows(folder)
  for row in dice.sample(rows, 60):
    for key in dice.sample(list(row), 3) + dice.sample(['path', 'file', 'tags', 'tag_string'], 1):
      row[key] = dice.choice(nasty)
  write_rows(folder, rows)
  train = build_train(folder, bad_limit_frac=1.0)
  assert all(what.isprintable() and len(what) < 200 for _, _, what in listed(folder))
  assert set(archives.contents(train)) <= {post['content'] for post in archives.make_posts(100)}


@pytest.mark.parametrize('seed', range(10))
def test_values_of_any_kind_in_a_database_are_told_in_sentences_or_survived(tmp_path, seed):
  dice = random.Random(seed)
  nasty = [value for value in NASTY if isinstance(value, str | bytes | float | None)
           and value != '\ud800'] + [b'\xff', 5]
  (tmp_path / 'archive').mkdir()
  archives.write_sqlite(tmp_path / 'archive', archives.make_posts(100))
  database = sqlite3.connect(tmp_path / 'archive/danbooru.sqlite')
  columns = [row[1] for row in database.execute('PRAGMA table_info(posts)')]
  for id in range(1, 60):
    database.execute(f'UPDATE posts SET {dice.choice(columns)} = ? WHERE rowid = ?',
                     (dice.choice(nasty), id))
  database.commit()
  database.close()
  train = build_train(tmp_path / 'archive', bad_limit_frac=1.0)
  assert all(what.isprintable() for _, _, what in listed(tmp_path / 'archive'))
  assert len(train) > 20
