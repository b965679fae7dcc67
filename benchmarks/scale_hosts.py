"""Four hosts on one machine: 4 processes of one device each, against 1 process with 4 devices.

Part of `python -m benchmarks.scale_parts`. The processes find each other on the loopback as those
of `main.py --processes=4` do (`train_lib/multihost/local_processes.py`), and train the same small
tagger on the same drawn pictures. Each notes how long it took to get to its first step, how long
steps take, whether it read a quarter of every batch and which pictures, and what a checkpoint
costs. Adding up what every host has counted of its rows, tag by tag, as evaluation does at its end,
is timed too. Four processes share the processors of one machine here, and gloo goes through its
loopback: what they add is an upper bound of the program's own share, and says nothing of a network.
"""

import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from benchmarks.scale_figures import duration, figure

HOSTS = 4
BATCH, SIDE_PX = 64, 64
STEPS = 24
DRAWN = ('train', 128), ('valid', 8), ('test', 8)
COMMAND = ('-m', 'benchmarks.scale_hosts')


def measure(flags) -> dict[str, dict]:
  """Figures by name. Args: flags: of `scale_parts`: tags, repeats, folder."""
  found = {}
  with tempfile.TemporaryDirectory(dir=flags.folder) as scratch:
    folder = pathlib.Path(scratch)
    for name, processes, devices in (('drawing', 1, 1), ('4 processes', HOSTS, 1),
                                     ('1 process, 4 devices', 1, HOSTS)):
      told = _run(folder / name, folder / 'data', processes, devices, flags)
      if name != 'drawing':                             # which also fills the compilation cache
        found.update(_figures(name, told))
        if processes == HOSTS:
          found.update(_shares(told))
  return found


def _run(folder, data, processes, devices, flags) -> list[dict]:
  """What each of the processes told."""
  folder.mkdir()
  environment = {**os.environ, 'JAX_PLATFORMS': 'cpu'}
  subprocess.run(
      [sys.executable, *COMMAND, f'--start={processes}', f'--devices={devices}',
       f'--folder={folder}', f'--data={data}', f'--tags={flags.tags}',
       f'--repeats={flags.repeats}', f'--began={time.time()}'],
      check=True, env=environment, stdout=subprocess.DEVNULL, timeout=900)
  return [json.loads(path.read_text()) for path in sorted(folder.glob('host-*.json'))]


def _figures(name, told):
  return {
      f'{name}: start to first step': duration([one['first_step_sec'] for one in told], 's'),
      f'{name}: step': duration(told[0]['step_sec']),
      f'{name}: a checkpoint, waiting': duration(told[0]['waiting_sec']),
      f'{name}: a checkpoint, in all': duration(told[0]['save_sec']),
      f'{name}: counts of a split added up': duration(told[0]['join_sec'], 's')}


def _shares(told):
  """Of 4 processes: how much of every batch each reads, and whether together they read all."""
  batches = list(zip(*(one['ids'] for one in told), strict=True))
  together = [[id for part in parts for id in part] for parts in batches]
  parted = all(len(ids) == BATCH and len(set(ids)) == BATCH for ids in together)
  return {'rows of a batch that a host reads': figure(
              [len(part) for parts in batches for part in parts], f'of {BATCH}'),
          'every picture of a batch is read by one host alone': figure(float(parted), '(1: yes)')}


def main() -> None:
  """Starts the processes, or is one of them."""
  parser = argparse.ArgumentParser()
  for name, kind in (('start', int), ('devices', int), ('folder', str), ('data', str),
                     ('tags', int), ('repeats', int), ('began', float), ('coordinator', str),
                     ('num_processes', int), ('process_id', int), ('processes', int),
                     ('distributed', str)):
    parser.add_argument(f'--{name}', type=kind, default=kind())
  flags = parser.parse_args()
  if flags.start > 1 and not flags.coordinator:
    from train_lib.multihost import local_processes
    sys.exit(local_processes.run([*COMMAND, *sys.argv[1:]], flags.start, flags.devices,
                                 flags.folder))
  from train_lib.multihost import distributed, local_processes
  local_processes.follow_launcher()
  distributed.join(coordinator=flags.coordinator, num_processes=flags.num_processes,
                   process_id=flags.process_id if flags.coordinator else -1,
                   devices=flags.devices, cache_dir=str(pathlib.Path(flags.data) / 'programs'))
  told = _host(flags)
  path = pathlib.Path(flags.folder) / f'host-{distributed.index()}.json'
  path.write_text(json.dumps(told))
  distributed.part_together()


def _host(flags) -> dict:
  """One process: some steps, some checkpoints, and some times what all have counted added up."""
  import jax

  from configs import tagger
  from train_lib import devices
  from train_lib.build_sources import build_source
  from train_lib.multihost import processes
  from train_lib.training import build_training
  devices.set_up_jax(str(pathlib.Path(flags.data) / 'programs'))
  config = tagger.get_config('smoke')
  config.data.dir, config.data.image_size_px = flags.data, SIDE_PX
  config.train.batch_size, config.train.num_steps = BATCH, STEPS
  config.runtime.workers = 1
  for split, count in DRAWN:
    config.data[f'num_{split}'] = count
  source = processes.in_turn(lambda: build_source(config, 'train'))
  training = build_training(config, source=source)
  state, ids = training.init_state(training.key), []
  state, seconds, first_sec = _train(training, state, ids, flags.began)
  return {'first_step_sec': first_sec, 'step_sec': seconds, 'ids': ids,
          **_save(flags, state), 'join_sec': _join(training.mesh, flags),
          'devices': jax.device_count()}


def _train(training, state, ids, began):
  """(state, seconds of all steps but the first two, seconds until the first was done)."""
  import jax

  from train_lib import parallel
  seconds, first_sec = [], 0.0
  batches = training.batches(0, STEPS)
  while len(ids) < STEPS:
    batch = next(batches)
    ids.append(batch['id'])
    started = time.perf_counter()
    state, metrics = training.step_function(len(ids))(
        state, parallel.put_batch(training.mesh, batch), training.key)
    jax.block_until_ready(metrics)
    seconds.append(time.perf_counter() - started)
    first_sec = first_sec or time.time() - began
  return state, seconds[2:], first_sec


def _save(flags, state):
  from train_lib.storage.checkpoints import Checkpoints
  waiting, everything = [], []
  folder = pathlib.Path(flags.folder) / 'checkpoints'
  with Checkpoints(folder, config_digest='', keep_last=1) as checkpoints:
    for step in range(1, 1 + flags.repeats):
      started = time.perf_counter()
      checkpoints.save(step, state)
      waiting.append(time.perf_counter() - started)
      checkpoints.wait()
      everything.append(time.perf_counter() - started)
  return {'waiting_sec': waiting, 'save_sec': everything}


def _join(mesh, flags):
  """Seconds of adding up the histograms that every host has of its own rows."""
  from train_lib.multihost import apart, processes
  from train_lib.tags import tag_counts
  scores = tag_counts.TagScores(tag_counts.EXACT_SCORES // flags.tags + 1, flags.tags)
  seconds = []
  for _ in range(1 + flags.repeats):
    started = time.perf_counter()
    scores.join(functools.partial(apart.add_up, mesh), processes.gather)
    seconds.append(time.perf_counter() - started)
  return seconds[1:]


if __name__ == '__main__':
  main()
