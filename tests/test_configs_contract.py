"""What every page of configs promises, asked of each that is there, with each of its presets."""

import ast
import pathlib
import re

import pytest

from configs import base, cluster, saved
from errors import UserError
from nets import get_variant, layers
from tests.readme.found import find_presets, load_page
from tests.written_commands import check_command
from train_lib import build, check, workdir
from train_lib.studies import study

ROOT = pathlib.Path(__file__).parent.parent
PRESETS = find_presets()          # 'configs/vae.py', 'configs/vae.py:small'
PAGES = [page for page in PRESETS if ':' not in page]
COMMAND = re.compile(r'python main\.py(?:\s+--[^\s`]+)+')
MOST_LINES = 20
DECIDED = ('task', 'net', 'loss', 'optimizer', 'train', 'eval', 'pose', 'autoencoder', 'study')

_checked = set()                  # what decides the shapes of nets that were traced


@pytest.fixture(autouse=True)
def nets_are_traced_once(monkeypatch):
  """Pages share nets, and a trace takes a second."""
  trace = check.check_net

  def check_net(config):
    key = str((config.task, config.net, config.data.image_size_px, config.train.shrink,
               config.train.shrink_frac, config.train.freeze, config.train.freeze_first,
               config.train.cache_features, config.optimizer.decayed, config.optimizer.lr_factors))
    if key not in _checked:
      trace(config)
      _checked.add(key)
  monkeypatch.setattr(check, 'check_net', check_net)
  with layers.conv_form('plain'):               # the quickest to trace
    yield


def load(preset):
  config = load_page(preset)
  config.lock()
  return config


def commands_of(page):
  """The commands of a page's docstring, each on one line."""
  docstring = ast.get_docstring(ast.parse((ROOT / page).read_text()))
  return [' '.join(command.split()) for command in COMMAND.findall(docstring)]


def load_as_told(preset):
  """As the docstring's command has it, which names what the preset cannot do without."""
  config = load(preset)
  kinds = leaves(config)
  for command in commands_of(preset.partition(':')[0]):
    if f'--config={preset}' in command.split():
      for key, value in re.findall(r'--config\.([\w.]+)=(\S+)', command):
        if kinds[key] is str:
          config.update_from_flattened_dict({key: value})
  return config


def leaves(config, prefix=''):
  """{'section.key': its type}."""
  found = {}
  for key, value in config.items():
    found.update(leaves(value, f'{prefix}{key}.') if hasattr(value, 'items') else
                 {prefix + key: type(value)})
  return found


@pytest.mark.parametrize('page', PAGES)
def test_a_page_tells_its_command_and_every_preset(page):
  docstring = ast.get_docstring(ast.parse((ROOT / page).read_text()))
  assert any(f'--config={page}' in command for command in commands_of(page))
  for command in commands_of(page):
    check_command(command)
  for preset in PRESETS:
    if preset.startswith(f'{page}:'):
      assert re.search(rf'{preset.removeprefix(page)}\b', docstring), preset


@pytest.mark.parametrize('page', PAGES)
def test_a_page_and_each_of_its_presets_sets_a_few_keys(page):
  for node in ast.parse((ROOT / page).read_text()).body:
    if isinstance(node, ast.FunctionDef):
      lines = [line for line in ast.walk(node) if isinstance(line, ast.Assign)
               and ast.unparse(line).startswith('config.')]
      assert len(lines) <= MOST_LINES, node.name


@pytest.mark.parametrize('preset', PRESETS)
def test_a_preset_has_the_keys_of_base_and_their_types(preset):
  config, defaults = load(preset), base.get_config()
  assert leaves(config) == leaves(defaults)
  assert config != defaults
  assert not config.small_page or config.small_page in PRESETS


@pytest.mark.parametrize('preset', PRESETS)
def test_a_preset_is_the_same_from_its_workdir(preset, tmp_path):
  config = load(preset)
  workdir.save_config(tmp_path / 'config.json', config)
  assert workdir.load_config(tmp_path / 'config.json').to_dict() == config.to_dict()
  again, wanted = saved.get_config(str(tmp_path)).to_dict(), config.to_dict()
  assert {key: again[key] for key in DECIDED} == {key: wanted[key] for key in DECIDED}


@pytest.mark.parametrize('preset', PRESETS)
def test_a_preset_can_be_trained_or_measured(preset):
  config = load_as_told(preset)
  if config.job == 'benchmark':
    assert [get_variant(name) for name in config.benchmark.nets]
    for dtype in config.benchmark.dtypes:
      build.compute_dtype(dtype)
  elif config.job == 'cluster':
    check.check_net(config)
  else:
    rows = study.row_configs(config).values() if config.study.rows else [config]
    for row in rows:
      check.check_config(row)


def test_a_page_without_presets_says_so():
  with pytest.raises(UserError, match="cluster.py has no presets; leave ':nope' out"):
    cluster.get_config('nope')
