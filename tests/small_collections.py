"""Folders of pictures of a few colours, and a net whose features are these colours."""

import csv
import pathlib
import types

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from configs import cluster
from tests.tables import read_csv
from train_lib import parallel
from train_lib.clustering import clustering, labelling
from train_lib.clustering.trunk import OpenTrunk
from train_lib.features import Trunk

COLOURS = {'red': (200, 40, 40), 'green': (40, 190, 60), 'blue': (40, 60, 200)}
SIDE_PX = 8


class ColourNet(nn.Module):
  """A net without a head whose taps are the picture, its mean, and something that costs much."""
  options = types.SimpleNamespace(dtype=jnp.float32, activation='')
  row = 'of colours'

  @nn.compact
  def __call__(self, image, *, train):
    del train
    mean = image.mean(axis=(1, 2))
    wide = nn.Dense(512, name='wide')(image)                    # [B, H, W, 512]
    return mean, {'stem': image, 'features': mean, 'wide': wide}


def make_trunk(config, net=None) -> OpenTrunk:
  net = net or ColourNet()
  variables = net.init(jax.random.key(0), jnp.zeros((1, SIDE_PX, SIDE_PX, 3)), train=False)
  mesh = parallel.make_mesh(jax.devices()[:1])
  return OpenTrunk(config, Trunk(net, (128.0,) * 3, (64.0,) * 3), mesh,
                   parallel.put_whole(mesh, variables), 'the net of colours')


def write_pictures(folder, count=6, noise=12, seed=0):
  """`count` pictures of each colour, in a folder for each; returns the folder."""
  rng = np.random.default_rng(seed)
  for name, colour in COLOURS.items():
    (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
      mean = np.array(colour) + rng.normal(0, noise, 3)
      pixels = mean + rng.normal(0, 5, (SIDE_PX, SIDE_PX + index % 3, 3))
      cv2.imwrite(str(folder / name / f'{index}.png'),
                  np.uint8(np.clip(pixels, 0, 255))[..., ::-1])
  return folder


def make_config(tmp_path, pictures, **settings):
  """A page's config for a folder of pictures. Args: settings: of the section cluster."""
  config = cluster.get_config()
  config.data.path, config.data.image_size_px = str(pictures), SIDE_PX
  config.runtime.features_dir = str(tmp_path / 'features')
  config.runtime.cache_dir, config.runtime.workers = 'off', 0
  config.cluster.update({'k': 3, 'restarts': 1, 'resamples': 2, 'batch_size': 4, 'gallery': False,
                         **settings})
  return config


def run(monkeypatch, config, workdir, input='', output='', poll=lambda: None):
  """A cluster job with the net of colours; its folder."""
  monkeypatch.setattr(clustering, 'open_trunk', lambda config, workdir: make_trunk(config))
  clustering.cluster_pictures(config, str(workdir), str(input), str(output), poll)
  return pathlib.Path(output or workdir / 'cluster')


def name_clusters(folder, name_of):
  """Fills in names.csv by hand. Args: name_of: the colour of a cluster's first picture -> name."""
  clusters = read_csv(folder / 'clusters.csv')
  rows = read_csv(folder / 'names.csv')
  for row in rows:
    first = next(one['path'] for one in clusters if one['cluster'] == row['cluster'])
    row['name'] = name_of(first.split('/')[0])
  with open(folder / 'names.csv', 'w', newline='', encoding='utf-8') as file:
    writer = csv.DictWriter(file, labelling.NAME_COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
