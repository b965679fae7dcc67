"""Exact and near duplicates among all pictures of all splits.

A picture's hash is 64 bits of its coarse form: the grey picture shrunk to 32x32, its 64 lowest
frequencies (discrete cosine transform) but the mean, each a 1 where it is above their median. Two
pictures are nearly the same where at most NEAR_BITS of the 64 differ and their colours, shrunk to
8x8, correlate by NEAR_COLOURS or more. Measured, the share of copies of a picture that are found:

| copy | 906 photographs of clothes | 1,200 of CIFAR-10, 32 px | 1,200 cartoon faces, 28 px |
|---|---|---|---|
| JPEG, quality 50 | 100 % | 100 % | 99.9 % |
| half the size | 100 % | 100 % | 99.7 % |
| brighter by a fifth | 99.8 % | 99.2 % | 99.8 % |
| 2 % cut off each side | 94.4 % | 81.9 % | 64.1 % (of 28 px, a whole one) |
| 5 % cut off each side | 11.9 % | 10.2 % | |

Copies without colour are found in part, mirrored ones not at all. Among the pictures themselves 5
of 409,965 pairs were near (garments of one cut laid alike), 1 of 719,400, and 29 of 719,400
(neighbouring frames of a film).

Source: of the idea, Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
  2010, section 3.2.1; differs by which 64 frequencies are taken.
"""

import concurrent.futures
import hashlib
from typing import NamedTuple

import cv2
import numpy as np

from data import prepared
from data.batch import Source
from data.content_splits import counted
from data.decode import DecodeError, decode_image

NEAR_BITS = 8
NEAR_COLOURS = 0.94               # least correlation
FLAT_LEVELS = 2.0                 # grey deviation of 255 below which a picture has no form to hash
MOST_PAIRS = 10_000               # kept; beyond, the farthest within one split are only counted
SIDE_PX = 32
CHUNK = 32                        # pictures that one thread reads at a time
_LOWEST = sorted(((row, column) for row in range(12) for column in range(12) if row + column),
                 key=lambda place: (sum(place), place))[:64]
_ROWS, _COLUMNS = np.array(_LOWEST).T


class Pictures(NamedTuple):
  """All pictures of a split, read once. N pictures, T tags."""

  ids: list  # [N]
  digests: np.ndarray  # uint8 [N, 16], of the files' bytes
  hashes: np.ndarray  # uint64 [N]; 0 where there is none
  hashed: np.ndarray  # bool [N]: readable, and not flat
  colours: np.ndarray  # uint8 [N, 8 * 8 * 3], of the picture shrunk to 8x8
  tag_counts: np.ndarray  # int64 [T], pictures that have a tag
  unreadable: list  # of (index, reason)


class Pairs(NamedTuple):
  """Pairs of alike pictures, across splits first, then by falling likeness.

  Where many files or hashes are the same, each is paired with the first of them in its split, and
  the first ones of the splits with one another: their number grows as that of the pictures.
  """

  first: np.ndarray  # int64 [P], rows of all pictures of all splits
  second: np.ndarray  # int64 [P], above first
  bits: np.ndarray  # int64 [P], by which their hashes differ; -1: the files are the same
  num_found: int  # P, or more where not all were kept
  copied: np.ndarray  # bool [N]: pictures of other splits that are alike one of the first split


def hash_picture(image: np.ndarray) -> tuple[int, np.ndarray] | None:
  """The 64 bits of a picture and its 8x8 colours, uint8 [192]; None where it is of one colour.

  Args: image: uint8 [h, w, 3] RGB.
  """
  small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
  grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
  if grey.std() < FLAT_LEVELS:
    return None
  lowest = cv2.dct(grey)[_ROWS, _COLUMNS]
  bits = int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), 'big')
  return bits, cv2.resize(small, (8, 8), interpolation=cv2.INTER_AREA).reshape(-1)


