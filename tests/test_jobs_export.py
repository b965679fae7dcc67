"""Tests of jobs/export.py: the files of a trained run that other programs read."""

import csv
import json
import pathlib
import shutil
import subprocess
import sys
import types

import jax
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from configs import pose, saved, tagger
from errors import UserError
from jobs import audit, evaluate, export, predict, train
from tests.example_runner import first_example, read_values, run_example
from tests.tables import read_csv
from train_lib import build_data, build_sources, trees
from train_lib.export import export_folder, exported
from train_lib.trained import open_trained

pytestmark = pytest.mark.usefixtures('small_net')

ROOT = pathlib.Path(__file__).parent.parent


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
  job.run(config, str(workdir), config_path='configs/tagger.py:smoke', input=str(input),
          output=str(output))


@pytest.fixture(scope='module')
def folder(trained, tmp_path_factory):
  """What --job=export wrote of it, with a picture beside."""
  pytest.importorskip('onnx')
  pytest.importorskip('onnxruntime')
  path = tmp_path_factory.mktemp('exported')
  config = trained[0].copy_and_resolve_references()
  config.export.license = 'CC-BY-4.0'
  run(export, config, trained[1], output=path)
  rows, columns = np.mgrid[0:50, 0:70] / 70
  Image.fromarray(np.uint8(255 * np.stack([rows, columns, 1 - columns], -1))).save(
      path / 'picture.png')
  return path


def test_the_folder_holds_all_of_it(folder):
  names = {path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()}
  assert names == set(export_folder.FILES) - {'model.json', 'labels.txt'} | {'picture.png'}


def test_nothing_in_it_names_a_place_on_this_machine(trained, folder):
  places = [str(trained[1].parent), str(folder), str(ROOT), str(pathlib.Path.home())]
  for path in folder.rglob('*'):
    content = path.read_bytes() if path.is_file() else b''
    for place in places:
      assert place.encode() not in content, path


def test_it_opens_as_the_workdir_does(trained, folder):
  config, workdir = trained
  there, here = open_trained(config, workdir, 'latest'), open_trained(
      saved.get_config(str(folder)), folder, 'latest')
  assert trees.params_digest(there.variables) == trees.params_digest(here.variables)
  for name in ('tag_names', 'tag_categories', 'thresholds', 'step'):
    assert getattr(there, name) == getattr(here, name)


def test_predict_says_of_it_what_it_says_of_the_workdir(trained, folder, tmp_path):
  for name, config, where in (('run', trained[0], trained[1]),
                              ('export', saved.get_config(str(folder)), folder)):
    run(predict, config, where, output=tmp_path / name, input=folder / 'picture.png')
  texts = [(tmp_path / name / 'predictions.csv').read_text() for name in ('run', 'export')]
  assert texts[0] == texts[1] and 'picture.png' in texts[0]


@pytest.mark.parametrize('job', [train, evaluate, audit, export])
def test_jobs_that_need_a_run_say_so(folder, job):
  with pytest.raises(UserError, match='is an exported net, without the run'):
    run(job, saved.get_config(str(folder)), folder)


def test_the_first_code_of_the_card_gives_the_tags_of_predict(trained, folder, tmp_path):
  printed = run_example(first_example((folder / 'README.md').read_text()), folder)
  run(predict, trained[0], trained[1], output=tmp_path, input=folder / 'picture.png')
  row = json.loads((tmp_path / 'predictions.jsonl').read_text().splitlines()[0])
  found = {name: value for name, (value,) in read_values(printed).items()}
  assert found.keys() == row['tags'].keys() and found
  for name, value in row['tags'].items():
    assert found[name] == pytest.approx(value, abs=2e-3)


def test_the_card_has_the_figures_and_thresholds_of_the_run(trained, folder):
  text = (folder / 'README.md').read_text()
  record = json.loads((trained[1] / 'run.json').read_text())
  assert f'| net, test split | {record["test"]["net"]["map"]:.4f} |' in text
  assert f'{record["thresholds"]["micro"]:g} for the best micro F1' in text
  assert 'license: cc-by-4.0\n' in text and record['starts'][-1]['commit'] in text
  assert '16 for training, 8 for validation, 8 for test' in text


