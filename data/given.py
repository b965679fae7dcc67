"""Pictures that a program hands over, as a source: paths, the bytes of files, or arrays."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.encode import encode_image
from data.sources.pictures import digest_of
from errors import UserError


class Given:
  """A source of pictures of which nothing else is known; the id of each is its place.

  Args:
    pictures: each a path, the bytes of a picture file, or RGB as uint8 [H, W, 3].

  Raises:
    UserError: something else was given.
  """

  tag_names = ()
  tag_categories = ()
  max_tags = max_ignored = 0
  truth_keys = ()
  description = 'pictures that a program gave'

  def __init__(self, pictures: Sequence):
    self._pictures = [_check(picture, place) for place, picture in enumerate(pictures)]

  def __len__(self) -> int:
    return len(self._pictures)

  @property
  def names(self) -> list[str]:
    """The ids of all pictures."""
    return [str(place) for place in range(len(self))]

  @property
  def fingerprint(self) -> str:
    return digest_of(hashlib.blake2b(read_bytes(picture)).hexdigest()
                     for picture in self._pictures)

  def take(self, indices) -> 'Given':
    """A source of these pictures alone, in this order."""
    return Given([self._pictures[index] for index in indices])

  def __getitem__(self, index: int) -> dict:
    return {'id': str(index), 'image_bytes': read_bytes(self._pictures[index]),
            'tags': np.zeros(0, np.int32)}


def read_bytes(picture) -> bytes:
  """The bytes of a picture file. Args: picture: one of `Given`. Raises: OSError: no such file."""
  if isinstance(picture, np.ndarray):
    return encode_image(picture, '.png')
  if isinstance(picture, (bytes, bytearray)):
    return bytes(picture)
  try:
    return Path(picture).read_bytes()
  except ValueError as error:     # a zero byte in it
    raise OSError(f'{str(picture)!r} is no path ({error})') from error


def _check(picture, place):
  if isinstance(picture, np.ndarray):
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size:
      raise UserError(f'picture {place} is {picture.dtype} {list(picture.shape)}; expected RGB as '
                      'uint8 [H, W, 3]')
    return picture
  if isinstance(picture, (bytes, bytearray)):
    return picture
  if isinstance(picture, (str, os.PathLike)):
    return Path(picture)
  raise UserError(f'picture {place} is of the type {type(picture).__name__}; expected a path, the '
                  'bytes of a picture file, or RGB as uint8 [H, W, 3]')
