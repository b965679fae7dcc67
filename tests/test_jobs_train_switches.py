"""The keys of `runtime` that show a run instead of changing it: a dry run, a trace, W&B."""

import json
import pathlib
import sys

import pytest
from fake_wandb import FakeWandb

import jobs
from configs import tagger
from errors import UserError

pytestmark = pytest.mark.slow     # three small runs; the parts have fast tests of their own


def tiny_config(folder, **runtime):
  config = tagger.get_config('smoke')
  config.data.dir, config.data.image_size_px = str(folder / 'data'), 32
  config.data.num_train, config.data.num_valid, config.data.num_test = 48, 8, 8
  config.train.batch_size, config.eval.batch_size = 8, 8
  config.train.num_steps, config.eval.every_steps, config.eval.baselines = 10, 5, False
  config.runtime.log_every_steps, config.runtime.tensorboard = 5, False
  config.runtime.cache_dir = str(folder / 'programs')
  config.runtime.update(runtime)
  return config


def train(config, workdir):
  jobs.get_job('train')(config, str(workdir), config_path='a page', input='', output='')


def read(path):
  return json.loads(path.read_text())


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('switches')


@pytest.fixture(scope='module')
def plain(folder):
  train(tiny_config(folder), folder / 'plain')
  return folder / 'plain'


@pytest.fixture(scope='module')
def watched(folder, plain):
  """(workdir, the fake wandb) of the same run, traced and told to W&B."""
  with pytest.MonkeyPatch.context() as patch:
    fake = FakeWandb()
    patch.setitem(sys.modules, 'wandb', fake)
    train(tiny_config(folder, profile_steps=2, wandb='oko'), folder / 'watched')
  return folder / 'watched', fake


def test_a_run_that_is_watched_learns_the_same_bits(plain, watched):
  assert (read(watched[0] / 'run.json')['state_digest'] == read(plain / 'run.json')['state_digest'])


def test_the_trace_lies_in_the_workdir(watched):
  assert list(pathlib.Path(watched[0] / 'trace').rglob('*.xplane.pb'))


def test_wandb_has_what_metrics_jsonl_has_and_the_results(watched):
  workdir, fake = watched
  store, = fake.stores.values()
  rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  *told, (_, pictures) = store['rows']
  assert told == [(row.pop('step'), row) for row in rows if row.pop('time')]
  assert set(pictures) == {f'pictures/{path.stem}' for path in (workdir / 'pictures').iterdir()}
  test = read(workdir / 'run.json')['test']['net']
  assert store['summary']['test/map'] == test['map']
  assert all(run.finished for run in fake.runs)


def test_a_dry_run_measures_the_step_and_makes_no_workdir(folder, plain, capsys):
  before = {path: path.stat().st_mtime_ns for path in plain.rglob('*')}
  for name in ('plain', 'never'):
    train(tiny_config(folder, dry_run=True), folder / name)
  said = capsys.readouterr().out
  assert said.count('memory of a step on each device: ') == said.count('time of a step: ') == 2
  assert said.count(' for the 10 steps, at ') == 2
  assert not (folder / 'never').exists()
  assert before == {path: path.stat().st_mtime_ns for path in plain.rglob('*')}


def test_wandb_that_cannot_be_had_is_told_before_anything_is_made(folder, monkeypatch):
  monkeypatch.setitem(sys.modules, 'wandb', None)
  with pytest.raises(UserError, match='not installed'):
    train(tiny_config(folder, wandb='oko'), folder / 'never')
  assert not (folder / 'never').exists()
