"""An exported folder opens as the workdir it came from: the same net, bit by bit."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from errors import UserError
from tests.drawn_nets import PAGES, STEP, make_run, other, write_export
from tests.net_families import EXPORTED, QUICK_WHOLE, is_autoencoder
from train_lib import build, trees
from train_lib.export import exported
from train_lib.trained import open_trained
from train_lib.weights import weights


def make_run_of(name):
  task = ('autoencoding' if is_autoencoder(name) else 'pose' if name.endswith('_pose')
          else 'classification')
  page, preset, data = PAGES[task]
  return make_run(page, preset, net=name, **{**data, 'image_size_px': EXPORTED[name]})


@pytest.mark.parametrize('name', [
    name if name in QUICK_WHOLE else pytest.param(name, marks=pytest.mark.slow)
    for name in EXPORTED])
def test_every_array_comes_back_bit_by_bit(name, tmp_path):
  config, run = make_run_of(name)
  write_export(tmp_path, config, run)
  found = open_trained(config, tmp_path, 'latest')
  assert trees.params_digest(found.variables) == trees.params_digest(run.variables)
  assert trees.describe(found.variables) == trees.describe(run.variables)


@pytest.mark.parametrize('task', ['tagging', 'classification', 'autoencoding'])
def test_an_exported_folder_gives_the_same_task_names_thresholds_and_answers(task, tmp_path):
  config, run = make_run(*PAGES[task][:2], **PAGES[task][2])
  run = other(run, thresholds={'micro': 0.31, 'macro': 0.123456789012345})
  write_export(tmp_path, config, run)
  config = exported.read_config(tmp_path)
  found = open_trained(config, str(tmp_path), 'best')
  assert (found.tag_names, found.tag_categories, found.thresholds, found.step) == (
      run.tag_names, run.tag_categories, run.thresholds, STEP)
  assert type(found.task) is type(run.task) and found.task.net == run.task.net
  assert (found.task.mean, found.task.deviation) == (run.task.mean, run.task.deviation)


def test_pixels_that_a_run_measured_come_along(tmp_path):
  config, run = make_run(*PAGES['classification'][:2], image_size_px=32)
  task = other(run.task, mean=(1.1, 2.2, 3.3), deviation=(60.5, 0.1 + 0.2, 7.0))
  write_export(tmp_path, config, other(run, task=task))
  found = open_trained(config, tmp_path, 'latest').task
  assert found.mean == (1.1, 2.2, 3.3) and found.deviation == (60.5, 0.1 + 0.2, 7.0)


@pytest.fixture
def folder(tmp_path):
  config, run = make_run(*PAGES['classification'][:2], image_size_px=32)
  write_export(tmp_path, config, run)
  return config, tmp_path


def rewrite(path, change, metadata=None):
  arrays = {key: np.array(value) for key, value in load_file(path).items()}
  change(arrays)
  save_file(arrays, path, metadata=metadata)


@pytest.mark.parametrize('change, words', [
    (lambda arrays: arrays.pop('fc.bias'), 'no head of this kind'),
    (lambda arrays: arrays.pop('bn1.weight'), 'lacks 1 of the'),
    (lambda arrays: arrays.update({'bn1.more': arrays['bn1.weight']}), 'does not hold the weights'),
    (lambda arrays: arrays['bn1.weight'].__setitem__(0, 9.0), 'does not hold the weights')])
def test_weights_that_are_not_those_of_the_config_are_refused(folder, change, words):
  config, path = folder
  rewrite(path / 'model.safetensors', change)
  with pytest.raises(UserError, match=words):
    open_trained(config, path, 'latest')


def test_without_its_weights_it_is_told_which_file_is_missing(folder):
  config, path = folder
  (path / 'model.safetensors').unlink()
  with pytest.raises(UserError, match=r'there is no file .*model\.safetensors'):
    open_trained(config, path, 'latest')


def test_a_checkpoint_that_is_none_is_refused_here_too(folder):
  with pytest.raises(UserError, match='choices: latest, best'):
    open_trained(*folder, 'last')


def test_a_net_starts_from_an_exported_folder_as_from_its_file(folder):
  config, path = folder
  said = json.loads((path / 'config.json').read_text())['oko']
  opened = open_trained(config, path, 'latest')
  found, account = weights.load_weights(
      path, opened.variables, names=build.build_weight_names(config), head='keep')
  assert account.initial == {} and trees.params_digest(found) == said['digest']
