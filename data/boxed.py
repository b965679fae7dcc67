"""Pictures with one box each, and the operation that keeps of a picture what its box holds."""

import hashlib
from dataclasses import dataclass

import numpy as np

from data.batch import Source, contents_of
from data.geometry import move
from errors import UserError


class Boxed:
  """A source whose examples have one `box_px`, float32 [4], or none: then all of it counts.

  Args:
    source: of pictures.
    boxes: float [N, 4] px (x, y of the upper left corner, counted from the first pixel's centre,
      width, height), a row of NaN for a picture without a box; None: the first figure's, as the
      source tells it.

  Raises:
    UserError: boxes are None and the source knows of no figures.
  """

  def __init__(self, source: Source, boxes: np.ndarray | None):
    self._source, self._boxes = source, boxes
    self.tag_names, self.tag_categories = source.tag_names, source.tag_categories
    self.max_tags, self.max_ignored = source.max_tags, source.max_ignored
    self.truth_keys = source.truth_keys
    if boxes is None:
      if 'box_px' not in source[0]:
        raise UserError('nobody has told where the persons of these pictures are; use '
                        '--config.data.persons.cut=pose with the run of a pose net, or none')
      told, self.description = b'true', f'{source.description}; cut to the true box'
    else:
      self._boxes = np.asarray(boxes, np.float32)
      told, count = self._boxes.tobytes(), int(np.isfinite(self._boxes).all(axis=1).sum())
      self.description = (f'{source.description}; {count:,} of {len(source):,} cut to a box that '
                          'was found')
    self.fingerprint = hashlib.sha256(source.fingerprint.encode() + told).hexdigest()[:32]

  def __len__(self) -> int:
    return len(self._source)

  def tags_of(self, index: int) -> np.ndarray:
    return self._source.tags_of(index)

  def contents(self):
    """As `data.batch.contents_of`."""
    return contents_of(self._source)

  def count_tags(self, poll=lambda: None) -> np.ndarray:
    return self._source.count_tags(poll)

  def __getitem__(self, index: int) -> dict:
    example = dict(self._source[index])
    box = example.pop('box_px', None)
    if self._boxes is not None:
      box = self._boxes[index]
    else:
      box = box[0] if len(box) else np.full(4, np.nan)          # a picture of nobody
    return {**example, 'box_px': box} if np.isfinite(box).all() else example


@dataclass(frozen=True)
class CutBox:
  """`image` [h, w, 3] -> the part that `box_px` holds, to whole pixels and within the picture.

  Without a box, and where the box lies outside, the picture stays as it is.
  """

  needs = ('box_px',)             # keys of an example, besides the picture

  def __call__(self, example):
    example = dict(example)
    box = example.pop('box_px', None)
    place = None if box is None else whole_pixels(box, example['image'].shape)
    if place is None:
      return example
    left, top, right, bottom = place
    part = np.ascontiguousarray(example['image'][top:bottom, left:right])
    return move(example, part, np.array([[1.0, 0, -left], [0, 1, -top]]))


def whole_pixels(box_px: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
  """(left, top, right, bottom) of the pixels of a picture that a box touches; None where none.

  Args: box_px: [4] x, y, width, height; shape: (height, width, ...) of the picture.
  """
  start = np.asarray(box_px[:2], float) + 0.5                 # of edges, from the picture's own
  start, end = np.floor(start + 1e-3), np.ceil(start + box_px[2:] - 1e-3)
  left, top = np.maximum(start, 0).astype(int)
  right, bottom = np.minimum(end, (shape[1], shape[0])).astype(int)
  return (left, top, right, bottom) if left < right and top < bottom else None
