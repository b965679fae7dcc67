"""Exclusive classes: a source whose pictures have exactly one tag each, seen as labels."""

import numpy as np

from data.batch import Source, contents_of
from data.content_splits import counted
from errors import UserError

FEW_PICTURES = 5                  # a class with fewer training pictures is named
FEW_NAMES = 8                     # classes named in one list


class Classes:
  """Any source as one of classes: its tags are the classes, and an example gets a `label`.

  All labels are read once, when it is made. A picture without a class (its row names none, or a
  class that no training picture has) is left out and told in the description. Where the source
  knows the tags before some were turned round, an example also gets a `drawn_label`.

  Args:
    source: any source.
    poll: called for every picture; may raise to stop.

  Raises:
    UserError: pictures with several tags, or none with one; fewer than two classes.
  """

  def __init__(self, source: Source, poll=lambda: None):
    self._source = source
    self.tag_names, self.tag_categories = source.tag_names, source.tag_categories
    self.max_tags, self.max_ignored = 1, 0
    self.fingerprint = source.fingerprint
    drawn = 'drawn_tags' in source.truth_keys
    self.truth_keys = ('label', 'drawn_label') if drawn else ('label',)
    labels = _read_labels(source, poll)
    self._rows = np.flatnonzero(labels >= 0)
    self._labels = labels[self._rows]
    self.description = source.description + self._left_out(labels)

  def _left_out(self, labels):
    """What the description says of pictures without a class."""
    without = np.flatnonzero(labels < 0)
    if len(without) == len(labels):
      raise UserError(f'none of the {len(labels):,} pictures of a split has a class that some '
                      f'training picture has; each needs exactly one ({self._source.description})')
    if len(self.tag_names) < 2:
      raise UserError(f"all training pictures are of one class, '{self.tag_names[0]}', and a "
                      f'classifier needs at least two ({self._source.description})')
    if not len(without):
      return ''
    return (f"; {len(without):,} pictures of a split have no class that is learned and are left "
            f"out, such as '{self._source[int(without[0])]['id']}'")

  def __len__(self) -> int:
    return len(self._rows)

  def tags_of(self, index: int) -> np.ndarray:
    return self._labels[index:index + 1]

  def contents(self):
    """As `data.batch.contents_of`."""
    return contents_of(self._source)

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return np.bincount(self._labels, minlength=len(self.tag_names)).astype(np.int64)

  def __getitem__(self, index: int) -> dict:
    example = self._source[int(self._rows[index])]
    example = {**example, 'label': int(self._labels[index])}
    if 'drawn_label' in self.truth_keys:
      example['drawn_label'] = int(example['drawn_tags'][0])
    return example


def _read_labels(source, poll) -> np.ndarray:
  """int32 [N]: the one tag of every picture, -1 where it has none."""
  labels, several = np.full(len(source), -1, np.int32), []
  for index in range(len(source)):
    poll()
    tags = source.tags_of(index)
    if len(tags) == 1:
      labels[index] = tags[0]
    elif len(tags) > 1:
      several.append(f"'{source[index]['id']}' ({len(tags)})")
      if len(several) == 3:
        break
  if several:
    raise UserError(
        f"some pictures have more than one tag, such as {', '.join(several)}; a class is a tag of "
        "which a picture has exactly one: list one for each, choose classes of drawn pictures with "
        "--config.data.labels=identity or garment, or train with --config.task=tagging")
  return labels


def describe_balance(names, counts: dict[str, np.ndarray]) -> str:
  """A few words on how many pictures the classes have, and which have too few.

  Args:
    names: of the K classes.
    counts: split -> int [K], pictures of each class; with 'train'.
  """
  train = counts['train']
  least, most = int(np.argmin(train)), int(np.argmax(train))
  each = counted(int(train[most]), 'training picture', 'training pictures')
  sizes = (f'{each} each' if train[least] == train[most] else
           f"{train[least]:,} ('{names[least]}') to {train[most]:,} ('{names[most]}') training "
           'pictures')
  phrases = [f'{len(names):,} classes of {sizes}']
  few = np.flatnonzero(train < FEW_PICTURES)
  if len(few):
    few = few[np.argsort(train[few], kind='stable')]
    phrases.append(f'fewer than {FEW_PICTURES} training pictures have '
                   + name_few([f"'{names[row]}' ({train[row]})" for row in few]))
  for split in ('valid', 'test'):
    absent = np.flatnonzero(counts[split] == 0) if split in counts else ()
    if len(absent):
      phrases.append(f'no {split} picture of ' + name_few([f"'{names[row]}'" for row in absent]))
  return '; '.join(phrases)


def name_few(names: list[str], most: int = FEW_NAMES) -> str:
  """The names by commas, of more than `most` the first and how many others there are."""
  rest = f' and {len(names) - most:,} others' if len(names) > most else ''
  return ', '.join(names[:most]) + rest
