"""What a figure was measured on and with."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OURS = ('jax', 'jaxlib', 'flax', 'optax', 'numpy', 'opencv-python-headless')


def describe_machine() -> dict:
  """Processors, system, versions, commit, and how busy the machine was before."""
  return {'processor': processor_name(), 'processors': len(os.sched_getaffinity(0)),
          'python': platform.python_version(), 'system': platform.platform(), 'commit': _commit(),
          'load_before': round(os.getloadavg()[0], 2),
          'versions': {name: importlib.metadata.version(name) for name in OURS}}


def told_of_machine(machine: dict) -> str:
  """A sentence of it for the head of a table."""
  versions = ', '.join(f'{name} {machine["versions"][name]}' for name in ('jax', 'numpy'))
  return (f'{machine["processors"]} processors, {machine["processor"]}; Python '
          f'{machine["python"]}, {versions}; commit {machine["commit"]}; load '
          f'{machine["load_before"]} before')


def processor_name() -> str:
  """As the system calls it."""
  info = pathlib.Path('/proc/cpuinfo')
  for line in info.read_text().splitlines() if info.exists() else ():
    if line.startswith('model name'):
      return line.partition(':')[2].strip()
  return platform.processor() or platform.machine()


def _commit() -> str:
  try:
    done = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    return done.stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    return 'unknown'
