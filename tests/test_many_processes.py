"""The main command as several processes: the same pictures, the same figures, stopped as one."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent
# 24 steps; the splits are multiples of no batch
CONFIG = ('--config=configs/tagger.py:smoke', '--config.data.image_size_px=32',
          '--config.data.num_train=90', '--config.data.num_valid=18', '--config.data.num_test=13',
          '--config.train.num_steps=24', '--config.train.batch_size=8',
          '--config.eval.batch_size=8', "--config.data.augment=('mirror','rotation')",
          '--config.net.dropout_rate=0.1', '--config.eval.every_steps=8',
          '--config.runtime.checkpoint_every_steps=4', '--config.runtime.log_every_steps=1',
          '--config.runtime.tensorboard=False')
LONGEST_SEC = 400


class Runs:
  """Starts the main command on one dataset, in one cache of compiled programs."""

  def __init__(self, folder):
    self.folder = folder

  def start(self, workdir, *flags):
    environment = {**os.environ, 'JAX_PLATFORMS': 'cpu'}
    environment.pop('XLA_FLAGS', None)
    with open(self.folder / f'{workdir}.log', 'a') as log:
      return subprocess.Popen(
          [sys.executable, 'main.py', *CONFIG, f'--workdir={self.folder / workdir}',
           f'--config.data.dir={self.folder / "data"}',
           f'--config.runtime.cache_dir={self.folder / "programs"}', *flags],
          cwd=ROOT, stdout=log, stderr=log, env=environment)

  def finish(self, workdir, *flags, code=0):
    process = self.start(workdir, *flags)
    try:
      assert process.wait(LONGEST_SEC) == code, self.said(workdir)
    finally:
      process.kill()

  def said(self, workdir):
    return (self.folder / f'{workdir}.log').read_text()[-3000:]

  def rows(self, workdir, key):
    """Step -> row, of the rows of metrics.jsonl that hold a key; no step stands twice."""
    path = self.folder / workdir / 'metrics.jsonl'
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = {row['step']: row for row in rows if key in row}
    assert len(found) == sum(key in row for row in rows)
    return found

  def record(self, workdir):
    return json.loads((self.folder / workdir / 'run.json').read_text())


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  return Runs(tmp_path_factory.mktemp('many'))


@pytest.fixture(scope='module')
def alone(runs):
  """The reference: one process, one device."""
  runs.finish('alone')
  return runs.record('alone')


def children(pid):
  return [int(number) for path in pathlib.Path(f'/proc/{pid}/task').glob('*/children')
          for number in path.read_text().split()]


def figures(row):
  return {key: value for key, value in row.items()
          if isinstance(value, (int, float)) and key not in ('time', 'pictures_per_sec')}


@pytest.mark.slow
def test_two_processes_stopped_by_a_signal_to_one_and_gone_on_with_by_one_end_alike(runs, alone):
  launcher = runs.start('group', '--processes=2', '--devices_per_process=2')
  try:
    end = time.monotonic() + LONGEST_SEC
    while max(runs.rows('group', 'train/loss'), default=0) < 9:
      assert launcher.poll() is None and time.monotonic() < end, runs.said('group')
      time.sleep(0.05)
    os.kill(children(launcher.pid)[1], signal.SIGTERM)
    assert launcher.wait(LONGEST_SEC) == 75, runs.said('group')
  finally:
    launcher.kill()
  losses = runs.rows('group', 'train/loss')
  saved = max(int(path.name) for path in (runs.folder / 'group' / 'checkpoints').glob('[0-9]*'))
  assert saved == max(losses) >= 9                      # not a step is computed twice
  runs.finish('group', '--devices_per_process=4')
  reference = runs.rows('alone', 'train/loss')
  losses = runs.rows('group', 'train/loss')
  assert losses.keys() == reference.keys()
  assert [losses[step]['train/loss'] for step in reference] == pytest.approx(
      [row['train/loss'] for row in reference.values()], rel=1e-4)
  for step, row in runs.rows('alone', 'valid/loss').items():
    assert runs.rows('group', 'valid/loss')[step]['valid/examples'] == row['valid/examples'] == 18
  assert runs.record('group')['test'].keys() == alone['test'].keys()


@pytest.mark.slow
@pytest.mark.parametrize('layout', [(2, 1), (2, 2)])
def test_every_picture_counts_once_on_every_layout(runs, alone, layout, tmp_path):
  processes, devices = layout
  runs.finish('alone', '--job=evaluate', f'--output={tmp_path}', f'--processes={processes}',
              f'--devices_per_process={devices}')
  found = json.loads((tmp_path / 'evaluation.json').read_text())
  assert found['test']['net']['examples'] == 13 and found['valid']['examples'] == 18
  assert found['test'].keys() == alone['test'].keys()
  for name, row in alone['test'].items():               # the baselines, too
    # a loss of 15 is a float32: its last digit is 1e-6
    assert figures(found['test'][name]) == pytest.approx(figures(row), rel=1e-6, abs=1e-6), name
  assert (tmp_path / 'pictures' / 'predictions.png').exists()


@pytest.mark.slow
@pytest.mark.parametrize('flags, message', [
    (('--config.train.parallel=pmap',), "train.parallel 'pmap' is for one process"),
    (('--config.train.cache_features=True',), 'train.cache_features is for one process'),
    (('--config.train.batch_size=7',), 'it must be a positive multiple of 2 devices'),
    (('--job=predict', '--input=.'), '--job=predict is done by one process'),
])
def test_what_needs_one_process_is_refused_before_anything_is_written(runs, flags, message):
  runs.finish('refused', '--processes=2', '--devices_per_process=1', *flags, code=2)
  assert message in runs.said('refused')
  assert not (runs.folder / 'refused').exists()
