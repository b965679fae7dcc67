"""Runs a job: `python main.py --config=configs/tagger.py` trains; `--job=...` does the rest."""

import gc

if __name__ == '__main__':        # before the other imports, which take a while
  from train_lib import signals
  signals.stop_early()
  gc.disable()                    # until the job begins

import sys

from absl import app, flags
from ml_collections import config_flags

from configs import base
from errors import UserError
from train_lib import launch
from train_lib.multihost import distributed, local_processes

JOB = flags.DEFINE_string('job', '', "what to do: a name in jobs.JOBS; '': what the page is for")
WORKDIR = flags.DEFINE_string('workdir', '', "a run's folder; '': runs/<config>[-<preset>]")
INPUT = flags.DEFINE_string('input', '', 'a picture or a folder, of jobs that look at one')
OUTPUT = flags.DEFINE_string('output', '', "a folder for what the job writes; '': in the workdir")
TUNE = flags.DEFINE_bool('tune', True, 'on a CPU: start again with faster allocator settings')
PROCESSES = flags.DEFINE_integer('processes', 0, 'start so many on this machine; 0: this one alone')
COORDINATOR = flags.DEFINE_string('coordinator', '', "HOST:PORT of process 0 of many; '': alone")
NUM_PROCESSES = flags.DEFINE_integer('num_processes', 0, 'in all, of --coordinator')
PROCESS_ID = flags.DEFINE_integer('process_id', -1, 'of this one among them, from 0')
DISTRIBUTED = flags.DEFINE_bool('distributed', False, 'JAX finds the others: TPU pods, SLURM, ...')
DEVICES = flags.DEFINE_integer('devices_per_process', 0, 'of each of many: virtual ones on a CPU')
DEVICE_IDS = flags.DEFINE_list('device_ids', [], "this process's GPUs among those of its host")
HEARTBEAT_SEC = flags.DEFINE_integer('heartbeat_sec', distributed.HEARTBEAT_SEC, 'of one lost')
CONNECT_SEC = flags.DEFINE_integer('connect_sec', distributed.CONNECT_SEC, 'until all are here')
CONFIG = config_flags.DEFINE_config_file('config', None, 'a page: configs/NAME.py[:PRESET]',
                                         lock_config=True)


def main(argv: list[str]) -> None:
  """Looks up the job and hands it the flags."""
  if TUNE.value:
    launch.restart_tuned(sys.argv)
  launch.quiet_libraries()
  if len(argv) > 1:
    raise UserError(f"'{argv[1]}' is not a flag; flags look like --config=configs/tagger.py")
  config = CONFIG.value
  name = JOB.value or config.job
  if config.runtime.dry_run and name != 'train':
    raise UserError(f'runtime.dry_run is of --job=train, and this is --job={name}')
  config_path = config_flags.get_config_filename(flags.FLAGS['config'])
  workdir = WORKDIR.value or launch.default_workdir(config_path)
  _join(config, workdir)
  from jobs import get_job  # not before: jax reads its settings at import
  run = get_job(name)
  gc.enable()
  run(config, workdir, config_path=config_path, input=INPUT.value, output=OUTPUT.value)


def _join(config, workdir: str) -> None:
  """Makes this process one of many where flags say so, or starts them and ends when they have."""
  local_processes.follow_launcher()
  if PROCESSES.value:
    if COORDINATOR.value or NUM_PROCESSES.value or PROCESS_ID.present or DISTRIBUTED.value:
      raise UserError('--processes starts all of them on this machine; leave out --coordinator, '
                      '--num_processes, --process_id and --distributed, or leave it out')
    sys.exit(local_processes.run(sys.argv, PROCESSES.value, DEVICES.value, workdir))
  distributed.join(coordinator=COORDINATOR.value, num_processes=NUM_PROCESSES.value,
               process_id=PROCESS_ID.value, found_by_jax=DISTRIBUTED.value, devices=DEVICES.value,
               device_ids=DEVICE_IDS.value, cache_dir=config.runtime.cache_dir,
               heartbeat_sec=HEARTBEAT_SEC.value, connect_sec=CONNECT_SEC.value)


if __name__ == '__main__':
  launch.run_and_exit(
      lambda: app.run(main, argv=launch.complete_arguments(sys.argv, base.get_config()),
                      flags_parser=flags.FLAGS))
