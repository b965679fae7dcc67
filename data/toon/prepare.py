"""The prepared dataset on disk: drawn once, atomically, and found again."""

import functools

from data import prepared
from errors import UserError

SETTINGS = ('num_train', 'num_valid', 'num_test', 'image_size_px', 'dropped_share', 'data_seed')
LEAST_PX = 32


def check_settings(settings) -> None:
  """Raises UserError for sizes and shares that make no sense."""
  prepared.check_sizes(settings, 'toon', LEAST_PX)
  if not 0 <= settings.dropped_share < 1:
    raise UserError(f'data.dropped_share is {settings.dropped_share}; it must be at least 0 (no '
                    'tag is forgotten) and below 1.')


def config_name(settings) -> str:
  """The name of these settings, which is also the name of their folder."""
  return (f'{settings.image_size_px}px-{settings.num_train}-{settings.num_valid}-'
          f'{settings.num_test}-drop{settings.dropped_share:g}-seed{settings.data_seed}')


def prepare_toon(settings, directory='', poll=None):
  """The builder of a prepared dataset; draws it if this is the first use.

  Args:
    settings: has the attributes named in SETTINGS.
    directory, poll: as those of `prepared.prepare_drawn`, whose errors may come too.
  Raises:
    UserError: settings that make no sense.
  """
  from data.toon.builder import Toon, ToonConfig
  check_settings(settings)
  config = ToonConfig(name=config_name(settings), **{n: getattr(settings, n) for n in SETTINGS})
  return prepared.prepare_drawn(functools.partial(Toon, config=config), directory, poll)
