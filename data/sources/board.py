"""A board's archive as a source: a person's own pictures with what a board's users said of them."""

import hashlib
import json
import os
import shutil

import numpy as np

from data import prepared
from data.batch import MOST_CONTENTS, Content, Contents, short_digest
from data.board import describe, index, ratings, splits
from data.board.building import Builder
from data.content_splits import SPLITS
from data.implications import Implications, check_choice
from data.sources.pictures import check_folder, read_file
from errors import UserError

_checked = {}  # folder of an index -> Index, as this program has checked and opened it


class BoardSource:
  """One split of an archive; an example's id is its path relative to the folder.

  Only paths are pickled: what has been read stays on disk and is memory-mapped by every process.
  """

  truth_keys = ('tags',)

  def __init__(self, folder: str, index_folder: str, split: str, implied: str,
               opened: index.Index | None = None):
    self._folder, self._index_folder, self._split = folder, index_folder, split
    self._implied = implied if split == 'train' else 'listed'
    self._open(opened or index.Index(index_folder, check=False))

  def _open(self, opened):
    meta, which = opened.meta, SPLITS.index(self._split)
    self._index = opened
    self._first, self._size = sum(meta['sizes'][:which]), meta['sizes'][which]
    self.tag_names, self.tag_categories = tuple(meta['tag_names']), tuple(meta['tag_categories'])
    self.max_tags, self.max_ignored = meta['max_tags'], meta['max_ignored']
    self.fingerprint, self.description = meta['fingerprint'], meta['description']
    self._implications = (Implications(opened.implied, self.tag_names)
                          if self._implied == 'ignored' else None)

  def __getstate__(self):
    return (self._folder, self._index_folder, self._split, self._implied, self.fingerprint)

  def __setstate__(self, state):
    *arguments, fingerprint = state
    try:
      self.__init__(*arguments)
    except index.Damaged:
      self.fingerprint = ''
    if self.fingerprint != fingerprint:
      raise UserError(f"the index of the archive '{self._folder}' was replaced while it was in "
                      'use; start the command again.')

  def __len__(self) -> int:
    return self._size

  def tags_of(self, index: int) -> np.ndarray:
    return self._index.tags_of(self._row(index))

  def contents(self):
    """As `data.batch.contents_of`; of a file the digest is its size, since none is read."""
    sizes = self._index.meta['sizes']
    if sum(sizes) > MOST_CONTENTS:
      return None
    contents, split_of = Contents(), np.repeat(SPLITS, sizes)
    for row, split in enumerate(split_of.tolist()):
      name, tags = self._index.name_of(row), self._index.tags_of(row)
      try:
        size = os.stat(os.path.join(os.fsencode(self._folder), name)).st_size
      except OSError:
        size = -1
      words = sorted(self.tag_names[tag] for tag in tags)
      contents[name.decode('utf-8', 'backslashreplace')] = Content(
          str(size), short_digest(*words), split)
    return contents

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    starts = self._index.tag_starts[self._first:self._first + self._size + 1]
    counts = np.zeros(len(self.tag_names), np.int64)
    for start in range(int(starts[0]), int(starts[-1]), 1 << 20):
      poll()
      stop = min(start + (1 << 20), int(starts[-1]))
      counts += np.bincount(self._index.tags[start:stop], minlength=len(counts))
    return counts

  def __getitem__(self, index: int) -> dict:
    row = self._row(index)
    name, tags = self._index.name_of(row), self._index.tags_of(row)
    data = read_file(os.path.join(os.fsencode(self._folder), name))
    example = {'id': name.decode('utf-8', 'backslashreplace'), 'image_bytes': data, 'tags': tags}
    if self._implications:
      example['ignored_tags'] = self._implications.below(tags)
    return example

  def _row(self, index):
    if not 0 <= index < self._size:
      raise IndexError(f'{index} of {self._size} pictures')
    return self._first + int(index)


def build_board(config_data, split: str, poll=lambda: None) -> BoardSource:
  """Reads one split of the archive `config.data.path`: pictures, and metadata in a known format.

  All of it is read once, a minute or two for a million records. What is needed of it is kept under
  `config.data.dir` and found again at every later start, until archive or settings change.

  Tags are numbered by category (ratings first), then by falling count in train, then by name.

  Args:
    config_data: the section `config.data`: path, dir, valid_frac, test_frac, implications, board.
    split: 'train', 'valid' or 'test'; train looks whether the archive has changed, the others take
      what train has found.
    poll: called often while things are read; may raise to stop.

  Raises:
    UserError: no archive, too many records that cannot be used, an empty split, or settings that
      make no sense.
  """
  _check_settings(config_data)
  folder = os.path.abspath(check_folder(config_data.path))
  place = prepared.prepared_folder(config_data.dir, 'boards') / _digest(config_data, folder)
  opened = _checked.get(place) if split != 'train' else None
  if opened is None:
    opened = _checked[place] = _open_or_build(config_data, folder, place, poll)
  _check_index(opened.meta, config_data, folder, place, split)
  return BoardSource(folder, os.fspath(place), split, config_data.implications, opened)


