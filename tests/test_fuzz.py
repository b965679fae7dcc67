"""The fuzzer's readers on sound and on changed files, and that the fuzzer itself finds faults."""

import json
import random
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import SOURCES
from errors import UserError
from tests.fuzz import mutate, sources, worker
from tests.fuzz.__main__ import fuzz, print_table
from tests.fuzz.readers import READERS, REFUSALS, Reader
from tests.test_imports import ROOT

# The few sound files that their readers refuse: why.
REFUSED = ('32 bits a pixel', 'the BMP file is broken: not enough image data', 'magic string')


def _read(reader, folder, variant, content):
  path = folder / str(variant) / reader.names[variant]
  path.parent.mkdir(exist_ok=True)
  path.write_bytes(content)
  reader.read(path, variant)


def test_every_source_is_fuzzed_or_says_why_not():
  tables = (sources.BY_FORMAT, sources.NOT_FUZZED, dict.fromkeys(sources.WHOLE))
  assert sorted(name for table in tables for name in table) == sorted(SOURCES)
  assert {name for names in sources.BY_FORMAT.values() for name in names} <= set(READERS)


@pytest.mark.parametrize('name', READERS)
def test_sound_files_are_read(name, tmp_path):
  for variant, content in READERS[name].seeds():
    try:
      _read(READERS[name], tmp_path, variant, content)
    except REFUSALS as error:
      assert any(words in str(error) for words in REFUSED), str(error)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', READERS)
def test_changed_files_end_in_a_result_or_in_a_refusal_of_one_line(name, tmp_path):
  reader, samples = READERS[name], READERS[name].seeds()

  @settings(max_examples=40, deadline=None, derandomize=True, database=None,
            suppress_health_check=[HealthCheck.too_slow])
  @given(st.sampled_from(samples), st.sampled_from(reader.changes), st.integers(0, 2**32))
  def check(sample, change, seed):
    variant, content = sample
    try:
      _read(reader, tmp_path, variant, change(content, random.Random(seed)))
    except REFUSALS as error:
      assert str(error).isprintable() and 0 < len(str(error)) < worker.MOST_LETTERS

  check()


@given(st.binary(max_size=300), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30, derandomize=True, database=None)
def test_a_change_can_be_made_again_and_any_bytes_can_be_changed(data, seed):
  for name in dir(mutate):
    if name.startswith('mutate_'):
      change = getattr(mutate, name)
      once, again = (change(data, random.Random(seed)) for _ in range(2))
      if name != 'mutate_zip':    # it writes the time
        assert once == again, name
      assert isinstance(once, bytes)


def _tried(tmp_path, read, *inputs):
  """What a worker notes of these inputs."""
  one = worker.Worker(Reader(list, ('a', 'b'), read), tmp_path, count=1000)
  for data in inputs:
    one.try_input(data)
  one._write()
  return json.loads((tmp_path / 'status.json').read_text())


def test_an_exception_that_is_no_refusal_is_a_finding_and_kept_once(tmp_path):
  def read(path, variant):
    if path.read_bytes() == b'bad':
      raise KeyError('x')

  status = _tried(tmp_path, read, b'\0good', b'\0bad', b'\1bad')
  (kind, found), = status['findings'].items()
  assert kind.startswith('KeyError') and found['count'] == 2 and 'KeyError' in found['details']
  assert (tmp_path / found['file']).read_bytes() == b'\0bad' and status['inputs'] == 3


@pytest.mark.parametrize('message', ['', 'a\x1b[2J', 'a\nb', 'x' * 5000])
def test_a_refusal_that_is_no_readable_line_is_a_finding(tmp_path, message):
  def read(path, variant):
    raise UserError(message) if message != 'a\x1b[2J' else type('Raw', (UserError,), {
        '__str__': lambda self: message})()

  status = _tried(tmp_path, read, b'\0')
  (kind, _), = status['findings'].items()
  assert 'no printable line' in kind and status['refused'] == 1


def test_a_refusal_is_none(tmp_path):
  def read(path, variant):
    raise UserError(f'variant {variant} of {path.name} is refused')

  status = _tried(tmp_path, read, b'\0', b'\1', b'\2')
  assert status['findings'] == {} and status['refused'] == 3


def test_an_input_that_is_slow_or_takes_memory_is_a_finding(tmp_path, monkeypatch):
  monkeypatch.setattr(worker, 'SLOW_SEC', 0.0)
  (tmp_path / 'slow').mkdir()
  status = _tried(tmp_path / 'slow', lambda path, variant: None, b'\0')
  assert [kind.partition(':')[0] for kind in status['findings']] == ['slow']
  monkeypatch.setattr(worker, 'SLOW_SEC', 1e9)
  peaks = iter([1000, 1000 + 1024 * worker.JUMP_MIB + 1, 2**30])
  monkeypatch.setattr(worker.resource, 'getrusage',
                      lambda who: type('Usage', (), {'ru_maxrss': next(peaks)}))
  (tmp_path / 'memory').mkdir()
  status = _tried(tmp_path / 'memory', lambda path, variant: None, b'\0', b'\1')
  assert [kind.partition(':')[0] for kind in status['findings']] == ['memory']


def test_the_input_that_is_tried_lies_on_disk(tmp_path):
  def read(path, variant):
    content = (tmp_path / 'current').read_bytes()
    assert content[worker.HEADER_BYTES:].startswith(b'\0hello')

  assert _tried(tmp_path, read, b'\0hello')['findings'] == {}


def test_the_table_names_each_finding_and_its_file(tmp_path, capsys):
  total = {'reader': 'coco', 'inputs': 1000, 'edges': 0, 'refused': 9, 'slowest_sec': 0.1,
           'jump_mib': 1.0, 'growth_mib': 2.0, 'minutes': 0.5,
           'findings': {'KeyError in a.py:3': {'count': 4, 'file': 'coco-1'}}}
  print_table([total], tmp_path)
  printed = capsys.readouterr().out
  assert 'coco: KeyError in a.py:3 (4 times)' in printed and str(tmp_path / 'coco-1') in printed


@pytest.mark.slow
def test_the_command_tries_inputs_and_ends_with_0(tmp_path):
  words = [sys.executable, '-m', 'tests.fuzz', 'detections', '--inputs=300', f'--folder={tmp_path}']
  done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
  assert done.returncode == 0, done.stderr
  assert 'detections' in done.stdout and ' 300 ' in done.stdout


@pytest.mark.slow
def test_a_process_that_dies_or_hangs_leaves_its_input_as_a_finding(tmp_path):
  for name, words in (('planted_death', 'dies of SIGSEGV'), ('planted_hang', 'hangs for 3 s')):
    total = fuzz(name, tmp_path, 300, seed=0, hang_sec=3.0, most_deaths=1)
    assert any(kind.startswith(words) for kind in total['findings']), total
    found = next(found for kind, found in total['findings'].items() if kind.startswith(words))
    assert (tmp_path / found['file']).read_bytes()[1:2] == b'!'
