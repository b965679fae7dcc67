"""JSON files that people bring: read with nothing taken on trust."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from errors import UserError, printable, shortened

BROKEN_FRAC = 0.05                # of a file's records: more that cannot be used are an error
FARTHEST_PX = 1e6                 # no coordinate is farther away
_NUMBERS = {int, float}           # not bool, which is an int to Python alone


def load_json(path: Path, what: str, keep: Callable[[dict], dict]) -> tuple[object, str]:
  """The content of a JSON file, and the hex digest of its bytes.

  Args:
    path: of the file.
    what: that is expected in it, for the error.
    keep: what to keep of an object, called with each as soon as it is read, the inner ones first,
      so that what nobody needs never fills the memory; may raise to stop.

  Raises:
    UserError: there is no such file, or it is no JSON.
  """
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(f"'{path}' cannot be read ({error.strerror}); expected {what}.") from error
  digest = hashlib.blake2b(data, digest_size=16).hexdigest()
  try:
    data = data.decode('utf-8-sig')
    return json.loads(data, object_hook=keep), digest
  except (ValueError, RecursionError) as error:  # of bytes that are no text, too
    reason = str(error) if isinstance(error, ValueError) else 'it is nested too deep'
    raise UserError(f"'{path}' is no JSON ({reason}); expected {what}.") from error


def is_number(value: object) -> bool:
  """Whether a value of a JSON file is a number; true and false are none, NaN is one."""
  return type(value) in _NUMBERS


def pixels_of(values: object, count: int) -> np.ndarray | None:
  """float32 [count] of a list of so many numbers of pixels; None of any other value."""
  if not isinstance(values, list) or len(values) != count:
    return None
  if not set(map(type, values)) <= _NUMBERS:
    return None
  try:
    array = np.array(values, np.float64)
  except OverflowError:
    return None
  return array.astype(np.float32) if np.abs(array).max() <= FARTHEST_PX else None  # NaN is not


def brief(value: object, most: int = 60) -> str:
  """A value of a JSON file in words, cut to a readable length."""
  try:
    return shortened(printable(str(value), kept=''), most)
  except RecursionError:          # it was just not too deep to be read
    return 'a value that is nested too deep'


class BrokenRecords:
  """Records of a file that cannot be used: a few are left out and told, many are an error.

  Args:
    path: of the file.
    name: of the list that they stand in, such as 'annotations'; '' where it is the file's own.
    what: that was expected of the file.
  """

  def __init__(self, path: Path, name: str, what: str):
    self._path, self._name, self._what = path, name, what
    self._reasons = {}

  def add(self, place: int, reason: str) -> None:
    """Notes the record at a place of the list."""
    self._reasons.setdefault(place, reason)

  def check(self, total: int) -> str:
    """What was left out in words, '' where nothing was. Args: total: how many records there are.

    Raises:
      UserError: more cannot be used than may be left out.
    """
    if not self._reasons:
      return ''
    first, count = min(self._reasons), len(self._reasons)
    example = f'{self._name}[{first}] {self._reasons[first]}'
    if count > BROKEN_FRAC * total:
      others = f'; {count:,} of {total:,} records cannot be used' if total > 1 else ''
      raise UserError(f"'{self._path}': {example}{others}; expected {self._what}.")
    return f'{count:,} of {total:,} records of {self._path.name} cannot be used ({example})'
