"""All processes report to process 0 first, which can say who is missing."""

import concurrent.futures
import socket

import pytest

from errors import UserError
from tests.faults.runs import free_port
from train_lib.multihost import rendezvous


def meet(*processes, seconds=1.0):
  """What came to each (num_processes, process_id): an address, '' or the sentence of an error."""
  address = f'127.0.0.1:{free_port()}'

  def one(process):
    try:
      return rendezvous.meet(address, *process, seconds)
    except UserError as error:
      return str(error).replace(address, 'ADDRESS')

  with concurrent.futures.ThreadPoolExecutor() as pool:
    return [found.replace(address, 'ADDRESS') for found in pool.map(one, processes)]


def test_three_processes_meet_and_process_0_listens_at_what_was_named():
  assert meet((3, 0), (3, 1), (3, 2), seconds=20) == ['ADDRESS', '', '']


def test_those_who_are_missing_are_named_on_every_process():
  for found in meet((4, 0), (4, 2)):
    assert found.startswith('processes 1 and 3 of 4 did not come to ADDRESS within 1 s; start')


def test_another_count_of_processes_is_told_on_both_sides():
  for found in meet((2, 0), (3, 2), seconds=20):
    assert found.startswith('process 2 was started with --num_processes=3, and process 0 with '
                            '--num_processes=2')


def test_two_processes_with_one_number_are_told_everywhere():
  for found in meet((3, 0), (3, 1), (3, 1), seconds=20):
    assert found.startswith('two processes were started with --process_id=1; every one of the 3')


def test_without_process_0_the_others_give_up_and_say_where_they_looked():
  found, = meet((2, 1))
  assert found.startswith('process 1 of 2 found no process 0 at ADDRESS within 1 s (')


def test_a_port_in_use_is_told_at_once():
  with socket.socket() as taken:
    taken.bind(('127.0.0.1', 0))
    taken.listen()
    with pytest.raises(UserError, match='cannot listen at .* take a free port'):
      rendezvous.meet(f'127.0.0.1:{taken.getsockname()[1]}', 2, 0, 60)


@pytest.mark.parametrize('content', [
    b'', b'GET / HTTP/1.1\r\n\r\n', b'[' * 5000, b'{"process": "1", "of": 2}\n',
    b'{"process": 1}\n', b'\xff\n'])
def test_strangers_at_the_port_are_passed_over(content):
  address = f'127.0.0.1:{free_port()}'
  with concurrent.futures.ThreadPoolExecutor() as pool:
    first = pool.submit(rendezvous.meet, address, 2, 0, 20)
    while True:
      try:
        with socket.create_connection(rendezvous.parse(address)) as stranger:
          stranger.sendall(content)
          break
      except ConnectionRefusedError:
        pass
    assert pool.submit(rendezvous.meet, address, 2, 1, 20).result() == ''
    assert first.result() == address


@pytest.mark.parametrize('address', [
    '', 'host', 'host:', ':80', 'host:port', 'host:0', 'host:99999', 'host:-1', 'host:\u00b2'])
def test_an_address_without_host_or_port_is_refused(address):
  with pytest.raises(UserError, match='it is HOST:PORT of process 0, such as'):
    rendezvous.parse(address)


def test_addresses_of_both_kinds_are_read():
  assert rendezvous.parse('10.0.0.1:8476') == ('10.0.0.1', 8476)
  assert rendezvous.parse('[::1]:8476') == ('::1', 8476)
