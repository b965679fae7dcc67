"""What happens around a job: its config by default, a tuned CPU process, plain errors, exit codes.

No jax here: the allocator and XLA read their settings once, before anything is imported.
"""

import difflib
import errno
import glob
import logging
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable

from absl import flags

from errors import UserError
from train_lib import signals
from train_lib.multihost import distributed
from train_lib.storage import remote

EXIT_USER_ERROR = 2
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # of writes that tell no file
EXIT_INTERRUPTED = 130            # Ctrl-C where nothing else looks after it
ROOT = pathlib.Path(__file__).resolve().parent.parent
TUNED = 'OKO_TUNED'               # set in the process that was started again
# XLA takes fresh memory for every call; in huge pages it is faulted in far sooner
MALLOC = 'glibc.malloc.hugetlb=1'
# without this XLA gives convolutions to YNNPACK, which is slower at training than Eigen
XLA = '--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION'

# What a flag wants whose value Python could not read; of --config the page may be what failed.
KINDS = {'invalid literal for int': 'a whole number',
         'could not convert string to float': 'a number',
         "('Non-boolean argument": 'true or false'}
MISREAD = re.compile(rf'flag --(?!config=)(\S+?)=(.*): ({"|".join(map(re.escape, KINDS))}).*')


def default_workdir(config_path: str) -> str:
  """configs/tagger.py:demo -> runs/tagger-demo."""
  page, _, preset = config_path.partition(':')
  name = os.path.splitext(os.path.basename(page))[0]
  return os.path.join('runs', f'{name}-{preset}' if preset else name)


def complete_arguments(argv: list[str], defaults) -> list[str]:
  """Without --config, the config is the one that --workdir was trained with.

  The config's own flags (--config.KEY=...) read `sys.argv`, so the result is put there too.

  Args:
    argv: the command line.
    defaults: the config that holds every key.

  Raises:
    UserError: neither is given, or there is no such page or key.
  """
  given = {}
  for argument, following in zip(argv[1:], [*argv[2:], ''], strict=False):
    if argument.startswith('-'):
      name, equals, value = argument.lstrip('-').partition('=')
      given[name] = value if equals else following
  if 'config' in given:
    _check_page(given['config'])
  elif given.get('workdir'):
    if remote.is_remote(given['workdir']):
      remote.check_path(given['workdir'])
    argv = [argv[0], f'--config={ROOT / "configs" / "saved.py"}:{given["workdir"]}', *argv[1:]]
  elif not {'help', 'helpfull', 'helpshort'} & given.keys():
    raise UserError('no config: give --config=configs/NAME.py[:PRESET], or for a job on a trained '
                    'run its folder as --workdir=FOLDER')
  for name in given:
    _check_key(name, defaults)
  sys.argv = argv
  return argv


def _check_page(config_path: str) -> None:
  page = pathlib.Path(config_path.partition(':')[0])
  if not page.is_file():
    pages = sorted(f'configs/{path.name}' for path in (ROOT / 'configs').glob('*.py')
                   if path.stem not in ('__init__', 'base', 'saved'))
    raise UserError(f'--config={page} does not exist; the pages are {", ".join(pages)}')


def _check_key(flag: str, config) -> None:
  """Raises UserError when a flag --config.a.b or --noconfig.a.b names no key."""
  root, *path = flag.split('.')
  if root not in ('config', 'noconfig') or not path:
    return
  section = 'config'
  for part in path:
    keys = list(config) if hasattr(config, 'keys') else []
    if part not in keys:
      near = difflib.get_close_matches(part, keys, 1)
      guess = f'; did you mean --{section}.{near[0]}?' if near else ''
      raise UserError(f"--{flag} is no key of the config{guess} (the keys of --{section} are "
                      f"{', '.join(keys) or 'none'})")
    config, section = config[part], f'{section}.{part}'


