"""Several processes on this machine: starts them, passes signals on, lets none outlive the rest.

Each is the command that was given, with the flags that make it one of a group on 127.0.0.1. The
first one's output is shown; that of the others is kept in files.
"""

import ctypes
import glob
import itertools
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from errors import UserError
from train_lib import signals
from train_lib.multihost import distributed
from train_lib.signals import EXIT_PREEMPTED

GRACE_SEC = 15.0                  # for the others to end by themselves when one has failed
END_SEC = 600.0                   # ... when one has ended well: it may wait for nobody
TAIL_LINES = 20                   # of a failed process's output that are shown
MANY_DEVICES = '8'                # threads of XLA: a virtual device that waits holds one
LAUNCHER = 'OKO_LAUNCHER'         # set in the processes: the number of the one that started them
_PR_SET_PDEATHSIG = 1


def run(argv: list[str], count: int, devices: int, workdir: str) -> int:
  """Runs a command as a group of processes until all have ended.

  Args:
    argv: of this program, which calls `signals.stop_early`.
    count: of processes.
    devices: of each: virtual ones on a CPU, or as many of the machine's GPUs; 0: on a CPU as they
      are, and equal shares of the GPUs.
    workdir: of the run; a local one gets the others' output, in `logs/process-<k>.txt`.

  Returns:
    The exit code of the one that failed first, 128 + its number where a signal ended it; 75 when
    all were stopped as asked; 0 when all ended well.
  """
  if count < 1:
    raise UserError(f'--processes is {count}; it is the number of processes to start, at least 1')
  distributed.check_devices(devices)
  shares = _gpu_shares(count, devices)
  group = _Group(_Logs(workdir, count))
  before = {signum: signal.signal(signum, group.pass_on) for signum in signals.STOPS}
  try:
    address = f'127.0.0.1:{_free_port()}'
    for number in range(count):
      flags = [f'--coordinator={address}', f'--num_processes={count}', f'--process_id={number}',
               '--processes=0', '--distributed=false']
      if shares:
        flags += [f'--device_ids={",".join(map(str, shares[number]))}', '--devices_per_process=0']
      group.start([sys.executable, *argv, *flags], _environment(devices and not shares))
    return group.wait()
  finally:
    group.end()
    for signum, handler in before.items():
      signal.signal(signum, handler)


class _Group:
  """The processes; those that have ended come out of a queue in the order in which they did."""

  def __init__(self, logs):
    self._logs, self._processes, self._ended = logs, [], queue.SimpleQueue()
    self._asked = []

  def start(self, command, environment):
    """Starts the next one, in a session of its own: signals of the terminal come by way of us."""
    number = len(self._processes)
    output = self._logs.open(number)
    with signals.held():
      process = subprocess.Popen(
          command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
          stderr=output and subprocess.STDOUT, start_new_session=True)
    self._processes.append(process)
    threading.Thread(target=lambda: self._ended.put((number, process.wait())), daemon=True).start()
    if self._asked:
      self._send(self._asked[-1])

  def pass_on(self, signum, frame):
    """Handles a signal: every process gets it."""
    del frame
    self._asked.append(signum)
    self._send(signum)

  def _send(self, signum):
    for process in self._processes:
      if process.poll() is None:
        process.send_signal(signum)

  def wait(self) -> int:
    """Returns the exit code of all."""
    codes, until, failed = {}, None, None
    while len(codes) < len(self._processes):
      try:
        number, code = self._ended.get(timeout=0.2)
      except queue.Empty:
        if until is not None and time.monotonic() > until:
          self._logs.tell_stuck(codes.keys())
          self._send(signal.SIGKILL)
          until = None
        continue
      codes[number] = code
      good = code in (0, EXIT_PREEMPTED)
      if not good and failed is None:
        failed = code
        self._logs.tell(number, code, len(self._processes) - len(codes))
      left_sec = END_SEC if failed is None else GRACE_SEC
      if until is None or not good:
        until = min(until or float('inf'), time.monotonic() + left_sec)
    if failed is not None:
      return failed if failed > 0 else 128 - failed
    return max(codes.values())

  def end(self):
    """Kills what is left, waits for it, and leaves the files."""
    self._send(signal.SIGKILL)
    for process in self._processes:
      process.wait()
    self._logs.close()


