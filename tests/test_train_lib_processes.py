import os
import signal
import socket
import subprocess
import sys

import pytest

from train_lib.processes import agree

PROCESS = '''
import os, sys, time
import numpy as np
from train_lib.preemption import Preemption

rank, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with Preemption() as preemption:
  import jax
  jax.config.update('jax_num_cpu_devices', 2)
  address = f'127.0.0.1:{port}'
  jax.distributed.initialize(address, 2, rank, coordinator_bind_address=address,
                             heartbeat_timeout_seconds=10)
  import jax.numpy as jnp
  from train_lib.checkpoints import Checkpoints
  from train_lib.parallel import make_mesh, replicated

  whole = replicated(make_mesh())
  create = jax.jit(lambda: {'params': {'w': jnp.zeros(1000)}}, out_shardings=whole)
  train = jax.jit(lambda state: jax.tree.map(lambda x: x + 1, state), donate_argnums=0,
                  in_shardings=(whole,), out_shardings=whole)
  abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=whole),
                          jax.eval_shape(create))
  with Checkpoints(folder, config_digest='', keep_last=2) as checkpoints:
    state, step = checkpoints.restore_latest(abstract) or (create(), 0)
    print('begins', step, flush=True)
    while not preemption.should_stop(step) and step < 1000:
      state = jax.block_until_ready(train(state))
      step += 1
      if step % 50 == 0:
        checkpoints.save(step, state)
      time.sleep(0.02)
    checkpoints.save(step, state)
  assert np.asarray(state['params']['w']).tolist() == [step] * 1000
  print('ends', step, flush=True)
'''


def start(folder):
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    port = probe.getsockname()[1]
  return [subprocess.Popen([sys.executable, '-c', PROCESS, str(rank), str(port), str(folder)],
                           stdout=subprocess.PIPE, text=True) for rank in range(2)]


def line(process, word):
  for text in process.stdout:
    if text.startswith(word):
      return int(text.split()[1])
  raise AssertionError(f'process {process.args[-3]} ended without "{word}"')


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_stops_both_at_the_same_saved_step(tmp_path):
  begin = 0
  for _ in range(2):
    processes = start(tmp_path / 'checkpoints')
    try:
      assert [line(process, 'begins') for process in processes] == [begin, begin]
      processes[1].send_signal(signal.SIGTERM)
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
  assert agree(lambda: 7) == 7


@pytest.mark.parametrize('rank', [0, 1])
def test_a_refusal_of_process_0_is_raised_on_all(monkeypatch, rank):
  import jax
  from jax.experimental import multihost_utils

  from errors import UserError
  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  monkeypatch.setattr(jax, 'process_index', lambda: rank)
  refused = []

  def broadcast(value):
    refused.append(int(value))
    return value

  def refuse():
    raise UserError('all damaged')

  monkeypatch.setattr(multihost_utils, 'broadcast_one_to_all', broadcast)
  with pytest.raises(UserError, match='all damaged' if rank == 0 else 'process 0 refused'):
    agree(refuse)
  assert len(refused) == 1
