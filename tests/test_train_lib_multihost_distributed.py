"""How a process becomes one of a group, and how it leaves."""

import os
import sys
import types

import pytest

from errors import UserError
from train_lib.multihost import distributed


def test_a_process_by_itself_is_the_first_of_one():
  assert (distributed.size(), distributed.index()) == (1, 0)
  distributed.join()
  assert distributed.size() == 1


def test_what_jax_knows_of_the_group_is_asked_without_asking_for_devices(monkeypatch):
  state = types.SimpleNamespace(client=object(), num_processes=8, process_id=3)
  monkeypatch.setitem(sys.modules, 'jax._src.distributed',
                      types.SimpleNamespace(global_state=state))
  assert (distributed.size(), distributed.index(), distributed.client()) == (8, 3, state.client)
  assert not distributed.stops_together()
  state.preemption_sync_manager = object()
  assert distributed.stops_together()
  monkeypatch.setitem(sys.modules, 'jax._src.distributed', types.SimpleNamespace())
  assert distributed.size() == 1 and not distributed.stops_together()   # it is being imported
  monkeypatch.delitem(sys.modules, 'jax._src.distributed')
  assert distributed.size() == 1


@pytest.mark.parametrize('flags, message', [
    ({'num_processes': 2}, '--num_processes and --process_id go with --coordinator'),
    ({'process_id': 0}, 'go with --coordinator'),
    ({'coordinator': 'host:1'}, '--coordinator goes with --num_processes=N and --process_id=K'),
    ({'coordinator': 'host:1', 'num_processes': 2, 'process_id': 2}, 'K from 0 to N - 1'),
    ({'coordinator': 'host', 'num_processes': 2, 'process_id': 1}, 'it is HOST:PORT'),
    ({'found_by_jax': True, 'num_processes': 2}, '--distributed lets JAX find the other'),
    ({'process_id': -2}, 'go with --coordinator'),
    ({'heartbeat_sec': 0}, '--heartbeat_sec is 0'),
    ({'heartbeat_sec': 10**12}, 'from 1 to 86400'),
    ({'connect_sec': -1}, '--connect_sec -1'),
    ({'device_ids': ['a']}, "--device_ids is 'a'; it is numbers"),
    ({'device_ids': ['\u00b2']}, '--device_ids is'),
    ({'devices': -1}, '--devices_per_process is -1; it is the number of devices of each'),
])
def test_flags_that_make_no_sense_together_are_refused_before_jax_is_asked(flags, message):
  with pytest.raises(UserError) as error:
    distributed.join(**flags)
  assert message in str(error.value)


def test_a_proxy_of_the_environment_is_not_used_for_the_coordinator(monkeypatch):
  monkeypatch.delenv('no_grpc_proxy', raising=False)
  monkeypatch.setenv('no_proxy', 'intern')
  distributed._bypass_proxy('[fd00::2]:80')
  assert os.environ['no_grpc_proxy'] == 'intern,fd00::2'
  distributed._bypass_proxy('10.0.0.1:80')
  assert os.environ['no_grpc_proxy'] == 'intern,fd00::2,10.0.0.1'
  monkeypatch.delenv('no_grpc_proxy')


@pytest.fixture
def one_of_two(monkeypatch):
  state = types.SimpleNamespace(client=object(), num_processes=2, process_id=1)
  monkeypatch.setattr(distributed, '_state', lambda: state)
  monkeypatch.setattr(distributed, '_parting', {'together': False})
  left = []
  monkeypatch.setattr(os, '_exit', left.append)
  return left


def test_a_process_that_fails_alone_does_not_wait_for_the_others(one_of_two):
  with pytest.raises(SystemExit):                       # beyond what would have ended it
    distributed.leave(2)
  assert one_of_two == [2]


def test_processes_that_end_together_may_wait_for_each_other(one_of_two):
  distributed.part_together()
  for code in (0, 75):
    with pytest.raises(SystemExit) as leaving:
      distributed.leave(code)
    assert leaving.value.code == code
  assert one_of_two == []


def test_the_loss_of_another_process_is_told_in_a_sentence(one_of_two):
  error = ValueError('Gloo all-reduce failed:\n Connection closed by peer')
  lost = distributed.describe_loss(error)
  assert lost.startswith('process 1 of 2 lost the connection to another one')
  assert 'the same command goes on' in lost and '\n' not in lost
  assert distributed.describe_loss(ValueError('shapes differ')) == ''


def test_a_process_by_itself_has_lost_nobody():
  assert distributed.describe_loss(ValueError('Gloo all-reduce failed')) == ''
