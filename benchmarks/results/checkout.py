"""Which state of the program figures are of, and the machine that they were measured on."""

import hashlib
import os
import pathlib
import subprocess

from benchmarks.beside.machine import describe_machine
from errors import UserError
from train_lib import code_versions

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = (*code_versions.ROOMS, 'benchmarks', 'main.py', 'errors.py')
OWN = 'benchmarks/results/'       # makes tables, and no figure


def commit(dirty: bool) -> str:
  """The commit of the checkout, with ' + changes' where the program differs from it.

  Args: dirty: let it differ.

  Raises: UserError: it differs though it must not, or this is no checkout.
  """
  head, changed = _git('rev-parse', 'HEAD'), _git('status', '--porcelain', '--', *PROGRAM)
  if changed and not dirty:
    raise UserError(f'the program differs from its commit ({changed.splitlines()[0].strip()}, '
                    '...), and figures are to be of one that others can check out; commit the '
                    'changes, or give --dirty')
  return head + (' + changes' if changed else '')


def _git(*words) -> str:
  try:
    done = subprocess.run(['git', *words], cwd=ROOT, text=True, capture_output=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    raise UserError(f'{ROOT} is no checkout of git, so that no commit can be told') from None
  return done.stdout.strip()


def program_digest() -> str:
  """12 hex digits of all files that figures depend on, committed or not.

  A commit that changes pages, tests or tables alone leaves it as it is.
  """
  digest = hashlib.sha256()
  for name in PROGRAM:
    top = ROOT / name
    for path in sorted(top.rglob('*')) if top.is_dir() else (top,):
      place = path.relative_to(ROOT).as_posix()
      if path.is_file() and '__pycache__' not in place and not place.startswith(OWN):
        digest.update(f'{place}\n'.encode() + path.read_bytes())
  return digest.hexdigest()[:12]


def machine() -> dict:
  """{'processor', 'processors', 'memory_gib', 'versions', 'load_before'} of now."""
  told = describe_machine()
  memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
  return {'processor': told['processor'], 'processors': told['processors'],
          'memory_gib': round(memory), 'versions': code_versions.versions(),
          'load_before': told['load_before']}
