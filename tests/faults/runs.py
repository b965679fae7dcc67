"""Starting, stopping and comparing runs of the main command."""

import collections
import contextlib
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
EXIT_PREEMPTED, EXIT_STUCK, EXIT_LOST_PEER = 75, 70, 69
KILLED = -signal.SIGKILL
START_SEC, RUN_SEC = 240.0, 600.0  # longest that a start, a whole run may take
HEARTBEAT_SEC = 10
NUM_STEPS = 48
MANY_THREADS = {'NPROC': '8'}      # of XLA: a virtual device that waits holds one
# 48 steps on pictures of 32 px: a checkpoint every 4, an evaluation every 12, a loss every step
TINY = ('--config=configs/tagger.py:smoke', '--config.data.image_size_px=32',
        '--config.data.num_train=96', '--config.data.num_valid=18', '--config.data.num_test=18',
        '--config.train.num_epochs=4', '--config.train.batch_size=8', '--config.eval.batch_size=8',
        "--config.data.augment=('mirror','rotation','scale','translation','cutout','colour')",
        '--config.net.dropout_rate=0.1', '--config.train.ema_decay=0.9', '--config.train.shrink=2',
        '--config.train.shrink_frac=0.5', '--config.eval.every_steps=12',
        '--config.eval.baselines=False', '--config.runtime.tensorboard=False',
        '--config.runtime.checkpoint_every_steps=4', '--config.runtime.log_every_steps=1')
SHORTER = ('--config.train.shrink_frac=0.0',)      # pictures of one size: one program to compile


