"""Some steps come under the profiler; whatever becomes of the trace, the run goes on."""

import gzip
import json
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import pytest
from etils import epath

from train_lib.tracing import Trace


def run_steps(folder, stop, first=3, count=2, total=6):
  """The steps at whose ends a trace was written."""
  trace, ends = Trace(epath.Path(folder), first, count, total), []
  add = jax.jit(lambda x: x + 1)
  value = jnp.zeros(8)
  for step in range(1, stop + 1):
    with trace.step(step):
      value = add(value)
    if trace.end(step, value):
      ends.append(step)
  trace.close()
  assert float(value[0]) == stop
  return ends


def traced_steps(folder):
  """The numbers of the steps in the one trace below the folder."""
  assert list(pathlib.Path(folder).rglob('*.xplane.pb'))
  viewed, = pathlib.Path(folder).rglob('*.trace.json.gz')
  events = json.loads(gzip.decompress(viewed.read_bytes()))['traceEvents']
  return sorted(int(event['args']['step_num']) for event in events if event.get('name') == 'train')


def test_a_trace_holds_the_steps_asked_for(tmp_path, capsys):
  assert run_steps(tmp_path, stop=6) == [4]
  assert traced_steps(tmp_path / 'trace') == [3, 4]
  said = capsys.readouterr().out
  assert 'steps 3 to 4 are traced' in said and f'xprof --logdir={tmp_path}/trace' in said


def test_a_run_that_stops_in_a_trace_leaves_the_steps_so_far(tmp_path):
  assert run_steps(tmp_path, stop=3) == []
  assert traced_steps(tmp_path / 'trace') == [3]


def test_a_trace_ends_with_the_run(tmp_path):
  assert run_steps(tmp_path, stop=6, first=6, count=9) == [6]
  assert traced_steps(tmp_path / 'trace') == [6]


def test_nothing_is_traced_unasked(tmp_path, caplog):
  assert run_steps(tmp_path, stop=6, count=0) == []
  assert not list(tmp_path.iterdir()) and not caplog.records


def test_too_few_steps_for_a_trace_are_told(tmp_path, caplog):
  assert run_steps(tmp_path, stop=6, first=7) == []
  assert 'no step is left to trace' in caplog.text and not list(tmp_path.iterdir())


@pytest.mark.parametrize('broken', ['start_trace', 'stop_trace'])
def test_a_profiler_that_fails_costs_a_warning(tmp_path, monkeypatch, caplog, broken):
  def fail(*args, **options):
    raise RuntimeError('no profiler')

  stop = jax.profiler.stop_trace
  monkeypatch.setattr(jax.profiler, broken, fail)
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  run_steps(tmp_path / 'run', stop=6)
  assert 'no profiler' in caplog.text and not list(tmp_path.iterdir())
  if broken == 'stop_trace':
    stop()
