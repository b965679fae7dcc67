"""A view that only decodes pictures, and the program around it: for tests of HTTP and limits."""

import asyncio
import contextlib
import threading
import time

import cv2
import httpx
import numpy as np

from data.decode import DecodeError, decode_image
from train_lib.serving import server
from train_lib.serving.app import Limits, build_app
from train_lib.serving.calls import Call
from train_lib.serving.guard import Refused
from train_lib.serving.turns import Turns

HOST = '127.0.0.1'
MAX_PIXELS = 10 ** 6


class SizeView:
  """Says how large pictures are. Attributes: asked: labels, in the order of their turn."""

  task, together, options, step = 'sizes', 4, ('least', 'most'), 7

  def __init__(self, pause_sec=0.0):
    self.asked, self._pause_sec, self.at_once, self.most_at_once = [], pause_sec, 0, 0

  def words(self):
    return 'sizes'

  def about(self):
    return {'names': ('width', 'height'), 'worst': float('nan')}

  def answer(self, uploads, options):
    self.at_once += 1
    self.most_at_once = max(self.most_at_once, self.at_once)
    time.sleep(self._pause_sec)
    rows = [self._answer_one(upload) for upload in uploads]
    self.at_once -= 1
    return rows

  def _answer_one(self, upload):
    self.asked.append(upload.label)
    try:
      image = decode_image(upload.content, max_pixels=MAX_PIXELS)
    except DecodeError as error:
      return {'path': upload.label, 'error': str(error)}
    return {'path': upload.label, 'size_px': [image.shape[1], image.shape[0]]}

  def calls(self):
    return {'/thumbnails/{row}': Call('GET', 'row', self.call_row, by_net=False),
            '/api/double': Call('POST', 'json', lambda given, options: {'two': 2 * given['one']}),
            '/api/echo': Call('POST', 'uploads', lambda uploads, options: uploads[0].content)}

  def call_row(self, row, options):
    if row > 2:
      raise Refused(404, 'there is no such row')
    return picture()

  def warm_up(self):
    pass


def picture(width_px=6, height_px=4) -> bytes:
  """A PNG file."""
  return png(np.full((height_px, width_px, 3), 90, np.uint8))


def png(image) -> bytes:
  """A PNG file. Args: image: BGR, or grey."""
  return cv2.imencode('.png', image)[1].tobytes()


def decode(content) -> np.ndarray:
  """The pixels of a picture file, as they are stored."""
  return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


def make_app(view=None, *, host=HOST, most_bytes=2 ** 20, most_pictures=32, most_waiting=200):
  return build_app(view or SizeView(), {'title': 'run'}, host=host,
                   limits=Limits(most_bytes, most_pictures), turns=Turns(most_waiting))


class Client:
  """Asks a program without a network, each time in a loop of its own. Args: app: ASGI."""

  def __init__(self, app):
    self._app = app

  def request(self, method, path, **options):
    async def ask():
      transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
      async with httpx.AsyncClient(transport=transport, base_url=f'http://{HOST}:8000') as client:
        return await client.request(method, path, **options)
    return asyncio.run(ask())

  def get(self, path, **options):
    return self.request('GET', path, **options)

  def post(self, path, **options):
    return self.request('POST', path, **options)


def client_of(view) -> Client:
  """Of a real view."""
  return Client(make_app(view))


@contextlib.contextmanager
def running(app):
  """The address of a real server, which ends afterwards."""
  bound = server.bind(HOST, 0)
  web = server.make_server(app)
  thread = threading.Thread(target=web.run, kwargs={'sockets': [bound]})
  thread.start()
  try:
    yield server.address_of(bound).rstrip('/')
  finally:
    web.should_exit = True
    thread.join(20)
    bound.close()
    assert not thread.is_alive()
