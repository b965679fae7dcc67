"""Which code runs: the commit of this checkout and the versions of packages that change results."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'opencv-python-headless',
            'tensorflow-datasets')


def versions() -> dict[str, str]:
  """Returns the versions of Python and of the packages that can change results."""
  found = {'python': platform.python_version()}
  for name in PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[name] = importlib.metadata.version(name)
  return found


def commit() -> str:
  """Returns the commit of this checkout, with ' + changes' where files differ; '' without git."""
  root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
  try:
    git = [subprocess.run(['git', '-C', root, *args], capture_output=True, text=True, timeout=10)
           for args in (('rev-parse', 'HEAD'), ('status', '--porcelain'))]
  except (OSError, subprocess.TimeoutExpired):
    return ''
  if git[0].returncode:
    return ''
  return git[0].stdout.strip() + (' + changes' if git[1].stdout.strip() else '')
