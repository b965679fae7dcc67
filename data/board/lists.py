"""A person's lists about tags: aliases, implications, categories, tags wanted and tags unwanted.

Tables are CSV or JSON Lines with the columns that boards use in their own dumps; names are those of
the board, and blanks in them stand for underscores.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data.batch import TAG_CATEGORIES
from data.board.ratings import RISING
from data.board.records import CATEGORY_OF_CODE, LONGEST_NAME, is_name, shorten
from data.board.rows import Broken, read_rows
from data.tag_files import read_text
from errors import UserError

_PAIR = ('antecedent_name', 'consequent_name')
_FEW = 6                          # names that a message lists
_CODES = CATEGORY_OF_CODE | {'9': 'rating'}  # the last as taggers write it


class Lists(NamedTuple):
  """All lists, read, aliases resolved; each is empty where config.data.board names no file."""

  tag_list: list  # (name, category)
  tag_categories: dict  # name -> category
  aliases: dict  # name -> name
  implications: list  # (name, the name it entails), as written
  blacklist: set  # names


def find_lists(settings, folder: str) -> dict[str, str]:
  """{list: its path} of those that config.data.board names, relative to the archive.

  Raises:
    UserError: there is no such file.
  """
  named = {'tag_list': settings.tag_list, 'tag_categories': settings.tag_categories,
           'aliases': settings.aliases, 'implications': settings.implications,
           'blacklist': settings.blacklist}
  paths = {key: os.path.join(folder, os.path.expanduser(name))
           for key, name in named.items() if name}
  for key, path in paths.items():
    if not os.path.isfile(path):
      raise UserError(f"config.data.board.{key} is '{named[key]}', but there is no file '{path}'; "
                      'it is relative to config.data.path.')
  return paths


def read_lists(paths: dict[str, str]) -> Lists:
  """Reads what `find_lists` found.

  Raises:
    UserError: a line cannot be understood, or lists contradict themselves or each other.
  """
  lists = Lists(**{key: read(paths[key]) if key in paths else empty for key, read, empty in (
      ('tag_list', read_tag_list, []), ('tag_categories', read_categories, {}),
      ('aliases', read_aliases, {}), ('implications', read_implications, []),
      ('blacklist', read_blacklist, set()))})
  lists = _resolve(lists)
  for name, _ in lists.tag_list:
    if name in lists.blacklist:
      raise UserError(f"the tag '{name}' stands both in config.data.board.tag_list and in its "
                      'blacklist; take it out of one.')
  return lists


def _resolve(lists):
  """The lists with aliases replaced by what they stand for; ratings have none."""
  def resolve(name):
    return lists.aliases.get(name, name)

  tag_list = {}  # name -> the name as written, category
  for name, category in lists.tag_list:
    final = name if category == 'rating' else resolve(name)
    if final in tag_list:
      raise UserError(f"config.data.board.tag_list names '{tag_list[final][0]}' and '{name}', "
                      f"which are one tag, '{final}', by config.data.board.aliases; keep one of "
                      'them.')
    tag_list[final] = name, category
  categories = {resolve(name): category for name, category in lists.tag_categories.items()}
  return lists._replace(
      tag_list=[(final, category) for final, (_, category) in tag_list.items()],
      tag_categories=categories | {name: category for name, category
                                   in lists.tag_categories.items() if name not in lists.aliases},
      blacklist={resolve(name) for name in lists.blacklist})


def read_aliases(path: str) -> dict[str, str]:
  """{name: the name that it stands for}, through any number of steps.

  Raises:
    UserError: a name stands for two others, or for itself in a circle.
  """
  steps = {}
  for where, name, target in _read_pairs(path):
    if steps.setdefault(name, target) != target:
      raise UserError(f"{where} makes '{name}' stand for '{target}', an earlier one for "
                      f"'{steps[name]}'; keep one.")
  aliases = {}
  for name in steps:
    if name in aliases:           # known from a walk before
      continue
    walk, target = {name: None}, steps[name]
    while target in steps and target not in aliases:
      if target in walk:
        circle = [*walk][[*walk].index(target):]
        more = [f'{len(circle) - _FEW:,} more'] if len(circle) > _FEW else []
        raise UserError(f"the aliases in '{path}' run in a circle: "
                        f"{' -> '.join([*circle[:_FEW], *more, target])}; remove one of them.")
      walk[target], target = None, steps[target]
    aliases.update(dict.fromkeys(walk, aliases.get(target, target)))
  return aliases


def read_implications(path: str) -> list[tuple[str, str]]:
  """(name, the name that it entails) of every row in force.

  Raises:
    UserError: there is none.
  """
  pairs = [(name, parent) for _, name, parent in _read_pairs(path)]
  if not pairs:
    raise UserError(f"the list of implications '{path}' has no row in force: expected rows of "
                    f'{" and ".join(_PAIR)}, two names, whose status, if they have one, is active.')
  return pairs


def read_categories(path: str) -> dict[str, str]:
  """{name: category}; ratings are passed over, which come from the posts."""
  return {name: category for _, name, category in _read_named(path)
          if category not in ('', 'rating') and is_name(name)}


def read_tag_list(path: str) -> list[tuple[str, str]]:
  """(name, category) in the file's order; the category is '' where the file has none.

  Raises:
    UserError: it is empty, a name stands in it twice, a rating is none, or may be a tag.
  """
  places, tags = {}, []
  for where, name, category in _read_named(path):
    if not is_name(name):
      raise UserError(f'{where} has {shorten(name)} for name; a tag has at most {LONGEST_NAME} '
                      'letters, all of which can be shown.')
    if category == 'rating' and name not in RISING:
      raise UserError(f"{where} has '{name}' as a rating; ratings are {', '.join(RISING)}.")
    if not category and name in RISING:
      raise UserError(f"{where} names '{name}', which may be a rating or a tag; say which in a "
                      "column category, with 'rating' or, for a tag, 'general'.")
    if name in places:
      raise UserError(f"{where} names the tag '{name}' again, after {places[name]}; every tag is "
                      'one output of the net, so keep one.')
    places[name] = where
    tags.append((name, category))
  if not tags:
    raise UserError(f"the list of tags '{path}' is empty.")
  return tags


def read_blacklist(path: str) -> set[str]:
  """The names in a text file, one a line."""
  return {name for line in read_text(Path(path)).split('\n') if (name := _tidy(line))}


def _read_pairs(path) -> Iterator[tuple[str, str, str]]:
  """Yields (where, antecedent, consequent); pairs that a board has not put into force are left."""
  for where, row in _read_table(path, _PAIR):
    name, target = (_tidy(row[column]) for column in _PAIR)
    if row.get('status') in (None, '', 'active') and name != target and (
        is_name(name) and is_name(target)):  # no tag of an archive is called otherwise
      yield where, name, target


def _read_named(path) -> Iterator[tuple[str, str, str]]:
  """Yields (where, name, category)."""
  for where, row in _read_table(path, ('name',)):
    category = str(row.get('category', '')).strip().lower()
    category = _CODES.get(category, category)
    if category not in ('', *TAG_CATEGORIES):
      raise UserError(f'{where} has the category {shorten(row["category"])}; choose one of '
                      f'{", ".join(TAG_CATEGORIES)}, or the number that Danbooru gives it.')
    yield where, _tidy(row['name']), category


def _read_table(path, columns) -> Iterator[tuple[str, dict]]:
  """Yields (where in words, row) of rows that have text in all the columns."""
  for place, row in read_rows(path):
    where = f"{place} of '{path}'"
    if isinstance(row, Broken):
      raise UserError(f'{where} cannot be read: {row.reason}.')
    for column in columns:
      if not isinstance(row.get(column), str) or not _tidy(row[column]):
        raise UserError(f'{where} has {shorten(row.get(column))} for {column}; expected '
                        f'{" and ".join(columns)}, named in the first line of a .csv file, or as '
                        'keys of a JSON object in each line.')
    yield where, row


def _tidy(name):
  return '_'.join(name.split())