def test_tags_have_categories_counts_and_own_thresholds(trained, folder):
  rows = read_csv(folder / 'tags.csv')
  with open(trained[1] / 'evaluation' / 'tags.csv', newline='', encoding='utf-8') as file:
    wanted = {row['tag']: row for row in csv.DictReader(file)}
  opened = json.loads((folder / 'config.json').read_text())['oko']
  assert [row['name'] for row in rows] == opened['names']
  assert [row['category'] for row in rows] == opened['categories']
  for row in rows:
    assert row['count'] == wanted[row['name']]['train_pictures']
    assert float(row['threshold']) == float(wanted[row['name']]['own_threshold'])
    assert opened['tag_thresholds'][row['name']] == float(row['threshold'])


def test_another_run_starts_from_the_weights(trained, folder, tmp_path, monkeypatch):
  config = trained[0].copy_and_resolve_references()
  config.net.init_from = str(folder / 'model.safetensors')
  config.optimizer.learning_rate = 0.0
  config.train.freeze = ('*', '!head')
  run(train, config, tmp_path / 'second')
  monkeypatch.setattr(export.model, 'is_installed', lambda: False)
  monkeypatch.setattr(export.stablehlo, 'is_installed', lambda: False)
  run(export, config, tmp_path / 'second', output=tmp_path / 'out')
  arrays, again = load_file(folder / 'model.safetensors'), load_file(
      tmp_path / 'out' / 'model.safetensors')
  assert arrays.keys() == again.keys()
  for key, value in arrays.items():
    np.testing.assert_array_equal(again[key], value, err_msg=key)
  account = (tmp_path / 'second' / 'initial_weights.txt').read_text()
  assert f'loaded: {len(arrays)} of {len(arrays)} arrays' in account


def test_the_models_give_the_probabilities_that_predict_gives(trained, folder):
  import onnxruntime
  from jax import export as jax_export
  config, workdir = trained
  session = onnxruntime.InferenceSession(folder / 'model.onnx')
  source = build_sources.build_source(config, 'test')
  batch = build_data.build_evaluation_loader(config, source).make_batch(0)
  found, = session.run(None, {'image': batch['image'][:5].astype(np.float32)})
  opened = open_trained(config, workdir, 'latest')
  predict_all = jax.jit(lambda image: opened.task.predict(opened.variables, {'image': image}))
  wanted = np.asarray(predict_all(batch['image'])['probabilities'])[:5]
  np.testing.assert_allclose(found, wanted, atol=1e-5)
  read_again = jax_export.deserialize((folder / 'model.stablehlo').read_bytes())
  found = read_again.call(batch['image'][:5].astype(np.float32))
  np.testing.assert_allclose(found['probabilities'], wanted, atol=1e-5)
  about = json.loads((folder / 'config.json').read_text())['oko']
  said = about['onnx']
  assert about['stablehlo']['platforms'] == ['cpu', 'cuda', 'tpu']
  assert about['reading'] == {'image_size_px': 32, 'cut': 'none', 'pad': 'square',
                              'activation': 'sigmoid'}
  assert said['input'] == {'name': 'image', 'shape': ['N', 32, 32, 3], 'range': [0, 255],
                           'colours': 'RGB'}
  assert said['outputs'] == ['probabilities'] and said['difference_from_jax'] < 1e-4
  rows = read_csv(folder / 'tagger' / 'selected_tags.csv')
  with open(workdir / 'evaluation' / 'tags.csv', newline='', encoding='utf-8') as file:
    counts = {row['tag']: row['train_pictures'] for row in csv.DictReader(file)}
  assert len(rows) > 50
  assert all(row['count'] == counts[row['name']] for row in rows if row['name'] in counts)
  assert [row['category'] for row in rows[:4]] == ['9'] * 4
  tagger_session = onnxruntime.InferenceSession(folder / 'tagger' / 'model.onnx')
  assert tagger_session.get_outputs()[0].shape == ['N', len(rows)]


