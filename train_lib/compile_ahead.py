"""The program of a run's first step, traced and compiled while its state is made or restored."""

import contextlib
import gc
import threading

from train_lib import parallel
from train_lib.multihost import distributed


@contextlib.contextmanager
def compiling_ahead(training, step: int):
  """Meanwhile another thread compiles what computes a step; the end waits until it has.

  jax keeps what was compiled, so the call of the step finds it. A failure is not told here: the
  call meets it again. Does nothing in a job of several processes, or where the first steps read
  features, which there are none of yet.

  Args:
    training: of `build_training`.
    step: counted from 1.
  """
  if distributed.size() > 1 or training.head_steps or step > training.num_steps:
    yield
    return
  thread = threading.Thread(target=_compile, args=(training, step), name='compile ahead')
  thread.start()
  try:
    yield
  finally:
    thread.join()


def _compile(training, step):
  with contextlib.suppress(Exception):
    loader = training.loader
    batch = parallel.abstract_batch(training.mesh, loader.sample(), loader.batch_size)
    training.step_function(step).lower(training.abstract_state, batch, training.key).compile()


@contextlib.contextmanager
def collector_at_rest():
  """Meanwhile no cycles are looked for: tracing makes so many objects that it would take a fifth
  of the time to the first step."""
  enabled = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if enabled:
      gc.enable()
