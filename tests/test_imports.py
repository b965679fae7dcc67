"""The house holds: arrows between rooms point one way, tables list their folders, keys are read."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
ROOMS = ('configs', 'data', 'losses', 'nets', 'train_lib', 'jobs')
STANDARD = set(sys.stdlib_module_names)
# What the files of a room may import besides the standard library and the room itself.
ARROWS = {
    'configs': {'ml_collections', 'etils', 'errors'},
    'losses': {'jax', 'chex'},
    'data': {'numpy', 'cv2', 'PIL', 'tensorflow_datasets', 'array_record', 'tqdm', 'errors',
             'pydicom', 'nibabel'},
    'nets': {'flax', 'jax', 'numpy', 'errors'},
    'train_lib': {'jax', 'flax', 'optax', 'orbax', 'numpy', 'etils', 'ml_collections', 'absl',
                  'sklearn', 'threadpoolctl', 'scipy', 'matplotlib', 'cv2', 'PIL', 'tqdm',
                  'tensorboardX', 'errors', 'safetensors', 'h5py', 'huggingface_hub', 'onnx',
                  'onnxruntime', 'starlette', 'uvicorn', 'python_multipart', 'wandb', 'fsspec'},
    'jobs': {'jax', 'numpy', 'etils', 'errors', 'train_lib'},
    'main.py': {'absl', 'ml_collections', 'errors', 'configs', 'train_lib', 'jobs'},
    'errors.py': set(),
}
EXCEPTIONS = {'train_lib/build.py': {'losses', 'nets'}, 'train_lib/build_data.py': {'data'},
              'train_lib/build_sources.py': {'data'}, 'train_lib/build_inputs.py': {'data'},
              'train_lib/workdir.py': {'configs'}, 'train_lib/predicting/predictor.py': {'configs'}}


def python_files():
  """Every file of the program, relative to the checkout."""
  files = [path for room in ROOMS for path in (ROOT / room).rglob('*.py')]
  return sorted(path.relative_to(ROOT) for path in [*files, ROOT / 'main.py', ROOT / 'errors.py'])


def imported_names(path):
  """The top-level names that a file imports, wherever the import stands."""
  for node in ast.walk(ast.parse((ROOT / path).read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name.partition('.')[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{path}: relative import'
      yield node.module.partition('.')[0]


@pytest.mark.parametrize('path', python_files(), ids=str)
def test_arrows_point_one_way(path):
  room = path.parts[0]
  allowed = ARROWS[room] | STANDARD | {room} | EXCEPTIONS.get(path.as_posix(), set())
  assert set(imported_names(path)) <= allowed


def test_tables_equal_their_folders():
  from data import SOURCES
  from jobs import JOBS
  from losses import LOSSES
  from nets import NETS
  from train_lib.tasks import TASKS

  def files(folder, *shared):
    return {path.stem for path in (ROOT / folder).glob('*.py')} - {'__init__', *shared}

  assert set(SOURCES) == files('data/sources')
  assert set(JOBS) == files('jobs')
  assert set(LOSSES) == files('losses')
  assert set(NETS) == files('nets', 'layers', 'conv', 'canonical', 'depthwise', 'held', 'options',
                            'weight_names')
  assert set(TASKS) == files('train_lib/tasks', 'reductions', 'missing_tags', 'mixing', 'pixels')


def test_every_config_key_is_read():
  from configs import base
  from losses import LOSSES, hyper_parameters
  sections = {key for key, value in base.get_config().items() if hasattr(value, 'items')}
  holders = sections | {'config', 'config_data', 'c', 'settings', 'persons'}
  read = {node.attr for path in python_files() if path.parts[0] != 'configs'
          for node in ast.walk(ast.parse((ROOT / path).read_text()))
          if isinstance(node, ast.Attribute)
          and getattr(node.value, 'attr', getattr(node.value, 'id', '')) in holders}
  # by name: the embedded data's settings, and the categories of a board's tags
  read |= {'num_train', 'num_valid', 'num_test', *base.board_section().most}
  read |= {name for loss in LOSSES.values() for name in hyper_parameters(loss)}

  def leaves(config):
    for key, value in config.items():
      yield from leaves(value) if hasattr(value, 'items') else [key]

  assert [key for key in leaves(base.get_config()) if key not in read] == []


def test_importing_everything_does_no_work():
  modules = [path.with_suffix('').as_posix().replace('/', '.').removesuffix('.__init__')
             for path in python_files()]
  code = ('import importlib, sys\n'
          f'for name in {modules}: importlib.import_module(name)\n'
          'import jax\n'
          'assert not jax._src.xla_bridge._backends, "a module touched the devices"\n'
          'assert "tensorflow" not in sys.modules and "torch" not in sys.modules')
  subprocess.run([sys.executable, '-W', 'error::SyntaxWarning', '-c', code], cwd=ROOT, check=True)


def test_code_never_hides_a_default_in_config_get():
  for path in python_files():
    text = (ROOT / path).read_text()
    assert 'config.get(' not in text, path
