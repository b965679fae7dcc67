"""--job=serve: a trained net, or a collection of pictures, behind a local page and an HTTP API."""

from errors import UserError
from train_lib import devices
from train_lib.reporting import say
from train_lib.serving import server, views
from train_lib.serving.app import Limits, build_app
from train_lib.serving.turns import Turns

MOST_PORT = 65_535
MOST_UPLOAD_MB, MOST_PICTURES = 4_096, 1_024


def run(config, workdir: str, *, config_path: str, input: str, output: str) -> None:
  """Answers for pictures until Ctrl-C: a page at http://127.0.0.1:8000/, an API described at /api.

  It listens on this machine alone unless `serve.host` says otherwise, keeps pictures in memory
  while they are looked at, and writes no file but the temporary one that a scan is read from.

  Args:
    config: of the workdir; its section `serve` is this job's.
    workdir: of a run, the folder that --job=export wrote, or where --job=cluster was run.
    config_path: not of this job.
    input, output: have to be ''.

  Raises:
    UserError: no such folder, settings that make no sense, or a port that is taken.
  """
  del config_path
  _check(config.serve, input, output)
  with server.stopping():
    bound, turns = server.bind(config.serve.host, config.serve.port), Turns()
    try:
      app = _open(config, workdir, turns)
      server.listen(app, bound, open_browser=config.serve.open_browser)
    finally:
      bound.close()
      turns.close()


def _check(settings, input, output) -> None:
  for name, given in (('input', input), ('output', output)):
    if given:
      raise UserError(f"--{name} is '{given}'; pictures are given on the page, and nothing is "
                      'written: leave it out')
  for name, value, least, most in (
      ('port', settings.port, 0, MOST_PORT),
      ('max_upload_mb', settings.max_upload_mb, 1, MOST_UPLOAD_MB),
      ('most_pictures', settings.most_pictures, 1, MOST_PICTURES)):
    if not least <= value <= most:
      raise UserError(f'serve.{name} is {value}; expected {least} to {most:,}')
  if not settings.host:
    raise UserError("serve.host is empty; expected 127.0.0.1, or 0.0.0.0 for all addresses")


def _open(config, workdir, turns):
  """The program of a folder, warm."""
  devices.set_up_jax(config.runtime.cache_dir)
  view = views.open_view(config, workdir)
  about = views.describe(config, workdir, view)
  say(f'{about["title"]}: {about["words"]}')
  view.warm_up()
  limits = Limits(config.serve.max_upload_mb * 2**20, config.serve.most_pictures)
  return build_app(view, about, host=config.serve.host, limits=limits, turns=turns)
