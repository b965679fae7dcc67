"""`python -m tests.readme.tree`: writes the README's tree, a line for every file of the program.

The line of a module is the first sentence of its docstring, of a folder that of its `__init__.py`.
What has no docstring stands in LINES. `make tree` calls it, and tests/test_readme.py holds the
README to it.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
START, END = '<!-- tree -->\n', '<!-- /tree -->\n'
FIRST = ('main.py', 'errors.py', 'setup.py', 'constraints.txt', 'Makefile')
ROOMS = ('configs', 'data', 'nets', 'losses', 'train_lib', 'jobs')
LAST = ('benchmarks/', 'tests/', 'docs/')
WHOLE = ('data/toon/', 'data/phantom/', 'data/scans/', 'data/board/',
         'nets/timm_names/', 'nets/keras_names/')      # folders that are one line
LINES = {
    'constraints.txt': 'The versions that figures were measured with.',
    'Makefile': '`make run`, `make test`, `make test-all`, `make faults`, `make walks`, '
                '`make readme`, `make tree`, `make lint`.',
    'train_lib/clustering/page/':
        'The page of the gallery: HTML, style and scripts, put into one file.',
    'train_lib/inspection/page/': 'The page of --job=inspect: HTML and style.',
    'train_lib/serving/page/': 'The pages of --job=serve: HTML, style and scripts.',
    'benchmarks/': 'Measurements, side by side where there is another to compare with.',
    'tests/': '`test_<room>_<file>.py`; `faults/` does faults to the main command, `fuzz/` throws '
              'broken input at the readers.',
    'docs/': 'A page for each matter, the walks, every result; pictures that the program drew.',
}
MOST_COLUMNS = 100                # of a sentence


def main() -> None:
  """Writes the tree between its two marks."""
  path = ROOT / 'README.md'
  text = path.read_text()
  before, _, rest = text.partition(START)
  _, _, after = rest.partition(END)
  path.write_text(f'{before}{START}{write_tree()}{END}{after}')


def written_tree() -> str:
  """The tree as it stands in the README."""
  return (ROOT / 'README.md').read_text().partition(START)[2].partition(END)[0]


def write_tree() -> str:
  """The tree as it should stand there, a table of two columns."""
  paths = [*FIRST, *(path for room in ROOMS for path in list_room(ROOT / room)), *LAST]
  return ''.join(f'| {cell} | {line} |\n' for cell, line in (
      ('', ''), *((f'`{path}`', line_of(path)) for path in paths))).replace(
          '|  |  |\n', '| | |\n|---|---|\n', 1)


def list_room(folder: Path) -> list[str]:
  """The files of a folder, then its folders, each with what is in it; of some the folder alone."""
  name = f'{folder.relative_to(ROOT).as_posix()}/'
  if name in WHOLE or name in LINES:
    return [name]
  files = sorted(path for path in folder.glob('*.py') if path.name != '__init__.py')
  folders = sorted(path for path in folder.iterdir() if _is_listed(path))
  own = [] if folder.name in ROOMS else [name]
  return [*own, *(path.relative_to(ROOT).as_posix() for path in files),
          *(line for inner in folders for line in list_room(inner))]


def line_of(path: str) -> str:
  """The line of a file or folder. Raises: ValueError: it has none, or one that is too long."""
  if path in LINES:
    return LINES[path]
  file = ROOT / path / '__init__.py' if path.endswith('/') else ROOT / path
  docstring = ast.get_docstring(ast.parse(file.read_text())) or ''
  line = ' '.join(docstring.partition('\n\n')[0].split())
  if not 0 < len(line) <= MOST_COLUMNS or '|' in line:
    raise ValueError(f"the first sentence of {file.relative_to(ROOT)}'s docstring has {len(line)} "
                     f"columns; expected 1 to {MOST_COLUMNS}, and no '|', for the README's tree")
  return line


def _is_listed(path):
  return path.is_dir() and (f'{path.relative_to(ROOT).as_posix()}/' in LINES
                            or any(path.glob('*.py')))


if __name__ == '__main__':
  main()