def run_and_exit(function: Callable[[], None]) -> None:
  """Runs a job; a person's mistake ends in one sentence and code 2.

  One of several processes ends without waiting for the others, unless they end too.
  """
  try:
    _run(function)
  except SystemExit as leaving:
    if not isinstance(leaving.code, int):
      raise
    distributed.leave(leaving.code)
  except Exception as error:
    lost = distributed.describe_loss(error)
    if not lost and distributed.size() == 1:
      raise
    if lost:
      print(f'oko: {lost}', file=sys.stderr)
    else:
      traceback.print_exc()
    distributed.leave(distributed.EXIT_LOST_PEER if lost else 1)


def _run(function):
  """Calls it; what a person can mend becomes a sentence and a SystemExit."""
  try:
    function()
  except UserError as error:
    print(f'oko: {error}', file=sys.stderr)
    sys.exit(EXIT_USER_ERROR)
  except KeyboardInterrupt:
    sys.exit(EXIT_INTERRUPTED)
  except OSError as error:
    if distributed.describe_loss(error):
      raise
    if error.filename is None and error.errno not in DISK and not _from_flags(error):
      raise
    what = f'{error.strerror}: {error.filename}' if error.filename else _sentence(error)
    if error.errno in DISK and not error.filename:
      what = f'{error.strerror}; what was finished before is kept, and the same command goes on'
    print(f'oko: {what}', file=sys.stderr)
    sys.exit(EXIT_USER_ERROR)
  except (AttributeError, KeyError, flags.Error, TypeError) as error:
    if not _from_flags(error):
      raise
    print(f'oko: bad config or flag: {_sentence(error)}', file=sys.stderr)
    sys.exit(EXIT_USER_ERROR)


def quiet_libraries() -> None:
  """Of messages of JAX and Matplotlib only errors are shown, not, say, that there is no TPU.

  To be called before anything touches the devices.
  """
  for library in ('jax', 'matplotlib'):
    logging.getLogger(library).setLevel(logging.ERROR)


def restart_tuned(argv: list[str]) -> None:
  """On a Linux CPU, starts this program again once with settings that can only be set before.

  Does nothing on an accelerator or inside a cluster. What the person has set in GLIBC_TUNABLES or
  XLA_FLAGS stays.
  """
  if os.environ.get(TUNED) or not _cpu_alone():
    return
  environment = dict(os.environ, **{TUNED: '1'})
  environment.setdefault('GLIBC_TUNABLES', MALLOC)
  environment['XLA_FLAGS'] = f'{environment.get("XLA_FLAGS", "")} {XLA}'.strip()
  print('oko: started again with allocator settings for training on a CPU (--notune: as it comes)',
        file=sys.stderr)
  sys.stderr.flush()
  signals.hold()
  os.execve(sys.executable, [sys.executable, *argv], environment)


def _cpu_alone() -> bool:
  accelerator = glob.glob('/dev/nvidia[0-9]*') + glob.glob('/dev/accel*') + glob.glob('/dev/vfio/*')
  platforms = os.environ.get('JAX_PLATFORMS', '')
  cluster = {'SLURM_JOB_ID', 'TPU_WORKER_ID', 'JAX_COORDINATOR_ADDRESS'} & os.environ.keys()
  on_cpu = platforms == 'cpu' or (not platforms and not accelerator)
  return sys.platform == 'linux' and on_cpu and not cluster


def _from_flags(error: BaseException) -> bool:
  """True when the error rose while flags or a config page were read, not inside a job."""
  frames = []
  traceback = error.__traceback__
  while traceback:
    frames.append(traceback.tb_frame.f_code.co_filename.replace(os.sep, '/'))
    traceback = traceback.tb_next
  return any('absl/flags' in name or 'ml_collections/' in name for name in frames) and not any(
      pathlib.Path(name).resolve().parent == ROOT / 'jobs' for name in frames)


def _sentence(error: BaseException) -> str:
  text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
  text = ' '.join(text.split())
  if misread := MISREAD.fullmatch(text):
    name, value, failure = misread.groups()
    return f"--{name} is '{value}'; expected {KINDS[failure]}"
  return text
