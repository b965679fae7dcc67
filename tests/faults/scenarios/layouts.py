"""The same run on other numbers of workers, devices and processes."""

import json
import signal

import numpy as np

from tests.faults.runs import EXIT_PREEMPTED, MANY_THREADS, ended
from tests.faults.scenarios.stops import finish_group

TOLERANCE = 2e-3                  # of parameters after 48 steps of sums in another order


def workers(runs, short):
  """The numbers of workers and of prefetched batches change from start to start."""
  settings = (('0', '0'), ('2', '3'), ('1', '1'))
  for number, (workers, prefetched) in enumerate(settings):
    runs.stop_after('workers-change', 10 * (number + 1), f'--config.runtime.workers={workers}',
                    f'--config.runtime.prefetch_batches={prefetched}')
  runs.finish('workers-change', '--config.runtime.worker_processes')
  told = ', '.join(f'{workers} with {prefetched} ahead' for workers, prefetched in settings)
  return f'workers {told}, then 2 processes; {runs.check_same("workers-change")}'


def processes(runs, short):
  """2 processes x 2 devices, then 1 x 4, then 2 x 2 again."""
  stop_at = (13, 27)
  for number, step in enumerate(stop_at):
    started = runs.group('layouts') if number == 0 else [runs.start(
        'layouts', '--devices_per_process=4', env=MANY_THREADS, log='layouts-one')]
    with ended(*started):
      runs.wait_for_step('layouts', step, started[0])
      started[0].send_signal(signal.SIGTERM)
      assert {runs.end(process) for process in started} == {EXIT_PREEMPTED}
  finish_group(runs, 'layouts')
  ids = {**runs.ids('layouts-0', 'layouts-1'), **runs.ids('layouts-one')}
  assert ids == runs.ids('undisturbed'), 'the sample ids differ'
  largest = difference(runs, 'layouts', 'undisturbed')
  assert largest < TOLERANCE, largest
  return (f'2 x 2 to step {stop_at[0]}, 1 x 4 to {stop_at[1]}, 2 x 2 to the end: sample ids '
          f'identical, parameters within {largest:.1e} of one device')


def difference(runs, one, other):
  """The largest difference of two runs' parameters over the largest of an array."""
  import jax

  from train_lib.storage.checkpoints import Checkpoints
  trees = []
  for workdir in (one, other):
    folder = runs.folder / workdir / 'checkpoints'
    with Checkpoints(folder, config_digest='', keep_last=1) as checkpoints:
      trees.append(checkpoints.restore_variables('latest')[0]['params'])
  return max(jax.tree.leaves(jax.tree.map(
      lambda a, b: float(np.max(np.abs(a - b)) / np.max(np.abs(b))), *trees)))


def evaluation(runs, short):
  """A test split that neither batches nor processes divide, on every layout."""
  tables = {}
  for layout in ('1 x 1', '1 x 4', '2 x 1', '2 x 2'):
    count, devices = map(int, layout.split(' x '))
    output = runs.folder / f'evaluated-{layout.replace(" ", "")}'
    flags = ('--job=evaluate', f'--output={output}')
    started = (runs.group('undisturbed', *flags, count=count, devices=devices) if count > 1 else
               [runs.start('undisturbed', *flags, f'--devices_per_process={devices}',
                           env=MANY_THREADS, log='evaluated')])
    with ended(*started):
      codes = [runs.end(process) for process in started]
    assert set(codes) == {0}, (layout, codes)
    tables[layout] = numbers(json.loads((output / 'evaluation.json').read_text()))
  wanted = tables['1 x 1']
  counted = [value for name, value in wanted.items() if name.endswith('examples')]
  assert counted and set(counted) == {18}, counted
  largest = 0.0
  for layout, table in tables.items():
    assert table.keys() == wanted.keys(), layout
    largest = max([largest, *(abs(table[name] - wanted[name]) for name in wanted)])
  assert largest < 1e-6, largest
  return f'18 examples counted on {", ".join(tables)}; figures equal to {largest:.1e}'


def numbers(value, name=''):
  """{path: number} of what JSON holds, but for speeds."""
  if isinstance(value, dict):
    items = value.items()
  elif isinstance(value, list):
    items = enumerate(value)
  else:
    return {name: float(value)} if isinstance(value, (int, float)) else {}
  return {path: number for key, part in items if 'per_sec' not in str(key)
          for path, number in numbers(part, f'{name}/{key}').items()}
