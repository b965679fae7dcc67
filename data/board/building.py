"""From an archive to its index: read, sifted, split, its tags chosen and numbered."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data import prepared
from data.board import FORMATS, describe, index, lists, ratings, splits
from data.board.files import ArchiveFiles
from data.board.find import find_metadata
from data.board.problems import Problems
from data.board.reading import open_rows, read_archive
from data.board.tags import Tags, choose_tags
from data.content_splits import SPLITS
from data.implications import Implications
from data.sources.pictures import EXTENSIONS
from errors import UserError


class Used(NamedTuple):
  """The pictures that are used, N of them, ordered by split and then by path.

  Attributes:
    rows: int64 [N], of the archive.
    ratings: uint8 [N], indices of RATINGS.
    md5s: S16 [N].
    sizes: how many are in each split.
  """

  rows: np.ndarray
  ratings: np.ndarray
  md5s: np.ndarray
  sizes: tuple


class Builder:
  """What every stage of a reading needs.

  Args:
    config_data: the section config.data.
    folder: the archive.
    made: an empty folder, for the index.
    poll: called often; may raise to stop.
  """

  def __init__(self, config_data, folder: str, made: Path, poll: Callable[[], None]):
    self.config_data, self.settings = config_data, config_data.board
    self.made, self.poll = made, poll
    list_paths = lists.find_lists(self.settings, folder)
    self._list_states = self._states(list_paths.values())
    self._lists = lists.read_lists(list_paths)
    self.pictures = ArchiveFiles(folder, poll)
    if not len(self.pictures):
      raise UserError(f"the folder '{folder}' holds no picture ({', '.join(EXTENSIONS)}).")
    self.found = find_metadata(self.settings, self.pictures)
    self.problems = Problems(os.fspath(made / index.PROBLEMS))
    self.left_out = Counter()

  def build(self, place: Path) -> None:
    """Reads the archive and writes its index. Args: place: where the folder will stand in the end.

    Raises:
      UserError: a file that cannot be read on, or settings and lists that cannot be followed.
    """
    stamp = self._make_stamp()
    archive = self._read()
    tags = Tags(archive, self._lists, self.poll)
    rows, rated, names = self._sift(archive, tags)
    used, digested = self._split(archive, rows, rated)
    if digested and not stamp['contents']:
      stamp['contents'] = self._digest_states()
    training = self.config_data.implications != 'listed'
    counts = tags.count(used.rows[:used.sizes[0]], self.poll, entailed=training)
    choice = choose_tags(tags, counts, names, self.settings, self._lists)
    arrays = self._write_tags(tags, choice, used, entailed=training)
    arrays['implied'] = _chosen_pairs(tags, choice)
    arrays['names'], arrays['name_starts'] = self.pictures.names_of(archive.pictures[used.rows])
    self._note_rest(archive, tags, choice, names, counts, used)
    meta = {
        'tag_names': choice.names, 'tag_categories': choice.categories, 'sizes': used.sizes,
        'max_tags': int(np.diff(arrays['tag_starts']).max(initial=0)),
        'max_ignored': self._max_ignored(choice, used, arrays), 'stamp': stamp,
        'num_seen': int(np.count_nonzero(counts[choice.of_tag >= 0])),
        'fingerprint': index.fingerprint_of(
            {'names': choice.names, 'categories': choice.categories, 'sizes': used.sizes,
             'implications': self.config_data.implications},
            [used.md5s, *(arrays[name] for name in index.ARRAYS)]),
        'num_records': archive.num_records, 'num_pictures': len(self.pictures),
        'problems': self.problems.counts, 'examples': self.problems.examples,
        'description': describe.describe_index(self, choice, used, place / index.PROBLEMS)}
    index.save_index(self.made, meta, arrays)
    for name in ('codes', 'tags'):
      os.remove(self.made / name)

  def close(self) -> None:
    """Closes the list of problems."""
    self.problems.close()

  def _make_stamp(self):
    """What the archive looks like before it is read."""
    return {'folders': self._folders(),
            'files': self._list_states + self._states(self.found.files),
            'contents': '' if self.found.files else self._digest_states()}

  def _states(self, paths):
    return [(path, *index.state_of(path)) for path in paths]

  def _folders(self):
    """The folders walked, without those of indices, which change as indices come and go."""
    ours = os.path.join(os.path.realpath(self.made.parent), '')
    return [(path, changed_ns) for path, changed_ns in self.pictures.folders
            if not os.path.join(os.path.realpath(path), '').startswith(ours)]

  def _digest_states(self):
    return index.digest_states(path for path, _ in self._folders())

  def _read(self):
    doing = f"reading '{self.pictures.folder}' ({self.found.words}), once"
    with prepared.progress(doing, 'records') as show:
      archive = read_archive(self.found, self.pictures, os.fspath(self.made / 'codes'),
                             self.problems, self.poll, show)
    self.left_out.update(archive.left_out)
    return archive

  def _sift(self, archive, tags):
    """Rows of the archive that can be used, their ratings, and the names of ratings in use."""
    rows = splits.first_of_each(archive, self.pictures, self.problems)
    totals, generals = tags.count_general(rows, self.poll)
    thin = (totals > 0) & (generals < self.settings.min_general_tags)
    self.left_out['untagged'] = int(np.count_nonzero(totals == 0))
    self.left_out['thin'] = int(np.count_nonzero(thin))
    rows = rows[(totals > 0) & ~thin]
    if not self._learns_ratings(archive, rows):
      return rows, np.zeros(len(rows), np.uint8), ()
    codes = archive.ratings[rows]
    for kind, code in (('rating', ratings.UNKNOWN), ('unrated', 0)):
      useless = rows[codes == code]
      self.problems.add_all(kind, len(useless), (
          archive.odd_ratings.get(row, (self.pictures.text(archive.pictures[row]), ''))
          for row in useless.tolist()))
    known = (codes != ratings.UNKNOWN) & (codes != 0)
    return rows[known], *ratings.decide_ratings(codes[known], self.settings.ratings,
                                                FORMATS[self.found.format].letter_s)

  def _learns_ratings(self, archive, rows):
    """Whether ratings are wanted and told: any if a list of tags names one, else half of them."""
    told = rows[archive.ratings[rows] != 0]
    if self._lists.tag_list:
      return len(told) > 0 and any(category == 'rating' for _, category in self._lists.tag_list)
    if self.settings.most.rating < 0 or 2 * len(told) >= len(rows):
      return self.settings.most.rating >= 0
    self.problems.add_all('few rated', len(told), (
        (self.pictures.text(archive.pictures[row]), '') for row in told.tolist()))
    return False

  def _split(self, archive, rows, rated):
    """The pictures that are used; and whether any of their files was read."""
    readable, md5s, digested = splits.md5s_of(archive, rows, self.pictures, self.problems,
                                              self.poll)
    sampled = splits.sample(md5s, self.settings.num_pictures)
    self.left_out['sampled'] = len(readable) - len(sampled)
    rated, rows, md5s = rated[np.isin(rows, readable)][sampled], readable[sampled], md5s[sampled]
    ids = archive.ids[rows]
    if self.settings.split == 'id':
      ids = np.array([self.pictures.key(archive.pictures[row]).id if id < 0 else id
                      for id, row in zip(ids.tolist(), rows.tolist(), strict=True)], np.int64)
    split = splits.split(self.config_data, ids, md5s)
    order = np.lexsort((archive.pictures[rows], split))
    sizes = tuple(np.bincount(split, minlength=len(SPLITS)).tolist())
    return Used(rows[order], rated[order], md5s[order], sizes), digested

  def _write_tags(self, tags, choice, used, *, entailed):
    """{'tags', 'tag_starts'} of the index, the tags in a file."""
    num_train, num_tags = used.sizes[0], max(1, len(choice.names))
    lengths, done = [np.zeros(0, np.int64)], 0
    with open(self.made / 'tags', 'wb') as file:
      for part, closed in ((used.rows[:num_train], entailed), (used.rows[num_train:], False)):
        for block, owners, found in tags.blocks(part, self.poll, entailed=closed):
          rated = choice.of_rating[used.ratings[done:done + len(block)]]
          owners = np.concatenate([owners, np.arange(len(block))])
          numbers = np.concatenate([choice.of_tag[found], rated])
          keys = np.sort((owners * num_tags + numbers)[numbers >= 0])
          lengths.append(np.bincount(keys // num_tags, minlength=len(block)))
          (keys % num_tags).astype(np.int32).tofile(file)
          done += len(block)
    written = open_rows(os.fspath(self.made / 'tags'), np.concatenate(lengths))
    return {'tags': written.values, 'tag_starts': written.starts}

  def _max_ignored(self, choice, used, arrays):
    """The most tags that an example of the training split has to leave open."""
    if self.config_data.implications != 'ignored':
      return 0
    implications = Implications(arrays['implied'], choice.names)
    most, starts = 0, arrays['tag_starts']
    for row in range(used.sizes[0]):
      self.poll()
      most = max(most, len(implications.below(arrays['tags'][starts[row]:starts[row + 1]])))
    return most

  def _note_rest(self, archive, tags, choice, names, counts, used):
    """Pictures that no record tells of, tags that cannot be learned beside the ratings of these
    names, and tags of the choice that no training picture has."""
    untold, spare = ~archive.told, self.pictures.spare
    for kind, rows in (('unknown picture', np.flatnonzero(untold & ~spare)),
                       ('second file', np.flatnonzero(untold & spare))):
      self.problems.add_all(kind, len(rows), ((self.pictures.text(row), '')
                                              for row in rows.tolist()))
    count_of = dict(zip(tags.names, counts.tolist(), strict=True))
    rated = np.bincount(used.ratings[:used.sizes[0]], minlength=len(ratings.RATINGS))
    count_of_rating = dict(zip(ratings.RATINGS, rated.tolist(), strict=True))
    for name in names:
      if count_of.get(name):
        self.problems.add('name', name, 'a rating has this name')
    for name, category in zip(choice.names, choice.categories, strict=True):
      if not (count_of_rating if category == 'rating' else count_of).get(name, 0):
        self.problems.add('tag', name, f'category {category}')


def _chosen_pairs(tags, choice):
  """int32 [P, 2]: (tag, a tag that it entails at any distance), both of the choice."""
  if tags.implications is None:
    return np.zeros((0, 2), np.int32)
  children = np.flatnonzero(choice.of_tag >= 0)
  lengths, parents = tags.implications.parents.of(children)
  pairs = np.stack([np.repeat(choice.of_tag[children], lengths), choice.of_tag[parents]], axis=1)
  return pairs[pairs[:, 1] >= 0].astype(np.int32)