class Runs:
  """A folder of workdirs, all of one dataset and with one cache of compiled programs.

  Args:
    folder: pathlib.Path; made.
    config: flags of the main command that every run gets.
  """

  def __init__(self, folder: pathlib.Path, config: tuple = TINY):
    self.folder, self.config = folder, config
    folder.mkdir(parents=True, exist_ok=True)

  # Starting

  def start(self, workdir: str, *flags: str, faults=(), env=None, log=None,
            own_group=False) -> subprocess.Popen:
    """Starts the main command. Args: faults: dicts, see injected.py; log: name of its output."""
    watch = {'kind': 'watch', 'log': str(self.folder / f'{log or workdir}.ids')}
    with open(self.log_path(log or workdir), 'a') as file:
      return subprocess.Popen(
          [sys.executable, '-m', 'tests.faults.injected', *self.flags(workdir), *flags], cwd=ROOT,
          stdout=file, stderr=file, start_new_session=own_group,
          env={**os.environ, 'JAX_PLATFORMS': 'cpu', **(env or {}),
               'OKO_FAULTS': json.dumps([{'kind': 'no_pictures'}, watch, *faults])})

  def flags(self, workdir: str) -> tuple[str, ...]:
    """Those of every run of this folder."""
    return (*self.config, f'--workdir={self.folder / workdir}',
            f'--config.data.dir={self.folder / "data"}',
            f'--config.runtime.cache_dir={self.folder / "programs"}')

  def end(self, process, seconds: float = START_SEC) -> int:
    """The exit code of a process that must end within so many seconds."""
    try:
      return process.wait(seconds)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()
      raise AssertionError(f'it had not ended after {seconds:g} s') from None

  def finish(self, workdir: str, *flags: str, **options) -> dict:
    """Runs to the end, which must be a good one; returns run.json."""
    code = self.end(self.start(workdir, *flags, **options), RUN_SEC)
    assert code == 0, f'it ended with {code}: {self.said(workdir)[-2000:]}'
    return self.record(workdir)

  def refuse(self, workdir: str, *flags: str, **options) -> None:
    """Runs until it ends, which must be with a sentence and code 2."""
    process = self.start(workdir, *flags, **options)
    with ended(process):
      code = self.end(process)
    said = self.said(options.get('log') or workdir)
    assert code == 2, f'it ended with {code} instead of 2: {said[-2000:]}'

  def stop_after(self, workdir: str, step: int, *flags: str, **options) -> None:
    """Starts a run and asks it to stop once a step is done; it must save that and end with 75."""
    process = self.start(workdir, *flags, **options)
    with ended(process):
      self.wait_for_step(workdir, step, process)
      process.send_signal(signal.SIGTERM)
      code = self.end(process)
    assert code == EXIT_PREEMPTED, f'it ended with {code}: {self.said(workdir)[-2000:]}'

  def group(self, workdir: str, *flags: str, count=2, devices=2, faults=None, env=None,
            **options) -> list[subprocess.Popen]:
    """The same run as several processes on this machine. Args: faults: {rank: its faults}."""
    port = free_port()
    return [self.start(
        workdir, f'--coordinator=127.0.0.1:{port}', f'--num_processes={count}',
        f'--process_id={rank}', f'--heartbeat_sec={HEARTBEAT_SEC}',
        f'--devices_per_process={devices}', *flags,
        faults=[{'kind': 'cache_of_all'}, *(faults or {}).get(rank, ())], log=f'{workdir}-{rank}',
        env={**MANY_THREADS, **(env or {})},
        **options) for rank in range(count)]

  # Waiting

  def wait_for(self, condition, process, seconds: float = START_SEC) -> None:
    """Waits until condition() holds; the process must live meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
      assert process.poll() is None, f'it ended with {process.poll()} before its time'
      assert time.monotonic() < end, f'nothing came within {seconds:g} s'
      time.sleep(0.01)

  def wait_for_step(self, workdir: str, step: int, process) -> None:
    """Waits until a step stands in metrics.jsonl."""
    self.wait_for(lambda: any(at >= step for at in self.losses(workdir)), process)

  def wait_for_file(self, name: str, process) -> None:
    """Waits for a file of this folder."""
    self.wait_for((self.folder / name).exists, process)

  # What a run left

  def record(self, workdir: str) -> dict:
    """run.json."""
    return json.loads((self.folder / workdir / 'run.json').read_text())

  def log_path(self, log: str) -> pathlib.Path:
    """Where the output of the runs of a name goes."""
    return self.folder / f'{log}.log'

  def said(self, log: str) -> str:
    """What they wrote to it."""
    return self.log_path(log).read_text()

  def rows(self, workdir: str, name: str = 'metrics.jsonl') -> list[dict]:
    """The rows of a JSON Lines file of a workdir; a line that is being written is left out."""
    path = self.folder / workdir / name
    if not path.exists():
      return []
    rows = []
    for line in path.read_text().splitlines():
      with contextlib.suppress(ValueError):
        rows.append(json.loads(line))
    return rows

  def losses(self, workdir: str) -> dict[int, float]:
    """Step -> training loss; no step may stand twice."""
    rows = [row for row in self.rows(workdir) if 'train/loss' in row]
    counts = collections.Counter(row['step'] for row in rows)
    assert not counts or max(counts.values()) == 1, f'steps stand twice: {counts.most_common(3)}'
    return {row['step']: row['train/loss'] for row in rows}

  def ids(self, *logs: str) -> dict[int, list]:
    """Batch -> ids of its rows, of the processes with these logs one after another.

    However often a batch was made, its ids must be the same.
    """
    found = {}
    for log in logs:
      own = {}
      for line in (self.folder / f'{log}.ids').read_text().splitlines():
        with contextlib.suppress(ValueError):
          row = json.loads(line)
          assert own.setdefault(row['batch'], row['ids']) == row['ids'], f'batch {row["batch"]}'
      for k, ids in own.items():
        found.setdefault(k, []).extend(ids)
    return found

  def saved_steps(self, workdir: str) -> list[int]:
    """The steps with a manifest."""
    folder = self.folder / workdir / 'checkpoints'
    return sorted(int(path.parent.name) for path in folder.glob('*/manifest.json')
                  if path.parent.name.isdigit())

  # Comparing

  @functools.cached_property
  def undisturbed(self) -> dict:
    """The reference, run.json of a run that nothing happened to."""
    began = time.monotonic()
    record = self.finish('undisturbed')
    return {**record, 'seconds': time.monotonic() - began}

  def check_same(self, workdir: str, reference: str = 'undisturbed') -> str:
    """Asserts that a finished run equals the reference bit by bit: state, losses, sample ids."""
    one, other = self.record(workdir), self.record(reference)
    assert one['params_digest'] == other['params_digest'], 'the parameters differ'
    assert one['state_digest'] == other['state_digest'], 'the state differs'
    assert self.losses(workdir) == self.losses(reference), 'the losses differ'
    assert self.ids(workdir) == self.ids(reference), 'the sample ids differ'
    return 'state, losses and sample ids bitwise the same'


@contextlib.contextmanager
def ended(*processes):
  """Kills at the end what still runs."""
  try:
    yield
  finally:
    for process in processes:
      if process.poll() is None:
        process.kill()
      process.wait()


def free_port() -> int:
  """A port of this machine that nobody listens at."""
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


def children(pid: int) -> list[int]:
  """The living processes below one."""
  found = []
  for path in pathlib.Path('/proc').glob('[0-9]*/stat'):
    with contextlib.suppress(OSError, IndexError):
      state, parent = path.read_text().rpartition(')')[2].split()[:2]
      if int(parent) == pid and state != 'Z':
        found += [int(path.parent.name), *children(int(path.parent.name))]
  return found


def is_alive(pid: int) -> bool:
  try:
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
  except OSError:
    return False