def test_without_the_extra_the_other_files_are_written_and_it_is_said(trained, tmp_path,
                                                                      monkeypatch, capsys):
  older = tmp_path / 'tagger' / 'model.onnx'
  older.parent.mkdir()
  for path in (older, tmp_path / 'model.stablehlo', tmp_path / 'model.onnx'):
    path.write_text('of an older step')
  (tmp_path / 'config.json').write_text('{"oko": {}}')
  monkeypatch.setattr(export.model, 'is_installed', lambda: False)
  monkeypatch.setattr(export.stablehlo, 'is_installed', lambda: False)
  run(export, *trained, output=tmp_path)
  assert sorted(path.name for path in tmp_path.iterdir()) == [
      'README.md', 'config.json', 'model.safetensors', 'tags.csv']
  said = capsys.readouterr().out
  assert said.count("pip install -e '.[onnx]'") == 2 and 'README.md' in said
  about = json.loads((tmp_path / 'config.json').read_text())['oko']
  assert about['onnx'] is None and about['stablehlo'] is None
  assert open_trained(exported.read_config(tmp_path), tmp_path, 'best').step == 2


def test_a_stop_leaves_the_export_before_it(trained, folder, monkeypatch):
  before = {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}
  monkeypatch.setattr(export.model, 'is_installed', lambda: False)
  monkeypatch.setattr(export.stablehlo, 'is_installed', lambda: False)

  def fail(*args):
    raise OSError(28, 'No space left on device', 'README.md')
  monkeypatch.setattr(export.model_card, 'write_card', fail)
  with pytest.raises(OSError, match='No space'):
    run(export, *trained, output=folder)
  assert {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()} == before


def test_a_workdir_is_no_place_for_an_export(trained):
  with pytest.raises(UserError, match='holds config.json, which --job=export did not write'):
    run(export, *trained, output=trained[1])


def test_neither_optimizers_nor_datasets_nor_tests_are_imported(trained, tmp_path):
  code = f"""
import dataclasses, sys
from configs import saved
from nets.se_resnet import VARIANTS
VARIANTS['se_resnet_tiny'] = dataclasses.replace(VARIANTS['se_resnet_tiny'], depths=(1, 0, 0, 0))
from jobs import get_job
from train_lib.onnx_export import model
from train_lib.export import stablehlo
model.is_installed = stablehlo.is_installed = lambda: False
get_job('export')(saved.get_config({str(trained[1])!r}), {str(trained[1])!r}, config_path='',
                  input='', output={str(tmp_path / 'out')!r})
here = {{name.partition('.')[0] for name in sys.modules}}
assert not here & {{'optax', 'tensorflow_datasets', 'tensorflow', 'pytest', 'hypothesis', 'tests'}}
"""
  subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
def test_a_run_goes_on_when_the_weights_it_started_from_are_gone(trained, folder, tmp_path):
  config, _ = trained
  (tmp_path / 'out').mkdir()
  shutil.copy(folder / 'model.safetensors', tmp_path / 'out')
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
  told = export._reading(pose.get_config('small'))
  assert (told['height_px'], told['width_px'], told['heatmap_stride_px']) == (128, 96, 4)
  assert told['activation'] == 'none' and told['widen'] == 1.25 and told['refine'] == 'dark'


def test_names_of_classes_and_joints_stand_a_line_each(tmp_path):
  config = pose.get_config('small')
  net = open_names(('nose', 'left eye'))
  export._write_names(tmp_path, config, net, None)
  assert (tmp_path / 'labels.txt').read_text() == 'nose\nleft eye\n'
  assert [path.name for path in tmp_path.iterdir()] == ['labels.txt']


def open_names(names):
  return types.SimpleNamespace(tag_names=names, tag_categories=('general',) * len(names))
