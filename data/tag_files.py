"""The tags of a person's pictures: from a table, from files beside the pictures, or from folders.

| style | what it looks like |
|---|---|
| table | one CSV (with a header) or JSON Lines file with `path` and `tags`, or `path` and `label` |
| sidecar files | `name.txt` or `name.jpg.txt` beside the picture: tags by commas or one a line |
| class folders | the first folder on the way to a picture is its one tag |

They are looked for in this order; where two could be meant, the person is asked. A table's column
`split`, where it has one, says which pictures are for training, validation and test. The values of
a CSV may be separated by commas, semicolons or tabs, as its first line says.
"""

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from data.classes import name_few
from data.content_splits import SPLIT_NAMES, counted
from errors import UserError, shortened

PATH_COLUMNS = ('path', 'file', 'image', 'file_name', 'filename', 'image_path', 'file_path')
TAG_COLUMNS = ('tags', 'label', 'class')
SPLIT_COLUMN = 'split'
_TABLE_ENDINGS = ('.csv', '.tsv', '.jsonl')
_JOINED = re.compile(r'\w\s*;\s*\w')  # not as in ';d', which is a tag
_COLUMNS_NEEDED = "a column 'path' (or 'file', 'image') and a column 'tags' (or 'label', 'class')"


class FoundTags(NamedTuple):
  """The tags of a folder's pictures; names are paths relative to it."""

  tags_of: dict  # name -> list of tags, each once; without pictures of which nothing is said
  style: str  # where the tags are from, in words
  splits: dict  # name -> 'train', 'valid' or 'test', as a table says it
  passed_over: str  # files that might be tables of tags but are none, in words; '': none


def find_tags(folder: Path, class_paths: dict[str, str], table: str) -> FoundTags:
  """Finds the tags of the pictures of a folder.

  Args:
    folder: holds the pictures.
    class_paths: for each picture, its path relative to the folder -> its path below its split.
    table: the table's path relative to the folder; '' to find out the style.

  Raises:
    UserError: no tags, two styles at once, or a file that cannot be understood.
  """
  table_path, passed_over = (folder / table, '') if table else _find_table(folder)
  if table_path:
    tags_of, splits = _read_table(table_path, folder, class_paths)
    return FoundTags(tags_of, f"the table '{table_path.name}'", splits, passed_over)
  sidecars = {name: path for name in class_paths if (path := _find_sidecar(folder, name))}
  if sidecars and 2 * len(sidecars) < len(class_paths):
    raise UserError(
        f"{len(sidecars)} of {len(class_paths)} pictures in '{folder}' have a tags file beside "
        f"them (such as '{next(iter(sidecars.values())).name}') and the others have none: write "
        'the missing files, or remove the few to have the class folders read.')
  if sidecars:
    return FoundTags(_read_sidecars(sidecars, folder), 'sidecar files', {}, passed_over)
  classes = {name: [path.split('/')[0]] for name, path in class_paths.items() if '/' in path}
  names = {tags[0] for tags in classes.values()}
  if len(names) < 2:
    only = f" and not just '{names.pop()}'" if names else ''
    raise UserError(
        f"no tags were found for the {len(class_paths)} pictures in '{folder}': expected a table "
        f'(.csv or .jsonl with {_COLUMNS_NEEDED}), a .txt file beside each picture, or at least '
        f"two class folders{only}{passed_over and '; ' + passed_over}{_unread_json(folder)}.")
  return FoundTags(classes, 'class folders', {}, passed_over)


def _unread_json(folder):
  """What to do about JSON files that may be tables, in words."""
  found = [repr(path.name) for path in sorted(folder.glob('*.json'))]
  return (f'; {name_few(found)} was not read: a table of JSON has one object a line and the ending '
          '.jsonl' if found else '')


def split_tags(text: str) -> list[str]:
  """Returns the tags in a string: a JSON list, or separated by commas, or else by white space."""
  if text.lstrip().startswith('['):
    return [str(tag) for tag in _load_json(text)]
  return text.split(',') if ',' in text else text.split()


def _load_json(text):
  """A JSON value. Raises: ValueError."""
  try:
    return json.loads(text)
  except RecursionError:
    raise ValueError('it is nested too deep') from None


