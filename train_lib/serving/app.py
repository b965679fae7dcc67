"""The addresses of a served net, and what answers them."""

import asyncio
import concurrent.futures
import pathlib
from typing import NamedTuple

from errors import UserError
from train_lib.serving.calls import Call, is_whole, known_options, picture_kind
from train_lib.serving.guard import Guard, Refused, is_loopback, retry_heads
from train_lib.serving.turns import Turns
from train_lib.serving.uploads import read_json, read_uploads
from train_lib.storage.records import plain

PAGE = pathlib.Path(__file__).parent / 'page'
KINDS = {'.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8',
         '.js': 'text/javascript; charset=utf-8', '.svg': 'image/svg+xml'}
STARTS = {'/': 'index.html', '/api': 'api.html'}      # what else is at an address
STATED = {400: 'the request makes no sense', 404: 'there is nothing at this address; /api lists '
          'what there is', 405: 'this address does not take requests of this method; /api lists '
          'what there is'}
FAILED = 'something went wrong here; the terminal where it was started says what'
HANDS = 2                         # pictures that are decoded at once for what needs no net


class Limits(NamedTuple):
  """Attributes: most_bytes: of a request; most_pictures: in it."""
  most_bytes: int
  most_pictures: int


def build_app(view, about: dict, *, host: str, limits: Limits, turns: Turns) -> Guard:
  """The ASGI program.

  Args:
    view: of `views.open_view`.
    about: what /api/model says besides what the view does.
    host: where it listens.
    limits: of a request.
    turns: the queue in front of the net.

  Raises: UserError: starlette or python-multipart is not installed.
  """
  starlette = _import_starlette()
  desk = Desk(view, limits, turns)
  told = plain({**about, 'task': view.task, **view.about(), 'local': is_loopback(host),
                'limits': {'max_upload_mb': limits.most_bytes / 2**20,
                           'most_pictures': limits.most_pictures}})

  async def model(request):
    del request
    return _json(told)

  async def health(request):
    del request
    return _json({'status': 'ok', 'waiting': turns.waiting})

  route = starlette.routing.Route
  routes = [*_page_routes(route), route('/api/model', model), route('/health', health),
            route('/api/predict', desk.predict, methods=['POST'])]
  routes += [route(path, desk.answer(call), methods=[call.method])
             for path, call in view.calls().items()]
  app = starlette.applications.Starlette(routes=routes, exception_handlers={
      Refused: _on_refused, starlette.requests.ClientDisconnect: _on_gone,
      starlette.exceptions.HTTPException: _on_stated, Exception: _on_failed})
  app.router.redirect_slashes = False
  return Guard(app, host, limits.most_bytes)


class Desk:
  """Takes requests, lets the view answer them in their turn. Args: as those of `build_app`."""

  def __init__(self, view, limits: Limits, turns: Turns):
    self._view, self._limits, self._turns = view, limits, turns
    self._hands = concurrent.futures.ThreadPoolExecutor(HANDS, thread_name_prefix='decode')

  async def predict(self, request):
    """A row for each picture; 422 where none could be read."""
    options = known_options(dict(request.query_params), self._view.options)
    uploads, rows = await self._take_uploads(request), []
    for first in range(0, len(uploads), self._view.together):
      part = uploads[first:first + self._view.together]
      rows += await self._turns.run(request, self._view.answer, part, options)
    reasons = [row['error'] for row in rows if 'error' in row]
    if len(reasons) < len(rows):
      return _json({'pictures': plain(rows)})
    return _json({'error': reasons[0], 'pictures': plain(rows)}, 422)

  def answer(self, call: Call):
    """What answers at the address of a call."""
    async def endpoint(request):
      taken = {'uploads': self._take_uploads, 'json': read_json, 'row': _take_row}[call.takes]
      options = known_options(dict(request.query_params), call.options)
      arguments = await taken(request), options
      if call.by_net:
        answer = await self._turns.run(request, call.function, *arguments)
      else:
        answer = await asyncio.get_running_loop().run_in_executor(
            self._hands, call.function, *arguments)
      return _picture(answer, call.method) if isinstance(answer, bytes) else _json(plain(answer))
    return endpoint

  async def _take_uploads(self, request):
    return await read_uploads(request, self._limits.most_pictures)


async def _take_row(request) -> int:
  text = request.path_params['row']
  if not is_whole(text):
    raise Refused(404, STATED[404])
  return int(text)


def _import_starlette():
  try:
    import python_multipart  # noqa: F401
    import starlette.applications
    import starlette.exceptions
    import starlette.requests
    import starlette.responses
    import starlette.routing
  except ImportError as error:
    raise UserError("the page needs starlette, uvicorn and python-multipart: pip install -e "
                    "'.[serve]'") from error
  return starlette


def _page_routes(route):
  """An address for each file of the page, all of which are in memory: no path is ever opened."""
  files = {f'/{path.name}': path for path in PAGE.iterdir() if path.suffix in KINDS}
  files |= {address: PAGE / name for address, name in STARTS.items()}
  return [route(address, _file(path.read_bytes(), KINDS[path.suffix]))
          for address, path in files.items()]


def _file(content: bytes, kind: str):
  async def endpoint(request):
    from starlette.responses import Response
    del request
    return Response(content, headers={'content-type': kind, 'cache-control': 'no-cache'})
  return endpoint


def _json(content, status: int = 200):
  from starlette.responses import JSONResponse
  response = JSONResponse(content, status, {'cache-control': 'no-store'})
  response.raw_headers += retry_heads(status)
  return response


def _picture(content: bytes, method: str):
  from starlette.responses import Response
  keep = 'private, max-age=3600' if method == 'GET' else 'no-store'
  return Response(content, media_type=picture_kind(content), headers={'cache-control': keep})


async def _on_refused(request, refusal):
  del request
  response = _json({'error': refusal.sentence}, refusal.status)
  response.headers['connection'] = 'close'        # some of the body may be left unread
  return response


async def _on_gone(request, error):
  """Nobody is there to read it."""
  del request, error
  return _json({'error': STATED[400]}, 400)


async def _on_stated(request, error):
  del request
  response = _json({'error': STATED.get(error.status_code, STATED[400])}, error.status_code)
  response.headers.update(error.headers or {})
  return response


async def _on_failed(request, error):
  del request, error
  return _json({'error': FAILED}, 500)
