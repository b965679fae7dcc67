"""One training run in a workdir at a time."""

import atexit
import contextlib
import datetime
import json
import logging
import os
import secrets
import socket

from etils import epath

from errors import UserError
from train_lib import records
from train_lib.workdir import now

NAME = 'lock.json'

_log = logging.getLogger(__name__)


class Lock:
  """Holds a workdir until `release`, the end of the `with` block or the end of the program.

  Raises:
    UserError: when another run holds it. A lock whose process is gone from this machine is taken
      over with a warning; of another machine that cannot be known.
  """

  def __init__(self, workdir):
    self._path = epath.Path(workdir) / NAME
    self._content = {'host': socket.gethostname(), 'pid': os.getpid(),
                     'process_start': _process_start(os.getpid()), 'time': now(),
                     'token': secrets.token_hex(8)}
    holder = _read(self._path)
    if holder is not None:
      self._check_gone(holder)
    self._take(holder)
    atexit.register(self.release)

  def release(self) -> None:
    """Lets the workdir go; does nothing when it is no longer held."""
    atexit.unregister(self.release)
    with contextlib.suppress(OSError):
      if _read(self._path) == self._content:
        self._path.unlink()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()

  def _take(self, holder):
    if '://' in os.fspath(self._path):
      records.write_json(self._path, self._content)
    else:
      # A link appears whole or not at all, and only one of two runs can make it.
      mine = self._path.parent / f'.{NAME}.{self._content["token"]}'
      records.write_json(mine, self._content)
      try:
        if holder is not None and _read(self._path) == holder:
          self._path.unlink()
        os.link(os.fspath(mine), os.fspath(self._path))
      except FileExistsError:
        pass
      finally:
        mine.unlink()
    winner = _read(self._path)
    if winner != self._content:
      raise UserError(self._taken(winner or {}))

  def _check_gone(self, holder):
    if holder.get('host') != self._content['host'] or _is_alive(holder):
      raise UserError(self._taken(holder))
    _log.warning('%s: took over the lock of process %s, which ended without releasing it',
                 self._path.parent, holder.get('pid'))

  def _taken(self, holder):
    return (f'{self._path.parent} is in use by process {holder.get("pid", "?")} on '
            f'{holder.get("host", "?")}, started {_age(holder.get("time"))} ago; wait for it or '
            f'use another folder (if that run is certainly gone, delete {self._path}).')


def find_holder(workdir) -> dict | None:
  """What is known of the run that holds a workdir now: host, pid, time; None where none does."""
  holder = _read(epath.Path(workdir) / NAME)
  if holder and holder.get('host') == socket.gethostname() and not _is_alive(holder):
    return None                   # it ended without releasing it
  return holder or None


def _read(path):
  try:
    content = json.loads(path.read_text())
  except FileNotFoundError:
    return None
  except ValueError:
    content = None
  return content if isinstance(content, dict) else {}


def _is_alive(holder):
  pid, start = holder.get('pid'), holder.get('process_start', '')
  if not isinstance(pid, int):
    return True
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass
  return not start or _process_start(pid) == start  # else the number was given out again


def _process_start(pid):
  """When a process began, in clock ticks since this boot; '' where the system does not say."""
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
      ticks = file.read().rpartition(')')[2].split()[19]
    with open('/proc/sys/kernel/random/boot_id', encoding='utf-8') as file:
      return f'{file.read().strip()} {ticks}'
  except (OSError, IndexError):
    return ''


def _age(time):
  try:
    then = datetime.datetime.fromisoformat(time)
  except (TypeError, ValueError):
    return 'an unknown time'
  passed = datetime.datetime.now(datetime.UTC) - then
  return str(datetime.timedelta(seconds=int(passed.total_seconds())))
