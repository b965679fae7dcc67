"""A real server on a real port: many at once, slow ones, hostile ones, and how it ends."""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from errors import UserError
from tests.served import HOST, SizeView, make_app, picture, running
from train_lib.serving import guard, server

ROOT = pathlib.Path(__file__).parent.parent
LIMIT = 2 ** 20


@pytest.fixture(scope='module')
def view():
  return SizeView()


@pytest.fixture(scope='module')
def address(view):
  with running(make_app(view, most_bytes=LIMIT)) as address:
    yield address


def answers(address):
  answer = httpx.post(f'{address}/api/predict', files={'picture': ('a.png', picture())})
  return answer.status_code == 200 and answer.json()['pictures'][0]['size_px'] == [6, 4]


def raw(address, head, *parts, pause_sec=0.0):
  """What a server sends to bytes as they are."""
  host, port = address.removeprefix('http://').split(':')
  with socket.create_connection((host, int(port)), timeout=10) as connection:
    for part in (head, *parts):
      connection.sendall(part)
      time.sleep(pause_sec)
    connection.shutdown(socket.SHUT_WR)
    received = b''
    while chunk := connection.recv(65_536):
      received += chunk
    return received


def head(address, *lines):
  host = address.removeprefix('http://')
  return '\r\n'.join(['POST /api/predict HTTP/1.1', f'Host: {host}', *lines, '', '']).encode()


def test_a_hundred_uploads_at_once_are_answered_one_by_one(address, view):
  def upload(client, number):
    answer = client.post(f'{address}/api/predict', timeout=60, files={
        'picture': (f'{number}.png', picture(1 + number, 2))})
    return answer.status_code, answer.json()['pictures']

  with httpx.Client() as client, concurrent.futures.ThreadPoolExecutor(100) as threads:
    found = list(threads.map(lambda number: upload(client, number), range(100)))
  assert found == [(200, [{'path': f'{number}.png', 'size_px': [1 + number, 2]}])
                   for number in range(100)]
  assert view.most_at_once == 1


def test_a_stream_of_a_gigabyte_is_stopped_early(address):
  sent = []

  def endless():
    for _ in range(1_024):
      sent.append(1)
      yield bytes(2 ** 20)
  try:
    answer = httpx.post(f'{address}/api/predict', content=endless(), timeout=30)
    assert answer.status_code == 413 and 'larger than 1 MB' in answer.json()['error']
  except httpx.TransportError:
    pass                          # it hung up while we were still sending
  assert len(sent) < 64 and answers(address)


def test_a_gigabyte_that_is_announced_is_refused_before_it_comes(address):
  received = raw(address, head(address, f'Content-Length: {2 ** 30}'))
  assert received.startswith(b'HTTP/1.1 413') and b'"error"' in received
  assert b'connection: close' in received.lower() and answers(address)


def test_hostile_requests_leave_it_answering(address):
  junk = os.urandom(5_000)
  for request in (
      head(address, 'Content-Length: 10') + junk,                       # more than was announced
      head(address, 'Content-Length: 900000') + junk,                   # less, and gone
      head(address, 'Transfer-Encoding: chunked') + b'zzzz\r\n',
      head(address, 'Content-Length: 5', 'Content-Length: 6') + b'hello',
      head(address, 'Content-Type: multipart/form-data; boundary=x', 'Content-Length: 5000') + junk,
      b'GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
      b'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n',
      b'GET /' + b'a' * 100_000 + b' HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', junk, b''):
    received = raw(address, request)
    assert b'HTTP/1.1 200' not in received and b'root:' not in received
  assert answers(address)


def test_slow_clients_do_not_keep_others_waiting(address):
  host, port = address.removeprefix('http://').split(':')
  with contextlib.ExitStack() as slow:
    for _ in range(50):
      connection = slow.enter_context(socket.create_connection((host, int(port))))
      connection.sendall(head(address, 'Content-Length: 5000') + b'half of it')
    start = time.monotonic()
    assert answers(address)
    assert time.monotonic() - start < guard.SILENCE_SEC / 3


