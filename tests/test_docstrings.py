"""What others build on says what it does: shapes, settings, errors and sources in its docstring."""

import ast
import dataclasses
import inspect
import pathlib
import re

import pytest

import nets
from data import augment, boxed, operations, person_crop, rand_augment, scan_operations
from jobs import JOBS, get_job
from losses import LOSSES
from train_lib.tasks import TASKS

ROOT = pathlib.Path(__file__).parent.parent
OPERATIONS = {augment, boxed, operations, person_crop, rand_augment, scan_operations}
FILES = sorted([*(path for room in ('losses', 'nets', 'train_lib/tasks', 'jobs')
                  for path in (ROOT / room).glob('*.py')),
                *(pathlib.Path(module.__file__) for module in OPERATIONS - {boxed})])
CALLED = [value for module in sorted(OPERATIONS, key=lambda module: module.__name__)
          for value in vars(module).values()
          if dataclasses.is_dataclass(value) and value.__module__ == module.__name__
          and '__call__' in vars(value)]
IMPLIED = ('_', 'setup')           # what is private, and what Flax calls
SHAPE = re.compile(r'\[[\w., *+/]+\]')


def undocumented(nodes, prefix=''):
  """The public functions, classes and methods that have no docstring."""
  for node in nodes:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith(IMPLIED):
      if not ast.get_docstring(node):
        yield prefix + node.name
      if isinstance(node, ast.ClassDef):
        yield from undocumented(node.body, f'{prefix}{node.name}.')


def lacking(function, *parts):
  """The parts, and the parameters, that a docstring does not name."""
  text, names = inspect.getdoc(function), inspect.signature(function).parameters
  return [part for part in parts if part not in text] + [
      name for name in names if not re.search(rf'\b{name}\b(, \w+)*:', text)]


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_everything_public_has_a_docstring(path):
  assert list(undocumented(ast.parse(path.read_text()).body)) == []


@pytest.mark.parametrize('name', LOSSES)
def test_a_loss_tells_shapes_settings_errors_and_its_source(name):
  assert lacking(LOSSES[name], 'Args:', 'Returns:', 'Raises:', 'Source:') == []
  assert len(SHAPE.findall(LOSSES[name].__doc__)) > 1


@pytest.mark.parametrize('operation', CALLED, ids=lambda operation: operation.__name__)
def test_a_data_operation_tells_the_shape_of_its_picture(operation):
  assert SHAPE.search(operation.__doc__)


@pytest.mark.parametrize('name', nets.NETS)
def test_a_net_tells_the_shapes_that_come_and_go_and_its_paper(name):
  net = nets.NETS[name].NET
  assert [part for part in ('Args of a call:', 'Returns:', 'image: [B, H, W, C]', 'output: ')
          if part not in net.__doc__] == []
  assert re.search(r'arXiv \d{4}\.\d{5}', nets.NETS[name].__doc__)


@pytest.mark.parametrize('name', TASKS)
def test_a_task_tells_its_attributes(name):
  fields = [field.name for field in dataclasses.fields(TASKS[name])]
  told = re.findall(r'^ +([\w, ]+): ', TASKS[name].__doc__, re.MULTILINE)
  assert set(fields) - {one for line in told for one in line.split(', ')} == set()


@pytest.mark.parametrize('name', JOBS)
def test_a_job_tells_what_it_takes_and_which_mistakes_it_names(name):
  assert lacking(get_job(name), 'Args:', 'Raises:\n  UserError:') == []
