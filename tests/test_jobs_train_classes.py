"""A classifier from class folders to its report: the head from features first, measured pixels."""

import json

import cv2
import numpy as np
import pytest

import jobs
from configs import fashion, saved
from train_lib.trained import open_trained

pytestmark = pytest.mark.usefixtures('small_net')

COLOURS = {'green': (60, 200, 60), 'red': (60, 60, 200), 'blue': (200, 60, 60)}  # BGR
SIDE_PX = 32


def write_pictures(folder):
  """Class folders of squares in the class's colour, with noise."""
  rng = np.random.default_rng(0)
  for split, count in (('train', 10), ('valid', 4), ('test', 4)):
    for name, colour in COLOURS.items():
      (folder / split / name).mkdir(parents=True)
      for index in range(count):
        picture = np.clip(colour + rng.normal(0, 30, (SIDE_PX, SIDE_PX, 3)), 0, 255)
        cv2.imwrite(str(folder / split / name / f'{index}.png'), picture.astype(np.uint8))


def small_config(folder):
  config = fashion.get_config('smoke')
  config.data.source, config.data.path = 'folder', str(folder / 'pictures')
  config.data.image_size_px, config.data.augment, config.data.pixels = SIDE_PX, (), 'train'
  config.train.batch_size, config.train.num_steps, config.eval.batch_size = 8, 12, 4
  config.eval.every_steps, config.runtime.keep_last = 3, 1
  config.train.freeze_first, config.train.freeze_first_frac = ('*', '!head'), 0.5
  config.train.cache_features = True
  config.runtime.features_dir = str(folder / 'features')
  config.runtime.cache_dir = str(folder / 'programs')
  config.runtime.tensorboard = False
  return config


def run(name, config, workdir, **flags):
  jobs.get_job(name)(config, str(workdir), config_path='configs/fashion.py:smoke',
                     **{'input': '', 'output': '', **flags})


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  folder = tmp_path_factory.mktemp('classes')
  write_pictures(folder / 'pictures')
  run('train', small_config(folder), folder / 'run')
  return folder / 'run'


def read(path):
  return json.loads(path.read_text())


def test_the_head_learns_from_features_and_then_all_learns_from_pictures(trained):
  rows = [json.loads(line) for line in (trained / 'metrics.jsonl').read_text().splitlines()]
  assert [row['step'] for row in rows if 'valid/accuracy' in row] == [3, 6, 9, 12]
  assert len(list((trained.parent / 'features').iterdir())) == 2
  record = read(trained / 'run.json')
  assert record['step'] == 12 and record['finished']
  assert list(record['test']) == ['net', 'most frequent class', 'colour histogram']
  assert record['test']['net']['examples'] == 12


def test_the_step_that_is_reported_is_the_best_on_the_validation_split(trained, capsys):
  rows = [json.loads(line) for line in (trained / 'metrics.jsonl').read_text().splitlines()]
  figures = {row['step']: row['valid/accuracy'] for row in rows if 'valid/accuracy' in row}
  record, best = read(trained / 'run.json'), read(trained / 'best.json')
  chosen = record['chosen']
  assert chosen['step'] == best['step'] and chosen['metric'] == 'accuracy'
  assert chosen['value'] == max(figures.values()) == record['valid']['accuracy']
  assert chosen['epoch'] == pytest.approx(chosen['step'] * 8 / 30, abs=1e-3)
  config = saved.get_config(str(trained))
  assert open_trained(config, trained, config.checkpoint).step == chosen['step']
  run('train', config, trained)
  assert 'accuracy' in capsys.readouterr().out


def test_pixels_are_measured_once_and_kept_with_the_run(trained):
  images = [cv2.imread(str(path)) for path in (trained.parent / 'pictures/train').rglob('*.png')]
  images = np.stack(images)[..., ::-1].astype(np.float64)
  pixels = read(trained / 'tags.json')['pixels']
  np.testing.assert_allclose(pixels['mean'], images.mean(axis=(0, 1, 2)))
  np.testing.assert_allclose(pixels['std'], images.std(axis=(0, 1, 2)))
  task = open_trained(saved.get_config(str(trained)), trained, 'latest').task
  assert task.mean == tuple(pixels['mean']) and task.deviation == tuple(pixels['std'])


def test_evaluate_and_export_use_the_net_and_the_pixels_of_the_run(trained):
  config = saved.get_config(str(trained))
  run('evaluate', config, trained, output=str(trained.parent / 'again'))
  again, before = (read(path)['test'] for path in (
      trained.parent / 'again' / 'evaluation.json', trained / 'run.json'))
  for rows in (again, before):
    for row in rows.values():
      row.pop('pictures_per_sec', None)
  assert again == before
  run('export', config, trained)
  told = read(trained / 'export' / 'config.json')['oko']
  assert told['reading']['activation'] == 'softmax' and told['names'] == ['blue', 'green', 'red']
  assert told['pixels']['mean'] == read(trained / 'tags.json')['pixels']['mean']
