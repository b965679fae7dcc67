"""Files and functions stay short enough to be read at a sitting; the exceptions have a reason."""

import ast
import pathlib
import statistics

ROOT = pathlib.Path(__file__).parent.parent
ROOMS = ('configs', 'data', 'nets', 'losses', 'train_lib', 'jobs', 'benchmarks', 'tests')
MOST_LINES, MOST_MEDIAN, MOST_OF_FUNCTION = 350, 150, 60
LONG_FILES = {'configs/base.py': 'every key of a config stands in one place'}


def sources():
  """{path from the checkout: text} of every Python file, of the program and its tests."""
  paths = [*ROOT.glob('*.py'), *(path for room in ROOMS for path in (ROOT / room).rglob('*.py'))]
  return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def lengths(text):
  """(name, lines) of every function of a file, wherever it stands."""
  return [(node.name, node.end_lineno - node.lineno + 1) for node in ast.walk(ast.parse(text))
          if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def test_files_are_short_or_say_why_not():
  lines = {path: text.count('\n') for path, text in sources().items()}
  assert {path for path, count in lines.items() if count > MOST_LINES} == set(LONG_FILES)
  for path in LONG_FILES:
    assert 'longer than any other' in ast.get_docstring(ast.parse((ROOT / path).read_text()))
  assert statistics.median(lines.values()) <= MOST_MEDIAN


def test_functions_are_short():
  long = [f'{path}: {name} has {count} lines' for path, text in sources().items()
          for name, count in lengths(text) if count > MOST_OF_FUNCTION]
  assert long == []
