"""The main command with faults put into it: `python -m tests.faults.injected [its flags]`.

$OKO_FAULTS is a JSON list of {'kind': a function of kinds.py, ...its arguments}. Nothing else of
the program is changed, so a scenario runs what a person runs.
"""

import json
import os
import pathlib
import runpy
import sys

from tests.faults import kinds

ROOT = pathlib.Path(__file__).parent.parent.parent


def main() -> None:
  """Puts the faults in and runs main.py."""
  sys.path.insert(0, str(ROOT))
  for fault in json.loads(os.environ.get('OKO_FAULTS', '[]')):
    getattr(kinds, fault.pop('kind'))(**fault)
  sys.argv = ['main.py', '--notune', *sys.argv[1:]]
  runpy.run_path(str(ROOT / 'main.py'), run_name='__main__')


if __name__ == '__main__':
  main()
