"""The program around a served net: its port, its signals, and what it says at the terminal."""

import contextlib
import errno
import signal
import socket
import sys
import webbrowser

from errors import UserError
from train_lib.reporting import say
from train_lib.serving.guard import is_loopback

MOST_CONNECTIONS = 1_000
GRACE_SEC = 5                     # for answers that are on their way when it is stopped
BACKLOG = 512
STOPPED = 'stopped as asked'


def bind(host: str, port: int) -> socket.socket:
  """A socket at an address, before anything that takes long. Args: port: 0 is any that is free.

  Raises: UserError: the port is taken or not ours, or there is no such host.
  """
  try:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
  except OSError as error:
    raise UserError(f"serve.host '{host}' is no address of this machine ({error.strerror}); "
                    'expected 127.0.0.1, or 0.0.0.0 for all of its addresses') from error
  bound = socket.socket(family, kind, protocol)
  try:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    bound.listen(BACKLOG)         # now, or another program could still take it
  except OSError as error:
    bound.close()
    raise UserError(_port_words(host, port, error)) from error
  return bound


def _port_words(host, port, error) -> str:
  if error.errno == errno.EADDRINUSE:
    return (f'port {port} of {host} is taken by another program; choose another with '
            f'--config.serve.port={port + 1}, or 0 for any that is free')
  if error.errno == errno.EACCES:
    return f'port {port} may not be used by this user; choose one of 1024 or more'
  return (f"serve.host '{host}' cannot be listened at ({error.strerror}); expected 127.0.0.1, or "
          '0.0.0.0 for all addresses of this machine')


def address_of(bound: socket.socket) -> str:
  """Where a browser on this machine finds it."""
  host, port = bound.getsockname()[:2]
  host = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host)
  return f'http://[{host}]:{port}/' if ':' in host else f'http://{host}:{port}/'


@contextlib.contextmanager
def stopping():
  """Outside of `listen`, Ctrl-C and SIGTERM end the program with a sentence and code 0."""
  def stop(signum, frame):
    del signum, frame
    say(STOPPED)
    sys.exit(0)

  with _handlers(stop):
    yield


def make_server(app):
  """A `uvicorn.Server` that ends when its `should_exit` is set, and leaves signals alone.

  Raises: UserError: uvicorn is not installed.
  """
  try:
    import uvicorn
  except ImportError as error:
    raise UserError("the page needs uvicorn: pip install -e '.[serve]'") from error
  server = uvicorn.Server(uvicorn.Config(
      app, log_level='warning', access_log=False, server_header=False, proxy_headers=False,
      lifespan='off', ws='none', backlog=BACKLOG, limit_concurrency=MOST_CONNECTIONS,
      timeout_graceful_shutdown=GRACE_SEC))
  # its own way with signals raises them again at the end, so that the program has their code
  server.capture_signals = contextlib.nullcontext
  return server


def listen(app, bound: socket.socket, *, open_browser: bool) -> None:
  """Answers until Ctrl-C or SIGTERM; a second Ctrl-C does not wait for answers on their way.

  Args: app: ASGI; bound: of `bind`.
  """
  server = make_server(app)
  with _handlers(server.handle_exit):
    _tell(bound, open_browser)
    server.run(sockets=[bound])
  say(STOPPED)


def _tell(bound, open_browser) -> None:
  address, host = address_of(bound), bound.getsockname()[0]
  if not is_loopback(host):
    say(f'it listens at {host}: everybody who reaches this machine can use it and see what is in '
        'it, for it asks nobody for a password')
  say(f'open {address} (Ctrl-C ends it)')
  if open_browser:
    webbrowser.open(address)


@contextlib.contextmanager
def _handlers(handle):
  """Args: handle: (signal's number, frame), for Ctrl-C and SIGTERM; in the main thread alone."""
  before = {}
  try:
    with contextlib.suppress(ValueError):         # another thread: a test's
      for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, handle)
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
