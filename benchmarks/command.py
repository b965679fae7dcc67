"""What the command lines of the benchmarks share: numbers, names and files that are checked, ends.

A mistake is one sentence and code 2, before anything is measured.
"""

import argparse
import contextlib
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable

from errors import printable
from train_lib import launch

END_WITHIN_SEC = 120              # of a program that was told to stop


class Failed(Exception):
  """What was measured ended by itself; the message holds its last lines."""


class Parser(argparse.ArgumentParser):
  """A parser that tells a mistake in one line. Args: about: the docstring of the program."""

  def __init__(self, about: str):
    super().__init__(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)

  def error(self, message: str):
    self.exit(launch.EXIT_USER_ERROR, f'{self.prog}: {printable(message)}\n')


def number(least: float, kind: type = int) -> Callable[[str], float]:
  """The type of a flag that is a number. Args: least: that it may be; kind: int or float."""
  word = 'a whole number' if kind is int else 'a number'

  def read(text: str):
    try:
      value = kind(text)
    except ValueError:
      value = math.nan
    if not least <= value < math.inf:
      raise argparse.ArgumentTypeError(f"'{text}' is not {word} of at least {least:g}")
    return value
  return read


def several(read: Callable[[str], object], least: int = 1) -> Callable[[str], tuple]:
  """The type of a flag that is a list with commas. Args: read: the type of each; least: of them."""
  def read_all(text: str) -> tuple:
    found = tuple(read(word) for word in text.split(',') if word)
    if len(found) < least:
      raise argparse.ArgumentTypeError(f'it names nothing; expected at least {least}')
    return found
  return read_all


def one_of(choices: Iterable[str]) -> Callable[[str], str]:
  """The type of a flag that is a name."""
  def read(text: str) -> str:
    if text not in choices:
      raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(choices)}")
    return text
  return read


def output_file(text: str) -> str:
  """The type of a flag that names a file to be written, or '': tries now whether it can be."""
  path = pathlib.Path(text)
  try:
    if not text:
      pass
    elif path.exists():
      with open(path, 'ab'):
        pass
    else:
      tempfile.TemporaryFile(dir=path.parent).close()
  except OSError as error:
    raise argparse.ArgumentTypeError(
        f"'{text}' cannot be written ({error.strerror}); name another file") from error
  return text


def run(main: Callable[[], None]) -> None:
  """Runs a benchmark. What failed and a person's mistake are a message; SIGTERM and Ctrl-C leave by
  way of every `finally`, so that what was started ends as well."""
  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

  def told():
    try:
      main()
    except Failed as error:
      sys.exit(str(error))
  launch.run_and_exit(told)


def end_session(process: subprocess.Popen) -> None:
  """Tells a program and all that it started to stop, and waits for it: it may have to save.

  Args: process: the first of its session (`start_new_session`).
  """
  with contextlib.suppress(ProcessLookupError):
    os.killpg(process.pid, signal.SIGTERM)
  try:
    process.wait(END_WITHIN_SEC)
  except subprocess.TimeoutExpired:
    pass
  with contextlib.suppress(ProcessLookupError):
    os.killpg(process.pid, signal.SIGKILL)
  process.wait()
