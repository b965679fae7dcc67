"""The processes of one run, on one or many hosts: how they find each other, and how they part."""

import os
import sys
import threading
from collections.abc import Sequence

from errors import UserError

EXIT_LOST_PEER = 69               # EX_UNAVAILABLE: another process is gone or never came
HEARTBEAT_SEC = 60
CONNECT_SEC = 300
LONGEST_SEC = 86_400
NO_PROCESS_ID = -1                # of a process that is not numbered
GRACE_SEC = 30.0                  # that JAX gets beyond `connect_sec`, all processes being there
# In what an error says where the connection to another process broke.
LOSSES = ('gloo', 'nccl', 'connection closed by peer', 'connection reset by peer', 'socket closed',
          'coordination', 'heartbeat', 'failed to connect')

_parting = {'together': False}


def size() -> int:
  """The number of processes of this run; asks no device."""
  state = _state()
  return state.num_processes if state else 1


def index() -> int:
  """Which of them this is, from 0; asks no device."""
  state = _state()
  return state.process_id if state else 0


def stops_together() -> bool:
  """Whether JAX has connected the group and hears a SIGTERM, which then stops all; asks nothing."""
  state = _state()
  return state is not None and getattr(state, 'preemption_sync_manager', None) is not None


def client():
  """JAX's connection to the process that coordinates the others, which keeps words by name."""
  return _state().client


def _state():
  """What JAX knows of the group; None in a process by itself, whether or not it has jax."""
  distributed = sys.modules.get('jax._src.distributed')
  state = getattr(distributed, 'global_state', None)     # none yet while it is being imported
  return state if state and state.client is not None else None


def join(*, coordinator: str = '', num_processes: int = 0, process_id: int = NO_PROCESS_ID,
         found_by_jax: bool = False, devices: int = 0, device_ids: Sequence[str] = (),
         cache_dir: str = '', heartbeat_sec: int = HEARTBEAT_SEC,
         connect_sec: int = CONNECT_SEC) -> None:
  """Makes this process one of a group, or leaves it by itself where nothing names one.

  To be called before anything else asks JAX for devices.

  Args:
    coordinator: HOST:PORT of process 0, as every process reaches it.
    num_processes, process_id: of the group, and of this one in it, from 0.
    found_by_jax: these three are what JAX finds: on TPU pods, under SLURM, Open MPI, Kubernetes.
    devices: virtual devices of this process on a CPU; 0: as they are.
    device_ids: numbers of this host's GPUs that are this process's; (): all.
    cache_dir: of compiled programs, as of `devices.set_up_jax`.
    heartbeat_sec: of silence, after which a process counts as lost.
    connect_sec: that all have to come in.

  Raises:
    UserError: flags that make no sense together, a port in use, or processes that do not come.
  """
  check_flags(coordinator, num_processes, process_id, found_by_jax, heartbeat_sec, connect_sec)
  check_devices(devices)
  if not all(str(number).isdecimal() for number in device_ids):
    raise UserError(f"--device_ids is '{','.join(device_ids)}'; it is numbers, such as 0,1")
  if devices:
    _set_virtual_devices(devices)
  if not coordinator and not found_by_jax:
    return
  from train_lib import devices as devices_lib
  devices_lib.set_up_jax(cache_dir)               # JAX looks once, at its first program
  if coordinator:
    from train_lib.multihost import rendezvous
    bind = rendezvous.meet(coordinator, num_processes, process_id, connect_sec)
    _bypass_proxy(coordinator)
    options = {'coordinator_address': coordinator, 'num_processes': num_processes,
               'process_id': process_id, 'coordinator_bind_address': bind}
  else:
    options = {}
  with _Deadline(connect_sec + (GRACE_SEC if coordinator else 0)):
    _initialize(local_device_ids=list(map(int, device_ids)) or None,
                heartbeat_timeout_seconds=heartbeat_sec,
                initialization_timeout=int(connect_sec + 2 * GRACE_SEC), **options)
    _check_devices()
    _connect_devices()


