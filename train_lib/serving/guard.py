"""Who may ask, and how much: checks of a request's head, and of its body while it comes.

A page of somebody else's can make a browser send requests to this machine. It is kept out by the
Host header (a name of its own that leads here is no loopback name), by the Origin header of what
is sent, and by headers that let no other page show or read what is answered.
"""

import asyncio
import ipaddress
import json
from urllib.parse import urlsplit

LOOPBACK = ('localhost', '127.0.0.1', '::1')
SILENCE_SEC = 30.0                # a body that does not go on for so long is given up
BODY_SEC = 300.0                  # ... and one that has not ended by then
HELD_BODIES = 8                   # bodies of the largest size that may be in memory together
LEAST_HELD_BYTES = 256 * 2**20
RETRY_SEC = 2
HEADERS = {
    'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
}


class Refused(Exception):
  """A request that is not answered. Args: status: of HTTP; sentence: why, for a person."""

  def __init__(self, status: int, sentence: str):
    super().__init__(sentence)
    self.status, self.sentence = status, sentence


def is_loopback(host: str) -> bool:
  """Whether only this machine reaches what listens there."""
  try:
    return host == LOOPBACK[0] or ipaddress.ip_address(host).is_loopback
  except ValueError:              # a name
    return False


class Guard:
  """ASGI: lets through what may be answered; it writes nothing to a disk.

  Args:
    app: what answers.
    host: where it listens. On a loopback address the Host header has to be a loopback name.
    most_bytes: of a body, counted while it comes, whatever its head tells.

  Attributes:
    held_bytes: of all bodies that are in memory now; most_held: so many, then 503.
  """

  def __init__(self, app, host: str, most_bytes: int):
    self._app, self._most_bytes = app, most_bytes
    self._names = {*LOOPBACK, host} if is_loopback(host) else set()    # none: any
    self.held_bytes, self.most_held = 0, max(LEAST_HELD_BYTES, HELD_BODIES * most_bytes)

  async def __call__(self, scope, receive, send):
    if scope['type'] != 'http':
      return
    body, send = _Body(self, receive), _Sender(send)
    try:
      self._check(scope)
      await self._app(scope, body.receive, send)
    except Refused as refusal:
      if not send.begun:
        await _refuse(send, refusal)
    finally:
      self.held_bytes -= body.size

  def _check(self, scope):
    """Raises Refused by the head of a request."""
    heads = {}
    for name, value in scope['headers']:
      heads.setdefault(name.decode('latin-1').lower(), value.decode('latin-1'))
    host = heads.get('host', '')
    if self._names and _name(host) not in self._names:
      raise Refused(403, 'this address is answered under the names 127.0.0.1 and localhost only; '
                         'start it with --config.serve.host to be reached under others')
    if scope['method'] not in ('GET', 'HEAD') and not _is_own(heads, host):
      raise Refused(403, 'the request comes from a page of another address, which may not use '
                         'this one')
    length = heads.get('content-length', '0')
    if length.isdecimal() and int(length) > self._most_bytes:
      raise self.too_large()

  def too_large(self) -> Refused:
    """Of a body."""
    return Refused(413, f'the request is larger than {self._most_bytes / 2**20:g} MB, the most '
                        'that is taken at once (serve.max_upload_mb); send fewer or smaller '
                        'pictures')

  def hold(self, body, count: int) -> None:
    """Notes bytes that came. Raises Refused where they are too many."""
    if body.size + count > self._most_bytes:
      raise self.too_large()
    if self.held_bytes + count > self.most_held:
      raise Refused(503, 'too many pictures are waiting; try again in a moment')
    body.size += count
    self.held_bytes += count


class _Body:
  """What comes of a request, counted."""

  def __init__(self, guard, receive):
    self._guard, self._receive, self._ended, self._until = guard, receive, False, None
    self.size = 0

  async def receive(self):
    if self._ended:
      return await self._receive()
    now = asyncio.get_running_loop().time()
    self._until = self._until or now + BODY_SEC
    try:
      async with asyncio.timeout_at(min(now + SILENCE_SEC, self._until)):
        message = await self._receive()
    except TimeoutError:
      raise Refused(408, 'the request did not come to its end in time') from None
    if message['type'] == 'http.request':
      self._ended = not message.get('more_body', False)
      self._guard.hold(self, len(message.get('body', b'')))
    return message


class _Sender:
  """Sends with HEADERS; knows whether an answer has begun."""

  def __init__(self, send):
    self._send, self.begun = send, False

  async def __call__(self, message):
    if message['type'] == 'http.response.start':
      self.begun = True
      given = {name.lower() for name, _ in message['headers']}
      own = [(name.encode(), value.encode()) for name, value in HEADERS.items()
             if name.encode() not in given]
      message = {**message, 'headers': [*message['headers'], *own]}
    await self._send(message)


async def _refuse(send, refusal):
  """The connection is closed, for a body may be on its way that nobody reads."""
  body = json.dumps({'error': refusal.sentence}).encode()
  heads = [(b'content-type', b'application/json'), (b'connection', b'close'),
           (b'content-length', str(len(body)).encode())]
  await send({'type': 'http.response.start', 'status': refusal.status,
              'headers': heads + retry_heads(refusal.status)})
  await send({'type': 'http.response.body', 'body': body})


def retry_heads(status: int) -> list[tuple[bytes, bytes]]:
  """When to come again, of an answer that says that there is no room."""
  return [(b'retry-after', str(RETRY_SEC).encode())] if status == 503 else []


def _name(host):
  """The name of a Host header, without its port; '' where it makes no sense."""
  try:
    return (urlsplit(f'//{host}').hostname or '') if host else ''
  except ValueError:
    return ''


def _is_own(heads, host):
  """Whether what is sent comes from the page that is served here, or from no page at all."""
  if heads.get('sec-fetch-site', 'none') not in ('same-origin', 'none'):
    return False
  origin = heads.get('origin')
  if origin is None:
    return True
  scheme, _, place = origin.partition('://')
  return scheme in ('http', 'https') and place.lower() == host.lower()
