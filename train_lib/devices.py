"""How jax is set up before the first array: compiled programs are kept between starts."""

import logging
import os

import jax


def set_up_jax(cache_dir: str) -> None:
  """Args: cache_dir: of compiled programs; '' is the user's cache folder, 'off' keeps none."""
  logging.getLogger('jax').setLevel(logging.ERROR)
  if cache_dir == 'off':
    return
  cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  jax.config.update('jax_compilation_cache_dir',
                    os.path.expanduser(cache_dir) or os.path.join(cache, 'oko', 'xla'))
