"""Tests of jobs/export.py: the files of a trained run that other programs read."""

import csv
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from configs import pose, tagger
from errors import UserError
from jobs import export, train
from train_lib import build_data
from train_lib.trained import open_trained


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """(config, workdir) of a run of two steps."""
  folder = tmp_path_factory.mktemp('export')
  config = tagger.get_config('smoke')
  config.data.dir = str(folder / 'data')
  config.data.image_size_px = 32
  config.data.num_train, config.data.num_valid, config.data.num_test = 16, 8, 8
  config.train.batch_size = config.eval.batch_size = 8
  config.train.num_steps = 2
  config.runtime.workers = 0
  config.runtime.tensorboard = False
  run(train, config, folder / 'run')
  return config, folder / 'run'


def run(job, config, workdir, output='', input=''):
  job.run(config, str(workdir), config_path='configs/tagger.py:smoke', input=input,
          output=str(output))


def test_the_weights_are_written_and_another_run_starts_from_them(trained, tmp_path):
  config, workdir = trained
  run(export, config, workdir)
  arrays = load_file(workdir / 'export' / 'model.safetensors')
  assert arrays['fc.weight'].shape[0] == len(arrays['fc.bias'])
  second = config.copy_and_resolve_references()
  second.net.init_from = str(workdir / 'export' / 'model.safetensors')
  second.optimizer.learning_rate = 0.0
  second.train.freeze = ('*', '!head')
  run(train, second, tmp_path / 'second')
  run(export, second, tmp_path / 'second', output=tmp_path / 'out')
  again = load_file(tmp_path / 'out' / 'model.safetensors')
  assert arrays.keys() == again.keys()
  for key, value in arrays.items():
    np.testing.assert_array_equal(again[key], value, err_msg=key)
  account = (tmp_path / 'second' / 'initial_weights.txt').read_text()
  assert f'loaded: {len(arrays)} of {len(arrays)} arrays' in account
  said = json.loads((workdir / 'export' / 'model.json').read_text())
  assert said['net'] == config.net.name and len(said['outputs']) == len(arrays['fc.bias'])
  assert said['mean'] == [127.5] * 3 and said['image_size_px'] == 32


def test_the_model_gives_the_probabilities_that_predict_gives(trained, tmp_path):
  onnxruntime = pytest.importorskip('onnxruntime')
  config, workdir = trained
  run(export, config, workdir, output=tmp_path)
  session = onnxruntime.InferenceSession(tmp_path / 'model.onnx')
  source = build_data.build_source(config, 'test')
  batch = build_data.build_evaluation_loader(config, source).make_batch(0)
  found, = session.run(None, {'image': batch['image'][:5].astype(np.float32)})
  opened = open_trained(config, workdir, 'latest')
  wanted = np.asarray(opened.task.predict(opened.variables, batch)['probabilities'])[:5]
  np.testing.assert_allclose(found, wanted, atol=1e-5)
  said = json.loads((tmp_path / 'model.json').read_text())['onnx']
  assert said['input'] == {'name': 'image', 'shape': ['N', 32, 32, 3], 'range': [0, 255],
                           'colours': 'RGB'}
  assert said['outputs'] == ['probabilities'] and said['difference_from_jax'] < 1e-4
  with open(tmp_path / 'tagger' / 'selected_tags.csv', newline='', encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  with open(workdir / 'evaluation' / 'tags.csv', newline='', encoding='utf-8') as file:
    counts = {row['tag']: row['train_pictures'] for row in csv.DictReader(file)}
  assert len(rows) > 50
  assert all(row['count'] == counts[row['name']] for row in rows if row['name'] in counts)
  assert [row['category'] for row in rows[:4]] == ['9'] * 4
  tagger_session = onnxruntime.InferenceSession(tmp_path / 'tagger' / 'model.onnx')
  assert tagger_session.get_outputs()[0].shape == ['N', len(rows)]


def test_without_the_extra_the_other_files_are_written_and_it_is_said(trained, tmp_path,
                                                                      monkeypatch, capsys):
  monkeypatch.setattr(export.model, 'is_installed', lambda: False)
  run(export, *trained, output=tmp_path)
  assert sorted(path.name for path in tmp_path.iterdir()) == ['model.json', 'model.safetensors']
  assert "pip install -e '.[onnx]'" in capsys.readouterr().out
  assert json.loads((tmp_path / 'model.json').read_text())['onnx'] is None


def test_a_run_goes_on_when_the_weights_it_started_from_are_gone(trained, tmp_path):
  config, workdir = trained
  run(export, config, workdir, output=tmp_path / 'out')
  config = config.copy_and_resolve_references()
  config.net.init_from = str(tmp_path / 'out' / 'model.safetensors')
  (tmp_path / 'out' / 'model.safetensors').rename(tmp_path / 'moved')
  with pytest.raises(UserError, match='there is no file of weights'):
    run(train, config, tmp_path / 'run')
  assert not (tmp_path / 'run' / 'config.json').exists()
  (tmp_path / 'moved').rename(tmp_path / 'out' / 'model.safetensors')
  run(train, config, tmp_path / 'run')
  (tmp_path / 'out' / 'model.safetensors').unlink()
  for name in ('run.json', 'evaluation'):
    path = tmp_path / 'run' / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
  run(train, config, tmp_path / 'run')
  assert json.loads((tmp_path / 'run' / 'run.json').read_text())['finished']


def test_a_folder_without_a_run_is_told(trained, tmp_path):
  with pytest.raises(UserError, match='is not the folder of a run'):
    run(export, trained[0], tmp_path)


def test_an_input_is_not_ignored(trained):
  with pytest.raises(UserError, match='leave --input out'):
    run(export, *trained, input='photos')


def test_of_poses_it_says_how_crops_are_cut_and_that_heatmaps_are_as_they_come():
  config = pose.get_config('small')
  told = export._reading(config, None)
  assert (told['height_px'], told['width_px'], told['heatmap_stride_px']) == (128, 96, 4)
  assert told['activation'] == 'none' and told['widen'] == 1.25 and told['refine'] == 'dark'
