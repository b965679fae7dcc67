"""A run's figures at Weights & Biases: wandb.ai, or the server that the person's own setup names.

Nothing is asked for and no key is read or written here: wandb finds what `wandb login` has kept.
"""

import hashlib
import io
import json
import logging
import os
import tempfile

import PIL.Image

from errors import UserError
from train_lib import workdir as workdir_lib
from train_lib.reporting import say

START_SEC = 30.0                  # that a run waits for the server at its start, at most
END_SEC = 120.0                   # ... and at its end, for what is still to be sent

_log = logging.getLogger(__name__)


def check() -> None:
  """Raises UserError when wandb is not installed, or nobody is logged in and it is not offline."""
  try:
    import wandb
  except ImportError as error:
    raise UserError("runtime.wandb names a project and the package wandb is not installed: "
                    "pip install -e '.[wandb]'") from error
  if wandb.setup().settings.mode not in ('online', 'shared'):
    return
  try:
    logged_in = wandb.login(prompt=False, verify=False)
  except wandb.Error as error:
    raise UserError(f'runtime.wandb names a project and wandb cannot log in: {error}') from error
  if not logged_in:
    raise UserError('runtime.wandb names a project and nobody is logged in at Weights & Biases: '
                    'run `wandb login` once, or set WANDB_MODE=offline to keep the figures in the '
                    'workdir')


class WandbRun:
  """The W&B run of a workdir, begun or gone on with; its files are in `<workdir>/wandb`.

  Args:
    config: the whole config, which W&B shows; `runtime.wandb` is the project.
    workdir: of the run, with its run.json.
    start_step: not used: W&B itself knows what it has.

  Raises:
    UserError: of `check`.
  """

  def __init__(self, config, workdir, start_step: int):
    del start_step
    check()
    self._run = _open(config, workdir)
    if self._run.offline:
      folder = os.path.dirname(os.path.dirname(self._run.dir))
      say(f'Weights & Biases: `wandb sync {folder}/offline-run-*` will send the figures')
    elif not self._run.disabled:
      say(f'Weights & Biases: figures are at {self._run.url}')

  def write(self, step: int, metrics: dict[str, float]) -> None:
    """Args: as those of `MetricsLog.write`. A step that W&B is beyond was sent before the stop."""
    if step >= self._run.step:
      self._run.log(metrics, step=step)

  def close(self) -> None:
    """Sends what is left."""
    self._run.finish()


def send_results(config, workdir, rows: dict[str, dict]) -> None:
  """The figures of the test split as the summary, and the pictures; a failure costs a warning.

  Args:
    config: the whole config; nothing is sent where it names no project.
    workdir: of a run that was trained.
    rows: of run.json's 'test': figures by predictor; 'net' is the net's own.
  """
  if not config.runtime.wandb:
    return
  try:
    import wandb
    run = _open(config, workdir)
    run.summary.update({f'test/{key}': value for key, value in rows['net'].items()})
    run.log({f'pictures/{path.stem}': wandb.Image(PIL.Image.open(io.BytesIO(path.read_bytes())))
             for path in sorted((workdir / 'pictures').glob('*.png'))})
    run.finish()
  except Exception as error:                                # noqa: BLE001
    _log.warning('Weights & Biases gets no results of this run: %s', error)


def _open(config, workdir):
  import wandb
  return wandb.init(
      project=config.runtime.wandb, id=run_id(config, workdir), name=workdir.name, resume='allow',
      config=config.to_dict(),
      dir=tempfile.gettempdir() if '://' in str(workdir) else str(workdir),
      settings=wandb.Settings(console='off', quiet=True, init_timeout=START_SEC,
                              finish_timeout=END_SEC))


def run_id(config, workdir) -> str:
  """The same in every start of a run, another in every other run: its first start is in it."""
  first = workdir_lib.read_run(workdir)['starts'][0]
  text = json.dumps([first, workdir_lib.run_digest(workdir, config)], sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]
