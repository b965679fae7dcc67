"""A person's own folder of pictures as a source, with the tags and splits that are found in it."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.batch import (
    MOST_CONTENTS,
    TAG_CATEGORIES,
    Content,
    Contents,
    count_by_tags_of,
    short_digest,
)
from data.classes import describe_balance, name_few
from data.content_splits import SPLIT_NAMES, assign_splits, copies_words, count_words, counted
from data.sources.pictures import (
    EXTENSIONS,
    content_digest,
    digest_of,
    list_pictures,
    read_file,
    relative_name,
    walk_folders,
)
from data.tag_files import find_tags
from errors import UserError


class FolderSource:
  """One split of a folder; an example's id is its path relative to the folder.

  `description` tells in a sentence what was found and how it was split.
  """

  truth_keys = ('tags',)
  max_ignored = 0

  def __init__(self, folder, rows, tag_names, max_tags, fingerprint, description, contents=None):
    self.tag_names = tag_names
    self.tag_categories = tuple(_category(name) for name in tag_names)
    self.max_tags = max_tags
    self.fingerprint = fingerprint
    self.description = description
    self._folder, self._rows, self._contents = folder, rows, contents

  def __len__(self) -> int:
    return len(self._rows)

  def tags_of(self, index: int) -> np.ndarray:
    return self._rows[index][1]

  def contents(self):
    """As `data.batch.contents_of`."""
    return self._contents

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return count_by_tags_of(self, poll)

  def __getitem__(self, index: int) -> dict:
    name, tags = self._rows[index]
    return {'id': name, 'image_bytes': read_file(f'{self._folder}/{name}'), 'tags': tags}


def build_folder(config_data, split: str, poll=lambda: None) -> FolderSource:
  """Reads one split of the folder `config.data.path`.

  Splits are those that a table tells, else the folders train, valid and test where they exist (or
  other names of `content_splits.SPLIT_NAMES`). With train and valid alone, valid is what the run is
  scored on ('test'), and 'valid' is cut from train. What has to be cut is cut by content: exact
  copies fall into one split, and added files move no other.

  Tags are numbered by falling count in train, then by name. A tag that begins with 'character:',
  'artist:', 'copyright:', 'meta:' or 'rating:' is of that category, all others are 'general'.

  Args:
    config_data: the section `config.data`: path, table, valid_frac, test_frac, implications.
    split: 'train', 'valid' or 'test'.
    poll: called for every picture while their contents are read; may raise to stop.

  Raises:
    UserError: no folder, no pictures, no tags, an empty split, or tags that contradict each other.
  """
  if config_data.implications != 'listed':
    raise UserError(f"config.data.implications is '{config_data.implications}', but a folder does "
                    "not tell which tag entails which; leave it at 'listed', or write the entailed "
                    'tags into your tags.')
  found = _read_folder(config_data, poll)
  for name in ('train', split):
    if not found.splits[name]:
      raise UserError(f"the {name} split of '{found.folder}' is empty ({found.how}; "
                      f'{count_words(found.splits)}): change config.data.valid_frac or test_frac, '
                      'or put pictures into folders train, valid and test.')
  counts = Counter(tag for name in found.splits['train'] for tag in found.tags_of[name])
  _check_writing(counts, found.folder)
  tag_names = tuple(sorted(counts, key=lambda tag: (-counts[tag], tag)))
  if not tag_names:
    raise UserError(f"the {len(found.splits['train'])} training pictures of '{found.folder}' have "
                    'no tag.')
  index_of = {tag: index for index, tag in enumerate(tag_names)}
  tags_of = {name: np.array([index_of[tag] for tag in tags if tag in index_of], np.int32)
             for name, tags in found.tags_of.items()}
  return FolderSource(
      folder=found.folder, rows=[(name, tags_of[name]) for name in found.splits[split]],
      tag_names=tag_names, max_tags=max(len(tags) for tags in tags_of.values()),
      fingerprint=digest_of(
          word for name, tags in found.tags_of.items()
          for word in (name, found.digests[name], *sorted(tags), *found.told[name])),
      description=_describe(found, index_of),
      contents=_contents(found) if split == 'train' else None)


def _contents(found) -> Contents | None:
  if len(found.tags_of) > MOST_CONTENTS:
    return None
  split_of = {name: split for split, names in found.splits.items() for name in names}
  return Contents((name, Content(found.digests[name], short_digest(*sorted(tags)), split_of[name]))
                  for name, tags in found.tags_of.items())


class _Found(NamedTuple):
  """What lies in a folder: names are paths relative to it."""

  folder: Path
  names: list  # of all pictures
  tags_of: dict  # name -> list of tags, of the pictures in use
  style: str  # where the tags are from, in words
  digests: dict  # name -> digest of the content
  splits: dict  # split -> names
  how: str  # it was split, in words
  told: dict  # name -> (its split,) as a table tells it, or ()
  notes: list  # what else a person should know, in words


def _read_folder(config_data, poll):
  if not config_data.path:
    raise UserError('config.data.path is empty; name the folder of your pictures with '
                    '--config.data.path=')
  folder = Path(config_data.path).expanduser()
  names = [relative_name(path, folder) for path in list_pictures(folder)]
  if not names:
    raise UserError(f"the folder '{folder}' holds no picture ({', '.join(EXTENSIONS)}).")
  given = _given_splits(names)
  class_paths = {name: name.split('/', 1)[1] if given else name for name in given or names}
  tags_of, style, told, passed_over = find_tags(folder, class_paths, config_data.table)
  is_split, given = bool(given), told or given
  tags_of = {name: tags_of[name] for name in sorted(tags_of) if not given or name in given}
  digests = {}
  for name in tags_of:
    poll()
    digests[name] = content_digest(folder / name)
  splits, how = assign_splits(digests, given, config_data.valid_frac, config_data.test_frac,
                              "table's split" if told else 'folder')
  notes = [passed_over] if passed_over else []
  if style == 'class folders':
    _check_classes(tags_of, folder)
    empty = _empty_folders(folder, names, is_split)
    notes += [f'no picture in the class folders {_quoted(empty)}'] if empty else []
  return _Found(folder, names, tags_of, style, digests, splits, how,
                {name: (told[name],) if told else () for name in tags_of}, notes)


def _check_classes(tags_of, folder):
  """Raises where the folders that would be classes are validation and test without training."""
  classes = sorted({tag for tags in tags_of.values() for tag in tags})
  if all(name.lower() in SPLIT_NAMES for name in classes):
    raise UserError(f"'{folder}' has the folders {_quoted(classes)} and none for training; add a "
                    "folder 'train', or name the folder of the classes.")


def _quoted(names):
  return name_few([f"'{name}'" for name in names])


def _empty_folders(folder, names, is_split):
  """The class folders that hold no picture, as paths relative to the folder."""
  depth = 2 if is_split else 1
  filled = {'/'.join(name.split('/')[:depth]) for name in names}
  found = {relative_name(Path(where), folder) for where, _, _ in walk_folders(folder)} - {'.'}
  return sorted(name for name in found - filled if len(name.split('/')) == depth
                and not (is_split and name.split('/')[0].lower() not in SPLIT_NAMES))


def _category(name):
  prefix = name.split(':', 1)[0]
  return prefix if ':' in name and prefix in TAG_CATEGORIES else 'general'


def _given_splits(names):
  """{name: split} of the pictures in split folders; empty where the folder is not split.

  A lone folder 'train' among others is taken for a class, the vehicle.
  """
  tops = {name.split('/')[0] for name in names if '/' in name}
  found = {SPLIT_NAMES[top.lower()] for top in tops if top.lower() in SPLIT_NAMES}
  if 'train' not in found or (found == {'train'} and len(tops) > 1):
    return {}
  splits = {name: SPLIT_NAMES.get(name.split('/')[0].lower()) for name in names if '/' in name}
  return {name: split for name, split in splits.items() if split}


def _check_writing(counts, folder):
  """Raises where a tag is written both with blanks and with underscores."""
  written = {}
  for tag in sorted(counts):
    other = written.setdefault(tag.replace(' ', '_'), tag)
    if other != tag:
      raise UserError(f"the tags {other!r} ({counts[other]} times) and {tag!r} ({counts[tag]} "
                      f"times) in '{folder}' differ only in blanks and underscores; write them "
                      'alike.')


def _describe(found, index_of):
  """A sentence on what was found, how it was split and what was left out."""
  exclusive = max(map(len, found.tags_of.values())) == 1
  kinds = ('class', 'classes') if exclusive else ('tag', 'tags')
  phrases = [f"'{found.folder}': {counted(len(found.tags_of), 'picture', 'pictures')} with "
             f'{counted(len(index_of), *kinds)} from {found.style}; '
             f'{count_words(found.splits)} ({found.how})']
  if exclusive:
    phrases.append(describe_balance(list(index_of), {
        split: np.bincount([index_of[tag] for name in names for tag in found.tags_of[name]
                            if tag in index_of], minlength=len(index_of))
        for split, names in found.splits.items()}))
  left_out = sum(name not in found.tags_of for name in found.names)
  if left_out:
    phrases.append(f'{counted(left_out, "picture", "pictures")} left out, without tags or outside '
                   'the splits')
  unknown = sorted({tag for tags in found.tags_of.values() for tag in tags} - set(index_of))
  if unknown:
    phrases.append(f'{counted(len(unknown), *kinds)} left out, which no training picture has: '
                   f'{_quoted(unknown)}')
  return '; '.join([*phrases, *found.notes, *copies_words(found.splits, found.digests)])
