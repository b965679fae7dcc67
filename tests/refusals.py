"""What a refusal has to be, for the tests of hostile files."""

import pytest

from errors import UserError

DEEP = '[' * 100_000
ESCAPE = '\x1b[2J\x9b'


def refusal(function, *arguments, kind=UserError):
  """The message of a refusal."""
  with pytest.raises(kind) as raised:
    function(*arguments)
  message = str(raised.value)
  assert message.isprintable() and 0 < len(message) < 2000
  return message
