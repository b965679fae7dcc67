"""The script of docs/results.md: it records, keeps, skips, fails and stops as it says."""

import importlib
import json
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.command import Failed
from benchmarks.results import checkout, commands, pages
from benchmarks.results import parts as parts_lib
from benchmarks.results.parts import PARTS, Part
from errors import UserError
from tests.written_commands import check_command

script = importlib.import_module('benchmarks.results.__main__')
ROOT = pathlib.Path(__file__).parent.parent
HEAD = 'a' * 40
# Adds a line to the file that its argument names, and leaves a figure.
COUNT = ('python -c "import sys; open(sys.argv[1], \'a\').write(\'x\'); print(\'figure 0.5\')" '
         '{runs}/')


def make_part(name, *, ends='', **other):
  """A part of one command. Args: ends: what stands behind it, such as a mistake."""
  return Part((f'{COUNT}{name}{ends}',), lambda runs, logs: {'figure': logs[0].strip()},
              lambda found: {name: f'| {found["figure"]} |'}, **other)


@pytest.fixture
def start(tmp_path, monkeypatch):
  """Starts the script on parts of the test, with pages in the folder of the test."""
  monkeypatch.setattr(checkout, 'commit', lambda dirty: HEAD)
  monkeypatch.setattr(checkout, 'program_digest', lambda: 'program')
  (tmp_path / 'page.md').write_text('above\n<!-- one -->\nold\n<!-- /one -->\nbelow 7\n')
  (tmp_path / 'readme.md').write_text(
      '# R\n<!-- summary -->\n| what | time |\n|---|---|\n| one, small | old |\n| two | kept |\n'
      '<!-- /summary -->\nafter\n')

  def run(parts, *flags):
    for module in (script, pages, parts_lib):
      if hasattr(module, 'PARTS'):
        monkeypatch.setattr(module, 'PARTS', parts)
    script.main([f'--folder={tmp_path}/runs', f'--records={tmp_path}/results.json',
                 f'--page={tmp_path}/page.md', f'--readme={tmp_path}/readme.md', *flags])
  return run


def records(tmp_path):
  return json.loads((tmp_path / 'results.json').read_text())['parts']


def change_record(tmp_path, **values):
  """Gives the record of part 'one' other values."""
  parts = records(tmp_path)
  parts['one'].update(values)
  (tmp_path / 'results.json').write_text(json.dumps({'parts': parts}))


def test_a_part_is_measured_once_and_recorded_with_commit_machine_and_time(start, tmp_path):
  for _ in range(2):
    start({'one': make_part('one')})
  assert (tmp_path / 'runs' / 'program' / 'one').read_text() == 'x'
  record = records(tmp_path)['one']
  assert record['commit'] == HEAD and record['figures'] == {'figure': 'figure 0.5'}
  assert record['machine']['processors'] > 0 and record['machine']['versions']['jax']
  assert record['seconds'][0] > 0 and record['starts'] == [1]
  assert str(tmp_path) not in (tmp_path / 'results.json').read_text()


def test_another_state_of_the_program_is_measured_in_a_folder_of_its_own(
    start, tmp_path, monkeypatch):
  start({'one': make_part('one')})
  monkeypatch.setattr(checkout, 'program_digest', lambda: 'other')
  start({'one': make_part('one')})
  assert (tmp_path / 'runs' / 'other' / 'one').read_text() == 'x'
  assert records(tmp_path)['one']['program'] == 'other'


def test_what_is_not_there_is_named_and_its_part_skipped(start, tmp_path, capsys):
  start({'one': make_part('one', needs=('clothing', 'weights')),
         'two': make_part('two', packages=('no_such_package',)),
         'three': make_part('three', needs=('one',)), 'four': make_part('four')})
  said = capsys.readouterr().out
  assert 'one: skipped, as it needs --data clothing=FOLDER, --weights=FILE' in said
  assert 'two: skipped, as it needs the package no_such_package' in said
  assert 'three: skipped, as it needs the run of one in ' in said
  assert list(records(tmp_path)) == ['four']


def test_a_failure_is_told_with_its_last_lines_and_the_others_go_on(start, tmp_path, capsys):
  broken = Part(('python -c "print(\'what broke\'); raise SystemExit(3)"',), None, None)
  odd = make_part('odd')
  odd = Part(odd.commands, lambda runs, logs: {'figure': {}[logs[0]]}, odd.tables)
  with pytest.raises(Failed, match='failed: broken, odd'):
    start({'broken': broken, 'odd': odd, 'after': make_part('after', needs=('broken',)),
           'one': make_part('one')})
  said = capsys.readouterr().out
  assert 'ended with code 3' in said and 'what broke' in said
  assert 'after: skipped, as it needs the run of broken' in said
  assert list(records(tmp_path)) == ['one']


def test_figures_of_a_program_that_changed_meanwhile_are_not_recorded(
    start, tmp_path, monkeypatch):
  digests = iter(('before', 'after'))
  monkeypatch.setattr(checkout, 'program_digest', lambda: next(digests))
  with pytest.raises(UserError, match='changed while one was measured'):
    start({'one': make_part('one')})
  assert not (tmp_path / 'results.json').exists()


