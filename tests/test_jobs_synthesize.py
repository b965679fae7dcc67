"""--job=synthesize and --job=predict of a run: from its folder alone to files."""


import cv2
import jax
import numpy as np
import optax
import pytest

from configs import vae as vae_page
from errors import UserError
from jobs import get_job, predict, synthesize
from tests.small_scans import write_png
from tests.tables import read_csv
from train_lib import build
from train_lib import workdir as workdir_lib
from train_lib.state import create_state
from train_lib.storage import records
from train_lib.storage.checkpoints import Checkpoints


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """(config, workdir) of a run that has learned nothing, with a net and data of the smallest."""
  workdir = tmp_path_factory.mktemp('runs') / 'vae'
  config = vae_page.get_config('smoke')
  config.data.dir = str(tmp_path_factory.mktemp('data'))
  config.runtime.cache_dir, config.runtime.workers = 'off', 0
  config.data.num_train = config.data.num_valid = config.data.num_test = 16
  config.eval.batch_size = config.predict.batch_size = config.synthesize.batch_size = 8
  workdir_lib.save_config(workdir / 'config.json', config)
  records.write_json(workdir / 'tags.json', {'names': [], 'categories': []})
  task = build.build_task(config, ())
  variables = jax.jit(task.init)(jax.random.key(0), {
      'image': np.zeros((1, 64, 64, 1), np.float32)})
  with Checkpoints(workdir / 'checkpoints', config_digest='', keep_last=1) as checkpoints:
    checkpoints.save(2, create_state(variables, optax.identity(), use_ema=False))
  return workdir_lib.load_config(workdir / 'config.json'), workdir


def changed(config, section, **changes):
  config = config.copy_and_resolve_references()
  with config.unlocked():
    config[section].update(changes)
  return config


def test_the_job_is_in_the_table():
  assert get_job('synthesize') is synthesize.run


def test_scans_are_drawn_from_a_workdir_alone(run, capsys):
  config, workdir = run
  config = changed(config, 'synthesize', count=9)
  synthesize.run(config, str(workdir), config_path='', input='', output='')
  rows = read_csv(workdir / 'synthesize' / 'manifest.csv')
  assert len(rows) == 9
  for row in rows:
    pixels = cv2.imread(str(workdir / 'synthesize' / row['file']), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (64, 64) and pixels.dtype == np.uint16 and np.ptp(pixels) > 0
  quality = records.read_json(workdir / 'synthesize' / 'quality.json')
  assert quality['drawn'] > 0 and quality['step'] == 2
  assert 'Frechet distance to 16 scans of the test split' in capsys.readouterr().out


def test_another_autoencoder_may_be_the_judge(run, tmp_path):
  config, workdir = run
  config = changed(config, 'synthesize', count=8, kind='fitted', judge=str(workdir))
  synthesize.run(config, str(workdir), config_path='', input='', output=str(tmp_path / 'out'))
  quality = records.read_json(tmp_path / 'out' / 'quality.json')
  assert quality['judge'] == f"the net of '{workdir}'"


def test_a_folder_of_scans_is_restored_by_the_same_run(run, tmp_path):
  config, workdir = run
  rng = np.random.default_rng(0)
  for place in range(3):
    write_png(tmp_path / 'in' / 'a' / f'{place}.png', rng.random((50, 70)), 8)
  predict.run(config, str(workdir), config_path='', input=str(tmp_path / 'in'),
              output=str(tmp_path / 'out'))
  for place in range(3):
    pixels = cv2.imread(str(tmp_path / 'out/scans/a' / f'{place}.png'), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (50, 70) and pixels.dtype == np.uint8
  assert (tmp_path / 'out' / 'restored.csv').exists()


def test_mistakes_are_told_in_a_sentence(run, tmp_path):
  config, workdir = run
  for job, section, changes, message in (
      (synthesize, 'synthesize', {'kind': 'new'}, "kind 'new' is unknown"),
      (synthesize, 'synthesize', {'kind': 'around'}, '--input='),
      (synthesize, 'synthesize', {'judge': str(tmp_path)}, 'is not the folder of a run'),
      (predict, 'predict', {}, 'nothing to predict'),
      (predict, 'predict', {'threshold': 0.3, 'boxes': ''}, 'nothing to predict')):
    with pytest.raises(UserError, match=message):
      job.run(changed(config, section, **changes), str(workdir), config_path='', input='',
              output=str(tmp_path / 'out'))
  with pytest.raises(UserError, match='is not the folder of a run'):
    synthesize.run(config, str(tmp_path / 'absent'), config_path='', input='', output='')
