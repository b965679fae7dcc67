"""One training run in a workdir at a time.

The lock is a lease: its holder writes the time into it every minute. So a run whose machine is gone
(a TPU VM that was taken away, and comes back under another name) gives way to the next one once its
lease has run out; of this machine the process itself is asked.
"""

import atexit
import contextlib
import datetime
import json
import logging
import os
import secrets
import socket
import threading
import time

from errors import UserError
from train_lib import records, remote
from train_lib.workdir import now

NAME = 'lock.json'
LEASE_SEC = 300.0                 # without a sign of life, until a lock of another machine is void
REFRESH_SEC = 60.0                # between two signs; clocks may differ by the rest
SETTLE_SEC = 2.0                  # after which a store shows who of two wrote last

_log = logging.getLogger(__name__)


class Lock:
  """Holds a workdir until `release`, the end of the `with` block or the end of the program.

  A thread renews the lease. Once another run has taken the lock, whatever would be written into the
  folder by way of `records` raises a UserError instead.

  Raises:
    UserError: when another run holds it. A lock whose process is gone from this machine, or whose
      lease has run out on another, is taken over with a warning.
  """

  def __init__(self, workdir):
    self._path = records.absolute(workdir) / NAME
    self._content = {'host': socket.gethostname(), 'pid': os.getpid(),
                     'process_start': _process_start(os.getpid()), 'time': now(),
                     'refreshed': now(), 'lease_sec': LEASE_SEC, 'token': secrets.token_hex(8)}
    self._ended, self._turn = threading.Event(), threading.RLock()
    self._taker, self._warned, self._released = None, False, False
    holder = _read(self._path)
    if holder is not None:
      self._check_gone(holder)
    self._take(holder)
    self._seen = time.time()                    # when the lock was surely ours
    records.guard(self._path.parent, self.check)
    atexit.register(self.release)
    self._thread = threading.Thread(target=self._keep, name='lock', daemon=True)
    self._thread.start()

  def check(self) -> None:
    """Raises UserError when another run has taken the lock."""
    if self._taker is None and time.time() - self._seen > LEASE_SEC / 2:
      self._renew()                             # this machine may have been asleep
    if self._taker is not None:
      raise UserError(
          f'{self._path.parent} was taken over by process {self._taker.get("pid", "?")} on '
          f'{self._taker.get("host", "?")} while this run could not renew its lock; it stops here '
          'and writes nothing more')

  def release(self) -> None:
    """Lets the workdir go; does nothing when it is no longer held."""
    if self._released:
      return
    self._released = True
    atexit.unregister(self.release)
    try:
      records.flush(self._path.parent)
    except (OSError, UserError) as error:
      _log.warning('the last rows are lost: %s', error)
    self._ended.set()
    self._thread.join()
    records.guard(self._path.parent, None)
    with contextlib.suppress(OSError):
      if self._is_ours(_read(self._path)):
        self._path.unlink()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()

  # Taking

  def _check_gone(self, holder):
    if holder.get('host') == self._content['host']:
      gone, why = not _is_alive(holder), 'which ended without releasing it'
    else:
      gone = _lease_left_sec(holder) < 0
      why = f'on {holder.get("host")}, of which nothing was heard for {_age(holder["refreshed"])}' \
          if gone else ''
    if not gone:
      raise UserError(self._taken(holder))
    _log.warning('%s: took over the lock of process %s, %s', self._path.parent, holder.get('pid'),
                 why)

  def _take(self, holder):
    if remote.is_remote(self._path):
      self._put_and_wait()
    else:
      self._link(holder)
    winner = _read(self._path)
    if not self._is_ours(winner):
      raise UserError(self._taken(winner or {}))

  def _put_and_wait(self):
    """Nothing is created only if it is not there: the one who writes last has it."""
    self._write(self._path)
    time.sleep(SETTLE_SEC)

  def _link(self, holder):
    """A link appears whole or not at all, and only one of two runs can make it."""
    mine = self._path.parent / f'.{NAME}.{self._content["token"]}'
    self._write(mine)
    try:
      if holder is not None:
        self._remove(holder)
      os.link(os.fspath(mine), os.fspath(self._path))
    except FileExistsError:
      pass
    except OSError:                             # a file system without links
      self._put_and_wait()
    finally:
      mine.unlink()

  def _remove(self, holder):
    """Removes the lock of a run that is gone. It is moved first, which one of two runs can do."""
    aside = self._path.parent / f'.{NAME}.gone-{self._content["token"]}'
    with contextlib.suppress(FileNotFoundError):
      os.rename(self._path, aside)
      if _read(aside) != holder:                # another run was quicker: it is its lock
        with contextlib.suppress(FileExistsError):
          os.link(aside, self._path)
      aside.unlink()

  def _taken(self, holder):
    left_sec = _lease_left_sec(holder)
    lease = (f'last heard of {_age(holder["refreshed"])} ago, and void '
             f'{_words(max(left_sec, 0))} from now if it stays silent; '
             if holder.get('host') != self._content['host'] and left_sec < float('inf') else '')
    return (f'{self._path.parent} is in use by process {holder.get("pid", "?")} on '
            f'{holder.get("host", "?")}, started {_age(holder.get("time"))} ago; {lease}wait for '
            f'it or use another folder (if that run is certainly gone, delete {self._path}).')

  # Keeping

  def _keep(self):
    while not self._ended.wait(REFRESH_SEC):
      self._renew()

  def _renew(self):
    """Writes the time into the lock while it is ours; notes who has it instead."""
    with self._turn:
      try:
        holder = _read(self._path)
        if holder and not self._is_ours(holder):
          self._taker = holder
          _log.error('%s was taken over by process %s on %s', self._path.parent,
                     holder.get('pid'), holder.get('host'))
          self._ended.set()
        elif self._path.parent.exists():        # it was perhaps deleted by a person
          self._content['refreshed'] = now()
          self._write(self._path)
          self._seen = time.time()
      except OSError as error:
        if not self._warned:
          _log.warning('%s: the lock cannot be renewed: %s', self._path.parent, error)
        self._warned = True

  def _write(self, path):
    with records.unguarded_file(path) as file:
      file.write(json.dumps(self._content, indent=2).encode())

  def _is_ours(self, holder):
    return bool(holder) and holder.get('token') == self._content['token']


def find_holder(workdir) -> dict | None:
  """What is known of the run that holds a workdir now: host, pid, time; None where none does."""
  holder = _read(records.absolute(workdir) / NAME)
  if not holder:
    return None
  if holder.get('host') == socket.gethostname():
    return holder if _is_alive(holder) else None  # it may have ended without releasing it
  return holder if _lease_left_sec(holder) >= 0 else None


def _read(path):
  try:
    content = json.loads(records.read_bytes(path))
  except FileNotFoundError:
    return None
  except ValueError:
    content = None
  return content if isinstance(content, dict) else {}


def _lease_left_sec(holder) -> float:
  """Seconds until a lock is void; infinity where it tells no time, as one of a former version."""
  try:
    refreshed = datetime.datetime.fromisoformat(holder['refreshed'])
    passed = datetime.datetime.now(datetime.UTC) - refreshed
    return float(holder['lease_sec']) - passed.total_seconds()
  except (KeyError, TypeError, ValueError):
    return float('inf')


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


def _age(moment):
  try:
    then = datetime.datetime.fromisoformat(moment)
    passed = datetime.datetime.now(datetime.UTC) - then
  except (TypeError, ValueError):
    return 'an unknown time'
  return _words(passed.total_seconds())


def _words(seconds: float) -> str:
  return str(datetime.timedelta(seconds=int(seconds)))