def test_a_record_that_no_table_can_be_made_of_is_told(start, tmp_path):
  start({'one': make_part('one')})
  part = Part((), None, lambda found: {'one': found['other']})
  with pytest.raises(UserError, match="of one is not .*'other'.*--only=one --again"):
    start({'one': part}, '--write')


def test_a_second_start_goes_on_with_the_command_that_failed(start, tmp_path):
  second = f'python -c "open(\'{tmp_path}/there\')"'
  part = Part((f'{COUNT}one', second), lambda runs, logs: {'figure': logs[0].strip()},
              lambda found: {'one': found['figure']})
  with pytest.raises(Failed):
    start({'one': part})
  (tmp_path / 'there').touch()
  start({'one': part})
  assert (tmp_path / 'runs' / 'program' / 'one').read_text() == 'x'
  assert records(tmp_path)['one']['starts'] == [1, 2]


def test_tables_and_rows_go_between_their_marks_and_prose_stays(start, tmp_path):
  part = make_part('one', summary=lambda found: ('one, small', 'data', 'new'))
  start({'one': part})
  change_record(tmp_path, seconds=[61.0, 5.0], commands=['go', 'other'], starts=[1, 1])
  start({'one': part}, '--only=', '--write')
  page = (tmp_path / 'page.md').read_text()
  assert page.startswith('above\n<!-- one -->\n') and page.endswith('<!-- /one -->\nbelow 7\n')
  assert '| figure 0.5 |' in page and '\nold\n' not in page
  assert '; commit aaaaaaa; ' in ' '.join(page.split())
  assert str(tmp_path) not in page
  processor = records(tmp_path)['one']['machine']['processor']
  assert (tmp_path / 'readme.md').read_text() == (
      '# R\n<!-- summary -->\n| what | time |\n|---|---|\n'
      f'| one, small | data | new | 1 min 1 s | `go` | aaaaaaa, {processor} |\n| two | kept |\n'
      '<!-- /summary -->\nafter\n')
  start({'one': part}, '--only=', '--write')
  assert (tmp_path / 'page.md').read_text() == page


def test_what_is_recorded_is_read_again_from_its_runs_where_one_asks(start, tmp_path):
  part = make_part('one')
  start({'one': part})
  before = records(tmp_path)['one']
  part = Part(part.commands, lambda runs, logs: {'figure': 'read anew'}, part.tables)
  start({'one': part}, '--again')
  assert (tmp_path / 'runs' / 'program' / 'one').read_text() == 'x'
  assert records(tmp_path)['one'] == {**before, 'figures': {'figure': 'read anew'}}


@pytest.mark.parametrize('flag, name', [('--page', 'page.md'), ('--readme', 'readme.md')])
def test_a_page_without_marks_is_refused_and_none_is_written(start, tmp_path, flag, name):
  (tmp_path / 'bare.md').write_text('no marks')
  before = {one: (tmp_path / one).read_text() for one in ('page.md', 'readme.md')}
  with pytest.raises(UserError, match='bare.md.*has no place for'):
    start({'one': make_part('one')}, '--write', f'{flag}={tmp_path}/bare.md')
  with pytest.raises(UserError, match='does not exist'):
    start({'one': make_part('one')}, '--write', f'{flag}={tmp_path}/none.md')
  assert {one: (tmp_path / one).read_text() for one in before} == before


@pytest.mark.parametrize('flag, message', [
    ('--only=two', "no part 'two'; the parts are one"), ('--data=shoes=.', 'expected NAME=FOLDER'),
    ('--data=clothing', 'expected NAME=FOLDER'), ('--data=clothing=nowhere', 'no folder'),
    ('--weights=nowhere.npz', 'no file')])
def test_a_mistake_is_a_sentence(start, flag, message):
  with pytest.raises(UserError, match=message):
    start({'one': make_part('one')}, flag)


def test_the_list_says_what_is_recorded_and_what_lacks(start, tmp_path, capsys):
  parts = {'one': make_part('one'), 'two': make_part('two', needs=('faces',))}
  start(parts)
  change_record(tmp_path, seconds=[60.0])
  capsys.readouterr()
  start(parts, '--list')
  one, two = capsys.readouterr().out.splitlines()
  assert one.split() == ['one', '60', 's', '-', 'recorded']
  assert two.split()[1] == 'unknown' and two.endswith('lacks --data faces=FOLDER')


