"""One training run in a workdir at a time.

The lock is a lease: its holder writes the time into it every minute. So a run whose machine is gone
(a TPU VM that was taken away, and comes back under another name) gives way to the next one once its
lease has run out, which that one waits for. Where the holder is a process of this machine, and of
this container and this start of it, it is asked itself.
"""

import atexit
import contextlib
import hashlib
import json
import logging
import os
import secrets
import threading
import time

from errors import UserError
from train_lib import preemption
from train_lib.reporting import say
from train_lib.storage import lock_holder, records, remote
from train_lib.workdir import now

NAME = 'lock.json'
LEASE_SEC = 300.0                 # without a sign of life, until a lock of another machine is void
REFRESH_SEC = 60.0                # between two signs; clocks may differ by the rest
SETTLE_SEC = 2.0                  # after which a store shows who of two wrote last
WATCH_SEC = 1.0                   # between two looks at a lock whose lease may run out

_log = logging.getLogger(__name__)


class Lock:
  """Holds a workdir until `release`, the end of the `with` block or the end of the program.

  A thread renews the lease. Once another run has taken the lock, whatever would be written into the
  folder by way of `records` raises a UserError instead.

  A lock whose process is gone, or whose lease has run out, is taken over with a warning. While the
  lease of one on another machine may still run out, that is waited for.

  Raises:
    UserError: another run holds it, or the folder cannot be written into.
    Preempted: a signal came while it waited.
  """

  def __init__(self, workdir):
    self._path = records.absolute(workdir) / NAME
    self._content = {**lock_holder.describe_self(), 'time': now(), 'refreshed': now(),
                     'lease_sec': LEASE_SEC, 'token': secrets.token_hex(8)}
    self._ended, self._turn = threading.Event(), threading.RLock()
    self._taker, self._warned, self._released = None, False, False
    with self._writing():
      self._try_to_write()
      holder, why = self._wait_for_turn()
    with self._writing():
      self._take(holder)
    if holder is not None:
      _log.warning('%s: took over the lock of %s, %s', self._path.parent, lock_holder.who(holder),
                   why)
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
          f'{self._path.parent} was taken over by {lock_holder.who(self._taker)} while this run '
          'could not renew its lock; it stops here and writes nothing more')

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
      if self._is_ours(lock_holder.read(self._path)):
        self._path.unlink()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()

  # Taking

  @contextlib.contextmanager
  def _writing(self):
    """What fails here is told of the folder, not of a file that nobody knows."""
    try:
      yield
    except OSError as error:
      raise UserError(f'{self._path.parent} cannot be written into '
                      f'({error.strerror or error}); see to its disk and its permissions, or name '
                      'another folder') from error

  def _try_to_write(self):
    """Finds out now, not after a wait. A store tells when the lock is put there."""
    if not remote.is_remote(self._path):
      self._write(self._aside('try'))
      self._aside('try').unlink()

  def _wait_for_turn(self):
    """(The lock of a run that is gone, why it is), or (None, '') where there is no lock."""
    holder = lock_holder.read(self._path)
    if holder is None:
      return None, ''
    if lock_holder.is_here(holder):
      if lock_holder.is_alive(holder):
        raise UserError(self._taken(holder))
      return holder, 'which ended without releasing it'
    left_sec = lock_holder.left_sec(holder)
    if left_sec == float('inf'):
      raise UserError(self._taken(holder))
    if left_sec >= 0 and not self._stays_silent(holder, left_sec):
      return None, ''
    return holder, f'of which nothing was heard for {lock_holder.age(holder["refreshed"])}'

  def _stays_silent(self, holder, seconds):
    """Waits until a lease has run out; False where the lock is released meanwhile."""
    say(f'{self._path.parent} is held by {lock_holder.who(holder)}, last heard of '
        f'{lock_holder.age(holder["refreshed"])} ago: waiting for a sign of it, '
        f'{lock_holder.words(seconds + 1)} at most, and going on if there is none')
    end = time.monotonic() + seconds
    while (left_sec := end - time.monotonic()) > 0:
      preemption.check_active()
      time.sleep(min(WATCH_SEC, left_sec))
      found = lock_holder.read(self._path)
      if found is None:
        return False
      if found != holder:
        raise UserError(self._taken(found))
    return True

  def _take(self, holder):
    self._content['refreshed'] = now()
    if remote.is_remote(self._path):
      self._put_and_wait()
    else:
      self._link(holder)
    winner = lock_holder.read(self._path)
    if not self._is_ours(winner):
      raise UserError(self._taken(winner or {}))

  def _put_and_wait(self):
    """Nothing is created only if it is not there: the one who writes last has it."""
    self._write(self._path)
    time.sleep(SETTLE_SEC)

  def _link(self, holder):
    """A link appears whole or not at all, and only one of two runs can make it."""
    mine = self._aside('mine')
    self._write(mine)
    try:
      if holder is None:
        os.link(os.fspath(mine), os.fspath(self._path))
      else:
        self._replace(holder, mine)
    except FileExistsError:
      pass
    except OSError:                             # a file system without links
      self._put_and_wait()
    finally:
      mine.unlink(missing_ok=True)

  def _replace(self, holder, mine):
    """Puts this lock in the place of one that is void; whoever makes the file `turn` may do so."""
    turn = self._path.parent / f'.{NAME}.turn-{_digest(holder)}'
    other = lock_holder.read(turn)
    if other and lock_holder.is_gone(other):    # it was killed at this very place
      turn.unlink(missing_ok=True)
    os.link(os.fspath(mine), os.fspath(turn))
    try:
      if lock_holder.read(self._path) == holder:  # else another start was quicker
        os.replace(os.fspath(mine), os.fspath(self._path))
    finally:
      turn.unlink()

  def _aside(self, what):
    return self._path.parent / f'.{NAME}.{what}-{self._content["token"]}'

  def _taken(self, holder):
    left_sec = lock_holder.left_sec(holder)
    lease = (f'last heard of {lock_holder.age(holder["refreshed"])} ago, and void '
             f'{lock_holder.words(left_sec)} from now if it stays silent; '
             if not lock_holder.is_here(holder) and left_sec < float('inf') else '')
    return (f'{self._path.parent} is in use by {lock_holder.who(holder)}, started '
            f'{lock_holder.age(holder.get("time"))} ago; {lease}wait for it or use another folder '
            f'(if that run is certainly gone, delete {self._path}).')

  # Keeping

  def _keep(self):
    while not self._ended.wait(REFRESH_SEC):
      self._renew()

  def _renew(self):
    """Writes the time into the lock while it is ours; notes who has it instead."""
    with self._turn:
      try:
        holder = lock_holder.read(self._path)
        if holder and not self._is_ours(holder):
          self._taker = holder
          _log.error('%s was taken over by %s', self._path.parent, lock_holder.who(holder))
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
  holder = lock_holder.read(records.absolute(workdir) / NAME)
  return holder if holder and not lock_holder.is_gone(holder) else None


def _digest(holder: dict) -> str:
  return hashlib.sha256(json.dumps(holder, sort_keys=True).encode()).hexdigest()[:16]
