"""Runs an example of a model card as somebody would who has nothing of this project."""

import re
import subprocess
import sys

ALLOWED = ('onnxruntime', 'PIL', 'numpy')
BLOCK = f'''
import sys
class Blocker:
  def find_spec(self, name, path=None, target=None):
    front = name.partition('.')[0]
    if front not in {ALLOWED} and front not in sys.stdlib_module_names:
      raise ImportError(f'{{name}} is none of what the example may use')
sys.meta_path.insert(0, Blocker())
'''


def first_example(card: str) -> str:
  """The first block of Python of a README."""
  return re.search(r'^```python\n(.*?)^```$', card, flags=re.DOTALL | re.MULTILINE)[1]


def run_example(code: str, folder) -> str:
  """What it prints. Args: folder: of the exported files and picture.png."""
  done = subprocess.run([sys.executable, '-c', f'{BLOCK}exec({code!r})'], cwd=folder,
                        capture_output=True, text=True, timeout=120)
  assert done.returncode == 0, done.stderr
  return done.stdout


def read_values(printed: str) -> dict[str, list[float]]:
  """'name: 1.5 2' -> {'name': [1.5, 2.0]}."""
  lines = (line.partition(': ') for line in printed.splitlines())
  return {name: [float(word) for word in words.split()] for name, _, words in lines}