def _tidy(tags):
  """Without blanks around them, without empty ones, each once, in their order."""
  return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _find_sidecar(folder, name):
  """The path of a picture's tags file, or None."""
  picture = folder / name
  found = [path for path in (picture.with_suffix('.txt'), Path(f'{picture}.txt')) if path.is_file()]
  if len(found) == 2:
    raise UserError(f"the picture '{name}' in '{folder}' has two tags files, '{found[0].name}' and "
                    f"'{found[1].name}'; keep one.")
  return found[0] if found else None


def _read_sidecars(sidecars, folder):
  """{picture: tags} of {picture: path of its tags file}."""
  tags_of, broken = {}, []
  for name, path in sidecars.items():
    try:
      tags_of[name] = _tidy(path.read_text(encoding='utf-8-sig').replace('\n', ',').split(','))
    except UnicodeDecodeError:
      broken.append(repr(path.relative_to(folder).as_posix()))
  if broken:
    raise UserError(f"{len(broken)} of {len(sidecars)} tags files in '{folder}' are not UTF-8 text "
                    f'({name_few(broken)}); save them as UTF-8.')
  joined = [name for name, tags in tags_of.items() if len(tags) == 1 and _JOINED.search(tags[0])]
  if 2 * len(joined) > sum(map(bool, tags_of.values())):
    raise UserError(f"the tags files in '{folder}' seem to separate tags by semicolons "
                    f"('{sidecars[joined[0]].name}': {shortened(repr(tags_of[joined[0]][0]))}); "
                    'write commas between them, or one tag a line.')
  return tags_of


def read_text(path: Path) -> str:
  """All of a UTF-8 file. Raises: UserError: it is none."""
  try:
    return path.read_text(encoding='utf-8-sig')
  except UnicodeDecodeError as error:
    raise UserError(f"'{path}' is not UTF-8 text ({error.reason} at byte {error.start}); save it "
                    'as UTF-8.') from None


def _find_table(folder):
  """The one file in the folder that can be a table of tags, or None; the others in words."""
  columns = {path: _first_columns(path) for path in sorted(folder.iterdir())
             if path.suffix.lower() in _TABLE_ENDINGS and not path.name.startswith('.')
             and path.is_file()}
  found = [path for path, names in columns.items() if _pick_columns(names)]
  if len(found) > 1:
    names = ', '.join(f"'{path.name}'" for path in found)
    raise UserError(f"'{folder}' holds {len(found)} tables of tags ({names}); name the one to use "
                    'with --config.data.table=')
  others = [f"'{path.name}' ({name_few([repr(name)[:40] for name in names]) or 'no columns'})"
            for path, names in columns.items() if path not in found]
  return (found[0] if found else None,
          f'no table of tags, by its first line: {name_few(others)}' if others else '')


def _first_columns(path):
  """The column names in a table's first line; none where it cannot be understood."""
  with path.open(encoding='utf-8-sig', errors='replace', newline='') as file:
    line = file.readline()
  try:
    if not _is_json(path):
      return next(csv.reader([line], delimiter=_delimiter(line)), [])
    row = _load_json(line)
    return list(row) if isinstance(row, dict) else []
  except (csv.Error, ValueError):
    return []


def _is_json(table):
  return table.suffix.lower() in ('.jsonl', '.json', '.ndjson')


def _delimiter(header):
  """What separates the values of a CSV: of comma, semicolon and tab the most frequent there."""
  return max(',;\t', key=header.count)


def _pick_columns(columns):
  """The columns that hold path and tags, as they are written in the table; or None."""
  written = {str(column).strip().lower(): column for column in columns}
  path = next((written[name] for name in PATH_COLUMNS if name in written), None)
  tags = next((written[name] for name in TAG_COLUMNS if name in written), None)
  return None if path is None or tags is None else (path, tags)