def test_too_many_that_wait_are_told_to_come_again():
  with running(make_app(SizeView(pause_sec=0.2), most_waiting=3)) as address:
    with httpx.Client() as client, concurrent.futures.ThreadPoolExecutor(12) as threads:
      found = list(threads.map(lambda _: client.post(
          f'{address}/api/predict', content=picture(), timeout=30), range(12)))
    statuses = [answer.status_code for answer in found]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 4
    busy = next(answer for answer in found if answer.status_code == 503)
    assert 'try again' in busy.json()['error'] and busy.headers['retry-after'] == '2'
    assert httpx.get(f'{address}/health').json()['waiting'] == 0


def test_who_has_gone_costs_no_time_of_the_net():
  view = SizeView(pause_sec=0.3)
  with running(make_app(view)) as address:
    content = picture()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
      first = thread.submit(httpx.post, f'{address}/api/predict', content=content)
      time.sleep(0.1)
      host, port = address.removeprefix('http://').split(':')
      for _ in range(20):
        with socket.create_connection((host, int(port))) as connection:
          connection.sendall(head(address, f'Content-Length: {len(content)}') + content)
          time.sleep(0.005)
      assert first.result().status_code == 200
    assert answers(address)
  assert len(view.asked) < 10       # of 22


def test_nothing_is_written(address, tmp_path, monkeypatch):
  monkeypatch.setenv('TMPDIR', str(tmp_path))
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  big = picture(900, 900) + bytes(900_000)        # beyond what others spool to a disk
  answer = httpx.post(f'{address}/api/predict', files=[('picture', ('../../x.png', big))])
  assert answer.json()['pictures'][0]['size_px'] == [900, 900]
  assert list(tmp_path.rglob('*')) == []


def test_a_taken_port_is_told_with_the_next_one():
  with server.bind(HOST, 0) as bound:
    port = bound.getsockname()[1]
    with pytest.raises(UserError, match=f'port {port} of 127.0.0.1 is taken .*={port + 1}'):
      server.bind(HOST, port)


@pytest.mark.parametrize('host', ['no.such.host.invalid', '198.51.100.7', 'a b'])
def test_a_host_that_is_not_ours_is_told(host):
  with pytest.raises(UserError, match="serve.host '.*' (is no address|cannot be listened at)"):
    server.bind(host, 0)


def test_what_listens_for_everybody_says_so(capsys, monkeypatch):
  class Ended:
    handle_exit = staticmethod(lambda *_: None)

    def run(self, sockets):
      pass
  monkeypatch.setattr(server, 'make_server', lambda app: Ended())
  for host, words in (('0.0.0.0', 'everybody who reaches'), (HOST, 'open http://127.0.0.1:')):
    with server.bind(host, 0) as bound:
      server.listen(None, bound, open_browser=False)
      said = capsys.readouterr().out
      assert words in said and f'open http://127.0.0.1:{bound.getsockname()[1]}/' in said
      assert ('everybody' in said) == (host != HOST)


PROGRAM = '''
import sys
sys.path.insert(0, %r)
from tests.served import SizeView, make_app
from train_lib.serving import server
with server.stopping():
  bound = server.bind('127.0.0.1', 0)
  if sys.argv[1] == 'early':
    print('open nothing', flush=True)
    while True:
      pass
  server.listen(make_app(SizeView()), bound, open_browser=False)
'''


@pytest.mark.parametrize('when, number', [
    ('late', signal.SIGINT), ('late', signal.SIGTERM), ('early', signal.SIGTERM)])
def test_signals_end_it_with_a_sentence_and_code_0(when, number):
  program = subprocess.Popen([sys.executable, '-c', PROGRAM % str(ROOT), when], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  assert program.stdout.readline().startswith('open ')
  time.sleep(0.3)
  program.send_signal(number)
  said, errors = program.communicate(timeout=30)
  assert (program.returncode, said, errors) == (0, 'stopped as asked\n', '')