def correlate(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Correlation of the colours of pictures, row by row: uint8 [P, 192] twice -> float32 [P]."""
  one, other = (rows.astype(np.float32) - rows.mean(1, keepdims=True, dtype=np.float32)
                for rows in (one, other))
  sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
  return (one * other).sum(1) / np.maximum(sizes, 1e-6)


def read_pictures(source: Source, *, max_pixels: int, workers: int, what: str = 'the data',
                  poll=lambda: None) -> Pictures:
  """Reads and decodes every picture of a source.

  Args:
    source: see data/batch.py.
    max_pixels: larger pictures count as unreadable.
    workers: threads; 0 counts as one.
    what: which pictures they are, for the progress that is shown.
    poll: called now and then; may raise to stop.
  """
  size = len(source)
  found = Pictures([''] * size, np.zeros((size, 16), np.uint8), np.zeros(size, np.uint64),
                   np.zeros(size, bool), np.zeros((size, 192), np.uint8),
                   np.zeros(len(source.tag_names), np.int64), [])

  def read_chunk(first):
    rows = range(first, min(first + CHUNK, size))
    return [_read_one(source, index, max_pixels) for index in rows]

  doing = f'reading {counted(size, "picture", "pictures")} of {what}'
  with (concurrent.futures.ThreadPoolExecutor(max(1, workers)) as threads,
        prepared.progress(doing, 'pictures', size) as show):
    firsts = range(0, size, CHUNK)
    window = 4 * max(1, workers)
    waiting = [threads.submit(read_chunk, first) for first in firsts[:window]]
    for number, first in enumerate(firsts):
      poll()
      for index, one in enumerate(waiting.pop(0).result(), first):
        _note(found, index, *one)
      show(min(CHUNK, size - first))
      if number + window < len(firsts):
        waiting.append(threads.submit(read_chunk, firsts[number + window]))
  return found


def _read_one(source, index, max_pixels):
  """(id, tags, digest, what `hash_picture` gives, reason or '') of a picture."""
  try:
    example = source[index]
  except OSError as error:
    return f'number {index}', source.tags_of(index), bytes(16), None, str(error)
  content = example['image_bytes']
  digest = hashlib.blake2b(content, digest_size=16).digest()
  try:
    image = decode_image(content, max_pixels=max_pixels)
  except DecodeError as error:
    return example['id'], example['tags'], digest, None, str(error)
  return example['id'], example['tags'], digest, hash_picture(image), ''


def _note(found, index, name, tags, digest, form, reason):
  found.ids[index] = name
  found.tag_counts[tags] += 1
  found.digests[index] = np.frombuffer(digest, np.uint8)
  if form is not None:
    found.hashed[index] = True
    found.hashes[index], found.colours[index] = form
  if reason:
    found.unreadable.append((index, reason))


def find_pairs(splits: list[Pictures], near_bits: int = NEAR_BITS,
               most: int = MOST_PAIRS) -> Pairs:
  """All pairs whose files are the same, or nearly the same by hash and colours.

  None is missed: hashes that differ in so few bits agree in one of near_bits + 1 bands of them, so
  that only pictures of equal bands are compared. A few seconds for 100,000 pictures.

  Args: splits: train first; most: pairs that are kept.
  """
  split = np.repeat(np.arange(len(splits)), [len(one.ids) for one in splits])
  digests, hashes, hashed, colours = (
      np.concatenate([getattr(one, name) for one in splits])
      for name in ('digests', 'hashes', 'hashed', 'colours'))
  contents = np.unique(digests.view('V16')[:, 0], return_inverse=True)[1].ravel()
  kept = _Kept(split, most)
  exact_first = _join_copies(contents, split, np.flatnonzero(digests.any(1)), kept)
  rows = np.flatnonzero(hashed & (exact_first == np.arange(len(split))))

  def add(one, other, bits):
    near = ((contents[one] != contents[other])
            & (correlate(colours[one], colours[other]) >= NEAR_COLOURS))
    kept.add(one[near], other[near], bits[near])
    return near

  near_first = _first_rows(hashes, split, rows)
  others = rows[near_first[rows] != rows]
  near = add(near_first[others], others, np.zeros(len(others), np.int64))
  near_first[others[~near]] = others[~near]        # of equal hash, but not alike
  rows = rows[near_first[rows] == rows]
  _compare_by_bands(hashes[rows], near_bits,
                    lambda one, other, bits: add(rows[one], rows[other], bits))
  return kept.finish(near_first, exact_first)


class _Kept:
  """The pairs found so far: the best of them, how many there were, and what is alike in train."""

  def __init__(self, split, most):
    self._split, self._most = split, most
    self._pairs, self._held, self._found = [], 0, 0
    self._alike = np.zeros(len(split), bool)

  def add(self, one, other, bits):
    one, other = np.minimum(one, other), np.maximum(one, other)
    across = self._split[one] != self._split[other]
    self._alike[other[across & (self._split[one] == 0)]] = True
    self._found += len(one)
    self._held += len(one)
    self._pairs.append(np.stack([~across, bits, one, other]).astype(np.int64))
    if self._held > 4 * self._most:
      self._prune()

  def _prune(self):
    pairs = np.concatenate([np.zeros((4, 0), np.int64), *self._pairs], 1)
    pairs = pairs[:, np.lexsort(pairs[::-1])[:self._most]]
    self._pairs, self._held = [pairs], pairs.shape[1]

  def finish(self, *firsts) -> Pairs:
    """Args: firsts: for each row the first of its group; a group is alike where its first is."""
    self._prune()
    _, bits, one, other = self._pairs[0]
    for first_of in firsts:
      self._alike |= (first_of >= 0) & self._alike[np.maximum(first_of, 0)]
    return Pairs(one, other, bits, self._found, self._alike & (self._split > 0))


def _first_rows(values, split, rows):
  """int64 [N]: for each of the rows the first one of its split with the same value; else -1."""
  order = rows[np.lexsort((rows, values[rows], split[rows]))]
  starts = _starts(values[order], split[order])
  first_of = np.full(len(split), -1, np.int64)
  if len(order):
    first_of[order] = order[starts][np.cumsum(starts) - 1]
  return first_of


def _join_copies(contents, split, rows, kept):
  """Pairs rows of equal content: in a split with its first, the first ones with that of train.

  Returns: `_first_rows` of the contents.
  """
  first_of = _first_rows(contents, split, rows)
  others = rows[first_of[rows] != rows]
  kept.add(first_of[others], others, np.full(len(others), -1))
  firsts = rows[first_of[rows] == rows]
  firsts = firsts[np.lexsort((firsts, contents[firsts]))]
  starts = _starts(contents[firsts])
  if len(firsts):
    lead = firsts[starts][np.cumsum(starts) - 1]
    kept.add(lead[~starts], firsts[~starts], np.full((~starts).sum(), -1))
  return first_of


def _starts(*columns):
  """bool [n]: where a value differs from the one before it, in any of the columns [n]."""
  differs = np.ones(len(columns[0]), bool)
  differs[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
  return differs


def _compare_by_bands(hashes, near_bits, emit):
  """Calls emit(one, other, bits) with the pairs of places whose hashes are near, each once."""
  edges = np.linspace(0, 64, near_bits + 2).astype(int)
  masks = [np.uint64(((1 << int(high - low)) - 1) << int(low))
           for low, high in zip(edges[:-1], edges[1:], strict=True)]
  for number, mask in enumerate(masks):
    band = hashes & mask
    order = np.argsort(band, kind='stable')
    band, ordered = band[order], hashes[order]
    left, step = np.arange(len(hashes)), 1
    while True:                    # each with the next of its band, with the one after it, ...
      left = left[:np.searchsorted(left, len(hashes) - step)]
      left = left[band[left] == band[left + step]]
      if not len(left):
        break
      differ = ordered[left] ^ ordered[left + step]
      bits = np.bitwise_count(differ).astype(np.int64)
      near = np.flatnonzero(bits <= near_bits)
      for earlier in masks[:number]:
        near = near[(differ[near] & earlier) != 0]           # else found in that band
      if len(near):
        emit(order[left[near]], order[left[near] + step], bits[near])
      step += 1
