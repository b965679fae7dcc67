"""What is prepared once and kept on disk: where it lies, who may write it, what a person sees."""

import contextlib
import errno
import fcntl
import logging
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator

from errors import UserError

DEFAULT_DIR = '~/.cache/oko/data'
_TELL_SEC = 10.0


def prepared_folder(directory: str, name: str) -> pathlib.Path:
  """The folder for one kind of prepared data. Args: directory: config.data.dir, '' the default."""
  return pathlib.Path(directory or DEFAULT_DIR).expanduser().absolute() / name


@contextlib.contextmanager
def lock(folder: pathlib.Path, name: str, poll: Callable[[], None]) -> Iterator[None]:
  """One process at a time prepares what is called `name`; others wait here, and then find it.

  Raises:
    UserError: the folder cannot be written.
  """
  try:
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / f'{name}.lock', 'w')
  except OSError as error:
    raise UserError(f'cannot write to {folder} ({error.strerror}); choose another folder with '
                    '--config.data.dir=FOLDER') from error
  with file:
    while True:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
      except BlockingIOError:
        poll()
        time.sleep(0.2)
    yield


@contextlib.contextmanager
def progress(doing: str, things: str, total: int = 0) -> Iterator[Callable[[int], None]]:
  """A function to call with how many were just done: a bar on a terminal, else lines now and then.

  Args: doing: such as 'reading the archive'; things: what is counted, such as 'records'; total:
    how many there are, 0 where nobody knows.
  """
  if sys.stderr.isatty():
    from tqdm import tqdm
    with tqdm(desc=doing, unit=f' {things}', unit_scale=True, total=total or None) as bar:
      yield bar.update
    return
  done, told = 0, time.monotonic()
  print(doing, file=sys.stderr, flush=True)

  def show(count):
    nonlocal done, told
    done += count
    if time.monotonic() - told > _TELL_SEC:
      told = time.monotonic()
      of_all = f' of {total:,}' if total else ''
      print(f'{done:,}{of_all} {things}', file=sys.stderr, flush=True)

  yield show


def check_sizes(settings, dataset: str, least_px: int) -> None:
  """Raises UserError for sizes of a drawn dataset that make no sense."""
  for name in ('num_train', 'num_valid', 'num_test'):
    if getattr(settings, name) < 1:
      raise UserError(f'data.{name} is {getattr(settings, name)}; {dataset} wants at least 1 '
                      'picture in every split.')
  if settings.image_size_px < least_px:
    raise UserError(f'drawn pictures would have {settings.image_size_px} px a side '
                    '(data.drawn_size_px, or else data.image_size_px); '
                    f'{dataset} draws at least {least_px}.')


def prepare_drawn(make_builder: Callable, directory: str, poll: Callable[[], None] | None = None):
  """The TFDS builder of a drawn dataset; draws it if this is the first use.

  Args:
    make_builder: its class, which draws in _generate_examples, calls `poll` meanwhile and tells
      `show_progress`; takes data_dir and file_format. Its config, with num_train, num_valid and
      num_test, is bound to it.
    directory: where datasets lie; '' is DEFAULT_DIR.
    poll: called often while drawing or waiting; what it raises interrupts, leaving nothing half.
  Raises:
    UserError: a folder that cannot be written, or that is full.
  """
  top = prepared_folder(directory, '.')
  with _quiet():
    builder = make_builder(data_dir=str(top), file_format='array_record')
    if builder.is_prepared():
      return builder
    config, folder = builder.builder_config, top / builder.name
    with lock(folder, config.name, poll or (lambda: None)):
      builder = make_builder(data_dir=str(top), file_format='array_record')
      if not builder.is_prepared():
        remove_half_drawn(folder / config.name)
        total = config.num_train + config.num_valid + config.num_test
        doing = f'drawing {builder.name}: {total:,} pictures, once'
        with progress(doing, 'pictures', total) as show:
          builder.poll, builder.show_progress = poll, show
          _draw(builder)
  return builder


def _draw(builder):
  try:
    builder.download_and_prepare()
  except OSError as error:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
      raise
    raise UserError(f'Drawing {builder.name} into {builder.data_dir} stopped: {error.strerror}; '
                    'make room or choose another folder with --config.data.dir=FOLDER.') from error


def remove_half_drawn(folder: pathlib.Path) -> None:
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
