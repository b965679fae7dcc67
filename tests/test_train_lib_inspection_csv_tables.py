"""CSV files on the page: their ends at once, the rest on demand."""

from etils import epath

from train_lib.inspection import csv_tables
from train_lib.inspection.markup import Details
from train_lib.storage import records


def parts_of(tmp_path, rows, titles=('tag', 'train_pictures', 'f1'), **options):
  path = epath.Path(tmp_path / 'tags.csv')
  records.write_csv(path, titles, rows)
  return csv_tables.csv_parts(path, epath.Path(tmp_path), **options)


def many(number):
  return [(f'tag {k}', k, '' if k % 10 == 9 else f'{k / number:.6f}') for k in range(number)]


def test_a_short_table_is_shown_whole(tmp_path):
  table, = parts_of(tmp_path, many(15), by='f1')
  assert table.count('<tr') == 16 and 'train pictures' in table and '<th class=n>F1' in table


def test_of_a_long_table_the_ends_are_shown_and_all_rows_on_demand(tmp_path):
  ends, details = parts_of(tmp_path, many(100), by='f1', columns=('tag', 'f1'))
  shown = [name for name in range(100) if f'>tag {name}<' in ends]
  assert shown == [*range(8), *range(91, 99)]
  assert 'train pictures' not in ends                       # just the columns that were asked for
  assert isinstance(details, Details) and 'All 100' in details.summary
  assert details.parts[0].count('<tr') == 101


def test_rows_without_a_figure_are_in_neither_end(tmp_path):
  ends, _ = parts_of(tmp_path, many(100), by='f1')
  assert '>tag 99<' not in ends and '>tag 98<' in ends


def test_rows_that_no_test_picture_shows_are_in_neither_end(tmp_path):
  rows = [(f'tag {k}', 0 if k < 20 else 5, k / 100) for k in range(100)]
  ends, _ = parts_of(tmp_path, rows, ('tag', 'test_pictures', 'f1'), by='f1')
  assert '>tag 19<' not in ends and '>tag 20<' in ends


def test_ten_thousand_rows_stay_small_and_more_are_cut(tmp_path):
  titles = ('tag', 'category', *(f'figure_{k}' for k in range(15)))
  rows = [(f'tag {k}', 'general', *['0.123456'] * 15) for k in range(10_050)]
  _, details = parts_of(tmp_path, rows, titles, words=2)
  assert details.summary == 'The first 10,000 of 10,050 rows'
  assert len(details.parts[0]) < 5_000_000


def test_names_that_are_not_utf8_and_lines_that_are_broken_are_survived(tmp_path):
  (tmp_path / 'a.csv').write_bytes(b'tag,f1\ncaf\xe9,0.5\n"two\nlines",1\ntorn\n')
  table = csv_tables.read_csv(epath.Path(tmp_path / 'a.csv'))
  assert table.rows == [['caf\udce9', '0.5'], ['two\nlines', '1']]


def test_an_empty_table_says_so(tmp_path):
  assert 'empty' in parts_of(tmp_path, [])[0]
