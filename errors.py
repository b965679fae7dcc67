"""The one exception that means: a person's mistake, to be told in a sentence."""


class UserError(Exception):
  """A mistake that the person at the keyboard can mend.

  The message is one sentence: what was wrong, where, and what was expected or what to do.
  `main.py` prints it without a traceback and exits with code 2.
  """


class Diverged(UserError):
  """Training gave values that are not numbers; a study notes it and goes on with its other runs."""
