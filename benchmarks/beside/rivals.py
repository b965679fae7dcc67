"""Programs of others in processes of their own, and what is told where a package is missing."""

import collections
import contextlib
import json
import os
import subprocess
import tempfile

from benchmarks.beside.machine import ROOT
from benchmarks.beside.worker import ANSWER
from benchmarks.command import Failed

SETTINGS = ('GLIBC_TUNABLES', 'XLA_FLAGS', 'OKO_TUNED', 'MALLOC_CONF', 'LD_PRELOAD')
# What `pip install` takes for a package that is imported under another name.
PIP_NAMES = {'cv2': 'opencv-python-headless', 'faiss': 'faiss-cpu', 'tensorflow': 'tensorflow'}
LAST_LINES = 15


class Missing(Exception):
  """A package is not installed for the interpreter; the message names both, and what to do."""


class Rival:
  """A worker process, from its start until `close`.

  Args:
    python: the interpreter.
    module: 'benchmarks.beside....', run with -m.
    spec: what its `prepare` takes.
    settings: variables of its environment; those of SETTINGS are taken away first, so that a
      program is as it comes unless they say otherwise.

  Attributes:
    facts: what it told when it was ready.
  """

  def __init__(self, python: str, module: str, spec: dict, settings: dict[str, str] | None = None):
    self._log = tempfile.TemporaryFile('w+')
    environment = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    try:
      self.process = subprocess.Popen(
          [python, '-m', module, json.dumps(spec)], cwd=ROOT, text=True, stdin=subprocess.PIPE,
          stdout=subprocess.PIPE, stderr=self._log, env={**environment, **(settings or {})})
    except OSError as error:
      self._log.close()
      raise Failed(f'{python} cannot be started ({error.strerror}); its rows are left out'
                   ) from error
    try:
      self.facts = self._answer()
      if 'missing' in self.facts:
        name = PIP_NAMES.get(self.facts['missing'], self.facts['missing'])
        raise Missing(f'{name} is not installed for {python}; its row is left out. To have it: '
                      f'{python} -m pip install {name}')
    except BaseException:
      self.close()
      raise

  def turn(self, **command) -> dict:
    """One turn's answer."""
    with contextlib.suppress(BrokenPipeError):                # it has ended, as its answer tells
      self.process.stdin.write(json.dumps(command) + '\n')
      self.process.stdin.flush()
    return self._answer()

  def close(self) -> None:
    """Ends it."""
    with contextlib.suppress(BrokenPipeError):
      self.process.stdin.close()
    try:
      self.process.wait(10)
    except subprocess.TimeoutExpired:
      self.process.kill()
      self.process.wait()
    self.process.stdout.close()
    self._log.close()

  def _answer(self) -> dict:
    for line in self.process.stdout:
      if line.startswith(ANSWER):
        return json.loads(line.removeprefix(ANSWER))
    self.process.wait()
    self._log.seek(0)
    said = ''.join(collections.deque(self._log, LAST_LINES))
    raise Failed(f'{" ".join(self.process.args[2:3])} ended with code {self.process.returncode}:\n'
                 f'{said}')
