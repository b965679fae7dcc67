"""The prepared dataset on disk: drawn once, atomically, and found again."""

import contextlib
import errno
import logging
import shutil

from data import prepared
from errors import UserError

SETTINGS = ('num_train', 'num_valid', 'num_test', 'image_size_px', 'dropped_share', 'data_seed')


def check_settings(settings) -> None:
  """Raises UserError for sizes and shares that make no sense."""
  for name in ('num_train', 'num_valid', 'num_test'):
    if getattr(settings, name) < 1:
      raise UserError(f'data.{name} is {getattr(settings, name)}; toon wants at least 1 picture in '
                      'every split.')
  if settings.image_size_px < 32:
    raise UserError(f'drawn pictures would have {settings.image_size_px} px a side '
                    '(data.drawn_size_px, or else data.image_size_px); toon draws at least 32.')
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
    directory: where datasets lie; '' is ~/.cache/oko/data.
    poll: called often while drawing or waiting; what it raises interrupts, leaving nothing half.
  Raises:
    UserError: settings that make no sense, or a folder that cannot be written.
  """
  from data.toon.builder import Toon, ToonConfig
  check_settings(settings)
  folder = prepared.prepared_folder(directory, 'toon')
  config = ToonConfig(name=config_name(settings), **{n: getattr(settings, n) for n in SETTINGS})
  with _quiet():
    builder = Toon(data_dir=str(folder.parent), config=config, file_format='array_record')
    if builder.is_prepared():
      return builder
    with prepared.lock(folder, config.name, poll or (lambda: None)):
      builder = Toon(data_dir=str(folder.parent), config=config, file_format='array_record')
      if not builder.is_prepared():
        _remove_half_drawn(folder / config.name)
        total = settings.num_train + settings.num_valid + settings.num_test
        doing = f'drawing toon: {total:,} pictures, once'
        with prepared.progress(doing, 'pictures', total) as show:
          builder.poll, builder.show_progress = poll, show
          _draw(builder)
  return builder


def _draw(builder):
  try:
    builder.download_and_prepare()
  except OSError as error:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
      raise
    raise UserError(f'Drawing toon into {builder.data_dir} stopped: {error.strerror}; make room or '
                    'choose another folder with --config.data.dir=FOLDER.') from error


def _remove_half_drawn(folder):
  """What a killed run left; called with the lock held, so nobody is drawing there."""
  for path in folder.glob('incomplete.*'):
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _quiet():
  """Hushes TFDS: its log lines and progress bars."""
  import tensorflow_datasets as tfds
  logger = logging.getLogger('absl')
  level = logger.level
  tfds.disable_progress_bar()
  logger.setLevel(logging.ERROR)
  try:
    yield
  finally:
    logger.setLevel(level)
