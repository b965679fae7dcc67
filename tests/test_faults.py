"""Stopped at any moment and started again, a run ends as if it had never been stopped."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent
# 48 steps on pictures of 32 px: a checkpoint every 4, an evaluation every 12
CONFIG = ('--config=configs/tagger.py:smoke', '--config.data.image_size_px=32',
          '--config.data.num_train=96', '--config.data.num_valid=16', '--config.data.num_test=16',
          '--config.train.num_epochs=4', '--config.train.batch_size=8',
          '--config.eval.batch_size=8',
          "--config.data.augment=('mirror','rotation','scale','translation','cutout','colour')",
          '--config.net.dropout_rate=0.1', '--config.train.ema_decay=0.9',
          '--config.train.shrink=2', '--config.train.shrink_frac=0.5',
          '--config.eval.every_steps=12', '--config.eval.baselines=False',
          '--config.runtime.checkpoint_every_steps=4', '--config.runtime.log_every_steps=3')
# 2,400 steps, so that a start gets through a part of them only
LONG = ('--config.train.num_epochs=200', '--config.eval.every_steps=150',
        '--config.runtime.checkpoint_every_steps=25')
EXIT_PREEMPTED = 75


class Runs:
  """Starts the main command on one dataset, in one cache of compiled programs."""

  def __init__(self, folder, config):
    self.folder, self.config = folder, config

  def start(self, workdir, *overrides):
    with open(self.folder / f'{workdir}.log', 'a') as log:
      return subprocess.Popen(
          [sys.executable, 'main.py', *self.config, f'--workdir={self.folder / workdir}',
           f'--config.data.dir={self.folder / "data"}',
           f'--config.runtime.cache_dir={self.folder / "programs"}', *overrides],
          cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ, JAX_PLATFORMS='cpu'))

  def finish(self, workdir, *overrides):
    code = self.start(workdir, *overrides).wait(timeout=300)
    assert code == 0, (self.folder / f'{workdir}.log').read_text()[-3000:]
    return json.loads((self.folder / workdir / 'run.json').read_text())

  def losses(self, workdir):
    rows = [json.loads(line) for line in
            (self.folder / workdir / 'metrics.jsonl').read_text().splitlines()]
    return [(row['step'], row['train/loss']) for row in rows if 'train/loss' in row]


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  return Runs(tmp_path_factory.mktemp('faults'), CONFIG)


@pytest.fixture(scope='module')
def long_runs(tmp_path_factory):
  return Runs(tmp_path_factory.mktemp('long'), (*CONFIG, *LONG))


@pytest.fixture(scope='module')
def undisturbed(runs):
  return run_undisturbed(runs)


@pytest.fixture(scope='module')
def long_undisturbed(long_runs):
  return run_undisturbed(long_runs)


def run_undisturbed(runs):
  """The reference: its run.json, its losses by step, and the seconds that it took."""
  runs.finish('warm')                                   # draws the data, compiles the programs
  began = time.monotonic()
  record = runs.finish('undisturbed')
  assert record['params_digest'] == json.loads(
      (runs.folder / 'warm' / 'run.json').read_text())['params_digest']
  return record, dict(runs.losses('undisturbed')), time.monotonic() - began


def stop_and_go_on(runs, undisturbed, workdir, stops):
  """Starts, signals after the given seconds, starts again, and at last lets it end."""
  record, losses, _ = undisturbed
  codes = []
  for number, (moment, signum) in enumerate(stops):
    process = runs.start(workdir, f'--config.runtime.workers={number % 3}')
    try:
      codes.append(process.wait(timeout=moment))
    except subprocess.TimeoutExpired:
      process.send_signal(signum)
      codes.append(process.wait(timeout=60))
  ended = runs.finish(workdir)
  told = (runs.folder / f'{workdir}.log').read_text()[-3000:]
  allowed = {0, EXIT_PREEMPTED, -signal.SIGKILL, -signal.SIGTERM, 130}  # the last two: starting
  assert set(codes) <= allowed, (codes, told)
  assert ended['params_digest'] == record['params_digest'], told
  assert ended['state_digest'] == record['state_digest'], told
  steps = [step for step, _ in runs.losses(workdir)]
  assert steps == sorted(set(steps)), 'a step stands twice in metrics.jsonl'
  assert all(losses[step] == loss for step, loss in runs.losses(workdir) if step in losses)
  return codes


def test_two_stops_change_nothing(runs, undisturbed):
  seconds = undisturbed[2]
  stop_and_go_on(runs, undisturbed, 'two',
                 [(0.75 * seconds, signal.SIGTERM), (0.8 * seconds, signal.SIGKILL)])


@pytest.mark.slow
@pytest.mark.parametrize('seed', [1, 2])
def test_twelve_stops_at_random_moments_change_nothing(long_runs, long_undisturbed, seed):
  rng = random.Random(seed)
  stops = [(rng.uniform(0.05, 0.16) * long_undisturbed[2],
            rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])) for _ in range(12)]
  codes = stop_and_go_on(long_runs, long_undisturbed, f'random-{seed}', stops)
  assert len([code for code in codes if code]) >= 10, codes
  assert {EXIT_PREEMPTED, -signal.SIGKILL} <= set(codes), codes


@pytest.mark.parametrize('damage', ['flipped bit', *(
    pytest.param(damage, marks=pytest.mark.slow) for damage in ('truncated', 'missing'))])
def test_a_damaged_newest_checkpoint_costs_only_its_steps(runs, undisturbed, damage):
  workdir = damage.replace(' ', '-')
  process = runs.start(workdir)
  checkpoints = runs.folder / workdir / 'checkpoints'
  while process.poll() is None and not (checkpoints / '12' / 'manifest.json').exists():
    time.sleep(0.01)
  process.send_signal(signal.SIGTERM)
  assert process.wait(timeout=60) == EXIT_PREEMPTED
  newest = max(int(path.name) for path in checkpoints.iterdir() if path.name.isdigit())
  files = [path for path in (checkpoints / str(newest)).rglob('*')
           if path.is_file() and path.name != 'manifest.json']
  victim = max(files, key=lambda path: path.stat().st_size)
  content = bytearray(victim.read_bytes())
  if damage == 'missing':
    victim.unlink()
  elif damage == 'truncated':
    victim.write_bytes(content[:-100])
  else:
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
  ended = runs.finish(workdir)
  assert ended['params_digest'] == undisturbed[0]['params_digest']
  aside = list(checkpoints.glob(f'{newest}.corrupt-*'))
  assert aside and (aside[0] / 'reason.txt').read_text()
  log = (runs.folder / f'{workdir}.log').read_text()
  assert 'going on from step' in log and f'going on from step {newest} ' not in log
