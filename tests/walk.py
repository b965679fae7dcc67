"""`python -m tests.walk [tagger ...]`: runs every block of the walks of docs/walks, in order.

Each page runs from the checkout's root, as it is written, each block in a shell of its own, and
stops at the first command that fails. `python` is the one that runs this.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

from tests.written_commands import ROOT, find_blocks

FOLDER = ROOT / 'docs' / 'walks'


def run_page(path: pathlib.Path) -> bool:
  """Whether every command of a page ended well; says how long each block took."""
  blocks = find_blocks(path.read_text())
  print(f'== {path.stem}: {len(blocks)} blocks', flush=True)
  for block in blocks:
    print(block.text.rstrip(), flush=True)
    began = time.monotonic()
    done = subprocess.run(['bash', '-euo', 'pipefail', '-c', block.text], cwd=ROOT, env={
        **os.environ, 'PATH': f'{pathlib.Path(sys.executable).parent}:{os.environ["PATH"]}'})
    print(f'-- {path.stem}.md, line {block.line}: code {done.returncode}, '
          f'{time.monotonic() - began:.0f} s', flush=True)
    if done.returncode:
      return False
  return True


def main(argv: list[str]) -> int:
  """Returns 0 when every page that was asked for ran to its end."""
  names = sorted(path.stem for path in FOLDER.glob('*.md'))
  parser = argparse.ArgumentParser(prog='python -m tests.walk', description=__doc__)
  parser.add_argument('names', nargs='*', help='pages; none: all')
  chosen = parser.parse_args(argv).names or names
  if unknown := set(chosen) - set(names):
    parser.error(f'there is no {", ".join(sorted(unknown))}; choices: {", ".join(names)}')
  failed = [name for name in chosen if not run_page(FOLDER / f'{name}.md')]
  print(f'{len(chosen) - len(failed)} of {len(chosen)} walks ran to their end')
  return 1 if failed else 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
