"""Several processes, one answer; with real ones on the loopback."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.faults.runs import MANY_THREADS, ROOT, ended, free_port
from train_lib.multihost.processes import agree, everywhere, gather, in_turn

JOIN = '''
import json, os, pathlib, sys, time
import numpy as np
from errors import UserError
from train_lib import evaluation, parallel
from train_lib.multihost import distributed, group, processes
from train_lib.preemption import MEETINGS, Preempted, Preemption
rank, port, folder = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
distributed.join(coordinator=f'127.0.0.1:{port}', num_processes=2, process_id=rank, devices=2,
             cache_dir='off', heartbeat_sec=10, connect_sec=60)
import jax
'''
# Each line of a process's file is a result of its own; gloo prints between the lines of stdout.
TALKS = JOIN + '''
def refused(action):
  try:
    return action()
  except UserError as error:
    return f'refused: {error}'

def fail_on(number):
  if rank == number:
    raise UserError(f'no data here, {rank}')
  return rank

def say(what):
  with open(folder / f'said-{rank}.jsonl', 'a') as file:
    print(json.dumps(what), file=file)

group.SEEN_SEC = 1.0
say([distributed.size(), distributed.index(), jax.device_count(), jax.local_device_count()])
say(processes.agree(lambda: {'answer': [1, 'two', None, rank]}))
say(refused(lambda: processes.agree(lambda: fail_on(0))))
say(processes.everywhere(lambda: fail_on(-1)))
say(refused(lambda: processes.everywhere(lambda: fail_on(1))))
say(processes.gather([rank, 'x']))
say(processes.in_turn(lambda: rank))
say(processes.agree(lambda: processes.agree(lambda: processes.gather(rank))))
say(refused(lambda: processes.check_alike('the data', 'same')))
say(refused(lambda: processes.check_alike('the data', f'of {rank}')))
group.check_shared(folder)
own = folder / f'own-{rank}'
own.mkdir()
say(refused(lambda: group.check_shared(own)).replace(str(own), 'OWN'))

# rows of both, in the order in which the devices hold them; numbers in full
mesh = parallel.make_mesh()
truth = {'x': np.arange(4.0) + 4 * rank + 2**-40, 'flag': np.array([True, False, rank == 0, True])}
ids = [f'{rank}/a b\\udcff{row}' for row in range(4)]
every, mask, names = evaluation.gather(truth, np.ones(4, np.float32), ids)
rows = parallel.put_batch(mesh, {'x': np.arange(4, dtype=np.float32) + 4 * rank})
double = jax.jit(lambda x: 2 * x)(rows['x'])
say([(every['x'] - 2**-40).tolist(), every['flag'].tolist(), mask.tolist(), ascii(names),
     parallel.to_host(double).tolist()])
key = parallel.put_whole(mesh, {'key': jax.random.key(3), 'w': np.ones(3)})
say([jax.random.key_data(key['key']).tolist(), parallel.of_this_process(key['w']).tolist()])

# process 0 goes through its own places to stop while the other waits, and both count on from there
with Preemption() as preemption:
  counts = [preemption.should_stop() for _ in range(2)]
  processes.agree(lambda: [preemption.check() for _ in range(5)] and None)
  say([counts, MEETINGS.count])
  if rank == 1:
    os.kill(os.getpid(), 2)
  def wait():
    while True:
      preemption.check()
      time.sleep(0.01)
  try:
    processes.agree(wait)
  except Preempted:
    say('preempted')
'''
TRAINS = JOIN + '''
import jax.numpy as jnp
from train_lib.storage.checkpoints import Checkpoints
from train_lib.parallel import make_mesh, replicated

with Preemption() as preemption:
  whole = replicated(make_mesh())
  create = jax.jit(lambda: {'params': {'w': jnp.zeros(1000)}}, out_shardings=whole)
  train = jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0,
                  in_shardings=(whole,), out_shardings=whole)
  abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=whole),
                          jax.eval_shape(create))
  with Checkpoints(folder, config_digest='', keep_last=2) as checkpoints:
    state, step = checkpoints.restore_latest(abstract) or (create(), 0)
    print('begins', step, flush=True)
    while not preemption.should_stop() and step < 1000:
      state = jax.block_until_ready(train(state))
      step += 1
      if step % 50 == 0:
        checkpoints.save(step, state)
      time.sleep(0.02)
    checkpoints.save(step, state)
  assert np.asarray(state['params']['w']).tolist() == [step] * 1000
  print('ends', step, flush=True)
'''


def start_two(script, *arguments, **options):
  """Two processes that run a script. Args: arguments: what follows rank and port of each."""
  port = free_port()
  environment = {**os.environ, **MANY_THREADS, 'JAX_PLATFORMS': 'cpu'}
  environment.pop('XLA_FLAGS', None)
  return [subprocess.Popen([sys.executable, '-c', script, *map(str, (rank, port, *arguments))],
                           cwd=ROOT, env=environment, **options) for rank in range(2)]


def line(process, word):
  for text in process.stdout:
    if text.startswith(word):
      return int(text.split()[1])
  raise AssertionError(f'process {process.args[-3]} ended without "{word}"')


def test_two_processes_tell_each_other_what_one_of_them_found(tmp_path):
  processes = start_two(TALKS, tmp_path)
  with ended(*processes):
    assert [process.wait(120) for process in processes] == [0, 0]
  zero, one = (
    [json.loads(text) for text in (tmp_path / f'said-{rank}.jsonl').read_text().splitlines()]
    for rank in range(2))
  assert [zero.pop(0), one.pop(0)] == [[2, 0, 4, 2], [2, 1, 4, 2]]
  assert zero.pop(0) == one.pop(0) == {'answer': [1, 'two', None, 0]}
  assert zero.pop(0) == 'refused: no data here, 0'
  assert one.pop(0) == 'refused: process 0 refused: no data here, 0'
  assert [zero.pop(0), one.pop(0)] == [0, 1]
  assert zero.pop(0) == 'refused: process 1 refused: no data here, 1'
  assert one.pop(0) == 'refused: no data here, 1'
  assert zero.pop(0) == one.pop(0) == [[0, 'x'], [1, 'x']]
  assert [zero.pop(0), one.pop(0)] == [0, 1]
  assert zero.pop(0) == one.pop(0) == [0]               # inside, process 0 is by itself
  assert zero.pop(0) == one.pop(0) is None
  assert zero.pop(0) == one.pop(0) == ("refused: the data of process 1 is not that of process 0 "
                                       "('of 1', not 'of 0'); give every process the same")
  for words in (zero.pop(0), one.pop(0)):
    assert words.startswith('refused: OWN of process 1 is not that of process 0; all processes')
  rows = [[0, 1, 2, 3, 4, 5, 6, 7], [True, False, True, True, True, False, False, True], [1] * 8,
          ascii([f'{rank}/a b\udcff{row}' for rank in range(2) for row in range(4)]),
          [0, 2, 4, 6, 8, 10, 12, 14]]
  assert zero.pop(0) == one.pop(0) == rows
  assert zero.pop(0) == one.pop(0) == [[0, 3], [1, 1, 1]]
  assert zero.pop(0) == one.pop(0) == [[False, False], 7]
  assert zero == one == ['preempted']


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_stops_both_at_the_same_saved_step(tmp_path):
  begin = 0
  for signum in (signal.SIGTERM, signal.SIGINT):
    processes = start_two(TRAINS, tmp_path / 'checkpoints', stdout=subprocess.PIPE, text=True)
    try:
      assert [line(process, 'begins') for process in processes] == [begin, begin]
      processes[1].send_signal(signum)
      ends = [line(process, 'ends') for process in processes]
      assert [process.wait(30) for process in processes] == [0, 0]
    finally:
      for process in processes:
        process.kill()
        process.communicate()
    assert begin < ends[0] == ends[1] < 1000
    assert str(ends[0]) in os.listdir(tmp_path / 'checkpoints')
    begin = ends[0]


def test_one_process_agrees_with_itself():
  assert agree(lambda: 7) == everywhere(lambda: 7) == in_turn(lambda: 7) == 7
  assert gather('x') == ['x']
