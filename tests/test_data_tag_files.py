import json

import pytest

from data.tag_files import find_tags
from errors import UserError

NAMES = ('a.png', 'sub dir/ü.jpg', 'sub dir/c.PNG')


@pytest.fixture
def folder(tmp_path):
  for name in NAMES:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b'')
  return tmp_path


def find(folder, names=NAMES, table=''):
  return find_tags(folder, {name: name for name in names}, table)[:2]


def error_of(folder, **settings):
  with pytest.raises(UserError) as raised:
    find(folder, **settings)
  return str(raised.value)


@pytest.mark.parametrize('cell, tags', [
    ('"cat, long hair ,dog"', ['cat', 'long hair', 'dog']),
    ('cat long_hair', ['cat', 'long_hair']),
    ('"[""cat"", ""a, b""]"', ['cat', 'a, b']),
    ('"one tag,"', ['one tag']),
    ('cat cat', ['cat']),
    ('', [])])
def test_a_csv_table_gives_tags_in_any_writing(folder, cell, tags):
  (folder / 'tags.csv').write_text(f'path,tags\na.png,{cell}\nsub dir/ü.jpg,x\n')
  found, style = find(folder)
  assert found == {'a.png': tags, 'sub dir/ü.jpg': ['x']}
  assert style == "the table 'tags.csv'"


def splits_of(folder):
  return find_tags(folder, {name: name for name in NAMES}, '').splits


@pytest.mark.parametrize('ending, separator', [('csv', ','), ('csv', ';'), ('csv', '\t'),
                                               ('tsv', '\t'), ('TSV', ';')])
def test_values_may_be_separated_by_commas_semicolons_or_tabs(folder, ending, separator):
  lines = [('path', 'class'), ('a.png', '"x, y"'), ('sub dir/ü.jpg', 'z z')]
  text = '\r\n'.join(map(separator.join, lines))
  (folder / f'any.{ending}').write_text('\ufeff' + text, encoding='utf-8')
  assert find(folder)[0] == {'a.png': ['x, y'], 'sub dir/ü.jpg': ['z z']}


def test_a_column_tells_the_splits(folder):
  (folder / 'any.csv').write_text('path,label,Split\na.png,x,train\nsub dir/ü.jpg,y,Val\n'
                                  'sub dir/c.PNG,x,\na.png,x,\n')
  assert splits_of(folder) == {'a.png': 'train', 'sub dir/ü.jpg': 'valid'}
  (folder / 'any.csv').write_text('path,label,split\na.png,x,\n')
  assert splits_of(folder) == {}
  (folder / 'any.csv').unlink()
  rows = [{'path': 'a.png', 'label': 1, 'split': 'testing'}, {'path': 'sub dir/c.PNG', 'label': 2},
          {'path': 'sub dir/ü.jpg', 'label': 2, 'split': None}]
  (folder / 'any.jsonl').write_text('\n'.join(map(json.dumps, rows)))
  assert splits_of(folder) == {'a.png': 'test'}


@pytest.mark.parametrize('column', ['path', 'file', 'image', 'file_name', ' Filename ',
                                    'image_path'])
def test_columns_are_found_by_their_names(folder, column):
  (folder / 'any.csv').write_text(f'number,Label,{column}\n1,two words,a.png\n\n2,x,./a.png\n')
  assert find(folder)[0] == {'a.png': ['two words', 'x']}


def test_a_json_lines_table_gives_tags(folder):
  rows = [{'path': 'a.png', 'tags': ['a, b', 'c']}, {'path': 'sub dir/ü.jpg', 'label': 3},
          {'path': 'sub dir/c.PNG', 'tags': 'x,y'}, {'path': 'a.png', 'tags': None}]
  text = '\n'.join(json.dumps(row, ensure_ascii=False) for row in rows)
  (folder / 'tags.jsonl').write_text('\ufeff' + text + '\n\n')
  assert find(folder)[0] == {'a.png': ['a, b', 'c'], 'sub dir/ü.jpg': ['3'],
                             'sub dir/c.PNG': ['x', 'y']}


def test_a_table_may_be_named_and_lie_deeper(folder):
  (folder / 'sub dir/t.csv').write_text('path,tags\na.png,x\n')
  assert find(folder, table='sub dir/t.csv')[0] == {'a.png': ['x']}


def test_a_table_without_the_columns_is_passed_over_unless_it_is_named(folder):
  (folder / 'notes.csv').write_text('when,what\nnow,x\n')
  (folder / 'log.jsonl').write_text('no json\n')
  assert 'no tags were found for the 3 pictures' in error_of(folder)
  assert ("not just 'sub dir'; no table of tags, by its first line: 'log.jsonl' (no columns), "
          "'notes.csv' ('when', 'what')." in error_of(folder))
  assert "line 1 of" in error_of(folder, table='notes.csv')
  assert "has 'when', 'what'; expected a column 'path'" in error_of(folder, table='notes.csv')
  assert 'line 1 of' in error_of(folder, table='log.jsonl')
  assert 'is no JSON' in error_of(folder, table='log.jsonl')


def test_a_table_may_have_the_paths_of_windows(folder):
  (folder / 'tags.csv').write_text('path,tags\nsub dir\\ü.jpg,x\n', encoding='utf-8')
  assert find(folder)[0] == {'sub dir/ü.jpg': ['x']}


def test_a_json_file_that_is_not_read_is_named(folder):
  (folder / 'tags.json').write_text('[]')
  assert "'tags.json' was not read: a table of JSON has one object a line" in error_of(folder)


def test_two_tables_are_not_chosen_between(folder):
  for name in ('a.csv', 'b.csv'):
    (folder / name).write_text('path,tags\na.png,x\n')
  assert "2 tables of tags ('a.csv', 'b.csv'); name the one to use" in error_of(folder)
  assert find(folder, table='b.csv')[0] == {'a.png': ['x']}


