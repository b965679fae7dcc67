"""Which code runs: the commit of this checkout and the versions of packages that change results."""

import contextlib
import hashlib
import importlib.metadata
import pathlib
import platform
import subprocess

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'opencv-python-headless',
            'tensorflow-datasets')
ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOMS = ('configs', 'data', 'losses', 'nets', 'train_lib', 'jobs')


def versions() -> dict[str, str]:
  """Returns the versions of Python and of the packages that can change results."""
  found = {'python': platform.python_version()}
  for name in PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[name] = importlib.metadata.version(name)
  return found


def commit() -> str:
  """Returns the commit of this checkout, with ' + changes' where files differ; '' without git."""
  try:
    git = [subprocess.run(['git', '-C', ROOT, *args], capture_output=True, text=True, timeout=10)
           for args in (('rev-parse', 'HEAD'), ('status', '--porcelain'))]
  except (OSError, subprocess.TimeoutExpired):
    return ''
  if git[0].returncode:
    return ''
  return git[0].stdout.strip() + (' + changes' if git[1].stdout.strip() else '')


def sources_digest() -> str:
  """Returns 12 hex digits of all files of the program, committed or not."""
  digest = hashlib.sha256()
  for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob('*.py')):
    digest.update(f'{path.relative_to(ROOT)}\n'.encode() + path.read_bytes())
  return digest.hexdigest()[:12]
