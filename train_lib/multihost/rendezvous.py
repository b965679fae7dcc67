"""All processes report to process 0 before JAX connects them, so that it can say who is missing.

JAX aborts, or waits until its time is over, where a process does not come or two give the same
number. Here each says in one line of JSON who it is; it gets one line back, and then the port is
free for JAX. Nothing that is received is trusted for more than these numbers.
"""

import contextlib
import errno
import json
import socket
import time

from errors import UserError

MOST_BYTES = 1000                 # of a line
LINE_SEC = 5.0                    # for one, once somebody has connected
RETRY_SEC = 0.2


def parse(address: str) -> tuple[str, int]:
  """(host, port) of HOST:PORT or [IPv6]:PORT. Raises UserError."""
  host, _, port = address.rpartition(':')
  if not host or not port.isdecimal() or not 0 < int(port) < 65536:
    raise UserError(f"--coordinator is '{address}'; it is HOST:PORT of process 0, such as "
                    '10.0.0.1:8476')
  return host.strip('[]'), int(port)


def meet(address: str, num_processes: int, process_id: int, seconds: float) -> str:
  """Waits until all processes have come.

  Args:
    address: HOST:PORT of process 0.
    num_processes, process_id: as this process was started.
    seconds: that all have to come in.

  Returns:
    HOST:PORT that process 0 is to listen at: what was named, or every interface where that is no
    address of this machine.

  Raises:
    UserError: says who is missing, or what does not fit.
  """
  host, port = parse(address)
  end = time.monotonic() + seconds
  if process_id == 0:
    with _listen(host, port) as (listener, bind):
      _gather(listener, address, num_processes, end, seconds)
    return bind
  _report(host, port, address, num_processes, process_id, end, seconds)
  return ''


@contextlib.contextmanager
def _listen(host, port):
  """(listening socket, the address it is bound to)."""
  try:
    kind, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
  except OSError as error:
    raise UserError(f"--coordinator names the host '{host}', which cannot be found: "
                    f'{error.strerror}') from error
  shown = f'[{host}]' if ':' in host else host
  with socket.socket(kind, socket.SOCK_STREAM) as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bind = f'{shown}:{port}'
    try:
      try:
        listener.bind(where)
      except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:          # a name that only others know this host by
          raise
        listener.bind(('::' if kind == socket.AF_INET6 else '0.0.0.0', port))
        bind = f'[::]:{port}' if kind == socket.AF_INET6 else f'0.0.0.0:{port}'
      listener.listen(128)
    except OSError as error:
      raise UserError(f'process 0 cannot listen at {shown}:{port} ({error.strerror}); take a free '
                      'port, the same in the --coordinator of every process') from error
    yield listener, bind


def _gather(listener, address, num_processes, end, seconds):
  """Process 0: takes the others' reports and answers all of them at once."""
  with contextlib.ExitStack() as stack:
    came, problem = {}, ''
    while len(came) < num_processes - 1 and not problem:
      listener.settimeout(max(0.01, end - time.monotonic()))
      try:
        connection = stack.enter_context(listener.accept()[0])
      except TimeoutError:
        missing = sorted(set(range(1, num_processes)) - came.keys())
        problem = (f'{_named(missing)} of {num_processes} did not come to {address} within '
                   f'{seconds:g} s; start every one with the same --coordinator and '
                   '--num_processes, see that nothing between the hosts blocks the port, or wait '
                   'longer with --connect_sec')
        break
      found = _read(connection)
      number, of = (found.get('process'), found.get('of')) if found else (None, None)
      if not isinstance(number, int) or not isinstance(of, int):
        continue                                        # nobody of ours
      if of != num_processes or not 0 < number < num_processes:
        problem = (f'process {number} was started with --num_processes={of}, and process 0 with '
                   f'--num_processes={num_processes}; start all with the same')
      elif number in came:
        problem = (f'two processes were started with --process_id={number}; every one of the '
                   f'{num_processes} has its own, from 0 to {num_processes - 1}')
      came.setdefault(number, []).append(connection)
    for connection in [one for several in came.values() for one in several]:
      with contextlib.suppress(OSError):
        connection.sendall(json.dumps({'problem': problem}).encode() + b'\n')
  if problem:
    raise UserError(problem)


def _report(host, port, address, num_processes, process_id, end, seconds):
  """Every other process: says who it is and waits for the word."""
  why = 'nobody answered'
  while time.monotonic() < end:
    try:
      with socket.create_connection((host, port), max(0.1, end - time.monotonic())) as connection:
        connection.sendall(json.dumps({'process': process_id, 'of': num_processes}).encode()
                           + b'\n')
        found = _read(connection, max(0.1, end + LINE_SEC - time.monotonic()))
      if found is not None and isinstance(found.get('problem'), str):
        if found['problem']:
          raise UserError(found['problem'][:MOST_BYTES])
        return
      why = 'what answered is no process 0 of this program, or it has ended'
    except OSError as error:
      why = error.strerror or str(error)
    time.sleep(RETRY_SEC)
  raise UserError(f'process {process_id} of {num_processes} found no process 0 at {address} within '
                  f'{seconds:g} s ({why}); start process 0 there, and see that nothing between the '
                  'hosts blocks the port')


def _read(connection, seconds: float = LINE_SEC) -> dict | None:
  """One line of JSON, an object; None for anything else."""
  connection.settimeout(seconds)
  content = b''
  try:
    while b'\n' not in content and len(content) < MOST_BYTES:
      part = connection.recv(MOST_BYTES)
      if not part:
        break
      content += part
    found = json.loads(content)
  except (OSError, RecursionError, ValueError):
    return None
  return found if isinstance(found, dict) else None


def _named(numbers: list[int], most: int = 8) -> str:
  """'process 3', 'processes 1 and 3', 'processes 1, 2, 3 and 20 more'."""
  if len(numbers) == 1:
    return f'process {numbers[0]}'
  if len(numbers) > most:
    shown, last = numbers[:most], f'{len(numbers) - most} more'
  else:
    shown, last = numbers[:-1], str(numbers[-1])
  return f'processes {", ".join(map(str, shown))} and {last}'
