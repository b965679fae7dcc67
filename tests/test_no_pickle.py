"""Nothing that the program reads is run: no pickle, no code, no archive unpacked blindly."""

import ast
import pathlib

import pytest

from tests.test_imports import ROOT, python_files

# Modules that turn bytes into objects or code, or that unpack archives; who may import them, why.
FORBIDDEN = {
    'pickle': {'data/pool.py': 'its own pipe to the processes that it has started, and no file'},
    'zipfile': {
        'train_lib/weights/weight_files.py': 'members of an .npz, read one by one by their names',
        'train_lib/clustering/collection.py': 'the error that a damaged .npz raises'},
    'runpy': {'train_lib/inspection/run_record.py': 'configs/base.py of this checkout'},
    **{name: {} for name in (
        'cPickle', '_pickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal', 'jsonpickle',
        'copyreg', 'yaml', 'ruamel', 'torch', 'tensorflow', 'keras', 'tarfile',
        'py7zr', 'rarfile', 'code', 'codeop', 'imp')},
}
IMPORTS_BY_NAME = {'jobs/__init__.py': 'a job, by the table of jobs'}
BUILTINS = {'eval', 'exec', 'compile', '__import__'}
METHODS = {'extractall', 'extract', 'unpack_archive', 'read_pickle', 'to_pickle', 'from_yaml',
           'unsafe_load', 'full_load', 'system', 'popen', 'load_module', 'exec_module'}
ARRAYS = {'load', 'save', 'savez', 'savez_compressed', 'read_array'}   # of numpy


def _calls(tree):
  for node in ast.walk(tree):
    if isinstance(node, ast.Call):
      function = node.func
      owner = getattr(function, 'value', None)
      yield (node, getattr(function, 'attr', getattr(function, 'id', '')),
             '' if isinstance(function, ast.Name) else ast.unparse(owner) if owner else '')


def _problems(path, source):
  """What a file does that nothing here may do, in words."""
  tree = ast.parse(source)
  for node in ast.walk(tree):
    names = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
             else [node.module] if isinstance(node, ast.ImportFrom) else [])
    for name in names:
      top = name.partition('.')[0]
      if top in FORBIDDEN and path not in FORBIDDEN[top]:
        yield f'imports {name}'
      if name == 'numpy.lib.format':
        yield 'imports numpy.lib.format by itself; call np.lib.format.read_array'
  for node, name, owner in _calls(tree):
    options = {option.arg: option.value for option in node.keywords}
    refuses = isinstance(options.get('allow_pickle'), ast.Constant) and (
        options['allow_pickle'].value is False)
    if not owner and name in BUILTINS or owner and name in METHODS:
      yield f'calls {owner and owner + "."}{name}'
    if name == 'recv' and not node.args and path not in FORBIDDEN['pickle']:
      yield 'receives a pickle'   # of multiprocessing; a socket's recv takes a number of bytes
    if name == 'import_module' and path not in IMPORTS_BY_NAME:
      yield 'imports by name'
    if (name in ARRAYS and owner in ('np', 'numpy', 'np.lib.format', 'onp', 'jnp')
        and not refuses and not name.startswith('savez')):
      yield f'calls {owner}.{name} without allow_pickle=False'
    if 'allow_pickle' in options and not refuses:
      yield 'allows a pickle'
    if isinstance(options.get('shell'), ast.Constant) and options['shell'].value:
      yield 'hands words to a shell'


@pytest.mark.parametrize('path', python_files(), ids=str)
def test_nothing_that_is_read_is_run(path):
  assert list(_problems(path.as_posix(), (ROOT / path).read_text())) == []


@pytest.mark.parametrize('source', [
    'import pickle', 'from pickle import loads', 'import torch', 'import yaml', 'import tarfile',
    'import zipfile', 'np.load(path)', 'np.load(path, allow_pickle=True)',
    'np.load(path, allow_pickle=flag)', 'np.save(path, array)', 'np.savez(f, allow_pickle=True)',
    'np.lib.format.read_array(file)', 'eval(text)', 'exec(code)', 'archive.extractall(folder)',
    'shutil.unpack_archive(path)', 'connection.recv()', 'os.system(command)',
    'subprocess.run(words, shell=True)', 'importlib.import_module(name)', 'x.from_yaml(text)'])
def test_each_way_to_run_what_is_read_is_noticed(source):
  assert list(_problems('data/x.py', source))


@pytest.mark.parametrize('source', [
    'np.load(path, allow_pickle=False)', 'np.lib.format.read_array(file, allow_pickle=False)',
    'jax.jit(f).lower(x).compile()', 're.compile(text)', 'json.load(file)'])
def test_what_is_harmless_is_passed(source):
  assert list(_problems('data/x.py', source)) == []


def test_every_exception_is_needed():
  for name, paths in FORBIDDEN.items():
    for path in paths:
      assert f'import {name}' in (ROOT / path).read_text(), f'{path} no longer imports {name}'
  for path in IMPORTS_BY_NAME:
    assert 'import_module' in pathlib.Path(ROOT / path).read_text()
