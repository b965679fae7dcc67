"""What answers at an address of the HTTP interface, and the numbers that come with a request."""

from collections.abc import Callable
from typing import NamedTuple

from train_lib.serving.guard import Refused

MOST_DIGITS = 12                  # of a number
MOST_LETTERS = 40                 # of a name that is told back


class Call(NamedTuple):
  """A function behind an address.

  Attributes:
    method: GET or POST.
    takes: what it is called with, besides the options: 'uploads' (a list of `Upload`), 'json' (a
      dict), 'row' (a number at the end of the address).
    function: (what it takes, options) -> bytes of a picture, or what becomes JSON; the options are
      those of the address, ?name=value. It may raise `Refused`.
    by_net: whether it needs the net, and so its turn.
    options: the names that it knows.
  """

  method: str
  takes: str
  function: Callable
  by_net: bool = True
  options: tuple[str, ...] = ()


def known_options(given: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
  """What is given. Raises: Refused: 422, a name is none of `names`."""
  for name in given:
    if name not in names:
      raise Refused(422, f'this address knows no option {name[:MOST_LETTERS]!r}; it knows '
                         f'{", ".join(map(repr, names)) or "none"}')
  return given


def whole_number(options: dict[str, str], name: str, default: int, least: int, most: int) -> int:
  """An option that is a number. Raises: Refused: 422, it is none, or not of `least` to `most`."""
  text = options.get(name, '')
  if not text:
    return default
  if not is_whole(text) or not least <= int(text) <= most:
    raise Refused(422, f"'{name}' has to be a whole number from {least:,} to {most:,}")
  return int(text)


def is_whole(text: str) -> bool:
  """Whether a text is a whole number from 0 on, in digits that are few enough to be read."""
  return text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS


def picture_kind(content: bytes) -> str:
  """The media type of a picture that was made here."""
  return 'image/png' if content[:1] == b'\x89' else 'image/jpeg'
