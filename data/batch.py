"""What the data room hands over: the keys of a batch, and the protocol of a source.

A batch is a dict of numpy arrays with one row per example. Every key stands in `BATCH_KEYS`, once.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np


class Source(Protocol):
  """One split of a dataset: random access, picklable, pictures as undecoded bytes."""

  tag_names: tuple[str, ...]  # index -> name
  tag_categories: tuple[str, ...]  # index -> one of TAG_CATEGORIES
  max_tags: int  # the longest row of tags, drawn ones too, over all splits: L of a batch
  fingerprint: str  # hex digest: changes when the data changes
  description: str  # one sentence for the log: what was found
  truth_keys: tuple[str, ...]  # the keys of a batch, besides the picture, that examples can fill
  max_ignored: int  # the longest row of ignored_tags, which training may ask for: M of a batch

  def __len__(self) -> int: ...

  def tags_of(self, index: int) -> np.ndarray:
    """int32 [n]: the tags of an example, without its picture where that is cheaper."""

  def count_tags(self, poll: Callable[[], None] = lambda: None) -> np.ndarray:
    """int64 [T]: how many examples of this split have each tag. Args: poll: called often; may raise
    to stop."""

  def __getitem__(self, index: int) -> dict:
    """{'id': str, 'image_bytes': bytes, 'tags': int32 [n]} and what else the source has."""


MOST_CONTENTS = 100_000  # pictures of a dataset, of which each is noted
TAG_CATEGORIES = ('rating', 'general', 'character', 'copyright', 'artist', 'meta')


class Content(NamedTuple):
  """One picture of a dataset as it was when it was read."""

  digest: str  # of what is in its file
  told: str  # digest of what is told of it: tags, joints
  split: str  # 'train', 'valid' or 'test'


class Contents(dict):
  """{id: Content} of all pictures of a dataset. Pickled it is empty: workers have no use for it."""

  def __reduce__(self):
    return Contents, ()


def contents_of(source) -> Contents | None:
  """The pictures of a training split's dataset, over all splits.

  Returns:
    None where the source cannot tell, or has more than MOST_CONTENTS.
  """
  tell = getattr(source, 'contents', None)
  return tell() if tell else None


def short_digest(*words) -> str:
  """Returns 12 hex digits of some words."""
  text = ' '.join(map(str, words)).encode(errors='surrogateescape')
  return hashlib.blake2b(text, digest_size=6).hexdigest()


class Field(NamedTuple):
  """One key of a batch. B rows; H, W pixels; L, M tags; K joints; equal letters are equal sizes."""

  dtype: str
  shape: str
  unit: str


# Pixel coordinates count from the centre of the top left pixel, which is (0, 0).
BATCH_KEYS = {
    'image': Field('uint8', 'B H W 3', 'RGB, 0 to 255; normalised on the device'),
    'target': Field('float32', 'B H W 1', 'a scan as it was before it was damaged, 0 to 1'),
    'known': Field('float32', 'B H W 1', '1 = a pixel of the scan, 0 = one that was lost'),
    'mask': Field('float32', 'B', '1 = an example, 0 = a row that only fills the batch'),
    'tags': Field('int32', 'B L', 'tag indices, padded with -1'),
    'drawn_tags': Field('int32', 'B L', 'tag indices before tags were dropped, padded with -1'),
    'ignored_tags': Field('int32', 'B M', 'tags that may be there unlisted, padded with -1'),
    'label': Field('int32', 'B', 'class index'),
    'drawn_label': Field('int32', 'B', 'class index before labels were turned round'),
    'keypoints': Field('float32', 'B K 3', 'x px, y px, visible'),
    'box_px': Field('float32', 'B 4', 'x px, y px of the upper left corner, width px, height px'),
    'box_score': Field('float32', 'B', 'how sure a detector is of the box; 1 = a true one'),
    'area_px2': Field('float32', 'B', "of a person's outline"),
    'picture': Field('int32', 'B', 'number of the picture that a person is in'),
    'crop_to_source': Field('float32', 'B 2 3', 'matrix from px of the crop to px of the picture'),
    'source_size_px': Field('float32', 'B 2', 'width and height of the picture before the crop'),
}
SCAN_IMAGE = Field('float32', 'B H W 1', 'grey, 0 to 1: what `image` is where it shows a scan')
_RAGGED_KEYS = {'tags': 'max_tags', 'drawn_tags': 'max_tags', 'ignored_tags': 'max_ignored'}


def count_by_tags_of(source: Source, poll: Callable[[], None] = lambda: None) -> np.ndarray:
  """The `count_tags` of a source that has no quicker way: one `tags_of` after another."""
  counts = np.zeros(len(source.tag_names), np.int64)
  for index in range(len(source)):
    poll()
    counts[source.tags_of(index)] += 1
  return counts


def check_batch(batch: dict) -> None:
  """Checks every key of a batch against `BATCH_KEYS`; `id`, which stays on the host, may be there.

  Raises:
    ValueError: names the wrong key, what it holds and what was expected.
  """
  if 'mask' not in batch:
    raise ValueError(f"the batch has no 'mask'; it has {sorted(batch)}")
  sizes = {'B': len(batch['mask'])}
  for key, value in batch.items():
    if key == 'id':
      if len(value) != sizes['B']:
        raise ValueError(f"batch['id'] has {len(value)} rows; expected B = {sizes['B']}")
      continue
    if key not in BATCH_KEYS:
      raise ValueError(f"batch['{key}'] is no key of a batch; the keys are {sorted(BATCH_KEYS)}")
    is_scan = key == 'image' and value.dtype == SCAN_IMAGE.dtype
    _check_field(key, value, SCAN_IMAGE if is_scan else BATCH_KEYS[key], sizes)


def _check_field(key, value, field, sizes):
  """Raises unless dtype and shape fit; notes the sizes of letters that it meets first."""
  letters = field.shape.split()
  fits = len(value.shape) == len(letters) and str(value.dtype) == field.dtype
  for letter, size in zip(letters, value.shape, strict=False):
    fits &= size == (int(letter) if letter.isdigit() else sizes.setdefault(letter, size))
  if not fits:
    known = ', '.join(f'{letter} = {sizes[letter]}' for letter in letters if letter in sizes)
    raise ValueError(f"batch['{key}'] is {value.dtype} {list(value.shape)}; expected {field.dtype} "
                     f"[{', '.join(letters)}] with {known}")


def collate(examples: Iterable, num_rows: int, *, keys: tuple, max_tags: int, max_ignored: int = 0,
            find_blank: Callable | None = None) -> dict:
  """Puts examples into the rows of a batch, in fresh arrays.

  The arrays are never reused: JAX may go on reading the memory of a numpy array it was given.
  Let the examples be made one by one as they are taken: a picture that goes at once leaves its
  memory to the next, while a list of them needs fresh pages for each.

  Args:
    examples: one dict per row as a pipeline leaves it; None makes a row of zeros with mask 0, tags
      of -1 and the id ''.
    num_rows: B, the number of examples.
    keys: which keys of the examples become arrays, of `BATCH_KEYS`; `mask` and `id` always come.
    max_tags: L, the width of the rows of tags.
    max_ignored: M, the same of ignored_tags.
    find_blank: returns an example that shows the shapes; called where every row is None.

  Raises:
    ValueError: an example lacks a key, has more tags than fit, or differs in shape.
  """
  widths = {'max_tags': max_tags, 'max_ignored': max_ignored}
  batch = {'id': [''] * num_rows, 'mask': np.zeros(num_rows, np.float32)}
  for i, example in enumerate(examples):
    if example is not None:
      _add_arrays(batch, example, keys, widths)
      batch['id'][i], batch['mask'][i] = example['id'], 1
      for key in keys:
        _fill_row(batch[key][i, ...], example, key)  # the dots keep a view, of a number too
  if not batch['mask'].any():
    _add_arrays(batch, find_blank(), keys, widths)
  if not batch['mask'].all():
    missing = batch['mask'] == 0
    for key in set(keys).difference(_RAGGED_KEYS):
      batch[key][missing] = 0
  return batch


def _add_arrays(batch, example, keys, widths):
  """Adds the arrays that are missing yet, not filled, with the shapes of an example."""
  for key in keys:
    if key not in example:
      raise ValueError(f"'{example['id']}' has no '{key}'; its keys are {sorted(example)}")
    if key not in batch:
      num_rows, dtype = len(batch['mask']), BATCH_KEYS[key].dtype
      if key == 'image':  # of a picture or of a scan, and its check tells if of neither
        dtype = example[key].dtype
      if key in _RAGGED_KEYS:
        batch[key] = np.full((num_rows, widths[_RAGGED_KEYS[key]]), -1, dtype)
      else:
        batch[key] = np.empty((num_rows, *np.shape(example[key])), dtype)


def _fill_row(row, example, key):
  """Writes one example's value into its row of a batch."""
  value = np.asarray(example[key])
  if key in _RAGGED_KEYS:
    if len(value) > len(row):
      raise ValueError(f"'{example['id']}' has {len(value)} {key}; {_RAGGED_KEYS[key]} is "
                       f'{len(row)}')
    row[:len(value)] = value
  elif value.shape != row.shape:
    raise ValueError(f"{key} of '{example['id']}' has shape {list(value.shape)}; the rows before "
                     f"have {list(row.shape)}")
  else:
    row[...] = value
