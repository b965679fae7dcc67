"""Four virtual CPU devices for every test; those that compare layouts pick how many they use.

Most of a test's time goes into programs that run once. So they are hardly optimised, each on one
thread, since the tests keep the cores busy; none is compiled twice: all processes of a run of the
tests share a folder of them, which goes when the run ends. Tracing makes so many objects that
Python's collector is told to look less often, and lines of code are not noted in programs.
"""

import gc
import importlib.metadata
import os
import shutil
import tempfile

FLAGS = ['--xla_backend_optimization_level=0', '--xla_cpu_parallel_codegen_split_count=1']
if tuple(map(int, importlib.metadata.version('jaxlib').split('.')[:2])) < (0, 11):
  FLAGS.append('--xla_cpu_use_fusion_emitters=false')   # a newer XLA ends where it meets this one
os.environ['XLA_FLAGS'] = ' '.join((os.environ.get('XLA_FLAGS', ''), *FLAGS))

import jax  # noqa: E402
import pytest  # noqa: E402

PROGRAMS = 'OKO_TEST_PROGRAMS'

_begun_here = PROGRAMS not in os.environ
if _begun_here:
  os.environ[PROGRAMS] = tempfile.mkdtemp(prefix='oko-test-programs-')
gc.set_threshold(50_000)
jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_num_cpu_devices', 4)
jax.config.update('jax_traceback_in_locations_limit', 0)
jax.config.update('jax_compilation_cache_dir', os.environ[PROGRAMS])
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.jit(lambda: 0)()      # the first program settles the folder: a test that names another is late


def pytest_configure(config):
  # a program that another process is just writing is compiled here too
  config.addinivalue_line('filterwarnings', 'ignore:Error reading persistent compilation cache')


def pytest_unconfigure():
  if _begun_here:
    shutil.rmtree(os.environ[PROGRAMS], ignore_errors=True)


@pytest.fixture(scope='module')
def small_net():
  """The tiny net has one block while the tests of a module run; `usefixtures` asks for it."""
  from tests.small_exports import one_block
  with one_block():
    yield
