"""The prepared dataset on disk: drawn once, atomically, and found again."""

import functools

from data import prepared

SETTINGS = ('num_train', 'num_valid', 'num_test', 'image_size_px', 'data_seed')
LEAST_PX = 32


def config_name(settings) -> str:
  """The name of these settings, which is also the name of their folder."""
  return (f'{settings.image_size_px}px-{settings.num_train}-{settings.num_valid}-'
          f'{settings.num_test}-seed{settings.data_seed}')


def prepare_phantom(settings, directory='', poll=None):
  """The builder of a prepared dataset; draws it if this is the first use.

  Args:
    settings: has the attributes named in SETTINGS.
    directory, poll: as those of `prepared.prepare_drawn`, whose errors may come too.
  Raises:
    UserError: settings that make no sense.
  """
  from data.drawn import DrawnConfig
  from data.phantom.builder import Phantom
  prepared.check_sizes(settings, 'phantom', LEAST_PX)
  config = DrawnConfig(name=config_name(settings), **{n: getattr(settings, n) for n in SETTINGS})
  return prepared.prepare_drawn(functools.partial(Phantom, config=config), directory, poll)
