"""How jax is set up before the first array: compiled programs are kept between starts."""

import os
import pathlib

import jax

from train_lib import launch


def set_up_jax(cache_dir: str) -> None:
  """Has compiled programs kept, and of JAX's messages the errors alone shown.

  Args: cache_dir: of the programs; '' is the user's cache folder, 'off' keeps none.
  """
  launch.quiet_libraries()
  if cache_dir == 'off':
    return
  jax.config.update('jax_compilation_cache_dir', str(cache_folder(cache_dir, 'xla')))


def cache_folder(directory: str, name: str) -> pathlib.Path:
  """A folder of what is kept between starts. Args: directory: '' is the user's own for `name`."""
  if directory:
    return pathlib.Path(directory).expanduser().absolute()
  cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(cache) / 'oko' / name
