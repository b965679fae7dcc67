"""The README tells of every file, job and preset; each of its commands is run, or said why not."""

import ast
import collections
import pathlib
import re

import pytest

from configs import tagger
from jobs import JOBS
from tests.readme import tree
from tests.readme.elsewhere import ELSEWHERE
from tests.readme.forms import FORMS, expand, flags_of, holds, list_stages, pages_of
from tests.readme.found import (
  EXTRA,
  SNIPPETS,
  find_commands,
  find_in,
  find_parts,
  find_presets,
  load_page,
)
from tests.written_commands import check_command, check_keys, find_links
from train_lib import launch

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text()


def test_the_tree_is_that_of_the_files_and_their_docstrings():
  assert tree.written_tree() == tree.write_tree(), 'write it again: make tree'


def test_the_tree_has_a_line_for_every_file_and_lists_nothing_else():
  listed = re.findall(r'^\| `([^`]+)` \| ', tree.write_tree(), flags=re.MULTILINE)
  assert len(listed) == len(set(listed)) and all((ROOT / path).exists() for path in listed)
  for path in (path.relative_to(ROOT) for room in tree.ROOMS for path in (ROOT / room).rglob('*.py')
               if path.name != '__init__.py'):
    assert path.as_posix() in listed or f'{path.parent.as_posix()}/' in tree.WHOLE


@pytest.mark.parametrize('docstring', ['""', f'"""{"a" * 101}"""', '"""One | two."""'])
def test_a_docstring_that_makes_no_line_is_refused(tmp_path, monkeypatch, docstring):
  monkeypatch.setattr(tree, 'ROOT', tmp_path)
  (tmp_path / 'a.py').write_text(f'{docstring}\n')
  with pytest.raises(ValueError, match="sentence of a.py's docstring has"):
    tree.line_of('a.py')


@pytest.mark.parametrize('job', [name for name in JOBS if name != 'train'])
def test_every_job_has_its_command(job):
  assert re.search(rf'python main.py --job={job} --(workdir|config)=', README)


@pytest.mark.parametrize('preset', tagger.PRESETS)
def test_every_preset_is_told(preset):
  assert f'configs/tagger.py:{preset}' in README
  tagger.get_config(preset)


def test_keys_and_targets_that_the_readme_names_exist():
  check_keys(README)
  makefile = (ROOT / 'Makefile').read_text()
  for target in re.findall(r'`make ([a-z-]+)', README):
    assert f'\n{target}:' in makefile
  for link in find_links(README):
    assert (ROOT / link).exists(), link


# Commands of the README and of docs: run by tests/readme_commands.py, or elsewhere ----------------

COMMANDS, PARTS = find_commands(), find_parts()
RUN = [form.command for stage in list_stages() for form in stage]


@pytest.mark.parametrize('text', [text for text in COMMANDS if not EXTRA.match(text)])
def test_every_command_is_run_or_stands_elsewhere(text):
  assert (text in FORMS) + (text in ELSEWHERE) == 1, (
      f'{COMMANDS[text].page} has it: give it a row in tests/readme/forms_*.py or elsewhere.py')


@pytest.mark.parametrize('text', PARTS)
def test_every_option_and_page_is_in_a_command_that_is_run_or_stands_elsewhere(text):
  assert text in {**FORMS, **ELSEWHERE} or any(holds(command, text) for command in RUN), (
      f'{PARTS[text].page} has it')


@pytest.mark.parametrize('preset', find_presets())
def test_every_preset_of_every_page_is_run(preset):
  assert any(preset in pages_of(command) for command in RUN)


def test_no_row_is_without_a_command():
  assert {*FORMS, *ELSEWHERE} <= {*COMMANDS, *PARTS, *find_presets()}
  assert not FORMS.keys() & ELSEWHERE.keys()


@pytest.mark.parametrize('key', FORMS)
def test_a_form_keeps_every_option_and_names_what_exists(key):
  command = expand(key, FORMS[key])
  assert flags_of(key) <= flags_of(command)
  assert pages_of(key) <= pages_of(command) or key.startswith('make ')
  check_keys(command)
  if command.startswith('python main.py') and not {'|', '&', ';'} & set(command):
    check_command(command.partition(' > ')[0])


def test_no_two_forms_train_in_one_folder():
  folders = collections.Counter()
  for page, options in re.findall(r'python main\.py --config=(\S+)([^;|&\n]*)', '\n'.join(RUN)):
    if load_page(page).job == 'train' and not re.search(r'--job=|dry_run', options):
      workdir = re.search(r'--workdir=(\S+)', options)
      folders[workdir[1] if workdir else launch.default_workdir(page)] += 1
  assert len(folders) > 20 and {folder for folder, forms in folders.items() if forms > 1} == set()


@pytest.mark.parametrize('key', ELSEWHERE)
def test_what_stands_elsewhere_names_a_file_that_covers_it(key):
  paths = re.findall(r'(?:tests|\.ci)/[\w./]*\w', ELSEWHERE[key])
  assert paths and all((ROOT / path).is_file() for path in paths)


def test_every_extra_that_is_told_is_one_of_setup():
  call = next(node for node in ast.walk(ast.parse((ROOT / 'setup.py').read_text()))
              if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'setup')
  extras = next(ast.literal_eval(word.value) for word in call.keywords
                if word.arg == 'extras_require')
  told = [found[1] for found in map(EXTRA.match, COMMANDS) if found and found[1]]
  told += re.findall(r'ACCELERATOR=(\w+)', ' '.join((*COMMANDS, *PARTS)))
  assert len(told) > 5 and set(told) <= set(extras)


def test_no_two_snippets_begin_alike():
  snippets = collections.defaultdict(set)
  for page in ('README.md', *(f'docs/{path.name}' for path in (ROOT / 'docs').glob('*.md'))):
    for found in find_in(page, (ROOT / page).read_text()):
      if found.text.startswith(SNIPPETS):
        snippets[found.text].add(found.lines)
  assert snippets and all(len(lines) == 1 for lines in snippets.values())


def test_commands_are_found_in_blocks_and_in_lines():
  page = ('see `make run`, `some_name`, and `python main.py\n--a`:\n\n    python b.py \\\n'
          '      --c=1   # which\n    wandb login\n\n    import httpx\n    print(httpx)\n\n'
          '## The tree\n`make all`\n')
  assert [(found.text, found.lines) for found in find_in('x.md', page)
          if not found.text.startswith('some')] == [
      ('python b.py --c=1', 'python b.py    --c=1   # which'),
      ('wandb login', 'wandb login'), ('import httpx', 'import httpx\nprint(httpx)\n'),
      ('make run', 'make run'), ('python main.py --a', 'python main.py\n--a')]


@pytest.mark.parametrize('part, held', [
    ('--a.b', True), ('--a', False), ('--a.b=word', True), ('--a.b=other', False),
    ('--n=7', True), ('--n=8', True), ('--path=FOLDER', True), ('--none', False),
    ('--a.b=word --n=3', True), ('SET=on', True), ('SET=off', False),
    ('configs/x.py:small', True), ('configs/x.py', False), ('configs/x.py:small --n=1', True)])
def test_a_part_is_held_by_a_command_with_its_options(part, held):
  command = 'SET=on python main.py --config=configs/x.py:small --a.b=word --n=7 --path=here'
  assert holds(command, part) == held