@pytest.mark.parametrize('number, code_of_it', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_ends_the_command_and_keeps_the_records(tmp_path, number, code_of_it):
  code = f'''
import importlib, sys
from benchmarks import command
from benchmarks.results import checkout
from benchmarks.results.parts import PARTS, Part
checkout.commit = lambda dirty: '{HEAD}'
PARTS.clear()
done = 'python -c "print(1)"'
wait = """python -c "import os, time; open('{tmp_path}/pid', 'w').write(str(os.getpid())); """
PARTS.update(one=Part((done,), lambda runs, logs: dict(a=1), dict),
             two=Part((wait + 'time.sleep(100)"',), dict, dict))
script = importlib.import_module('benchmarks.results.__main__')
command.run(lambda: script.main(
    ['--folder={tmp_path}/runs', '--records={tmp_path}/results.json']))
'''
  process = subprocess.Popen([sys.executable, '-c', code], cwd=ROOT)
  try:
    deadline = time.monotonic() + 60
    while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text():
      assert process.poll() is None and time.monotonic() < deadline
      time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(30) == code_of_it
  finally:
    process.kill()
    process.wait()
  assert list(records(tmp_path)) == ['one']
  assert not pathlib.Path(f'/proc/{(tmp_path / "pid").read_text()}').exists()
  (state,) = tmp_path.glob('runs/*/logs/two.json')
  assert json.loads(state.read_text())['done'] == []


def test_figures_are_of_a_commit_unless_one_asks_for_less(tmp_path, monkeypatch):
  def git(*words):
    subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a', *words], cwd=tmp_path,
                   check=True, capture_output=True)
  monkeypatch.setattr(checkout, 'ROOT', tmp_path)
  monkeypatch.setattr(checkout, 'PROGRAM', ('main.py', 'nets'))
  with pytest.raises(UserError, match='no checkout of git'):
    checkout.commit(dirty=False)
  git('init')
  (tmp_path / 'main.py').write_text('1')
  (tmp_path / 'nets').mkdir()
  git('add', '.')
  git('commit', '-m', 'one')
  (tmp_path / 'notes.md').write_text('no program')
  before = checkout.program_digest()
  assert re.fullmatch('[0-9a-f]{40}', checkout.commit(dirty=False))
  (tmp_path / 'nets' / 'new.py').write_text('2')
  with pytest.raises(UserError, match='nets/.*commit the changes, or give --dirty'):
    checkout.commit(dirty=False)
  assert checkout.commit(dirty=True).endswith(' + changes')
  assert checkout.program_digest() != before


def test_every_command_of_the_table_can_be_typed():
  for part in PARTS.values():
    for command in map(parts_lib.told, part.commands):
      words = shlex.split(command)
      assert words[0] == 'python' and '{' not in command
      if words[1] == 'main.py':
        check_command(command)
      else:
        name = words[2].replace('.', '/')
        assert words[1] == '-m' and ((ROOT / f'{name}.py').exists() or (ROOT / name).is_dir())


def test_a_part_needs_what_its_commands_name_and_comes_after_what_it_uses():
  known = {*parts_lib.DATA, 'weights'}
  for place, (name, part) in enumerate(PARTS.items()):
    named = {word for command in part.commands for word in re.findall(r'\{(\w+)\}', command)}
    assert named & known == set(part.needs) & known, name
    assert set(part.needs) - known <= {*list(PARTS)[:place], 'torch'}, name
    assert part.commands


def test_a_workdir_that_a_page_has_by_itself_is_not_told():
  told = parts_lib.told
  assert told(PARTS['tagger'].commands[0]) == 'python main.py --config=configs/tagger.py:demo'
  assert told(PARTS['optimizers'].commands[0]) == 'python main.py --config=configs/optimizers.py'
  assert '--workdir=runs/tagger-demo' in told(PARTS['tagger'].commands[1])
  assert '--workdir=runs/faces' in told(PARTS['small_pictures'].commands[0])


@pytest.mark.parametrize('settings, words', [
    ({}, '`go` (1 min 1 s in 2 starts); commit'),
    ({'A': 'b'}, '(1 min 1 s in 2 starts), with `A=b`; commit'),
    (commands.TUNED, ', with the settings that `main.py` starts itself with; commit')])
def test_a_table_says_what_it_was_made_by_and_on_what(settings, words):
  machine = {'processor': 'some EPYC', 'processors': 2, 'memory_gib': 24, 'load_before': 0.5,
             'versions': {'python': '3.11.7', 'jax': '0.10.2', 'numpy': '2'}}
  text = pages.head({
      'commands': ['go'], 'seconds': [61], 'starts': [2], 'machine': machine,
      'commit': f'{HEAD} + changes', 'settings': [f'{k}={v}' for k, v in settings.items()]})
  said = ' '.join(text.split())
  assert words in said
  assert said.endswith('commit aaaaaaa + changes; 2 processors of some EPYC, 24 GiB, load 0.5 '
                       'before; Python 3.11.7, jax 0.10.2.')


def test_a_command_has_the_settings_of_its_part(tmp_path):
  spent = commands.run_all('one', ['python -c "import os; print(os.environ[\'OKO_TEST\'])"'],
                           tmp_path, {'OKO_TEST': 'told'})
  assert commands.log_path(tmp_path, 'one', 0).read_text() == 'told\n'
  assert spent['starts'] == [1] and commands.is_done(tmp_path, 'one')
