"""--job=cluster and --job=neighbours with the net of a real run, from its workdir or as weights."""

import json

import numpy as np
import pytest

from configs import base, fashion, saved
from configs import cluster as cluster_page
from errors import UserError
from jobs import cluster, neighbours, train
from tests.small_collections import write_pictures
from tests.tables import read_csv
from train_lib.clustering.collection import open_collection
from train_lib.clustering.trunk import open_trunk

pytestmark = pytest.mark.usefixtures('small_net')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('cluster')
  write_pictures(folder / 'photos', 5)
  return folder


@pytest.fixture(scope='module')
def run(folder):
  """The workdir of a classifier of two steps, of pictures of 32 px that are squeezed."""
  config = fashion.get_config('smoke')
  config.data.dir, config.runtime.cache_dir = str(folder / 'data'), str(folder / 'programs')
  config.data.num_train, config.data.num_valid, config.data.num_test = 16, 8, 8
  config.data.pad, config.train.batch_size, config.eval.batch_size = 'squish', 8, 8
  config.train.num_steps, config.eval.baselines = 2, False
  config.runtime.workers, config.runtime.tensorboard = 0, False
  train.run(config, str(folder / 'run'), config_path='', input='', output='')
  return folder / 'run'


def of_run(run):
  """The config that `--workdir=RUN` alone gives."""
  config = saved.get_config(str(run))
  config.cluster.update({'k': 3, 'batch_size': 8, 'resamples': 2, 'gallery_most': 12})
  config.runtime.features_dir = str(run.parent / 'features')
  return config


def test_a_folder_is_grouped_by_the_net_of_a_run_and_searched(folder, run):
  cluster.run(of_run(run), str(run), config_path='', input=str(folder / 'photos'), output='')
  rows = read_csv(run / 'cluster' / 'clusters.csv')
  assert len(rows) == 15 and {row['cluster'] for row in rows} == {'0', '1', '2'}
  page = (run / 'cluster' / 'gallery.html').read_text()
  assert 'red/0.png' in page and 'http' not in page.replace('http-equiv', '').replace(
      'http://www.w3.org', '')
  assert json.loads((run / 'config.json').read_text())['cluster']['k'] == 0      # the run's own
  neighbours.run(of_run(run), str(run), config_path='', input='', output='')
  found = read_csv(run / 'neighbours' / 'neighbours.csv')
  assert len(found) == 15 * 10 and all(row['query'] != row['path'] for row in found)
  picture = folder / 'photos' / 'red' / '3.png'
  neighbours.run(of_run(run), str(run), config_path='', input=str(picture),
                 output=str(folder / 'one'))
  one = read_csv(folder / 'one' / 'neighbours.csv')
  assert one[0]['path'] == 'red/3.png' and float(one[0]['similarity']) == pytest.approx(1, abs=1e-4)
  assert open_collection(run).neighbours(picture, 2)[0][0] == 'red/3.png'


def test_a_run_that_has_moved_still_finds_its_net(folder, run, tmp_path):
  cluster.run(of_run(run), str(run), config_path='', input=str(folder / 'photos'),
              output='')
  moved = run.rename(tmp_path / 'moved')
  try:
    assert open_collection(moved).neighbours(folder / 'photos' / 'blue' / '1.png', 1)[0][0] == (
        'blue/1.png')
  finally:
    moved.rename(run)


@pytest.mark.slow
def test_a_run_named_as_weights_brings_its_net_and_how_it_reads(folder, run):
  config = cluster_page.get_config()
  config.data.path, config.net.init_from = str(folder / 'photos'), str(run)
  config.runtime.features_dir = str(folder / 'features')
  trunk, own = open_trunk(config, str(folder / 'elsewhere')), open_trunk(of_run(run), str(run))
  assert trunk.config.net.name == 'se_resnet_tiny' and trunk.config.data.pad == 'squish'
  assert trunk.config.data.image_size_px == 32 and trunk.config.data.path == config.data.path
  image = np.full((1, 32, 32, 3), 0.5, np.float32)
  one, other = (np.asarray(each.net.net.apply(each.variables, image, train=False)[1]['features'])
                for each in (trunk, own))
  np.testing.assert_array_equal(one, other)
  config.cluster.update({'k': 3, 'batch_size': 8, 'resamples': 2, 'gallery': False})
  cluster.run(config, str(folder / 'elsewhere'), config_path='', input='', output='')
  found = open_collection(folder / 'elsewhere').neighbours(folder / 'photos' / 'red' / '2.png', 1)
  assert found[0][0] == 'red/2.png' and found[0][1] == pytest.approx(1, abs=1e-4)


def test_without_a_net_or_with_one_of_poses_it_is_told(folder, run):
  config = cluster_page.get_config()
  config.data.path, config.net.init_from = str(folder / 'photos'), ''
  with pytest.raises(UserError, match='no net is named whose features'):
    cluster.run(config, str(folder / 'none'), config_path='', input='', output='')
  config.net.init_from = str(folder / 'nothing.npz')
  with pytest.raises(UserError, match='nothing.npz'):
    cluster.run(config, str(folder / 'none'), config_path='', input='', output='')
  assert not (folder / 'none').exists()
  poses = of_run(run)
  poses.task = 'pose'
  with pytest.raises(UserError, match='cannot group pictures'):
    cluster.run(poses, str(run), config_path='', input=str(folder / 'photos'), output='')
  with pytest.raises(UserError, match='run --job=cluster first'):
    neighbours.run(base.get_config(), str(folder / 'photos'), config_path='', input='', output='')
