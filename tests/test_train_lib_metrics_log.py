"""Rows of metrics.jsonl come first; TensorBoard and W&B get the same, and cannot stop a run."""

import json
import pathlib
import sys

import pytest
from etils import epath
from fake_wandb import FakeWandb
from PIL import Image

from configs import base
from errors import UserError
from tests import fake_store
from tests.full_disk import full_disk
from train_lib import metrics_log, wandb_run, workdir
from train_lib.metrics_log import MetricsLog
from train_lib.storage import records


@pytest.fixture
def wandb(monkeypatch):
  fake = FakeWandb()
  monkeypatch.setitem(sys.modules, 'wandb', fake)
  return fake


@pytest.fixture
def folder(tmp_path):
  """A workdir that was begun."""
  workdir.begin_run(epath.Path(tmp_path), make_config(), config_name='a page')
  return epath.Path(tmp_path)


def make_config(**runtime):
  config = base.get_config()
  config.runtime.tensorboard = False
  config.runtime.update(runtime)
  return config


def write_steps(folder, steps, start=0, **runtime):
  log = MetricsLog(folder, start, make_config(**runtime))
  for step in steps:
    log.write(step, {'train/loss': 1 / step})
  log.close()


def kept_steps(folder):
  return [json.loads(line)['step'] for line in (folder / 'metrics.jsonl').read_text().splitlines()]


def test_a_run_that_goes_on_drops_the_rows_beyond_its_step(folder):
  write_steps(folder, (2, 4, 6))
  write_steps(folder, (6, 8), start=4)
  assert kept_steps(folder) == [2, 4, 6, 8]


def test_no_sink_is_opened_that_nobody_asked_for(folder, wandb):
  write_steps(folder, (1,))
  assert not wandb.starts and {path.name for path in folder.iterdir()} == {
      'config.json', 'run.json', 'metrics.jsonl'}


def test_a_sink_that_breaks_costs_one_warning(folder, wandb, caplog):
  log = MetricsLog(folder, 0, make_config(wandb='oko', tensorboard=True))
  log.write(1, {'train/loss': 1.0})
  wandb.runs[0].log = None                                    # not callable any more
  for step in (2, 3):
    log.write(step, {'train/loss': 1.0})
  log.close()
  assert kept_steps(folder) == [1, 2, 3]
  assert [record.message.partition(' gets')[0] for record in caplog.records] == ['Weights & Biases']
  events, = (folder / 'tensorboard').iterdir()
  assert events.read_bytes().count(b'train/loss') == 3


def test_wandb_gets_the_rows_and_the_config_under_the_name_of_the_workdir(folder, wandb, capsys):
  write_steps(folder, (1, 2), wandb='oko')
  start, = wandb.starts
  assert (start['project'], start['name'], start['resume']) == ('oko', folder.name, 'allow')
  assert start['dir'] == str(folder) and start['config']['runtime']['wandb'] == 'oko'
  assert wandb.stores[start['id']]['rows'] == [(1, {'train/loss': 1}), (2, {'train/loss': 0.5})]
  assert wandb.runs[0].finished and wandb.runs[0].url in capsys.readouterr().out


def test_a_resumed_run_goes_on_in_the_same_wandb_run_and_repeats_nothing(folder, wandb):
  write_steps(folder, (2, 4, 6), wandb='oko')
  workdir.begin_run(folder, make_config(), config_name='a page')
  write_steps(folder, (4, 6, 8), start=2, wandb='oko')
  store, = wandb.stores.values()
  assert [step for step, _ in store['rows']] == [2, 4, 6, 6, 8]   # the same step may have two rows


def test_a_run_begun_afresh_in_the_same_folder_is_another_wandb_run(folder):
  config = make_config()
  before = wandb_run.run_id(config, folder)
  workdir.begin_run(folder, config, config_name='a page')
  assert wandb_run.run_id(make_config(wandb='other', dry_run=True), folder) == before
  config.seed = 1
  assert wandb_run.run_id(config, folder) != before
  record = workdir.read_run(folder)
  record['starts'][0]['time'] = 'another time'
  workdir.update_run(folder, **record)
  assert wandb_run.run_id(make_config(), folder) != before


