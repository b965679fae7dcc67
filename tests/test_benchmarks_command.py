"""Mistakes on the command line of a benchmark are one sentence and code 2, before it measures."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import (
  autoencoder_step,
  checkpoint_cost,
  command,
  input_beside,
  kmeans,
  loss_over_tags,
  nets_beside,
  onnx_speed,
  replicas,
  scale_parts,
  start_up,
)
from errors import UserError

ROOT = pathlib.Path(__file__).parent.parent
NUMBERS = {
    nets_beside: ('turns', 'least_steps'), start_up: ('turns',),
    input_beside: ('turns', 'seconds', 'count', 'size_px', 'batch', 'workers'),
    kmeans: ('rows', 'width', 'clusters', 'iterations', 'repeats'),
    autoencoder_step: ('batch', 'channels', 'repeats'),
    checkpoint_cost: ('first', 'steps', 'turns'), onnx_speed: ('batches', 'cpus'),
    loss_over_tags: ('tags', 'batch', 'size_px', 'listed', 'repeats'),
    replicas: ('replicas', 'batch', 'size_px', 'steps', 'repeats'),
    scale_parts: ('tags', 'listed', 'batch', 'repeats', 'pictures', 'saves', 'records')}


def refused(program, flag, capsys):
  """The sentence with which a flag is refused."""
  with pytest.raises(SystemExit) as leaving:
    program.read_flags([flag])
  line, = capsys.readouterr().err.splitlines()
  assert leaving.value.code == 2
  return line


@pytest.mark.parametrize('program, name', [
    (program, name) for program, names in NUMBERS.items() for name in names],
    ids=lambda value: getattr(value, '__name__', value))
@pytest.mark.parametrize('value', ['0', '-1', 'nan', 'many'])
def test_a_number_of_nothing_is_refused(program, name, value, capsys):
  line = refused(program, f'--{name}={value}', capsys)
  assert f"argument --{name}: '{value}' is not a" in line and 'of at least ' in line


@pytest.mark.parametrize('program', [nets_beside, input_beside, scale_parts],
                         ids=lambda program: program.__name__)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_measured(
    program, tmp_path, capsys):
  for path, why in ((tmp_path / 'no' / 'a.json', 'No such file or directory'),
                    (tmp_path, 'Is a directory')):
    line = refused(program, f'--output={path}', capsys)
    assert line.endswith(f"'{path}' cannot be written ({why}); name another file")


def test_trying_an_output_leaves_no_file_and_keeps_what_is_there(tmp_path):
  (tmp_path / 'old.json').write_text('{}')
  for name in ('old.json', 'new.json'):
    assert command.output_file(str(tmp_path / name)) == str(tmp_path / name)
  assert [path.name for path in tmp_path.iterdir()] == ['old.json']
  assert (tmp_path / 'old.json').read_text() == '{}' and command.output_file('') == ''


def test_more_clusters_than_rows_are_refused(capsys):
  assert 'are more than the 50 rows' in refused(kmeans, '--stream_rows=50', capsys)


def test_lists_are_checked_one_by_one(capsys):
  assert nets_beside.read_flags(['--rivals=']).rivals == ()
  assert loss_over_tags.read_flags(['--tags=10,200']).tags == (10, 200)
  assert 'it names nothing' in refused(nets_beside, '--nets=,', capsys)
  assert "'se_resnet' is none of" in refused(onnx_speed, '--nets=se_resnet', capsys)


@pytest.mark.parametrize('error, code, said', [
    (command.Failed('ended with code 9'), 'ended with code 9', ''),
    (UserError('no such page'), 2, 'oko: no such page\n'), (KeyboardInterrupt(), 130, '')])
def test_what_ends_a_benchmark_is_a_message_and_no_traceback(
    capsys, monkeypatch, error, code, said):
  def main():
    raise error
  monkeypatch.setattr(command.signal, 'signal', lambda number, handler: None)
  with pytest.raises(SystemExit) as leaving:
    command.run(main)
  assert leaving.value.code == code and capsys.readouterr().err == said


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_timed_ends_with_the_program_that_times_it(tmp_path, number):
  text = f"""
import pathlib, sys
from benchmarks import command, start_up
start_up.train_command = lambda *_: [sys.executable, '-c', 'import os, time; '
    'open("{tmp_path}/pid", "w").write(str(os.getpid())); time.sleep(60)']
command.run(lambda: start_up.time_to_first_step(None, pathlib.Path("{tmp_path}/run"), None))
"""
  program = subprocess.Popen([sys.executable, '-c', text], cwd=ROOT, stderr=subprocess.PIPE)
  deadline = time.monotonic() + 60
  while not ((tmp_path / 'pid').exists() and (tmp_path / 'pid').read_text()):
    assert program.poll() is None and time.monotonic() < deadline
    time.sleep(0.05)
  program.send_signal(number)
  assert b'Traceback' not in program.communicate(timeout=60)[1]
  assert program.returncode == 128 + number
  with pytest.raises(ProcessLookupError):
    os.kill(int((tmp_path / 'pid').read_text()), 0)