@pytest.mark.parametrize('text, words', [
    ('path,tags\na.png,x\na.png,x,y\n', 'line 3 of'),
    ('path,tags\na.png,x\na.png,x,y\n', "has 3 values, the header has 2; put quotes around a "
     "value that has ',' in it"),
    ('path;tags\na.png;x;y\n', "around a value that has ';' in it"),
    ('path,tags\n', 'has no line that names a picture'),
    ('path,label,split\na.png,x,train\na.png,x,fold 2\n', "line 3 of"),
    ('path,label,split\na.png,x,train\na.png,x,fold 2\n', "has the split 'fold 2'; expected"),
    ('path,label,split\na.png,x,train\na.png,x,test\n', "puts 'a.png' into test, a line before it"),
    ('path,tags\n..\\a.png,x\n', 'which lies outside the folder'),
    ('path,tags\nother\\c.PNG,x\n', 'names 1 picture not in'),
    ('path,tags\n"a.png,x\n', 'is no CSV'),
    ('path,tags\na.png,[cat\n', 'begin as a JSON list but are none'),
    ('path,tags\n,x\n', "line 2 of"),
    ('path,tags\n../a.png,x\n', "names '../a.png', which lies outside the folder"),
    ('path,tags\nsub dir/../../a.png,x\n', 'lies outside the folder'),
    ('path,tags\n/etc/passwd,x\n', "names '/etc/passwd', which lies outside the folder"),
    ('path,tags\na.png,x\nb.png,x\nc.png,x\nd.png,x\ne.png,x\n',
     "names 4 pictures not in"),
    ('path,tags\na.png,x\nb.png,x\nc.png,x\nd.png,x\ne.png,x\n', "'b.png', 'c.png', 'd.png'; its"),
])
def test_a_csv_line_that_cannot_be_understood_is_named(folder, text, words):
  (folder / 'tags.csv').write_text(text)
  assert words in error_of(folder)


@pytest.mark.parametrize('line, words', [
    ('{"path": ', 'line 2 of'), ('{"path": ', 'is no JSON'),
    ('[1, 2]', 'line 2 of'), ('{"tags": "x"}', "has 'tags'; expected a column 'path'"),
    ('{"path": 3, "tags": "x"}', 'has 3 as the path')])
def test_a_json_line_that_cannot_be_understood_is_named(folder, line, words):
  (folder / 'tags.jsonl').write_text('{"path": "a.png", "tags": "x"}\n' + line + '\n')
  assert words in error_of(folder)


def test_a_table_that_is_not_there_is_named(folder):
  assert "there is no table" in error_of(folder, table='t.csv')


def test_a_file_that_is_not_utf8_is_named(folder):
  (folder / 'tags.csv').write_bytes(b'path,tags\na.png,caf\xe9\n')
  assert 'is not UTF-8' in error_of(folder)


def test_sidecar_files_hold_tags_by_commas_or_lines(folder):
  (folder / 'a.txt').write_text('cat, long hair,\n')
  (folder / 'sub dir/ü.jpg.txt').write_bytes(b'character:x\r\nlong hair\r\n')
  (folder / 'sub dir/README.txt').write_text('not a sidecar')
  found, style = find(folder)
  assert found == {'a.png': ['cat', 'long hair'], 'sub dir/ü.jpg': ['character:x', 'long hair']}
  assert style == 'sidecar files'


def test_all_sidecars_that_are_not_utf8_are_named_at_once(folder):
  for name in ('a.txt', 'sub dir/ü.txt'):
    (folder / name).write_bytes(b'caf\xe9')
  assert "2 of 2 tags files in" in error_of(folder)
  assert "are not UTF-8 text ('a.txt', 'sub dir/ü.txt')" in error_of(folder)


@pytest.mark.parametrize('text', ['cat;dog', 'long hair ; hat; dog\n'])
def test_semicolons_between_the_tags_of_sidecars_are_refused(folder, text):
  for name in ('a.txt', 'sub dir/ü.txt'):
    (folder / name).write_text(text)
  assert 'write commas between them, or one tag a line' in error_of(folder)


@pytest.mark.parametrize('text', [';d', 'cat;dog, hat', 'hat\ncat;dog'])
def test_a_tag_may_have_a_semicolon(folder, text):
  for name in ('a.txt', 'sub dir/ü.txt'):
    (folder / name).write_text(text)
  assert find(folder)[1] == 'sidecar files'


def test_an_empty_sidecar_means_no_tags(folder):
  for name in NAMES:
    (folder / f'{name}.txt').write_text('' if name == 'a.png' else 'x')
  assert find(folder)[0]['a.png'] == []


def test_two_sidecars_of_one_picture_are_not_chosen_between(folder):
  for name in ('a.txt', 'a.png.txt'):
    (folder / name).write_text('x')
  assert "'a.png' in" in error_of(folder)
  assert "has two tags files, 'a.txt' and 'a.png.txt'; keep one" in error_of(folder)


def test_a_few_sidecars_among_class_folders_are_not_chosen_between(folder):
  (folder / 'a.txt').write_text('x')
  assert "1 of 3 pictures in" in error_of(folder)
  assert "(such as 'a.txt')" in error_of(folder)


def test_the_first_folder_on_the_way_is_the_class(folder):
  names = ('cat/1.png', 'cat/old/2.png', 'dog/3.png', '4.png')
  found, style = find(folder, names)
  assert found == {'cat/1.png': ['cat'], 'cat/old/2.png': ['cat'], 'dog/3.png': ['dog']}
  assert style == 'class folders'


def test_one_folder_alone_is_no_class(folder):
  assert 'at least two class folders' in error_of(folder)
