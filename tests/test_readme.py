"""The README tells of every file, job and preset, and its commands name what exists."""

import pathlib
import re

import pytest

from configs import tagger
from jobs import JOBS
from tests.written_commands import check_keys, find_links

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text()
FOLDERS = ('data/toon/', 'data/phantom/', 'data/scans/', 'data/board/',
           'nets/timm_names/', 'nets/keras_names/')


def files_of_the_tree():
  """What the tree lists one by one; other folders are a line each."""
  rooms = ('configs', 'data', 'jobs', 'losses', 'nets', 'train_lib')
  paths = [path.relative_to(ROOT) for room in rooms for path in (ROOT / room).rglob('*.py')]
  return [path.as_posix() for path in paths
          if path.name != '__init__.py' and f'{path.parent.as_posix()}/' not in FOLDERS]


@pytest.mark.parametrize('path', [
    *files_of_the_tree(), *FOLDERS, 'main.py', 'setup.py', 'errors.py', 'constraints.txt',
    'Makefile', 'benchmarks/', 'tests/', 'docs/'])
def test_the_tree_has_a_line_for_every_file(path):
  assert f'| `{path}` | ' in README
  assert (ROOT / path).exists()


def test_the_tree_lists_nothing_else():
  tree = README.partition('## The tree')[2]
  for path in re.findall(r'^\| `([^`]+)` \| ', tree, flags=re.MULTILINE):
    assert (ROOT / path).exists(), path


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
