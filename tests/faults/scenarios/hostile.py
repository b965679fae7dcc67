"""Hostile files and requests, which tests of their own throw at the readers and at the page."""

import re
import subprocess
import sys

from tests.faults.runs import ROOT


def of_tests(*files):
  """A scenario that runs the tests in these files of tests/, all of which must pass."""
  def run(runs, short):
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-n', '0', '-p', 'no:cacheprovider', *files],
        cwd=ROOT / 'tests', capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:]
    return f'{re.search("([0-9]+) passed", done.stdout)[1]} tests in {", ".join(files)}'
  return run


decoding = of_tests('test_data_decode.py')
files = of_tests('test_train_lib_weights_weight_files.py', 'test_data_board_hostile.py',
                 'test_data_coco_hostile.py', 'test_data_scans_hostile.py')
page = of_tests('test_train_lib_serving_guard.py', 'test_train_lib_serving_app.py',
                'test_train_lib_serving_server.py', 'test_train_lib_serving_turns.py')