def _check_settings(config_data):
  settings = config_data.board
  if not config_data.path:
    raise UserError('config.data.path is empty; name the folder of your archive with '
                    '--config.data.path=')
  check_choice(config_data.implications)
  splits.check_splits(config_data)
  ratings.check_setting(settings.ratings)
  if config_data.implications != 'listed' and not settings.implications:
    raise UserError(f"config.data.implications is '{config_data.implications}', but there is no "
                    'list of them; name a table of antecedent_name and consequent_name with '
                    '--config.data.board.implications=')
  for name in ('num_pictures', 'min_general_tags'):
    if settings[name] < 0:
      raise UserError(f'config.data.board.{name} is {settings[name]}; expected 0 or more.')
  if settings.most.rating > 0:
    raise UserError(f'config.data.board.most.rating is {settings.most.rating}; ratings are learned '
                    'all (0) or not at all (-1).')
  if not 0 <= settings.bad_limit_frac <= 1:
    raise UserError(f'config.data.board.bad_limit_frac is {settings.bad_limit_frac}; it is a '
                    'share, from 0 to 1.')


def _digest(config_data, folder):
  """The name of an index: all that decides what is in it, but for the archive's content."""
  settings = config_data.board.to_dict()
  del settings['bad_limit_frac']
  words = [settings, folder, config_data.valid_frac, config_data.test_frac,
           config_data.implications]
  return hashlib.blake2b(json.dumps(words, sort_keys=True).encode(), digest_size=12).hexdigest()


def _open_or_build(config_data, folder, place, poll):
  """The index of an archive as it is now."""
  opened = _open_current(place)
  if opened is None:
    with prepared.lock(place.parent, place.name, poll):
      opened = _open_current(place)
      if opened is None:
        _build(config_data, folder, place, poll)
        opened = index.Index(place, check=False)
  return opened


def _open_current(place):
  """The index at a place, or None where there is none, or a damaged or outdated one."""
  try:
    opened = index.Index(place, check=True)
  except index.Damaged:
    return None
  return opened if index.is_current(opened.meta['stamp']) else None


def _build(config_data, folder, place, poll):
  """Makes an index beside its place; called with the lock held."""
  for left in place.parent.glob(f'.{place.name}.*'):  # by a reading that was killed
    shutil.rmtree(left, ignore_errors=True)
  made = place.with_name(f'.{place.name}.made')
  try:
    made.mkdir()
    builder = Builder(config_data, folder, made, poll)
    try:
      builder.build(place)
    finally:
      builder.close()
    index.put_in_place(made, place)
  except OSError as error:
    if error.filename is not None:
      raise
    raise UserError(f'the index of the archive cannot be written to {place.parent} ({error}); make '
                    'room, or choose another folder with --config.data.dir=FOLDER') from error
  finally:
    shutil.rmtree(made, ignore_errors=True)


def _check_index(meta, config_data, folder, place, split):
  """Raises UserError where an archive cannot be trained on."""
  settings, problems = config_data.board, meta['problems']
  useless = sum(problems[kind] for kind in describe.USELESS)
  if useless > settings.bad_limit_frac * meta['num_records']:
    leave = ('by taking the ratings out of your tag_list' if settings.tag_list else
             'with --config.data.board.most.rating=-1')
    way_out = (f'. Records without a known rating can be used if ratings are not learned, {leave}'
               if problems['rating'] or problems['unrated'] else '')
    raise UserError(
        f"{useless:,} of {meta['num_records']:,} records of '{folder}' cannot be used, more than "
        f'the {100 * settings.bad_limit_frac:g}% allowed: {describe.describe_useless(meta)}; all '
        f'are listed in {place / index.PROBLEMS}. Mend them, or allow more with '
        '--config.data.board.bad_limit_frac=1 (as for a folder that holds a part of the pictures '
        f'that its metadata tell of){way_out}')
  for name in ('train', split):
    if not meta['sizes'][SPLITS.index(name)]:
      raise UserError(f'the {name} split is empty: {meta["description"]}. Change what leaves '
                      'pictures out, or config.data.valid_frac and test_frac')
  if not meta['tag_names']:
    raise UserError(f'no tag is left to learn: {meta["description"]}. See config.data.board.most, '
                    '.least and .blacklist')
  others = [name for name, category in zip(meta['tag_names'], meta['tag_categories'], strict=True)
            if category != 'rating']
  if others and not meta['num_seen']:
    raise UserError(f'no training picture has any of the {len(others):,} tags of '
                    f"config.data.board.tag_list '{settings.tag_list}', such as '{others[0]}'; its "
                    f"names have to be those of the archive '{folder}'.")
