"""A card has figures of its own step alone, and says where they come from."""

import types

import pytest

from configs import simpsons, tagger
from train_lib.export.card_record import read_record
from train_lib.storage import records

RUN = {'config_name': '/home/somebody/tagger.py:smoke',
       'test': {'net': {'map': 0.5, 'examples': 8}},
       'valid': {'map': 0.6, 'examples': 4}, 'chosen': {'step': 10, 'epoch': 2.5},
       'starts': [{'commit': 'old'}, {'commit': 'abc', 'versions': {'jax': '1'},
                                      'devices': {'kind': 'cpu'}}]}
TAGS = ('tag,train_pictures,own_threshold', 'hat,7,0.25', 'cat,3,', 'dog,2,nan')


@pytest.fixture
def workdir(tmp_path):
  records.write_json(tmp_path / 'run.json', RUN)
  records.write_text(tmp_path / 'evaluation' / 'tags.csv', '\n'.join(TAGS))
  return tmp_path


def read(workdir, step, config=None):
  return read_record(config or tagger.get_config('smoke'), workdir,
                     types.SimpleNamespace(step=step))


def test_figures_are_those_of_the_step_that_training_chose(workdir):
  found = read(workdir, 10)
  assert found.test['net']['map'] == 0.5 and found.valid['map'] == 0.6
  assert found.commit == 'abc' and found.device == 'cpu' and found.epoch == 2.5
  assert found.page == 'tagger.py:smoke'
  assert found.pictures == {'training': 512, 'validation': 4, 'test': 8}


def test_own_thresholds_are_numbers_and_counts_are_whole(workdir):
  found = read(workdir, 10)
  assert found.own_thresholds == {'hat': 0.25} and found.counts == {'hat': 7, 'cat': 3, 'dog': 2}


def test_figures_of_another_step_are_left_out(workdir):
  found = read(workdir, 20)
  assert found.test == found.valid == found.own_thresholds == {} and found.epoch == 0
  assert found.counts['hat'] == 7               # of the data, whatever the step


def test_a_later_evaluation_counts_for_its_step_and_its_tables(workdir):
  records.write_json(workdir / 'evaluation.json', {
      'step': 20, 'test': {'net': {'map': 0.7, 'examples': 8}}, 'valid': {}})
  assert read(workdir, 20).test['net']['map'] == 0.7
  assert read(workdir, 20).own_thresholds == {'hat': 0.25}
  assert read(workdir, 10).test['net']['map'] == 0.5 and read(workdir, 10).own_thresholds == {}


def test_a_run_that_was_never_measured_has_no_figures(tmp_path):
  found = read(tmp_path, 3)
  assert found.test == {} and found.pictures == {'training': 512} and found.page == ''


@pytest.mark.parametrize('epoch, wanted', [(2.5, 'about 64'), (0.00321, 'about 49,800')])
def test_training_pictures_of_other_data_follow_from_the_epoch(workdir, epoch, wanted):
  config = simpsons.get_config('smoke')
  config.data.source, config.train.batch_size = 'folder', 16
  records.write_json(workdir / 'run.json', {**RUN, 'chosen': {'step': 10, 'epoch': epoch}})
  assert read(workdir, 10, config).pictures['training'] == wanted


def test_a_page_that_is_a_folder_is_not_named(workdir):
  records.write_json(workdir / 'run.json', {
      **RUN, 'config_name': 'configs/saved.py:/home/somebody/runs/x'})
  assert read(workdir, 10).page == ''
