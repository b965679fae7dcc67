"""The one exception that means: a person's mistake, to be told in a sentence."""


def printable(text: str, kept: str = '\n') -> str:
  """Text in which all that is no letter to be shown is an escape, such as \\x1b.

  Args: kept: letters that stay nevertheless.
  """
  if text.isprintable():
    return text
  return ''.join(letter if letter.isprintable() or letter in kept else
                 letter.encode('unicode_escape').decode() for letter in text)


def shortened(text: str, most: int = 200) -> str:
  """Text of at most so many letters, for a message that quotes what may be of any length."""
  return text if len(text) <= most else f'{text[:most]}...'


class UserError(Exception):
  """A mistake that the person at the keyboard can mend.

  The message is one sentence: what was wrong, where, and what was expected or what to do.
  `main.py` prints it without a traceback and exits with code 2. What it quotes may come from a
  file of anyone: letters that a terminal would obey are written as escapes.
  """

  def __str__(self) -> str:
    return printable(super().__str__())


class Diverged(UserError):
  """Training gave values that are not numbers; a study notes it and goes on with its other runs."""