def test_without_the_package_the_message_names_the_extra(folder, monkeypatch):
  monkeypatch.setitem(sys.modules, 'wandb', None)
  with pytest.raises(UserError, match=r'\.\[wandb\]'):
    MetricsLog(folder, 0, make_config(wandb='oko'))


def test_who_is_not_logged_in_is_told_so_and_not_asked(folder, wandb):
  wandb.logged_in = False
  with pytest.raises(UserError, match='wandb login'):
    MetricsLog(folder, 0, make_config(wandb='oko'))
  wandb.mode = 'offline'
  write_steps(folder, (1,), wandb='oko')
  assert len(wandb.runs) == 1


def test_without_a_network_the_run_goes_on_with_a_warning(folder, wandb, caplog):
  wandb.broken = True
  write_steps(folder, (1, 2), wandb='oko')
  wandb_run.send_results(make_config(wandb='oko'), folder, {'net': {'map': 0.5}})
  assert kept_steps(folder) == [1, 2]
  assert [record.message.count('no network') for record in caplog.records] == [1, 1]


def test_results_are_the_summary_and_the_pictures_of_the_workdir(folder, wandb):
  (folder / 'pictures').mkdir()
  Image.new('RGB', (3, 2)).save(folder / 'pictures' / 'curves.png')
  write_steps(folder, (7,), wandb='oko')
  wandb_run.send_results(make_config(), folder, {'net': {'map': 0.5}})
  assert len(wandb.runs) == 1
  wandb_run.send_results(make_config(wandb='oko'), folder, {'net': {'map': 0.5}, 'oracle': {}})
  store, = wandb.stores.values()
  assert store['summary'] == {'test/map': 0.5}
  assert store['rows'][-1][1] == {'pictures/curves': ('picture', (3, 2))}
  assert wandb.runs[1].finished


@pytest.mark.slow
@pytest.mark.filterwarnings('default')
def test_the_real_wandb_keeps_a_run_offline(folder, monkeypatch, tmp_path):
  pytest.importorskip('wandb')
  monkeypatch.setenv('WANDB_MODE', 'offline')
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  (folder / 'pictures').mkdir()
  Image.new('RGB', (3, 2)).save(folder / 'pictures' / 'curves.png')
  write_steps(folder, (1, 2), wandb='oko')
  wandb_run.send_results(make_config(wandb='oko'), folder, {'net': {'map': 0.25}})
  first, second = sorted((folder / 'wandb').glob('offline-run-*'))
  run_id = wandb_run.run_id(make_config(), folder)
  assert b'train/loss' in (first / f'run-{run_id}.wandb').read_bytes()
  assert b'test/map' in (second / f'run-{run_id}.wandb').read_bytes()
  assert list(pathlib.Path(second).rglob('curves*.png'))


def test_events_of_a_store_are_copied_there_now_and_then_and_at_the_end(tmp_path, monkeypatch):
  monkeypatch.setattr(metrics_log, 'SEND_SEC', 0.0)
  folder = records.absolute(fake_store.install(tmp_path / 'store')) / 'run'
  log = MetricsLog(folder, 0, make_config(tensorboard=True))
  log.write(1, {'train/loss': 2.0})
  name, = fake_store.names('run/tensorboard/events')
  first = len((folder.parent / name).read_bytes())
  monkeypatch.setattr(metrics_log, 'SEND_SEC', 1e6)
  log.write(2, {'train/loss': 1.0})
  assert len((folder.parent / name).read_bytes()) == first
  log.close()
  assert len((folder.parent / name).read_bytes()) > first
  assert [row['step'] for row in records.read_jsonl(folder / 'metrics.jsonl')] == [1, 2]


def test_rows_that_find_no_room_are_whole_or_not_there_and_come_later(folder, caplog):
  log = MetricsLog(folder, 0, make_config())
  log.write(1, {'train/loss': 1.0})
  size = (folder / 'metrics.jsonl').stat().length
  with full_disk(size + 10):
    log.write(2, {'train/loss': 0.5})
    log.write(3, {'train/loss': 0.4})
    assert kept_steps(folder) == [1] and (folder / 'metrics.jsonl').stat().length == size
  assert caplog.text.count('kept back until it can') == 1
  log.write(4, {'train/loss': 0.3})
  log.close()
  assert kept_steps(folder) == [1, 2, 3, 4]
