"""Some steps of a run under JAX's profiler: where their time goes, on the devices and the host."""

import contextlib
import logging
import pathlib
import tempfile

import jax

from train_lib.reporting import say
from train_lib.storage import records

_log = logging.getLogger(__name__)


class Trace:
  """Traces the steps first, ..., first + count - 1 into `<workdir>/trace`.

  Every process writes what it sees, under its host's name. Where the profiler fails, or no such
  step comes, the run goes on with a warning.

  Args:
    workdir: of the run.
    first: counted from 1.
    count: 0 traces nothing.
    total: steps of the run.
  """

  def __init__(self, workdir, first: int, count: int, total: int):
    self._folder, self._first, self._last = workdir / 'trace', first, min(first + count - 1, total)
    self._files = None            # a temporary folder, while a trace goes on
    if count and first > total:
      _log.warning('runtime.profile_steps is %d and no step is left to trace: the first %d of a '
                   'start, which compile and warm up, are left out', count, first - 1)

  @contextlib.contextmanager
  def step(self, step: int):
    """A context around what computes a step: begins the trace in time, where a viewer then finds
    the step by its number."""
    if step == self._first <= self._last:
      self._begin()
    with jax.profiler.StepTraceAnnotation('train', step_num=step):
      yield

  def end(self, step: int, metrics) -> bool:
    """To be called after a step, with what it gave: whether the trace was written now."""
    if self._files is None or step < self._last:
      return False
    jax.block_until_ready(metrics)
    self.close()
    return True

  def close(self) -> None:
    """Writes the steps traced so far, if any."""
    if self._files is None:
      return
    files, self._files = self._files, None
    try:
      jax.profiler.stop_trace()
      for path in pathlib.Path(files.name).rglob('*.*'):
        records.copy_file(path, self._folder / path.relative_to(files.name))
      say(f'the trace is in {self._folder}: pip install xprof, and xprof --logdir={self._folder}; '
          'or open its *.trace.json.gz at https://ui.perfetto.dev')
    except Exception as error:                                # noqa: BLE001
      _log.warning('the trace is lost: %s', error)
    finally:
      files.cleanup()

  def _begin(self):
    files = tempfile.TemporaryDirectory()
    try:
      jax.profiler.start_trace(files.name, profiler_options=_options())
    except Exception as error:                                # noqa: BLE001
      files.cleanup()
      _log.warning('nothing is traced: %s', error)
      return
    self._files = files
    say(f'steps {self._first} to {self._last} are traced, which slows them')


def _options():
  """Without Python's own calls, which would hide the rest."""
  options = jax.profiler.ProfileOptions()
  options.python_tracer_level = 0
  return options