def check_flags(coordinator, num_processes, process_id, found_by_jax, heartbeat_sec,
                connect_sec) -> None:
  """Raises UserError for values of `join` that make no sense together."""
  if not all(1 <= seconds <= LONGEST_SEC for seconds in (heartbeat_sec, connect_sec)):
    raise UserError(f'--heartbeat_sec is {heartbeat_sec} and --connect_sec {connect_sec}; both '
                    f'are whole seconds, from 1 to {LONGEST_SEC}')
  if found_by_jax and (coordinator or num_processes or process_id != NO_PROCESS_ID):
    raise UserError('--distributed lets JAX find the other processes; leave out --coordinator, '
                    '--num_processes and --process_id, or leave it out and give these three')
  if not coordinator and (num_processes or process_id != NO_PROCESS_ID):
    raise UserError('--num_processes and --process_id go with --coordinator=HOST:PORT')
  if coordinator and (num_processes < 1 or not 0 <= process_id < num_processes):
    raise UserError(f'--coordinator goes with --num_processes=N and --process_id=K, K from 0 to '
                    f'N - 1; they are {num_processes} and {process_id}')


def check_devices(devices: int) -> None:
  """Raises UserError for a number of devices of a process that is none; 0: as they are."""
  if devices < 0:
    raise UserError(f'--devices_per_process is {devices}; it is the number of devices of each '
                    'process, or 0 for those that are there')


def leave(code: int) -> None:
  """Ends the program with an exit code; a process that fails alone does not wait for the others.

  JAX would have it wait at the end for processes that wait for it in a collective.
  """
  if code and _state() is not None and not _parting['together']:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  sys.exit(code)


def part_together() -> None:
  """Notes that all processes are about to end, so that they may wait for each other."""
  _parting['together'] = True


def describe_loss(error: BaseException) -> str:
  """One sentence where an error says that another process was lost; '' for any other error."""
  text = f'{type(error).__name__}: {error}'
  if _state() is None or not any(word in text.lower() for word in LOSSES):
    return ''
  return (f'process {index()} of {size()} lost the connection to another one, which has ended or '
          f'hangs ({" ".join(str(error).split())[:200]}); when all have ended, the same command '
          'goes on from the newest saved step')


class _Deadline:
  """Ends the process with a sentence when the block takes longer: JAX would abort, or hang."""

  def __init__(self, seconds: float):
    self._timer = threading.Timer(seconds, self._end, (seconds,))
    self._timer.daemon = True

  def __enter__(self):
    self._timer.start()

  def __exit__(self, *_):
    self._timer.cancel()

  def _end(self, seconds):
    sys.stdout.flush()
    os.write(2, f'oko: the processes have not all come together within {seconds:g} s; start every '
                'one of them, or give them longer with --connect_sec\n'.encode())
    os._exit(EXIT_LOST_PEER)


def _initialize(**options):
  import jax
  try:
    jax.distributed.initialize(**options)
  except (RuntimeError, ValueError) as error:
    if options.get('coordinator_address'):
      raise UserError(f'process {options["process_id"]} could not join the others at '
                      f'{options["coordinator_address"]}: {error}') from error
    raise UserError('--distributed found no group of processes here (neither a TPU pod nor SLURM, '
                    'Open MPI or Kubernetes): name them with --coordinator=HOST:PORT '
                    f'--num_processes=N --process_id=K ({error})') from error


def _check_devices():
  import jax
  try:
    local, every = jax.local_device_count(), jax.device_count()
  except RuntimeError as error:
    raise UserError(f'process {index()} of {size()} has no devices: {error}') from error
  if local * size() != every:
    raise UserError(f'process {index()} of {size()} has {local} of {every} devices; every process '
                    'must have equally many')


def _connect_devices():
  """Lets the devices meet now, while all processes are here.

  They connect at the first computation over all of them, and on CPUs wait 30 s for each other
  there, less than one process may compile for longer than another. Later they wait for good.
  """
  import jax
  import numpy as np
  from jax.experimental import multihost_utils
  from jax.sharding import Mesh, NamedSharding, PartitionSpec

  if size() == 1:
    return
  mesh = Mesh(np.array(jax.devices()), ('data',))
  whole, rows = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec('data'))
  ones = jax.make_array_from_process_local_data(rows, np.ones(jax.local_device_count()))
  jax.block_until_ready(jax.jit(lambda x: x.sum(), out_shardings=whole)(ones))
  multihost_utils.sync_global_devices('joined')


def _set_virtual_devices(count: int):
  import jax
  try:
    jax.config.update('jax_num_cpu_devices', count)
  except (RuntimeError, ValueError) as error:
    raise UserError(f'--devices_per_process={count}: {error}') from error


def _bypass_proxy(coordinator: str):
  """A proxy for web pages is none for the coordinator, whatever the environment says."""
  host = coordinator.rpartition(':')[0].strip('[]')
  before = os.environ.get('no_grpc_proxy') or os.environ.get('no_proxy') or ''
  os.environ['no_grpc_proxy'] = ','.join(filter(None, (before, host)))