class _Logs:
  """Where the output of all but the first process goes.

  A folder that may be none of a run is left alone: what is written there is removed again unless it
  is one in the end.
  """

  def __init__(self, workdir, count):
    self._count, self._files = count, []
    self._top = pathlib.Path(os.path.expanduser(workdir)).absolute()
    self._top_was_there = self._top.exists()
    if '://' in workdir or not self._may_be_ours():
      self._folder = pathlib.Path(tempfile.mkdtemp(prefix='oko-processes-'))
    else:
      self._folder = self._top / 'logs'

  def _may_be_ours(self):
    if not self._top_was_there or self._is_run():
      return True
    return self._top.is_dir() and not any(self._top.iterdir())

  def _is_run(self):
    return (self._top / 'run.json').exists()

  def open(self, number):
    """A file for the output of a process; None: it goes where ours goes."""
    if number == 0:
      return None
    self._folder.mkdir(parents=True, exist_ok=True)
    self._files.append(open(self._path(number), 'ab'))
    if number == self._count - 1:
      print(f'oko: {self._count} processes; the output of all but the first is in {self._folder}',
            file=sys.stderr, flush=True)
    return self._files[-1]

  def tell(self, number, code, left):
    """Says which process failed first, and the end of its output unless that was shown."""
    how = f'was ended by {signal.Signals(-code).name}' if code < 0 else f'ended with code {code}'
    lines = [f'oko: process {number} {how}'
             + (f'; the other {left} are given {GRACE_SEC:g} s to end' if left else '')]
    if number:
      tail = self._path(number).read_text(errors='replace').splitlines()[-TAIL_LINES:]
      lines += [f'  {number}| {line}' for line in tail]
    print('\n'.join(lines), file=sys.stderr, flush=True)

  def tell_stuck(self, ended):
    """Says which processes had to be killed. Args: ended: the numbers of the others."""
    stuck = [str(number) for number in range(self._count) if number not in ended]
    print(f'oko: not ended by now, and killed: process {", ".join(stuck)}', file=sys.stderr,
          flush=True)

  def close(self):
    """Closes the files, and removes them where no run has begun."""
    for file in self._files:
      file.close()
    if self._folder != self._top / 'logs' or self._is_run() or not self._folder.exists():
      return
    for number in range(1, self._count):
      self._path(number).unlink(missing_ok=True)
    for folder in [self._folder] + [self._top] * (not self._top_was_there):
      if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

  def _path(self, number):
    return self._folder / f'process-{number}.txt'


def _environment(virtual: bool) -> dict:
  environment = {**os.environ, LAUNCHER: str(os.getpid())}
  if virtual:
    environment.setdefault('NPROC', MANY_DEVICES)
  return environment


def _gpu_shares(count: int, devices: int) -> list[list[int]]:
  """The GPUs of each process; [] on a machine without, or where JAX is told to use the CPU."""
  platforms = os.environ.get('JAX_PLATFORMS') or 'cuda'
  if not {'cuda', 'gpu'} & set(platforms.split(',')):
    return []
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  there = len(glob.glob('/dev/nvidia[0-9]*')) if visible is None else len(list(
      itertools.takewhile(lambda name: name not in ('', '-1'), visible.split(','))))
  if not there:
    return []
  each = devices or there // count
  if each < 1 or each * count > there:
    raise UserError(f'{count} processes with {max(each, 1)} GPUs each want more than the {there} '
                    'of this machine; give fewer --processes or --devices_per_process')
  return [list(range(number * each, (number + 1) * each)) for number in range(count)]


def _free_port() -> int:
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


def follow_launcher() -> None:
  """In a process that `run` started: lets it be told to stop when the launcher is gone (Linux)."""
  launcher = os.environ.pop(LAUNCHER, '')
  if launcher and sys.platform == 'linux':
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(launcher):
      sys.exit(EXIT_PREEMPTED)
