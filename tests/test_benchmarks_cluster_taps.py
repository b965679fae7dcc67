"""The benchmark of taps: which taps, whose figures, and without which class."""

import argparse

import numpy as np
import pytest

from benchmarks import cluster_taps
from errors import UserError
from tests import small_collections
from train_lib import build_inputs

FLAGS = argparse.Namespace(components=2)


def test_taps_are_listed_once_the_stem_first(tmp_path):
  config = small_collections.make_config(
      tmp_path, small_collections.write_pictures(tmp_path / 'photos'))
  source = build_inputs.build_collection(config, '', lambda: None)
  loader = build_inputs.build_collection_loader(config, source)
  trunk = small_collections.make_trunk(config)
  assert cluster_taps.list_taps(trunk, loader) == ['stem', 'wide']
  pixels = cluster_taps.read_pixels(config, source)
  assert pixels.shape == (18, 3 * 32 * 32) and pixels.max() > 100


def test_features_that_tell_the_classes_score_and_noise_does_not(capsys):
  rng = np.random.default_rng(0)
  labels = np.arange(90) % 3
  told, noise = 9 * np.eye(3)[labels] + rng.normal(size=(90, 3)), rng.normal(size=(90, 3))
  assert cluster_taps.measure(told, labels, 0, 2)['nmi'] == pytest.approx(1)
  assert cluster_taps.measure(noise, labels, 0, 2)['nmi'] < 0.2
  cluster_taps.show('noise', [noise] * 3, labels, FLAGS)
  name, *figures = capsys.readouterr().out.split()
  assert name == 'noise' and len(figures) == 9 and figures[1] == '+-'


def test_a_class_that_there_is_not_is_told():
  assert cluster_taps.index_of(('a', 'b'), '') == -1 and cluster_taps.index_of(('a', 'b'), 'b') == 1
  with pytest.raises(UserError, match='--without=c is no class; the classes are a, b'):
    cluster_taps.index_of(('a', 'b'), 'c')
