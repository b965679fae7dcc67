"""What a lock says of its holder: which process on which machine, and until when it counts.

A lock may hold anything: another program's words, half a file, those of a former version. What
cannot be understood is heeded for good, and only a person removes it.
"""

import datetime
import json
import os
import socket
import sys

from etils import epath

from errors import printable, shortened
from train_lib.storage import remote

MOST_BYTES = 10_000
LONGEST_LEASE_SEC = 3600.0
_DEAD = ('Z', 'X')                # states of a process that ended and was not asked for its code
_MOST_PID = 2**31 - 1


def describe_self() -> dict:
  """What tells this process from every other one, of this machine and of others."""
  return {'host': socket.gethostname(), 'pid': os.getpid(), 'pid_namespace': _namespace(),
          'process_start': _look(os.getpid())[1]}


def read(path: epath.Path) -> dict | None:
  """What a lock says: None where there is none, {} where it says nothing."""
  def start_of():
    with path.open('rb') as file:
      return file.read(MOST_BYTES + 1)
  try:
    found = remote.with_tries(start_of, path) if remote.is_remote(path) else start_of()
    content = json.loads(found) if len(found) <= MOST_BYTES else None
  except FileNotFoundError:
    return None
  except (RecursionError, ValueError):
    content = None
  return content if isinstance(content, dict) else {}


def is_here(holder: dict) -> bool:
  """Whether its process can be asked from here: the same host, start of it and namespace of PIDs.

  Containers and copied machines may have equal names; a host after a restart may as well be
  another one of its name. The time alone decides about all of these.
  """
  pid, own = holder.get('pid'), _place(describe_self())
  is_certain = all(own) or sys.platform != 'linux'      # elsewhere there are no such namespaces
  return type(pid) is int and 0 < pid <= _MOST_PID and is_certain and _place(holder) == own


def is_alive(holder: dict) -> bool:
  """Whether the process of a holder that `is_here` still runs."""
  try:
    os.kill(holder['pid'], 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass
  state, start = _look(holder['pid'])
  # '': one of somebody else, that may not be looked at; another start: the number was given again
  return state not in _DEAD and start in ('', holder.get('process_start', ''))


def is_gone(holder: dict) -> bool:
  """Whether its process has ended, or the lease of one that cannot be asked has run out."""
  return not is_alive(holder) if is_here(holder) else left_sec(holder) < 0


def left_sec(holder: dict) -> float:
  """Seconds until a lock is void, at most its lease; infinity where it tells no time."""
  try:
    lease_sec = holder['lease_sec']
    if type(lease_sec) not in (int, float) or not 0 < lease_sec <= LONGEST_LEASE_SEC:
      return float('inf')
    return min(lease_sec, lease_sec - _passed_sec(holder['refreshed']))
  except (KeyError, OverflowError, TypeError, ValueError):
    return float('inf')


def who(holder: dict) -> str:
  """Such as 'process 12 on node3'."""
  text = f'process {_short(holder.get("pid", "?"))} on {_short(holder.get("host", "?"))}'
  if holder.get('host') == socket.gethostname() and not is_here(holder):
    text += ' (another container, start or machine of that name)'
  return text


def age(moment) -> str:
  """How long ago a time of a lock was. Args: moment: as it stands there."""
  try:
    return words(_passed_sec(moment))
  except (OverflowError, TypeError, ValueError):
    return 'an unknown time'


def words(seconds: float) -> str:
  """90 -> '0:01:30'."""
  return str(datetime.timedelta(seconds=max(0, int(seconds))))


def _passed_sec(moment) -> float:
  then = datetime.datetime.fromisoformat(moment)
  return (datetime.datetime.now(datetime.UTC) - then).total_seconds()


def _short(value) -> str:
  return printable(shortened(str(value), 100), kept='')


def _place(holder):
  start = holder.get('process_start', '')
  boot = start.partition(' ')[0] if isinstance(start, str) else None
  return holder.get('host'), boot, holder.get('pid_namespace', '')


def _namespace() -> str:
  """That of the numbers of processes; '' where the system does not say."""
  try:
    return os.readlink('/proc/self/ns/pid')
  except OSError:
    return ''


def _look(pid: int) -> tuple[str, str]:
  """(state, start: this boot and the clock ticks in it); '' where the system does not say."""
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
      fields = file.read().rpartition(')')[2].split()
    with open('/proc/sys/kernel/random/boot_id', encoding='utf-8') as file:
      return fields[0], f'{file.read().strip()} {fields[19]}'
  except (OSError, IndexError):
    return '', ''
