"""Bodies are counted while they come, whatever their head tells, and given up when they do not."""

import asyncio

import pytest

from train_lib.serving import guard
from train_lib.serving.guard import Guard, Refused


async def read_all(scope, receive, send):
  """An ASGI program that reads the body and says how long it was."""
  size, more = 0, True
  while more:
    message = await receive()
    size += len(message.get('body', b''))
    more = message.get('more_body', False)
  await send({'type': 'http.response.start', 'status': 200, 'headers': []})
  await send({'type': 'http.response.body', 'body': str(size).encode()})


async def send_body(guarded, chunks, headers=(), pause_sec=0.0):
  """(status, body) of a request whose chunks are made as they are asked for."""
  sent, chunks = [], iter(chunks)

  async def receive():
    await asyncio.sleep(pause_sec)
    chunk = next(chunks, None)
    return {'type': 'http.request', 'body': chunk or b'', 'more_body': chunk is not None}

  async def send(message):
    sent.append(message)

  scope = {'type': 'http', 'method': 'POST', 'headers': [(b'host', b'localhost'), *headers]}
  await guarded(scope, receive, send)
  return sent[0]['status'], sent[1]['body']


def endless(counter):
  while True:
    counter.append(1)
    yield bytes(1_000)


def test_a_body_without_end_is_refused_at_the_limit():
  guarded, made = Guard(read_all, 'localhost', 50_000), []
  status, body = asyncio.run(send_body(guarded, endless(made)))
  assert status == 413 and b'error' in body and len(made) == 51
  assert guarded.held_bytes == 0


@pytest.mark.parametrize('length', [b'5', b'50000', b'junk', b'-1'])
def test_a_length_that_lies_changes_nothing(length):
  guarded, made = Guard(read_all, 'localhost', 50_000), []
  status, _ = asyncio.run(send_body(guarded, endless(made), [(b'content-length', length)]))
  assert status == 413 and len(made) == 51


def test_a_body_that_is_announced_too_large_is_not_begun():
  made = []
  answer = send_body(Guard(read_all, 'localhost', 50_000), endless(made),
                     [(b'content-length', str(2 ** 30).encode())])
  assert asyncio.run(answer)[0] == 413 and made == []


def test_bodies_in_memory_together_are_bounded():
  guarded = Guard(read_all, 'localhost', 50_000)
  guarded.most_held = 60_000

  async def both():
    bodies = [send_body(guarded, [bytes(1_000)] * 40, pause_sec=0.001) for _ in range(2)]
    return sorted([status for status, _ in await asyncio.gather(*bodies)])

  assert asyncio.run(both()) == [200, 503]
  assert guarded.held_bytes == 0
  assert asyncio.run(send_body(guarded, [bytes(1_000)] * 40)) == (200, b'40000')


@pytest.mark.parametrize('name', ['SILENCE_SEC', 'BODY_SEC'])
def test_a_body_that_does_not_come_is_given_up(monkeypatch, name):
  monkeypatch.setattr(guard, name, 0.05)
  guarded = Guard(read_all, 'localhost', 50_000)
  status, body = asyncio.run(send_body(guarded, [b'x'] * 20, pause_sec=0.2 if name[0] == 'S'
                                       else 0.02))
  assert status == 408 and guarded.held_bytes == 0


def test_an_answer_that_has_begun_is_not_begun_again():
  async def late(scope, receive, send):
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    raise Refused(413, 'too late')
  sent = []

  async def send(message):
    sent.append(message)
  scope = {'type': 'http', 'method': 'GET', 'headers': [(b'host', b'localhost')]}
  asyncio.run(Guard(late, 'localhost', 1)(scope, None, send))
  assert len(sent) == 1


def test_who_reaches_it_is_told_by_the_host():
  assert all(map(guard.is_loopback, ('127.0.0.1', 'localhost', '::1', '127.8.8.8')))
  assert not any(map(guard.is_loopback, (
      '0.0.0.0', '::', '192.168.1.2', 'box', '', '127.evil.example')))