def _read_table(table, folder, known):
  """{relative path: tags}, {relative path: split}; rows on the same picture are put together."""
  if not table.is_file():
    raise UserError(f"there is no table '{table}'; config.data.table is a path relative to "
                    'config.data.path.')
  tags_of, splits, missing = {}, {}, []
  for line, row in _json_rows(table) if _is_json(table) else _csv_rows(table):
    where = f"line {line} of '{table}'"
    columns = _pick_columns(row)
    if not columns:
      raise UserError(f"{where} has {shortened(', '.join(map(repr, row))) or 'no columns'}; "
                      f'expected {_COLUMNS_NEEDED}.')
    name = _relative_path(row[columns[0]], folder, where)
    if name not in known and not os.path.isfile(folder / name):
      missing.append(name)
    tags_of[name] = _tidy(tags_of.get(name, []) + _cell_tags(row[columns[1]], columns[1], where))
    split = _cell_split(row, where)
    if split and splits.setdefault(name, split) != split:
      raise UserError(f'{where} puts {shortened(name)!r} into {split}, a line before it into '
                      f'{splits[name]}; a picture belongs to one split.')
  if missing:
    count = counted(len(missing), 'picture', 'pictures')
    raise UserError(f"the table '{table}' names {count} not in '{folder}', such as "
                    f"{shortened(', '.join(map(repr, missing[:3])), 600)}; its "
                    'paths are read relative to the folder. Bring the pictures, or remove their '
                    'lines.')
  if not tags_of:
    raise UserError(f"the table '{table}' has no line that names a picture.")
  return tags_of, splits


def _cell_split(row, where):
  """'train', 'valid' or 'test', by the row's column of splits; '' where it says nothing."""
  column = next((name for name in row if str(name).strip().lower() == SPLIT_COLUMN), None)
  value = '' if column is None or row[column] is None else str(row[column]).strip()
  if value and value.lower() not in SPLIT_NAMES:
    raise UserError(f'{where} has the {SPLIT_COLUMN} {shortened(value)!r}; expected train, valid '
                    'or test, nothing for a picture to leave out, or another name for the column.')
  return SPLIT_NAMES.get(value.lower(), '')


def _csv_rows(table):
  """Yields (line number, {column: cell}) of a CSV file with a header."""
  text = read_text(table)
  delimiter = _delimiter(text.partition('\n')[0])
  reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True)
  try:
    header = next(reader, [])
    if not _pick_columns(header):
      yield 1, dict.fromkeys(header, '')
    for row in reader:
      if len(row) not in (0, len(header)):
        raise UserError(f"line {reader.line_num} of '{table}' has {len(row)} values, the header "
                        f'has {len(header)}; put quotes around a value that has {delimiter!r} '
                        'in it.')
      if row:
        yield reader.line_num, dict(zip(header, row, strict=True))
  except csv.Error as error:
    raise UserError(f"line {reader.line_num} of '{table}' is no CSV: {error}.") from None


def _json_rows(table):
  """Yields (line number, dict) of a JSON Lines file."""
  for line, text in enumerate(read_text(table).split('\n'), 1):
    try:
      row = _load_json(text) if text.strip() else None
    except ValueError as error:
      raise UserError(f"line {line} of '{table}' is no JSON: {error}.") from None
    if row is not None:
      yield line, row if isinstance(row, dict) else {}


def _relative_path(value, folder, where):
  """A table's path as one relative to the folder; refuses one that leads out of it."""
  if not isinstance(value, str) or not value.strip():
    raise UserError(f'{where} has {shortened(repr(value))} as the path of a picture.')
  top = os.path.abspath(folder)
  path = os.path.normpath(os.path.join(top, value.strip()))
  if '\\' in value and not os.path.exists(path):                # of a table from Windows
    path = os.path.normpath(os.path.join(top, value.strip().replace('\\', '/')))
  if not path.startswith(os.path.join(top, '')):
    raise UserError(f'{where} names {shortened(value)!r}, which lies outside the folder '
                    f"'{folder}'.")
  return Path(os.path.relpath(path, top)).as_posix()


def _cell_tags(value, column, where):
  """The tags in a cell: of a column `tags` one or many, of a column `label` or `class` one."""
  if value is None:
    return []
  if isinstance(value, list):
    return [str(tag) for tag in value]
  if column.strip().lower() != 'tags' or not isinstance(value, str):
    return [str(value)]
  try:
    return split_tags(value)
  except ValueError as error:
    raise UserError(f'{where} has tags that begin as a JSON list but are none: {error}.') from None
